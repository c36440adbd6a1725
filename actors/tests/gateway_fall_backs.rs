//! Does a caller learn that his call falls back, before the next model is asked and whatever becomes of it? On virtual time.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use callboard_actors::chat_agent::{AskEvent, AskLimits, ChatAgentSpec};
use callboard_actors::error::{Limited, ModelError};
use callboard_actors::gateway::{
    BreakerPolicy, CacheMode, ChatCall, FallBack, Gateway, GatewayLimits, RetryPolicy, Source,
};
use callboard_actors::runtime::simulated;
use common::model::{SECOND, limits, request};
use common::provider::{ONE, Provider, TWO, places, two, unavailable};
use tokio::time::Instant;

fn once() -> GatewayLimits {
    let retry = RetryPolicy { attempts: 1, ..RetryPolicy::default() };
    let breaker = BreakerPolicy { enabled: false, ..BreakerPolicy::default() };
    GatewayLimits { retry, breaker, ..limits(1_000) }
}

/// What a caller was told, and when, in milliseconds.
type Told = Arc<Mutex<Vec<(FallBack, u128)>>>;

fn telling<'a>(call: ChatCall<'a>, told: &Told) -> ChatCall<'a> {
    let (told, began) = (told.clone(), Instant::now());
    call.on_fall_back(move |fell_back| {
        told.lock().unwrap().push((fell_back.clone(), began.elapsed().as_millis()));
    })
}

fn fell_back(error_code: &'static str) -> FallBack {
    FallBack { from: ONE.into(), to: TWO.into(), error_code }
}

#[test]
fn a_caller_is_told_before_the_next_model_is_asked_and_of_a_failure_too() {
    simulated(1, |runtime| async move {
        let (one, other) = (Provider::new(SECOND), Provider::new(SECOND));
        let gateway = two(&runtime, &one, &other, once());
        let told = Told::default();
        assert_eq!(&*telling(gateway.call(ONE, request("x")).or(TWO), &told).send().await.unwrap().model, ONE);
        assert!(told.lock().unwrap().is_empty(), "it did not fall back");
        one.fails(unavailable());
        let seen_then = Arc::new(Mutex::new(Vec::new()));
        let (asked, seen) = (other.clone(), seen_then.clone());
        let call = gateway.call(ONE, request("x")).or(TWO);
        let answer = call.on_fall_back(move |_| seen.lock().unwrap().push(asked.attempts())).send().await;
        assert_eq!((&*answer.unwrap().model, seen_then.lock().unwrap().clone()), (TWO, vec![0]));
        other.fails(ModelError::NotFound("no".to_owned()));
        let answer = telling(gateway.call(ONE, request("x")).or(TWO), &told).send().await;
        assert!(matches!(answer, Err(ModelError::NotFound(_))), "{answer:?}");
        assert_eq!(*told.lock().unwrap(), [(fell_back("unavailable"), 0)]);
    });
}

#[test]
fn those_that_waited_behind_a_breaker_that_opens_are_told_each() {
    simulated(1, |runtime| async move {
        let (one, other) = (Provider::new(SECOND), Provider::new(SECOND));
        let breaker = BreakerPolicy { attempts: 1, failed_percent: 1, ..BreakerPolicy::default() };
        let gateway = two(&runtime, &one, &other, GatewayLimits { breaker, ..once() });
        let told = Told::default();
        // The places are taken; one more fails when the first of them is over.
        let held: Vec<_> = (0..8).map(|_| gateway.call(ONE, request("x")).send()).collect();
        let waits: Vec<_> = (0..3).map(|_| telling(gateway.call(ONE, request("x")).or(TWO), &told).send()).collect();
        one.fails(ModelError::Unavailable { status: 500, retry_after: None, message: "secret".to_owned() });
        futures_util::future::join_all(held).await;
        for answer in futures_util::future::join_all(waits).await {
            assert_eq!(&*answer.unwrap().model, TWO);
        }
        let mut codes: Vec<_> = told.lock().unwrap().iter().map(|(told, _)| told.error_code).collect();
        codes.sort_unstable();
        assert_eq!(codes.len(), 3, "each of them once: {codes:?}");
        assert!(codes.iter().all(|code| ["breaker_open", "unavailable"].contains(code)), "{codes:?}");
    });
}

