//! What is a shard? One thread with an actix system, on which agents live and are polled.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::pulse::Pulse;
use super::{beside, deadlines};
use crate::error::StartError;
use crate::mailbox::{ShardLedger, contain, drop_contained, mark_shard_ending};

/// How many starts of agents may wait for a shard. A shard that is this far behind is overloaded.
const JOBS: usize = 65_536;
/// How long a thread may take to come up.
const START_LIMIT: Duration = Duration::from_secs(10);

/// Something to do on a shard's thread.
pub(super) type Job = Box<dyn FnOnce() + Send>;

thread_local! {
    /// The number of the shard that this thread is; 0 for a thread that is none.
    static HERE: Cell<u64> = const { Cell::new(0) };
    /// Whether this thread runs one of its agents. Other tasks may be outside of those in which agents live, and cannot start one.
    static IN_AGENT: Cell<bool> = const { Cell::new(false) };
}

/// The number of the shard that the current thread is, if it is one.
#[inline]
pub(super) fn this_shard() -> Option<u64> {
    Some(HERE.get()).filter(|number| *number != 0)
}

thread_local! {
    /// Whether this thread was a shard and drops what is left on it.
    static ENDING: Cell<bool> = const { Cell::new(false) };
}

/// Whether the shard that this thread was is ending.
pub(super) fn is_ending() -> bool {
    ENDING.get()
}

/// The next shard's number: never used twice in a process.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// How the rest of the runtime reaches a shard.
#[derive(Debug)]
pub(super) struct ShardDoor {
    number: u64,
    jobs: mpsc::Sender<Job>,
    /// Whether everything happens on its thread, and no jobs are taken.
    is_alone: bool,
    pub(super) ledger: Arc<ShardLedger>,
    pub(super) pulse: Arc<Pulse>,
}

impl ShardDoor {
    /// Never used twice in a process.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Runs `job` on the shard: now if this is one of its agents, else in turn.
    pub(super) fn run(&self, job: Job) -> Result<(), Job> {
        if HERE.get() == self.number && (IN_AGENT.get() || self.is_alone) {
            job();
            return Ok(());
        }
        self.jobs.try_send(job).map_err(mpsc::error::TrySendError::into_inner)
    }

    /// Runs `job` as [`run`](Self::run) does, unless the shard is so far behind that the room is better kept for starts.
    pub(super) fn run_if_there_is_room(&self, job: Job) -> Result<(), Job> {
        if HERE.get() != self.number && self.jobs.capacity() < JOBS / 2 {
            return Err(job);
        }
        self.run(job)
    }
}

/// Does the work of an agent of this thread.
pub(crate) fn in_agent<T>(act: impl FnOnce() -> T) -> T {
    struct Reset(bool);
    impl Drop for Reset {
        fn drop(&mut self) {
            IN_AGENT.set(self.0);
        }
    }
    let _reset = Reset(IN_AGENT.replace(true));
    act()
}

/// The owner's side of a shard's thread.
#[derive(Debug)]
pub(super) struct ShardThread {
    end: CancellationToken,
    ended: Option<oneshot::Receiver<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ShardThread {
    /// Asks the thread to end; what lives on it is dropped.
    pub(super) fn end(&self) {
        self.end.cancel();
    }

    /// Resolves when the thread's agents are dropped; the thread itself ends right after.
    pub(super) async fn ended(&mut self) {
        if let Some(ended) = self.ended.take() {
            let _sender_dropped_is_the_end = ended.await;
        }
    }

    /// Joins a thread that has ended.
    pub(super) fn join(&mut self) {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a shard's thread panicked outside every agent");
        }
    }
}

impl Drop for ShardThread {
    fn drop(&mut self) {
        self.end();
    }
}

/// As many numbers as there are shards, in one block; the first of them.
pub(super) fn draw_numbers(shards: usize) -> u64 {
    NEXT.fetch_add(shards as u64, Ordering::Relaxed)
}

/// Starts the thread of shard `index` and waits until it runs.
pub(super) fn start(index: usize, number: u64) -> Result<(ShardDoor, ShardThread), StartError> {
    let ledger = Arc::new(ShardLedger::default());
    let (jobs, inbox) = mpsc::channel(JOBS);
    let (up, is_up) = std::sync::mpsc::sync_channel(1);
    let (has_ended, ended) = oneshot::channel();
    let end = CancellationToken::new();
    let token = end.clone();
    let pulse = Arc::<Pulse>::default();
    let own = pulse.clone();
    let body = move || {
        let _has_ended = has_ended;
        HERE.set(number);
        beside::is_here(own);
        let system = actix::System::new();
        system.block_on(async move {
            tokio::task::spawn_local(deadlines::keep_here());
            let _starter_waits = up.send(());
            serve(inbox, token).await;
        });
        mark_shard_ending();
        // What is dropped from here on finds no timers on this thread, and nothing else is polled any more.
        HERE.set(0);
        ENDING.set(true);
        drop(system);
        ENDING.set(false);
    };
    let name = format!("callboard-{index}");
    let thread = std::thread::Builder::new().name(name).spawn(body);
    let thread = thread.map_err(|error| StartError::Thread(error.to_string()))?;
    is_up.recv_timeout(START_LIMIT).map_err(|_| StartError::Thread("it did not come up in time".to_owned()))?;
    let door = ShardDoor { number, jobs, is_alone: false, ledger, pulse };
    Ok((door, ShardThread { end, ended: Some(ended), thread: Some(thread) }))
}

/// The current thread is a shard until this is dropped.
pub(super) struct Presence(u64);

impl Drop for Presence {
    fn drop(&mut self) {
        HERE.set(self.0);
    }
}

/// A shard on the current thread, which must be inside a `LocalSet`; nothing drives it but that set.
pub(super) fn on_this_thread() -> (ShardDoor, Presence) {
    let ledger = Arc::new(ShardLedger::default());
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let before = Presence(HERE.replace(number));
    let (jobs, _closed) = mpsc::channel(1);
    (ShardDoor { number, jobs, is_alone: true, ledger, pulse: Arc::default() }, before)
}

async fn serve(mut inbox: mpsc::Receiver<Job>, end: CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = end.cancelled() => {
                // A job whose sender is halfway is waited for: dropping the inbox would leave it in there for ever.
                inbox.close();
                while let Some(job) = inbox.recv().await {
                    drop_contained(job);
                }
                break;
            }
            job = inbox.recv() => match job {
                Some(job) => {
                    if let Err(panic) = contain(job) {
                        tracing::error!(%panic, "a job of the shard panicked");
                    }
                }
                None => break,
            },
        }
    }
}
