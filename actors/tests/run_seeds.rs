//! Does a research run keep its promises under many interleavings, whoever misbehaves and whoever is killed when?
//!
//! A failing seed is printed with the command that runs it alone.

mod common;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use callboard_actors::event::{CancelReason, Event, RunEvent};
use callboard_actors::research::{MissingCause, Outcome, Status, TaskId};
use callboard_actors::runtime::Runtime;
use callboard_actors::supervisor::{Collect, Crew, FollowUp, Run, RunOptions};
use callboard_actors::testkit::{Log, explore};
use common::LONG;
use common::chance::{Dice, seeds};
use common::library::*;
use futures_util::FutureExt;
use tokio::time::Instant;

/// A run and what happens to it.
struct Scenario {
    behaviours: Vec<Behaviour>,
    options: RunOptions,
    kill: Option<Kill>,
    /// Before which step it is cancelled.
    cancel: Option<(u32, CancelReason)>,
}

/// Whom to kill, and before which step.
#[derive(Debug, Clone, Copy)]
struct Kill {
    step: u32,
    /// How its name begins.
    role: &'static str,
    /// Which of several, counted around.
    which: usize,
}

/// What came of a scenario.
struct Performance {
    steps: u32,
    /// Whether there was anybody to kill.
    killed: bool,
    outcome: Outcome,
    events: Vec<RunEvent>,
}

