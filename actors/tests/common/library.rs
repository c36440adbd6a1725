//! A library for runs: documents about a few subjects, and searches that behave as told.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callboard_actors::error::RetrieveError;
use callboard_actors::event::{Event, RunEvent};
use callboard_actors::ports::{Retriever, SourceStore};
use callboard_actors::research::{Outcome, Passage, Query, Retrieved, Term};
use callboard_actors::runtime::Runtime;
use callboard_actors::supervisor::{Crew, RunOptions};
use callboard_actors::text::{Language, content_stems};
use futures_util::future::BoxFuture;

/// What a search for a subject does.
#[derive(Clone, Copy)]
pub(crate) enum Behaviour {
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
pub(crate) struct Library {
    pub(crate) subjects: BTreeMap<&'static str, Behaviour>,
    pub(crate) tries: AtomicU32,
    pub(crate) searched: Mutex<Vec<String>>,
}

pub(crate) fn sentence(subject: &str) -> String {
    format!("The {subject} protocol is a documented way of passing letters between cities.")
}

pub(crate) fn library(subjects: &[(&'static str, Behaviour)]) -> Arc<Library> {
    let subjects = subjects.iter().copied().collect();
    Arc::new(Library { subjects, tries: AtomicU32::new(0), searched: Mutex::default() })
}

impl Library {
    /// The stored text of a source.
    pub(crate) fn stored(&self, source: &str) -> String {
        let invented = matches!(self.subjects.get(source), Some(Behaviour::Invents));
        if invented { "something else".to_owned() } else { sentence(source) }
    }

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
                if self.tries.fetch_add(1, Ordering::Relaxed) < times {
                    panic_quietly("the search panics on purpose");
                }
                Box::pin(async { Ok(found) })
            }
            Behaviour::WorkPanics => Box::pin(async { panic_quietly("the search panics on its way, on purpose") }),
            Behaviour::Damaged => Box::pin(async { Err(RetrieveError::Damaged("on purpose".to_owned())) }),
        }
    }
}

/// Without the panic hook, which would print each of thousands.
fn panic_quietly(text: &'static str) -> ! {
    std::panic::resume_unwind(Box::new(text))
}

impl SourceStore for Library {
    fn text(&self, source: &str) -> BoxFuture<'static, Result<Option<Arc<str>>, RetrieveError>> {
        let text = self.stored(source).into();
        Box::pin(async { Ok(Some(text)) })
    }
}

pub(crate) fn question(subjects: &[&str]) -> String {
    let ask = |subject: &&str| format!("What is the {subject} protocol?");
    subjects.iter().map(ask).collect::<Vec<_>>().join(" ")
}

pub(crate) async fn run(
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

pub(crate) fn assert_ends_once(log: &[RunEvent]) {
    let ends = log.iter().filter(|event| matches!(event.event, Event::RunFinished { .. })).count();
    assert_eq!(ends, 1, "a run's end is recorded exactly once: {log:#?}");
    assert!(matches!(log.last().unwrap().event, Event::RunFinished { .. }), "and it is the last event");
    let gapless = log.iter().zip(1..).all(|(event, seq)| event.seq == seq);
    assert!(gapless, "the numbers have no gap");
}

/// The events as short words with their time, progress left out.
pub(crate) fn story(log: &[RunEvent]) -> Vec<String> {
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
