//! Who waits for a call that somebody else is making? One flight for each key, and in it a leader, whose call is made and whose
//! budget pays, and followers, who wait for its answer. Pure: time is an argument, the desk holds the lock.
//!
//! After the `singleflight` package of groupcache (Brad Fitzpatrick, 2013), with what it leaves open: here each caller leaves
//! for itself, keeps its own deadline and its own budget.
//!
//! - A provider's answer or error is everybody's ([`Flights::landed`]).
//! - A caller who leaves takes nobody with him. The flight goes on while anybody waits ([`Flights::leave`]).
//! - The call of a leader who has left stays in line as the place of those who follow him. When its turn comes, the first of
//!   them pays and is the leader ([`Flights::payer`]). An attempt that has begun goes on, and the one who began it pays.
//! - A leader whose time is over while its call is being made leaves, too: the attempt goes on for those who follow.
//! - What ends a leader for its own sake (its deadline in line, its budget, the end of the thread that makes its call) ends nobody
//!   else: the next one's call stands in line ([`Flights::alone`]).
//! - An error after which a call would be made again ends those who have no time for that ([`Flights::over_by`]), and nobody who has.
//! - Where there are further models, they share the time of the leader, who is the one with the least: a follower with less would still wait
//!   for the first one when it is time to ask the next, so that it leads a flight of its own, which those who come after it follow.
//! - There is one call in line or in flight for each flight, and never a second one.
//!
//! A call is handed in by value and comes back exactly once; nothing is dropped here, because the desk drops no values of
//! callers under its lock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::key::Key;

/// What calls have in common that are the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::gateway) struct FlightKey {
    /// What is asked.
    pub(in crate::gateway) key: Key,
    /// The numbers of the models that may answer instead, in their order.
    pub(in crate::gateway) others: Vec<usize>,
    /// Whether they give up sooner.
    pub(in crate::gateway) fails_fast: bool,
}

/// The number of a flight; never used again, so that what comes late of an old flight is no part of a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::gateway) struct FlightId(u64);

/// The number of a caller, which the shell gives out.
pub(in crate::gateway) type WaiterId = u64;

/// What becomes of a call that comes.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::gateway) enum Joined<C> {
    /// Nobody makes the same one, or whoever does has more time than it: it stands in line.
    Lead(FlightId, C),
    /// It waits for the answer to one that is in line or in flight.
    Follow,
    /// So many follow already that it is refused.
    Refuse(C),
}

/// Whose call an attempt is, and who pays for it.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::gateway) enum Payer<C> {
    /// The leader's, as it stands in line.
    Leader,
    /// The leader has left: this one takes its place and pays.
    Instead(C),
    /// Nobody waits any more: it is not made.
    Nobody,
}

/// What follows when a caller leaves.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::gateway) struct Left<C> {
    /// The call of a follower. That of a leader is with the shell.
    pub(in crate::gateway) call: Option<C>,
    /// Nobody waits for this flight any more: its call is not made, or its attempt is broken off.
    pub(in crate::gateway) abandoned: Option<FlightId>,
}

/// Whose time is over.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::gateway) struct Expired<C> {
    /// Followers, who learn it.
    pub(in crate::gateway) calls: Vec<C>,
    /// Nobody waits for these flights any more.
    pub(in crate::gateway) abandoned: Vec<FlightId>,
}

#[derive(Debug)]
struct Follower<C> {
    waiter: WaiterId,
    deadline: Instant,
    call: C,
}

#[derive(Debug)]
struct Flight<C> {
    key: FlightKey,
    /// `None` when it has left.
    leader: Option<WaiterId>,
    /// Of who led it last.
    deadline: Instant,
    /// In the order in which they came.
    followers: BTreeMap<u64, Follower<C>>,
}

/// Where a caller is: in which flight, and in which place if it follows.
#[derive(Debug, Clone, Copy)]
struct Seat {
    flight: FlightId,
    follows: Option<u64>,
}

