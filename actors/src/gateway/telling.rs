//! What does the [`State`] tell of what it decides, and to whom? Of a model to all who use it, of a call that falls back to its
//! caller, and to those who follow it in its flight.

use std::time::Duration;

use tokio::time::Instant;

use super::breaker::BreakerState;
use super::call::Call;
use super::call_news::CallNews;
use super::fallback::FallBack;
use super::notices::{Cursor, Heard, ModelChange};
use super::state::{Rules, State, Steps};
use crate::error::ModelError;

impl State {
    /// Notes what is new about a model: after an attempt of it has begun or is over. Nearly always that is nothing.
    pub(super) fn note_changes(&mut self, lane: usize, now: Instant, steps: &mut Steps) {
        let (limit, breaker) = self.admission.look(lane, now);
        if self.told[lane].breaker(breaker) {
            self.counts[lane].breaker_opened += u64::from(breaker == BreakerState::Open);
            self.note(lane, self.breaker_of(lane, breaker, now), steps);
        }
        if let Some(before) = self.told[lane].limit(limit) {
            self.note(lane, ModelChange::Limit { limit, before }, steps);
        }
    }

    /// A call of this model failed and is made again.
    pub(super) fn note_retry(
        &mut self,
        lane: usize,
        (error, attempt): (&ModelError, u32),
        wait: Duration,
        now: Instant,
        steps: &mut Steps,
    ) {
        if self.told[lane].retry(now) {
            self.note(lane, ModelChange::Retried { error_code: error.code(), attempt, wait }, steps);
        }
    }

    /// A limit that the program has set, and that was another one before, is no news about its provider.
    pub(super) fn limit_was_set(&mut self, lane: usize, before: usize, now: Instant) {
        let (limit, _) = self.admission.look(lane, now);
        if limit != before {
            self.told[lane].set_limit(limit);
        }
    }

    pub(super) fn note(&mut self, lane: usize, change: ModelChange, steps: &mut Steps) {
        self.notices.push(lane, change);
        steps.changed.push(lane);
    }

    fn breaker_of(&self, lane: usize, state: BreakerState, now: Instant) -> ModelChange {
        let open_for = (state == BreakerState::Open).then(|| self.admission.lane_of(lane).broken_for(now));
        ModelChange::Breaker { state, open_for }
    }

    /// Where somebody stands who begins to listen for these models, and what he has to know before.
    pub(super) fn listen(&self, lanes: &[usize], now: Instant) -> (Cursor, Vec<(usize, ModelChange)>) {
        let mut known = Vec::new();
        for &lane in lanes {
            let (_, breaker) = self.admission.look(lane, now);
            // One that may be tried again is told when it is.
            if breaker != BreakerState::Closed && self.told[lane].is(breaker) {
                known.push((lane, self.breaker_of(lane, breaker, now)));
            }
            if let Some((pause, refused_model)) = self.admission.lane_of(lane).paused(now) {
                known.push((lane, ModelChange::Paused { pause, refused_model: refused_model.clone() }));
            }
        }
        (self.notices.cursor(lanes), known)
    }

    /// What he has not heard yet.
    pub(super) fn hear(&self, cursor: &mut Cursor, lanes: &[usize]) -> Heard {
        self.notices.hear(cursor, lanes)
    }

    /// A call turns from its model to this one, for this reason.
    pub(super) fn note_fall_back(
        &self,
        call: &mut Call,
        next: usize,
        error: ModelError,
        rules: &Rules<'_>,
        steps: &mut Steps,
    ) {
        let names = [call.lane, next].map(|model| rules.names[model].clone());
        let [from, to] = names;
        let told = FallBack { from, to, error_code: error.code() };
        let fell_back = CallNews::FellBack(told, error);
        let is_followed = call.flight().is_some();
        tell(call, std::slice::from_ref(&fell_back), steps);
        if let Some(saving) = call.saving.as_mut().filter(|_| is_followed) {
            saving.fell_back.push(fell_back);
        }
    }
}

/// A caller is to be told of these.
pub(super) fn tell(call: &mut Call, news: &[CallNews], steps: &mut Steps) {
    if let Some(on_news) = &mut call.on_news {
        steps.told.extend(news.iter().map(|news| (on_news.next(), news.clone())));
    }
}
