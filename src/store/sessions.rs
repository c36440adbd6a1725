//! How do conversations outlive a process? One thread has their file; whoever reads or writes hands it a job. What waits is bounded.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use callboard_actors::chat::Turn;
use callboard_actors::error::StoreError;
use callboard_actors::ports::SessionStore;
use futures_util::future::BoxFuture;
use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::oneshot;

use super::fault;
use super::form::Form;

/// The version of the schema, and of the turns' JSON.
const VERSION: i64 = 1;
/// Such a file: "cbss".
const FORM: Form = Form { application: 0x6362_7373, version: VERSION, schema: SCHEMA, is_durable: true };
/// Jobs that wait for the thread.
const ROOM: usize = 1024;
/// Jobs that are done together, with one wait for the disk.
const BATCH: usize = 64;

const SCHEMA: &str = "
    CREATE TABLE turns (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        session TEXT NOT NULL,
        checksum INTEGER NOT NULL,
        turn BLOB NOT NULL
    ) STRICT;
    CREATE INDEX by_session ON turns (session, number);
";

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

enum Job {
    Load(Arc<str>, usize, Answer<Vec<Turn>>),
    Append(Arc<str>, Vec<Turn>, Answer<()>),
    Forget(Arc<str>, Answer<()>),
    Close(Answer<()>),
}

/// Sessions in a SQLite file, in write-ahead mode. Clones are the same file, and processes may share one. What was appended is on the
/// disk when the future ends. When the last clone is dropped, what waits is still written, by the thread, which ends then.
#[derive(Clone)]
pub struct Sessions {
    jobs: SyncSender<Job>,
    name: Arc<str>,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sessions({})", self.name)
    }
}

impl Sessions {
    /// Opens the file at `path`, and makes it and its folders if they are not there: readable by their owner only. It blocks, for as
    /// long as another process locks the file, and for `wait` at most; so does each later operation, on the file's own thread.
    ///
    /// # Errors
    /// [`StoreError`] for a file that is damaged, locked, read-only, of a newer version, or something else. It is left as it
    /// is; [`StoreError::hint`] says what to do.
    pub fn open(path: impl AsRef<Path>, wait: Duration) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let connection = FORM.open(path, wait)?;
        let (jobs, received) = sync_channel(ROOM);
        let name: Arc<str> = fault::name(path).into();
        let file = File { connection, name: name.to_string() };
        let thread = std::thread::Builder::new().name("callboard-sessions".to_owned());
        if let Err(error) = thread.spawn(move || serve(file, &received)) {
            let message = format!("no thread could be started: {error}");
            return Err(StoreError::Unusable { store: name.to_string(), message });
        }
        Ok(Self { jobs, name })
    }

    /// Writes what waits, then closes the file, also for all clones.
    ///
    /// # Errors
    /// [`StoreError`] when too much waits, or when it was closed before.
    pub fn close(&self) -> BoxFuture<'static, Result<(), StoreError>> {
        self.ask(Job::Close)
    }

    /// Hands over a job and waits for its answer. It is under way when this returns.
    fn ask<T: Send + 'static>(&self, job: impl FnOnce(Answer<T>) -> Job) -> BoxFuture<'static, Result<T, StoreError>> {
        let (answer, answered) = oneshot::channel();
        let name = self.name.to_string();
        let refused = match self.jobs.try_send(job(answer)) {
            Ok(()) => None,
            Err(TrySendError::Full(_)) => Some(StoreError::Busy(name.clone())),
            Err(TrySendError::Disconnected(_)) => Some(StoreError::Closed(name.clone())),
        };
        Box::pin(async move {
            match refused {
                Some(error) => Err(error),
                // A thread that ends drops what it has not done.
                None => answered.await.unwrap_or(Err(StoreError::Closed(name))),
            }
        })
    }
}

