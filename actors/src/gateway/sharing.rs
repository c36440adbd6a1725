//! Which calls are answered without being made? Those whose reply is kept, and those that follow another in its flight. What the
//! [`State`] does about them; the rules are in `saving/`.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::call::Call;
use super::call_news::CallNews;
use super::saving::{CacheMode, FlightId, FlightKey, Joined, Key, Payer, WaiterId, is_worth_keeping};
use super::state::{Rules, State, Steps};
use super::telling;
use super::values::Completed;
use crate::chat::ChatRequest;
use crate::error::{ModelError, Waiting};

/// What a call has to do with kept replies, and with others like it.
pub(super) struct Saving {
    pub(super) key: Key,
    pub(super) mode: CacheMode,
    /// The number of the model that was asked for: a reply of another one is not kept as its own.
    pub(super) lane: usize,
    pub(super) waiter: WaiterId,
    /// The flight that it leads, and what ends its attempt: not the caller, but that nobody waits any more.
    pub(super) flight: Option<(FlightId, CancellationToken)>,
    /// The fall-backs of the flight that it leads, for those who follow it; as many as there are next models, at the most.
    pub(super) fell_back: Vec<CallNews>,
    pub(super) too_short: TooShort,
}

/// What a call with more time would have waited for, in place of turning to its next model.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TooShort {
    /// How much time it had for a model and the next ones whose turn was over, the most of them: who has more can wait longer.
    pub(super) had: Option<Duration>,
    /// How much it would have needed to wait as a provider asked, the least of it.
    pub(super) needed: Option<Duration>,
}

/// An answer that others may want, too.
pub(super) struct Answered {
    pub(super) saving: Box<Saving>,
    pub(super) request: Arc<ChatRequest>,
    pub(super) completed: Completed,
    /// The number of the model that gave it.
    pub(super) lane: usize,
}

/// What ends a call for its own sake is nobody else's reason.
fn is_its_own(error: &ModelError, call: &Call, now: Instant) -> bool {
    match error {
        ModelError::BudgetExhausted(_)
        | ModelError::Overloaded { .. }
        | ModelError::BreakerOpen { .. }
        | ModelError::Paused { .. }
        | ModelError::Timeout(Waiting::Queue) => true,
        // One whose time is over is not there to make it again.
        error => now >= call.deadline && (error.is_retryable() || matches!(error, ModelError::Timeout(_))),
    }
}

impl State {
    /// A call comes that was not here before.
    pub(super) fn come(&mut self, mut call: Box<Call>, now: Instant, rules: &Rules<'_>, steps: &mut Steps) {
        self.arrivals += 1;
        (call.number, steps.arrived) = (self.arrivals, self.arrivals);
        let Some(saving) = call.saving.as_ref().filter(|saving| saving.mode.reads() && self.is_open()) else {
            return self.arrive(call, now, rules, steps);
        };
        if let Some(reply) = self.caches[saving.lane].get(&saving.key, now) {
            self.counts[saving.lane].cached += 1;
            let completed = Completed::kept(reply, rules.names[saving.lane].clone());
            return steps.answer.push((call, completed));
        }
        if saving.mode.shares() && call.chunks.is_none() && now < call.deadline {
            let (key, waiter, deadline) = (saving.key.clone(), saving.waiter, call.deadline);
            if call.reply.is_abandoned() {
                // It left before it came, and leaves no flight.
                return steps.gone.push(call);
            }
            // Whoever may turn to other models, or gives up sooner, is no company for one who may not or does not.
            let key = FlightKey { key, others: call.others.clone(), fails_fast: call.fails_fast };
            match self.flights.join(&key, waiter, deadline, call) {
                Joined::Lead(flight, leader) => {
                    call = leader;
                    let token = CancellationToken::new();
                    self.tokens.insert(flight, token.clone());
                    adopt(&mut call, Some((flight, token)));
                }
                Joined::Follow => return,
                Joined::Refuse(call) => {
                    self.counts[call.lane].refused += 1;
                    let retry_after = Duration::from_secs(1);
                    return steps.tell.push((call, ModelError::Overloaded { retry_after }));
                }
            }
        }
        self.arrive(call, now, rules, steps);
    }

    /// A model has answered: whoever follows has the answer, too, and it is kept if anybody wants that.
    pub(super) fn land(&mut self, answered: Answered, now: Instant, steps: &mut Steps) {
        let Answered { saving, request, completed, lane } = answered;
        let mut is_kept = saving.mode.writes();
        if let Some((flight, _)) = &saving.flight {
            self.tokens.remove(flight);
            for mut follower in self.flights.landed(*flight) {
                is_kept |= follower.saving.as_ref().is_some_and(|saving| saving.mode.writes());
                self.counts[saving.lane].shared += 1;
                telling::tell(&mut follower, &saving.fell_back, steps);
                let shared = completed.shared(now.saturating_duration_since(follower.times.lined_up));
                steps.answer.push((follower, shared));
            }
        }
        if is_kept && lane == saving.lane && is_worth_keeping(&request, &completed.reply) {
            self.caches[lane].put(saving.key.clone(), completed.reply.clone(), Duration::ZERO, now);
            steps.keep.push((lane, saving.key.bytes().clone(), completed.reply));
        }
    }

