//! Does a run ask the next model of its list in time: when the first is silent, slow, or at its limit? And does its report name each
//! model with its own reason? On virtual time.

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use callboard_actors::error::{Limited, ModelError};
use callboard_actors::event::{Event, RunEvent};
use callboard_actors::gateway::{Budget, BudgetLimits, Gateway, GatewayLimits, ModelLimits, RetryPolicy, ServedModel};
use callboard_actors::research::{Outcome, RunStep, Status};
use callboard_actors::runtime::{Runtime, simulated};
use callboard_actors::supervisor::{Crew, CrewModel};
use common::crew::*;
use common::library::library;
use common::model::SECOND;
use tokio::time::Instant;

const NAMES: [&str; 3] = ["played/one", "played/two", "played/three"];

/// What a model does for a role, the nth time.
type Plays = fn(Role, usize) -> Does;

/// What came of a run, how often each of its models was asked, and how long it took.
struct Came {
    outcome: Outcome,
    log: Vec<RunEvent>,
    asked: Vec<Vec<Role>>,
    took: Duration,
}

impl Came {
    fn counts(&self) -> Vec<usize> {
        self.asked.iter().map(Vec::len).collect()
    }

    fn reasons(&self) -> Vec<(RunStep, &str, &str)> {
        let instead = self.outcome.rules_instead.iter();
        instead.map(|instead| (instead.step, &*instead.model, &*instead.reason)).collect()
    }
}

/// A run whose models are asked in this order, each with so many places.
async fn run(runtime: &Runtime, models: &[Plays], places: usize) -> Came {
    let player = |plays: &Plays| {
        let plays = *plays;
        Arc::new(Player { script: Box::new(move |role, _, nth| plays(role, nth)), asked: Mutex::default() })
    };
    let players: Vec<_> = models.iter().map(player).collect();
    let limits = || ModelLimits { max_in_flight: Some(places), ..ModelLimits::default() };
    let served = players.iter().zip(NAMES);
    let served =
        served.map(|(player, name)| ServedModel { limits: limits(), ..ServedModel::new(name, player.clone()) });
    let retry = RetryPolicy { attempts: 2, ..RetryPolicy::default() };
    let common = GatewayLimits { retry, ..GatewayLimits::default() };
    let gateway = Gateway::start(runtime, served.collect(), common).unwrap();
    let mut model = CrewModel::new(gateway.clone(), NAMES[0], Budget::new(BudgetLimits::default()));
    model.fallbacks = NAMES[1..models.len()].iter().map(|name| (*name).to_owned()).collect();
    let began = Instant::now();
    let mut run =
        runtime.research("What is alder about?", Crew::with_model(library(&SUBJECTS), model), options()).unwrap();
    let outcome = run.outcome().await;
    let info = gateway.info().await.unwrap();
    assert_eq!((info.in_flight, info.waiting, outcome.status), (0, 0, Status::Complete), "{outcome:?}");
    let asked = players.iter().map(|player| player.asked.lock().unwrap().iter().map(|(role, _)| *role).collect());
    Came { log: run.log(), asked: asked.collect(), took: began.elapsed(), outcome }
}

fn plays(role: Role, _: usize) -> Does {
    good(role)
}

fn hangs(_: Role, _: usize) -> Does {
    Does::Hangs
}

fn down(_: Role, _: usize) -> Does {
    Does::Fails(ModelError::Unavailable { status: 500, retry_after: None, message: "it burns.".to_owned() })
}

/// Answers, but not at once.
fn slow(role: Role, _: usize) -> Does {
    match good(role) {
        Does::Says(text) => Does::SaysAfter(7 * SECOND, text),
        does => does,
    }
}

fn limited(seconds: u64) -> Does {
    let (limited, retry_after) = (Limited::Rate, Some(Duration::from_secs(seconds)));
    Does::Fails(ModelError::RateLimited { limited, retry_after, message: "slow down".to_owned() })
}

