//! Does a run act on each reply when it arrives, and always come to its end? On virtual time.

mod common;

use std::sync::Arc;
use std::time::Duration;

use callboard_actors::error::StartError;
use callboard_actors::event::{CancelReason, Event};
use callboard_actors::research::{MissingCause, Status, TaskId};
use callboard_actors::runtime::{Runtime, simulated};
use callboard_actors::supervisor::{Collect, Crew, FollowUp, Run, RunOptions};
use common::LONG;
use common::library::*;
use tokio::time::Instant;

#[test]
fn a_reply_adds_a_task_and_a_quorum_cancels_what_is_redundant() {
    simulated(1, |runtime| async move {
        let subjects = [
            ("alder", Behaviour::After(1000)),
            ("birch", Behaviour::After(2000)),
            ("cedar", Behaviour::After(60_000)),
            ("damson", Behaviour::After(500)),
        ];
        let library = library(&subjects);
        let options = RunOptions {
            collect: Collect::Quorum,
            on_reply: Some(Arc::new(|reply| {
                let first = reply.replies == 1;
                first.then(|| FollowUp::Add("What is the damson protocol?".to_owned())).into_iter().collect()
            })),
            deadline: Duration::from_secs(300),
            ..RunOptions::default()
        };
        let began = Instant::now();
        let (outcome, log) = run(&runtime, &library, &question(&["alder", "birch", "cedar"]), options).await;
        assert!(began.elapsed() <= Duration::from_secs(3), "took {:?}", began.elapsed());
        assert_eq!(
            story(&log),
            [
                "0 started t1 try 1",
                "0 started t2 try 1",
                "0 started t3 try 1",
                "1000 finished t1",
                "1000 added t4",
                "1000 started t4 try 1",
                "1500 finished t4",
                "2000 finished t2",
                "2000 cancelled t3 Redundant",
                "2000 collected 3",
                "2000 Complete",
            ]
        );
        assert_eq!(outcome.status, Status::Complete, "a redundant task is not missed");
        let answered: Vec<TaskId> = outcome.draft.sections.iter().map(|section| section.task).collect();
        assert_eq!(answered, [TaskId(1), TaskId(2), TaskId(4)]);
        assert!(runtime.stop(LONG).await.is_clean());
    });
}

#[test]
fn more_tasks_than_researchers_wait_and_are_never_refused() {
    simulated(1, |runtime| async move {
        let subjects =
            [("alder", Behaviour::After(100)), ("birch", Behaviour::After(100)), ("cedar", Behaviour::After(100))];
        let library = library(&subjects);
        let options = RunOptions { max_researchers: 1, ..RunOptions::default() };
        let (outcome, log) = run(&runtime, &library, &question(&["alder", "birch", "cedar"]), options).await;
        assert_eq!(outcome.status, Status::Complete);
        let expected = ["0 started t1 try 1", "100 finished t1", "100 started t2 try 1", "200 finished t2"];
        assert_eq!(story(&log)[..4], expected);
    });
}

#[test]
fn one_that_fails_one_that_hangs_and_the_findings_of_the_rest() {
    simulated(1, |runtime| async move {
        let subjects = [
            ("alder", Behaviour::After(10)),
            ("birch", Behaviour::Damaged),
            ("cedar", Behaviour::Hangs),
            ("damson", Behaviour::Nothing),
        ];
        let library = library(&subjects);
        let options = RunOptions { task_deadline: Some(Duration::from_secs(5)), ..RunOptions::default() };
        let began = Instant::now();
        let asked = question(&["alder", "birch", "cedar", "damson"]);
        let (outcome, log) = run(&runtime, &library, &asked, options).await;
        assert!(began.elapsed() < Duration::from_secs(6));
        assert_eq!(outcome.status, Status::Partial);
        assert_eq!(outcome.draft.sections.len(), 1);
        let causes: Vec<_> = outcome.missing.iter().map(|missing| (missing.task, missing.cause.clone())).collect();
        let damaged = "the index cannot be read: on purpose".to_owned();
        let expected = [
            (TaskId(2), MissingCause::Failed(damaged)),
            (TaskId(3), MissingCause::Cancelled(CancelReason::Deadline)),
            (TaskId(4), MissingCause::NoEvidence),
        ];
        assert_eq!(causes, expected);
        assert!(story(&log).contains(&"5000 cancelled t3 Deadline".to_owned()), "{:?}", story(&log));
        assert_eq!(runtime.directory().len(), 0, "no actor outlives its run");
    });
}

