//! Does the breaker open with enough evidence only, let one probe through at a time, and always close again?

use proptest::prelude::*;

use super::*;
use crate::error::Limited;

fn policy() -> BreakerPolicy {
    BreakerPolicy::default()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn attempt(breaker: &mut Breaker, outcome: Outcome, now: Instant) {
    let pass = breaker.enter(now).expect("it may start");
    breaker.ended(pass, outcome, now);
}

fn opened(now: Instant) -> Breaker {
    let mut breaker = Breaker::new(policy(), now);
    (0..10).for_each(|_| attempt(&mut breaker, Outcome::Failed, now));
    assert_eq!(breaker.state(now), BreakerState::Open);
    breaker
}

#[test]
fn it_opens_with_enough_attempts_of_which_half_failed() {
    let now = Instant::now();
    // What happened, one letter for each attempt and a space for a second, and whether it is open then.
    let table = [
        ("fffffffff", false),
        ("ffffffffff", true),
        ("aaaaafffff", true),
        ("aaaaaaffff", false),
        ("aaaaaaffffff", true),
        ("fffffffffnnnnn", false),
        ("fffff         fffff", true),
        ("fffff          fffff", false),
        ("aaaaaaaaaa          ffffffffff", true),
        ("aaaaaaaaaaa ffffffffff", false),
        ("ss", false),
        ("sss", true),
        ("s                                        s                     s", true),
        ("sfnsf", false),
        ("sfnsfs", true),
        ("ssassass", false),
        ("lll", true),
        ("l              l              l", true),
        ("laalaal", true),
        ("llAllAll", false),
        ("lslsl", true),
    ];
    for (story, is_open) in table {
        let (mut breaker, mut now) = (Breaker::new(policy(), now), now);
        for letter in story.chars() {
            match letter {
                'f' => attempt(&mut breaker, Outcome::Failed, now),
                'a' => attempt(&mut breaker, Outcome::Alive, now),
                'n' => attempt(&mut breaker, Outcome::Neutral, now),
                's' => attempt(&mut breaker, Outcome::Silent, now),
                // A call whose attempts were all refused for a rate, and one that was answered.
                'l' => {
                    let pass = breaker.enter(now).expect("it may start");
                    breaker.ended(pass, Outcome::Alive, now);
                    breaker.call_was_limited(pass, now);
                }
                'A' => attempt(&mut breaker, Outcome::Answered, now),
                _ => now += seconds(1),
            }
        }
        assert_eq!(breaker.enter(now).is_none(), is_open, "{story}");
    }
}

#[test]
fn one_probe_goes_through_and_its_end_decides() {
    let now = Instant::now();
    let mut breaker = opened(now);
    assert_eq!(breaker.wait(now), seconds(2));
    assert_eq!(breaker.enter(now + seconds(2) - Duration::from_nanos(1)), None);
    let now = now + seconds(2);
    assert_eq!((breaker.wait(now), breaker.state(now)), (Duration::ZERO, BreakerState::HalfOpen));
    let probe = breaker.enter(now).unwrap();
    assert_eq!((breaker.enter(now), breaker.state(now)), (None, BreakerState::HalfOpen));
    assert!(!breaker.wait(now + seconds(100)).is_zero(), "however long the probe takes");
    breaker.ended(probe, Outcome::Neutral, now);
    let next = breaker.enter(now).expect("a probe that was left gives its place to the next");
    breaker.ended(probe, Outcome::Alive, now);
    assert_eq!(breaker.enter(now), None, "the first probe is over");
    breaker.ended(next, Outcome::Alive, now);
    assert_eq!(breaker.state(now), BreakerState::Closed);
    let both = (breaker.enter(now), breaker.enter(now));
    assert!(both.0.is_some() && both.1.is_some());
}

#[test]
fn the_cool_down_doubles_while_probes_fail_and_begins_anew_after_a_success() {
    let mut now = Instant::now();
    let mut breaker = opened(now);
    let mut waits = Vec::new();
    for _ in 0..6 {
        let wait = breaker.wait(now);
        waits.push(wait.as_secs());
        now += wait;
        attempt(&mut breaker, Outcome::Failed, now);
    }
    assert_eq!(waits, [2, 4, 8, 16, 30, 30]);
    now += breaker.wait(now);
    attempt(&mut breaker, Outcome::Alive, now);
    (0..9).for_each(|_| attempt(&mut breaker, Outcome::Failed, now));
    assert_eq!(breaker.wait(now), Duration::ZERO, "what was before does not count any more");
    attempt(&mut breaker, Outcome::Failed, now);
    assert_eq!(breaker.wait(now), seconds(2));
}

#[test]
fn a_crowd_that_began_before_does_not_count() {
    let now = Instant::now();
    let mut breaker = Breaker::new(policy(), now);
    let crowd: Vec<_> = (0..64).map(|_| breaker.enter(now).unwrap()).collect();
    for pass in &crowd[..10] {
        breaker.ended(*pass, Outcome::Failed, now);
    }
    breaker.ended(crowd[10], Outcome::Alive, now);
    assert_eq!(breaker.state(now), BreakerState::Open, "a late success does not close it");
    let now = now + breaker.wait(now);
    attempt(&mut breaker, Outcome::Alive, now);
    for pass in &crowd[11..] {
        breaker.ended(*pass, Outcome::Failed, now);
    }
    assert_eq!(breaker.state(now), BreakerState::Closed);
}

#[test]
fn one_that_is_switched_off_lets_everybody_through() {
    let now = Instant::now();
    let mut breaker = Breaker::new(BreakerPolicy { enabled: false, ..policy() }, now);
    (0..100).for_each(|_| attempt(&mut breaker, Outcome::Failed, now));
    assert_eq!(breaker.state(now), BreakerState::Closed);
}

#[test]
fn what_counts_as_a_failure_of_the_provider() {
    let text = String::new;
    let unavailable = |status| ModelError::Unavailable { status, retry_after: None, message: text() };
    let limited = |limited| ModelError::RateLimited { limited, retry_after: None, message: text() };
    let table = [
        (
            Outcome::Failed,
            vec![
                unavailable(500),
                unavailable(503),
                ModelError::Network { sent: true, message: text() },
                ModelError::Network { sent: false, message: text() },
                ModelError::Malformed(text()),
                ModelError::Broken { received: 0, message: text() },
                ModelError::Broken { received: 7, message: text() },
            ],
        ),
        (
            Outcome::Silent,
            vec![
                ModelError::Timeout(Waiting::Connection),
                ModelError::Timeout(Waiting::FirstToken),
                ModelError::Timeout(Waiting::NextToken),
            ],
        ),
        (
            Outcome::Alive,
            vec![
                unavailable(409),
                limited(Limited::Rate),
                limited(Limited::ModelRate),
                limited(Limited::Concurrency),
                ModelError::Rejected { status: 400, message: text() },
                ModelError::Unauthorized { status: 401, message: text() },
                ModelError::NotFound(text()),
                ModelError::ContextTooLong(text()),
                ModelError::ContentRefused(text()),
            ],
        ),
        (
            Outcome::Neutral,
            vec![
                ModelError::Overloaded { retry_after: seconds(1) },
                ModelError::Paused { retry_after: seconds(1), refused_model: "one".into() },
                ModelError::Timeout(Waiting::Queue),
                ModelError::Timeout(Waiting::Total),
                ModelError::Stopped,
                ModelError::BudgetExhausted(text()),
                ModelError::Untrusted(text()),
                ModelError::Provider(text()),
            ],
        ),
    ];
    for (outcome, errors) in table {
        for error in errors {
            assert_eq!(Outcome::of(Some(&error)), outcome, "{error:?}");
        }
    }
    assert_eq!(Outcome::of(None), Outcome::Answered);
}

#[test]
fn every_value_out_of_range_is_named() {
    let wrong = [
        ("attempts", BreakerPolicy { attempts: 0, ..policy() }),
        ("attempts", BreakerPolicy { attempts: 100_001, ..policy() }),
        ("failed_percent", BreakerPolicy { failed_percent: 0, ..policy() }),
        ("failed_percent", BreakerPolicy { failed_percent: 101, ..policy() }),
        ("silent_in_a_row", BreakerPolicy { silent_in_a_row: 0, ..policy() }),
        ("silent_in_a_row", BreakerPolicy { silent_in_a_row: 100_001, ..policy() }),
        ("limited_in_a_row", BreakerPolicy { limited_in_a_row: 0, ..policy() }),
        ("limited_in_a_row", BreakerPolicy { limited_in_a_row: 100_001, ..policy() }),
        ("window", BreakerPolicy { window: Duration::from_millis(9), ..policy() }),
        ("window", BreakerPolicy { window: Duration::MAX, ..policy() }),
        ("cool_down", BreakerPolicy { cool_down: Duration::ZERO, ..policy() }),
        ("cool_down", BreakerPolicy { cool_down: seconds(31), ..policy() }),
        ("longest", BreakerPolicy { longest: Duration::MAX, ..policy() }),
        ("longest", BreakerPolicy { cool_down: Duration::ZERO, longest: Duration::ZERO, ..policy() }),
    ];
    for (name, policy) in wrong {
        let message = policy.validate().unwrap_err().to_string();
        assert!(message.contains(&format!("breaker.{name} is ")), "{name}: {message}");
    }
    assert_eq!(policy().validate(), Ok(()));
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![1 => Just(Outcome::Alive), 3 => Just(Outcome::Failed), 1 => Just(Outcome::Neutral)]
}

proptest! {
    /// Whatever begins and ends when: at most one probe at a time; it opens with the evidence of its window only, and
    /// then it does open; successes close it.
    #[test]
    fn it_opens_with_evidence_lets_one_probe_through_and_closes_again(
        steps in proptest::collection::vec((0..4u8, outcome(), 0..3_000u64, 0..100usize), 0..150),
        attempts in 1..8u32,
        failed_percent in 1..=100u32,
    ) {
        let policy = BreakerPolicy { attempts, failed_percent, ..policy() };
        let mut now = Instant::now();
        let mut breaker = Breaker::new(policy, now);
        // Since when it is closed, and which of the attempts that began since then ended how.
        let (mut closed, mut ended) = (now, Vec::new());
        let (mut open, mut was_closed) = (Vec::new(), true);
        for (step, outcome, millis, which) in steps {
            match step {
                0 | 1 => {
                    let (wait, state) = (breaker.wait(now), breaker.state(now));
                    let pass = breaker.enter(now);
                    prop_assert_eq!(pass.is_some(), wait.is_zero());
                    open.extend(pass.map(|pass| (pass, state, closed)));
                }
                2 if !open.is_empty() => {
                    let (pass, state, since) = open.swap_remove(which % open.len());
                    breaker.ended(pass, outcome, now);
                    if state == BreakerState::Closed && since == closed && was_closed && outcome != Outcome::Neutral {
                        ended.push((now, outcome == Outcome::Failed));
                    }
                }
                3 => now += Duration::from_millis(millis),
                _ => {}
            }
            let probes = open.iter().filter(|(_, state, _)| *state == BreakerState::HalfOpen).count();
            prop_assert!(probes <= 1);
            prop_assert!(breaker.wait(now) <= policy.longest);
            let is_closed = breaker.state(now) == BreakerState::Closed;
            if was_closed {
                // In whole tenths of the window, as the breaker counts.
                let slot = |time: Instant| time.duration_since(closed).as_millis() / 1_000;
                let lately = || ended.iter().filter(|(time, _)| slot(*time) + 10 > slot(now));
                let (all, failed) = (lately().count(), lately().filter(|(_, failed)| *failed).count());
                let has_just_failed = ended.last().is_some_and(|(time, failed)| *failed && *time == now);
                let is_bad = all >= attempts as usize && failed * 100 >= all * failed_percent as usize;
                prop_assert!(is_closed || (is_bad && has_just_failed), "{} of {}", failed, all);
                let must_open = step == 2 && is_bad && has_just_failed && outcome == Outcome::Failed;
                prop_assert!(!(is_closed && must_open), "{} of {}", failed, all);
            } else if is_closed {
                (closed, ended) = (now, Vec::new());
            }
            was_closed = is_closed;
        }
        for (pass, ..) in open {
            breaker.ended(pass, Outcome::Neutral, now);
        }
        now += breaker.wait(now);
        attempt(&mut breaker, Outcome::Alive, now);
        prop_assert_eq!(breaker.state(now), BreakerState::Closed);
    }
}

#[test]
fn after_a_row_of_refusals_a_refused_probe_keeps_it_open() {
    let mut now = Instant::now();
    let mut breaker = Breaker::new(policy(), now);
    let refused = |breaker: &mut Breaker, now| {
        let pass = breaker.enter(now).unwrap();
        breaker.ended(pass, Outcome::Alive, now);
        (pass, breaker.call_was_limited(pass, now))
    };
    let old = breaker.enter(now).unwrap();
    assert!(!refused(&mut breaker, now).1 && !refused(&mut breaker, now).1);
    assert!(!breaker.call_was_limited(old, now) && !breaker.refuses_all(), "made at the same time as the first");
    let (pass, opens) = refused(&mut breaker, now);
    assert!(opens && breaker.refuses_all() && !breaker.call_was_limited(pass, now), "it opens once");
    breaker.not_before(now + seconds(60));
    assert_eq!(breaker.wait(now), seconds(60));
    now += seconds(60);
    attempt(&mut breaker, Outcome::Failed, now);
    assert_eq!((breaker.wait(now), breaker.refuses_all()), (seconds(4), true));
    breaker.ended(old, Outcome::Answered, now);
    assert!(breaker.refuses_all(), "an answer from before says nothing");
    now += breaker.wait(now);
    attempt(&mut breaker, Outcome::Answered, now);
    assert_eq!(breaker.state(now), BreakerState::Closed);
    assert!(!refused(&mut breaker, now).1, "a new row");
    let mut off = Breaker::new(BreakerPolicy { enabled: false, ..policy() }, now);
    assert!((0..9).all(|_| !refused(&mut off, now).1));
}

#[test]
fn a_crowd_that_a_slow_server_cannot_serve_is_no_silence() {
    let now = Instant::now();
    let mut breaker = Breaker::new(policy(), now);
    let crowd: Vec<_> = (0..4).map(|_| breaker.enter(now).unwrap()).collect();
    for (pass, outcome) in crowd.into_iter().zip([Outcome::Answered].into_iter().chain([Outcome::Silent; 3])) {
        breaker.ended(pass, outcome, now);
    }
    assert_eq!(breaker.state(now), BreakerState::Closed);
    (0..3).for_each(|_| attempt(&mut breaker, Outcome::Silent, now));
    assert_eq!(breaker.state(now), BreakerState::Open);
}
