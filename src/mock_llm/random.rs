//! What is the chance of request number n? A hash of seed, purpose and number, so that no request depends on another.

use crate::split_mix::{self, mixed};

/// What a draw is for. Draws for different purposes are independent of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(super) enum Purpose {
    /// The wait before a reply.
    Latency = 1,
    /// The wait between its head and its first token.
    FirstToken = 2,
    /// The wait before each further token.
    BetweenTokens = 3,
    /// Which fault the request gets.
    Fault = 4,
    /// The words of the reply.
    Words = 5,
}

/// 64 bits for the draw `index` of request `number`.
pub(super) fn bits(seed: u64, purpose: Purpose, number: u64, index: u64) -> u64 {
    mixed(mixed(mixed(mixed(seed) ^ purpose as u64) ^ number) ^ index)
}

/// A number in 0..1 for the draw `index` of request `number`.
pub(super) fn unit(seed: u64, purpose: Purpose, number: u64, index: u64) -> f64 {
    split_mix::unit(bits(seed, purpose, number, index))
}

/// A normally distributed number with mean 0 and deviation 1 (Box and Muller, 1958).
pub(super) fn normal(seed: u64, purpose: Purpose, number: u64, index: u64) -> f64 {
    let radius = (-2.0 * (1.0 - unit(seed, purpose, number, 2 * index)).ln()).sqrt();
    radius * (std::f64::consts::TAU * unit(seed, purpose, number, 2 * index + 1)).cos()
}

/// A hash of bytes: FNV-1a, mixed once more.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    mixed(
        bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_question_has_the_same_answer_and_another_has_another() {
        let draw = |seed, number| bits(seed, Purpose::Fault, number, 0);
        assert_eq!(draw(1, 2), draw(1, 2));
        assert!(draw(1, 2) != draw(2, 2) && draw(1, 2) != draw(1, 3) && draw(1, 2) != draw(2, 1));
        assert_ne!(draw(1, 2), bits(1, Purpose::Latency, 2, 0));
    }

    #[test]
    fn draws_are_spread_evenly() {
        let mean = (0..10_000).map(|number| unit(7, Purpose::Fault, number, 0)).sum::<f64>() / 10_000.0;
        assert!((0.49..0.51).contains(&mean), "{mean}");
        let normals: Vec<_> = (0..10_000).map(|number| normal(7, Purpose::Latency, number, 0)).collect();
        let mean = normals.iter().sum::<f64>() / 10_000.0;
        let deviation = (normals.iter().map(|x| x * x).sum::<f64>() / 10_000.0).sqrt();
        assert!(mean.abs() < 0.05 && (0.95..1.05).contains(&deviation), "{mean} {deviation}");
    }
}
