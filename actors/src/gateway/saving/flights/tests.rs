//! Does everybody get an answer, and is each call made once? Scenarios, and random interleavings with a shell that obeys.

use std::time::Duration;

use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Of calls that ask the same, by its number.
fn of(number: u8) -> FlightKey {
    FlightKey { key: Key::numbered(number), others: Vec::new(), fails_fast: false }
}

fn key() -> FlightKey {
    of(1)
}

/// A flight with a leader 0 and so many followers.
fn flight(followers: u64) -> (Flights<WaiterId>, FlightId, Instant) {
    let (mut flights, now) = (Flights::new(100), Instant::now());
    let Joined::Lead(id, 0) = flights.join(&key(), 0, now + SECOND, 0) else { panic!("the first one leads") };
    for waiter in 1..=followers {
        assert_eq!(flights.join(&key(), waiter, now + SECOND, waiter), Joined::Follow);
    }
    (flights, id, now)
}

fn is_empty(flights: &Flights<WaiterId>) -> bool {
    let Flights { max_followers: _, flights, by_key, seats, deadlines, next: _ } = flights;
    flights.is_empty() && by_key.is_empty() && seats.is_empty() && deadlines.is_empty()
}

#[test]
fn all_that_followed_land_with_the_leader_in_their_order() {
    let (mut flights, id, _) = flight(3);
    assert_eq!(flights.payer(id), Payer::Leader);
    assert_eq!(flights.landed(id), [1, 2, 3]);
    assert!(is_empty(&flights));
}

#[test]
fn another_key_is_another_flight() {
    let (mut flights, id, now) = flight(1);
    let Joined::Lead(other, 9) = flights.join(&of(2), 9, now, 9) else { panic!("it leads") };
    assert_ne!(id, other);
    assert_eq!(flights.landed(other), [] as [WaiterId; 0]);
    assert_eq!(flights.landed(id), [1]);
}

#[test]
fn where_there_are_further_models_the_one_with_the_least_time_leads() {
    let (mut flights, now) = (Flights::new(2), Instant::now());
    let key = FlightKey { others: vec![1], ..key() };
    let mut join = |waiter: WaiterId, seconds: u32| flights.join(&key, waiter, now + SECOND * seconds, waiter);
    let Joined::Lead(id, 0) = join(0, 5) else { panic!("the first one leads") };
    assert_eq!([join(1, 9), join(2, 5)], [Joined::Follow, Joined::Follow]);
    assert_eq!(join(4, 7), Joined::Refuse(4), "so many follow");
    let Joined::Lead(sooner, 3) = join(3, 4) else { panic!("it has less time") };
    assert_eq!(flights.alone(id), Some(2));
    assert_eq!(flights.leave(2).call, None);
    let close = now + SECOND * 4 - A_MOMENT;
    assert_eq!(flights.join(&key, 7, close, 7), Joined::Follow, "nearly the same time as the sooner one");
    assert_eq!(flights.landed(id), [1]);
    assert_eq!(
        flights.join(&key, 5, now + SECOND * 6, 5),
        Joined::Follow,
        "the end of the later one leaves the sooner one"
    );
    assert_eq!(flights.alone(sooner), Some(7));
    assert_eq!(flights.landed(sooner), [5]);
    assert!(is_empty(&flights));
}

#[test]
fn a_follower_leaves_for_itself() {
    let (mut flights, id, _) = flight(2);
    assert_eq!(flights.leave(1), Left { call: Some(1), abandoned: None });
    assert_eq!(flights.leave(1), Left { call: None, abandoned: None }, "once");
    assert_eq!(flights.payer(id), Payer::Leader);
    assert_eq!(flights.landed(id), [2]);
}

#[test]
fn who_follows_a_leader_that_left_the_line_pays_in_its_place() {
    let (mut flights, id, _) = flight(2);
    assert_eq!(flights.leave(0), Left { call: None, abandoned: None });
    assert_eq!(flights.payer(id), Payer::Instead(1));
    assert_eq!(flights.payer(id), Payer::Leader, "the new one");
    assert_eq!(flights.landed(id), [2]);
    assert!(is_empty(&flights));
}

#[test]
fn an_attempt_goes_on_without_the_one_who_began_it() {
    let (mut flights, id, _) = flight(2);
    assert_eq!(flights.payer(id), Payer::Leader);
    assert_eq!(flights.leave(0), Left { call: None, abandoned: None });
    assert_eq!(flights.landed(id), [1, 2]);
}

#[test]
fn the_last_one_who_leaves_ends_it() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let (mut flights, id, now) = flight(2);
        assert_eq!(order.map(|waiter| flights.leave(waiter).abandoned), [None, None, Some(id)]);
        assert!(is_empty(&flights));
        assert_eq!(flights.payer(id), Payer::Nobody);
        let Joined::Lead(new, 7) = flights.join(&key(), 7, now, 7) else { panic!("a new flight") };
        assert_ne!(id, new);
        assert_eq!(
            (flights.landed(id), flights.alone(id)),
            (vec![], None),
            "what comes late is no part of the new one"
        );
        assert_eq!(flights.payer(new), Payer::Leader);
    }
}

