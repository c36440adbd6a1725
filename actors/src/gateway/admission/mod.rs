//! Which call may start, which waits, which is refused? Pure: time is an argument.
//!
//! One line for each model, served in the order of arrival; between models, whoever came first and may start. Nobody is
//! overtaken in its own line, so a large call does not starve behind small ones. A call that is made again keeps its place
//! in the order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::lane::Lane;
use crate::chat::Headroom;

/// What a call says of itself when it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    /// The number of its model.
    pub(super) lane: usize,
    /// It must be over by then.
    pub(super) deadline: Instant,
    /// What it may use.
    pub(super) tokens: u64,
}

/// A call that has a place. It gives it back with [`Admission::over`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    pub(super) claim: Claim,
    /// Its place in the order of arrival.
    number: u64,
}

/// What becomes of a call that arrives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict<C> {
    /// It waits, and comes out of [`Admission::next`] when it may start.
    Wait,
    /// The line is full, or the call cannot make its deadline; after that time it may be different.
    Refuse(C, Duration),
}

#[derive(Debug)]
struct Waiting<C> {
    claim: Claim,
    call: C,
    /// It is made again, not before this time.
    not_before: Option<Instant>,
}

/// The places and the lines.
#[derive(Debug)]
pub(super) struct Admission<C> {
    max_in_flight: usize,
    max_waiting: usize,
    in_flight: usize,
    lanes: Vec<Lane>,
    /// Those that may start as far as they are concerned, by number, for each lane.
    lines: Vec<BTreeSet<u64>>,
    waiting: BTreeMap<u64, Waiting<C>>,
    deadlines: BTreeSet<(Instant, u64)>,
    sleeping: BTreeSet<(Instant, u64)>,
    next_number: u64,
    /// What nobody waits for, taken out of the line: to be dropped by whoever asked, where he likes.
    gone: Vec<C>,
    /// Arrivals at a full line since it was last swept.
    refused: usize,
}

/// What a refused caller is told to wait when nothing better is known.
const RETRY_AFTER: Duration = Duration::from_secs(1);

impl<C> Admission<C> {
    pub(super) fn new(max_in_flight: usize, max_waiting: usize, lanes: Vec<Lane>) -> Self {
        let lines = lanes.iter().map(|_| BTreeSet::new()).collect();
        Self {
            max_in_flight,
            max_waiting,
            in_flight: 0,
            lanes,
            lines,
            waiting: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            sleeping: BTreeSet::new(),
            next_number: 0,
            gone: Vec::new(),
            refused: 0,
        }
    }

    /// A call arrives. `is_abandoned` says whether anybody still waits for a call.
    pub(super) fn arrive(
        &mut self,
        call: C,
        claim: Claim,
        now: Instant,
        is_abandoned: impl Fn(&C) -> bool,
    ) -> Verdict<C> {
        let wait = self.lanes[claim.lane].wait(claim.tokens, now);
        if now + wait > claim.deadline {
            return Verdict::Refuse(call, wait);
        }
        // Whoever could start now does not wait, however long the line may be.
        // Calls that are to be made again came through the bound, and as many as may be in flight may become such.
        let has_room = self.sleeping.len() < self.max_waiting.max(self.max_in_flight);
        let can_start = self.can_start(claim.lane) && wait.is_zero() && has_room;
        if !can_start && self.waiting.len() >= self.max_waiting {
            self.sweep(is_abandoned);
            if self.waiting.len() >= self.max_waiting {
                return Verdict::Refuse(call, wait.max(RETRY_AFTER));
            }
        }
        let number = self.next_number;
        self.next_number += 1;
        self.put(number, Waiting { claim, call, not_before: None });
        Verdict::Wait
    }

    fn can_start(&self, lane: usize) -> bool {
        self.in_flight < self.max_in_flight && self.lanes[lane].has_place() && self.lines[lane].is_empty()
    }

    fn put(&mut self, number: u64, waiting: Waiting<C>) {
        self.deadlines.insert((waiting.claim.deadline, number));
        match waiting.not_before {
            Some(time) => drop(self.sleeping.insert((time, number))),
            None => drop(self.lines[waiting.claim.lane].insert(number)),
        }
        self.waiting.insert(number, waiting);
    }

    fn take(&mut self, number: u64) -> Option<Waiting<C>> {
        let waiting = self.waiting.remove(&number)?;
        self.deadlines.remove(&(waiting.claim.deadline, number));
        self.lines[waiting.claim.lane].remove(&number);
        if let Some(time) = waiting.not_before {
            self.sleeping.remove(&(time, number));
        }
        Some(waiting)
    }

    /// Takes out of a full line what nobody waits for: at most once for each sixteenth of the line that arrives, so that a
    /// storm of refusals does not read the whole line each time.
    fn sweep(&mut self, is_abandoned: impl Fn(&C) -> bool) {
        self.refused += 1;
        if self.refused > self.max_waiting / 16 {
            self.refused = 0;
            let left = |(number, waiting): (&u64, &Waiting<C>)| is_abandoned(&waiting.call).then_some(*number);
            let left: Vec<_> = self.waiting.iter().filter_map(left).collect();
            left.into_iter().for_each(|number| self.let_go(number));
        }
    }