/// Lets a run go on step by step to its end, and does to it what the scenario says. How many steps were there, and was
/// somebody killed?
async fn play(runtime: &Runtime, run: &Run, scenario: &Scenario) -> (u32, bool) {
    let (mut steps, mut killed) = (0, false);
    let mut events = run.events();
    loop {
        match events.next().now_or_never() {
            Some(Some(_event)) => continue,
            Some(None) => return (steps, killed),
            None => {}
        }
        if let Some(Kill { role, which, .. }) = scenario.kill.filter(|kill| kill.step == steps) {
            let mut agents = runtime.directory().list();
            agents.retain(|agent| agent.name.starts_with(role));
            killed = !agents.is_empty() && runtime.directory().stop(agents[which % agents.len()].id);
        }
        if let Some((_, reason)) = scenario.cancel.filter(|(step, _)| *step == steps) {
            run.cancel(reason);
        }
        steps += 1;
        tokio::task::yield_now().await;
        if steps % 8 == 0 {
            // Else nobody waits, and the clock stands still.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert!(steps < 100_000, "the run does not end");
    }
}

/// Plays a scenario, notes each event as the line of JSON that a program gets, and checks what holds for every run.
async fn perform(runtime: Runtime, log: Log, scenario: &Scenario) -> Performance {
    let names = ["alder", "birch", "cedar", "damson"];
    let subjects: Vec<_> = names.into_iter().zip(scenario.behaviours.iter().copied()).collect();
    let (library, began) = (library(&subjects), Instant::now());
    let crew = Crew::by_rules(library.clone());
    let mut run = runtime.research(&question(&names[..subjects.len()]), crew, scenario.options.clone()).unwrap();
    let (steps, killed) = play(&runtime, &run, scenario).await;
    let outcome = run.outcome().await;
    let took = began.elapsed();
    assert!(took <= scenario.options.deadline + Duration::from_secs(1), "it took {took:?}");
    citations_resolve(&outcome, &library);
    status_says_what_is_there(&outcome);
    nothing_is_left(runtime, &log).await;
    let events = run.log();
    for event in &events {
        log.note(serde_json::to_string(event).unwrap());
    }
    assert_ends_once(&events);
    Performance { steps, killed, outcome, events }
}

fn citations_resolve(outcome: &Outcome, library: &Library) {
    let claims = outcome.draft.sections.iter().flat_map(|section| &section.claims);
    for evidence in claims.flat_map(|claim| &claim.evidence) {
        let stored = library.stored(&evidence.source);
        assert_eq!(stored.get(evidence.start..evidence.end), Some(&*evidence.quote), "{evidence:?}");
    }
}

fn status_says_what_is_there(outcome: &Outcome) {
    let expected = match (outcome.draft.sections.is_empty(), outcome.missing.is_empty()) {
        (false, true) => [Status::Complete].as_slice(),
        (false, false) => &[Status::Partial],
        (true, _) => &[Status::NoEvidence, Status::Failed],
    };
    assert!(expected.contains(&outcome.status), "{outcome:?}");
}

/// No agent outlives its run, and every message is accounted for.
async fn nothing_is_left(runtime: Runtime, log: &Log) {
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(runtime.directory().is_empty(), "{:?}", runtime.directory().list());
    let handle = runtime.handle();
    assert!(runtime.stop(LONG).await.is_clean());
    let ledger = handle.ledger();
    log.note(format!("{ledger:?}"));
    assert!(ledger.balances() && ledger.pending == 0, "{ledger:?}");
}

/// Whatever befalls other researchers: each task has its section, or was redundant, or is named as missing with a cause
/// that fits what happened to it.
fn each_task_is_accounted_for(Performance { outcome, events, .. }: &Performance) {
    assert_eq!(outcome.failure, None, "the death of a researcher is not the end of the run");
    let found: BTreeSet<TaskId> = outcome.draft.sections.iter().map(|section| section.task).collect();
    for event in events {
        let cause = |task| outcome.missing.iter().find(|missing| missing.task == task).map(|missing| &missing.cause);
        let told = match &event.event {
            Event::TaskFinished { task, claims: 0 } => cause(*task) == Some(&MissingCause::NoEvidence),
            Event::TaskFinished { task, .. } => found.contains(task) || cause(*task) == Some(&MissingCause::Struck),
            Event::TaskFailed { task, reason } => cause(*task) == Some(&MissingCause::Failed(reason.clone())),
            Event::TaskCancelled { task, reason: CancelReason::Redundant } => cause(*task).is_none(),
            Event::TaskCancelled { task, reason } => cause(*task) == Some(&MissingCause::Cancelled(*reason)),
            _ => true,
        };
        assert!(told, "{event:?} and {outcome:?}");
    }
}

/// Each seed kills at every fortieth step, and forty seeds in a row at every one.
#[test]
fn a_researcher_killed_at_any_step_costs_time_and_nothing_else() {
    const STRIDE: u32 = 40;
    let steps = RefCell::new(BTreeSet::new());
    let range = seeds(200);
    let all = range.clone().count() > 1;
    for seed in range {
        let mut dice = Dice(seed);
        let behaviours = vec![Behaviour::After(3), Behaviour::After(dice.roll(12))];
        let options = RunOptions { deadline: Duration::from_secs(3), ..RunOptions::default() };
        let mut scenario = Scenario { behaviours, options, kill: None, cancel: None };
        let most = Cell::new(0);
        explore([seed], |_, runtime, log| async { most.set(perform(runtime, log, &scenario).await.steps) });
        let first = u32::try_from(seed % u64::from(STRIDE)).unwrap();
        for step in (first..most.into_inner()).step_by(STRIDE as usize) {
            let which = usize::try_from(dice.roll(2)).unwrap();
            scenario.kill = Some(Kill { step, role: "researcher", which });
            explore([seed], |_, runtime, log| async {
                let performed = perform(runtime, log, &scenario).await;
                steps.borrow_mut().extend(performed.killed.then_some(step));
                each_task_is_accounted_for(&performed);
                let outcome = performed.outcome;
                assert_eq!(outcome.status, Status::Complete, "step {step}: another takes over: {outcome:?}");
            });
        }
    }
    let steps = steps.into_inner();
    assert!(!all || steps.len() > 50, "somebody was killed only before the steps {steps:?}");
}

/// Anything may happen to it.
fn some_scenario(dice: &mut Dice) -> Scenario {
    let behaviour = |dice: &mut Dice| match dice.roll(10) {
        0..4 => Behaviour::After(dice.roll(30)),
        4 => Behaviour::Nothing,
        5 => Behaviour::Hangs,
        6 => Behaviour::Panics(1 + u32::try_from(dice.roll(6)).unwrap()),
        7 => Behaviour::WorkPanics,
        8 => Behaviour::Damaged,
        _ => Behaviour::Invents,
    };
    let adds = dice.roll(3) == 0;
    let options = RunOptions {
        max_researchers: 1 + usize::try_from(dice.roll(4)).unwrap(),
        deadline: Duration::from_millis(dice.pick(&[20, 300, 3000, 3000])),
        task_deadline: dice.pick(&[None, Some(Duration::from_millis(20))]),
        attempts: 1 + u32::try_from(dice.roll(3)).unwrap(),
        collect: dice.pick(&[Collect::All, Collect::All, Collect::Any, Collect::First(2), Collect::Quorum]),
        iterations: 2,
        on_reply: adds.then_some(Arc::new(|reply| {
            let first = reply.replies == 1;
            first.then(|| FollowUp::Add("What is the birch protocol?".to_owned())).into_iter().collect()
        })),
        user: None,
    };
    let step = |dice: &mut Dice| u32::try_from(dice.roll(80)).unwrap();
    let role = dice.pick(&["researcher", "researcher", "researcher", ""]);
    let kill = Kill { step: step(dice), role, which: usize::try_from(dice.roll(4)).unwrap() };
    let cancel = (step(dice), dice.pick(&[CancelReason::Interrupted, CancelReason::Deadline]));
    let behaviours = (0..3 + dice.roll(2)).map(|_| behaviour(dice)).collect();
    Scenario { behaviours, options, kill: Some(kill), cancel: (dice.roll(4) == 0).then_some(cancel) }
}

#[test]
fn whoever_misbehaves_and_whoever_is_killed_a_run_keeps_its_promises() {
    let (ends, kills) = (RefCell::new(BTreeSet::new()), Cell::new(0));
    let range = seeds(300);
    let all = range.clone().count() > 1;
    explore(range, |seed, runtime, log| {
        let scenario = some_scenario(&mut Dice(seed));
        let (ends, kills) = (&ends, &kills);
        async move {
            let performed = perform(runtime, log, &scenario).await;
            let researcher = scenario.kill.is_some_and(|kill| kill.role == "researcher");
            if researcher || !performed.killed {
                each_task_is_accounted_for(&performed);
            }
            kills.set(kills.get() + u32::from(performed.killed));
            ends.borrow_mut().insert(serde_json::to_string(&performed.outcome.status).unwrap());
        }
    });
    assert!(!all || (kills.get() > 100 && ends.borrow().len() == 4), "{} kills, {ends:?}", kills.get());
}
