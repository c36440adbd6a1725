//! How do conversations outlive a process? One thread has their file; whoever reads or writes hands it a job. What waits is bounded.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use callboard_actors::chat::Turn;
use callboard_actors::error::StoreError;
use callboard_actors::ports::{History, SessionStore, Summary};
use futures_util::future::BoxFuture;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};
use tokio::sync::oneshot;

use super::fault;
use super::file::Place;
use super::form::Form;
use super::options::may_wait;
use super::waiting::{Waiting, of_calls};

/// The version of the schema, and of the turns' JSON.
const VERSION: i64 = 2;
/// Such a file: "cbss".
const FORM: Form =
    Form { application: 0x6362_7373, version: VERSION, schema: SCHEMA, upgrades: &[SUMMARIES], is_durable: true };
/// Jobs that wait for the thread.
const ROOM: usize = 1024;
/// Jobs that are done together, with one wait for the disk.
const BATCH: usize = 64;

/// As it was in version 1.
const SCHEMA: &str = "
    CREATE TABLE turns (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        session TEXT NOT NULL,
        checksum INTEGER NOT NULL,
        turn BLOB NOT NULL
    ) STRICT;
    CREATE INDEX by_session ON turns (session, number);
";
/// New in version 2.
const SUMMARIES: &str = "
    CREATE TABLE summaries (
        session TEXT NOT NULL PRIMARY KEY,
        through INTEGER NOT NULL,
        checksum INTEGER NOT NULL,
        summary TEXT NOT NULL
    ) STRICT;
";

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

enum Job {
    Load(Arc<str>, usize, Answer<Vec<Turn>>),
    Append(Arc<str>, Vec<Turn>, Answer<()>),
    Forget(Arc<str>, Answer<()>),
    History(Arc<str>, usize, Answer<Option<History>>),
    Keep(Arc<str>, Summary, Answer<bool>),
    Names(usize, Answer<Vec<Arc<str>>>),
    Close(Answer<()>),
}

/// Sessions in a SQLite file, in write-ahead mode. Clones are the same file, and processes may share one. What was appended is on the
/// disk when the future ends. When the last clone is dropped, what waits is still written, by the thread, which ends then.
#[derive(Clone)]
pub struct Sessions {
    jobs: SyncSender<Job>,
    waiting: Waiting,
    name: Arc<str>,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sessions({})", self.name)
    }
}

impl Sessions {
    /// Opens the file at `path`, and makes it and its folders if they are not there: readable by their owner only. It blocks, for as
    /// long as another process locks the file, and for `wait` at most, which is up to 60 seconds; so does each later operation, on the
    /// file's own thread.
    ///
    /// # Errors
    /// [`StoreError::Options`] for a longer `wait`, and [`StoreError`] for a file that is damaged, locked, read-only, of a newer version,
    /// or something else. It is left as it is; [`StoreError::hint`] says what to do. Later, whatever is asked of a file that was deleted or
    /// moved meanwhile, or that another one took the place of, is [`StoreError::Moved`].
    pub fn open(path: impl AsRef<Path>, wait: Duration) -> Result<Self, StoreError> {
        let path = path.as_ref();
        may_wait(wait)?;
        let connection = FORM.open(path, wait)?;
        let (jobs, received) = sync_channel(ROOM);
        let name: Arc<str> = fault::name(path).into();
        let file = File { connection, name: name.to_string(), place: Place::of(path) };
        let waiting = Waiting::default();
        let done = waiting.clone();
        let thread = std::thread::Builder::new().name("callboard-sessions".to_owned());
        if let Err(error) = thread.spawn(move || serve(file, &received, &done)) {
            let message = format!("no thread could be started: {error}");
            return Err(StoreError::Unusable { store: name.to_string(), message });
        }
        Ok(Self { jobs, waiting, name })
    }

    /// The names of at most so many sessions, that one first to which nothing was added for longest. The file keeps every session until it
    /// is forgotten: a program that wants no more than so many forgets those that come first.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub fn names(&self, most: usize) -> BoxFuture<'static, Result<Vec<Arc<str>>, StoreError>> {
        self.ask(|answer| Job::Names(most, answer))
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
        self.waiting.hand_over(&self.name, &self.jobs, job(answer), size, answered)
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

    fn history(&self, session: Arc<str>, most: usize) -> BoxFuture<'static, Result<Option<History>, StoreError>> {
        self.ask(|answer| Job::History(session, most, answer))
    }

    fn keep_summary(&self, session: Arc<str>, summary: Summary) -> BoxFuture<'static, Result<bool, StoreError>> {
        self.ask(|answer| Job::Keep(session, summary, answer))
    }
}

/// Bytes of what a job holds.
fn size(job: &Job) -> usize {
    let of_turn =
        |turn: &Turn| turn.text.len() + of_calls(&turn.tool_calls) + turn.answers.as_ref().map_or(0, String::len);
    match job {
        Job::Append(session, turns, _) => session.len() + turns.iter().map(of_turn).sum::<usize>(),
        Job::Keep(session, summary, _) => session.len() + summary.text.len(),
        Job::Load(session, ..) | Job::Forget(session, _) | Job::History(session, ..) => session.len(),
        Job::Names(..) | Job::Close(_) => 0,
    }
}

/// The open file.
struct File {
    connection: Connection,
    name: String,
    place: Place,
}

