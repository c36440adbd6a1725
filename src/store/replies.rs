//! How does a program keep replies without waiting for a disk? One thread has the file; whoever reads or writes hands it a job.
//!
//! What waits is bounded, in number and in bytes. Jobs that wait together are done together: first what is read, then all that
//! is written, in one transaction.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, SystemTime};

use callboard_actors::chat::ChatReply;
use callboard_actors::error::StoreError;
use callboard_actors::ports::{ReplyStore, StoredReply};
use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use super::database::{Database, Record};
use super::options::ReplyOptions;
use super::waiting::{Waiting, of_calls};

/// Jobs that wait for the thread.
const ROOM: usize = 1024;
/// Jobs that are done together.
const BATCH: usize = 256;

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

enum Job {
    Read(Arc<[u8]>, Answer<Option<StoredReply>>),
    Write(Record, Answer<()>),
    Totals(Answer<(u64, u64)>),
    Close(Answer<()>),
}

/// Replies in a SQLite file. Clones are the same file. Processes may share one; each keeps its own bounds.
///
/// When the last clone is dropped, what waits is still written, by the thread, which ends then; a process that ends at once does
/// not wait for it. [`Replies::close`] does.
#[derive(Clone)]
pub struct Replies {
    jobs: SyncSender<Job>,
    waiting: Waiting,
    name: Arc<str>,
}

impl std::fmt::Debug for Replies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Replies({})", self.name)
    }
}

impl Replies {
    /// Opens the file at `path`, and makes it and its folders if they are not there: readable by their owner only. It blocks, for
    /// as long as another process locks the file and [`ReplyOptions::wait`] allows. Then replies that are too old are removed, on the file's
    /// own thread and some at a time, until somebody asks for one.
    ///
    /// # Errors
    /// [`StoreError`] for options that are not valid, and for a file that is damaged, locked, read-only, of a newer version, or
    /// something else. It is left as it is; [`StoreError::hint`] says what to do.
    pub fn open(path: impl AsRef<Path>, options: ReplyOptions) -> Result<Self, StoreError> {
        let database = Database::open(path.as_ref(), options)?;
        let (jobs, received) = sync_channel(ROOM);
        let (waiting, name) = (Waiting::default(), Arc::from(database.name()));
        let done = waiting.clone();
        let thread = std::thread::Builder::new().name("callboard-replies".to_owned());
        if let Err(error) = thread.spawn(move || serve(database, &received, &done)) {
            let message = format!("no thread could be started: {error}");
            return Err(StoreError::Unusable { store: String::from(&*name), message });
        }
        Ok(Self { jobs, waiting, name })
    }

    /// How many replies are kept, and how many bytes they are.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub fn totals(&self) -> BoxFuture<'static, Result<(u64, u64), StoreError>> {
        self.ask(Job::Totals)
    }

    /// Writes what waits, then closes the file, also for all clones.
    ///
    /// # Errors
    /// [`StoreError`] when too much waits, or when it was closed before.
    pub fn close(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        self.ask(Job::Close)
    }

    /// The same within this time; what comes in between is logged.
    pub(crate) async fn close_within(&self, time: Duration) {
        match tokio::time::timeout(time, self.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, hint = error.hint(), "the last replies may not be kept"),
            Err(_late) => tracing::warn!("the last replies may not be kept: the disk is slow"),
        }
    }

    /// Hands over a job and waits for its answer. It is under way when this returns.
    fn ask<T: Send + 'static>(&self, job: impl FnOnce(Answer<T>) -> Job) -> BoxFuture<'static, Result<T, StoreError>> {
        let (answer, answered) = oneshot::channel();
        self.waiting.hand_over(&self.name, &self.jobs, job(answer), size, answered)
    }
}

impl ReplyStore for Replies {
    fn read(&self, key: Arc<[u8]>) -> BoxFuture<'static, Result<Option<StoredReply>, StoreError>> {
        self.ask(|answer| Job::Read(key, answer))
    }

    fn write(&self, key: Arc<[u8]>, reply: ChatReply) -> BoxFuture<'static, Result<(), StoreError>> {
        self.ask(|answer| Job::Write(Record { key, reply }, answer))
    }
}

/// Bytes of what a job holds.
fn size(job: &Job) -> usize {
    match job {
        Job::Read(key, _) => key.len(),
        Job::Write(Record { key, reply }, _) => key.len() + reply.text.len() + of_calls(&reply.tool_calls),
        Job::Totals(_) | Job::Close(_) => 0,
    }
}

/// The thread: until it is closed, or nobody is there any more and all is done. The other side of an answer may be gone.
fn serve(mut database: Database, jobs: &Receiver<Job>, waiting: &Waiting) {
    let mut is_failing = false;
    let mut waits = prune(&mut database, jobs);
    while let Some(first) = waits.take().or_else(|| jobs.recv().ok()) {
        let (mut records, mut writers, mut closing) = (Vec::new(), Vec::new(), None);
        for job in std::iter::once(first).chain(jobs.try_iter().take(BATCH - 1)) {
            waiting.over(size(&job));
            match job {
                Job::Read(_, answer) if answer.is_closed() => {}
                Job::Read(key, answer) => drop(answer.send(database.read(&key, now()))),
                Job::Totals(answer) => drop(answer.send(database.totals())),
                Job::Write(record, answer) => {
                    records.push(record);
                    writers.push(answer);
                }
                Job::Close(answer) => {
                    closing = Some(answer);
                    break;
                }
            }
        }
        if !records.is_empty() {
            let written = database.write(&records, now());
            match &written {
                // Once: it is the same for every reply until the file can be written again.
                Err(error) if !is_failing => {
                    let hint = error.hint();
                    tracing::warn!(%error, hint, "replies are not kept, until the file can be written again");
                }
                Ok(()) if is_failing => tracing::info!("replies are kept again"),
                _ => {}
            }
            is_failing = written.is_err();
            for answer in writers {
                let _nobody_may_wait = answer.send(written.clone());
            }
        }
        if let Some(answer) = closing {
            drop(database);
            let _nobody_may_wait = answer.send(Ok(()));
            return;
        }
    }
}

/// Removes what is too old as long as nobody asks for anything, at least some of it; gives back the job that came meanwhile. Whoever only
/// reads would keep it forever.
fn prune(database: &mut Database, jobs: &Receiver<Job>) -> Option<Job> {
    loop {
        match database.prune_some(now()) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(error) => {
                tracing::debug!(%error, "replies that are too old are still in the file");
                return None;
            }
        }
        match jobs.try_recv() {
            Ok(job) => return Some(job),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return None,
        }
    }
}

/// Milliseconds since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
