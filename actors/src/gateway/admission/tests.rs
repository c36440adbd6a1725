//! Do the limits hold, and is nobody lost, in any order of arrivals, ends, retries, pauses and time?

use proptest::prelude::*;

use super::*;
use crate::gateway::GatewayLimits;
use crate::gateway::limits::ModelLimits;

fn limits(max_in_flight: usize, requests: Option<u64>) -> ModelLimits {
    ModelLimits { max_in_flight: Some(max_in_flight), requests_per_minute: requests, tokens_per_minute: None }
}

fn admission(total: usize, max_waiting: usize, lanes: &[ModelLimits], now: Instant) -> Admission<char> {
    Admission::new(
        total,
        max_waiting,
        lanes.iter().map(|limits| Lane::new(limits, &GatewayLimits::default(), now)).collect(),
    )
}

fn claim(lane: usize, deadline: Instant) -> Claim {
    Claim { lane, flow: Flow::default(), deadline, tokens: 1 }
}

fn nobody_left(_: &char) -> bool {
    false
}

/// A call arrives; it starts at once, or waits.
fn start(admission: &mut Admission<char>, name: char, claim: Claim, now: Instant) -> Option<(Ticket, char)> {
    match admission.arrive(name, claim, now, nobody_left) {
        Verdict::Start(ticket, call) => Some((ticket, call)),
        Verdict::Wait => None,
        Verdict::Refuse(..) => panic!("{name} is refused"),
    }
}

/// What starts now, in order.
fn started(admission: &mut Admission<char>, now: Instant) -> Vec<(Ticket, char)> {
    std::iter::from_fn(|| admission.next(now, nobody_left)).collect()
}

fn names(started: &[(Ticket, char)]) -> String {
    started.iter().map(|(_, name)| name).collect()
}

#[test]
fn each_line_is_served_in_order_and_lines_by_who_came_first() {
    let now = Instant::now();
    let soon = now + Duration::from_secs(10);
    let mut admission = admission(3, 10, &[limits(1, None), limits(5, None)], now);
    let calls = [('a', 0), ('b', 0), ('c', 1), ('d', 1), ('e', 1)];
    let arrive = |(name, lane)| start(&mut admission, name, claim(lane, soon), now);
    let first: Vec<_> = calls.into_iter().filter_map(arrive).collect();
    assert_eq!(names(&first), "acd");
    admission.over(first[1].0, None, None);
    assert_eq!(names(&started(&mut admission, now)), "e", "there is a place in all, and none for b");
    admission.over(first[0].0, None, None);
    assert_eq!(names(&started(&mut admission, now)), "b");
    assert_eq!((admission.in_flight(), admission.waiting()), (3, 0));
}

#[test]
fn a_call_that_is_made_again_sleeps_without_a_place_and_then_goes_first() {
    let now = Instant::now();
    let later = now + Duration::from_secs(5);
    let mut admission = admission(1, 1, &[limits(1, None)], now);
    let deadline = now + Duration::from_secs(60);
    let (ticket, call) = start(&mut admission, 'a', claim(0, deadline), now).unwrap();
    admission.arrive('b', claim(0, deadline), now, nobody_left);
    admission.over(ticket, Some(0), None);
    admission.again(ticket, call, later);
    assert_eq!(admission.waiting(), 2, "it came through the bound before");
    let other = started(&mut admission, now);
    assert_eq!((names(&other).as_str(), admission.wake_at(now)), ("b", Some(later)));
    admission.arrive('c', claim(0, deadline), now, nobody_left);
    admission.over(other[0].0, None, None);
    admission.wake(later);
    assert_eq!(names(&started(&mut admission, later)), "a", "it is older than c");
}

#[test]
fn who_cannot_start_in_time_or_finds_the_line_full_is_refused() {
    let now = Instant::now();
    let second = |seconds| now + Duration::from_secs(seconds);
    let mut admission = admission(5, 1, &[limits(5, Some(6))], now);
    for name in 'a'..='f' {
        let is_in = start(&mut admission, name, claim(0, second(60)), now).is_some();
        assert_eq!(is_in, name < 'f', "five places");
    }
    let full = admission.arrive('g', claim(0, second(60)), now, nobody_left);
    assert_eq!(full, Verdict::Refuse('g', RETRY_AFTER));
    assert_eq!(admission.expire(second(60)), ['f']);
    let mut other = super::tests::admission(5, 9, &[limits(5, Some(6)), limits(1, None)], now);
    let begun = ('a'..='f').filter_map(|name| start(&mut other, name, claim(0, second(60)), now));
    assert_eq!(names(&begun.collect::<Vec<_>>()), "abcde");
    assert!(other.pause(0, second(30), &"one".into()));
    let late = other.arrive('h', claim(0, second(20)), now, nobody_left);
    assert_eq!(late, Verdict::Refuse('h', Duration::from_secs(30)));
}

