//! What does the gateway know at one moment, and what follows from what happens? Time and chance are arguments, and nothing is
//! done here: what follows is a list of [`Steps`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::admission::{Admission, Claim, Flow, Ticket, Verdict};
use super::attempt::Attempt;
use super::breaker::BreakerState;
use super::call::Call;
use super::call_news::{CallNews, OnNews};
use super::lane::{Lane, is_about_a_rate, was_one_too_many};
use super::limits::{GatewayLimits, ModelLimits};
use super::notes::Note;
use super::notices::{LastTold, Notices};
use super::pauses::Paused;
use super::saving::{FlightId, Flights, ReplyCache};
use super::sharing::Answered;
use super::values::Completed;
use super::{ModelInfo, ServedModel};
use crate::chat::{ChatReply, Headroom, TokenUsage};
use crate::error::{ModelError, Waiting};

/// A call that ends with an error, which its caller has yet to learn.
pub(super) type Told = (Box<Call>, ModelError);

/// What does not change while it is decided.
pub(super) struct Rules<'a> {
    pub(super) models: &'a [ServedModel],
    pub(super) names: &'a [Arc<str>],
}

/// What is decided about.
pub(super) struct State {
    pub(super) admission: Admission<Box<Call>>,
    /// Those that hold now.
    pub(super) limits: GatewayLimits,
    of_models: Vec<ModelLimits>,
    /// The timers that are set and have not gone off, each with the number of the leaf that keeps it.
    pub(super) timers: BTreeSet<(Instant, usize)>,
    pub(super) counts: Vec<ModelInfo>,
    /// What was told last of each model to those who use it.
    pub(super) told: Vec<LastTold>,
    /// What there is to tell of the models.
    pub(super) notices: Notices,
    /// Kept replies, of each model.
    pub(super) caches: Vec<ReplyCache>,
    /// Calls that follow others.
    pub(super) flights: Flights<Box<Call>>,
    /// What ends the attempt of each flight.
    pub(super) tokens: BTreeMap<FlightId, CancellationToken>,
    /// Calls that are to come once more.
    #[expect(clippy::vec_box, reason = "they come and go in their boxes")]
    pub(super) again: Vec<Box<Call>>,
    pub(super) peak: usize,
    /// How many calls have come.
    pub(super) arrivals: u64,
    /// Whether there is each of the leaves.
    pub(super) leaves: Vec<bool>,
}

/// What was decided, and is to be done without the lock.
#[derive(Default)]
#[expect(clippy::vec_box, reason = "they come out of the line in their boxes")]
pub(super) struct Steps {
    /// Nearly always it is the only one, and costs no list.
    pub(super) begin: Option<(Ticket, Attempt, Came)>,
    pub(super) begin_too: Vec<(Ticket, Attempt, Came)>,
    /// The number of the call that has come just now; 0 when none has.
    pub(super) arrived: u64,
    pub(super) tell: Vec<Told>,
    /// Calls that are answered without being made.
    pub(super) answer: Vec<(Box<Call>, Completed)>,
    /// Replies that are to be stored, with the number of the model.
    pub(super) keep: Vec<(usize, Arc<[u8]>, ChatReply)>,
    /// Attempts that nobody waits for.
    pub(super) cancel: Vec<CancellationToken>,
    /// Nobody waits for them.
    pub(super) gone: Vec<Box<Call>>,
    pub(super) timer: Option<Instant>,
    /// What is to be logged.
    pub(super) notes: Vec<Note>,
    /// Models that there is something new of.
    pub(super) changed: Vec<usize>,
    /// Callers who are to be told what becomes of their call.
    pub(super) told: Vec<(OnNews, CallNews)>,
}

