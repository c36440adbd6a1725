//! Which models are no use in this run any more: silent, or with a server that fails? Its further steps do not ask them, and do not each wait
//! for nothing: the next model of the list is asked at once, and where none is left the rules go on.
//!
//! The rule: two calls in a row that came to the end of their time without an answer of this model, or to a failure of its server (500 and
//! above) after all their attempts. One may be an accident, such as a model that is being loaded; a third would cost as much again and tell
//! nothing new. An answer, to whatever role, begins the model's count anew.
//! What does not count: a call that had less than [`FAIR`] before its share of a step was over, as that is the run's own doing and not the
//! model's silence; the wait for a place in the gateway's line, which is ours; and every other error, which comes soon and is told as it is.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::declined::Declined;
use crate::error::{ModelError, Waiting};

/// So many calls in a row are enough.
const ENOUGH: u32 = 2;

/// With less time than this for a call, that none came in it says nothing of the model: replies of some seconds are usual.
const FAIR: Duration = Duration::from_secs(5);

/// How calls of one model ended that came to nothing in a row.
#[derive(Debug, Default)]
struct InVain {
    calls: u32,
    /// What the server said last; `None` when the model was silent.
    failure: Option<String>,
}

/// What the roles of a run know of its models: for each of their names what came to nothing.
#[derive(Debug, Default)]
pub(super) struct Silence(Mutex<BTreeMap<String, InVain>>);

impl Silence {
    fn in_vain(&self) -> MutexGuard<'_, BTreeMap<String, InVain>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why nobody of the run needs to ask this model any more; `None` when it may be asked.
    pub(super) fn is_certain(&self, model: &str) -> Option<Declined> {
        let known = self.in_vain();
        let in_vain = known.get(model).filter(|in_vain| in_vain.calls >= ENOUGH)?;
        Some(in_vain.failure.clone().map_or(Declined::Silent, Declined::Failing))
    }

    pub(super) fn answered(&self, model: &str) {
        self.in_vain().remove(model);
    }

    /// A call of this model failed that had so much time when it began; whether that time is over.
    pub(super) fn failed(&self, model: &str, error: &ModelError, had: Duration, is_over: bool) {
        let failure = match error {
            ModelError::Unavailable { .. } => Some(error.to_string()),
            ModelError::Timeout(waiting) if *waiting != Waiting::Queue && !(is_over && had < FAIR) => None,
            _ => return,
        };
        let mut known = self.in_vain();
        let in_vain = known.entry(model.to_owned()).or_default();
        *in_vain = InVain { calls: in_vain.calls + 1, failure };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_in_a_row_are_silence_and_what_is_ours_does_not_count() {
        let (long, short) = (FAIR, FAIR - Duration::from_millis(1));
        let late = |waiting| (ModelError::Timeout(waiting), long, true);
        let total = || late(Waiting::Total);
        let refused = (ModelError::ContentRefused(String::new()), long, true);
        for (calls, silent) in [
            (vec![total()], false),
            (vec![total(), total()], true),
            (vec![late(Waiting::FirstToken), late(Waiting::NextToken)], true),
            (vec![total(), refused, total()], true),
            (vec![total(), late(Waiting::Queue)], false),
            (vec![total(), (ModelError::Timeout(Waiting::Total), short, true)], false),
            // The configured time of a call is the model's own.
            (vec![total(), (ModelError::Timeout(Waiting::Total), short, false)], true),
        ] {
            let silence = Silence::default();
            calls.iter().for_each(|(error, had, is_over)| silence.failed("a", error, *had, *is_over));
            let is_silent = || silence.is_certain("a") == Some(Declined::Silent);
            assert_eq!(is_silent(), silent, "{calls:?}");
            assert_eq!(silence.is_certain("b"), None, "each model is silent for itself");
            silence.answered("b");
            assert_eq!(is_silent(), silent, "nor does one answer for another");
            silence.answered("a");
            assert_eq!(silence.is_certain("a"), None);
        }
    }

    #[test]
    fn two_failures_of_a_server_are_told_in_its_words() {
        let silence = Silence::default();
        let failed = |error| silence.failed("a", &error, FAIR, false);
        let unavailable =
            || ModelError::Unavailable { status: 503, retry_after: None, message: "it burns.".to_owned() };
        failed(unavailable());
        failed(ModelError::ContentRefused(String::new()));
        assert_eq!(silence.is_certain("a"), None);
        failed(unavailable());
        let why = silence.is_certain("a").map(|declined| declined.to_string()).unwrap_or_default();
        assert!(why.contains("it burns; it is not asked again in this run"), "{why}");
    }
}
