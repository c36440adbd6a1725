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

/// The wait before a restart: `first` doubled for each earlier restart of an unquiet time, at most `longest`, of which a
/// random share between a half and the whole is taken ("equal jitter").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backoff {
    /// Before the first restart after a quiet time. Zero restarts at once.
    pub first: Duration,
    /// The bound.
    pub longest: Duration,
    /// The quiet time: a restart at least this long after the one before waits for `first` again, however long the
    /// period of the intensity is.
    pub reset_after: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(10), longest: Duration::from_secs(5), reset_after: Duration::from_secs(60) }
    }
}

impl Backoff {
    /// The wait before restart number `earlier + 1` since the last quiet time; `chance` is in `0.0..1.0`.
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

/// The restarts that still count. Holds at most `max_restarts` times.
#[derive(Debug, Clone, Default)]
pub struct RestartHistory {
    restarts: VecDeque<Instant>,
    last: Option<Instant>,
    /// Restarts in a row with less than the quiet time between them: the exponent of the backoff.
    in_a_row: u32,
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
        Decision::Restart(policy.backoff.delay(self.count(&policy.backoff, now), chance))
    }

    /// How many restarts went before the one at `now` without a quiet time.
    fn count(&mut self, backoff: &Backoff, now: Instant) -> u32 {
        let quiet = self.last.is_none_or(|last| now.duration_since(last) >= backoff.reset_after);
        let earlier = if quiet { 0 } else { self.in_a_row };
        self.last = Some(now);
        self.in_a_row = earlier.saturating_add(1);
        earlier
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
        let (first, longest) = (Duration::from_millis(100), Duration::from_millis(350));
        let backoff = Backoff { first, longest, ..Backoff::default() };
        let whole: Vec<u128> = (0..4).map(|earlier| backoff.delay(earlier, 1.0).as_millis()).collect();
        assert_eq!(whole, [100, 200, 350, 350]);
        assert_eq!(backoff.delay(0, 0.0).as_millis(), 50);
        assert_eq!(backoff.delay(u32::MAX, 1.0), backoff.longest);
    }

    /// The unjittered delays of deaths at these seconds.
    fn delays(within: u64, reset_after: u64, deaths_at: &[u64]) -> Vec<u64> {
        let (first, longest) = (Duration::from_secs(1), Duration::from_secs(1_000));
        let backoff = Backoff { first, longest, reset_after: Duration::from_secs(reset_after) };
        let policy = RestartPolicy { max_restarts: 100, within: Duration::from_secs(within), backoff };
        let start = Instant::now();
        let mut history = RestartHistory::default();
        let delay = |second: &u64| match history.decide(&policy, start + Duration::from_secs(*second), 1.0) {
            Decision::Restart(delay) => delay.as_secs(),
            Decision::GiveUp => panic!("given up"),
        };
        deaths_at.iter().map(delay).collect()
    }

    #[test]
    fn a_quiet_time_resets_the_backoff_whatever_the_period() {
        assert_eq!(delays(3_600, 60, &[0, 1, 2, 61, 121, 122]), [1, 2, 4, 8, 1, 2]);
        assert_eq!(delays(1, 60, &[0, 59, 118, 178]), [1, 2, 4, 1]);
    }
}
