//! Does a provider whose headers lie stop the gateway, or have it send what is not allowed? On virtual time, with replies and
//! refusals of which a seeded part says nonsense about what is left and how long to wait.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use callboard_actors::chat::{ChatReply, Headroom};
use callboard_actors::error::{Limited, ModelError};
use callboard_actors::gateway::{Gateway, GatewayLimits, ModelLimits, RetryPolicy, ServedModel};
use callboard_actors::ports::{ChatModel, ModelCall};
use callboard_actors::runtime::simulated;
use common::chance::Dice;
use common::model::{MODEL, SECOND, request};
use futures_util::future::{BoxFuture, join_all};
use tokio::time::Instant;

const TAKES: Duration = Duration::from_millis(100);
const HOUR: Duration = Duration::from_secs(3600);

/// Holds so many calls at a time, and lies.
struct Liar {
    /// How many, after so many attempts.
    holds: fn(usize) -> usize,
    /// By so many hundredths an answer takes longer, at most.
    noise: u64,
    /// What it says of a lie's number.
    says: fn(u64) -> Lie,
    /// One of so many answers is a lie.
    one_of: u64,
    seen: Mutex<Seen>,
}

struct Seen {
    dice: Dice,
    now: usize,
    refused: usize,
    begun: Vec<Instant>,
}

enum Lie {
    Left(Headroom),
    /// Instead of an answer, with what it asks to wait.
    Refuses(Limited, Option<Duration>),
}

struct Door(Arc<Liar>);

impl ChatModel for Door {
    fn complete(&self, _: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        let liar = self.0.clone();
        let mut seen = liar.seen.lock().unwrap();
        seen.begun.push(Instant::now());
        let number = seen.dice.roll(1_000);
        let lie = (seen.dice.roll(liar.one_of) == 0).then(|| (liar.says)(number));
        let refusal = |limited, retry_after| ModelError::RateLimited { limited, retry_after, message: "no".to_owned() };
        let headroom = match lie {
            Some(Lie::Refuses(limited, wait)) => return Box::pin(async move { Err(refusal(limited, wait)) }),
            Some(Lie::Left(headroom)) => headroom,
            None => Headroom::default(),
        };
        if seen.now >= (liar.holds)(seen.begun.len()) {
            seen.refused += 1;
            return Box::pin(async move { Err(refusal(Limited::Concurrency, None)) });
        }
        seen.now += 1;
        let noise = if liar.noise == 0 { 0 } else { seen.dice.roll(liar.noise) };
        drop(seen);
        Box::pin(async move {
            tokio::time::sleep(TAKES * u32::try_from(100 + noise).unwrap() / 100).await;
            liar.seen.lock().unwrap().now -= 1;
            Ok(ChatReply { headroom, ..ChatReply::text("so") })
        })
    }
}

impl Liar {
    fn new(seed: u64, one_of: u64, says: fn(u64) -> Lie) -> Self {
        let seen = Seen { dice: Dice(seed), now: 0, refused: 0, begun: Vec::new() };
        Self { holds: |_| 16, noise: 0, says, one_of, seen: Mutex::new(seen) }
    }
}

/// So many calls at once of a liar; how long all of them took, and who it was.
fn all_succeed(
    seed: u64,
    calls: usize,
    requests_per_minute: Option<u64>,
    one_of: u64,
    says: fn(u64) -> Lie,
) -> (Duration, Arc<Liar>) {
    let (took, _, liar) = all_of_succeed(Liar::new(seed, one_of, says), seed, calls, requests_per_minute);
    (took, liar)
}

