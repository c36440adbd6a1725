//! How do replies lie in a file of SQLite? Blocking; time is an argument, in milliseconds since 1970.
//!
//! Write-ahead mode: readers go on while another process writes, and a process that is killed damages nothing. What was kept in
//! the last moments before the power fails may be lost, which a cache can bear. A reply is found by the SHA-256 of all that was
//! asked, and taken only if all of it is the same; a checksum shows whether it is still what was written.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use callboard_actors::chat::ChatReply;
use callboard_actors::error::StoreError;
use callboard_actors::ports::StoredReply;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use sha2::{Digest, Sha256};

use super::fault;
use super::form::Form;
use super::options::ReplyOptions;

/// The version of the schema, and of the replies' JSON.
pub(super) const VERSION: i64 = 1;
/// Such a file: "cbrp".
const FORM: Form =
    Form { application: 0x6362_7270, version: VERSION, schema: SCHEMA, upgrades: &[], is_durable: false };
/// What a row costs beside its texts, about.
const ROW: u64 = 128;
/// A clock that was set back by more makes what was written before unknown.
const CLOCK: i64 = 60_000;
/// So many replies are removed at a time while the file is opened.
pub(super) const SOME: i64 = 500;

const SCHEMA: &str = "
    CREATE TABLE replies (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        digest BLOB NOT NULL UNIQUE,
        made INTEGER NOT NULL,
        size INTEGER NOT NULL,
        checksum INTEGER NOT NULL,
        asked BLOB NOT NULL,
        reply BLOB NOT NULL
    ) STRICT;
    CREATE INDEX by_age ON replies (made, number);
    CREATE TABLE totals (entries INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT;
    INSERT INTO totals VALUES (0, 0);
    CREATE TRIGGER comes AFTER INSERT ON replies BEGIN
        UPDATE totals SET entries = entries + 1, bytes = bytes + NEW.size;
    END;
    CREATE TRIGGER goes AFTER DELETE ON replies BEGIN
        UPDATE totals SET entries = entries - 1, bytes = bytes - OLD.size;
    END;
";

/// An open file of replies.
pub(super) struct Database {
    connection: Connection,
    name: String,
    options: ReplyOptions,
}

/// One reply that is to be kept.
pub(super) struct Record {
    pub(super) key: Arc<[u8]>,
    pub(super) reply: ChatReply,
}

impl Database {
    /// Opens the file, and makes it if it is not there.
    pub(super) fn open(path: &Path, options: ReplyOptions) -> Result<Self, StoreError> {
        options.validate()?;
        let connection = FORM.open(path, options.wait)?;
        let database = Self { connection, name: fault::name(path), options };
        database.totals()?;
        Ok(database)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    fn failed(&self) -> impl Fn(rusqlite::Error) -> StoreError + use<> {
        let name = self.name.clone();
        move |error| fault::sqlite(&name, &error)
    }

    /// How many replies there are, and their bytes.
    pub(super) fn totals(&self) -> Result<(u64, u64), StoreError> {
        totals(&self.connection).map_err(self.failed())
    }

    /// The reply that was kept for this key, if it is young enough.
    pub(super) fn read(&self, key: &[u8], now: i64) -> Result<Option<StoredReply>, StoreError> {
        let asked = self.asked(key);
        let sql = "SELECT asked, reply, made, checksum FROM replies WHERE digest = ?1";
        let read = |row: &rusqlite::Row<'_>| {
            Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?, row.get::<_, i64>(2)?, row.get::<_, u32>(3)?))
        };
        let found = self.connection.query_row(sql, [digest(&asked)], read).optional().map_err(self.failed())?;
        let Some((stored, reply, made, seal)) = found else { return Ok(None) };
        let damaged = || StoreError::Damaged(self.name.clone());
        if checksum(&stored, &reply, made) != seal {
            return Err(damaged());
        }
        let (oldest, newest) = self.young(now);
        if stored != asked || made <= oldest || made > newest {
            return Ok(None);
        }
        let reply = serde_json::from_slice(&reply).map_err(|_| damaged())?;
        let age = Duration::from_millis(u64::try_from(now.saturating_sub(made)).unwrap_or_default());
        Ok(Some(StoredReply { reply, age }))
    }

    /// Keeps all of these or none, and removes what is too old or too much.
    pub(super) fn write(&mut self, records: &[Record], now: i64) -> Result<(), StoreError> {
        let (failed, young, max_bytes) = (self.failed(), self.young(now), self.options.max_bytes);
        let rows: Vec<_> = records.iter().filter_map(|record| Row::of(record, self.asked(&record.key), now)).collect();
        let begun = self.connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let change = begun.map_err(&failed)?;
        for row in rows {
            let digest = digest(&row.asked);
            // Also when the new one is too large: the one before is not the answer any more.
            change.execute("DELETE FROM replies WHERE digest = ?1", [&digest[..]]).map_err(&failed)?;
            if row.size <= max_bytes {
                row.insert(&change, &digest).map_err(&failed)?;
            }
        }
        prune(&change, young, (self.options.max_entries, max_bytes)).map_err(&failed)?;
        change.commit().map_err(failed)
    }

    /// Removes some of what is too old, and says whether there may be more.
    pub(super) fn prune_some(&mut self, now: i64) -> Result<bool, StoreError> {
        let sql =
            "DELETE FROM replies WHERE number IN (SELECT number FROM replies WHERE made <= ?1 OR made > ?2 LIMIT ?3)";
        let (oldest, newest) = self.young(now);
        // Looked for first: where nothing is old nothing is written, and nobody is waited for.
        let old = "SELECT EXISTS (SELECT 1 FROM replies WHERE made <= ?1 OR made > ?2)";
        let is_there = self.connection.query_row(old, [oldest, newest], |row| row.get::<_, bool>(0));
        if !is_there.map_err(self.failed())? {
            return Ok(false);
        }
        let gone = self.connection.execute(sql, [oldest, newest, SOME]).map_err(self.failed())?;
        Ok(i64::try_from(gone) == Ok(SOME))
    }

    /// What was made after the first and not after the second of these is young.
    fn young(&self, now: i64) -> (i64, i64) {
        let age = i64::try_from(self.options.max_age.as_millis()).unwrap_or(i64::MAX);
        (now.saturating_sub(age), now.saturating_add(CLOCK))
    }

    /// All that was asked, and of whom.
    fn asked(&self, key: &[u8]) -> Vec<u8> {
        let realm = self.options.realm.as_bytes();
        [&(realm.len() as u64).to_le_bytes(), realm, key].concat()
    }
}