/// How an attempt ended, as far as it matters to others.
pub(super) struct After {
    /// `None` when nobody knows.
    pub(super) used: Option<TokenUsage>,
    pub(super) headroom: Headroom,
    /// Whether its caller has an answer.
    pub(super) is_answered: bool,
    /// The answer, if others may want it.
    pub(super) answered: Option<Answered>,
    /// The flight of a call of which nobody knows what became.
    pub(super) flight: Option<FlightId>,
    /// How many attempts its model made of a call that is answered.
    pub(super) made: u32,
    /// A call that failed, why, and a share in `0.0..1.0` by chance for its wait.
    pub(super) call: Option<(Box<Call>, ModelError, f64)>,
}

/// How a call comes to its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// It has just arrived.
    JustNow,
    /// It waited.
    FromTheLine,
}

#[expect(clippy::borrowed_box, reason = "the admission hands out references to what it keeps, and it keeps boxes")]
fn is_abandoned(call: &Box<Call>) -> bool {
    call.is_left()
}

impl State {
    pub(super) fn new(models: &[ServedModel], limits: &GatewayLimits, leaves: usize, now: Instant) -> Self {
        let lanes = models.iter().map(|model| Lane::new(&model.limits, limits, now)).collect();
        let counts = models.iter().map(|model| ModelInfo::of(&model.name, model.price)).collect();
        let admission: Admission<Box<Call>> = Admission::new(limits.max_in_flight, limits.max_waiting, lanes);
        let told = |lane| LastTold::new(admission.look(lane, now).0);
        Self {
            told: (0..models.len()).map(told).collect(),
            notices: Notices::new(models.len()),
            admission,
            of_models: models.iter().map(|model| model.limits.clone()).collect(),
            caches: models.iter().map(|model| ReplyCache::new(&model.cache)).collect(),
            flights: Flights::new(limits.max_waiting),
            limits: limits.clone(),
            timers: BTreeSet::new(),
            counts,
            tokens: BTreeMap::new(),
            again: Vec::new(),
            peak: 0,
            arrivals: 0,
            leaves: vec![true; leaves],
        }
    }

    /// Whether there is anybody to make calls.
    pub(super) fn is_open(&self) -> bool {
        self.leaves.contains(&true)
    }

    /// A call comes: it starts, stands in line, or learns at once why not.
    pub(super) fn arrive(&mut self, mut call: Box<Call>, now: Instant, rules: &Rules<'_>, steps: &mut Steps) {
        if !self.is_open() {
            return self.tell(call, ModelError::Stopped, now, steps);
        }
        if now >= call.deadline {
            self.counts[call.lane].failed += 1;
            return self.tell(call, ModelError::Timeout(Waiting::Queue), now, steps);
        }
        call.takes_its_turn(now);
        let lane = call.lane;
        // Behind an open breaker there is no wait when there is another model, nor when it is given up; nor a long one for a pause.
        let model = self.admission.lane(lane);
        if model.is_given_up(call.fails_fast, now)
            || !call.others.is_empty() && model.is_broken(now)
            || call.has_no_patience_for(model.paused_for(now))
        {
            let retry_after = model.wait(0, now);
            let refusal = model.refusal(retry_after, call.waits_until(now), now);
            self.counts[lane].refused += u64::from(call.others.is_empty());
            return self.fail(call, refusal, now, rules, steps);
        }
        let claim = Claim { lane, flow: call.flow, deadline: call.until, tokens: call.most.total() };
        let held_back = self.hold_back(&mut call, (None, Duration::ZERO), now, rules);
        match self.admission.arrive(call, claim, now, is_abandoned) {
            Verdict::Start(ticket, call) => self.begin(ticket, call, now, rules, steps),
            Verdict::Wait => steps.told.extend(held_back),
            Verdict::Refuse(call, retry_after) => {
                self.counts[lane].refused += u64::from(call.others.is_empty());
                let refusal = self.admission.lane(lane).refusal(retry_after, call.until, now);
                self.fail(call, refusal, now, rules, steps);
            }
        }
    }