    /// A call ends with an error. If it leads a flight, those who follow have the same error, or one of them is made instead.
    pub(super) fn tell(&mut self, call: Box<Call>, error: ModelError, now: Instant, steps: &mut Steps) {
        if let Some((flight, _)) = call.saving.as_ref().and_then(|saving| saving.flight.clone()) {
            let others = if is_its_own(&error, &call, now) {
                self.goes_on(flight);
                Vec::new()
            } else if let Some(until) = self.had_too_little_time(&call, &error, now) {
                let others = self.flights.over_by(flight, until);
                self.goes_on(flight);
                others
            } else {
                self.tokens.remove(&flight);
                self.flights.landed(flight)
            };
            for mut follower in others {
                self.counts[follower.lane].failed += 1;
                follower.times.queued += now.saturating_duration_since(follower.times.lined_up);
                let fell_back = call.saving.as_ref().map_or(&[][..], |saving| &saving.fell_back);
                telling::tell(&mut follower, fell_back, steps);
                steps.tell.push((follower, error.clone()));
            }
        }
        steps.tell.push((call, error));
    }

    /// Whether a call would have been made again, or one of its models waited for, if its caller had more time: those who have more than
    /// until then are not told its error.
    fn had_too_little_time(&self, call: &Call, error: &ModelError, now: Instant) -> Option<Instant> {
        let again = self.limits.retry.next(error, call.tries.max(1), 1.0, Duration::MAX);
        let again = again.and_then(|wait| now.checked_add(wait)).filter(|until| *until >= call.deadline);
        let TooShort { had, needed } = call.saving.as_ref().map(|saving| saving.too_short).unwrap_or_default();
        let longer = had.into_iter().chain(needed).filter_map(|time| now.checked_add(time));
        again.into_iter().chain(longer).min()
    }

    /// A flight has lost its leader, or the attempt of it: the next one comes, as soon as somebody looks.
    pub(super) fn goes_on(&mut self, flight: FlightId) {
        let Some(mut next) = self.flights.alone(flight) else {
            self.tokens.remove(&flight);
            return;
        };
        adopt(&mut next, self.tokens.get(&flight).map(|token| (flight, token.clone())));
        self.again.push(next);
    }

    /// The turn of a call has come. Whose is it, if others follow it and it has left? `None` when nobody waits any more.
    pub(super) fn payer(&mut self, mut call: Box<Call>, now: Instant, steps: &mut Steps) -> Option<Box<Call>> {
        while let Some(saving) = &mut call.saving
            && let Some((flight, token)) = saving.flight.clone()
        {
            let mut next = match self.flights.payer(flight) {
                Payer::Leader => return Some(call),
                Payer::Instead(next) => next,
                Payer::Nobody => {
                    self.tokens.remove(&flight);
                    steps.gone.push(call);
                    return None;
                }
            };
            let (fell_back, too_short) = (std::mem::take(&mut saving.fell_back), saving.too_short);
            adopt(&mut next, Some((flight, token)));
            telling::tell(&mut next, &fell_back, steps);
            if let Some(saving) = &mut next.saving {
                (saving.fell_back, saving.too_short) = (fell_back, too_short);
            }
            (next.lane, next.tries) = (call.lane, call.tries);
            next.others = std::mem::take(&mut call.others);
            // It has its own time, and not that of who left.
            next.takes_its_turn(now);
            steps.gone.push(std::mem::replace(&mut call, next));
        }
        Some(call)
    }

    /// A caller has left, or has its answer.
    pub(super) fn leave(&mut self, waiter: WaiterId, steps: &mut Steps) {
        let left = self.flights.leave(waiter);
        steps.gone.extend(left.call);
        steps.cancel.extend(left.abandoned.and_then(|flight| self.tokens.remove(&flight)));
    }

    /// A caller leaves who asked for this model, as his time is over. One who has been told so is counted already.
    pub(super) fn leave_late(&mut self, waiter: WaiterId, lane: usize, steps: &mut Steps) {
        self.counts[lane].failed += u64::from(self.flights.has(waiter));
        self.leave(waiter, steps);
    }

    /// A call has failed. One whose caller has left it to those who follow him is not counted: he was when he left, if his time was over.
    pub(super) fn count_failed(&mut self, call: &Call) {
        let is_his = call.flight().is_none_or(|flight| self.flights.is_led(flight));
        self.counts[call.lane].failed += u64::from(is_his);
    }

    /// Those who follow and whose time is over.
    pub(super) fn expire_followers(&mut self, now: Instant, steps: &mut Steps) {
        let expired = self.flights.expire(now);
        for call in expired.calls {
            self.counts[call.lane].failed += 1;
            steps.tell.push((call, ModelError::Timeout(Waiting::Queue)));
        }
        steps.cancel.extend(expired.abandoned.into_iter().filter_map(|flight| self.tokens.remove(&flight)));
    }
}

fn adopt(call: &mut Call, flight: Option<(FlightId, CancellationToken)>) {
    if let Some(saving) = &mut call.saving {
        saving.flight = flight;
    }
}
