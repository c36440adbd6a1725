//! Do models share what they have in common, is a call refused that cannot make it (and where all runs have as many calls, only
//! such a one), and do new limits hold at once?

use super::*;
use crate::gateway::GatewayLimits;
use crate::gateway::admission::fair_line::tests::is_fair;

/// A user and its run.
type RunId = (u64, u64);

const MINUTE: Duration = Duration::from_secs(60);

fn of(user: u64, run: u64, lane: usize, deadline: Instant) -> Claim {
    Claim { flow: Flow { user, run, class: Priority::Normal }, ..claim(lane, deadline) }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// One place is free again, and who starts then.
fn after(admission: &mut Admission<char>, running: (Ticket, char), held: Duration, now: Instant) -> (Ticket, char) {
    admission.over(running.0, None, Some(held));
    admission.next(now, nobody_left).unwrap()
}

#[test]
fn models_share_their_common_places_by_users() {
    let now = Instant::now();
    let soon = now + MINUTE;
    let mut admission = admission(1, 100, &[limits(1, None), limits(1, None)], now);
    let mut running = start(&mut admission, '-', of(9, 1, 0, soon), now).unwrap();
    for (name, user, lane) in [('a', 1, 0), ('b', 1, 0), ('c', 1, 0), ('d', 2, 0), ('e', 3, 1), ('f', 3, 1)] {
        assert_eq!(start(&mut admission, name, of(user, 1, lane, soon), now), None);
    }
    let order: String = (0..6)
        .map(|_| {
            running = after(&mut admission, running, seconds(1), now);
            running.1
        })
        .collect();
    assert_eq!(order, "adebfc");
}

proptest! {
    /// In any stretch in which some users have calls of some models waiting all the while: of the places that all models have
    /// in common, each user gets its ideal share for each of its models, rounded down or up.
    #[test]
    fn common_places_are_shared_within_one_call_of_ideal(
        calls in proptest::collection::vec(proptest::option::of((0..3u64, 0..3usize)), 0..120),
    ) {
        let now = Instant::now();
        let mut admission: Admission<RunId> =
            Admission::new(1, 1_000, (0..3).map(|_| Lane::new(&limits(1, None), &GatewayLimits::default(), now)).collect());
        let Verdict::Start(mut running, _) = admission.arrive((9, 0), claim(0, now + MINUTE), now, |_| false) else {
            panic!("it is alone")
        };
        let mut history = Vec::new();
        for call in calls {
            let backlogged: Vec<_> = admission.waiting.values().map(|waiting| waiting.call).collect();
            let mut served = None;
            match call {
                Some((user, lane)) => {
                    let name = (user, lane as u64);
                    prop_assert_eq!(admission.arrive(name, of(user, 1, lane, now + MINUTE), now, |_| false), Verdict::Wait);
                }
                None if backlogged.is_empty() => {}
                None => {
                    admission.over(running, None, None);
                    let (ticket, call) = admission.next(now, |_| false).unwrap();
                    (running, served) = (ticket, Some(call));
                }
            }
            history.push((backlogged, served));
        }
        is_fair(&history, Some)?;
    }
}

#[test]
fn who_was_one_too_many_has_his_turn_again_and_who_had_it_has_not() {
    let now = Instant::now();
    let soon = now + MINUTE;
    for (is_used_up, expected) in [(false, "abcd"), (true, "bcad")] {
        let mut admission = admission(1, 100, &[limits(1, None)], now);
        let (ticket, call) = start(&mut admission, 'a', of(1, 1, 0, soon), now).unwrap();
        for (name, user) in [('b', 2), ('c', 3), ('d', 1)] {
            assert_eq!(start(&mut admission, name, of(user, 1, 0, soon), now), None);
        }
        admission.over(ticket, None, None);
        admission.again(if is_used_up { ticket.used_up() } else { ticket }, call, now);
        let mut running = admission.next(now, nobody_left).unwrap();
        let mut order = String::from(running.1);
        for _ in 0..3 {
            running = after(&mut admission, running, seconds(1), now);
            order.push(running.1);
        }
        assert_eq!(order, expected);
    }
}

#[test]
fn a_call_that_has_just_come_does_not_overtake_one_that_may_start_too() {
    let now = Instant::now();
    let [soon, later] = [now + MINUTE, now + seconds(10)];
    let mut admission = admission(1, 9, &[limits(1, None), limits(1, None)], now);
    admission.pause(0, later, &"one".into());
    assert_eq!(start(&mut admission, 'a', claim(0, soon), now), None);
    assert_eq!(start(&mut admission, 'b', claim(1, soon), later), None, "a may start as well by now");
    assert_eq!(names(&started(&mut admission, later)), "a");
    assert_eq!(admission.waiting(), 1);
}

#[test]
fn nor_one_that_has_slept_long_enough() {
    let now = Instant::now();
    let [soon, later] = [now + MINUTE, now + seconds(10)];
    let mut admission = admission(1, 9, &[limits(1, None), limits(1, None)], now);
    let (ticket, call) = start(&mut admission, 'a', claim(0, soon), now).unwrap();
    admission.over(ticket, None, None);
    admission.again(ticket, call, later);
    let (other, _) = start(&mut admission, 'b', claim(0, soon), now).unwrap();
    admission.over(other, None, None);
    assert_eq!(start(&mut admission, 'c', claim(0, soon), later), None);
    assert_eq!(names(&started(&mut admission, later)), "a");
}

/// A model with these places, where calls take ten seconds and so many wait, one for each run of each user.
fn busy(places: usize, flows: &[RunId], now: Instant) -> Admission<char> {
    let mut admission = admission(100, 1_000, &[limits(places, None)], now);
    let (ticket, _) = start(&mut admission, '-', claim(0, now + MINUTE), now).unwrap();
    admission.over(ticket, None, Some(seconds(10)));
    (0..places).for_each(|_| assert!(start(&mut admission, '-', claim(0, now + MINUTE * 60), now).is_some()));
    for (user, run) in flows {
        assert_eq!(start(&mut admission, 'w', of(*user, *run, 0, now + MINUTE * 60), now), None);
    }
    admission
}

#[test]
fn a_call_is_refused_at_once_when_those_before_it_need_longer_than_it_has() {
    let now = Instant::now();
    let four = [(1, 1), (1, 1), (1, 2), (2, 1)];
    // Places, who waits, whose call it is, and for how long it would wait.
    let cases: [(usize, &[RunId], RunId, u64); 8] = [
        (1, &[], (1, 1), 0),
        (1, &[(1, 1)], (1, 1), 10),
        (2, &[(1, 1), (1, 1), (1, 1)], (1, 1), 15),
        (1, &[(1, 1); 50], (1, 1), 500),
        (1, &[(1, 1); 50], (1, 2), 10),
        (5, &[(1, 1); 50], (2, 1), 2),
        (1, &four, (2, 2), 30),
        (1, &four, (1, 1), 40),
    ];
    for (places, flows, (user, run), wait) in cases {
        for (patience, is_in) in [(wait, true), (wait.saturating_sub(1), wait == 0)] {
            let mut admission = busy(places, flows, now);
            let verdict = admission.arrive('x', of(user, run, 0, now + seconds(patience)), now, nobody_left);
            let expected = if is_in { Verdict::Wait } else { Verdict::Refuse('x', seconds(1)) };
            assert_eq!(verdict, expected, "{places} places, {} wait, {patience} s", flows.len());
        }
    }
}

#[test]
fn the_places_of_all_models_count_and_those_nobody_waits_for_do_not() {
    let now = Instant::now();
    let mut admission = busy(4, &[(1, 1); 8], now);
    let call = of(1, 1, 0, now + seconds(20));
    admission.set_limits(2, 1_000);
    assert_eq!(admission.arrive('x', call, now, nobody_left), Verdict::Refuse('x', seconds(20)));
    admission.set_limits(100, 16);
    assert_eq!(admission.arrive('y', call, now, nobody_left), Verdict::Wait);
    assert_eq!(admission.arrive('z', call, now, nobody_left), Verdict::Refuse('z', Duration::from_millis(2_500)));
    assert_eq!(admission.arrive('z', call, now, |call| *call == 'w'), Verdict::Wait);
    assert_eq!(admission.waiting(), 2);
}

#[test]
fn nothing_is_refused_while_nobody_knows_or_nothing_runs() {
    let now = Instant::now();
    let mut fresh = admission(1, 1_000, &[limits(1, None)], now);
    assert!(start(&mut fresh, 'a', claim(0, now + seconds(1)), now).is_some());
    (0..100).for_each(|_| assert_eq!(start(&mut fresh, 'w', claim(0, now + seconds(1)), now), None));
    let mut idle = admission(1, 1_000, &[limits(1, None), limits(1, None)], now);
    let (ticket, _) = start(&mut idle, 'a', claim(1, now + seconds(1)), now).unwrap();
    idle.over(ticket, None, Some(MINUTE));
    assert!(start(&mut idle, 'b', claim(0, now + MINUTE), now).is_some(), "another model has the only place");
    for lane in [0, 1] {
        (0..100).for_each(|_| assert_eq!(start(&mut idle, 'w', claim(lane, now + seconds(1)), now), None));
    }
}

#[test]
fn one_slow_call_does_not_close_the_door_for_ever() {
    let now = Instant::now();
    let patience = now + seconds(30);
    let mut admission = admission(1, 1_000, &[limits(1, None)], now);
    let (slow, _) = start(&mut admission, 's', claim(0, patience), now).unwrap();
    admission.over(slow, None, Some(seconds(3_600)));
    let mut running = start(&mut admission, 'a', claim(0, patience), now).unwrap();
    let mut refused = 0;
    for _ in 0..1_000 {
        assert_eq!(start(&mut admission, 'b', claim(0, patience), now), None, "nobody is before it");
        match admission.arrive('c', claim(0, patience), now, nobody_left) {
            Verdict::Refuse(..) => refused += 1,
            _ => break,
        }
        running = after(&mut admission, running, seconds(1), now);
    }
    assert!((1..50).contains(&refused), "{refused} were refused after one call of an hour");
}

#[test]
fn lower_limits_drain_and_higher_ones_are_used_at_once() {
    let now = Instant::now();
    let soon = now + MINUTE;
    let mut admission = admission(4, 100, &[limits(9, None)], now);
    let mut running: Vec<_> = ('a'..='h').filter_map(|name| start(&mut admission, name, claim(0, soon), now)).collect();
    assert_eq!((names(&running).as_str(), admission.waiting()), ("abcd", 4));
    admission.set_limits(2, 100);
    for left in [3, 2] {
        admission.over(running.remove(0).0, None, None);
        assert_eq!((names(&started(&mut admission, now)).as_str(), admission.in_flight()), ("", left));
    }
    admission.over(running.remove(0).0, None, None);
    assert_eq!(names(&started(&mut admission, now)), "e");
    admission.set_limits(9, 0);
    admission.set_lane(0, &limits(4, None), now);
    assert_eq!(names(&started(&mut admission, now)), "fg", "whoever waits stays, though none may come");
    assert_eq!(admission.arrive('i', claim(0, soon), now, nobody_left), Verdict::Refuse('i', RETRY_AFTER));
    admission.set_lane(0, &limits(6, None), now);
    assert_eq!(names(&started(&mut admission, now)), "h");
    assert!(start(&mut admission, 'i', claim(0, soon), now).is_some());
}
