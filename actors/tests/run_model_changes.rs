//! Does a run tell in its events what happens to its models: a call that falls back, a breaker, a pause, a limit? On virtual time.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use callboard_actors::chat::ChatRequest;
use callboard_actors::error::{Limited, ModelError};
use callboard_actors::event::{Event, RunEvent};
use callboard_actors::gateway::{
    BreakerPolicy, BreakerState, Gateway, GatewayLimits, ModelLimits, RetryPolicy, ServedModel,
};
use callboard_actors::research::{Status, TaskId};
use callboard_actors::runtime::{Runtime, simulated};
use callboard_actors::testkit::explore;
use common::chance::seeds;
use common::crew::*;
use common::model::{SECOND, request};
use tokio::time::Instant;

const ONE: &str = "played/one";
const TWO: &str = "played/two";

fn served(name: &str, script: impl Fn(Role, &ChatRequest, usize) -> Does + Send + Sync + 'static) -> ServedModel {
    ServedModel::new(name, Arc::new(Player { script: Box::new(script), asked: Mutex::default() }))
}

/// Two models, and a breaker that opens after so many attempts.
fn gateway(runtime: &Runtime, models: [ServedModel; 2], attempts: u32) -> Gateway {
    let retry = RetryPolicy { attempts: 2, ..RetryPolicy::default() };
    let breaker = BreakerPolicy { attempts, ..BreakerPolicy::default() };
    Gateway::start(runtime, models.into(), GatewayLimits { retry, breaker, ..GatewayLimits::default() }).unwrap()
}

/// What is told of models, and of calls only who was answered by whom.
fn told(log: &[RunEvent]) -> Vec<Event> {
    let is_of_models = |event: &&Event| {
        matches!(
            event,
            Event::ModelFellBack { .. }
                | Event::ModelBreakerChanged { .. }
                | Event::ModelPaused { .. }
                | Event::ModelLimitChanged { .. }
                | Event::ModelChangesMissed { .. }
                | Event::ModelCallFailed { .. }
        )
    };
    log.iter().map(|event| &event.event).filter(is_of_models).cloned().collect()
}

fn fell_back(role: &str, task: Option<u32>, code: &str) -> Event {
    let [role, from, to, error_code] = [role, ONE, TWO, code].map(str::to_owned);
    Event::ModelFellBack { role, task: task.map(TaskId), from, to, error_code }
}

fn breaker(breaker: BreakerState, open_ms: Option<u64>) -> Event {
    Event::ModelBreakerChanged { model: ONE.to_owned(), breaker, open_ms }
}

fn broken_down() -> ModelError {
    ModelError::Unavailable { status: 500, retry_after: None, message: "secret words".to_owned() }
}

fn limited(limited: Limited, seconds: u64) -> ModelError {
    let retry_after = Some(Duration::from_secs(seconds));
    ModelError::RateLimited { limited, retry_after, message: "secret words".to_owned() }
}

