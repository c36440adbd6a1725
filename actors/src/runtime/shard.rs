//! What is a shard? One thread with an actix system, on which agents live and are polled.

use std::cell::Cell;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::error::StartError;
use crate::mailbox::{ShardLedger, mark_shard_ending};

/// How many starts of agents may wait for a shard. A shard that is this far behind is overloaded.
const JOBS: usize = 65_536;
/// How long a thread may take to come up.
const START_LIMIT: Duration = Duration::from_secs(10);

/// Something to do on a shard's thread.
pub(super) type Job = Box<dyn FnOnce() + Send>;

thread_local! {
    /// The shard that this thread is, as the address of its ledger: unique in the process while the shard lives.
    static HERE: Cell<usize> = const { Cell::new(0) };
}

/// How the rest of the runtime reaches a shard.
#[derive(Debug)]
pub(super) struct ShardDoor {
    jobs: mpsc::Sender<Job>,
    pub(super) ledger: Arc<ShardLedger>,
}

impl ShardDoor {
    /// Runs `job` on the shard: now if this is its thread, else in turn.
    pub(super) fn run(&self, job: Job) -> Result<(), Job> {
        if HERE.get() == self.mark() {
            job();
            return Ok(());
        }
        self.jobs.try_send(job).map_err(mpsc::error::TrySendError::into_inner)
    }

    fn mark(&self) -> usize {
        Arc::as_ptr(&self.ledger).addr()
    }
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

/// Starts the thread of shard `index` and waits until it runs.
pub(super) fn start(index: usize) -> Result<(ShardDoor, ShardThread), StartError> {
    let ledger = Arc::new(ShardLedger::default());
    let mark = Arc::as_ptr(&ledger).addr();
    let (jobs, inbox) = mpsc::channel(JOBS);
    let (up, is_up) = std::sync::mpsc::sync_channel(1);
    let (has_ended, ended) = oneshot::channel();
    let end = CancellationToken::new();
    let token = end.clone();
    let body = move || {
        let _has_ended = has_ended;
        HERE.set(mark);
        let system = actix::System::new();
        system.block_on(async move {
            let _starter_waits = up.send(());
            serve(inbox, token).await;
        });
        mark_shard_ending();
        drop(system);
    };
    let name = format!("callboard-{index}");
    let thread = std::thread::Builder::new().name(name).spawn(body);
    let thread = thread.map_err(|error| StartError::Thread(error.to_string()))?;
    is_up.recv_timeout(START_LIMIT).map_err(|_| StartError::Thread("it did not come up in time".to_owned()))?;
    let door = ShardDoor { jobs, ledger };
    Ok((door, ShardThread { end, ended: Some(ended), thread: Some(thread) }))
}

/// A shard on the current thread, which must be inside a `LocalSet`; nothing drives it but that set.
pub(super) fn on_this_thread() -> ShardDoor {
    let ledger = Arc::new(ShardLedger::default());
    HERE.set(Arc::as_ptr(&ledger).addr());
    let (jobs, _closed) = mpsc::channel(1);
    ShardDoor { jobs, ledger }
}

async fn serve(mut inbox: mpsc::Receiver<Job>, end: CancellationToken) {
    loop {
        tokio::select! {
            biased;
            () = end.cancelled() => break,
            job = inbox.recv() => match job {
                Some(job) => job(),
                None => break,
            },
        }
    }
}
