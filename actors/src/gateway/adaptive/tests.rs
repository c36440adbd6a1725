//! Does the limit find what the provider holds, and follow it?

use std::time::Duration;

use proptest::prelude::*;
use tokio::time::Instant;

use super::simulation::{Provider, Tenth, limit_of, refused, run};
use super::{AdaptiveLimit, Answer};

const SEEDS: std::ops::Range<u64> = 0..12;

#[test]
fn a_burst_at_a_provider_that_holds_16_succeeds_and_is_seldom_refused_afterwards() {
    for (first, ceiling) in [(8, 64), (32, 32), (64, 64)] {
        for seed in SEEDS {
            let mut limit = AdaptiveLimit::new(first, ceiling);
            let (seen, took) = run(&mut limit, &Provider::new(16, 100.0), (128, 1, 0), seed);
            assert_eq!(seen.iter().map(|tenth| tenth.fine).sum::<usize>(), 128);
            assert!(took <= 1_800, "{first} of {ceiling}, seed {seed}: {took} ms");
            let mut limit = AdaptiveLimit::new(first, ceiling);
            let (seen, _) = run(&mut limit, &Provider::new(16, 100.0), (64, 0, 20_000), seed);
            let share = refused(&seen, 1, 20);
            assert!(share <= 0.03, "{first} of {ceiling}, seed {seed}: {share}");
            assert!((15.0..=17.5).contains(&limit_of(&seen, 2, 20)), "{}", limit_of(&seen, 2, 20));
        }
    }
}

#[test]
fn slow_calls_are_refused_as_seldom_as_fast_ones() {
    for seed in SEEDS {
        let mut limit = AdaptiveLimit::new(8, 64);
        let (seen, _) = run(&mut limit, &Provider::new(16, 20_000.0), (64, 0, 3_600_000), seed);
        let share = refused(&seen, 60, 3_600);
        assert!(share <= 0.03, "seed {seed}: {share}");
    }
}

#[test]
fn a_storm_is_weathered_and_the_limit_follows_the_provider() {
    for seed in SEEDS {
        let mut provider = Provider::new(20, 100.0);
        provider.holds.extend([(30_000, 5), (60_000, 20)]);
        let mut limit = AdaptiveLimit::new(8, 64);
        let (seen, _) = run(&mut limit, &provider, (500, 0, 120_000), seed);
        for (from, to, holds) in [(5, 30, 20.0), (35, 60, 5.0), (80, 120, 20.0)] {
            let mean = limit_of(&seen, from, to);
            assert!((mean - holds).abs() <= holds / 4.0, "seed {seed}, from {from} s: {mean} for {holds}");
            let share = refused(&seen, from, to);
            assert!(share <= 0.03, "seed {seed}, from {from} s: {share}");
        }
    }
}

#[test]
fn a_small_step_down_is_noticed_too() {
    for seed in SEEDS {
        let mut provider = Provider::new(20, 100.0);
        provider.holds.push((20_000, 18));
        let mut limit = AdaptiveLimit::new(8, 64);
        let (seen, _) = run(&mut limit, &provider, (64, 0, 60_000), seed);
        assert!(refused(&seen, 25, 60) <= 0.03, "seed {seed}: {}", refused(&seen, 25, 60));
        assert!(limit_of(&seen, 25, 60) < 19.0);
    }
}

#[test]
fn noise_does_not_close_the_gateway() {
    for (noise, seed) in [0.01, 0.05].into_iter().flat_map(|noise| SEEDS.map(move |seed| (noise, seed))) {
        let provider = Provider { noise, ..Provider::new(usize::MAX, 100.0) };
        let mut limit = AdaptiveLimit::new(8, 64);
        let (seen, _) = run(&mut limit, &provider, (200, 0, 120_000), seed);
        let mean = limit_of(&seen, 20, 120);
        assert!(mean > 32.0, "noise {noise}, seed {seed}: {mean}");
    }
}

#[test]
fn calls_that_differ_in_length_are_not_slowed() {
    for seed in SEEDS {
        let provider = Provider { sigma: 1.0, ..Provider::new(usize::MAX, 500.0) };
        let mut limit = AdaptiveLimit::new(8, 64);
        let (seen, _) = run(&mut limit, &provider, (200, 0, 300_000), seed);
        let mean = limit_of(&seen, 20, 300);
        assert!(mean >= 0.8 * 64.0, "seed {seed}: {mean}");
    }
}

