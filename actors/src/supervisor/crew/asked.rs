//! Which models of a list did one question ask, and why was each of them no use? So that no model is named with the reason of another one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use super::Made;
use super::declined::Declined;
use super::silence::Silence;
use crate::error::ModelError;
use crate::gateway::{FallBack, share};

/// The models of a list, each with the reason that was heard last of it.
#[derive(Debug)]
pub(super) struct Asked(Vec<(String, Option<String>)>);

impl Asked {
    pub(super) fn of(names: impl Iterator<Item = String>) -> Self {
        Self(names.map(|name| (name, None)).collect())
    }

    /// A model was no use, for this reason.
    pub(super) fn note(&mut self, model: &str, reason: String) {
        if let Some((_, last)) = self.0.iter_mut().find(|(name, _)| name == model) {
            *last = Some(reason);
        }
    }

    /// Nothing came of the question. What concerns no model in particular is said of the first one alone.
    pub(super) fn no_use(self, declined: Declined) -> NoUse {
        let first = self.0.first().map(|(name, _)| name.clone()).unwrap_or_default();
        let mut reasons = self.0.into_iter().filter_map(|(name, reason)| Some((name, reason?)));
        let (model, reason, of_several) = match (&declined, reasons.next()) {
            (Declined::TooLong, _) | (_, None) => (first, declined.to_string(), false),
            (_, Some((model, reason))) => {
                let others = reasons.map(|(name, reason)| format!("; and {name}: {}", reason.trim_end_matches('.')));
                let others: String = others.collect();
                (model, reason.trim_end_matches('.').to_owned() + &others, !others.is_empty())
            }
        };
        NoUse { declined, model, reason, of_several }
    }
}

/// No model of a list was any use for a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::supervisor) struct NoUse {
    /// What came last.
    pub(super) declined: Declined,
    /// The first one that was asked, by its whole name.
    pub(super) model: String,
    /// Why it was no use, and behind that each other one that was asked with its own reason; for people.
    pub(super) reason: String,
    of_several: bool,
}

impl NoUse {
    /// The reason where no model is named beside it: with the name of the first one when there are others.
    pub(super) fn named(&self) -> String {
        if self.of_several { format!("{}: {}", self.model, self.reason) } else { self.reason.clone() }
    }

    /// What the rules made instead.
    pub(super) fn rules_made<T>(self, value: T) -> Made<T> {
        Made::by_rules_instead(value, &self.model, self.reason)
    }
}

/// How one call goes through the models of its list, in their order.
#[derive(Debug, Clone)]
pub(super) struct Turns(Arc<Mutex<Turn>>);

#[derive(Debug)]
struct Turn {
    models: Vec<String>,
    /// Whose turn it is.
    at: usize,
    since: Instant,
    /// When the time of all is over.
    until: Instant,
    silence: Arc<Silence>,
    /// Those whose turn is over, and why.
    failed: Vec<(String, String)>,
}

impl Turns {
    pub(super) fn begin(models: Vec<String>, until: Instant, silence: Arc<Silence>) -> Self {
        let (at, since, failed) = (0, Instant::now(), Vec::new());
        Self(Arc::new(Mutex::new(Turn { models, at, since, until, silence, failed })))
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The models that may make the call, the first one first.
    pub(super) fn models(&self) -> Vec<String> {
        self.turn().models.clone()
    }

    /// The model whose turn it is.
    pub(super) fn current(&self) -> String {
        let turn = self.turn();
        turn.models.get(turn.at).cloned().unwrap_or_default()
    }

    /// The next model is about to be asked, as the one before it failed so.
    pub(super) fn fell_back(&self, fell_back: &FallBack, error: &ModelError) {
        let mut turn = self.turn();
        turn.failed(error);
        turn.at = turn.models.iter().position(|name| **name == *fell_back.to).unwrap_or(turn.at + 1);
        turn.since = Instant::now();
    }

    /// The call is over: whose turn it was has failed so, if anybody.
    pub(super) fn end(&self, error: Option<&ModelError>, asked: &mut Asked) {
        let mut turn = self.turn();
        error.into_iter().for_each(|error| turn.failed(error));
        turn.failed.drain(..).for_each(|(model, reason)| asked.note(&model, reason));
    }
}

impl Turn {
    fn failed(&mut self, error: &ModelError) {
        let Some(model) = self.models.get(self.at) else { return };
        let had = share(self.until.saturating_duration_since(self.since), self.models.len() - 1 - self.at);
        self.silence.failed(model, error, had, Instant::now() >= self.since + had);
        self.failed.push((model.clone(), super::declined::why(error)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_model_that_was_asked_is_named_with_its_own_reason() {
        let unfit = || Declined::Unfit("no JSON".to_owned());
        type Noted = &'static [(&'static str, &'static str)];
        let table: [(Noted, Declined, &str, &str); 5] = [
            (&[], Declined::Silent, "a", "it did not answer two calls in a row"),
            (&[("a", "it is silent.")], unfit(), "a", "it is silent"),
            (&[("a", "one"), ("b", "two."), ("c", "three.")], unfit(), "a", "one; and b: two; and c: three"),
            (&[("c", "three"), ("b", "zero"), ("b", "two")], unfit(), "b", "two; and c: three"),
            (&[("b", "two")], Declined::TooLong, "a", "the text is too long for it"),
        ];
        for (noted, declined, model, begins) in table {
            let mut asked = Asked::of(["a", "b", "c"].map(str::to_owned).into_iter());
            noted.iter().for_each(|(name, reason)| asked.note(name, (*reason).to_owned()));
            let no_use = asked.no_use(declined);
            let is_all = noted.is_empty() || no_use.declined == Declined::TooLong || no_use.reason == begins;
            assert!(no_use.model == model && no_use.reason.starts_with(begins) && is_all, "{no_use:?}");
        }
    }
}
