//! Which models are silent in this run? Its further steps do not ask them, and do not each wait for nothing: the next model of the list is
//! asked at once, and where none is left the rules go on.
//!
//! The rule: two calls in a row that came to the end of their time without an answer of this model. One may be an accident, such as a model
//! that is being loaded; a third would cost as much again and tell nothing new. An answer, to whatever role, begins the model's count anew.
//! What does not count: a call that had less than [`FAIR`] before its share of a step was over, as that is the run's own doing and not the
//! model's silence; the wait for a place in the gateway's line, which is ours; and every other error, which comes soon and is told as it is.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{ModelError, Waiting};

/// So many calls in a row are enough.
const ENOUGH: u32 = 2;

/// With less time than this for a call, that none came in it says nothing of the model: replies of some seconds are usual.
const FAIR: Duration = Duration::from_secs(5);

/// What the roles of a run know of the silence of its models: for each of their names how many calls in a row there were.
#[derive(Debug, Default)]
pub(super) struct Silence(Mutex<BTreeMap<String, u32>>);

impl Silence {
    fn counts(&self) -> MutexGuard<'_, BTreeMap<String, u32>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nobody of the run needs to ask this model any more.
    pub(super) fn is_certain(&self, model: &str) -> bool {
        self.counts().get(model).is_some_and(|calls| *calls >= ENOUGH)
    }

    pub(super) fn answered(&self, model: &str) {
        self.counts().remove(model);
    }

    /// A call of this model failed that had so much time when it began; whether that time is over.
    pub(super) fn failed(&self, model: &str, error: &ModelError, had: Duration, is_over: bool) {
        let is_silent = matches!(error, ModelError::Timeout(waiting) if *waiting != Waiting::Queue);
        let is_ours = is_over && had < FAIR;
        if is_silent && !is_ours {
            *self.counts().entry(model.to_owned()).or_default() += 1;
        }
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
            assert_eq!(silence.is_certain("a"), silent, "{calls:?}");
            assert!(!silence.is_certain("b"), "each model is silent for itself");
            silence.answered("b");
            assert_eq!(silence.is_certain("a"), silent, "nor does one answer for another");
            silence.answered("a");
            assert!(!silence.is_certain("a"));
        }
    }
}