/// Those whose time ends together say so as the time that is left, one a moment after the other.
const A_MOMENT: Duration = Duration::from_millis(50);

/// The flights.
#[derive(Debug)]
pub(in crate::gateway) struct Flights<C> {
    max_followers: usize,
    flights: BTreeMap<FlightId, Flight<C>>,
    by_key: BTreeMap<FlightKey, FlightId>,
    seats: BTreeMap<WaiterId, Seat>,
    deadlines: BTreeSet<(Instant, WaiterId)>,
    next: u64,
}

impl<C> Flights<C> {
    /// None yet. `max_followers` is for all flights together.
    pub(in crate::gateway) fn new(max_followers: usize) -> Self {
        let (flights, by_key, seats) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { max_followers, flights, by_key, seats, deadlines: BTreeSet::new(), next: 0 }
    }

    /// From now on so many may follow; those who do stay.
    pub(in crate::gateway) fn set_limit(&mut self, max_followers: usize) {
        self.max_followers = max_followers;
    }

    /// A call comes, which must be over by `deadline`. No two callers have one number.
    pub(in crate::gateway) fn join(
        &mut self,
        key: &FlightKey,
        waiter: WaiterId,
        deadline: Instant,
        call: C,
    ) -> Joined<C> {
        self.next += 1;
        let has_less = |id: &FlightId| {
            !key.others.is_empty() && self.flights.get(id).is_some_and(|flight| deadline + A_MOMENT < flight.deadline)
        };
        let Some(id) = self.by_key.get(key).copied().filter(|id| !has_less(id)) else {
            let id = FlightId(self.next);
            let flight = Flight { key: key.clone(), leader: Some(waiter), deadline, followers: BTreeMap::new() };
            self.flights.insert(id, flight);
            self.by_key.insert(key.clone(), id);
            self.seats.insert(waiter, Seat { flight: id, follows: None });
            return Joined::Lead(id, call);
        };
        let is_full = self.deadlines.len() >= self.max_followers;
        let Some(flight) = self.flights.get_mut(&id) else { return Joined::Refuse(call) };
        if is_full {
            return Joined::Refuse(call);
        }
        flight.followers.insert(self.next, Follower { waiter, deadline, call });
        self.seats.insert(waiter, Seat { flight: id, follows: Some(self.next) });
        self.deadlines.insert((deadline, waiter));
        Joined::Follow
    }

    /// A caller leaves, or has its answer already, which is the same.
    pub(in crate::gateway) fn leave(&mut self, waiter: WaiterId) -> Left<C> {
        let mut left = Left { call: None, abandoned: None };
        let Some(seat) = self.seats.remove(&waiter) else { return left };
        let Some(flight) = self.flights.get_mut(&seat.flight) else { return left };
        match seat.follows {
            None => flight.leader = None,
            Some(place) => {
                left.call = flight.followers.remove(&place).map(|follower| {
                    self.deadlines.remove(&(follower.deadline, waiter));
                    follower.call
                });
            }
        }
        left.abandoned = self.end_if_empty(seat.flight);
        left
    }

    /// Whether this caller leads or follows a flight.
    pub(in crate::gateway) fn has(&self, waiter: WaiterId) -> bool {
        self.seats.contains_key(&waiter)
    }

    /// Whether the one whose call a flight is still waits for it.
    pub(in crate::gateway) fn is_led(&self, id: FlightId) -> bool {
        self.flights.get(&id).is_some_and(|flight| flight.leader.is_some())
    }

    /// The turn of a flight's call has come. Whose is it?
    pub(in crate::gateway) fn payer(&mut self, id: FlightId) -> Payer<C> {
        match self.flights.get(&id) {
            None => Payer::Nobody,
            Some(Flight { leader: Some(_), .. }) => Payer::Leader,
            Some(_) => self.promote(id).map_or(Payer::Nobody, Payer::Instead),
        }
    }