#[test]
fn a_pause_is_told_once_and_each_call_that_falls_back_because_of_it() {
    simulated(1, |runtime| async move {
        let one = served(ONE, |_, _, _| Does::Fails(limited(Limited::Rate, 200)));
        let gateway = gateway(&runtime, [one, served(TWO, |role, _, _| good(role))], 10);
        let log = events_of(&runtime, crew_of(&gateway, &[ONE, TWO])).await;
        let expected = [
            Event::ModelPaused { model: ONE.to_owned(), refused_model: ONE.to_owned(), pause_ms: 200_000 },
            fell_back("planner", None, "rate_limited"),
        ];
        assert_eq!(told(&log)[..2], expected);
        let place = |found: fn(&Event) -> bool| log.iter().position(|event| found(&event.event)).unwrap();
        let (fell, answered) = (
            place(|event| matches!(event, Event::ModelFellBack { .. })),
            place(|event| matches!(event, Event::ModelCalled { model, .. } if model == TWO)),
        );
        assert!(fell < answered, "before what comes of it");
        let json = serde_json::to_string(&log).unwrap();
        assert!(!json.contains("secret"), "{json}");
        let paused = r#""type":"model_paused","model":"played/one","refused_model":"played/one","pause_ms":200000"#;
        assert!(json.contains(paused), "{json}");
        assert!(
            json.contains(r#""type":"model_fell_back","role":"planner","task":null,"from":"played/one""#),
            "{json}"
        );
    });
}

#[test]
fn a_breaker_that_opens_lets_one_try_and_closes_is_told_in_order() {
    simulated(1, |runtime| async move {
        let one = served(ONE, |role, _, nth| match (role, nth) {
            (Role::Planner, 0) => Does::Fails(broken_down()),
            _ => good(role),
        });
        let gateway = gateway(&runtime, [one, served(TWO, |role, _, _| good(role))], 1);
        let log = events_of(&runtime, crew_of(&gateway, &[ONE])).await;
        let [open, half, closed] = [BreakerState::Open, BreakerState::HalfOpen, BreakerState::Closed];
        assert_eq!(told(&log), [breaker(open, Some(2_000)), breaker(half, None), breaker(closed, None)]);
        let json = serde_json::to_string(&log).unwrap();
        assert!(
            json.contains(
                r#""type":"model_breaker_changed","model":"played/one","breaker":"half_open","open_ms":null"#
            ),
            "{json}"
        );
    });
}

#[test]
fn behind_an_open_breaker_each_call_that_falls_back_is_told_with_its_task() {
    simulated(1, |runtime| async move {
        let one = served(ONE, |_, _, _| Does::Fails(broken_down()));
        let gateway = gateway(&runtime, [one, served(TWO, |role, _, _| good(role))], 1);
        let log = events_of(&runtime, crew_of(&gateway, &[ONE, TWO])).await;
        let expected = [
            breaker(BreakerState::Open, Some(2_000)),
            fell_back("planner", None, "unavailable"),
            fell_back("researcher", Some(1), "breaker_open"),
            fell_back("planner", None, "breaker_open"),
            fell_back("writer", None, "breaker_open"),
        ];
        assert_eq!(told(&log), expected);
    });
}

#[test]
fn a_model_that_fails_all_the_time_costs_a_run_seconds_and_not_its_deadline() {
    simulated(1, |runtime| async move {
        let broken = || served(ONE, |_, _, _| Does::Fails(broken_down()));
        let gateway = gateway(&runtime, [broken(), served(TWO, |role, _, _| good(role))], 4);
        let began = Instant::now();
        let log = events_of(&runtime, crew_of(&gateway, &[ONE])).await;
        assert!(began.elapsed() < 10 * SECOND, "{:?}", began.elapsed());
        let codes = log.iter().filter_map(|event| match &event.event {
            Event::ModelCallFailed { error_code, .. } => Some(error_code.as_str()),
            _ => None,
        });
        let retried: Vec<_> =
            log.iter().filter(|event| matches!(event.event, Event::ModelCallRetried { .. })).collect();
        let json = serde_json::to_string(&retried).unwrap();
        let first =
            r#""type":"model_call_retried","model":"played/one","error_code":"unavailable","attempt":1,"delay_ms":"#;
        assert!((1..=3).contains(&retried.len()) && json.contains(first), "{json}");
        // The planner's first call as well leaves its step to the rules, and after two the model is left alone.
        assert_eq!(codes.collect::<Vec<_>>(), ["unavailable"; 2]);
        let Some(Event::RunFinished { status: Status::Complete, .. }) = log.last().map(|event| &event.event) else {
            panic!("{log:?}")
        };
    });
}

#[test]
fn when_the_last_model_fails_too_the_fall_back_is_told_before_the_failure() {
    simulated(1, |runtime| async move {
        let fails = |_, _: &_, _| Does::Fails(ModelError::NotFound("no such model".to_owned()));
        let gateway = gateway(&runtime, [served(ONE, fails), served(TWO, fails)], 10);
        let log = events_of(&runtime, crew_of(&gateway, &[ONE, TWO])).await;
        let [role, model, error_code] = ["planner", TWO, "not_found"].map(str::to_owned);
        // One of each.
        let failed = Event::ModelCallFailed { role, task: None, model, error_code, attempts: Some(2) };
        assert_eq!(told(&log), [fell_back("planner", None, "not_found"), failed]);
    });
}

#[test]
fn a_limit_that_a_provider_lowers_is_told() {
    simulated(1, |runtime| async move {
        let tasks = r#"{"tasks": ["What is alder?", "Who has alder?", "Where is alder?", "When was alder?"]}"#;
        let one = served(ONE, move |role, _, nth| match (role, nth) {
            (Role::Planner, _) => says(tasks),
            (Role::Researcher, 0..=2) => Does::SaysAfter(SECOND, FINDING.to_owned()),
            (Role::Researcher, 3) => Does::Fails(limited(Limited::Concurrency, 5)),
            _ => good(role),
        });
        let gateway = gateway(&runtime, [one, served(TWO, |role, _, _| good(role))], 10);
        let log = events_of(&runtime, crew_of(&gateway, &[ONE])).await;
        assert_eq!(told(&log), [Event::ModelLimitChanged { model: ONE.to_owned(), limit: 4, before: 8 }]);
    });
}

#[test]
fn a_limit_that_the_program_sets_is_no_news_of_its_provider() {
    simulated(1, |runtime| async move {
        let gateway = gateway(&runtime, [ONE, TWO].map(|name| served(name, |role, _, _| good(role))), 10);
        gateway.set_model_limits(ONE, ModelLimits { max_in_flight: Some(2), ..ModelLimits::default() }).unwrap();
        assert_eq!(told(&events_of(&runtime, crew_of(&gateway, &[ONE])).await), []);
        gateway.set_limits(GatewayLimits { max_in_flight: 1, ..gateway.limits() }).unwrap();
        assert_eq!(told(&events_of(&runtime, crew_of(&gateway, &[ONE])).await), []);
    });
}

#[test]
fn every_run_hears_of_its_own_models_also_what_others_cause_or_was_before_it() {
    simulated(1, |runtime| async move {
        let slowly = |role, _: &_, _| match good(role) {
            Does::Says(text) => Does::SaysAfter(SECOND, text),
            other => other,
        };
        let one = served(ONE, move |role, request, nth| match (role, nth) {
            (Role::Writer, 0) => Does::Fails(broken_down()),
            _ => slowly(role, request, nth),
        });
        let gateway = gateway(&runtime, [one, served(TWO, slowly)], 1);
        let run =
            |models: &[&str]| runtime.research("What is alder about?", crew_of(&gateway, models), options()).unwrap();
        let (mut first, mut second, mut other) = (run(&[ONE]), run(&[TWO, ONE]), run(&[TWO]));
        let mut writer = request("x");
        writer.turns[0].text = "You write".to_owned();
        let attempt = gateway.call(ONE, writer).within(SECOND).send().await;
        assert!(attempt.is_err(), "the breaker is open for two seconds: {attempt:?}");
        let mut late = run(&[ONE]);
        for run in [&mut first, &mut second, &mut other, &mut late] {
            run.outcome().await;
        }
        let opened = breaker(BreakerState::Open, Some(2_000));
        assert_eq!((told(&first.log())[0].clone(), told(&second.log())[0].clone()), (opened.clone(), opened));
        assert_eq!(told(&other.log()), [], "it does not use that model");
        let log = late.log();
        assert!(matches!(log[0].event, Event::RunStarted { .. }));
        assert!(
            matches!(
                &log[1].event,
                Event::ModelBreakerChanged { breaker: BreakerState::Open, open_ms: Some(1..=2_000), .. }
            ),
            "{log:?}"
        );
    });
}

#[test]
fn the_same_seed_gives_the_same_changes_byte_for_byte() {
    explore(seeds(40), |seed, runtime, log| async move {
        let one = served(ONE, move |role, _, nth| match (seed + nth as u64) % 4 {
            0 => Does::Fails(broken_down()),
            1 => Does::Fails(limited(Limited::Rate, 3)),
            2 => Does::Fails(limited(Limited::Concurrency, 1)),
            _ => good(role),
        });
        let gateway = gateway(&runtime, [one, served(TWO, |role, _, _| good(role))], 2);
        let (mut left, mut right) = (
            runtime.research("What is alder about?", crew_of(&gateway, &[ONE, TWO]), options()).unwrap(),
            runtime.research("What is birch about?", crew_of(&gateway, &[ONE]), options()).unwrap(),
        );
        left.outcome().await;
        right.outcome().await;
        for event in left.log().iter().chain(&right.log()) {
            log.note(serde_json::to_string(event).unwrap());
        }
        assert!(!told(&right.log()).is_empty());
    });
}
