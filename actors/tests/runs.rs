//! Does a run act on each reply when it arrives, and always come to its end? On virtual time.

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callboard_actors::error::{RetrieveError, StartError};
use callboard_actors::event::{CancelReason, Event, RunEvent};
use callboard_actors::ports::{Retriever, SourceStore};
use callboard_actors::research::{MissingCause, Outcome, Passage, Query, Retrieved, Status, TaskId, Term};
use callboard_actors::runtime::{Runtime, simulated};
use callboard_actors::supervisor::{Collect, Crew, FollowUp, Run, RunOptions};
use callboard_actors::text::{Language, content_stems};
use common::LONG;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

/// What a search for a subject does.
#[derive(Clone, Copy)]
enum Behaviour {
    /// Finds the subject's sentence after this many milliseconds.
    After(u64),
    /// Finds nothing.
    Nothing,
    /// Never comes back.
    Hangs,
    /// Panics in the researcher's handler, this many times; then finds at once.
    Panics(u32),
    /// Panics while it searches, each time.
    WorkPanics,
    /// Fails for good.
    Damaged,
    /// Finds a sentence that the stored text does not have.
    Invents,
}

/// Documents about a few subjects. It is found out by the subject's name in the query.
struct Library {
    subjects: BTreeMap<&'static str, Behaviour>,
    tries: AtomicU32,
    searched: Mutex<Vec<String>>,
}

fn sentence(subject: &str) -> String {
    format!("The {subject} protocol is a documented way of passing letters between cities.")
}

fn library(subjects: &[(&'static str, Behaviour)]) -> Arc<Library> {
    let subjects = subjects.iter().copied().collect();
    Arc::new(Library { subjects, tries: AtomicU32::new(0), searched: Mutex::default() })
}

impl Library {
    fn found(&self, query: &Query, subject: &str) -> Retrieved {
        let text = sentence(subject);
        let passage = Passage {
            source: subject.into(),
            corpus: "library".into(),
            file: format!("{subject}.md").into(),
            title: subject.into(),
            headings: vec![subject.to_owned()],
            start: 0,
            end: text.len(),
            text,
            score: 1.0,
        };
        let words = content_stems(&query.text, Language::English);
        let terms = words.into_iter().map(|word| Term { stem: word.stem, passages: 1 }).collect();
        Retrieved { passages: vec![passage], terms, corpus_passages: 10, ..Retrieved::default() }
    }
}

impl Retriever for Library {
    fn search(&self, query: Query) -> BoxFuture<'static, Result<Retrieved, RetrieveError>> {
        self.searched.lock().unwrap().push(query.text.clone());
        let lower = query.text.to_lowercase();
        let Some((subject, behaviour)) = self.subjects.iter().find(|(subject, _)| lower.contains(*subject)) else {
            return Box::pin(async { Ok(Retrieved::default()) });
        };
        let found = self.found(&query, subject);
        match *behaviour {
            Behaviour::After(millis) => Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Ok(found)
            }),
            Behaviour::Invents => Box::pin(async { Ok(found) }),
            Behaviour::Nothing => Box::pin(async { Ok(Retrieved::default()) }),
            Behaviour::Hangs => Box::pin(std::future::pending()),
            Behaviour::Panics(times) => {
                assert!(self.tries.fetch_add(1, Ordering::Relaxed) >= times, "the search panics on purpose");
                Box::pin(async { Ok(found) })
            }
            Behaviour::WorkPanics => Box::pin(async { panic!("the search panics on its way, on purpose") }),
            Behaviour::Damaged => Box::pin(async { Err(RetrieveError::Damaged("on purpose".to_owned())) }),
        }
    }
}

impl SourceStore for Library {
    fn text(&self, source: &str) -> BoxFuture<'static, Result<Option<Arc<str>>, RetrieveError>> {
        let invented = matches!(self.subjects.get(source), Some(Behaviour::Invents));
        let text: Arc<str> = if invented { "something else".into() } else { sentence(source).into() };
        Box::pin(async { Ok(Some(text)) })
    }
}

fn question(subjects: &[&str]) -> String {
    let ask = |subject: &&str| format!("What is the {subject} protocol?");
    subjects.iter().map(ask).collect::<Vec<_>>().join(" ")
}

async fn run(
    runtime: &Runtime,
    library: &Arc<Library>,
    question: &str,
    options: RunOptions,
) -> (Outcome, Vec<RunEvent>) {
    let mut run = runtime.research(question, Crew::by_rules(library.clone()), options).unwrap();
    let outcome = run.outcome().await;
    let log = run.log();
    assert_ends_once(&log);
    (outcome, log)
}

fn assert_ends_once(log: &[RunEvent]) {
    let ends = log.iter().filter(|event| matches!(event.event, Event::RunFinished { .. })).count();
    assert_eq!(ends, 1, "a run's end is recorded exactly once: {log:#?}");
    assert!(matches!(log.last().unwrap().event, Event::RunFinished { .. }), "and it is the last event");
    let gapless = log.iter().zip(1..).all(|(event, seq)| event.seq == seq);
    assert!(gapless, "the numbers have no gap");
}

/// The events as short words with their time, progress left out.
fn story(log: &[RunEvent]) -> Vec<String> {
    let told = |event: &RunEvent| {
        let words = match &event.event {
            Event::TaskAdded { task } => format!("added {}", task.id),
            Event::TaskStarted { task, attempt } => format!("started {task} try {attempt}"),
            Event::TaskFinished { task, .. } => format!("finished {task}"),
            Event::TaskFailed { task, .. } => format!("failed {task}"),
            Event::TaskRetried { task, .. } => format!("retried {task}"),
            Event::TaskCancelled { task, reason } => format!("cancelled {task} {reason:?}"),
            Event::CollectionFinished { replies } => format!("collected {replies}"),
            Event::RunFinished { status, .. } => format!("{status:?}"),
            _ => return None,
        };
        Some(format!("{} {words}", event.at_ms))
    };
    log.iter().filter_map(told).collect()
}

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
    let deadline = RunOptions { deadline: Duration::ZERO, ..RunOptions::default() };
    assert_eq!(message(deadline), "deadline is 0ns; it must be above zero and at most 24 hours");
}
