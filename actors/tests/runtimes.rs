//! Does a runtime start and stop wherever it is asked to, and leave nothing behind?

mod common;

use std::sync::mpsc;
use std::time::Duration;

use callboard_actors::agent::{Agent, Turn};
use callboard_actors::error::{AskError, StartError};
use callboard_actors::event::CancelReason;
use callboard_actors::mailbox::{AgentRef, AgentSpec, Reply};
use callboard_actors::runtime::{Runtime, RuntimeConfig, StuckThread, simulated};
use callboard_actors::scope::Scope;
use common::{Count, LONG, counter, runtime, wait};

async fn once(round: u64) {
    let runtime = runtime(2);
    let agents: Vec<_> = (0..4).map(|_| runtime.spawn(counter()).unwrap()).collect();
    for agent in &agents {
        for _ in 0..round % 5 {
            agent.tell(Count::Add).unwrap();
        }
    }
    for agent in &agents {
        assert_eq!(agent.ask(LONG, Count::Get).await, Ok((round % 5, round % 5)));
    }
    let report = runtime.stop(LONG).await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.drained, 4);
    assert_eq!(agents[0].ask(LONG, Count::Get).await, Err(AskError::Stopped));
}

#[test]
fn a_hundred_times_from_a_plain_thread() {
    for round in 0..100 {
        wait(once(round));
    }
}