/// The thread: until it is closed, or nobody is there any more and all is done. The other side of an answer may be gone.
fn serve(mut file: File, jobs: &Receiver<Job>, waiting: &Waiting) {
    while let Ok(first) = jobs.recv() {
        let mut appended = Vec::new();
        for job in std::iter::once(first).chain(jobs.try_iter().take(BATCH - 1)) {
            waiting.over(size(&job));
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
                Job::History(session, most, answer) => drop(answer.send(file.history(&session, most).map(Some))),
                Job::Keep(session, summary, answer) => drop(answer.send(file.keep_summary(&session, &summary))),
                Job::Names(most, answer) => drop(answer.send(file.names(most))),
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

    /// Nothing is read from, or written into, a file that nobody else can find.
    fn is_in_place(&self) -> Result<(), StoreError> {
        if self.place.is_kept() { Ok(()) } else { Err(StoreError::Moved(self.name.clone())) }
    }

    fn load(&self, session: &str, most: usize) -> Result<Vec<Turn>, StoreError> {
        self.is_in_place()?;
        Ok(self.turns(session, most)?.into_iter().map(|(_, turn)| turn).collect())
    }

    /// The numbers of turns grow as time does.
    fn names(&self, most: usize) -> Result<Vec<Arc<str>>, StoreError> {
        self.is_in_place()?;
        let sql = "SELECT session FROM turns GROUP BY session ORDER BY max(number) LIMIT ?1";
        let mut statement = self.connection.prepare(sql).map_err(self.failed())?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let names = statement.query_map([most], |row| row.get::<_, Arc<str>>(0)).map_err(self.failed())?;
        names.collect::<Result<_, _>>().map_err(self.failed())
    }

    /// The newest turns with their numbers.
    fn turns(&self, session: &str, most: usize) -> Result<Vec<(u64, Turn)>, StoreError> {
        let sql = "SELECT turn, checksum, number FROM turns WHERE session = ?1 ORDER BY number DESC LIMIT ?2";
        let mut statement = self.connection.prepare(sql).map_err(self.failed())?;
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let read =
            |row: &rusqlite::Row<'_>| Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, u32>(1)?, row.get::<_, i64>(2)?));
        let rows = statement.query_map(params![session, most], read).map_err(self.failed())?;
        let damaged = || StoreError::DamagedSession(self.name.clone());
        let mut turns = Vec::new();
        for row in rows {
            let (turn, seal, number) = row.map_err(|error| match error.sqlite_error_code() {
                // It could be read, and holds what nobody writes.
                None => damaged(),
                Some(_) => self.failed()(error),
            })?;
            if checksum(session, &turn) != seal {
                return Err(damaged());
            }
            let number = u64::try_from(number).map_err(|_| damaged())?;
            turns.push((number, serde_json::from_slice(&turn).map_err(|_| damaged())?));
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
        let failed = self.failed();
        let written = self.is_in_place().and_then(|()| self.write(&batch).map_err(failed));
        // It may have gone meanwhile, and the turns with it.
        let written = written.and_then(|()| self.is_in_place());
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
        self.is_in_place()?;
        let failed = self.failed();
        let change = self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(&failed)?;
        for sql in ["DELETE FROM turns WHERE session = ?1", "DELETE FROM summaries WHERE session = ?1"] {
            change.execute(sql, [session]).map_err(&failed)?;
        }
        change.commit().map_err(failed)
    }

    /// Turns and summary of one moment.
    fn history(&self, session: &str, most: usize) -> Result<History, StoreError> {
        self.is_in_place()?;
        let one_moment = self.connection.unchecked_transaction().map_err(self.failed())?;
        let (turns, summary) = (self.turns(session, most)?, self.summary(session)?);
        one_moment.commit().map_err(self.failed())?;
        Ok(History { turns, summary })
    }

    /// A program of version 1 forgets a session without its summary: one without its turn is none.
    fn summary(&self, session: &str) -> Result<Option<Summary>, StoreError> {
        let sql = "SELECT summary, through, checksum FROM summaries AS kept WHERE session = ?1
            AND EXISTS (SELECT 1 FROM turns WHERE number = kept.through AND session = ?1)";
        let read =
            |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, i64>(1)?.cast_unsigned(), row.get::<_, u32>(2)?));
        match self.connection.query_row(sql, [session], read).optional() {
            Ok(None) => return Ok(None),
            Ok(Some((text, through, seal))) => {
                let summary = Summary { text, through };
                if seal_of(session, &summary) == seal {
                    return Ok(Some(summary));
                }
            }
            // A value that is none: SQLite itself has no error.
            Err(error) if error.sqlite_error_code().is_none() => {}
            Err(error) => return Err(self.failed()(error)),
        }
        // What it was made of is all there.
        tracing::warn!(store = %self.name, "a summary is damaged: it is made anew");
        let forget = "DELETE FROM summaries WHERE session = ?1";
        self.connection.execute(forget, [session]).map(|_gone| None).map_err(self.failed())
    }

    fn keep_summary(&self, session: &str, summary: &Summary) -> Result<bool, StoreError> {
        self.is_in_place()?;
        let sql = "INSERT INTO summaries (session, through, checksum, summary) SELECT ?1, ?2, ?3, ?4
            WHERE EXISTS (SELECT 1 FROM turns WHERE number = ?2 AND session = ?1)
            ON CONFLICT (session) DO UPDATE SET
            through = excluded.through, checksum = excluded.checksum, summary = excluded.summary
            WHERE excluded.through > summaries.through";
        // A number that is none of ours is none of the table's.
        let through = i64::try_from(summary.through).unwrap_or(-1);
        let values = params![session, through, seal_of(session, summary), summary.text];
        self.connection.execute(sql, values).map(|changed| changed == 1).map_err(self.failed())
    }
}

fn seal_of(session: &str, summary: &Summary) -> u32 {
    checksum(session, &[&summary.through.to_le_bytes(), summary.text.as_bytes()].concat())
}

/// SQLite does not notice a changed byte of a value.
fn checksum(session: &str, turn: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&(session.len() as u64).to_le_bytes());
    hasher.update(session.as_bytes());
    hasher.update(turn);
    hasher.finalize()
}