#[test]
fn whoever_follows_an_identical_call_is_told_with_its_answer_or_its_error() {
    simulated(1, |runtime| async move {
        let (one, other) = (Provider::new(SECOND), Provider::new(SECOND));
        let gateway = two(&runtime, &one, &other, once());
        one.fails(unavailable());
        for fails in [false, true] {
            other.fails(fails.then(|| ModelError::NotFound("no".to_owned())));
            let told: [Told; 3] = Default::default();
            let call = |number: usize| {
                let call = gateway.call(ONE, request("so")).or(TWO).cache(CacheMode::ReadOnly);
                telling(call, &told[number]).send()
            };
            let answers = futures_util::future::join_all((0..3).map(call)).await;
            assert!(answers.iter().all(|answer| answer.is_err() == fails), "{answers:?}");
            for told in told {
                let codes: Vec<_> = told.lock().unwrap().iter().map(|(told, _)| told.clone()).collect();
                assert_eq!(codes, [fell_back("unavailable")], "{fails}");
            }
        }
    });
}

#[test]
fn who_pays_in_the_place_of_a_leader_who_left_is_told_what_came_before() {
    simulated(1, |runtime| async move {
        let (one, other) = (Provider::new(SECOND), Provider::new(SECOND));
        let gateway = two(&runtime, &one, &other, once());
        one.fails(unavailable());
        // The second model has no place for a second.
        let held: Vec<_> = (0..8).map(|_| gateway.call(TWO, request("x")).send()).collect();
        let told = Told::default();
        let call = || gateway.call(ONE, request("so")).or(TWO).cache(CacheMode::ReadOnly);
        let leader = tokio::time::timeout(SECOND / 2, call().send());
        let follower = telling(call(), &told).send();
        let (led, followed, _) = tokio::join!(leader, follower, futures_util::future::join_all(held));
        assert!(led.is_err(), "it left");
        assert_eq!(&*followed.unwrap().model, TWO);
        let told = told.lock().unwrap().clone();
        assert_eq!(told, [(fell_back("unavailable"), 1_000)], "once, when it became its own call");
    });
}

#[test]
fn who_has_less_time_than_an_identical_call_waits_for_no_turn_of_that_one() {
    simulated(1, |runtime| async move {
        let (one, other) = (Provider::new(1_000 * SECOND), Provider::new(SECOND));
        let gateway = two(&runtime, &one, &other, GatewayLimits { deadline: 100 * SECOND, ..once() });
        let began = Instant::now();
        let call = |seconds: u32| {
            let call = gateway.call(ONE, request("so")).or(TWO).cache(CacheMode::ReadOnly).within(seconds * SECOND);
            let answered = call.send();
            async move { (answered.await.map(|answer| (answer.model.to_string(), answer.source)), began.elapsed()) }
        };
        let by = |source| Ok((TWO.to_owned(), source));
        let answers = tokio::join!(call(60), call(10), call(10), call(61));
        assert_eq!(answers.0, (by(Source::Model), 31 * SECOND));
        assert_eq!(answers.1, (by(Source::Model), 6 * SECOND), "half of its own time, and not of the other one's");
        assert_eq!(
            (&answers.2, &answers.3),
            (&(by(Source::Shared), 6 * SECOND), &answers.2),
            "whoever comes later follows it"
        );
        assert_eq!((one.attempts(), other.attempts()), (2, 2));
        // Nor does it when who leads has left: those who wait longer do so behind it.
        let began = Instant::now();
        let held: Vec<_> = (0..8).map(|_| gateway.call(ONE, request("x")).within(2 * SECOND).send()).collect();
        let call = |seconds: u32| {
            let call = gateway.call(ONE, request("so")).or(TWO).cache(CacheMode::ReadOnly).within(seconds * SECOND);
            let answered = call.send();
            async move { answered.await.map(|_| began.elapsed().as_secs()) }
        };
        let leader = tokio::time::timeout(SECOND, call(10));
        let (left, longest, longer, _) = tokio::join!(leader, call(60), call(20), futures_util::future::join_all(held));
        assert_eq!((left.is_err(), longest, longer), (true, Ok(12), Ok(12)), "two in line, nine of eighteen, and one");
    });
}

