//! Where do agents live, and how does it all start and stop? Shards, embedding, graceful stop.
//!
//! A [`Runtime`] owns its threads: one for each shard, each with an actix system of its own. It works from a plain
//! `main`, inside either flavour of tokio, and several times in one process.

mod beside;
mod block_on;
mod chance;
mod clock;
mod deadlines;
mod pulse;
mod registry;
mod shard;
mod shared;
mod simulated;
mod stop;
mod watchdog;
mod wheel;

use std::sync::Arc;
use std::time::Duration;

pub use beside::WorkBeside;
pub use simulated::simulated;
pub use stop::{Abandoned, StopReport, StuckThread};
pub use watchdog::{Blockage, ShardInfo};

pub(crate) use block_on::{block_on, is_async_context};
pub use block_on::{may_block, on_a_thread_of_its_own, wait};
pub(crate) use deadlines::{Deadline, Expires, Expiry, in_task};
pub(crate) use shard::in_agent;
pub(crate) use shared::Shared;

use crate::agent::Agent;
use crate::error::StartError;
use crate::mailbox::{AgentRef, AgentSpec, Directory, Ledger, with_contained_waker};
use crate::supervision::Group;
use crate::supervision::tree::GroupSpec;
use shard::ShardThread;

/// How to start a [`Runtime`].
#[derive(Debug, Clone)]
pub struct RuntimeConfig {
    /// How many threads agents live on: 1 to 1,024. The default is one for each core.
    pub shards: usize,
    /// An agent that keeps its shard to itself for longer is named in the log and in [`Runtime::shards`]: 1 millisecond to
    /// 1 hour. The default is 100 milliseconds.
    pub blocked_after: Duration,
}

impl Default for RuntimeConfig {
    fn default() -> Self {
        Self {
            shards: std::thread::available_parallelism().map_or(1, usize::from).min(1024),
            blocked_after: Duration::from_millis(100),
        }
    }
}

impl RuntimeConfig {
    /// Checks every rule.
    ///
    /// # Errors
    /// [`StartError::Invalid`] names the value and its range.
    pub fn validate(&self) -> Result<(), StartError> {
        if !(1..=1024).contains(&self.shards) {
            return Err(StartError::Invalid(format!("shards is {}; it must be between 1 and 1024", self.shards)));
        }
        if !(Duration::from_millis(1)..=Duration::from_hours(1)).contains(&self.blocked_after) {
            let is = self.blocked_after;
            return Err(StartError::Invalid(format!("blocked_after is {is:?}; it must be between 1ms and 1h")));
        }
        Ok(())
    }
}

/// The threads that agents live on. Dropping it without [`Runtime::stop`] ends them without waiting for anything.
pub struct Runtime {
    shared: Arc<Shared>,
    threads: Vec<ShardThread>,
    /// `None` when somebody else drives the time.
    clock: Option<clock::Clock>,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Runtime({} shards, {:?})", self.shared.shards(), self.shared.directory())
    }
}

impl Runtime {
    /// Starts the threads. May be called anywhere, also inside an async function.
    ///
    /// # Errors
    /// [`StartError`] for an invalid configuration, or when the system gives no thread.
    pub fn start(config: RuntimeConfig) -> Result<Self, StartError> {
        config.validate()?;
        let mut doors = Vec::with_capacity(config.shards);
        let mut threads = Vec::with_capacity(config.shards);
        let first = shard::draw_numbers(config.shards);
        for index in 0..config.shards {
            let (door, thread) = shard::start(index, first + index as u64)?;
            doors.push(door);
            threads.push(thread);
        }
        let clock = clock::Clock::start()?;
        let shared = Shared::new(doors, clock.handle().clone(), chance::Chance::from_system(), None);
        shared.watch_over(deadlines::keep_on_clock(shared.clone()));
        shared.watch_over(watchdog::watch(shared.clone(), config.blocked_after));
        Ok(Self { shared, threads, clock: Some(clock) })
    }

