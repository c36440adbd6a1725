//! May the next model of an ordered list be asked after this error? Pure.
//!
//! A list of models is a program's wish to have an answer of the second rather than none. So the next one is asked whenever
//! it may do what the one before did not, after the retries of that one; and never when the error is about the call itself,
//! or when a reader has begun to read. After the fall-backs of Ben Christensen, "Fault Tolerance in a High Volume, Distributed
//! System" (Netflix, 2012): behind an open breaker there is no wait when there is a next model.
//!
//! The models of a list [share] the time of the call: what is silent does not say that it is, and whoever gave it all the time would ask
//! the next one never. A caller with something else to do, such as rules that decide instead, waits for a pause that a provider asks for
//! only as long as its [patience] lasts.

use std::sync::Arc;
use std::time::Duration;

use crate::error::ModelError;

/// A call that one model could not answer and that the next one of its list is asked for instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FallBack {
    /// The whole name of the model that was asked.
    pub from: Arc<str>,
    /// The whole name of the model that is asked instead.
    pub to: Arc<str>,
    /// The code of the error of the first one, such as `timeout`; `breaker_open`, `paused` or `overloaded` when it was not asked: as
    /// its breaker is open, as its provider asked to wait, or as its line is too long. Never what a provider wrote.
    pub error_code: &'static str,
}

/// How much of the time that is `left` a model may take when so many `others` come after it: as much as each of them. What it does not
/// take, as it fails at once, is theirs.
pub(crate) fn share(left: Duration, others: usize) -> Duration {
    let models = u32::try_from(others).unwrap_or(u32::MAX).saturating_add(1);
    left / models
}

/// How long a wait that a provider asks for is worth it to a caller with something else to do. The answer of another model is worth as
/// much as that of the first, so that few seconds are enough; what a program decides by rules is worth less.
pub(super) fn patience(has_others: bool) -> Duration {
    Duration::from_secs(if has_others { 5 } else { 30 })
}

/// Whether the next model may be asked. `received` is how much of the reply its reader has seen, `left` the time until the
/// call's deadline.
pub(super) fn may_fall_back(error: &ModelError, received: usize, left: Duration) -> bool {
    received == 0 && !left.is_zero() && another_may_do_better(error)
}

fn another_may_do_better(error: &ModelError) -> bool {
    match error {
        ModelError::WithUsage { error, .. } => another_may_do_better(error),
        // The provider failed, or is at its limit; another has its own.
        ModelError::RateLimited { .. }
        | ModelError::Unavailable { .. }
        | ModelError::Network { .. }
        | ModelError::Malformed(_)
        | ModelError::Timeout(_)
        | ModelError::Provider(_) => true,
        // It is behind an open breaker, or its pause or its line is too long for the call's deadline.
        ModelError::BreakerOpen { .. } | ModelError::Overloaded { .. } | ModelError::Paused { .. } => true,
        // Its configuration is wrong, or its key has been withdrawn or is not paid for: the next one has its own. The shell
        // logs it, so that nobody pays for the second model for months without knowing why. Nothing was sent to one that
        // could not be trusted.
        ModelError::NotFound(_) | ModelError::Unauthorized { .. } | ModelError::Untrusted(_) => true,
        // The next model may have more room, or be one.
        ModelError::ContextTooLong(_) | ModelError::NoLanguageModel(_) => true,
        ModelError::Broken { received, .. } => *received == 0,
        // About what is asked for: to look for somebody who does not mind would be to get around the refusal.
        ModelError::ContentRefused(_) => false,
        // A mistake of the caller, or of a test, which is to be seen and not to be hidden.
        ModelError::Rejected { .. } | ModelError::NotRecorded(_) | ModelError::NetworkBlocked(_) => false,
        // The budget is the caller's and not the model's, and there is nobody left to ask.
        ModelError::BudgetExhausted(_) | ModelError::Stopped => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Limited, Waiting};

    const LEFT: Duration = Duration::from_millis(1);

    #[test]
    fn each_model_has_as_much_of_the_time_as_those_after_it() {
        let left = Duration::from_secs(60);
        let shares = [0, 1, 2, 3].map(|others| share(left, others).as_secs());
        assert_eq!((shares, share(left, usize::MAX) < LEFT), ([60, 30, 20, 15], true));
        assert!(patience(true) < patience(false), "of rules less is to be had than of another model");
    }

    #[test]
    fn the_next_model_is_asked_when_it_may_do_better() {
        let text = || "no".to_owned();
        let table = [
            (ModelError::Unavailable { status: 503, retry_after: None, message: text() }, true),
            (ModelError::RateLimited { limited: Limited::Rate, retry_after: None, message: text() }, true),
            (ModelError::RateLimited { limited: Limited::Concurrency, retry_after: None, message: text() }, true),
            (ModelError::Network { sent: true, message: text() }, true),
            (ModelError::Malformed(text()), true),
            (ModelError::Provider(text()), true),
            (ModelError::Overloaded { retry_after: LEFT }, true),
            (ModelError::Paused { retry_after: LEFT, refused_model: "one".into() }, true),
            (ModelError::Timeout(Waiting::Queue), true),
            (ModelError::Timeout(Waiting::Connection), true),
            (ModelError::Timeout(Waiting::FirstToken), true),
            (ModelError::Timeout(Waiting::NextToken), true),
            (ModelError::Timeout(Waiting::Total), true),
            (ModelError::NotFound(text()), true),
            (ModelError::Unauthorized { status: 401, message: text() }, true),
            (ModelError::Unauthorized { status: 402, message: text() }, true),
            (ModelError::Untrusted(text()), true),
            (ModelError::ContextTooLong(text()), true),
            (ModelError::Broken { received: 0, message: text() }, true),
            (ModelError::Broken { received: 1, message: text() }, false),
            (ModelError::ContentRefused(text()), false),
            (ModelError::Rejected { status: 400, message: text() }, false),
            (ModelError::BudgetExhausted(text()), false),
            (ModelError::NotRecorded(text()), false),
            (ModelError::NetworkBlocked(text()), false),
            (ModelError::Stopped, false),
        ];
        for (error, may) in table {
            assert_eq!(may_fall_back(&error, 0, LEFT), may, "{error:?}");
            assert!(!may_fall_back(&error, 1, LEFT), "its reader has seen something: {error:?}");
            assert!(!may_fall_back(&error, 0, Duration::ZERO), "the deadline has passed: {error:?}");
        }
    }
}