#[test]
fn who_has_more_time_is_not_told_the_error_of_a_model_that_is_asked_as_another_one_had_less() {
    simulated(1, |runtime| async move {
        let (one, other) = (Provider::new(3 * SECOND), Provider::new(SECOND));
        let gateway = two(&runtime, &one, &other, GatewayLimits { deadline: 100 * SECOND, ..once() });
        other.fails(ModelError::NotFound("no".to_owned()));
        let call = |seconds: u32| {
            gateway.call(ONE, request("so")).or(TWO).cache(CacheMode::ReadOnly).within(seconds * SECOND).send()
        };
        let began = Instant::now();
        let (hasty, also, patient) = tokio::join!(call(2), call(3), call(60));
        assert!([hasty, also].iter().all(|answer| matches!(answer, Err(ModelError::NotFound(_)))));
        assert_eq!(patient.map(|answer| answer.model.to_string()), Ok(ONE.to_owned()));
        assert_eq!((began.elapsed(), one.attempts(), other.attempts()), (4 * SECOND, 2, 1));
    });
}

#[test]
fn nor_is_who_can_wait_as_a_provider_asks_told_the_error_of_the_next_model() {
    simulated(1, |runtime| async move {
        let (one, other) = (Provider::new(SECOND), Provider::new(SECOND));
        let gateway = two(&runtime, &one, &other, GatewayLimits { deadline: 1_000 * SECOND, ..once() });
        other.fails(ModelError::NotFound("no".to_owned()));
        let call = |seconds: u32| {
            let call = gateway.call(ONE, request("so")).or(TWO).cache(CacheMode::ReadOnly).within(seconds * SECOND);
            let answered = call.send();
            async move { answered.await.map(|answer| answer.model.to_string()).map_err(|error| error.code()) }
        };
        // The first model wants everybody to wait for 20 s, which is told to somebody else.
        let refused =
            ModelError::RateLimited { limited: Limited::Rate, retry_after: Some(20 * SECOND), message: String::new() };
        one.fails(refused);
        assert!(gateway.call(ONE, request("x")).send().await.is_err());
        one.fails(None);
        let began = Instant::now();
        let (hasty, also, patient) = tokio::join!(call(10), call(38), call(60));
        assert_eq!((hasty, also), (Err("not_found"), Err("not_found")), "half of their time is less than the wait");
        assert_eq!(patient, Ok(ONE.to_owned()));
        assert!(began.elapsed() >= 20 * SECOND, "it waited as it was asked to: {:?}", began.elapsed());
        assert_eq!(other.attempts(), 1);
    });
}

#[test]
fn a_caller_that_panics_when_it_is_told_ends_nothing() {
    simulated(1, |runtime| async move {
        let (one, other) = (Provider::new(SECOND), Provider::new(SECOND));
        let gateway = two(&runtime, &one, &other, once());
        one.fails(unavailable());
        let call = gateway.call(ONE, request("x")).or(TWO);
        let answer = call.on_fall_back(|_| std::panic::resume_unwind(Box::new("on purpose"))).send().await;
        assert_eq!(&*answer.unwrap().model, TWO);
        let info = gateway.info().await.unwrap();
        assert_eq!((info.in_flight, info.waiting), (0, 0));
    });
}