/// The same of this liar; with the limit that the gateway has found.
fn all_of_succeed(
    liar: Liar,
    seed: u64,
    calls: usize,
    requests_per_minute: Option<u64>,
) -> (Duration, usize, Arc<Liar>) {
    let liar = Arc::new(liar);
    let served = liar.clone();
    let ended = Arc::new(Mutex::new((Duration::ZERO, 0)));
    let noted = ended.clone();
    simulated(seed, |runtime| async move {
        let limits = ModelLimits { requests_per_minute, ..ModelLimits::default() };
        let model = ServedModel { limits, ..ServedModel::new(MODEL, Arc::new(Door(served))) };
        let retry = RetryPolicy { attempts: 10, ..RetryPolicy::default() };
        let bounds = GatewayLimits { deadline: HOUR, retry, ..GatewayLimits::default() };
        let gateway = Gateway::start(&runtime, vec![model], bounds).unwrap();
        let began = Instant::now();
        let answers = join_all((0..calls).map(|_| gateway.call(MODEL, request("x")).send())).await;
        let took = began.elapsed();
        for answer in answers {
            answer.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        }
        let info = gateway.info().await.unwrap();
        assert_eq!(info.waiting, 0);
        *noted.lock().unwrap() = (took, info.models[0].limit);
    });
    let (took, limit) = *ended.lock().unwrap();
    assert!(took > Duration::ZERO);
    (took, limit, liar)
}

/// Nothing is left, for hours, for ever, or until a moment ago.
fn nothing_left(number: u64) -> Lie {
    let reset = [Some(6 * HOUR), Some(Duration::MAX), Some(Duration::ZERO), None][number as usize % 4];
    let (requests, tokens) = [(Some(0), None), (None, Some(0)), (Some(0), Some(0))][number as usize % 3];
    Lie::Left(Headroom { requests, tokens, requests_reset: reset, tokens_reset: reset })
}

#[test]
fn a_provider_that_says_that_nothing_is_left_is_asked_again_in_some_seconds() {
    for seed in 0..8 {
        let (took, liar) = all_succeed(seed, 300, None, 30, nothing_left);
        // Some ten lies, each of which costs five seconds at most, beside two seconds of work.
        assert!(took <= 90 * SECOND, "seed {seed}: {took:?}");
        assert!(liar.seen.lock().unwrap().refused <= 30, "seed {seed}: the limit is found all the same");
    }
}

#[test]
fn what_a_provider_says_is_left_lifts_no_limit_of_ours() {
    let boundless = |_| {
        let all = Some(u64::MAX);
        Lie::Left(Headroom { requests: all, tokens: all, requests_reset: Some(Duration::ZERO), tokens_reset: None })
    };
    let (_, liar) = all_succeed(1, 100, Some(60), 1, boundless);
    let begun = std::mem::take(&mut liar.seen.lock().unwrap().begun);
    // A minute's worth at once, and one for each second.
    let within = |seconds: u32| begun.iter().filter(|at| **at < begun[0] + SECOND * seconds).count();
    assert!(within(1) <= 61 && within(11) <= 71 && within(31) <= 91, "{} {} {}", within(1), within(11), within(31));
}

#[test]
fn a_wait_for_places_is_one_calls_and_one_for_a_rate_everybodys() {
    for seed in 0..8 {
        let soon_or_later = |number: u64| {
            Lie::Refuses(Limited::Rate, [Some(Duration::ZERO), None, Some(2 * SECOND)][number as usize % 3])
        };
        let (took, _) = all_succeed(seed, 300, None, 30, soon_or_later);
        // Ten lies of a second on average, which are believed: the rate goes down with each.
        assert!(took <= 80 * SECOND, "seed {seed}: {took:?}");
        let twenty_minutes = |_| Lie::Refuses(Limited::Concurrency, Some(Duration::from_secs(1200)));
        let (took, _) = all_succeed(seed, 300, None, 100, twenty_minutes);
        assert!(took <= 3 * 1200 * SECOND, "seed {seed}: {took:?}");
    }
}