    /// The next call that may start; a place is taken. What nobody waits for is passed over.
    pub(super) fn next(&mut self, now: Instant, is_abandoned: impl Fn(&C) -> bool) -> Option<(Ticket, C)> {
        self.wake(now);
        self.pass_over(&is_abandoned);
        if self.in_flight >= self.max_in_flight {
            return None;
        }
        let number = self.first(now)?;
        let Waiting { claim, call, .. } = self.take(number)?;
        if self.lanes[claim.lane].enter(claim.tokens, now) {
            self.in_flight += 1;
            return Some((Ticket { claim, number }, call));
        }
        self.put(number, Waiting { claim, call, not_before: None });
        None
    }

    /// Nobody waits behind a call that nobody waits for.
    fn pass_over(&mut self, is_abandoned: &impl Fn(&C) -> bool) {
        for lane in 0..self.lines.len() {
            while let Some(number) = self.lines[lane].first().copied() {
                if !self.waiting.get(&number).is_none_or(|waiting| is_abandoned(&waiting.call)) {
                    break;
                }
                self.lines[lane].remove(&number);
                self.let_go(number);
            }
        }
    }

    fn let_go(&mut self, number: u64) {
        let call = self.take(number).map(|waiting| waiting.call);
        self.gone.extend(call);
    }

    /// What was passed over since the last time.
    pub(super) fn take_gone(&mut self) -> Vec<C> {
        std::mem::take(&mut self.gone)
    }

    /// Takes out all that wait, in the order of their arrival.
    pub(super) fn clear(&mut self) -> Vec<C> {
        let numbers: Vec<_> = self.waiting.keys().copied().collect();
        numbers.into_iter().filter_map(|number| self.take(number)).map(|waiting| waiting.call).collect()
    }

    /// Those who have slept long enough stand in line again.
    fn wake(&mut self, now: Instant) {
        while let Some(&(time, number)) = self.sleeping.first().filter(|(time, _)| *time <= now) {
            self.sleeping.remove(&(time, number));
            if let Some(waiting) = self.waiting.get_mut(&number) {
                waiting.not_before = None;
                self.lines[waiting.claim.lane].insert(number);
            }
        }
    }

    /// The first of all lines whose model lets it start.
    fn first(&mut self, now: Instant) -> Option<u64> {
        let (lanes, waiting) = (&mut self.lanes, &self.waiting);
        let heads = self.lines.iter().zip(lanes).filter_map(|(line, lane)| {
            let number = *line.first()?;
            let tokens = waiting.get(&number)?.claim.tokens;
            (lane.has_place() && lane.wait(tokens, now).is_zero()).then_some(number)
        });
        heads.min()
    }

    /// A call is over; its place is free. `used` is what it used, `None` when nobody knows.
    pub(super) fn over(&mut self, ticket: Ticket, used: Option<u64>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.lanes[ticket.claim.lane].leave(ticket.claim.tokens, used);
    }

    /// A call that had a place was not made after all.
    pub(super) fn not_made(&mut self, ticket: Ticket) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.lanes[ticket.claim.lane].take_back(ticket.claim.tokens);
    }

    /// A call whose place was given back is made again, not before this time. It may exceed the bound of the line: it came
    /// through it before.
    pub(super) fn again(&mut self, ticket: Ticket, call: C, not_before: Instant) {
        self.put(ticket.number, Waiting { claim: ticket.claim, call, not_before: Some(not_before) });
    }

    /// Nobody of this lane starts before `until`.
    pub(super) fn pause(&mut self, lane: usize, until: Instant) {
        self.lanes[lane].pause(until);
    }

    /// What the provider says is left.
    pub(super) fn heed(&mut self, lane: usize, headroom: &Headroom, now: Instant) {
        self.lanes[lane].heed(headroom, now);
    }

    /// Takes out the waiting calls that are over at `now`.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<C> {
        let mut over = Vec::new();
        while let Some(&(_, number)) = self.deadlines.first().filter(|(deadline, _)| *deadline <= now) {
            over.extend(self.take(number).map(|waiting| waiting.call));
        }
        over
    }

    /// When to look again although nobody comes or goes. `None` when nobody waits for a time.
    pub(super) fn wake_at(&mut self, now: Instant) -> Option<Instant> {
        let deadline = self.deadlines.first().map(|(time, _)| *time);
        let sleeping = self.sleeping.first().map(|(time, _)| *time);
        let has_place = self.in_flight < self.max_in_flight;
        let (lanes, waiting) = (&mut self.lanes, &self.waiting);
        let rates = self.lines.iter().zip(lanes).filter_map(|(line, lane)| {
            let tokens = waiting.get(line.first()?)?.claim.tokens;
            (has_place && lane.has_place()).then(|| now + lane.wait(tokens, now))
        });
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