#[test]
fn the_models_of_a_call_and_of_an_agent_share_its_time() {
    let (silent, slow, quick) = (1_000 * SECOND, 25 * SECOND, SECOND);
    let minute = 60 * SECOND;
    // How long each model takes, who answers, and after how long; without an answer the call's minute is over.
    let table: [(&[Duration], _, _); 6] = [
        (&[silent, quick], Some(1), 31 * SECOND),
        (&[silent, silent, quick], Some(2), 41 * SECOND),
        (&[slow, quick], Some(0), slow),
        (&[slow, quick, quick], Some(1), 21 * SECOND),
        (&[silent, silent], None, minute),
        (&[silent], None, minute),
    ];
    for (takes, answers, took) in table {
        simulated(1, |runtime| async move {
            let names = [ONE, TWO, "provider/three"];
            let served = takes.iter().zip(names).map(|(takes, name)| Provider::new(*takes).served(name, places(8)));
            let bounds = GatewayLimits { deadline: 2 * minute, ..once() };
            let gateway = Gateway::start(&runtime, served.collect(), bounds).unwrap();
            let names = &names[..takes.len()];
            let call = gateway.call(names[0], request("x")).within(minute);
            let began = Instant::now();
            let answer = names[1..].iter().fold(call, |call, name| call.or(name)).send().await;
            assert_eq!(answer.ok().map(|answer| answer.model.to_string()).as_deref(), answers.map(|nth| names[nth]));
            assert_eq!(began.elapsed(), took, "{takes:?}");
            let limits = AskLimits { time: minute, ..AskLimits::default() };
            let agent = ChatAgentSpec::new("assistant", &gateway, names[0]).limits(limits);
            let agent = names[1..].iter().fold(agent, |agent, name| agent.fallback(*name)).start().unwrap();
            let began = Instant::now();
            assert_eq!(agent.ask("x").await.is_ok(), answers.is_some(), "{takes:?}");
            assert_eq!(began.elapsed(), took, "{takes:?}");
        });
    }
}

#[test]
fn who_waits_in_the_line_of_a_silent_model_turns_to_the_next_one_in_time() {
    simulated(1, |runtime| async move {
        let (one, other) = (Provider::new(1_000 * SECOND), Provider::new(SECOND));
        let gateway = two(&runtime, &one, &other, GatewayLimits { deadline: 100 * SECOND, ..once() });
        let _held: Vec<_> = (0..8).map(|_| gateway.call(ONE, request("x")).send()).collect();
        let told = Told::default();
        let answer = telling(gateway.call(ONE, request("x")).or(TWO).within(60 * SECOND), &told).send().await;
        assert_eq!((&*answer.unwrap().model, one.attempts()), (TWO, 8));
        assert_eq!(*told.lock().unwrap(), [(fell_back("timeout"), 30_000)]);
    });
}

#[test]
fn a_reader_of_an_ask_sees_the_fall_back_when_it_happens() {
    simulated(1, |runtime| async move {
        let (one, other) = (Provider::new(SECOND), Provider::new(SECOND));
        let gateway = two(&runtime, &one, &other, once());
        one.fails(unavailable());
        let agent = ChatAgentSpec::new("assistant", &gateway, ONE).fallback(TWO).start().unwrap();
        let (began, mut stream) = (Instant::now(), agent.ask_stream("x"));
        assert_eq!(stream.next().await, Some(AskEvent::FellBack(fell_back("unavailable"))));
        assert!(began.elapsed() < Duration::from_millis(10), "before the next one answers: {:?}", began.elapsed());
        assert_eq!(stream.answer().await.unwrap().text, "x");
        one.fails(None);
        let mut stream = agent.ask_stream("y");
        while let Some(event) = stream.next().await {
            assert!(!matches!(event, AskEvent::FellBack(_)), "{event:?}");
        }
    });
}
