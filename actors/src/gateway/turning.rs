//! Which calls turn to the next model of their list, and when? Those that failed, those that wait where it is not worth it, and those
//! whose turn is over. What the [`State`] does about them; whether another may do better is asked of `fallback.rs`.

use tokio::time::Instant;

use super::call::Call;
use super::chunks::Chunks;
use super::fallback::may_fall_back;
use super::notes::Note;
use super::state::{Rules, State, Steps};
use crate::error::{ModelError, Waiting};

impl State {
    /// The next model that may do better with this call.
    pub(super) fn next_model(&self, call: &Call, error: &ModelError, now: Instant) -> Option<usize> {
        let received = call.chunks.as_ref().map_or(0, Chunks::sent);
        let left = call.deadline.saturating_duration_since(now);
        call.others.first().copied().filter(|_| self.is_open() && may_fall_back(error, received, left))
    }

    pub(super) fn fall_back(
        &mut self,
        mut call: Box<Call>,
        (next, error): (usize, ModelError),
        now: Instant,
        rules: &Rules<'_>,
        steps: &mut Steps,
    ) {
        call.notes_what_was_too_short(&error, now);
        self.note_fall_back(&mut call, next, error, rules, steps);
        call.others.remove(0);
        self.counts[call.lane].fell_back += 1;
        call.lane = next;
        call.tries = 0;
        call.is_held = false;
        call.times.lined_up = now;
        self.arrive(call, now, rules, steps);
    }

    /// Those that wait for a model need not wait any longer: they turn to their next one, and learn why if they have none.
    pub(super) fn turn_away(
        &mut self,
        lane: usize,
        now: Instant,
        rules: &Rules<'_>,
        steps: &mut Steps,
        which: impl Fn(&Call) -> bool,
    ) {
        let retry_after = self.admission.lane(lane).wait(0, now);
        let mut calls = 0;
        for mut call in self.admission.take_of(lane, |call| which(call)) {
            self.has_waited(&mut call, now);
            let error = self.admission.lane_of(lane).refusal(retry_after, call.waits_until(now), now);
            match self.next_model(&call, &error, now) {
                _ if call.is_left() => steps.gone.push(call),
                Some(next) => {
                    calls += 1;
                    self.fall_back(call, (next, error), now, rules, steps);
                }
                None => {
                    let is_late = call.deadline <= now;
                    let error = if is_late { ModelError::Timeout(Waiting::Queue) } else { error };
                    // Without an attempt it is refused.
                    let has_failed = is_late || call.tries > 0;
                    match has_failed {
                        true => self.count_failed(&call),
                        false => self.counts[lane].refused += 1,
                    }
                    self.tell(call, error, now, steps);
                }
            }
        }
        if calls > 0 {
            let refused = self.admission.lane_of(lane).paused(now).map(|(_, by)| by.clone());
            steps.notes.push(Note::TurnAway { model: lane, calls, refused });
        }
    }

    /// The time of those that wait is over, or their turn: then there is a next model, which has a share of the time, too.
    pub(super) fn expire(&mut self, now: Instant, rules: &Rules<'_>, steps: &mut Steps) {
        for mut call in self.admission.expire(now) {
            let lane = self.admission.lane(call.lane);
            // What it waited for is nothing that more calls at once would help.
            let why = match lane.wait(0, now) {
                wait if lane.is_broken(now) || !lane.paused_for(now).is_zero() => lane.refusal(wait, now, now),
                _ => ModelError::Timeout(Waiting::Queue),
            };
            match self.next_model(&call, &why, now).filter(|_| !call.is_left()) {
                Some(next) => {
                    self.has_waited(&mut call, now);
                    steps.notes.push(Note::FallsBack { model: call.lane, instead: next, error: why.clone() });
                    self.fall_back(call, (next, why), now, rules, steps);
                }
                None => {
                    self.count_failed(&call);
                    self.counts[call.lane].queue += now.saturating_duration_since(call.times.lined_up);
                    self.tell(call, why, now, steps);
                }
            }
        }
    }
}
