//! What must a subject be able to do? The same few things for all, so that each measurement is written once.
//!
//! What is fair is decided here: the same numbers go in and come out, the same sum is kept, mailboxes hold at most
//! [`CAPACITY`] messages where there is a bound at all, and whoever asks is a task on a single-threaded runtime like
//! those on which the agents live.

use std::future::Future;

use dashmap::DashMap;
use tokio::sync::oneshot;

/// How many messages a mailbox holds, where the library knows a bound (ractor's mailboxes have none).
pub const CAPACITY: usize = 4096;

/// The number that makes an agent panic.
pub const CRASH: u64 = u64::MAX;

/// The state of every agent: the sum of all numbers that it was given.
#[derive(Debug, Default)]
pub struct Sum(u64);

impl Sum {
    /// Adds `number` and gives the sum.
    ///
    /// # Panics
    /// Panics on [`CRASH`]: on purpose.
    pub fn add(&mut self, number: u64) -> u64 {
        assert!(number != CRASH, "crashed on purpose");
        self.0 = self.0.wrapping_add(number);
        self.0
    }

    /// Adds each number, and puts the sum so far in its place.
    pub fn add_all(&mut self, mut numbers: Vec<u64>) -> Vec<u64> {
        for number in &mut numbers {
            *number = self.add(*number);
        }
        numbers
    }
}

/// A message that a ring of agents hands on `left` more times; the last one says so on `done`.
#[derive(Debug)]
pub struct Baton {
    /// How many more agents get it.
    pub left: u64,
    /// Hears of the end.
    pub done: oneshot::Sender<()>,
}

impl Baton {
    /// The baton for the next agent; `None` when the last one has it.
    pub fn handed_on(self) -> Option<Self> {
        if self.left == 0 {
            let _somebody_waits = self.done.send(());
            return None;
        }
        Some(Self { left: self.left - 1, ..self })
    }
}

/// The agents that a library without a directory of its own keeps by id.
pub type Directory<P> = DashMap<u64, <P as Peer>::Agent>;

/// A library, as the measurements use it. Each agent keeps a [`Sum`].
pub trait Peer: Sized + 'static {
    /// What the table calls it.
    const NAME: &'static str;
    /// The package whose version the table shows; empty for this repository's own.
    const PACKAGE: &'static str;

    /// A thread on which agents can be started.
    type Home: Clone + Send + Sync + 'static;
    /// A reference to an agent.
    type Agent: Clone + Send + Sync + 'static;

    /// Starts `threads` threads, runs `body` as a task on the first, ends the threads and gives what `body` gave.
    fn run<T, F>(threads: usize, body: impl FnOnce(Vec<Self::Home>) -> F + Send + 'static) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static;

    /// Starts an agent. It may run its first steps later.
    fn spawn(home: &Self::Home) -> impl Future<Output = Self::Agent> + Send;

    /// Lists the agent in a directory and gives its id. Only whoever has a directory of its own does something else.
    fn enlist(directory: &Directory<Self>, agent: Self::Agent) -> u64 {
        let id = u64::try_from(directory.len()).unwrap_or(u64::MAX);
        directory.insert(id, agent);
        id
    }

    /// Finds an agent that was enlisted.
    fn find(_home: &Self::Home, directory: &Directory<Self>, id: u64) -> Option<Self::Agent> {
        directory.get(&id).map(|entry| entry.value().clone())
    }

    /// Sends `number` without waiting for anything.
    fn tell(agent: &Self::Agent, number: u64);

    /// Sends `number` and waits for the sum, in the way that is cheapest when one waits at once.
    fn ask(agent: &Self::Agent, number: u64) -> impl Future<Output = u64> + Send;

    /// Sends `number` now and gives a future of the sum, so that several can be on their way.
    fn begin(agent: &Self::Agent, number: u64) -> impl Future<Output = u64> + Send;

    /// Sends many numbers in one message and waits for as many sums in one reply.
    fn ask_batch(agent: &Self::Agent, numbers: Vec<u64>) -> impl Future<Output = Vec<u64>> + Send;

    /// Tells an agent to whom it hands a [`Baton`] on.
    fn meet(agent: &Self::Agent, next: &Self::Agent);

    /// Hands an agent a baton.
    fn pass(agent: &Self::Agent, baton: Baton);
}

/// A library that can bring an agent back after a panic.
pub trait Reviving: Peer {
    /// An agent under supervision, restarted at once and for ever.
    type Supervised: Send;

    /// Starts a supervised agent.
    fn supervised(home: &Self::Home) -> impl Future<Output = Self::Supervised> + Send;

    /// Sends [`CRASH`], then asks with `number`, and gives what the next incarnation answers.
    fn crash_and_ask(agent: &mut Self::Supervised, number: u64) -> impl Future<Output = u64> + Send;
}