impl SessionStore for Sessions {
    fn load(&self, session: Arc<str>, most: usize) -> BoxFuture<'static, Result<Vec<Turn>, StoreError>> {
        self.ask(|answer| Job::Load(session, most, answer))
    }

    fn append(&self, session: Arc<str>, turns: Vec<Turn>) -> BoxFuture<'static, Result<(), StoreError>> {
        self.ask(|answer| Job::Append(session, turns, answer))
    }

    fn forget(&self, session: Arc<str>) -> BoxFuture<'static, Result<(), StoreError>> {
        self.ask(|answer| Job::Forget(session, answer))
    }
}

/// The open file.
struct File {
    connection: Connection,
    name: String,
}

/// The thread: until it is closed, or nobody is there any more and all is done. The other side of an answer may be gone.
fn serve(mut file: File, jobs: &Receiver<Job>) {
    while let Ok(first) = jobs.recv() {
        let mut appended = Vec::new();
        for job in std::iter::once(first).chain(jobs.try_iter().take(BATCH - 1)) {
            let job = match job {
                Job::Append(session, turns, answer) => {
                    appended.push((session, turns, answer));
                    continue;
                }
                job => job,
            };
            // Who asked first is served first.
            file.append(std::mem::take(&mut appended));
            match job {
                Job::Load(_, _, answer) if answer.is_closed() => {}
                Job::Load(session, most, answer) => drop(answer.send(file.load(&session, most))),
                Job::Forget(session, answer) => drop(answer.send(file.forget(&session))),
                Job::Append(..) => {}
                Job::Close(answer) => {
                    drop(file);
                    let _nobody_may_wait = answer.send(Ok(()));
                    return;
                }
            }
        }
        file.append(appended);
    }
}

impl File {
    fn failed(&self) -> impl Fn(rusqlite::Error) -> StoreError + use<> {
        let name = self.name.clone();
        move |error| fault::sqlite(&name, &error)
    }

    fn load(&self, session: &str, most: usize) -> Result<Vec<Turn>, StoreError> {
        let sql = "SELECT turn, checksum FROM turns WHERE session = ?1 ORDER BY number DESC LIMIT ?2";
        let mut statement = self.connection.prepare(sql).map_err(self.failed())?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, u32>(1)?));
        let rows = statement.query_map(params![session, most], read).map_err(self.failed())?;
        let mut turns = Vec::new();
        for row in rows {
            let (turn, seal) = row.map_err(self.failed())?;
            let damaged = || StoreError::Damaged(self.name.clone());
            if checksum(session, &turn) != seal {
                return Err(damaged());
            }
            turns.push(serde_json::from_slice(&turn).map_err(|_| damaged())?);
        }
        turns.reverse();
        Ok(turns)
    }

    /// Each of them whole or not at all; those that wait together are written together.
    fn append(&mut self, appended: Vec<(Arc<str>, Vec<Turn>, Answer<()>)>) {
        if appended.is_empty() {
            return;
        }
        let (batch, answers): (Vec<_>, Vec<_>) =
            appended.into_iter().map(|(session, turns, answer)| ((session, turns), answer)).unzip();
        let written = self.write(&batch).map_err(self.failed());
        for answer in answers {
            let _nobody_may_wait = answer.send(written.clone());
        }
    }

    fn write(&mut self, batch: &[(Arc<str>, Vec<Turn>)]) -> rusqlite::Result<()> {
        let change = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for (session, turns) in batch {
            let mut insert = change.prepare("INSERT INTO turns (session, checksum, turn) VALUES (?1, ?2, ?3)")?;
            for turn in turns {
                let turn =
                    serde_json::to_vec(turn).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
                insert.execute(params![&**session, checksum(session, &turn), turn])?;
            }
        }
        change.commit()
    }

    fn forget(&mut self, session: &str) -> Result<(), StoreError> {
        let gone = self.connection.execute("DELETE FROM turns WHERE session = ?1", [session]);
        gone.map(drop).map_err(self.failed())
    }
}

/// SQLite does not notice a changed byte of a value.
fn checksum(session: &str, turn: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&(session.len() as u64).to_le_bytes());
    hasher.update(session.as_bytes());
    hasher.update(turn);
    hasher.finalize()
}