    /// An attempt is over. If it did not succeed, its call is made again, or by another model, or its caller is to be told why
    /// not.
    pub(super) fn over(&mut self, ticket: Ticket, after: After, now: Instant, rules: &Rules<'_>, steps: &mut Steps) {
        let lane = ticket.claim.lane;
        let breaker = self.admission.lane(lane).breaker(now);
        let made = after.call.as_ref().map_or(after.made, |(call, ..)| call.tries);
        let how = match &after.call {
            Some((_, error, _)) => Some(Err(error)),
            None => after.is_answered.then_some(Ok(())),
        };
        let held = ticket.held(now);
        self.counts[lane].attempt_is_over(held, after.used, rules.models[lane].price);
        self.admission.over(ticket, after.used.map(TokenUsage::total), Some(held));
        self.admission.heed(lane, &after.headroom, now);
        let paused = match &after.call {
            Some((_, error, _)) => self.refused_for(lane, error, now, rules, steps),
            None => Vec::<Paused>::new(),
        };
        let is_silent = after.call.as_ref().is_some_and(|(call, ..)| call.chunks.is_none() && now < call.until);
        self.admission.ended(ticket, how, is_silent, now);
        self.note_changes(lane, now, steps);
        if made == 1 {
            self.admission.lane(lane).first_is_over(now);
        }
        if let Some(answered) = after.answered {
            self.land(answered, now, steps);
        }
        if let Some(flight) = after.flight {
            self.goes_on(flight);
        }
        let Some((call, error, chance)) = after.call else { return };
        let number = call.number;
        let is_broken = self.admission.lane(lane).is_broken(now);
        // Who was tried already turns to the next model before those who waited.
        self.failed((ticket, call, error), (made, chance, is_broken), now, rules, steps);
        let model = self.admission.lane(lane);
        if model.breaker(now) == BreakerState::Open && breaker != BreakerState::Open {
            let is_given_up = [false, true].map(|fails_fast| model.is_given_up(fails_fast, now));
            let which = |call: &Call| !call.others.is_empty() || is_given_up[usize::from(call.fails_fast)];
            self.turn_away(lane, now, rules, steps, which);
        }
        for paused in paused {
            if !self.admission.lane(paused.lane).is_broken(now) {
                self.turn_away(paused.lane, now, rules, steps, |call| call.waits_until(now) <= paused.until);
            }
            self.tell_of(&paused, number, now, rules, steps);
        }
    }

    /// An attempt of a call did not succeed: it is made again, or not by this model.
    fn failed(
        &mut self,
        (ticket, mut call, error): (Ticket, Box<Call>, ModelError),
        (made, chance, is_broken): (u32, f64, bool),
        now: Instant,
        rules: &Rules<'_>,
        steps: &mut Steps,
    ) {
        let lane = call.lane;
        let Some(wait) = self.next_attempt(&call, &error, (made, chance, is_broken), now) else {
            if self.admission.call_ended(ticket, &error, now) {
                self.note_changes(lane, now, steps);
            }
            return self.fail(call, error, now, rules, steps);
        };
        // What everybody waits for may last longer, and is what it comes to.
        let told = wait.max(self.admission.lane(lane).wait(0, now));
        self.note_retry(lane, (&error, made), told, now, steps);
        let held_back = self.hold_back(&mut call, (error.retry_after(), told), now, rules);
        let ticket = if was_one_too_many(&error) { ticket } else { ticket.used_up() };
        steps.notes.push(Note::Again { error, wait: told, attempt: call.times.attempts });
        call.times.lined_up = now;
        steps.told.extend(held_back);
        self.admission.again(ticket, call, now + wait);
    }

