//! Does a part of a run say that it waits because a provider asked for that, whose refusal that was, and when it goes on? On virtual time.

mod common;

use std::iter;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callboard_actors::chat::ChatRequest;
use callboard_actors::error::{Limited, ModelError};
use callboard_actors::event::{Event, RunEvent};
use callboard_actors::gateway::{Gateway, GatewayLimits, ModelLimits, RetryPolicy, ServedModel};
use callboard_actors::ports::RateKey;
use callboard_actors::research::TaskId;
use callboard_actors::runtime::{Runtime, simulated};
use common::crew::*;
use common::model::{SECOND, request};

const ONE: &str = "played/one";
const TWO: &str = "played/two";

/// A model with one place for calls, whose key is that of all others here.
fn served(name: &str, script: impl Fn(Role, &ChatRequest, usize) -> Does + Send + Sync + 'static) -> ServedModel {
    let model = Arc::new(Player { script: Box::new(script), asked: Mutex::default() });
    let limits = ModelLimits { max_in_flight: Some(1), ..ModelLimits::default() };
    let rate_key = Some(RateKey::of("https://here", Some("key")));
    ServedModel { limits, rate_key, ..ServedModel::new(name, model) }
}

fn gateway(runtime: &Runtime, models: Vec<ServedModel>) -> Gateway {
    let retry = RetryPolicy { attempts: 2, ..RetryPolicy::default() };
    Gateway::start(runtime, models, GatewayLimits { retry, ..GatewayLimits::default() }).unwrap()
}

fn limited(about: Limited, wait: Duration) -> Does {
    Does::Fails(ModelError::RateLimited { limited: about, retry_after: Some(wait), message: "secret words".to_owned() })
}

/// What is told of the calls of a run, with the second of it, rounded down, as is the share of chance in their waits.
fn told(log: &[RunEvent]) -> Vec<(u64, Event)> {
    let is_of_calls = |event: &&RunEvent| {
        matches!(
            event.event,
            Event::ModelCallPaused { .. } | Event::ModelCallResumed { .. } | Event::ModelFellBack { .. }
        )
    };
    let mut told: Vec<_> =
        log.iter().filter(is_of_calls).map(|event| (event.at_ms / 1_000, event.event.clone())).collect();
    for (_, event) in &mut told {
        if let Event::ModelCallPaused { pause_ms, .. } = event {
            *pause_ms -= *pause_ms % 1_000;
        }
    }
    told
}

fn paused(role: &str, task: Option<u32>, refused: &str, pause_ms: u64) -> Event {
    let [role, model, refused_model] = [role, ONE, refused].map(str::to_owned);
    Event::ModelCallPaused { role, task: task.map(TaskId), model, refused_model, pause_ms }
}

fn resumed(role: &str, task: Option<u32>) -> Event {
    Event::ModelCallResumed { role: role.to_owned(), task: task.map(TaskId), model: ONE.to_owned() }
}

fn fell_back(error_code: &str) -> Event {
    let [role, from, to, error_code] = ["planner", ONE, TWO, error_code].map(str::to_owned);
    Event::ModelFellBack { role, task: None, from, to, error_code }
}

#[test]
fn each_role_says_that_it_waits_for_its_own_refusal_and_that_it_goes_on() {
    simulated(1, |runtime| async move {
        let script = |role, _: &ChatRequest, nth| match (role, nth) {
            (Role::Planner | Role::Researcher | Role::Writer, 0) => limited(Limited::Rate, 3 * SECOND),
            _ => good(role),
        };
        let log = events_of(&runtime, crew_of(&gateway(&runtime, vec![served(ONE, script)]), &[ONE])).await;
        let roles = [("planner", None), ("researcher", Some(1)), ("writer", None)];
        let waits = |(role, task)| [paused(role, task, ONE, 3_000), resumed(role, task)];
        let (at, events): (Vec<_>, Vec<_>) = told(&log).into_iter().unzip();
        assert_eq!(events, roles.map(waits).concat());
        assert!(at.chunks(2).all(|pair| pair[1] >= pair[0] + 3), "not before the pause is over: {at:?}");
        let place = |found: fn(&Event) -> bool| log.iter().position(|event| found(&event.event)).unwrap();
        let resumed = place(|event| matches!(event, Event::ModelCallResumed { .. }));
        assert!(resumed < place(|event| matches!(event, Event::ModelCalled { .. })), "before what comes of it");
        let json = serde_json::to_string(&log).unwrap();
        let line = r#""type":"model_call_paused","role":"planner","task":null,"model":"played/one","refused_model":"played/one","pause_ms":3"#;
        assert!(json.contains(line) && !json.contains("secret"), "{json}");
    });
}

