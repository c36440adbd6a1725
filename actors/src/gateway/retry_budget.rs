//! Is there room for another retry, or would retries make an outage worse? Pure: time is an argument.
//!
//! Retries are a share of the traffic and no more, so that a provider that fails does not get several times the load that it
//! failed under; and some in each second beside that, so that a single caller can retry. After Finagle's `RetryBudget`
//! (Kevin Oliver, "Retry Budgets", 2016), whose defaults these are, and the "per-client retry budget" of Beyer, Jones, Petoff
//! and Murphy, Site Reliability Engineering (2016), chapter 21, "Handling Overload".
//!
//! A token bucket in whole numbers: each call puts a share of a retry in, each second puts some in, a retry takes one out.
//! The bucket holds what ten seconds put in. In any stretch of time there are at most as many retries as a full bucket, the
//! share of the calls of that stretch, and what its seconds put in.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::{ModelError, StartError};

/// How many retries there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryBudgetPolicy {
    /// Whether there is a bound at all. The default is yes.
    pub enabled: bool,
    /// Of 100 calls so many may be made again: up to 100. The default is 20.
    pub percent: u32,
    /// So many may be made again in each second beside that, and ten seconds' worth at once: 1 to 10,000. The default
    /// is 10.
    pub floor_per_second: u32,
}

impl Default for RetryBudgetPolicy {
    fn default() -> Self {
        Self { enabled: true, percent: 20, floor_per_second: 10 }
    }
}

impl RetryBudgetPolicy {
    /// Checks every rule.
    ///
    /// # Errors
    /// [`StartError::Invalid`] names the value and its range.
    pub fn validate(&self) -> Result<(), StartError> {
        let Self { percent, floor_per_second, .. } = self;
        let broken = if *percent > 100 {
            format!("retry_budget.percent is {percent}; it must be at most 100")
        } else if !(1..=10_000).contains(floor_per_second) {
            format!("retry_budget.floor_per_second is {floor_per_second}; it must be between 1 and 10000")
        } else {
            return Ok(());
        };
        Err(StartError::Invalid(broken))
    }
}

/// What one retry takes out: so many units that a percent of it and what flows in within a nanosecond are whole numbers.
const RETRY: u64 = 100 * 1_000_000_000;

/// How much of what the seconds put in is kept.
const WINDOW: Duration = Duration::from_secs(10);

/// The retries of one model. What one model's outage uses up, another does not miss.
#[derive(Debug, Clone)]
pub(super) struct RetryBudget {
    policy: RetryBudgetPolicy,
    credit: u64,
    since: Instant,
}

impl RetryBudget {
    /// Full.
    pub(super) fn new(policy: RetryBudgetPolicy, now: Instant) -> Self {
        Self { policy, credit: full(&policy), since: now }
    }

    /// The first attempt of a call is over, whichever way. At its end and not at its begin: calls take longer than the credit
    /// is kept, and those that fail together bring it with them.
    pub(super) fn call(&mut self, now: Instant) {
        self.refill(now);
        self.put(u64::from(self.policy.percent) * (RETRY / 100));
    }

    /// Whether a call that failed so may be made again; that is noted. Ask it last: what it notes is not taken back.
    pub(super) fn retry(&mut self, error: &ModelError, now: Instant) -> bool {
        if !self.policy.enabled || !uses_it_up(error) {
            return true;
        }
        self.refill(now);
        let left = self.credit.checked_sub(RETRY);
        self.credit = left.unwrap_or(self.credit);
        left.is_some()
    }

    /// From now on it goes by this. What is left stays, as far as there is room for it.
    pub(super) fn set_policy(&mut self, policy: RetryBudgetPolicy, now: Instant) {
        self.refill(now);
        self.policy = policy;
        self.put(0);
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.since).min(WINDOW);
        self.since = self.since.max(now);
        self.put(flowed(&self.policy, passed));
    }

    fn put(&mut self, credit: u64) {
        self.credit = self.credit.saturating_add(credit).min(full(&self.policy));
    }
}

fn full(policy: &RetryBudgetPolicy) -> u64 {
    flowed(policy, WINDOW)
}

fn flowed(policy: &RetryBudgetPolicy, passed: Duration) -> u64 {
    let nanos = u64::try_from(passed.as_nanos()).unwrap_or(u64::MAX);
    nanos.saturating_mul(u64::from(policy.floor_per_second)).saturating_mul(RETRY / 1_000_000_000)
}

