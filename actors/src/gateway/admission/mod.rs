//! Which call may start, which waits, which is refused? Pure: time is an argument.
//!
//! One line for each model, in which users take turns, within a user its runs, within a run the most urgent calls first
//! (`fair_line.rs`). Nobody is overtaken at the head of its line, so a large call does not starve behind small ones. A call
//! that is made again keeps its place in its run; and if it was one too many for its provider, its user and its run have
//! their turn again.
//!
//! Between models whose heads may start, whose turn is the oldest goes first. All lines number their turns together, so
//! this is round robin once more, over users and models: before a head starts, every other user of every model is served
//! once at most, and a user with one call does not wait for another's thousand calls of another model. Whoever uses two
//! models has two shares of the places that all models have in common, as each model is a line of its own.
//!
//! A call is refused when it arrives if the calls before it, in this order, need longer than its deadline leaves: their
//! number times the time for which calls of the model held their places lately (`holds.rs`), through the model's places;
//! or, where a rate of calls is configured, the time in which it lets so many start.
//! That number is an upper bound: where runs or users have about as many calls as the caller's own, and not all just as many,
//! it is up to a half too large, and by one call of each (`fair_line.rs`). So some of those who are refused there could have
//! made it.
//! What runs already is not counted, nor is what may yet come. So a call with nobody before it is never refused, nor one
//! of a model without a rate of which nothing runs or no call was ever over: however wrong the time may be, calls are let in,
//! and put it right. A rate of tokens is not counted, as calls give back what they do not use of them.

mod claim;
mod depths;
mod fair_line;
mod flow;
mod holds;
mod rotation;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::breaker::BreakerState;
use super::lane::Lane;
use super::limits::ModelLimits;
use crate::chat::Headroom;
use crate::error::ModelError;
use fair_line::FairLine;
use flow::Turns;
use holds::Holds;

pub(super) use claim::{Claim, Ticket, Verdict};
pub(super) use flow::Flow;
pub use flow::Priority;

#[derive(Debug)]
struct Waiting<C> {
    claim: Claim,
    call: C,
    /// It is made again, not before this time.
    not_before: Option<Instant>,
    /// The turns that it has again then.
    turns: Option<Turns>,
}

/// Who is next in one line.
struct Head {
    /// The smallest is served first.
    turn: u64,
    lane: usize,
    tokens: u64,
    /// For how long the rates keep it.
    wait: Duration,
}

/// The places and the lines.
#[derive(Debug)]
pub(super) struct Admission<C> {
    max_in_flight: usize,
    max_waiting: usize,
    in_flight: usize,
    lanes: Vec<Lane>,
    /// Those that may start as far as they are concerned, for each lane.
    lines: Vec<FairLine>,
    /// For how long calls of each lane have their places.
    holds: Vec<Holds>,
    waiting: BTreeMap<u64, Waiting<C>>,
    deadlines: BTreeSet<(Instant, u64)>,
    sleeping: BTreeSet<(Instant, u64)>,
    /// What nobody waits for, taken out of the lines: to be dropped by whoever asked, where he likes.
    gone: Vec<C>,
    next_number: u64,
    next_turn: u64,
    /// Refusals since the lines were last swept.
    refused: usize,
}

/// What a refused caller is told to wait when nothing better is known.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(1);

impl<C> Admission<C> {
    pub(super) fn new(max_in_flight: usize, max_waiting: usize, lanes: Vec<Lane>) -> Self {
        Self {
            max_in_flight,
            max_waiting,
            in_flight: 0,
            lines: lanes.iter().map(|_| FairLine::default()).collect(),
            holds: lanes.iter().map(|_| Holds::default()).collect(),
            lanes,
            waiting: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            sleeping: BTreeSet::new(),
            gone: Vec::new(),
            next_number: 0,
            next_turn: 0,
            refused: 0,
        }
    }