#[test]
fn a_line_that_a_rate_makes_too_long_is_not_joined() {
    let now = Instant::now();
    let second = |seconds| now + Duration::from_secs(seconds);
    let mut admission = admission(50, 50, &[limits(50, Some(6))], now);
    for name in 'a'..='f' {
        assert!(start(&mut admission, name, claim(0, second(60)), now).is_some(), "a minute's worth");
    }
    // One in ten seconds, whether any was ever over and whether places are free or not.
    for (name, patience) in [('g', 10), ('h', 20), ('i', 60)] {
        assert_eq!(admission.arrive(name, claim(0, second(patience)), now, nobody_left), Verdict::Wait);
    }
    let late = admission.arrive('j', claim(0, second(39)), now, nobody_left);
    assert_eq!(
        late,
        Verdict::Refuse('j', Duration::from_secs(10)),
        "a second is missing, and its rate has nothing for ten"
    );
    let of_another = Claim { flow: Flow { user: 1, ..Flow::default() }, ..claim(0, second(20)) };
    assert_eq!(admission.arrive('k', of_another, now, nobody_left), Verdict::Wait, "another user is next but one");
}

#[test]
fn what_nobody_waits_for_makes_room_and_is_passed_over() {
    let now = Instant::now();
    let soon = now + Duration::from_secs(10);
    let mut admission = admission(1, 3, &[limits(1, None)], now);
    let left = |call: &char| ['b', 'd'].contains(call);
    let (ticket, _) = start(&mut admission, 'a', claim(0, soon), now).unwrap();
    for call in ['b', 'c', 'd'] {
        admission.arrive(call, claim(0, soon), now, left);
    }
    // At the head of the line it is seen at once, and elsewhere when the line is full.
    for call in ['e', 'f'] {
        assert_eq!(admission.arrive(call, claim(0, soon), now, left), Verdict::Wait);
    }
    assert_eq!(admission.arrive('g', claim(0, soon), now, left), Verdict::Refuse('g', RETRY_AFTER));
    admission.over(ticket, None, None);
    assert_eq!(admission.next(now, left).map(|(_, call)| call), Some('c'));
}

/// What can happen at a gateway.
#[derive(Debug, Clone)]
enum Step {
    Arrive { lane: usize, flow: (u64, u64), patience: u64, is_abandoned: bool },
    Over { which: usize, held: Option<u64>, again_in: Option<u64> },
    Pause { lane: usize, seconds: u64 },
    Pass { millis: u64 },
    Limits { total: usize, max_waiting: usize },
    Lane { lane: usize, max_in_flight: usize, requests: Option<u64> },
}

fn step() -> impl Strategy<Value = Step> {
    use proptest::option::of;
    prop_oneof![
        8 => (0..3usize, (0..2u64, 0..2u64), 0..30u64, any::<bool>()).prop_map(|(lane, flow, patience, is_abandoned)| {
            Step::Arrive { lane, flow, patience, is_abandoned }
        }),
        8 => (any::<usize>(), of(0..20u64), of(0..10u64))
            .prop_map(|(which, held, again_in)| Step::Over { which, held, again_in }),
        2 => (0..3usize, 0..20u64).prop_map(|(lane, seconds)| Step::Pause { lane, seconds }),
        4 => (0..20_000u64).prop_map(|millis| Step::Pass { millis }),
        1 => (1..7usize, 0..9usize).prop_map(|(total, max_waiting)| Step::Limits { total, max_waiting }),
        1 => (0..3usize, 1..7usize, of(1..60u64))
            .prop_map(|(lane, max_in_flight, requests)| Step::Lane { lane, max_in_flight, requests }),
    ]
}