/// A provider that limits its callers works, and has said what it takes: who comes back as it asks adds no load that it
/// does not want. Our own queue is no provider.
fn uses_it_up(error: &ModelError) -> bool {
    !matches!(error, ModelError::RateLimited { .. }) && !error.was_refused_here()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::{Limited, Waiting};

    fn policy(percent: u32, floor_per_second: u32) -> RetryBudgetPolicy {
        RetryBudgetPolicy { enabled: true, percent, floor_per_second }
    }

    fn unavailable() -> ModelError {
        ModelError::Unavailable { status: 503, retry_after: None, message: String::new() }
    }

    /// How many retries there are when everything fails.
    fn retries(budget: &mut RetryBudget, calls: u32, now: Instant) -> u32 {
        (0..calls).map(|_| u32::from(budget.retry(&unavailable(), now))).sum()
    }

    #[test]
    fn a_single_caller_can_retry_and_many_a_share_of_themselves() {
        let now = Instant::now();
        let mut budget = RetryBudget::new(policy(20, 1), now);
        assert_eq!(retries(&mut budget, 50, now), 10, "ten seconds' worth");
        let later = now + Duration::from_millis(1_500);
        assert_eq!(retries(&mut budget, 50, later), 1);
        let later = now + Duration::from_secs(2);
        assert_eq!(retries(&mut budget, 50, later), 1, "the half of before is not lost");
        for _ in 0..14 {
            budget.call(later);
        }
        assert_eq!(retries(&mut budget, 50, later), 2, "two for ten, and four are not enough for one");
        budget.call(later);
        assert_eq!(retries(&mut budget, 50, later), 1);
        for _ in 0..1_000 {
            budget.call(later);
        }
        assert_eq!(retries(&mut budget, 1_000, later), 10, "a quiet time is not saved for long");
    }

    #[test]
    fn what_is_no_failure_of_the_provider_does_not_use_it_up() {
        let now = Instant::now();
        let text = String::new;
        let limited = |limited| ModelError::RateLimited { limited, retry_after: None, message: text() };
        let free = [
            limited(Limited::Rate),
            limited(Limited::Concurrency),
            ModelError::Overloaded { retry_after: Duration::from_secs(1) },
        ];
        let counted = [
            unavailable(),
            ModelError::Network { sent: false, message: text() },
            ModelError::Malformed(text()),
            ModelError::Timeout(Waiting::Connection),
            ModelError::Timeout(Waiting::FirstToken),
            ModelError::Broken { received: 0, message: text() },
        ];
        for (errors, is_free) in [(&free[..], true), (&counted[..], false)] {
            for error in errors {
                let mut budget = RetryBudget::new(policy(0, 1), now);
                let all = (0..30).all(|_| budget.retry(error, now));
                assert_eq!(all, is_free, "{error:?}");
            }
        }
        let mut off = RetryBudget::new(RetryBudgetPolicy { enabled: false, ..policy(0, 1) }, now);
        assert_eq!(retries(&mut off, 1_000, now), 1_000);
    }

    #[test]
    fn every_value_out_of_range_is_named() {
        let wrong = [
            ("percent is 101", policy(101, 1)),
            ("floor_per_second is 0", policy(20, 0)),
            ("floor_per_second is 10001", policy(20, 10_001)),
        ];
        for (name, policy) in wrong {
            let message = policy.validate().unwrap_err().to_string();
            assert!(message.contains(&format!("retry_budget.{name}; it must be ")), "{message}");
        }
        for right in [RetryBudgetPolicy::default(), policy(0, 1), policy(100, 10_000)] {
            assert_eq!(right.validate(), Ok(()));
        }
    }

    proptest! {
        /// Whatever is called and fails, and when: in no stretch of time are there more retries than the share of its calls,
        /// a full bucket and what its seconds put in.
        #[test]
        fn no_stretch_of_time_has_more_retries_than_its_share_and_the_floor(
            steps in proptest::collection::vec((0..3_000u64, 0..60u32, 0..30u32), 1..60),
            percent in 0..=100u32,
            floor in 1..5u32,
        ) {
            let begin = Instant::now();
            let mut budget = RetryBudget::new(policy(percent, floor), begin);
            let (mut now, mut seen) = (begin, Vec::new());
            for (millis, calls, asked) in steps {
                now += Duration::from_millis(millis);
                (0..calls).for_each(|_| budget.call(now));
                seen.push((now, calls, retries(&mut budget, asked, now)));
            }
            for (first, (from, ..)) in seen.iter().enumerate() {
                let (mut calls, mut retries) = (0, 0);
                for (to, more_calls, more_retries) in &seen[first..] {
                    calls += u128::from(*more_calls);
                    retries += u128::from(*more_retries);
                    let millis = to.duration_since(*from).as_millis();
                    let floor = u128::from(floor) * (10_000 + millis) * 100;
                    prop_assert!(retries * 100_000 <= calls * u128::from(percent) * 1_000 + floor);
                }
            }
        }

        /// While no more are asked for than the seconds put in, none is refused.
        #[test]
        fn the_floor_is_always_there(gaps in proptest::collection::vec(500..3_000u64, 1..60)) {
            let mut now = Instant::now();
            let mut budget = RetryBudget::new(policy(0, 2), now);
            for millis in gaps {
                now += Duration::from_millis(millis);
                prop_assert!(budget.retry(&unavailable(), now));
            }
        }
    }
}
