//! How long does request number n wait? Fixed, or log-normal around a median; pure.

use std::time::Duration;

use super::random::{Purpose, normal};

/// The longest wait that is ever drawn: what a log-normal distribution has beyond it is cut off.
const LONGEST: Duration = Duration::from_secs(3600);

/// The waits of a reply. The default is none.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Latency {
    /// Before the first byte of a reply, faults and their statuses included. Refusals (400, 401, 404, 429) do not wait.
    pub reply: Duration,
    /// In a stream, between the head with its first event and the first token.
    pub first_token: Duration,
    /// In a stream, before each further token.
    pub between_tokens: Duration,
    /// How far waits are apart. 0: each is exactly the time above. Otherwise they are log-normal: that time is their
    /// median, and this is the standard deviation of their logarithm. 0.5 is a lively server.
    pub sigma: f64,
}

impl Latency {
    /// The wait before the reply to request `number`.
    pub(super) fn of_reply(&self, seed: u64, number: u64) -> Duration {
        self.drawn(self.reply, seed, Purpose::Latency, number, 0)
    }

    /// The wait before token `index` of a stream.
    pub(super) fn of_token(&self, seed: u64, number: u64, index: u64) -> Duration {
        match index {
            0 => self.drawn(self.first_token, seed, Purpose::FirstToken, number, 0),
            _ => self.drawn(self.between_tokens, seed, Purpose::BetweenTokens, number, index),
        }
    }

    fn drawn(&self, median: Duration, seed: u64, purpose: Purpose, number: u64, index: u64) -> Duration {
        if self.sigma == 0.0 || median.is_zero() {
            return median;
        }
        let seconds = median.as_secs_f64() * (self.sigma * normal(seed, purpose, number, index)).exp();
        Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEDIAN: Duration = Duration::from_millis(200);

    fn lively() -> Latency {
        Latency { reply: MEDIAN, sigma: 0.5, ..Latency::default() }
    }

    #[test]
    fn without_a_sigma_each_wait_is_the_same() {
        let fixed = Latency { reply: MEDIAN, first_token: 2 * MEDIAN, between_tokens: MEDIAN / 2, sigma: 0.0 };
        for number in 0..10 {
            assert_eq!(fixed.of_reply(number, number), MEDIAN);
            assert_eq!(fixed.of_token(1, number, 0), 2 * MEDIAN);
            assert_eq!(fixed.of_token(1, number, number + 1), MEDIAN / 2);
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_sequence() {
        let sequence = |seed| (0..100).map(|number| lively().of_reply(seed, number)).collect::<Vec<_>>();
        assert_eq!(sequence(1), sequence(1));
        assert_ne!(sequence(1), sequence(2));
    }

    #[test]
    fn waits_are_log_normal_around_their_median() {
        let mut waits: Vec<_> = (0..10_001).map(|number| lively().of_reply(3, number)).collect();
        waits.sort();
        let at = |share: f64| waits[(share * 10_000.0) as usize].as_secs_f64() / MEDIAN.as_secs_f64();
        // One deviation of the logarithm below and above the median: e^-0.5 and e^0.5.
        for (share, factor) in [(0.5, 1.0), (0.1587, 0.6065), (0.8413, 1.6487)] {
            assert!((at(share) / factor - 1.0).abs() < 0.04, "{share}: {}", at(share));
        }
    }

    #[test]
    fn the_longest_wait_is_bounded() {
        let wild = Latency { reply: MEDIAN, sigma: 1e300, ..Latency::default() };
        assert!((0..100).all(|number| wild.of_reply(1, number) <= LONGEST));
    }
}
