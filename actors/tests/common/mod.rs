//! Agents that several tests use.
#![allow(dead_code, reason = "each test file uses some of it")]

pub(crate) mod agent;
pub(crate) mod chance;
pub(crate) mod crew;
pub(crate) mod library;
pub(crate) mod model;
pub(crate) mod obeys;
pub(crate) mod provider;
pub(crate) mod stage;

use std::sync::mpsc;
use std::time::Duration;

use callboard_actors::agent::{Agent, Turn};
use callboard_actors::mailbox::{AgentRef, AgentSpec, Reply};
use callboard_actors::runtime::{Runtime, RuntimeConfig};
use callboard_actors::supervision::{Backoff, RestartPolicy};

/// A deadline that is only reached when something is broken.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// Counts, panics on request, and can be held in a handler.
#[derive(Default)]
pub(crate) struct Counter {
    left: u64,
    right: u64,
    seen: Vec<u64>,
}

pub(crate) enum Count {
    /// Adds one on both sides.
    Add,
    /// Adds one on the left and panics before it adds on the right.
    Break(Reply<()>),
    /// Says on `entered` that the handler runs, then blocks it until `release` gives something or is dropped.
    Hold { entered: mpsc::Sender<()>, release: mpsc::Receiver<()> },
    /// Remembers a number.
    Note(u64),
    /// Both sides.
    Get(Reply<(u64, u64)>),
    /// All numbers in the order in which they came.
    Seen(Reply<Vec<u64>>),
    /// Drops the question.
    Ignore(Reply<()>),
    /// Panics without a question.
    Panic,
    /// Panics without a word on standard error.
    Quiet,
}

impl Agent for Counter {
    type Message = Count;

    fn handle(&mut self, message: Count, _turn: &mut Turn<'_, Count>) {
        match message {
            Count::Add => {
                self.left += 1;
                self.right += 1;
            }
            Count::Break(_reply) => {
                self.left += 1;
                panic!("broken on purpose");
            }
            Count::Hold { entered, release } => {
                let _ = entered.send(());
                let _ = release.recv();
            }
            Count::Note(number) => self.seen.push(number),
            Count::Get(reply) => reply.send((self.left, self.right)),
            Count::Seen(reply) => reply.send(self.seen.clone()),
            Count::Ignore(reply) => drop(reply),
            Count::Panic => panic!("broken on purpose"),
            Count::Quiet => std::panic::resume_unwind(Box::new("broken on purpose")),
        }
    }
}

pub(crate) fn counter() -> AgentSpec<Counter> {
    AgentSpec::new("counter", Counter::default)
}

/// Restarts at once, often.
pub(crate) fn tenacious() -> RestartPolicy {
    let backoff = Backoff { first: Duration::ZERO, ..Backoff::default() };
    RestartPolicy { max_restarts: 1_000_000, within: Duration::from_secs(3600), backoff }
}

pub(crate) fn runtime(shards: usize) -> Runtime {
    Runtime::start(RuntimeConfig { shards, ..RuntimeConfig::default() }).expect("threads can be started")
}

/// Blocks the agent in a handler until the sender is dropped.
pub(crate) fn hold(agent: &AgentRef<Count>) -> mpsc::Sender<()> {
    let (entered, is_held) = mpsc::channel();
    let (release, until) = mpsc::channel();
    agent.tell(Count::Hold { entered, release: until }).unwrap();
    is_held.recv_timeout(LONG).unwrap();
    release
}

/// Drives a future on a thread without any async runtime. Longer than any other deadline of a test it does not wait.
pub(crate) fn until(holds: impl Fn() -> bool) {
    let deadline = tokio::time::Instant::now() + 3 * LONG;
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "it does not come to hold");
        std::thread::yield_now();
    }
}

pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut cx = std::task::Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    let deadline = tokio::time::Instant::now() + 3 * LONG;
    loop {
        match future.as_mut().poll(&mut cx) {
            std::task::Poll::Ready(output) => return output,
            std::task::Poll::Pending => std::thread::park_timeout(LONG),
        }
        assert!(tokio::time::Instant::now() < deadline, "nothing happens any more");
    }
}