struct Row {
    asked: Vec<u8>,
    reply: Vec<u8>,
    made: i64,
    size: u64,
}

impl Row {
    /// `None` for a reply that cannot be written, which there is none of.
    fn of(record: &Record, asked: Vec<u8>, made: i64) -> Option<Self> {
        let reply = serde_json::to_vec(&record.reply).ok()?;
        let size = ROW + asked.len() as u64 + reply.len() as u64;
        Some(Self { asked, reply, made, size })
    }

    fn insert(&self, change: &Transaction<'_>, digest: &[u8]) -> rusqlite::Result<()> {
        let sql = "INSERT INTO replies (digest, asked, reply, made, size, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let Self { asked, reply, made, size } = self;
        let size = i64::try_from(*size).unwrap_or(i64::MAX);
        change.execute(sql, params![digest, asked, reply, made, size, checksum(asked, reply, *made)]).map(drop)
    }
}

/// Removes what is too old, and then the oldest until the rest is within the bounds.
fn prune(
    change: &Transaction<'_>,
    (oldest, newest): (i64, i64),
    (max_entries, max_bytes): (u64, u64),
) -> rusqlite::Result<()> {
    change.execute("DELETE FROM replies WHERE made <= ?1 OR made > ?2", [oldest, newest])?;
    loop {
        let (entries, bytes) = totals(change)?;
        if entries <= max_entries && bytes <= max_bytes {
            return Ok(());
        }
        // Some at a time: how many bytes the next one frees is not known before.
        let many = entries.saturating_sub(max_entries).clamp(1, 1000);
        let sql = "DELETE FROM replies WHERE number IN (SELECT number FROM replies ORDER BY made, number LIMIT ?1)";
        if change.execute(sql, [i64::try_from(many).unwrap_or(1)])? == 0 {
            // The totals are wrong, and nothing is left: they begin again.
            change.execute("UPDATE totals SET entries = 0, bytes = 0", [])?;
            return Ok(());
        }
    }
}

