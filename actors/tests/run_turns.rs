//! Do the calls of a run say whose they are and how soon they matter, so that the gateway lets runs take turns?

mod common;

use std::time::Duration;

use callboard_actors::chat::{ChatRequest, Turn};
use callboard_actors::gateway::{Budget, BudgetLimits, Gateway, ModelLimits};
use callboard_actors::runtime::simulated;
use callboard_actors::supervisor::{CrewModel, RunOptions, plan_with_model};
use common::crew::*;
use common::library::library;
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};

const MODEL: &str = "played/one";
const SECOND: Duration = Duration::from_secs(1);

/// Takes a second.
fn slowly(does: Does) -> Does {
    match does {
        Does::Says(text) => Does::SaysAfter(SECOND, text),
        other => other,
    }
}

fn with_one_place(gateway: &Gateway) {
    gateway.set_model_limits(MODEL, ModelLimits { max_in_flight: Some(1), ..ModelLimits::default() }).unwrap();
}

/// So many calls of the program's own, for this run.
fn flood(gateway: &Gateway, count: usize, run: Option<&str>) -> Vec<BoxFuture<'static, bool>> {
    let request = || ChatRequest::new(vec![Turn::user("You answer the flood")], 16);
    let of_run = |call: callboard_actors::gateway::ChatCall<'_>| match run {
        Some(run) => call.run(run).send().boxed(),
        None => call.send().boxed(),
    };
    (0..count).map(|_| of_run(gateway.call(MODEL, request())).map(|answer| answer.is_ok()).boxed()).collect()
}

fn is_flood((_, request): &(Role, ChatRequest)) -> bool {
    request.turns[0].text == "You answer the flood"
}

fn is_about(subject: &str, request: &ChatRequest) -> bool {
    request.turns.iter().any(|turn| turn.text.contains(subject))
}

/// Which of the calls so far are a run's: their roles and their places in the order of all.
fn of_runs(player: &Player) -> Vec<(Role, usize)> {
    let asked = player.asked.lock().unwrap();
    let of_runs = asked.iter().enumerate().filter(|(_, call)| !is_flood(call));
    of_runs.map(|(place, (role, _))| (*role, place)).collect()
}

#[test]
fn planner_and_writer_go_before_the_other_calls_of_their_run_and_researchers_do_not() {
    simulated(1, |runtime| async move {
        let library = library(&SUBJECTS);
        let script = Box::new(|role, _: &ChatRequest, _| slowly(good(role)));
        let Stage { gateway, player, crew } = stage(&runtime, &library, BudgetLimits::default(), script);
        with_one_place(&gateway);
        let mut run = runtime.research("What is alder about?", crew, options()).unwrap();
        let mut calls = flood(&gateway, 6, Some(run.id()));
        while of_runs(&player).len() < 2 {
            tokio::time::sleep(SECOND / 10).await;
        }
        calls.extend(flood(&gateway, 6, Some(run.id())));
        run.outcome().await;
        let order = of_runs(&player);
        let (roles, places): (Vec<_>, Vec<_>) = order.into_iter().unzip();
        assert_eq!(roles, [Role::Planner, Role::Researcher, Role::LooksBack, Role::Writer]);
        assert!(places[0] <= 1, "the planner waits for nobody but whom it finds in flight: {places:?}");
        assert_eq!(places[1], 7, "the researcher stands in line");
        // Between two calls of a run somebody else's starts, as no place stays free.
        assert!(places[2] <= 9 && places[3] <= 11, "looking back and writing go first: {places:?}");
        assert!(join_all(calls).await.into_iter().all(|is_ok| is_ok));
    });
}

#[test]
fn a_run_does_not_wait_for_the_many_calls_of_another() {
    simulated(1, |runtime| async move {
        let library = library(&SUBJECTS);
        let script = Box::new(|role, _: &ChatRequest, _| slowly(good(role)));
        let Stage { gateway, player, crew } = stage(&runtime, &library, BudgetLimits::default(), script);
        with_one_place(&gateway);
        let calls = flood(&gateway, 40, None);
        while gateway.info().await.unwrap().waiting < 39 {}
        let mut run = runtime.research("What is alder about?", crew, options()).unwrap();
        run.outcome().await;
        let places: Vec<_> = of_runs(&player).into_iter().map(|(_, place)| place).collect();
        let in_turn = |(number, place): (usize, &usize)| *place <= 2 + 3 * number;
        assert!(places.len() == 4 && places.iter().enumerate().all(in_turn), "next but one, each of them: {places:?}");
        assert!(join_all(calls).await.into_iter().all(|is_ok| is_ok));
    });
}

#[test]
fn a_user_with_one_run_does_not_wait_for_the_many_runs_of_another() {
    simulated(1, |runtime| async move {
        let library = library(&SUBJECTS);
        let script = Box::new(|role, request: &ChatRequest, _| match role {
            Role::Planner if is_about("birch", request) => says(r#"{"tasks": ["What is the birch protocol?"]}"#),
            role => slowly(good(role)),
        });
        let Stage { gateway, player, crew } = stage(&runtime, &library, BudgetLimits::default(), script);
        with_one_place(&gateway);
        let of = |user: &str| RunOptions { user: Some(user.to_owned()), ..options() };
        let start = |question: &str, user| runtime.research(question, crew.clone(), of(user)).unwrap();
        let mut many: Vec<_> = (0..10).map(|_| start("What is alder about?", "anna")).collect();
        while gateway.info().await.unwrap().waiting < 9 {}
        let mut one = start("What is birch about?", "bob");
        one.outcome().await;
        let asked = player.asked.lock().unwrap().clone();
        let places = asked.iter().enumerate().filter(|(_, (_, request))| is_about("birch", request));
        let places: Vec<_> = places.map(|(place, _)| place).collect();
        let in_turn = |(number, place): (usize, &usize)| *place <= 2 + 3 * number;
        assert!(places.len() == 4 && places.iter().enumerate().all(in_turn), "next but one, each of them: {places:?}");
        for run in &mut many {
            run.outcome().await;
        }
    });
}

#[test]
fn a_plan_without_a_run_is_urgent_among_those_without_one() {
    simulated(1, |runtime| async move {
        let library = library(&SUBJECTS);
        let script = Box::new(|role, _: &ChatRequest, _| slowly(good(role)));
        let Stage { gateway, player, .. } = stage(&runtime, &library, BudgetLimits::default(), script);
        with_one_place(&gateway);
        let calls = flood(&gateway, 6, None);
        while gateway.info().await.unwrap().waiting < 5 {}
        let model = CrewModel::new(gateway.clone(), MODEL, Budget::default());
        plan_with_model(model, "What is alder about?", 30 * SECOND).await.unwrap();
        assert_eq!(of_runs(&player), [(Role::Planner, 1)]);
        assert!(join_all(calls).await.into_iter().all(|is_ok| is_ok));
    });
}
