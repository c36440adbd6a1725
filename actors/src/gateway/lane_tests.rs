//! Does a lane keep to its places, rates and pauses, and is nothing taken by what is not made?

use super::*;

fn lane(requests: Option<u64>, tokens: Option<u64>, now: Instant) -> Lane {
    let limits = ModelLimits { max_in_flight: Some(2), requests_per_minute: requests, tokens_per_minute: tokens };
    Lane::new(&limits, &GatewayLimits::default(), now)
}

#[test]
fn places_come_back_and_rates_do_not() {
    let now = Instant::now();
    let mut lane = lane(Some(3), None, now);
    assert!(lane.enter(0, now).is_some() && lane.enter(0, now).is_some());
    assert!(lane.enter(0, now).is_none(), "no place");
    lane.leave(0, None);
    assert!(lane.enter(0, now).is_some());
    lane.leave(0, None);
    assert!(lane.enter(0, now).is_none(), "three a minute");
    assert_eq!(lane.wait(0, now), Duration::from_secs(20));
    assert_eq!(lane.in_flight(), 1);
}

#[test]
fn tokens_are_reserved_and_settled() {
    let now = Instant::now();
    let mut lane = lane(None, Some(600), now);
    assert!(lane.enter(600, now).is_some());
    assert_eq!(lane.wait(100, now), Duration::from_secs(10));
    lane.leave(600, Some(500));
    assert!(lane.enter(100, now).is_some());
    lane.leave(100, None);
    assert_eq!(lane.wait(100, now), Duration::from_secs(10), "what nobody knows counts in full");
}

#[test]
fn one_too_many_is_no_failure_of_the_model_and_one_that_is_refused_alone_is() {
    let (now, held) = (Instant::now(), Duration::from_millis(5));
    let limits = ModelLimits { max_in_flight: Some(32), ..ModelLimits::default() };
    let mut lane = Lane::new(&limits, &GatewayLimits::default(), now);
    for status in [503, 529] {
        let full = ModelError::Unavailable { status, retry_after: None, message: String::new() };
        let end = |lane: &mut Lane, entry, how| {
            lane.leave(0, None);
            lane.ended(entry, (Some(how), false), held, now);
        };
        let mut entries: Vec<_> = (0..32).map_while(|_| lane.enter(0, now)).collect();
        let served = entries.split_off(entries.len() / 2);
        entries.into_iter().for_each(|entry| end(&mut lane, entry, Err(&full)));
        assert!(!lane.is_broken(now) && lane.max_in_flight() < 32, "{status}: fewer are tried");
        served.into_iter().for_each(|entry| end(&mut lane, entry, Ok(())));
        for _ in 0..60 {
            assert!(!lane.is_broken(now), "{status}");
            let Some(entry) = lane.enter(0, now) else { break };
            end(&mut lane, entry, Err(&full));
            if lane.is_broken(now) {
                break;
            }
        }
        assert!(lane.is_broken(now), "{status}: it refuses whoever comes");
        lane = Lane::new(&limits, &GatewayLimits::default(), now);
    }
}

/// A lane whose breaker has opened and whose first probe has failed, an attempt from before that, and the time.
fn nobody_there() -> (Lane, Entry, Instant) {
    let (mut now, held) = (Instant::now(), Duration::ZERO);
    let limits = ModelLimits { max_in_flight: Some(100), ..ModelLimits::default() };
    let mut lane = Lane::new(&limits, &GatewayLimits::default(), now);
    let nobody = ModelError::Network { sent: false, message: "refused".to_owned() };
    let old = lane.enter(0, now).unwrap();
    let entries: Vec<_> = (0..10).map(|_| lane.enter(0, now).unwrap()).collect();
    entries.into_iter().for_each(|entry| lane.ended(entry, (Some(Err(&nobody)), false), held, now));
    assert!(lane.is_broken(now) && !lane.is_given_up(true, now), "the first probe is waited for");
    now += lane.broken_for(now);
    let probe = lane.enter(0, now).unwrap();
    lane.ended(probe, (Some(Err(&nobody)), false), held, now);
    (lane, old, now)
}

#[test]
fn what_began_before_says_nothing_of_a_model_that_fails_now() {
    let (mut lane, old, now) = nobody_there();
    assert!(lane.is_given_up(false, now));
    let unavailable = ModelError::Unavailable { status: 500, retry_after: None, message: String::new() };
    for end in [Ok(()), Err(&unavailable)] {
        lane.ended(old, (Some(end), false), Duration::ZERO, now);
        assert!(lane.is_given_up(false, now), "{end:?}");
    }
    let wait = lane.wait(0, now);
    assert!(matches!(lane.refusal(wait, now + wait, now), ModelError::BreakerOpen { .. }));
}