    /// Starts an agent that belongs to no other. Its reference works at once, from any thread.
    ///
    /// # Errors
    /// [`StartError`] for a value of the spec that breaks a rule, when the runtime is stopping, or when its shard takes no more for the
    /// moment.
    pub fn spawn<A: Agent>(&self, spec: AgentSpec<A>) -> Result<AgentRef<A::Message>, StartError> {
        self.shared.spawn(spec, None)
    }

    /// Starts a tree of agents that are restarted together; see [`Group`].
    pub fn group(&self, spec: GroupSpec) -> Group {
        Group::root(&self.shared, spec)
    }

    /// The agents that live.
    pub fn directory(&self) -> &Directory {
        self.shared.directory()
    }

    /// What became of all messages so far.
    pub fn ledger(&self) -> Ledger {
        self.shared.sum_ledgers()
    }

    /// What each shard is like: which agent blocks it, and which did. In a simulation nothing blocks.
    pub fn shards(&self) -> Vec<ShardInfo> {
        self.shared.shard_infos()
    }

    /// Stops in order: no new agents; from the youngest agent to the oldest, each closes its front door, handles what
    /// it has and stops. What is not done `within` this time is abandoned and reported. Then the threads are joined.
    ///
    /// Dropping the future ends what is left without waiting.
    pub async fn stop(mut self, within: Duration) -> StopReport {
        let report = stop::stop(&self.shared, std::mem::take(&mut self.threads), within).await;
        if let Some(clock) = self.clock.take() {
            clock.join();
        }
        report
    }

    /// [`Runtime::stop`] for programs without an async runtime. Blocks the calling thread, at most `within` and two
    /// seconds more.
    ///
    /// It ends wherever it is called. Inside an async function it blocks a thread that others may need: await
    /// [`Runtime::stop`] there. On a shard of this very runtime it cannot wait for the agents of that shard: they are
    /// reported as abandoned and their thread as stuck, and end when it returns. A [simulated](fn@simulated) runtime, whose time would
    /// stand still, is not waited for at all: what is not idle is abandoned.
    pub fn stop_blocking(self, within: Duration) -> StopReport {
        if self.clock.is_none() {
            return stop::at_once(&self.shared);
        }
        block_on(self.stop(within))
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// A handle that spawns and looks, and neither keeps the runtime alive nor stops it.
    pub fn handle(&self) -> RuntimeHandle {
        RuntimeHandle { shared: self.shared.clone() }
    }

    fn on_this_thread(shared: Arc<Shared>) -> Self {
        Self { shared, threads: Vec::new(), clock: None }
    }
}

/// Reaches a [`Runtime`] from anywhere. What it spawns after the runtime stopped is refused.
#[derive(Clone)]
pub struct RuntimeHandle {
    shared: Arc<Shared>,
}

impl RuntimeHandle {
    /// See [`Runtime::spawn`].
    ///
    /// # Errors
    /// See [`Runtime::spawn`].
    pub fn spawn<A: Agent>(&self, spec: AgentSpec<A>) -> Result<AgentRef<A::Message>, StartError> {
        self.shared.spawn(spec, None)
    }

    pub(crate) fn sleep(&self, duration: Duration) -> tokio::time::Sleep {
        self.shared.sleep(duration)
    }

    pub(crate) fn closed(&self) -> impl Future<Output = ()> + Send + use<> {
        self.shared.closed()
    }

    /// Ends when the runtime has stopped, or is dropped.
    pub async fn stopped(&self) {
        with_contained_waker(self.shared.closed()).await;
    }

    /// See [`Runtime::directory`].
    pub fn directory(&self) -> &Directory {
        self.shared.directory()
    }

    /// See [`Runtime::ledger`].
    pub fn ledger(&self) -> Ledger {
        self.shared.sum_ledgers()
    }

    /// See [`Runtime::shards`].
    pub fn shards(&self) -> Vec<ShardInfo> {
        self.shared.shard_infos()
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.shared.close();
        for thread in &self.threads {
            thread.end();
        }
    }
}