#[test]
fn a_researcher_that_panics_is_restarted_or_given_up() {
    simulated(1, |runtime| async move {
        let library = library(&[("alder", Behaviour::Panics(1)), ("birch", Behaviour::After(1))]);
        let (outcome, log) = run(&runtime, &library, &question(&["alder", "birch"]), RunOptions::default()).await;
        assert_eq!(outcome.status, Status::Complete, "{:?}", story(&log));
        let tale = story(&log);
        assert!(tale.iter().any(|line| line.ends_with("retried t1")), "{tale:?}");
        assert!(tale.iter().any(|line| line.ends_with("started t1 try 2")), "{tale:?}");
    });
    for broken in [Behaviour::Panics(99), Behaviour::WorkPanics] {
        simulated(1, |runtime| async move {
            let library = library(&[("alder", broken), ("birch", Behaviour::After(1))]);
            let asked = question(&["alder", "birch"]);
            let (outcome, log) = run(&runtime, &library, &asked, RunOptions::default()).await;
            assert_eq!(outcome.status, Status::Partial, "{:?}", story(&log));
            assert!(matches!(outcome.missing[0].cause, MissingCause::Failed(_)));
            assert_eq!(library.searched.lock().unwrap().len(), 3, "two tries for one, one for the other");
        });
    }
}

#[test]
fn a_quote_that_the_source_does_not_have_is_struck() {
    simulated(1, |runtime| async move {
        let library = library(&[("alder", Behaviour::Invents), ("birch", Behaviour::After(1))]);
        let asked = question(&["alder", "birch"]);
        let (outcome, _) = run(&runtime, &library, &asked, RunOptions::default()).await;
        assert_eq!((outcome.status, outcome.struck), (Status::Partial, 1));
        assert_eq!(outcome.missing[0].cause, MissingCause::Struck);
    });
}

#[test]
fn cancelling_a_run_stops_its_children_and_keeps_what_was_found() {
    simulated(1, |runtime| async move {
        let library = library(&[("alder", Behaviour::After(10)), ("birch", Behaviour::Hangs)]);
        let crew = Crew::by_rules(library.clone());
        let mut run: Run = runtime.research(&question(&["alder", "birch"]), crew, RunOptions::default()).unwrap();
        let mut events = run.events();
        while let Some(event) = events.next().await {
            if matches!(event.event, Event::TaskFinished { .. }) {
                break;
            }
        }
        let names =
            |runtime: &Runtime| runtime.directory().list().into_iter().map(|agent| agent.name).collect::<Vec<_>>();
        assert!(names(&runtime).contains(&"researcher-t2".to_owned()));
        run.cancel(CancelReason::Interrupted);
        run.cancel(CancelReason::Deadline);
        let outcome = run.outcome().await;
        assert_eq!((outcome.status, outcome.cancelled), (Status::Partial, Some(CancelReason::Interrupted)));
        assert_eq!(outcome.missing[0].cause, MissingCause::Cancelled(CancelReason::Interrupted));
        while events.next().await.is_some() {}
        assert_ends_once(&run.log());
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(names(&runtime), Vec::<String>::new());
    });
}

#[test]
fn a_run_ends_within_its_deadline_plus_one_second_whatever_hangs() {
    simulated(1, |runtime| async move {
        for behaviour in [Behaviour::Hangs, Behaviour::Panics(99), Behaviour::WorkPanics, Behaviour::After(2999)] {
            let library = library(&[("alder", behaviour)]);
            let options = RunOptions { deadline: Duration::from_secs(3), ..RunOptions::default() };
            let began = Instant::now();
            let (outcome, _) = run(&runtime, &library, &question(&["alder"]), options).await;
            assert!(began.elapsed() <= Duration::from_secs(4), "{:?}", began.elapsed());
            if let Behaviour::Hangs = behaviour {
                assert_eq!((outcome.status, outcome.cancelled), (Status::Failed, Some(CancelReason::Deadline)));
            }
        }
    });
}

#[test]
fn the_end_of_the_runtime_is_the_end_of_the_run() {
    simulated(1, |runtime| async move {
        let library = library(&[("alder", Behaviour::Hangs)]);
        let crew = Crew::by_rules(library);
        let mut run = runtime.research(&question(&["alder"]), crew, RunOptions::default()).unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        let report = runtime.stop(Duration::from_secs(1)).await;
        assert!(!report.is_clean());
        assert_eq!(run.outcome().await.status, Status::Failed);
        assert_ends_once(&run.log());
    });
}

#[test]
fn collection_policies() {
    let story_of = |collect: Collect<_>| {
        simulated(1, |runtime| async move {
            let subjects =
                [("alder", Behaviour::After(100)), ("birch", Behaviour::After(200)), ("cedar", Behaviour::After(300))];
            let library = library(&subjects);
            let options = RunOptions { collect, ..RunOptions::default() };
            let (_, log) = run(&runtime, &library, &question(&["alder", "birch", "cedar"]), options).await;
            story(&log).into_iter().find(|line| line.contains("collected")).unwrap()
        })
    };
    assert_eq!(story_of(Collect::All), "300 collected 3");
    assert_eq!(story_of(Collect::Any), "100 collected 1");
    assert_eq!(story_of(Collect::First(2)), "200 collected 2");
    assert_eq!(story_of(Collect::Quorum), "200 collected 2");
    assert_eq!(story_of(Collect::Deadline(Duration::from_millis(250))), "250 collected 2");
    let birch =
        |replies: &[&callboard_actors::research::Findings]| replies.iter().any(|findings| findings.task == TaskId(2));
    assert_eq!(story_of(Collect::until(birch)), "200 collected 2");
}