/// Is at its limit whenever it is asked first for something.
fn limited_first<const SECONDS: u64>(role: Role, nth: usize) -> Does {
    if nth == 0 { limited(SECONDS) } else { good(role) }
}

fn limited_always<const SECONDS: u64>(_: Role, _: usize) -> Does {
    limited(SECONDS)
}

#[test]
fn the_next_model_is_asked_within_the_step_and_a_silent_one_no_more_after_two() {
    // The models, how often each is asked, who writes, and after how many seconds at the most.
    type Row<'a> = (&'a str, &'a [Plays], &'a [usize], usize, u64);
    let table: [Row<'_>; 6] = [
        ("the first is silent", &[hangs, plays], &[2, 4], 1, 50),
        ("so is the second", &[hangs, hangs, plays], &[2, 2, 4], 2, 60),
        ("each is silent for itself", &[hangs, down, plays], &[2, 4, 4], 2, 50),
        ("a slow one is not cut short", &[slow, plays], &[4, 0], 0, 50),
        ("nor is the next one", &[hangs, slow], &[2, 4], 1, 90),
        ("nor one that is the only one", &[slow], &[4], 0, 50),
    ];
    for (what, models, asked, writer, seconds) in table {
        simulated(1, |runtime| async move {
            let came = run(&runtime, models, 8).await;
            assert_eq!((came.counts(), came.reasons()), (asked.to_vec(), vec![]), "{what}");
            let generator = &came.outcome.generator;
            assert_eq!((&*generator.kind, &*generator.model), ("llm", NAMES[writer]), "{what}");
            assert!(came.took < Duration::from_secs(seconds), "{what}: {:?}", came.took);
            let note = format!("{} answered in place of played/one, which could not.", NAMES[writer]);
            assert_eq!(came.outcome.notes.contains(&note), writer > 0, "{what}: {:?}", came.outcome.notes);
        });
    }
}

