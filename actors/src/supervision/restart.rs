//! Restart after which delay, or give up? One-for-one, with OTP's intensity within a period, and backoff with jitter.
//!
//! Time and chance are arguments; the guard in [`crate::mailbox`] supplies both.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// A parent's policy for one child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartPolicy {
    /// At most this many restarts within `within`; one more and the child is given up. OTP's default is 1.
    pub max_restarts: u32,
    /// The period that counts. OTP's default is 5 seconds.
    pub within: Duration,
    /// How long to wait before each restart.
    pub backoff: Backoff,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self { max_restarts: 1, within: Duration::from_secs(5), backoff: Backoff::default() }
    }
}

impl RestartPolicy {
    /// A child that is never restarted.
    pub fn never() -> Self {
        Self { max_restarts: 0, ..Self::default() }
    }

    /// At most `max_restarts` within `within`.
    pub fn at_most(max_restarts: u32, within: Duration) -> Self {
        Self { max_restarts, within, ..Self::default() }
    }
}

/// The wait before a restart: `first` doubled for each earlier restart in the period, at most `longest`, of which a
/// random share between a half and the whole is taken ("equal jitter").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    /// Before the first restart of the period. Zero restarts at once.
    pub first: Duration,
    /// The bound.
    pub longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(10), longest: Duration::from_secs(5) }
    }
}

impl Backoff {
    /// The wait before restart number `earlier + 1` of the period; `chance` is in `0.0..1.0`.
    pub fn delay(&self, earlier: u32, chance: f64) -> Duration {
        let doubled = self.first.saturating_mul(2u32.saturating_pow(earlier.min(30)));
        let whole = doubled.min(self.longest);
        whole.mul_f64(0.5 + 0.5 * chance.clamp(0.0, 1.0))
    }
}

/// The policy's answer to one death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Bring it back after this long.
    Restart(Duration),
    /// Too many deaths within the period: it stays down, and its watchers learn it.
    GiveUp,
}

/// The restarts of one child that still count. Holds at most `max_restarts` times.
#[derive(Debug, Default)]
pub struct RestartHistory {
    restarts: VecDeque<Instant>,
}

impl RestartHistory {
    /// Decides about a death at `now`, and remembers the restart if there is one.
    pub fn decide(&mut self, policy: &RestartPolicy, now: Instant, chance: f64) -> Decision {
        while self.restarts.front().is_some_and(|then| now.duration_since(*then) >= policy.within) {
            self.restarts.pop_front();
        }
        let earlier = u32::try_from(self.restarts.len()).unwrap_or(u32::MAX);
        if earlier >= policy.max_restarts {
            return Decision::GiveUp;
        }
        self.restarts.push_back(now);
        Decision::Restart(policy.backoff.delay(earlier, chance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(max_restarts: u32, seconds: u64) -> RestartPolicy {
        RestartPolicy::at_most(max_restarts, Duration::from_secs(seconds))
    }

    fn decisions(policy: &RestartPolicy, deaths_at: &[u64]) -> Vec<bool> {
        let start = Instant::now();
        let mut history = RestartHistory::default();
        let restarted = |second: &u64| {
            let now = start + Duration::from_secs(*second);
            matches!(history.decide(policy, now, 0.0), Decision::Restart(_))
        };
        deaths_at.iter().map(restarted).collect()
    }

    #[test]
    fn intensity_counts_within_the_period_only() {
        assert_eq!(decisions(&policy(0, 5), &[0]), [false]);
        assert_eq!(decisions(&policy(1, 5), &[0, 1]), [true, false]);
        assert_eq!(decisions(&policy(1, 5), &[0, 5, 9]), [true, true, false]);
        assert_eq!(decisions(&policy(2, 5), &[0, 1, 2]), [true, true, false]);
        assert_eq!(decisions(&policy(2, 5), &[0, 4, 6, 8]), [true, true, true, false]);
    }

    #[test]
    fn backoff_doubles_up_to_its_bound_and_is_jittered() {
        let backoff = Backoff { first: Duration::from_millis(100), longest: Duration::from_millis(350) };
        let whole: Vec<u128> = (0..4).map(|earlier| backoff.delay(earlier, 1.0).as_millis()).collect();
        assert_eq!(whole, [100, 200, 350, 350]);
        assert_eq!(backoff.delay(0, 0.0).as_millis(), 50);
        assert_eq!(backoff.delay(u32::MAX, 1.0), backoff.longest);
    }
}
