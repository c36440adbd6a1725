//! Who waits after a provider has said that the limit of a rate is reached? What the [`State`] does about it.
//!
//! A key has its rate together, whichever of its models is called, unless the provider says that it is about one model. So a 429 is
//! asked for once, and not once for each model of the key.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::call::Call;
use super::call_news::{CallNews, OnNews, Pause};
use super::lane::LONGEST_PAUSE;
use super::notices::{ModelChange, is_told};
use super::state::{Rules, State, Steps};
use crate::error::{Limited, ModelError};

/// A pause that a provider asks for without saying how long.
const PAUSE: Duration = Duration::from_secs(1);

/// A model that is paused for longer than before.
pub(super) struct Paused {
    pub(super) lane: usize,
    pub(super) until: Instant,
    /// Whether that is so much longer that those who know of the pause before are told, too.
    is_told: bool,
}

impl State {
    /// An attempt was refused, maybe. After a 429 about a rate nobody calls this model for a while; nor another one with its key, unless it
    /// was about this model. Those that wait for longer than before.
    pub(super) fn refused_for(
        &mut self,
        lane: usize,
        error: &ModelError,
        now: Instant,
        rules: &Rules<'_>,
        steps: &mut Steps,
    ) -> Vec<Paused> {
        let &ModelError::RateLimited { limited, retry_after, .. } = error else { return Vec::new() };
        let counts = &mut self.counts[lane];
        match limited.is_rate() {
            true => counts.limited_by_rate += 1,
            false => {
                counts.limited_by_places += 1;
                return Vec::new();
            }
        }
        let until = now + retry_after.unwrap_or(PAUSE).min(LONGEST_PAUSE);
        let key = rules.models[lane].rate_key.filter(|_| limited == Limited::Rate);
        let has_it = |other: &usize| *other == lane || key.is_some() && rules.models[*other].rate_key == key;
        let lanes = (0..rules.models.len()).filter(has_it);
        lanes.filter_map(|paused| self.pause(paused, until, &rules.names[lane], now, steps)).collect()
    }

    /// Nobody calls this model until then, if that is longer than any pause before. Those that began before a pause say the same once
    /// more.
    fn pause(&mut self, lane: usize, until: Instant, by: &Arc<str>, now: Instant, steps: &mut Steps) -> Option<Paused> {
        let left = self.admission.lane_of(lane).paused_for(now);
        self.counts[lane].pauses += u64::from(left.is_zero());
        let is_longer = self.admission.pause(lane, until, by);
        let pause = until.saturating_duration_since(now);
        let is_told = is_longer && is_told(pause, left);
        if is_told {
            self.note(lane, ModelChange::Paused { pause, refused_model: by.clone() }, steps);
        }
        is_longer.then_some(Paused { lane, until, is_told })
    }

    /// The callers of those that wait for a model are told that it is paused, but for this call, whose caller knows. One that waits for
    /// longer by itself does not wait for the pause.
    pub(super) fn tell_of(&mut self, paused: &Paused, but: u64, now: Instant, rules: &Rules<'_>, steps: &mut Steps) {
        let Some(pause) = self.pause_of(paused.lane, now, rules) else { return };
        for call in self.admission.of(paused.lane, paused.until) {
            if call.number != but && !call.reply.is_abandoned() && (paused.is_told || !call.is_held) {
                steps.told.extend(call.is_held_back(pause.clone()));
            }
        }
    }

    /// A call is about to wait, for so long at least; what its caller is told, if that is because its provider asks for it: everybody to
    /// wait, or this call for so long. What he is told is how long it comes to, with the share of chance.
    pub(super) fn hold_back(
        &self,
        call: &mut Call,
        (asked, least): (Option<Duration>, Duration),
        now: Instant,
        rules: &Rules<'_>,
    ) -> Option<(OnNews, CallNews)> {
        let of_all = self.pause_of(call.lane, now, rules);
        let of_all = of_all.filter(|pause| asked.is_none_or(|wait| pause.wait >= wait));
        let of_this = || {
            let name = &rules.names[call.lane];
            asked.map(|wait| Pause { model: name.clone(), refused_model: name.clone(), wait })
        };
        let pause = of_all.or_else(of_this)?;
        let wait = pause.wait.max(least);
        call.is_held_back(Pause { wait, ..pause })
    }

    fn pause_of(&self, lane: usize, now: Instant, rules: &Rules<'_>) -> Option<Pause> {
        let (wait, refused_model) = self.admission.lane_of(lane).paused(now)?;
        Some(Pause { model: rules.names[lane].clone(), refused_model: refused_model.clone(), wait })
    }
}