#[test]
fn the_same_seed_gives_the_same_events() {
    let log = |seed| {
        simulated(seed, |runtime| async move {
            let library = library(&[("alder", Behaviour::Panics(1)), ("birch", Behaviour::After(30))]);
            let asked = question(&["alder", "birch"]);
            let (_, log) = run(&runtime, &library, &asked, RunOptions::default()).await;
            serde_json::to_string(&log).unwrap()
        })
    };
    assert_eq!(log(7), log(7));
    assert_ne!(log(7), log(8), "the run's id comes from the seed");
}

#[test]
fn options_out_of_range_name_the_value_and_the_range() {
    let message = |options: RunOptions| match options.validate() {
        Err(StartError::Invalid(message)) => message,
        other => panic!("unexpected {other:?}"),
    };
    let researchers = RunOptions { max_researchers: 0, ..RunOptions::default() };
    assert_eq!(message(researchers), "max_researchers is 0; it must be between 1 and 1000");
    let longest = Duration::from_secs(24 * 3600);
    for wrong in [Duration::ZERO, longest + Duration::from_secs(1)] {
        let deadline = RunOptions { deadline: wrong, ..RunOptions::default() };
        assert_eq!(message(deadline), format!("deadline is {wrong:?}; it must be above zero and at most 24 hours"));
        let task = RunOptions { task_deadline: Some(wrong), ..RunOptions::default() };
        assert_eq!(message(task), format!("task_deadline is {wrong:?}; it must be above zero and at most 24 hours"));
    }
    let right = RunOptions { deadline: longest, task_deadline: Some(longest), ..RunOptions::default() };
    assert_eq!(right.validate(), Ok(()));
    for iterations in [0, 11] {
        let wrong = message(RunOptions { iterations, ..RunOptions::default() });
        assert_eq!(wrong, format!("iterations is {iterations}; it must be between 1 and 10"));
    }
}

#[test]
fn a_researcher_that_its_policy_gave_up_is_replaced_as_long_as_there_are_attempts() {
    simulated(1, |runtime| async move {
        let library = library(&[("alder", Behaviour::Panics(6))]);
        let options = RunOptions { attempts: 10, ..RunOptions::default() };
        let (outcome, log) = run(&runtime, &library, &question(&["alder"]), options).await;
        assert_eq!(outcome.status, Status::Complete, "{:?}", story(&log));
    });
}

#[test]
fn a_reply_without_findings_is_not_the_one_that_any_waits_for() {
    simulated(1, |runtime| async move {
        let library = library(&[("alder", Behaviour::Nothing), ("birch", Behaviour::After(50))]);
        let options = RunOptions { collect: Collect::Any, ..RunOptions::default() };
        let (outcome, _) = run(&runtime, &library, &question(&["alder", "birch"]), options).await;
        assert_eq!(outcome.draft.sections.len(), 1);
        assert_eq!(outcome.status, Status::Partial, "and the part without evidence is named");
    });
}

#[test]
fn on_real_threads_the_end_is_in_the_log_before_the_outcome_is_there() {
    let runtime = common::runtime(2);
    for round in 0..300 {
        let library = library(&[("alder", Behaviour::Invents), ("birch", Behaviour::Nothing)]);
        // Every other supervisor dies of its program's own decision.
        let dies: callboard_actors::supervisor::OnReply = Arc::new(|_| panic!("the decision panics on purpose"));
        let options = RunOptions { on_reply: (round % 2 == 0).then_some(dies), ..RunOptions::default() };
        let asked = question(&["alder", "birch"]);
        let mut run = runtime.research(&asked, Crew::by_rules(library), options).unwrap();
        let outcome = common::wait(run.outcome());
        assert_ends_once(&run.log());
        let expected = if round % 2 == 0 { Status::Failed } else { Status::NoEvidence };
        assert_eq!(outcome.status, expected);
    }
    assert!(runtime.stop_blocking(LONG).is_clean());
}

#[test]
fn a_run_ends_although_an_agent_blocks_its_shard() {
    let runtime = common::runtime(1);
    let blocks = runtime.spawn(common::counter()).unwrap();
    let release = common::hold(&blocks);
    let options = RunOptions { deadline: Duration::from_millis(1), ..RunOptions::default() };
    let library = library(&[("alder", Behaviour::Nothing)]);
    let mut run = runtime.research(&question(&["alder"]), Crew::by_rules(library), options).unwrap();
    let outcome = common::wait(run.outcome());
    assert_eq!(outcome.status, Status::Failed);
    assert!(outcome.failure.is_some());
    assert_ends_once(&run.log());
    drop(release);
    runtime.stop_blocking(LONG);
}

#[test]
fn a_run_carries_its_deadline_in_its_scope() {
    simulated(1, |runtime| async move {
        let crew = Crew::by_rules(library(&[]));
        let mut run = runtime.research("Why?", crew, RunOptions::default()).unwrap();
        assert_eq!(run.scope().deadline(), Some(Instant::now() + Duration::from_secs(60)));
        run.outcome().await;
    });
}