    /// A call arrives. `is_abandoned` says whether anybody still waits for a call. Whoever could start now is not refused,
    /// however long the lines may be.
    pub(super) fn arrive(
        &mut self,
        call: C,
        claim: Claim,
        now: Instant,
        is_abandoned: impl Fn(&C) -> bool,
    ) -> Verdict<C> {
        if now < claim.deadline && !is_abandoned(&call) && self.has_room() && self.is_alone(claim.lane, now) {
            // The way of most calls: it touches no line and allocates nothing.
            if let Some(entry) = self.lanes[claim.lane].enter(claim.tokens, now) {
                self.in_flight += 1;
                let (number, turn) = (self.number(), self.turn());
                let turns = Some(Turns { user: turn, run: turn });
                return Verdict::Start(Ticket { claim, number, since: now, entry, turns }, call);
            }
        }
        let wait = self.lanes[claim.lane].wait(claim.tokens, now);
        if now + wait > claim.deadline {
            return Verdict::Refuse(call, wait);
        }
        self.pass_over(claim.lane, &is_abandoned);
        if self.refusal(&claim, now, wait).is_some() {
            self.sweep(&is_abandoned);
            if let Some(retry_after) = self.refusal(&claim, now, wait) {
                return Verdict::Refuse(call, retry_after);
            }
        }
        let number = self.number();
        self.put(number, Waiting { claim, call, not_before: None, turns: None });
        Verdict::Wait
    }

    /// Whether as many calls as may start can all be kept, should they have to be made again: those came through the bound.
    fn has_room(&self) -> bool {
        self.sleeping.len() < self.max_waiting.max(self.max_in_flight)
    }

    /// Whether a place is free that nobody waits for who may have a better right to it.
    fn is_alone(&self, lane: usize, now: Instant) -> bool {
        if self.in_flight >= self.max_in_flight || !self.lines[lane].is_empty() {
            return false;
        }
        let is_waited_for = |(line, lane): (&FairLine, &Lane)| !line.is_empty() && lane.has_place();
        self.waiting.is_empty()
            || self.sleeping.first().is_none_or(|(time, _)| *time > now)
                && !self.lines.iter().zip(&self.lanes).any(is_waited_for)
    }

    /// Why a call that would have to wait may not: after how long it may be different.
    fn refusal(&mut self, claim: &Claim, now: Instant, wait: Duration) -> Option<Duration> {
        let lane = &self.lanes[claim.lane];
        let is_next = self.in_flight < self.max_in_flight && lane.has_place() && self.lines[claim.lane].is_empty();
        if is_next && wait.is_zero() && self.has_room() {
            return None;
        }
        if self.waiting.len() >= self.max_waiting {
            return Some(wait.max(RETRY_AFTER));
        }
        let before = self.lines[claim.lane].before(claim.flow);
        let places = lane.max_in_flight().min(self.max_in_flight);
        let of_places = self.holds[claim.lane].time_of(before, places).filter(|_| lane.in_flight() > 0);
        let of_rate = self.lanes[claim.lane].time_to_start(before.saturating_add(1), now);
        let left = claim.deadline.saturating_duration_since(now);
        let missing = of_places.unwrap_or_default().max(of_rate).checked_sub(left)?;
        (!missing.is_zero()).then(|| missing.max(wait))
    }

    fn number(&mut self) -> u64 {
        self.next_number += 1;
        self.next_number
    }

    fn turn(&mut self) -> u64 {
        self.next_turn += 1;
        self.next_turn
    }

    fn put(&mut self, number: u64, waiting: Waiting<C>) {
        self.deadlines.insert((waiting.claim.deadline, number));
        match waiting.not_before {
            Some(time) => drop(self.sleeping.insert((time, number))),
            None => self.line_up(number, &waiting.claim, waiting.turns),
        }
        self.waiting.insert(number, waiting);
    }

    fn line_up(&mut self, number: u64, claim: &Claim, turns: Option<Turns>) {
        let turn = self.turn();
        match turns {
            Some(turns) => self.lines[claim.lane].push_again(claim.flow, number, turns),
            None => self.lines[claim.lane].push(claim.flow, number, turn),
        }
    }

    /// Takes out a call that leaves the line, or its sleep, without having been served.
    fn take(&mut self, number: u64) -> Option<C> {
        let Waiting { claim, call, not_before, .. } = self.forget(number)?;
        match not_before {
            Some(time) => drop(self.sleeping.remove(&(time, number))),
            None => self.lines[claim.lane].remove(claim.flow, number),
        }
        Some(call)
    }

    fn forget(&mut self, number: u64) -> Option<Waiting<C>> {
        let waiting = self.waiting.remove(&number)?;
        self.deadlines.remove(&(waiting.claim.deadline, number));
        Some(waiting)
    }