#[test]
fn a_provider_that_slows_down_under_load_is_given_less() {
    for seed in SEEDS {
        let provider = Provider { shares_beyond: 16, sigma: 0.3, ..Provider::new(usize::MAX, 100.0) };
        let mut limit = AdaptiveLimit::new(8, 128);
        let (seen, _) = run(&mut limit, &provider, (200, 0, 300_000), seed);
        let mean = limit_of(&seen, 20, 300);
        assert!((10.0..=48.0).contains(&mean), "seed {seed}: {mean}");
    }
}

#[test]
fn a_model_that_has_become_slower_for_good_is_not_slowed_for_ever() {
    let mut limit = AdaptiveLimit::new(64, 64);
    run(&mut limit, &Provider::new(usize::MAX, 100.0), (200, 0, 20_000), 1);
    assert_eq!(limit.limit(), 64);
    let (seen, _) = run(&mut limit, &Provider::new(usize::MAX, 400.0), (200, 0, 60_000), 1);
    assert!(seen.iter().any(|tenth| tenth.limit < 40), "less was tried");
    assert!(limit_of(&seen, 40, 60) > 60.0, "{}", limit_of(&seen, 40, 60));
    let comes_back = |pair: &[Tenth]| pair[0].limit <= 32 && pair[1].limit == 64;
    assert!(seen.windows(2).any(comes_back), "at once, when half of the calls are no faster");
}

#[test]
fn a_model_that_has_become_a_little_slower_for_good_is_given_more_again() {
    for millis in [160.0, 180.0, 195.0] {
        let mut limit = AdaptiveLimit::new(8, 64);
        // Few ask, and know how fast it was.
        run(&mut limit, &Provider::new(usize::MAX, 100.0), (8, 0, 20_000), 1);
        assert!(limit.limit() < 12);
        let (seen, _) = run(&mut limit, &Provider::new(usize::MAX, millis), (200, 0, 60_000), 1);
        assert!(limit_of(&seen, 50, 60) > 48.0, "{millis}: {}", limit_of(&seen, 50, 60));
    }
}

#[test]
fn what_is_over_within_milliseconds_is_not_slow() {
    // With 64 calls eight times as slow as with one: so much is late threads of a busy machine.
    let provider = Provider { shares_beyond: 8, ..Provider::new(usize::MAX, 0.5) };
    let mut limit = AdaptiveLimit::new(8, 64);
    let (seen, _) = run(&mut limit, &provider, (200, 0, 3_000), 1);
    assert!(seen[1..].iter().all(|tenth| tenth.limit == 64), "{:?}", seen.last());
}

#[test]
fn what_a_provider_asks_for_does_not_change_the_limit() {
    for asks in [None, Some(0), Some(5_000)] {
        let provider = Provider { asks, ..Provider::new(16, 100.0) };
        let mut limit = AdaptiveLimit::new(64, 64);
        let (seen, _) = run(&mut limit, &provider, (128, 0, 20_000), 3);
        let mean = limit_of(&seen, 2, 20);
        assert!((15.0..=17.5).contains(&mean), "{asks:?}: {mean}");
    }
}

#[test]
fn a_limit_that_nobody_comes_up_to_stays() {
    let mut limit = AdaptiveLimit::new(8, 64);
    run(&mut limit, &Provider::new(16, 100.0), (4, 0, 60_000), 1);
    assert_eq!(limit.limit(), 8);
    limit.set_ceiling(8, 4);
    assert_eq!(limit.limit(), 4);
}

#[test]
fn a_limit_at_its_ceiling_goes_with_it() {
    let mut limit = AdaptiveLimit::new(16, 16);
    limit.set_ceiling(32, 32);
    assert_eq!(limit.limit(), 32);
    // Without a limit of its own a model began with 8, whatever all together may have.
    let mut limit = AdaptiveLimit::new(8, 64);
    for (ceiling, expected) in [(4, 4), (64, 8), (2, 2), (6, 6), (64, 8)] {
        limit.set_ceiling(8, ceiling);
        assert_eq!(limit.limit(), expected);
    }
}