#[test]
fn what_ends_the_leader_alone_ends_nobody_else() {
    let (mut flights, id, _) = flight(2);
    assert_eq!(flights.alone(id), Some(1));
    assert_eq!(flights.leave(0), Left { call: None, abandoned: None }, "it is gone");
    assert_eq!(flights.payer(id), Payer::Leader);
    assert_eq!(flights.alone(id), Some(2));
    assert_eq!(flights.alone(id), None);
    assert!(is_empty(&flights));
}

#[test]
fn a_leader_that_left_and_then_ran_out_of_time_is_followed_by_the_next() {
    let (mut flights, id, _) = flight(1);
    flights.leave(0);
    assert_eq!(flights.alone(id), Some(1));
    assert_eq!(flights.leave(1), Left { call: None, abandoned: Some(id) }, "it leads");
}

#[test]
fn followers_keep_their_own_deadlines() {
    let (mut flights, now) = (Flights::new(9), Instant::now());
    let Joined::Lead(id, 0) = flights.join(&key(), 0, now, 0) else { panic!("it leads") };
    assert_eq!(flights.wake_at(), None, "a leader's deadline is kept elsewhere");
    for (waiter, seconds) in [(1, 3), (2, 1), (3, 2)] {
        flights.join(&key(), waiter, now + SECOND * seconds, waiter);
    }
    assert_eq!(flights.wake_at(), Some(now + SECOND));
    assert_eq!(flights.expire(now), Expired { calls: vec![], abandoned: vec![] });
    assert_eq!(flights.expire(now + SECOND * 2), Expired { calls: vec![2, 3], abandoned: vec![] });
    flights.leave(0);
    assert_eq!(flights.expire(now + SECOND * 3), Expired { calls: vec![1], abandoned: vec![id] });
    assert!(is_empty(&flights));
}

#[test]
fn so_many_follow_and_no_more() {
    let (mut flights, now) = (Flights::new(1), Instant::now());
    flights.join(&key(), 0, now, 0);
    assert_eq!(flights.join(&key(), 1, now, 1), Joined::Follow);
    assert_eq!(flights.join(&key(), 2, now, 2), Joined::Refuse(2));
    assert!(matches!(flights.join(&of(2), 3, now, 3), Joined::Lead(_, 3)), "who leads does not follow");
    flights.leave(1);
    assert_eq!(flights.join(&key(), 2, now, 2), Joined::Follow);
    assert_eq!((flights.followers(), flights.clear()), (1, vec![2]));
    assert!(is_empty(&flights));
}

/// What became of a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Waits,
    Answered,
    /// It met a limit of its own.
    Alone,
    Left,
}

#[derive(Debug)]
struct Caller {
    key: u8,
    deadline: Instant,
    fate: Fate,
}

/// The shell as it is to be: one line, any number of places.
struct Shell {
    flights: Flights<WaiterId>,
    callers: Vec<Caller>,
    line: Vec<(FlightId, WaiterId)>,
    flying: Vec<(FlightId, WaiterId)>,
    /// Attempts of each flight, and how many there may be.
    attempts: BTreeMap<FlightId, (u32, u32)>,
    now: Instant,
}

impl Shell {
    fn waits(&self, key: u8) -> Vec<WaiterId> {
        let waiting = self.callers.iter().enumerate().filter(|(_, one)| one.key == key && one.fate == Fate::Waits);
        waiting.map(|(number, _)| number as WaiterId).collect()
    }

    fn caller(&mut self, waiter: WaiterId) -> &mut Caller {
        &mut self.callers[waiter as usize]
    }

    /// Each caller learns one thing, once.
    fn learns(&mut self, waiter: WaiterId, fate: Fate) {
        let caller = self.caller(waiter);
        assert_eq!(caller.fate, Fate::Waits, "{waiter} learns two things");
        caller.fate = fate;
    }

    fn come(&mut self, key: u8, seconds: u32) {
        let (waiter, deadline) = (self.callers.len() as WaiterId, self.now + SECOND * seconds);
        let is_first = self.waits(key).is_empty();
        self.callers.push(Caller { key, deadline, fate: Fate::Waits });
        match self.flights.join(&of(key), waiter, deadline, waiter) {
            Joined::Lead(id, call) => {
                assert!(is_first && call == waiter);
                self.attempts.insert(id, (0, 1));
                self.line.push((id, call));
            }
            Joined::Follow => assert!(!is_first),
            Joined::Refuse(call) => self.learns(call, Fate::Alone),
        }
    }

    fn leave(&mut self, waiter: WaiterId) {
        if self.callers.get(waiter as usize).is_some_and(|caller| caller.fate == Fate::Waits) {
            self.learns(waiter, Fate::Left);
            let left = self.flights.leave(waiter);
            assert!(left.call.is_none_or(|call| call == waiter));
            self.abandon(left.abandoned);
        }
    }

    fn abandon(&mut self, ids: impl IntoIterator<Item = FlightId>) {
        for id in ids {
            self.line.retain(|(flight, _)| *flight != id);
            self.flying.retain(|(flight, _)| *flight != id);
        }
    }