proptest! {
    /// In any order of arrivals, ends, retries, pauses, new limits and time: nobody starts beyond a limit in force, nobody
    /// waits beside what it waits for, nobody is refused that could start, nobody is lost, and the alarm is never too late.
    #[test]
    fn the_limits_hold_and_nobody_is_lost_in_any_order(steps in proptest::collection::vec(step(), 0..200)) {
        let begin = Instant::now();
        let mut lanes = [limits(1, None), limits(3, Some(30)), limits(5, None)];
        let (mut total, mut bound) = (4, 6);
        let mut admission: Admission<(u64, bool)> =
            Admission::new(total, bound, lanes.iter().map(|limits| Lane::new(limits, &GatewayLimits::default(), begin)).collect());
        let left = |call: &(u64, bool)| call.1;
        let (mut now, mut next) = (begin, 0);
        let mut running: Vec<(Ticket, (u64, bool))> = Vec::new();
        let (mut known, mut gone) = (0_u64, 0_u64);
        for step in steps {
            let before = running.len();
            match step {
                Step::Arrive { lane, flow: (user, run), patience, is_abandoned } => {
                    next += 1;
                    let flow = Flow { user, run, class: Priority::default() };
                    let claim = Claim { lane, flow, deadline: now + Duration::from_secs(patience), tokens: 1 };
                    let has_room = admission.sleeping.len() < bound.max(total);
                    let others = admission.lines[lane].len();
                    let is_free = admission.in_flight < total && admission.lanes[lane].has_place() && others == 0;
                    let can_start = is_free && has_room && admission.lanes[lane].wait(1, now).is_zero();
                    match admission.arrive((next, is_abandoned), claim, now, left) {
                        Verdict::Start(ticket, call) => {
                            prop_assert!(can_start && patience > 0 && !is_abandoned);
                            known += 1;
                            running.push((ticket, call));
                        }
                        Verdict::Wait => known += u64::from(!is_abandoned),
                        Verdict::Refuse(..) => prop_assert!(!can_start, "it could start"),
                    }
                }
                Step::Over { which, held, again_in } if !running.is_empty() => {
                    let (ticket, call) = running.swap_remove(which % running.len());
                    admission.over(ticket, Some(0), held.map(Duration::from_secs));
                    match again_in {
                        Some(seconds) => admission.again(ticket, call, now + Duration::from_secs(seconds)),
                        None => gone += 1,
                    }
                }
                Step::Over { .. } => {}
                Step::Pause { lane, seconds } => {
                    admission.pause(lane, now + Duration::from_secs(seconds), &"one".into());
                },
                Step::Pass { millis } => {
                    let alarm = admission.wake_at(now);
                    let until = now + Duration::from_millis(millis);
                    // Until the alarm nothing happens by time alone.
                    let before = alarm.map_or(until, |alarm| alarm - Duration::from_nanos(1));
                    if before > now {
                        prop_assert!(admission.next(before.min(until), left).is_none());
                        prop_assert!(admission.expire(before.min(until)).is_empty());
                    }
                    now = until;
                }
                Step::Limits { total: to, max_waiting } => {
                    (total, bound) = (to, max_waiting);
                    admission.set_limits(total, bound);
                }
                Step::Lane { lane, max_in_flight, requests } => {
                    lanes[lane] = limits(max_in_flight, requests);
                    admission.set_lane(lane, &lanes[lane], now);
                }
            }
            gone += admission.expire(now).iter().filter(|call| !call.1).count() as u64;
            while let Some(started) = admission.next(now, left) {
                running.push(started);
            }
            let started = running.len() > before;
            prop_assert!(admission.in_flight() == running.len() && (!started || running.len() <= total));
            for (lane, limits) in lanes.iter().enumerate() {
                let of_lane = |running: &[(Ticket, _)]| running.iter().filter(|(ticket, _)| ticket.claim.lane == lane).count();
                let (own, young) = (of_lane(&running), of_lane(&running[before.min(running.len())..]));
                prop_assert!(own == admission.in_flight_of(lane) && (young == 0 || own <= limits.max_in_flight.unwrap()));
                let is_free = running.len() < total && own < limits.max_in_flight.unwrap();
                let is_kept = admission.lines[lane].is_empty() || !admission.lanes[lane].wait(1, now).is_zero();
                prop_assert!(!is_free || is_kept, "a place is free, and somebody waits for it");
            }
            let waiting = admission.waiting.values().filter(|waiting| !waiting.call.1).count() as u64;
            prop_assert_eq!(known, gone + waiting + running.len() as u64, "nobody is lost");
            prop_assert_eq!(admission.deadlines.len(), admission.waiting.len());
            let in_lines: usize = admission.lines.iter().map(FairLine::len).sum();
            prop_assert_eq!(in_lines + admission.sleeping.len(), admission.waiting.len());
            prop_assert!(admission.waiting.is_empty() || admission.wake_at(now).is_some(), "somebody looks again");
        }
    }
}

#[path = "fairness_tests.rs"]
mod fairness;
