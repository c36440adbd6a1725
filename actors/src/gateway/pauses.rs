//! Who waits after a provider has said that the limit of a rate is reached? What the [`State`] does about it.
//!
//! A key has its rate together, whichever of its models is called, unless the provider says that it is about one model. So a 429 is
//! asked for once, and not once for each model of the key.

use std::time::Duration;

use tokio::time::Instant;

use super::lane::LONGEST_PAUSE;
use super::notices::{ModelChange, is_told};
use super::state::{Rules, State, Steps};
use crate::error::{Limited, ModelError};

/// A pause that a provider asks for without saying how long.
const PAUSE: Duration = Duration::from_secs(1);

impl State {
    /// An attempt was refused, maybe. After a 429 about a rate nobody calls this model for a while; nor another one with its key, unless it
    /// was about this model. Those that wait for longer than before, and until when.
    pub(super) fn refused_for(
        &mut self,
        lane: usize,
        error: &ModelError,
        now: Instant,
        rules: &Rules<'_>,
        steps: &mut Steps,
    ) -> Vec<(usize, Instant)> {
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
        lanes.filter(|lane| self.pause(*lane, until, now, steps)).map(|lane| (lane, until)).collect()
    }

    /// Nobody calls this model until then; whether that is longer than any pause before. Those that began before a pause say
    /// the same once more.
    fn pause(&mut self, lane: usize, until: Instant, now: Instant, steps: &mut Steps) -> bool {
        let left = self.admission.lane_of(lane).paused_for(now);
        self.counts[lane].pauses += u64::from(left.is_zero());
        let is_longer = self.admission.pause(lane, until);
        let pause = until.saturating_duration_since(now);
        if is_longer && is_told(pause, left) {
            self.note(lane, ModelChange::Paused(pause), steps);
        }
        is_longer
    }
}