    /// The call at this place of the line has its turn.
    fn begin(&mut self, at: usize) {
        let (id, stood) = self.line.remove(at);
        let call = match self.flights.payer(id) {
            Payer::Leader => stood,
            Payer::Instead(call) => {
                let key = self.caller(call).key;
                assert_eq!(self.caller(stood).fate, Fate::Left);
                assert_eq!(self.waits(key).first(), Some(&call), "the first of those who wait");
                call
            }
            Payer::Nobody => panic!("an abandoned flight is not in line"),
        };
        assert_eq!(self.caller(call).fate, Fate::Waits, "who pays waits for it");
        self.attempts.entry(id).or_default().0 += 1;
        self.flying.push((id, call));
    }

    fn land(&mut self, at: usize) {
        let (id, leader) = self.flying.remove(at);
        let key = self.caller(leader).key;
        let mut expected = self.waits(key);
        expected.retain(|waiter| *waiter != leader);
        let followers = self.flights.landed(id);
        assert_eq!(followers, expected, "all that wait, and nobody else");
        let leader = (self.caller(leader).fate == Fate::Waits).then_some(leader);
        for waiter in leader.into_iter().chain(followers) {
            self.learns(waiter, Fate::Answered);
        }
        let (made, allowed) = self.attempts[&id];
        assert!(made <= allowed, "made {made} times for {allowed} reasons");
    }

    /// The attempt failed and is made again.
    fn again(&mut self, at: usize) {
        let (id, call) = self.flying.remove(at);
        self.attempts.entry(id).or_default().1 += 1;
        self.line.push((id, call));
    }

    /// A limit of its own ends the leader of this call.
    fn alone(&mut self, (id, call): (FlightId, WaiterId), was_made: bool) {
        self.attempts.entry(id).or_default().1 += u32::from(was_made);
        if self.caller(call).fate == Fate::Waits {
            self.learns(call, Fate::Alone);
        }
        let key = self.caller(call).key;
        let first = self.waits(key).first().copied();
        let next = self.flights.alone(id);
        assert_eq!(next, first);
        self.line.extend(next.map(|next| (id, next)));
    }

    fn pass(&mut self, seconds: u32) {
        self.now += SECOND * seconds;
        let expired = self.flights.expire(self.now);
        for waiter in expired.calls {
            let now = self.now;
            assert!(self.caller(waiter).deadline <= now);
            self.learns(waiter, Fate::Alone);
        }
        self.abandon(expired.abandoned);
        for (was_made, calls) in [(false, self.line.clone()), (true, self.flying.clone())] {
            for (id, call) in calls {
                let now = self.now;
                if self.caller(call).deadline <= now {
                    let all = if was_made { &mut self.flying } else { &mut self.line };
                    all.retain(|one| *one != (id, call));
                    self.alone((id, call), was_made);
                }
            }
        }
    }

    /// One call in line or in flight for each key that somebody waits for, and none for the others.
    fn check(&self) {
        for key in 0..3 {
            let calls =
                self.line.iter().chain(&self.flying).filter(|(_, call)| self.callers[*call as usize].key == key);
            let waits = self.waits(key);
            assert_eq!(calls.count(), usize::from(!waits.is_empty()), "key {key}, for {waits:?}");
        }
    }
}

proptest! {
    /// Whoever comes, leaves, runs out of time or of money, and however attempts end: there is one call for each key that
    /// somebody waits for, everybody learns one thing, all that wait learn what the provider says, and a call is made once
    /// more only when an attempt failed or its payer met a limit of its own.
    #[test]
    fn everybody_gets_an_answer_and_each_call_is_made_once(
        steps in proptest::collection::vec((0..8u8, 0..3u8, 0..40usize, 1..6u32), 1..150),
        max_followers in 0..12usize,
    ) {
        let mut shell = Shell {
            flights: Flights::new(max_followers),
            callers: Vec::new(),
            line: Vec::new(),
            flying: Vec::new(),
            attempts: BTreeMap::new(),
            now: Instant::now(),
        };
        for (step, key, which, seconds) in steps {
            let (in_line, in_flight) = (shell.line.len(), shell.flying.len());
            match step {
                0..3 => shell.come(key, seconds),
                3 => shell.leave(which as WaiterId),
                4 if in_line > 0 => shell.begin(which % in_line),
                5 if in_flight > 0 => shell.land(which % in_flight),
                6 if in_flight > 0 && which % 2 == 0 => shell.again(which % in_flight),
                6 if in_line > 0 => {
                    let out_of_money = shell.line.remove(which % in_line);
                    shell.alone(out_of_money, false);
                }
                7 => shell.pass(seconds / 3),
                _ => {}
            }
            shell.check();
        }
        while !shell.line.is_empty() {
            shell.begin(0);
        }
        while !shell.flying.is_empty() {
            shell.land(0);
        }
        prop_assert!(shell.callers.iter().all(|caller| caller.fate != Fate::Waits));
        prop_assert!(is_empty(&shell.flights));
    }
}