    /// The leader has learnt why its call ended, and it is nobody else's reason. The call that stands in line instead; `None`
    /// when nobody waits any more, and the flight is over.
    pub(in crate::gateway) fn alone(&mut self, id: FlightId) -> Option<C> {
        let flight = self.flights.get_mut(&id)?;
        if let Some(leader) = flight.leader.take() {
            self.seats.remove(&leader);
        }
        self.promote(id)
    }

    /// The provider has answered, or failed for good: the flight is over. All that followed, in the order in which they came.
    pub(in crate::gateway) fn landed(&mut self, id: FlightId) -> Vec<C> {
        let Some(flight) = self.flights.remove(&id) else { return Vec::new() };
        self.forget_key(id, &flight.key);
        if let Some(leader) = flight.leader {
            self.seats.remove(&leader);
        }
        flight.followers.into_values().map(|follower| self.released(follower)).collect()
    }

    /// Those who follow in this flight and whose time is over by then; the others still do.
    pub(in crate::gateway) fn over_by(&mut self, id: FlightId, until: Instant) -> Vec<C> {
        let Some(flight) = self.flights.get_mut(&id) else { return Vec::new() };
        let over: Vec<_> = flight.followers.extract_if(.., |_, follower| follower.deadline <= until).collect();
        over.into_iter().map(|(_, follower)| self.released(follower)).collect()
    }

    /// Followers whose time is over. A leader's is kept in line and in its attempt.
    pub(in crate::gateway) fn expire(&mut self, now: Instant) -> Expired<C> {
        let mut expired = Expired { calls: Vec::new(), abandoned: Vec::new() };
        while let Some((deadline, waiter)) = self.deadlines.first().copied()
            && deadline <= now
        {
            let left = self.leave(waiter);
            self.deadlines.remove(&(deadline, waiter));
            expired.calls.extend(left.call);
            expired.abandoned.extend(left.abandoned);
        }
        expired
    }

    /// When [`Flights::expire`] has something to say next.
    pub(in crate::gateway) fn wake_at(&self) -> Option<Instant> {
        self.deadlines.first().map(|(deadline, _)| *deadline)
    }

    /// Callers that follow.
    pub(in crate::gateway) fn followers(&self) -> usize {
        self.deadlines.len()
    }

    /// Everything is over: all that followed.
    pub(in crate::gateway) fn clear(&mut self) -> Vec<C> {
        let ids: Vec<_> = self.flights.keys().copied().collect();
        ids.into_iter().flat_map(|id| self.landed(id)).collect()
    }

    /// The first follower becomes the leader; where there are further models, the first of those with the least time.
    fn promote(&mut self, id: FlightId) -> Option<C> {
        let flight = self.flights.get_mut(&id)?;
        let first = match flight.key.others.is_empty() {
            true => flight.followers.keys().next(),
            false => flight.followers.iter().min_by_key(|(_, follower)| follower.deadline).map(|(place, _)| place),
        };
        let Some(follower) = first.copied().and_then(|first| flight.followers.remove(&first)) else {
            self.end_if_empty(id);
            return None;
        };
        (flight.leader, flight.deadline) = (Some(follower.waiter), follower.deadline);
        let seat = Seat { flight: id, follows: None };
        let waiter = follower.waiter;
        let call = self.released(follower);
        self.seats.insert(waiter, seat);
        Some(call)
    }

    /// It follows no more.
    fn released(&mut self, follower: Follower<C>) -> C {
        self.seats.remove(&follower.waiter);
        self.deadlines.remove(&(follower.deadline, follower.waiter));
        follower.call
    }

    fn end_if_empty(&mut self, id: FlightId) -> Option<FlightId> {
        self.flights.get(&id).filter(|flight| flight.leader.is_none() && flight.followers.is_empty())?;
        let flight = self.flights.remove(&id)?;
        self.forget_key(id, &flight.key);
        Some(id)
    }

    /// Nobody follows in a flight that is over; one of less time may have taken its key.
    fn forget_key(&mut self, id: FlightId, key: &FlightKey) {
        if self.by_key.get(key) == Some(&id) {
            self.by_key.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
