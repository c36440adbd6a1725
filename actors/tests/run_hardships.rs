//! Does a run keep what it has when its store is slow or broken, or a shard is blocked?

mod common;

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use callboard_actors::error::RetrieveError;
use callboard_actors::event::{CancelReason, Event};
use callboard_actors::ports::{Retriever, SourceStore};
use callboard_actors::research::{Query, Retrieved};
use callboard_actors::runtime::simulated;
use callboard_actors::supervisor::{Crew, RunOptions};
use common::library::*;
use common::{runtime, wait};
use futures_util::future::BoxFuture;
use tokio::time::Instant;

/// A store whose texts never come, or panic.
struct BrokenStore {
    library: Arc<Library>,
    panics: bool,
}

impl Retriever for BrokenStore {
    fn search(&self, query: Query) -> BoxFuture<'static, Result<Retrieved, RetrieveError>> {
        self.library.search(query)
    }
}

impl SourceStore for BrokenStore {
    fn text(&self, _source: &str) -> BoxFuture<'static, Result<Option<Arc<str>>, RetrieveError>> {
        assert!(!self.panics, "the store panics on purpose");
        Box::pin(std::future::pending())
    }
}

#[test]
fn a_run_ends_in_time_whatever_its_store_does() {
    for (panics, after) in [(false, 10), (false, 2999), (true, 10)] {
        simulated(1, |runtime| async move {
            let store = BrokenStore { library: library(&[("alder", Behaviour::After(after))]), panics };
            let options = RunOptions { deadline: Duration::from_secs(3), ..RunOptions::default() };
            let began = Instant::now();
            let crew = Crew::by_rules(Arc::new(store));
            let mut run = runtime.research(&question(&["alder"]), crew, options).unwrap();
            let outcome = run.outcome().await;
            assert!(began.elapsed() <= Duration::from_secs(4), "{:?}", began.elapsed());
            assert!(outcome.draft.sections.is_empty());
            assert_ends_once(&run.log());
        });
    }
}

#[test]
fn a_cancelled_run_keeps_what_was_found_although_a_source_hangs() {
    simulated(1, |runtime| async move {
        let store = HalfStore { library: library(&[("alder", Behaviour::After(10)), ("birch", Behaviour::After(10))]) };
        let crew = Crew::by_rules(Arc::new(store));
        let mut run = runtime.research(&question(&["alder", "birch"]), crew, RunOptions::default()).unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        run.cancel(CancelReason::Interrupted);
        let outcome = run.outcome().await;
        assert_eq!(outcome.draft.sections.len(), 1, "{:?}: {:?}", outcome.status, outcome.failure);
    });
}

/// A store in which one text never comes.
struct HalfStore {
    library: Arc<Library>,
}

impl Retriever for HalfStore {
    fn search(&self, query: Query) -> BoxFuture<'static, Result<Retrieved, RetrieveError>> {
        self.library.search(query)
    }
}

impl SourceStore for HalfStore {
    fn text(&self, source: &str) -> BoxFuture<'static, Result<Option<Arc<str>>, RetrieveError>> {
        if source == "alder" { Box::pin(std::future::pending()) } else { self.library.text(source) }
    }
}

#[test]
fn the_log_and_the_outcome_tell_the_same_end() {
    let runtime = runtime(1);
    let (release, until) = mpsc::channel::<()>();
    let until = Mutex::new(until);
    let blocks = Arc::new(move |_: callboard_actors::supervisor::TaskReply<'_>| {
        let _ = until.lock().unwrap().recv();
        Vec::new()
    });
    let options = RunOptions { deadline: Duration::from_millis(200), on_reply: Some(blocks), ..RunOptions::default() };
    let crew = Crew::by_rules(library(&[("alder", Behaviour::Nothing)]));
    let mut run = runtime.research("What is the alder protocol?", crew, options).unwrap();
    let mut events = run.events();
    let mut end = None;
    while let Some(event) = wait(events.next()) {
        if let Event::RunFinished { status, cancelled } = event.event {
            end = Some((status, cancelled));
        }
    }
    drop(release);
    while !runtime.directory().is_empty() {
        std::thread::yield_now();
    }
    let outcome = wait(run.outcome());
    assert_eq!(Some((outcome.status, outcome.cancelled)), end);
}
