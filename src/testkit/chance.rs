//! What is the chance of call number n? A hash of seed, number and purpose: no draw depends on another, nor on the time.

use crate::split_mix::{mixed, unit};

/// A number in 0..1 for the draw `purpose` of call `number`.
pub(super) fn share(seed: u64, number: u64, purpose: u64) -> f64 {
    unit(mixed(mixed(mixed(seed) ^ number) ^ purpose))
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn shares_are_repeated_by_their_seed_and_spread_evenly() {
        assert_eq!(share(1, 2, 3), share(1, 2, 3));
        assert!([(2, 2, 3), (1, 3, 3), (1, 2, 4)].iter().all(|&(a, b, c)| share(a, b, c) != share(1, 2, 3)));
        let mean = (0..10_000).map(|number| share(7, number, 0)).sum::<f64>() / 10_000.0;
        assert!((0.49..0.51).contains(&mean), "{mean}");
    }
}