    /// When its model makes a call again; `None` when it does not.
    fn next_attempt(
        &mut self,
        call: &Call,
        error: &ModelError,
        (made, chance, is_broken): (u32, f64, bool),
        now: Instant,
    ) -> Option<Duration> {
        let (lane, has_others) = (call.lane, !call.others.is_empty());
        if is_broken && has_others || self.admission.lane(lane).is_given_up(call.fails_fast, now) {
            return None;
        }
        let asked = error.retry_after().unwrap_or_default().max(self.admission.lane(lane).paused_for(now));
        if call.has_no_patience_for(asked) {
            return None;
        }
        let left = call.until.saturating_duration_since(now);
        // After a refusal for a rate calls start one after the other, and who was refused is the first: there is nothing to spread.
        let chance = if is_about_a_rate(error) { 0.0 } else { chance };
        let wait = self.limits.retry.next(error, made, chance, left).filter(|_| self.is_open())?;
        // Nor is there a wait behind a pause that is longer than its time.
        if has_others && self.admission.lane(lane).wait(0, now).max(wait) >= left {
            return None;
        }
        if !self.admission.lane(lane).may_retry(error, now) {
            self.counts[lane].retries_refused += 1;
            return None;
        }
        Some(wait)
    }

    /// A call is not made again by its model: by the next of its list, if that may do better; otherwise its caller is told.
    fn fail(&mut self, call: Box<Call>, error: ModelError, now: Instant, rules: &Rules<'_>, steps: &mut Steps) {
        let model = call.lane;
        match self.next_model(&call, &error, now) {
            Some(next) => {
                steps.notes.push(Note::FallsBack { model, instead: next, error: error.clone() });
                self.fall_back(call, (next, error), now, rules, steps);
            }
            None => {
                if !error.was_refused_here() {
                    self.count_failed(&call);
                }
                self.tell(call, error, now, steps);
            }
        }
    }

    /// Whose time is over, who may start, and when the leaf with this number has to look again.
    pub(super) fn advance(&mut self, now: Instant, rules: &Rules<'_>, leaf: usize, steps: &mut Steps) {
        self.start(now, rules, steps);
        steps.gone.extend(self.admission.take_gone());
        steps.timer = self.next_timer(now, leaf);
    }

    /// Whose time is over, and who may start.
    pub(super) fn start(&mut self, now: Instant, rules: &Rules<'_>, steps: &mut Steps) {
        self.expire(now, rules, steps);
        self.expire_followers(now, steps);
        while let Some((ticket, call)) = self.admission.next(now, is_abandoned) {
            self.begin(ticket, call, now, rules, steps);
        }
        while let Some(call) = self.again.pop() {
            self.arrive(call, now, rules, steps);
        }
    }

    fn begin(&mut self, ticket: Ticket, call: Box<Call>, now: Instant, rules: &Rules<'_>, steps: &mut Steps) {
        let Some(mut call) = self.payer(call, now, steps) else { return self.not_made(ticket, None, now) };
        // Made again, it stands in line for whoever it is made for now, who has not the turn of another one.
        let same = |flow: Flow| (flow.user, flow.run);
        let mut ticket = if same(ticket.claim.flow) == same(call.flow) { ticket } else { ticket.used_up() };
        (ticket.claim.flow, ticket.claim.deadline) = (call.flow, call.until);
        let came = if call.number == steps.arrived { Came::JustNow } else { Came::FromTheLine };
        self.has_waited(&mut call, now);
        let model = &rules.models[call.lane];
        let reserved =
            call.budget.as_ref().map(|budget| budget.reserve(&model.name, call.most, model.price)).transpose();
        let reservation = match reserved {
            Ok(reservation) => reservation,
            Err(exhausted) => {
                // Its flight goes on when its caller is told.
                self.not_made(ticket, None, now);
                self.counts[call.lane].failed += 1;
                self.counts[call.lane].out_of_budget += 1;
                return self.tell(call, exhausted, now, steps);
            }
        };
        self.admission.lane(call.lane).starts(now);
        call.times.attempts += 1;
        call.tries += 1;
        let counts = &mut self.counts[call.lane];
        counts.attempts += 1;
        counts.retries += u64::from(call.tries > 1);
        self.peak = self.peak.max(self.admission.in_flight());
        self.note_changes(call.lane, now, steps);
        steps.told.extend(call.goes_on(&rules.names[call.lane]));
        let begin = (ticket, Attempt { call, reservation, timeouts: self.limits.timeouts }, came);
        match &steps.begin {
            None => steps.begin = Some(begin),
            Some(_) => steps.begin_too.push(begin),
        }
    }

