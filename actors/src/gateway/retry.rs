//! May a call that failed be made again, and when? Pure: chance is an argument.
//!
//! Full jitter, after Marc Brooker, "Exponential backoff and jitter" (2015): any time up to the bound, so that callers that
//! failed together do not come back together. What a provider asks for is kept in full, and the jitter comes on top of it.

use std::time::Duration;

use crate::error::ModelError;

/// How often, and how far apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often a call is made at most: 1 for no retry. The default is 5.
    pub attempts: u32,
    /// The bound of the first wait; it doubles with each further one. The default is 500 milliseconds.
    pub first: Duration,
    /// The largest bound. The default is 30 seconds.
    pub longest: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { attempts: 5, first: Duration::from_millis(500), longest: Duration::from_secs(30) }
    }
}

impl RetryPolicy {
    /// How long to wait before the next attempt, after `made` of them (at least one); `None` when there is none.
    ///
    /// `share` is the part of the bound that is waited, 0 to 1. A wait that would not leave any of the time that is
    /// `left` is not begun: the caller learns at once what happened.
    pub(super) fn next(&self, error: &ModelError, made: u32, share: f64, left: Duration) -> Option<Duration> {
        if made >= self.attempts || !error.may_be_repeated() {
            return None;
        }
        let doubled = 2_u32.checked_pow(made.saturating_sub(1)).and_then(|times| self.first.checked_mul(times));
        let bound = doubled.unwrap_or(self.longest).min(self.longest);
        let wait = bound.mul_f64(share.clamp(0.0, 1.0)).saturating_add(error.retry_after().unwrap_or_default());
        (wait < left).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::{Limited, Waiting};

    const MINUTE: Duration = Duration::from_secs(60);

    fn unavailable() -> ModelError {
        ModelError::Unavailable { status: 503, retry_after: None, message: "busy".to_owned() }
    }

    #[test]
    fn the_bound_doubles_up_to_the_longest() {
        let policy = RetryPolicy { attempts: 9, first: Duration::from_secs(1), longest: Duration::from_secs(5) };
        let bounds: Vec<_> = (1..10).map(|made| policy.next(&unavailable(), made, 1.0, MINUTE)).collect();
        let seconds = |wait: &Option<Duration>| wait.map(|wait| wait.as_secs());
        assert_eq!(
            bounds.iter().map(seconds).collect::<Vec<_>>(),
            [Some(1), Some(2), Some(4), Some(5), Some(5), Some(5), Some(5), Some(5), None]
        );
    }

    #[test]
    fn what_cannot_be_put_right_by_waiting_is_not_tried_again() {
        let text = || "no".to_owned();
        let never = [
            ModelError::Rejected { status: 400, message: text() },
            ModelError::Rejected { status: 422, message: text() },
            ModelError::Unauthorized { status: 401, message: text() },
            ModelError::Unauthorized { status: 403, message: text() },
            ModelError::NotFound(text()),
            ModelError::ContextTooLong(text()),
            ModelError::ContentRefused(text()),
            ModelError::BudgetExhausted(text()),
            ModelError::Untrusted(text()),
            ModelError::Stopped,
            ModelError::Timeout(Waiting::Queue),
            ModelError::Timeout(Waiting::Total),
            ModelError::Provider(text()),
            ModelError::Broken { received: 3, message: text() },
        ];
        for error in never {
            assert_eq!(RetryPolicy::default().next(&error, 1, 0.0, MINUTE), None, "{error:?}");
        }
        let again = [
            unavailable(),
            ModelError::RateLimited { limited: Limited::Rate, retry_after: None, message: text() },
            ModelError::Network { sent: true, message: text() },
            ModelError::Malformed(text()),
            ModelError::Timeout(Waiting::Connection),
            ModelError::Timeout(Waiting::FirstToken),
            ModelError::Broken { received: 0, message: text() },
        ];
        for error in again {
            assert_eq!(RetryPolicy::default().next(&error, 1, 0.0, MINUTE), Some(Duration::ZERO), "{error:?}");
        }
    }

    proptest! {
        #[test]
        fn a_wait_keeps_to_its_bounds(made in 1..40u32, share in 0.0..=1.0f64, asked in 0..100u64, left in 0..100u64) {
            let policy = RetryPolicy { attempts: 30, ..RetryPolicy::default() };
            let asked = Duration::from_secs(asked);
            let error = ModelError::Unavailable { status: 503, retry_after: Some(asked), message: String::new() };
            let left = Duration::from_secs(left);
            match policy.next(&error, made, share, left) {
                Some(wait) => {
                    prop_assert!(made < 30 && wait < left);
                    prop_assert!(wait >= asked && wait <= asked + policy.longest);
                }
                None => prop_assert!(made >= 30 || left <= asked + policy.longest),
            }
        }
    }
}