#[tokio::test]
async fn a_hundred_times_inside_a_current_thread_runtime() {
    for round in 0..100 {
        once(round).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_times_inside_a_multi_thread_runtime() {
    for round in 0..100 {
        once(round).await;
    }
}

#[test]
fn a_drop_without_a_stop_blocks_nobody_and_ends_every_wait() {
    let runtime = runtime(2);
    let agent = runtime.spawn(counter()).unwrap();
    let (entered, is_held) = mpsc::channel();
    let (release, until) = mpsc::channel::<()>();
    agent.tell(Count::Hold { entered, release: until }).unwrap();
    is_held.recv_timeout(LONG).unwrap();
    let question = agent.ask(LONG, Count::Get);
    // The agent blocks its thread, and goes on doing so: the drop must not wait for it.
    drop(runtime);
    assert_eq!(wait(question), Err(AskError::Stopped));
    drop(release);
    assert_eq!(wait(agent.gone()).id, agent.id());
}

#[test]
fn a_stop_reports_what_it_abandoned_and_the_thread_that_is_stuck() {
    let runtime = runtime(1);
    let agent = runtime.spawn(counter()).unwrap();
    let (entered, is_held) = mpsc::channel();
    let (release, until) = mpsc::channel::<()>();
    agent.tell(Count::Hold { entered, release: until }).unwrap();
    agent.tell(Count::Add).unwrap();
    is_held.recv_timeout(LONG).unwrap();
    let report = runtime.stop_blocking(Duration::from_millis(1));
    let stuck = StuckThread { shard: 0, agent: Some((agent.id(), agent.name().to_owned())) };
    assert_eq!((report.stuck_threads, &report.stuck[..]), (1, &[stuck][..]), "who blocks it is named");
    assert_eq!(report.abandoned.len(), 1);
    assert_eq!((report.abandoned[0].id, report.abandoned[0].pending), (agent.id(), 2));
    drop(release);
    wait(agent.gone());
}

#[test]
fn a_stopped_runtime_starts_nothing() {
    simulated(1, |runtime| async move {
        let handle = runtime.handle();
        runtime.stop(LONG).await;
        assert_eq!(handle.spawn(counter()).unwrap_err(), StartError::RuntimeStopped);
    });
    let invalid = Runtime::start(RuntimeConfig { shards: 0, ..RuntimeConfig::default() }).unwrap_err();
    assert_eq!(invalid.to_string(), "invalid configuration: shards is 0; it must be between 1 and 1024");
}

/// Spawns a child, which spawns a child, down to the bottom; says in which order they end.
struct Nest {
    depth: u32,
    ended: mpsc::Sender<u32>,
}

enum Nested {
    Bottom(Reply<AgentRef<Nested>>),
}

impl Drop for Nest {
    fn drop(&mut self) {
        let _ = self.ended.send(self.depth);
    }
}

impl Agent for Nest {
    type Message = Nested;

    fn handle(&mut self, Nested::Bottom(reply): Nested, turn: &mut Turn<'_, Nested>) {
        let Some(depth) = self.depth.checked_sub(1) else {
            return reply.send(turn.me());
        };
        let ended = self.ended.clone();
        let child = turn.spawn(AgentSpec::new("nest", move || Nest { depth, ended: ended.clone() })).unwrap();
        child.tell(Nested::Bottom(reply)).unwrap();
    }
}

#[test]
fn cancelling_a_scope_stops_everything_below_it() {
    simulated(1, |runtime| async move {
        let (ended, order) = mpsc::channel();
        let scope = Scope::root();
        let spec = AgentSpec::new("nest", move || Nest { depth: 5, ended: ended.clone() }).scope(scope.clone());
        let top = runtime.spawn(spec).unwrap();
        let bystander = runtime.spawn(counter()).unwrap();
        let bottom = top.ask(LONG, Nested::Bottom).await.unwrap();
        assert_eq!(runtime.directory().len(), 7);
        scope.cancel(CancelReason::Interrupted);
        bottom.gone().await;
        top.gone().await;
        while runtime.directory().len() > 1 {
            tokio::task::yield_now().await;
        }
        let mut stopped: Vec<_> = order.try_iter().collect();
        stopped.sort_unstable();
        assert_eq!(stopped, [0, 1, 2, 3, 4, 5]);
        assert_eq!(bystander.ask(LONG, Count::Get).await, Ok((0, 0)));
    });
}

#[test]
fn a_stop_goes_from_the_youngest_to_the_oldest() {
    simulated(1, |runtime| async move {
        let (ended, order) = mpsc::channel();
        let spec = AgentSpec::new("nest", move || Nest { depth: 3, ended: ended.clone() });
        let top = runtime.spawn(spec).unwrap();
        top.ask(LONG, Nested::Bottom).await.unwrap();
        assert!(runtime.stop(LONG).await.is_clean());
        assert_eq!(order.try_iter().collect::<Vec<_>>(), [0, 1, 2, 3]);
    });
}

/// Starts work that takes a second, and counts what came back.
#[derive(Default)]
struct Worker {
    done: u32,
}

enum Work {
    Begin,
    Done,
    Panic,
    Count(Reply<u32>),
}

impl Agent for Worker {
    type Message = Work;

    fn handle(&mut self, message: Work, turn: &mut Turn<'_, Work>) {
        match message {
            Work::Begin => assert!(turn.start(tokio::time::sleep(Duration::from_secs(1)), |_| Work::Done).is_ok()),
            Work::Done => self.done += 1,
            Work::Panic => panic!("on purpose"),
            Work::Count(reply) => reply.send(self.done),
        }
    }
}

#[test]
fn work_of_a_dead_incarnation_is_dropped_and_a_drain_waits_for_work() {
    simulated(1, |runtime| async move {
        let worker = runtime.spawn(AgentSpec::new("worker", Worker::default)).unwrap();
        worker.tell(Work::Begin).unwrap();
        worker.tell(Work::Panic).unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await;
        assert_eq!(worker.ask(LONG, Work::Count).await, Ok(0), "the dead incarnation's result never arrives");
        worker.tell(Work::Begin).unwrap();
        let handle = runtime.handle();
        let began = tokio::time::Instant::now();
        let report = runtime.stop(Duration::from_secs(3)).await;
        assert_eq!((report.drained, report.is_clean()), (1, true));
        assert_eq!(began.elapsed(), Duration::from_secs(1), "the stop waited for the work, and no longer");
        assert_eq!(handle.ledger().handled, 4, "and its result was handled: two starts, one count, one result");
        let ledger = handle.ledger();
        assert!(ledger.balances() && ledger.pending == 0, "{ledger:?}");
    });
}