#[test]
fn a_wait_that_no_clock_can_tell_ends_its_call_and_everybody_elses_pause_after_five_minutes() {
    simulated(1, |runtime| async move {
        let rate = |_| Lie::Refuses(Limited::Rate, Some(Duration::MAX));
        let places = |_| Lie::Refuses(Limited::Concurrency, Some(Duration::MAX));
        for (says, pause) in [(rate as fn(u64) -> Lie, Duration::from_secs(300)), (places, Duration::ZERO)] {
            let liar = Arc::new(Liar::new(1, 1, says));
            let model = ServedModel::new(MODEL, Arc::new(Door(liar)));
            let bounds = GatewayLimits { deadline: HOUR, ..GatewayLimits::default() };
            let gateway = Gateway::start(&runtime, vec![model], bounds).unwrap();
            let told = gateway.call(MODEL, request("x")).send().await;
            assert!(matches!(told, Err(ModelError::RateLimited { .. })), "{told:?}");
            let began = Instant::now();
            let next = gateway.call(MODEL, request("x")).send().await;
            assert!(matches!(next, Err(ModelError::RateLimited { .. })), "it lies again: {next:?}");
            assert_eq!(began.elapsed(), pause);
        }
    });
}

/// Every kind of nonsense: about what is left, about a rate, and about calls at the same time.
fn anything(number: u64) -> Lie {
    match number % 4 {
        0 => nothing_left(number / 4),
        1 => {
            let all = Some(u64::MAX);
            Lie::Left(Headroom { requests: all, tokens: all, requests_reset: None, tokens_reset: Some(Duration::MAX) })
        }
        2 => Lie::Refuses(Limited::Rate, [None, Some(Duration::ZERO), Some(SECOND)][number as usize % 3]),
        _ => Lie::Refuses(Limited::Concurrency, [None, Some(Duration::ZERO)][number as usize % 2]),
    }
}

#[test]
fn in_a_storm_all_succeed_and_each_caller_has_his_turn() {
    const CALLERS: usize = 500;
    const EACH: usize = 12;
    for seed in 0..4 {
        // No lies: it holds 20, then 5, then 20.
        let holds = |begun| if (1_500..3_500).contains(&begun) { 5 } else { 20 };
        let server = Arc::new(Liar { holds, ..Liar::new(seed, u64::MAX, nothing_left) });
        let served = server.clone();
        simulated(seed, |runtime| async move {
            let model = ServedModel::new(MODEL, Arc::new(Door(served)));
            let gateway = Gateway::start(&runtime, vec![model], GatewayLimits::default()).unwrap();
            let turns = Mutex::new(vec![0; CALLERS]);
            let caller = async |number: usize| {
                let run = number.to_string();
                for _ in 0..EACH {
                    let answer = gateway.call(MODEL, request("x")).run(&run).send().await;
                    answer.unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
                    let mut turns = turns.lock().unwrap();
                    turns[number] += 1;
                    let (least, most) = (turns.iter().min().unwrap(), turns.iter().max().unwrap());
                    assert!(most - least <= 2, "seed {seed}: {least} to {most}");
                }
            };
            join_all((0..CALLERS).map(caller)).await;
        });
        let seen = server.seen.lock().unwrap();
        assert!((20..600).contains(&seen.refused), "seed {seed}: {} were refused", seen.refused);
    }
}

#[test]
fn a_capacity_that_steps_down_and_up_is_followed_through_noise_and_lies() {
    // What it holds after so many attempts, and what the limit may have come to at the end. After lies about a rate calls come one after
    // the other for a while, in which nobody sees how many it holds: more is found late.
    let holds: [fn(usize) -> usize; 3] =
        [|_| 16, |begun| [16, 4, 24][(begun / 250).min(2)], |begun| [4, 24, 6][(begun / 250).min(2)]];
    for (row, (holds, expected)) in holds.into_iter().zip([14..=18, 12..=28, 4..=8]).enumerate() {
        for seed in 0..8 {
            let liar = Liar { holds, noise: 100, ..Liar::new(seed, 40, anything) };
            let (took, limit, liar) = all_of_succeed(liar, seed, 1_000, None);
            let refused = liar.seen.lock().unwrap().refused;
            assert!(expected.contains(&limit), "row {row}, seed {seed}: {limit}");
            assert!(took <= 90 * SECOND && refused <= 200, "row {row}, seed {seed}: {took:?}, {refused} refused");
        }
    }
}