    /// Takes out of the lines what nobody waits for: at most once for each sixteenth of them that is refused, so that a
    /// storm of refusals does not read all of them each time.
    fn sweep(&mut self, is_abandoned: impl Fn(&C) -> bool) {
        self.refused += 1;
        if self.refused > self.max_waiting.max(self.waiting.len()) / 16 {
            self.refused = 0;
            let left = |(number, waiting): (&u64, &Waiting<C>)| is_abandoned(&waiting.call).then_some(*number);
            let left: Vec<_> = self.waiting.iter().filter_map(left).collect();
            left.into_iter().for_each(|number| self.let_go(number));
        }
    }

    /// The next call that may start; a place is taken. What nobody waits for is passed over.
    pub(super) fn next(&mut self, now: Instant, is_abandoned: impl Fn(&C) -> bool) -> Option<(Ticket, C)> {
        if self.waiting.is_empty() {
            return None;
        }
        self.wake(now);
        (0..self.lines.len()).for_each(|lane| self.pass_over(lane, &is_abandoned));
        if self.in_flight >= self.max_in_flight {
            return None;
        }
        let Head { lane, tokens, .. } =
            self.heads(now).filter(|head| head.wait.is_zero()).min_by_key(|head| head.turn)?;
        let entry = self.lanes[lane].enter(tokens, now)?;
        self.in_flight += 1;
        let (turn, turns) = (self.turn(), self.lines[lane].turns());
        let number = self.lines[lane].serve(turn)?;
        let Waiting { claim, call, .. } = self.forget(number)?;
        Some((Ticket { claim, number, since: now, entry, turns }, call))
    }

    /// Nobody waits behind a call that nobody waits for. It does not take its flow's turn.
    fn pass_over(&mut self, lane: usize, is_abandoned: &impl Fn(&C) -> bool) {
        while let Some((_, number)) = self.lines[lane].head() {
            if !self.waiting.get(&number).is_some_and(|waiting| is_abandoned(&waiting.call)) {
                break;
            }
            self.let_go(number);
        }
    }

    fn let_go(&mut self, number: u64) {
        let call = self.take(number);
        self.gone.extend(call);
    }

    /// What was passed over since the last time.
    pub(super) fn take_gone(&mut self) -> Vec<C> {
        std::mem::take(&mut self.gone)
    }

    /// Takes out all that wait, in the order of their arrival.
    pub(super) fn clear(&mut self) -> Vec<C> {
        let numbers: Vec<_> = self.waiting.keys().copied().collect();
        numbers.into_iter().filter_map(|number| self.take(number)).collect()
    }

    /// Takes out those that wait for a lane of which this holds, in the order of their arrival.
    pub(super) fn take_of(&mut self, lane: usize, which: impl Fn(&C) -> bool) -> Vec<C> {
        let chosen = |(number, waiting): (&u64, &Waiting<C>)| {
            (waiting.claim.lane == lane && which(&waiting.call)).then_some(*number)
        };
        let numbers: Vec<_> = self.waiting.iter().filter_map(chosen).collect();
        numbers.into_iter().filter_map(|number| self.take(number)).collect()
    }

    /// Those who have slept long enough stand in line again.
    fn wake(&mut self, now: Instant) {
        while let Some(&(time, number)) = self.sleeping.first().filter(|(time, _)| *time <= now) {
            self.sleeping.remove(&(time, number));
            if let Some(waiting) = self.waiting.get_mut(&number) {
                waiting.not_before = None;
                let (claim, turns) = (waiting.claim, waiting.turns);
                self.line_up(number, &claim, turns);
            }
        }
    }

    /// The heads of the lines whose models have a place.
    fn heads(&mut self, now: Instant) -> impl Iterator<Item = Head> {
        let waiting = &self.waiting;
        self.lines.iter().zip(&mut self.lanes).enumerate().filter_map(move |(number, (line, lane))| {
            let (turn, call) = line.head().filter(|_| lane.has_place())?;
            let tokens = waiting.get(&call)?.claim.tokens;
            Some(Head { turn, lane: number, tokens, wait: lane.wait(tokens, now) })
        })
    }

    /// A call is over; its place is free. `used` is what it used, and `held` for how long it had its place, `None` when nobody
    /// knows.
    pub(super) fn over(&mut self, ticket: Ticket, used: Option<u64>, held: Option<Duration>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.lanes[ticket.claim.lane].leave(ticket.claim.tokens, used);
        if let Some(held) = held {
            self.holds[ticket.claim.lane].note(held);
        }
    }