fn totals(connection: &Connection) -> rusqlite::Result<(u64, u64)> {
    let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
    let (entries, bytes) = connection.query_row("SELECT entries, bytes FROM totals", [], read)?;
    Ok((u64::try_from(entries).unwrap_or_default(), u64::try_from(bytes).unwrap_or_default()))
}

fn digest(asked: &[u8]) -> [u8; 32] {
    Sha256::digest(asked).into()
}

/// SQLite does not notice a changed byte of a value.
fn checksum(asked: &[u8], reply: &[u8], made: i64) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for part in [asked, reply, &made.to_le_bytes()] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BEGIN: i64 = 1_700_000_000_000;

    fn open(path: &Path, options: ReplyOptions) -> Database {
        Database::open(path, options).unwrap()
    }

    fn record(key: u8, length: usize) -> Record {
        Record { key: [key; 8].into(), reply: ChatReply::text("x".repeat(length)) }
    }

    fn found(database: &Database, key: u8, now: i64) -> Option<usize> {
        database.read(&[key; 8], now).unwrap().map(|stored| stored.reply.text.len())
    }

    #[test]
    fn a_reply_is_found_until_its_age_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let options = ReplyOptions { max_age: Duration::from_millis(100), ..ReplyOptions::default() };
        let mut database = open(&dir.path().join("replies"), options);
        database.write(&[record(1, 5)], BEGIN).unwrap();
        let stored = database.read(&[1; 8], BEGIN + 99).unwrap().unwrap();
        assert_eq!((stored.reply, stored.age), (ChatReply::text("xxxxx"), Duration::from_millis(99)));
        assert_eq!(found(&database, 1, BEGIN + 100), None);
        // A clock that is set back a little makes it young, and by more, unknown.
        assert_eq!(database.read(&[1; 8], BEGIN - CLOCK).unwrap().map(|stored| stored.age), Some(Duration::ZERO));
        assert_eq!(found(&database, 1, BEGIN - CLOCK - 1), None);
        database.write(&[], BEGIN + 100).unwrap();
        assert_eq!(database.totals(), Ok((0, 0)));
        database.write(&[record(1, 5)], BEGIN).unwrap();
        database.write(&[], BEGIN - CLOCK - 1).unwrap();
        assert_eq!(database.totals(), Ok((0, 0)), "nor does it stay until its time comes");
    }

    #[test]
    fn what_is_too_old_can_be_removed_some_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let options = ReplyOptions { max_age: Duration::from_millis(100), ..ReplyOptions::default() };
        let mut database = open(&dir.path().join("replies"), options);
        let many = |keys: std::ops::Range<i64>| -> Vec<_> {
            keys.map(|key| Record { key: key.to_le_bytes().into(), reply: ChatReply::text("x") }).collect()
        };
        database.write(&many(0..SOME + 3), BEGIN).unwrap();
        database.write(&many(SOME + 3..SOME + 5), BEGIN + 50).unwrap();
        let mut left = |now| (database.prune_some(now), database.totals().unwrap().0);
        assert_eq!(left(BEGIN + 99), (Ok(false), 505), "all are young");
        assert_eq!(left(BEGIN + 100), (Ok(true), 5));
        assert_eq!(left(BEGIN + 100), (Ok(false), 2));
        assert_eq!(left(BEGIN - CLOCK), (Ok(false), 0), "nor does one stay that is of a time to come");
    }

    #[test]
    fn another_realm_and_another_key_of_the_same_hash_are_not_answered_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("replies");
        let mut database = open(&path, ReplyOptions::default());
        database.write(&[record(1, 5)], BEGIN).unwrap();
        let other = open(&path, ReplyOptions { realm: "other".to_owned(), ..ReplyOptions::default() });
        assert_eq!((found(&database, 1, BEGIN), found(&other, 1, BEGIN)), (Some(5), None));
        let forged = digest(&database.asked(&[2; 8]));
        database.connection.execute("UPDATE replies SET digest = ?1", [&forged[..]]).unwrap();
        assert_eq!(found(&database, 2, BEGIN), None);
    }

    #[test]
    fn a_value_that_was_changed_is_noticed_and_mended_by_the_next_reply() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("replies");
        for change in [
            "reply = CAST(replace(reply, 'x', 'y') AS BLOB)",
            "made = made + 1",
            "asked = CAST(asked || x'00' AS BLOB)",
        ] {
            let mut database = open(&path, ReplyOptions::default());
            database.write(&[record(1, 5)], BEGIN).unwrap();
            database.connection.execute(&format!("UPDATE replies SET {change}"), []).unwrap();
            let damaged = StoreError::Damaged(path.display().to_string());
            assert_eq!(database.read(&[1; 8], BEGIN), Err(damaged), "{change}");
            database.write(&[record(1, 6)], BEGIN).unwrap();
            assert_eq!(found(&database, 1, BEGIN), Some(6), "{change}");
        }
    }

    #[test]
    fn one_that_is_larger_than_the_file_is_not_kept_nor_the_one_before() {
        let dir = tempfile::tempdir().unwrap();
        let mut database =
            open(&dir.path().join("replies"), ReplyOptions { max_bytes: 4096, ..ReplyOptions::default() });
        database.write(&[record(1, 5), record(2, 5)], BEGIN).unwrap();
        database.write(&[record(1, 5000)], BEGIN).unwrap();
        assert_eq!((found(&database, 1, BEGIN), found(&database, 2, BEGIN)), (None, Some(5)));
    }

    #[test]
    fn a_batch_is_kept_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let mut database = open(&dir.path().join("replies"), ReplyOptions::default());
        let trap = "CREATE TRIGGER trap BEFORE INSERT ON replies WHEN (SELECT entries FROM totals) = 1
            BEGIN SELECT raise(ABORT, 'no'); END";
        database.connection.execute_batch(trap).unwrap();
        assert!(database.write(&[record(1, 5), record(2, 5)], BEGIN).is_err());
        assert_eq!((database.totals(), found(&database, 1, BEGIN)), (Ok((0, 0)), None));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        /// Whatever is written and when: the newest are kept, within both bounds and the age, as in a plain list.
        #[test]
        fn it_keeps_what_a_plain_list_keeps(
            steps in proptest::collection::vec((proptest::collection::vec((0..8u8, 0..2500usize), 0..4), 0..40i64), 1..25),
            max_entries in 1..8u64, max_bytes in 4096..9000u64,
        ) {
            let dir = tempfile::tempdir().unwrap();
            let options =
                ReplyOptions { max_age: Duration::from_millis(100), max_entries, max_bytes, ..ReplyOptions::default() };
            let mut database = open(&dir.path().join("replies"), options);
            let (mut now, mut list) = (BEGIN, Vec::<(u8, usize, u64, i64)>::new());
            for (records, millis) in steps {
                now += millis;
                let written: Vec<_> = records.iter().map(|(key, length)| record(*key, *length)).collect();
                database.write(&written, now).unwrap();
                for (record, (key, length)) in written.iter().zip(records) {
                    list.retain(|(other, ..)| *other != key);
                    let size = Row::of(record, database.asked(&record.key), now).unwrap().size;
                    if size <= max_bytes {
                        list.push((key, length, size, now));
                    }
                }
                list.retain(|(.., made)| now - made < 100);
                let bytes = |list: &[(u8, usize, u64, i64)]| list.iter().map(|(_, _, size, _)| size).sum::<u64>();
                while list.len() as u64 > max_entries || bytes(&list) > max_bytes {
                    list.remove(0);
                }
                prop_assert_eq!(database.totals().unwrap(), (list.len() as u64, bytes(&list)));
                for key in 0..8 {
                    let expected = list.iter().find(|(other, ..)| *other == key).map(|(_, length, ..)| *length);
                    prop_assert_eq!(found(&database, key, now), expected);
                }
            }
        }
    }
}