#[test]
fn what_a_model_wanted_is_told_of_the_one_that_replied() {
    let distracted = |role: Role, _: usize| match role {
        Role::LooksBack => says(r#"{"tasks": ["Cui bono?"]}"#),
        _ => good(role),
    };
    simulated(1, move |runtime| async move {
        let table: [(&[Plays], _); 2] = [(&[down, distracted], NAMES[1]), (&[distracted], NAMES[0])];
        for (models, who) in table {
            let notes = run(&runtime, models, 8).await.outcome.notes;
            let wanted: Vec<_> = notes.iter().filter_map(|note| note.split_once(" wanted 1 further part")).collect();
            assert!(wanted.len() == 1 && wanted[0].0 == who, "{notes:?}");
        }
    });
}

#[test]
fn a_server_that_fails_is_asked_for_two_calls_and_then_no_more() {
    simulated(1, |runtime| async move {
        // Each call has two attempts.
        let came = run(&runtime, &[down], 8).await;
        assert_eq!(came.counts(), [4]);
        let reasons = came.reasons();
        assert!(
            reasons.len() == 4 && reasons.iter().all(|(_, model, why)| *model == NAMES[0] && why.contains("it burns"))
        );
        let is_left_out = |why: &str| why.ends_with("it is not asked again in this run");
        assert_eq!(reasons.iter().map(|(.., why)| is_left_out(why)).collect::<Vec<_>>(), [false, false, true, true]);
        // An answer in between begins the count anew.
        let by_turns = |role: Role, nth: usize| if role == Role::Researcher { good(role) } else { down(role, nth) };
        assert_eq!(run(&runtime, &[by_turns], 8).await.counts(), [7]);
    });
}

#[test]
fn a_reply_that_somebody_reads_is_not_cut_for_the_next_model() {
    simulated(1, |runtime| async move {
        let writes_slowly: Plays = |role, _| match role {
            Role::Writer => Does::SaysSlowly(8 * SECOND, ANSWER.to_owned()),
            role => good(role),
        };
        let came = run(&runtime, &[writes_slowly, plays], 8).await;
        assert!(came.took > 70 * SECOND, "more than its share: {:?}", came.took);
        assert_eq!((came.counts(), &*came.outcome.generator.model), (vec![4, 0], NAMES[0]));
    });
}

#[test]
fn whoever_waits_in_the_line_of_a_silent_model_turns_to_the_next_one_too() {
    simulated(1, |runtime| async move {
        let two_parts: Plays = |role, _| match role {
            Role::Planner => says(r#"{"tasks": ["What is the alder protocol?", "What is the birch protocol?"]}"#),
            Role::Researcher => Does::Hangs,
            role => good(role),
        };
        let came = run(&runtime, &[two_parts, plays], 1).await;
        let of = |model: usize| came.asked[model].iter().filter(|role| **role == Role::Researcher).count();
        // One place: the second part waits behind the first until its share of the time is over as well.
        assert_eq!((of(0), of(1), came.reasons()), (1, 2, vec![]));
    });
}

#[test]
fn a_long_pause_is_not_waited_for() {
    let at_once = Duration::from_millis(1_500);
    // The models, how often each is asked, and how long it may take. A call is made again after up to half a second.
    type Row<'a> = (&'a str, &'a [Plays], &'a [usize], std::ops::Range<Duration>);
    let table: [Row<'_>; 5] = [
        (
            "the next model is asked, and the first no more",
            &[limited_always::<120>, plays],
            &[1, 4],
            Duration::ZERO..at_once,
        ),
        ("6 seconds are long with another model", &[limited_first::<6>, plays], &[1, 4], Duration::ZERO..at_once),
        ("3 seconds are not", &[limited_first::<3>, plays], &[8, 0], 12 * SECOND..15 * SECOND),
        ("nor 10 without one", &[limited_first::<10>], &[8], 40 * SECOND..43 * SECOND),
        ("31 seconds are", &[limited_always::<31>], &[1], Duration::ZERO..at_once),
    ];
    for (what, models, asked, takes) in table {
        simulated(1, |runtime| async move {
            let came = run(&runtime, models, 8).await;
            assert_eq!(came.counts(), asked, "{what}: {:?}", came.reasons());
            assert!(takes.contains(&came.took), "{what}: {:?}", came.took);
            let paused = came.log.iter().filter(|event| matches!(event.event, Event::ModelPaused { .. })).count();
            assert!(asked[0] > 1 || paused == 1, "{what}: {paused}");
        });
    }
}

#[test]
fn without_another_model_the_rules_say_when_it_is_there_again() {
    simulated(1, |runtime| async move {
        let came = run(&runtime, &[limited_always::<120>], 8).await;
        let why = came.reasons();
        assert_eq!(why.len(), 4, "{why:?}");
        let first = "the provider's limit is reached (429): slow down; it may be asked again in 120 s";
        assert_eq!(why[0], (RunStep::Plan, NAMES[0], first));
        let asks_to_wait = |why: &str| why.starts_with("all calls wait for another 1");
        assert!(why[1..].iter().all(|(_, model, why)| *model == NAMES[0] && asks_to_wait(why)), "{why:?}");
    });
}

#[test]
fn whoever_waits_in_line_when_a_pause_begins_turns_away_as_well() {
    let two_parts: Plays = |role, _| match role {
        Role::Planner => says(r#"{"tasks": ["What is the alder protocol?", "What is the birch protocol?"]}"#),
        Role::Researcher => limited(40),
        role => good(role),
    };
    for (models, answered) in [(&[two_parts, plays][..], 2), (&[two_parts], 0)] {
        simulated(1, |runtime| async move {
            let came = run(&runtime, models, 1).await;
            let of = |model: usize| came.asked[model].iter().filter(|role| **role == Role::Researcher).count();
            assert_eq!((of(0), came.asked.get(1).map_or(0, |_| of(1))), (1, answered), "{:?}", came.reasons());
            assert!(came.took < 2 * SECOND, "{:?}", came.took);
        });
    }
}

#[test]
fn each_model_is_named_with_its_own_reason() {
    let late = "it did not answer in the time that it had";
    let silent = "it did not answer two calls in a row in the time that they had, and is not asked again in this run";
    let burns = "the provider is not available (500): it burns";
    let gone = format!("two calls in a row failed: {burns}; it is not asked again in this run");
    let failing = [burns, burns, &*gone];
    let unfit: Plays = |_, _| says("nonsense");
    let refuses: Plays = |_, _| Does::Fails(ModelError::ContentRefused("no".to_owned()));
    let (two, three) = (NAMES[1], NAMES[2]);
    // The models, and why each of the first three steps was done by the rules, in the beginning of a text.
    let table: [(&[Plays], [String; 3]); 5] = [
        (&[down, refuses], failing.map(|burns| format!("{burns}; and {two}: the model refused the content: no"))),
        (&[refuses, down], [0; 3].map(|_| "the model refused the content: no".to_owned())),
        (
            &[hangs, down],
            [(late, burns), (late, burns), (silent, &gone)]
                .map(|(first, burns)| format!("{first}; and {two}: {burns}")),
        ),
        (
            &[hangs, hangs, down],
            [(late, burns), (late, burns), (silent, &gone)]
                .map(|(why, burns)| format!("{why}; and {two}: {why}; and {three}: {burns}")),
        ),
        (
            &[down, unfit],
            failing.map(|burns| format!("{burns}; and {two}: its reply could not be used, and neither could")),
        ),
    ];
    for (models, reasons) in table {
        simulated(1, |runtime| async move {
            let came = run(&runtime, models, 8).await;
            let why = came.reasons();
            assert!(why.len() >= 3 && why.iter().all(|(_, model, _)| *model == NAMES[0]), "{why:?}");
            assert!(why.iter().zip(&reasons).all(|((.., why), begins)| why.starts_with(begins)), "{why:?}");
            assert!(came.outcome.notes[0].contains(&*reasons[0]), "{:?}", came.outcome.notes);
            let failed = came.log.iter().filter_map(|event| match &event.event {
                Event::ModelCallFailed { model, error_code, .. } => Some((model.as_str(), error_code.as_str())),
                _ => None,
            });
            let pairs: Vec<_> = failed.collect();
            let last = [("unavailable", down as Plays), ("content_refused", refuses)];
            let plays = |name: &str| models[NAMES.iter().position(|other| *other == name).unwrap()];
            let is_its_own = |(model, code): &(&str, &str)| {
                last.iter().any(|(of, does)| of == code && std::ptr::fn_addr_eq(plays(model), *does))
            };
            assert!(pairs.iter().all(is_its_own), "{pairs:?}");
        });
    }
}

#[test]
fn the_failure_of_a_plan_names_each_model_too() {
    simulated(1, |runtime| async move {
        let no_key: Plays = |_, _| Does::Fails(ModelError::Unauthorized { status: 401, message: "no".to_owned() });
        let players = [down as Plays, no_key].map(|plays| {
            Arc::new(Player { script: Box::new(move |role, _, nth| plays(role, nth)), asked: Mutex::default() })
        });
        let served = players.iter().zip(NAMES).map(|(player, name)| ServedModel::new(name, player.clone()));
        let gateway = Gateway::start(&runtime, served.collect(), GatewayLimits::default()).unwrap();
        let mut model = CrewModel::new(gateway, NAMES[0], Budget::new(BudgetLimits::default()));
        model.fallbacks = vec![NAMES[1].to_owned()];
        let crew = Crew::with_model(library(&SUBJECTS), model);
        let outcome = runtime.research("What is alder about?", crew, options()).unwrap().outcome().await;
        let message = outcome.failure.unwrap().message;
        let both = "played/one: the provider is not available (500): it burns; and played/two: the provider does not accept the key";
        assert!(message.starts_with(both), "{message}");
    });
}