    /// How a call ended that has given its place back; `None` when that says nothing of its model.
    /// `is_silent` is an attempt that had nothing of an answer when its own time was over.
    pub(super) fn ended(
        &mut self,
        ticket: Ticket,
        how: Option<Result<(), &ModelError>>,
        is_silent: bool,
        now: Instant,
    ) {
        self.lanes[ticket.claim.lane].ended(ticket.entry, (how, is_silent), ticket.held(now), now);
    }

    /// A call ended with this error, and this was its last attempt. Whether its lane lets nobody in for a while because of it.
    pub(super) fn call_ended(&mut self, ticket: Ticket, error: &ModelError, now: Instant) -> bool {
        self.lanes[ticket.claim.lane].call_ended(ticket.entry, error, now)
    }

    /// How many calls of a lane may be in flight, and whether it is called at all.
    pub(super) fn look(&self, lane: usize, now: Instant) -> (usize, BreakerState) {
        let lane = &self.lanes[lane];
        (lane.max_in_flight().min(self.max_in_flight), lane.breaker(now))
    }

    /// A lane by its number, to look at.
    pub(super) fn lane_of(&self, lane: usize) -> &Lane {
        &self.lanes[lane]
    }

    /// A lane by its number.
    pub(super) fn lane(&mut self, lane: usize) -> &mut Lane {
        &mut self.lanes[lane]
    }

    /// A call that had a place was not made after all.
    pub(super) fn not_made(&mut self, ticket: Ticket) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.lanes[ticket.claim.lane].take_back(ticket.claim.tokens);
    }

    /// A call whose place was given back is made again, not before this time. It may exceed the bound of the line: it came
    /// through it before.
    pub(super) fn again(&mut self, ticket: Ticket, call: C, not_before: Instant) {
        let Ticket { claim, turns, .. } = ticket;
        self.put(ticket.number, Waiting { claim, call, not_before: Some(not_before), turns });
    }

    /// From now on these limits hold for all lanes together. Who is in flight or waits stays, and one in flight above the
    /// limit is not followed by another. What may start by a higher limit comes out of [`Admission::next`] at once.
    pub(super) fn set_limits(&mut self, max_in_flight: usize, max_waiting: usize) {
        (self.max_in_flight, self.max_waiting) = (max_in_flight, max_waiting);
    }

    /// The same for one lane.
    pub(super) fn set_lane(&mut self, lane: usize, limits: &ModelLimits, now: Instant) {
        let in_all = self.max_in_flight;
        self.lanes[lane].set_limits(limits, in_all, now);
    }

    /// Nobody of this lane starts before `until`, as a call of the model `by` was refused; whether that is later than before.
    pub(super) fn pause(&mut self, lane: usize, until: Instant, by: &Arc<str>) -> bool {
        self.lanes[lane].pause(until, by)
    }

    /// Those that wait for a lane and do not sleep until then, in the order of their arrival.
    pub(super) fn of(&mut self, lane: usize, until: Instant) -> impl Iterator<Item = &mut C> {
        let sleeps = move |waiting: &Waiting<C>| waiting.not_before.is_some_and(|time| time >= until);
        let of_it = self.waiting.values_mut().filter(move |waiting| waiting.claim.lane == lane && !sleeps(waiting));
        of_it.map(|waiting| &mut waiting.call)
    }

    /// What the provider says is left.
    pub(super) fn heed(&mut self, lane: usize, headroom: &Headroom, now: Instant) {
        self.lanes[lane].heed(headroom, now);
    }

    /// Takes out the waiting calls that are over at `now`.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<C> {
        let mut over = Vec::new();
        while let Some(&(_, number)) = self.deadlines.first().filter(|(deadline, _)| *deadline <= now) {
            over.extend(self.take(number));
        }
        over
    }

    /// When to look again although nobody comes or goes. `None` when nobody waits for a time.
    pub(super) fn wake_at(&mut self, now: Instant) -> Option<Instant> {
        let deadline = self.deadlines.first().map(|(time, _)| *time);
        let sleeping = self.sleeping.first().map(|(time, _)| *time);
        let has_place = self.in_flight < self.max_in_flight;
        let rates = self.heads(now).filter(|_| has_place).map(|head| now + head.wait);
        rates.chain(deadline).chain(sleeping).min()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) fn in_flight_of(&self, lane: usize) -> usize {
        self.lanes[lane].in_flight()
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests;