#[test]
fn a_breaker_is_not_told_as_open_for_as_long_as_a_pause() {
    let (mut lane, _, now) = nobody_there();
    let until = lane.broken_for(now);
    let wait = lane.wait(0, now);
    assert_eq!((wait, lane.refusal(wait, now + wait, now).code()), (until, "breaker_open"));
    lane.pause(now + until + Duration::from_secs(60), &"one".into());
    let wait = lane.wait(0, now);
    let refusal = lane.refusal(wait, now + wait, now);
    assert_eq!(
        refusal,
        ModelError::Paused { retry_after: until + Duration::from_secs(60), refused_model: "one".into() }
    );
}

#[test]
fn a_pause_holds_for_everybody_and_the_longest_one_counts() {
    let now = Instant::now();
    let mut lane = lane(None, None, now);
    lane.pause(now + Duration::from_secs(5), &"one".into());
    lane.pause(now + Duration::from_secs(2), &"two".into());
    assert_eq!(lane.paused(now).map(|(_, by)| &**by), Some("one"));
    assert!(lane.enter(0, now + Duration::from_secs(4)).is_none());
    assert!(lane.enter(0, now + Duration::from_secs(5)).is_some());
}

#[test]
fn what_the_provider_says_is_left_is_heeded() {
    let now = Instant::now();
    let (mut ours, mut theirs) = (lane(Some(60), None, now), lane(None, None, now));
    let headroom = Headroom { requests: Some(0), requests_reset: Some(Duration::from_secs(7)), ..Headroom::default() };
    for lane in [&mut ours, &mut theirs] {
        lane.heed(&headroom, now);
    }
    assert_eq!(ours.wait(0, now), Duration::from_secs(1));
    assert_eq!(theirs.wait(0, now), LONGEST_GUESS);
    let soon = Headroom { tokens: Some(0), tokens_reset: Some(Duration::from_secs(1)), ..Headroom::default() };
    let mut fresh = lane(None, None, now);
    fresh.heed(&soon, now);
    assert_eq!(fresh.wait(0, now), Duration::from_secs(1));
    // A guess is nothing that the provider asked for, and hides nothing that it does.
    assert_eq!(theirs.paused_for(now), Duration::ZERO);
    let mut pause = |seconds| theirs.pause(now + Duration::from_secs(seconds), &"one".into());
    assert!(pause(3) && !pause(2));
    assert_eq!((theirs.paused_for(now), theirs.wait(0, now)), (Duration::from_secs(3), LONGEST_GUESS));
}

#[test]
fn new_limits_keep_what_is_in_flight_what_is_left_and_the_pause() {
    let now = Instant::now();
    let limits = |max_in_flight, requests, tokens| ModelLimits {
        max_in_flight: Some(max_in_flight),
        requests_per_minute: requests,
        tokens_per_minute: tokens,
    };
    let mut lane = lane(Some(4), None, now);
    assert!(lane.enter(100, now).is_some() && lane.enter(100, now).is_some() && !lane.has_place());
    lane.set_limits(&limits(3, Some(60), Some(600)), 64, now);
    assert_eq!((lane.in_flight(), lane.has_place()), (2, true));
    assert_eq!(lane.wait(400, now), Duration::ZERO, "half of the requests are left");
    assert_eq!(lane.wait(401, now), Duration::from_millis(100), "those in flight have reserved 200");
    lane.set_limits(&limits(1, None, Some(600)), 64, now);
    lane.leave(100, Some(50));
    assert!(!lane.has_place(), "one is one too many for another");
    assert_eq!(lane.wait(450, now), Duration::ZERO);
    lane.pause(now + Duration::from_secs(9), &"one".into());
    lane.set_limits(&limits(5, None, None), 64, now);
    assert_eq!(lane.wait(450, now), Duration::from_secs(9));
    lane.set_limits(&limits(5, None, Some(600)), 64, now);
    let later = now + Duration::from_secs(9);
    assert_eq!((lane.wait(500, later), lane.wait(600, later)), (Duration::ZERO, Duration::from_secs(1)));
}

#[test]
fn a_call_that_was_not_made_takes_nothing() {
    let now = Instant::now();
    let mut lane = lane(Some(1), Some(100), now);
    assert!(lane.enter(100, now).is_some());
    lane.take_back(100);
    assert_eq!((lane.in_flight(), lane.wait(100, now)), (0, Duration::ZERO));
}