#[test]
fn a_call_that_is_made_again_tells_one_wait_with_its_share_of_chance() {
    let busy = || ModelError::Unavailable { status: 503, retry_after: Some(3 * SECOND), message: String::new() };
    let late =
        || ModelError::RateLimited { limited: Limited::Rate, retry_after: Some(3 * SECOND), message: String::new() };
    for fails in [busy, late] {
        simulated(1, move |runtime| async move {
            let script = move |role, _: &ChatRequest, nth| match (role, nth) {
                (Role::Planner, 0) => Does::Fails(fails()),
                _ => good(role),
            };
            let log = events_of(&runtime, crew_of(&gateway(&runtime, vec![served(ONE, script)]), &[ONE])).await;
            let waits = log.iter().filter_map(|event| match event.event {
                Event::ModelCallPaused { pause_ms, .. } => Some(pause_ms),
                Event::ModelCallRetried { delay_ms, .. } => Some(delay_ms),
                _ => None,
            });
            let waits: Vec<_> = waits.collect();
            assert!(waits.len() == 2 && waits[0] == waits[1] && waits[0] >= 3_000, "{waits:?}");
            // After a refusal for a rate there is nothing to spread: calls start one after the other.
            let is_spread = !matches!(fails(), ModelError::RateLimited { .. });
            assert_eq!(waits[0] > 3_000, is_spread, "{waits:?}");
        });
    }
}

#[test]
fn who_comes_while_another_model_with_its_key_is_paused_is_told_whose_refusal_it_is() {
    simulated(1, |runtime| async move {
        let refuses = |_, _: &ChatRequest, _| limited(Limited::Rate, 10 * SECOND);
        let gateway = gateway(&runtime, vec![served(ONE, |role, _, _| good(role)), served(TWO, refuses)]);
        let other = gateway.call(TWO, request("You plan something else")).within(SECOND).send();
        other.await.unwrap_err();
        let log = events_of(&runtime, crew_of(&gateway, &[ONE])).await;
        let expected = [(0, paused("planner", None, TWO, 10_000)), (10, resumed("planner", None))];
        assert_eq!(told(&log), expected);
        let [model, refused_model] = [ONE, TWO].map(str::to_owned);
        assert_eq!(log[1].event, Event::ModelPaused { model, refused_model, pause_ms: 10_000 }, "also of the model");
    });
}