    /// A call comes out of the line.
    pub(super) fn has_waited(&mut self, call: &mut Call, now: Instant) {
        let waited = now.saturating_duration_since(call.times.lined_up);
        call.times.queued += waited;
        self.counts[call.lane].queue += waited;
    }

    /// A call that had a place was not made after all.
    pub(super) fn not_made(&mut self, ticket: Ticket, flight: Option<FlightId>, now: Instant) {
        if let Some(flight) = flight {
            self.goes_on(flight);
        }
        self.admission.not_made(ticket);
        self.admission.ended(ticket, None, false, now);
    }

    /// The same of one that was counted as begun, and whose caller is told why not.
    pub(super) fn unmade(
        &mut self,
        ticket: Ticket,
        flight: Option<FlightId>,
        tries: u32,
        why: &ModelError,
        now: Instant,
    ) {
        let counts = &mut self.counts[ticket.claim.lane];
        counts.attempts -= 1;
        counts.retries -= u64::from(tries > 1);
        match why.was_refused_here() {
            true => counts.refused += 1,
            false => counts.failed += 1,
        }
        self.admission.lane(ticket.claim.lane).did_not_start(now.checked_sub(ticket.held(now)).unwrap_or(now));
        self.not_made(ticket, flight, now);
    }

    /// Nobody knows what became of an attempt.
    pub(super) fn lost(&mut self, ticket: Ticket, flight: Option<FlightId>, now: Instant) {
        if let Some(flight) = flight {
            self.goes_on(flight);
        }
        self.counts[ticket.claim.lane].attempt_is_over(ticket.held(now), None, None);
        self.admission.over(ticket, None, None);
        self.admission.ended(ticket, None, false, now);
    }

    /// Calls that wait, in line or for the answer to another one.
    pub(super) fn waiting(&self) -> usize {
        self.admission.waiting() + self.flights.followers() + self.again.len()
    }

    /// A timer that is to be set, if those that are set come too late. Each new one is at most half as far away as the next
    /// one that is set, so that there are never more than some dozens.
    fn next_timer(&mut self, now: Instant, leaf: usize) -> Option<Instant> {
        let next = self.admission.wake_at(now).into_iter().chain(self.flights.wake_at()).min()?;
        let mut delay = next.saturating_duration_since(now);
        if let Some((first, _)) = self.timers.first() {
            if *first <= next {
                return None;
            }
            delay = delay.min(first.saturating_duration_since(now) / 2);
        }
        let at = now + delay;
        self.timers.insert((at, leaf)).then_some(at)
    }

    /// From now on these limits hold.
    pub(super) fn set_limits(&mut self, limits: GatewayLimits, now: Instant) {
        let before: Vec<_> = (0..self.of_models.len()).map(|lane| self.admission.look(lane, now).0).collect();
        self.admission.set_limits(limits.max_in_flight, limits.max_waiting);
        self.flights.set_limit(limits.max_waiting);
        for (number, own) in self.of_models.iter().enumerate() {
            self.admission.set_lane(number, own, now);
            self.admission.lane(number).set_policies(&limits, now);
        }
        self.limits = limits;
        before.into_iter().enumerate().for_each(|(lane, before)| self.limit_was_set(lane, before, now));
    }

    /// The same for one model.
    pub(super) fn set_model_limits(&mut self, lane: usize, limits: ModelLimits, now: Instant) {
        let (before, _) = self.admission.look(lane, now);
        self.admission.set_lane(lane, &limits, now);
        self.of_models[lane] = limits;
        self.limit_was_set(lane, before, now);
    }
}