#[test]
fn refusals_after_a_decrease_for_latency_take_no_more_than_half_either() {
    let (mut limit, mut now) = (AdaptiveLimit::new(20, 20), Instant::now());
    let mut takes = |limit: &mut AdaptiveLimit, millis| {
        let stamp = limit.began(20, now);
        now += Duration::from_millis(millis);
        limit.ended(stamp, Answer::Fine, 19, Duration::from_millis(millis), now);
        now
    };
    for _ in 0..40 {
        takes(&mut limit, 20);
    }
    let began = takes(&mut limit, 20);
    let before: Vec<_> = (0..10).map(|_| limit.began(20, began)).collect();
    let mut now = began;
    while limit.round == 0 {
        now = takes(&mut limit, 500);
    }
    for stamp in before {
        limit.ended(stamp, Answer::Refused, 1, Duration::from_millis(500), now);
    }
    assert_eq!(limit.limit(), 10);
}

/// So many calls at the limit, one after the other, each answered after 20 ms.
fn answers(limit: &mut AdaptiveLimit, calls: usize, now: &mut Instant) {
    for _ in 0..calls {
        ends(limit, Answer::Fine, now);
    }
}

/// A call at the limit ends so after 20 ms, while all others are still in flight.
fn ends(limit: &mut AdaptiveLimit, how: Answer, now: &mut Instant) {
    let (at, took) = (limit.limit(), Duration::from_millis(20));
    let stamp = limit.began(at, *now);
    *now += took;
    limit.ended(stamp, how, at - 1, took, *now);
}

#[test]
fn a_minute_after_the_last_refusal_there_is_no_more_patience_than_at_first() {
    for (later, answers_before_growth) in [(Duration::ZERO, 100), (Duration::from_secs(61), 50)] {
        let (mut limit, mut now) = (AdaptiveLimit::new(8, 64), Instant::now());
        ends(&mut limit, Answer::Refused, &mut now);
        assert_eq!(limit.limit(), 7);
        now += later;
        answers(&mut limit, answers_before_growth - 1, &mut now);
        assert_eq!(limit.limit(), 7, "{later:?}");
        answers(&mut limit, 1, &mut now);
        assert_eq!(limit.limit(), 8, "{later:?}");
    }
}

#[test]
fn refusals_with_answers_between_them_stay_noise_however_many_there_are() {
    let (mut limit, mut now) = (AdaptiveLimit::new(8, 8), Instant::now());
    answers(&mut limit, 8, &mut now);
    for _ in 0..100 {
        ends(&mut limit, Answer::Refused, &mut now);
        answers(&mut limit, 2, &mut now);
        assert_eq!(limit.limit(), 8);
    }
    (0..8).for_each(|_| ends(&mut limit, Answer::Refused, &mut now));
    assert!(limit.limit() < 8, "in a row they are none");
}

#[test]
fn what_began_two_rounds_ago_says_nothing_when_it_is_refused() {
    let (mut limit, mut now) = (AdaptiveLimit::new(16, 16), Instant::now());
    let old = limit.began(16, now);
    for expected in [15, 14] {
        ends(&mut limit, Answer::Refused, &mut now);
        assert_eq!(limit.limit(), expected);
    }
    limit.ended(old, Answer::Refused, 3, Duration::from_millis(40), now);
    assert_eq!(limit.limit(), 14);
}

proptest! {
    /// Whatever ends how: between 1 and the ceiling; no refusal raises it; none lowers it below half of what it was when its
    /// round began.
    #[test]
    fn no_end_of_a_call_breaks_the_bounds(
        ends in proptest::collection::vec((0..3u8, 0..6usize, 1..1_000u64, 0..4u64), 1..400),
        first in 1..40usize,
        ceiling in 1..40usize,
    ) {
        let mut now = Instant::now();
        let mut limit = AdaptiveLimit::new(first, ceiling);
        let mut flying = Vec::new();
        let (mut round, mut at_its_begin) = (0, limit.limit());
        for (kind, pick, took, begins) in ends {
            for _ in 0..begins {
                if flying.len() < limit.limit() {
                    flying.push(limit.began(flying.len() + 1, now));
                }
            }
            if flying.is_empty() {
                continue;
            }
            let stamp = flying.remove(pick % flying.len());
            now += Duration::from_millis(took);
            let before = limit.limit();
            let answer = [Answer::Fine, Answer::Refused, Answer::Other][usize::from(kind)];
            limit.ended(stamp, answer, flying.len(), Duration::from_millis(took), now);
            prop_assert!((1..=ceiling).contains(&limit.limit()));
            if limit.round != round {
                at_its_begin = before;
            }
            if answer == Answer::Refused {
                prop_assert!(limit.limit() <= before);
                prop_assert!(limit.limit() >= before.min(at_its_begin / 2));
            }
            if answer == Answer::Other {
                prop_assert_eq!(limit.limit(), before);
            }
            round = limit.round;
        }
    }
}