#[test]
fn who_stands_in_line_when_a_pause_begins_is_told_as_well() {
    simulated(1, |runtime| async move {
        let script = |role, _: &ChatRequest, nth| match (role, nth) {
            (Role::Planner, _) => says(r#"{"tasks": ["What is the alder protocol?", "What is the birch protocol?"]}"#),
            (Role::Researcher, 0) => limited(Limited::Rate, 3 * SECOND),
            _ => good(role),
        };
        let log = events_of(&runtime, crew_of(&gateway(&runtime, vec![served(ONE, script)]), &[ONE])).await;
        let mut events: Vec<_> = told(&log).into_iter().map(|(_, event)| event).collect();
        let of = |task| [paused("researcher", Some(task), ONE, 3_000), resumed("researcher", Some(task))];
        assert_eq!(events.len(), 4, "{events:?}");
        let goes_on = events.split_off(2);
        assert!([1, 2].into_iter().all(|task| events.contains(&of(task)[0]) && goes_on.contains(&of(task)[1])));
    });
}

#[test]
fn a_wait_that_is_over_at_once_is_not_told_nor_one_for_a_place() {
    for about in [Limited::Rate, Limited::Concurrency] {
        let wait = if about == Limited::Rate { SECOND / 2 - Duration::from_millis(1) } else { Duration::ZERO };
        simulated(1, move |runtime| async move {
            let script = move |role, _: &ChatRequest, nth| match (role, nth) {
                (Role::Planner, 0) => limited(about, wait),
                _ => good(role),
            };
            let log = events_of(&runtime, crew_of(&gateway(&runtime, vec![served(ONE, script)]), &[ONE])).await;
            assert_eq!(told(&log), [], "{about:?}");
        });
    }
}

/// A run whose planner waits so many seconds for its first model, while another one with its key is refused for this pause.
async fn beside(runtime: &Runtime, (about, wait): (Limited, u32), pause: Duration, models: &[&str]) -> Vec<RunEvent> {
    let script = move |role, _: &ChatRequest, nth| match (role, nth) {
        (Role::Planner, 0) => limited(about, wait * SECOND),
        _ => good(role),
    };
    let refuses = move |_, _: &ChatRequest, _| limited(Limited::Rate, pause);
    let three = ServedModel { name: "played/three".to_owned(), ..served(TWO, refuses) };
    let two = ServedModel { rate_key: None, ..served(TWO, |role, _, _| good(role)) };
    let gateway = gateway(runtime, vec![served(ONE, script), two, three]);
    let mut run = runtime.research("What is alder about?", crew_of(&gateway, models), options()).unwrap();
    tokio::time::sleep(SECOND).await;
    let other = gateway.call("played/three", request("You plan something else")).within(SECOND).send();
    other.await.unwrap_err();
    run.outcome().await;
    run.log()
}

/// All that is told of the planner's first call until it is answered.
fn of_planner(log: &[RunEvent]) -> Vec<Event> {
    let is_answer = |event: &RunEvent| matches!(&event.event, Event::ModelCalled { role, .. } if role == "planner");
    let answered = log.iter().position(is_answer).expect("the planner's model answers");
    let told = told(&log[..answered]).into_iter().map(|(_, event)| event);
    told.filter(|event| {
        let (Event::ModelCallPaused { role, .. }
        | Event::ModelCallResumed { role, .. }
        | Event::ModelFellBack { role, .. }) = event
        else {
            return false;
        };
        role == "planner"
    })
    .collect()
}

#[test]
fn a_pause_that_becomes_much_longer_is_told_again_unless_the_call_turns_away() {
    let waits = || paused("planner", None, ONE, 3_000);
    // The pause that comes a second later, the models of the run, and what it tells of its planner.
    let table = [
        (2_500, &[ONE][..], vec![waits(), resumed("planner", None)]),
        (20_000, &[ONE], vec![waits(), paused("planner", None, "played/three", 20_000), resumed("planner", None)]),
        (20_000, &[ONE, TWO], vec![waits(), fell_back("paused")]),
    ];
    for (pause, models, expected) in table {
        simulated(1, |runtime| async move {
            let log = beside(&runtime, (Limited::ModelRate, 3), Duration::from_millis(pause), models).await;
            assert_eq!(of_planner(&log), expected, "{pause}");
        });
    }
}

#[test]
fn who_waits_longer_than_a_pause_is_not_told_of_it() {
    // The planner was one too many, and is to wait for ten seconds; the pause is for everybody.
    for (pause, is_told) in [(5, false), (20, true)] {
        simulated(1, move |runtime| async move {
            let log = beside(&runtime, (Limited::Concurrency, 10), pause * SECOND, &[ONE]).await;
            let longer = is_told.then(|| paused("planner", None, "played/three", 20_000));
            let waits = iter::once(paused("planner", None, ONE, 10_000)).chain(longer);
            assert_eq!(of_planner(&log), waits.chain([resumed("planner", None)]).collect::<Vec<_>>(), "{pause}");
        });
    }
}
