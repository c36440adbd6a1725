//! How is a file of SQLite opened that is ours, and made if it is not there? One that is somebody else's is left as it is.

use std::path::Path;
use std::time::{Duration, Instant};

use callboard_actors::error::StoreError;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::{fault, file};

/// How often a locked file is tried again.
const POLL: Duration = Duration::from_millis(5);

/// What a kind of file is like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    /// Tells it from every other kind.
    pub(super) application: i64,
    /// Of the schema, and of what is in it.
    pub(super) version: i64,
    /// Of the oldest version that can be read.
    pub(super) schema: &'static str,
    /// What makes a file of each older version one of the next, the oldest first; the last leads to `version`.
    pub(super) upgrades: &'static [&'static str],
    /// Whether what was written in the last moments must survive a power failure.
    pub(super) is_durable: bool,
}

impl Form {
    /// Opens the file, and makes it if it is not there; waits so long for another process.
    #[expect(clippy::disallowed_methods, reason = "opening blocks by contract, and SQLite tells nobody of a lock")]
    pub(super) fn open(&self, path: &Path, wait: Duration) -> Result<Connection, StoreError> {
        let began = Instant::now();
        loop {
            match self.try_open(path, wait) {
                // SQLite does not wait where two that wait could block each other: while a new file gets its mode.
                Err(StoreError::Locked(_)) if began.elapsed() < wait => std::thread::sleep(POLL),
                // What has not even the head of a file of SQLite was never ours.
                Err(StoreError::Damaged(name)) if !file::is_sqlite(path) => return Err(StoreError::Foreign(name)),
                opened => return opened,
            }
        }
    }

    fn try_open(&self, path: &Path, wait: Duration) -> Result<Connection, StoreError> {
        file::prepare(path)?;
        let name = fault::name(path);
        let failed = |error: rusqlite::Error| fault::sqlite(&name, &error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
        connection.busy_timeout(wait).map_err(failed)?;
        // Before anything is changed: it may be somebody else's.
        let look = connection.transaction().map_err(failed)?;
        let missing = self.missing(&look, &name)?;
        drop(look);
        // Not believed: a file may come from anywhere.
        connection.pragma_update(None, "trusted_schema", false).map_err(failed)?;
        connection.pragma_update(None, "cell_size_check", true).map_err(failed)?;
        let mode: String =
            connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0)).map_err(failed)?;
        if mode != "wal" {
            let message = format!("its disk knows no write-ahead mode, only {mode}");
            return Err(StoreError::Unusable { store: name, message });
        }
        let synchronous = if self.is_durable { "full" } else { "normal" };
        connection.pragma_update(None, "synchronous", synchronous).map_err(failed)?;
        if !missing.is_empty() {
            let change = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
            // Another process may have been faster.
            let missing = self.missing(&change, &name)?;
            if !missing.is_empty() {
                missing.iter().try_for_each(|step| change.execute_batch(step)).map_err(failed)?;
                change.pragma_update(None, "application_id", self.application).map_err(failed)?;
                change.pragma_update(None, "user_version", self.version).map_err(failed)?;
            }
            change.commit().map_err(failed)?;
        }
        Ok(connection)
    }

    /// What has to be done before the file is what it has to be: all, when it is empty. One that is neither empty nor ours, or that
    /// cannot be read, is an error. It is looked at within one transaction: another process may be about to make it.
    fn missing(&self, connection: &Transaction<'_>, name: &str) -> Result<Vec<&'static str>, StoreError> {
        let number = |sql: &str| {
            connection.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(|error| fault::sqlite(name, &error))
        };
        let (found, application) = (number("PRAGMA user_version")?, number("PRAGMA application_id")?);
        let tables = number("SELECT count(*) FROM sqlite_schema")?;
        let (ours, known) = (self.application, self.version);
        match application {
            0 if found == 0 && tables == 0 => Ok([&[self.schema], self.upgrades].concat()),
            application if application != ours => Err(StoreError::Foreign(name.to_owned())),
            _ if found > known => Err(StoreError::Newer { store: name.to_owned(), found, known }),
            _ => {
                let behind = usize::try_from(known - found).unwrap_or(usize::MAX);
                let from = self.upgrades.len().checked_sub(behind);
                from.map(|from| self.upgrades[from..].to_vec()).ok_or_else(|| StoreError::Damaged(name.to_owned()))
            }
        }
    }
}
