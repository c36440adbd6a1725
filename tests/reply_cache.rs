//! Do kept replies survive what happens to processes and files? Real files and real processes; no test waits for a time.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use callboard::actors::chat::{ChatReply, TokenUsage};
use callboard::actors::error::StoreError;
use callboard::actors::ports::ReplyStore;
use callboard::store::{Replies, ReplyOptions};
use futures_util::future::{BoxFuture, join_all};
use rusqlite::Connection;
use tempfile::TempDir;

/// Set in the processes that write: their file, and the number of their first key.
const WRITER: [&str; 2] = ["CALLBOARD_TEST_REPLIES", "CALLBOARD_TEST_FIRST"];

fn wait<T>(future: BoxFuture<'static, T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn key(number: u64) -> Arc<[u8]> {
    format!("what was asked, number {number}").into_bytes().into()
}

/// Several pages long, so that a torn one would show.
fn reply(number: u64) -> ChatReply {
    let usage = Some(TokenUsage { input: number, output: 7 });
    ChatReply { usage, ..ChatReply::text(format!("answer {number} ").repeat(800)) }
}

fn put(replies: &Replies, number: u64) -> Result<(), StoreError> {
    wait(replies.write(key(number), reply(number)))
}

fn get(replies: &Replies, number: u64) -> Result<Option<ChatReply>, StoreError> {
    wait(replies.read(key(number))).map(|stored| stored.map(|stored| stored.reply))
}

fn options() -> ReplyOptions {
    // Nothing here waits for a lock that is ever released.
    ReplyOptions { wait: Duration::ZERO, ..ReplyOptions::default() }
}

fn patient() -> ReplyOptions {
    ReplyOptions { wait: Duration::from_secs(60), ..ReplyOptions::default() }
}

/// A closed file with so many replies.
fn filled(count: u64) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replies.sqlite");
    let replies = Replies::open(&path, options()).unwrap();
    for number in 0..count {
        put(&replies, number).unwrap();
    }
    wait(replies.close()).unwrap();
    (dir, path)
}

fn refused(path: &Path) -> StoreError {
    let error = Replies::open(path, options()).expect_err("it cannot be opened");
    let text = error.to_string();
    assert!(text.contains(&path.display().to_string()) && !error.hint().is_empty(), "{text}");
    error
}

#[test]
fn what_was_kept_is_there_for_the_next_process() {
    let (_dir, path) = filled(3);
    let replies = Replies::open(&path, options()).unwrap();
    for number in 0..3 {
        assert_eq!(get(&replies, number), Ok(Some(reply(number))));
    }
    assert_eq!(get(&replies, 3), Ok(None));
    wait(replies.write(key(1), ChatReply::text("newer"))).unwrap();
    assert_eq!(get(&replies, 1), Ok(Some(ChatReply::text("newer"))));
    assert_eq!(wait(replies.totals()).unwrap().0, 3);
}

#[test]
fn what_is_too_old_goes_when_the_file_is_opened_though_nothing_is_written() {
    let (_dir, path) = filled(5);
    let two_days = 2 * 24 * 3600 * 1000;
    let change = format!("UPDATE replies SET made = made - {two_days} WHERE number <= 3");
    Connection::open(&path).unwrap().execute_batch(&change).unwrap();
    let longer = ReplyOptions { max_age: Duration::from_secs(7 * 24 * 3600), ..options() };
    for (kept, left) in [(longer, 5), (options(), 2)] {
        let replies = Replies::open(&path, kept).unwrap();
        assert_eq!(wait(replies.totals()).unwrap().0, left);
        wait(replies.close()).unwrap();
    }
    let replies = Replies::open(&path, options()).unwrap();
    assert_eq!((get(&replies, 0), get(&replies, 4)), (Ok(None), Ok(Some(reply(4)))));
}

#[test]
fn what_waits_is_done_together_and_in_order_before_it_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let replies = Replies::open(dir.path().join("replies"), options()).unwrap();
    let mut writes: Vec<_> = (0..500).map(|number| replies.write(key(number % 100), reply(number))).collect();
    let closed = replies.close();
    // One that nobody waits for is written all the same.
    drop(writes.split_off(250));
    let done = wait(Box::pin(join_all(writes)));
    assert!(done.iter().all(Result::is_ok), "{done:?}");
    wait(closed).unwrap();
    let name = dir.path().join("replies").display().to_string();
    assert_eq!(put(&replies, 1), Err(StoreError::Closed(name.clone())));
    assert_eq!(wait(replies.close()), Err(StoreError::Closed(name)));
    let replies = Replies::open(dir.path().join("replies"), options()).unwrap();
    for number in 400..500 {
        assert_eq!(wait(replies.read(key(number % 100))).unwrap().unwrap().reply, reply(number));
    }
}

#[test]
fn more_than_may_wait_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replies");
    let replies = Replies::open(&path, patient()).unwrap();
    // Nothing moves while another one writes.
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let writes: Vec<_> = (0..3000).map(|number| replies.write(key(number), reply(number))).collect();
    other.execute_batch("ROLLBACK").unwrap();
    let done = wait(Box::pin(join_all(writes)));
    let busy = Err(StoreError::Busy(path.display().to_string()));
    let refused = done.iter().filter(|one| **one == busy).count();
    assert!(done.iter().all(|one| one.is_ok() || *one == busy));
    assert!((1000..3000).contains(&refused), "{refused}");
    let large = ChatReply::text("x".repeat(40 << 20));
    assert_eq!(wait(replies.write(key(1), large)), Ok(()), "a large one comes in alone");
}

#[cfg(unix)]
#[test]
fn only_its_owner_can_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/replies.sqlite");
    let replies = Replies::open(&path, options()).unwrap();
    put(&replies, 1).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dir.path().join("a")), mode(&dir.path().join("a/b"))), (0o700, 0o700));
    let files: Vec<_> = fs::read_dir(path.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 3, "the file, its log and the index of the log: {files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn a_file_that_is_something_else_is_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    for notes in ["my notes, which are much longer than the head of a file of SQLite is: ".repeat(20), "hi".to_owned()]
    {
        fs::write(&path, &notes).unwrap();
        assert_eq!(refused(&path).code(), "store_foreign");
        assert_eq!(fs::read_to_string(&path).unwrap(), notes);
    }
    let path = dir.path().join("other.sqlite");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE bookmarks (url TEXT)").unwrap();
    let before = fs::read(&path).unwrap();
    assert_eq!(refused(&path).code(), "store_foreign");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(refused(dir.path()).code(), "store_unusable");
}

#[test]
fn a_newer_version_is_left_to_the_newer_program() {
    let (_dir, path) = filled(1);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 2).unwrap();
    let store = path.display().to_string();
    assert_eq!(refused(&path), StoreError::Newer { store, found: 2, known: 1 });
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 0).unwrap();
    assert_eq!(refused(&path).code(), "store_damaged", "there was never an older one");
}

#[test]
fn a_file_or_a_folder_that_must_not_be_written_says_so() {
    let (dir, path) = filled(1);
    let lock = |path: &Path, locked: bool| {
        let mut permissions = fs::metadata(path).unwrap().permissions();
        #[cfg(unix)]
        std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, if locked { 0o500 } else { 0o700 });
        #[cfg(not(unix))]
        permissions.set_readonly(locked);
        fs::set_permissions(path, permissions).unwrap();
    };
    lock(&path, true);
    assert_eq!(refused(&path).code(), "store_read_only");
    lock(&path, false);
    if cfg!(unix) {
        lock(dir.path(), true);
        assert_eq!(refused(&path).code(), "store_read_only");
        lock(dir.path(), false);
    }
    assert_eq!(get(&Replies::open(&path, options()).unwrap(), 0), Ok(Some(reply(0))));
}

#[test]
fn a_lock_of_another_process_delays_writers_and_no_reader() {
    let (_dir, path) = filled(1);
    let replies = Replies::open(&path, options()).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; DELETE FROM replies").unwrap();
    let locked = StoreError::Locked(path.display().to_string());
    assert_eq!(put(&replies, 1), Err(locked.clone()));
    assert!(locked.is_retryable());
    assert_eq!(get(&replies, 0), Ok(Some(reply(0))), "what the other one does is not done yet");
    assert_eq!(get(&Replies::open(&path, options()).unwrap(), 0), Ok(Some(reply(0))));
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(put(&replies, 1), Ok(()));
    wait(replies.close()).unwrap();
    other.execute_batch("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE").unwrap();
    assert_eq!(refused(&path), locked);
}

/// A file in which a byte differs, or that ends early: a reply is the one that was kept, or there is an error or nothing.
#[test]
fn a_damaged_file_gives_no_wrong_reply_and_no_panic() {
    const KEPT: u64 = 4;
    let (dir, path) = filled(KEPT);
    let whole = fs::read(&path).unwrap();
    let (mut errors, mut found) = (0, 0);
    let mut look = |bytes: &[u8], number: usize| {
        // A folder of its own: the log of the one before is not there.
        let path = dir.path().join(format!("{number}/replies"));
        fs::create_dir(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        let Ok(replies) = Replies::open(&path, options()) else { return errors += 1 };
        for number in 0..KEPT {
            match get(&replies, number) {
                Ok(Some(kept)) => {
                    assert_eq!(kept, reply(number));
                    found += 1;
                }
                Ok(None) => {}
                Err(error) => {
                    assert_eq!(error.code(), "store_damaged");
                    errors += 1;
                }
            }
        }
        let _anything_but_a_panic = put(&replies, 1);
        let _anything_but_a_panic = wait(replies.close());
    };
    let step = whole.len() / 150;
    for (number, at) in (0..whole.len()).step_by(step).enumerate() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1 << (number % 8);
        look(&damaged, number);
        look(&whole[..at], 1000 + number);
    }
    assert!(errors > 100 && found > 300, "{errors} errors, {found} replies found");
}

/// No test by itself: the process that the others start. It writes one reply after the other and says so, until it is killed
/// or has written as many as it was told.
#[test]
fn writer() {
    let [Ok(path), Ok(first)] = WRITER.map(std::env::var) else { return };
    let replies = Replies::open(path, patient()).unwrap();
    let (first, count) = first.split_once('+').unwrap();
    let (first, count): (u64, u64) = (first.parse().unwrap(), count.parse().unwrap());
    for number in first..first + count {
        // Some in one batch, so that the end comes in the middle of one.
        let more: Vec<_> = (1..4).map(|more| replies.write(key(number + 1_000_000 * more), reply(number))).collect();
        put(&replies, number).unwrap();
        drop(more);
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nkept {number}").and_then(|()| out.flush()).unwrap();
    }
    wait(replies.close()).unwrap();
}

fn start_writer(path: &Path, first: u64, count: u64) -> (Child, impl Iterator<Item = u64> + use<>) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writer", "--nocapture", "--test-threads=1"])
        .env(WRITER[0], path)
        .env(WRITER[1], format!("{first}+{count}"))
        .env("CALLBOARD_NETWORK", "loopback")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::<ChildStdout>::new(child.stdout.take().unwrap()).lines();
    let kept = lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("kept ")?.parse().ok());
    (child, kept)
}

fn check(path: &Path) {
    let verdict: String =
        Connection::open(path).unwrap().query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}

#[test]
fn a_writer_that_is_killed_damages_nothing_and_loses_nothing_that_it_had_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replies");
    let mut kept = Vec::new();
    for round in 0..4 {
        let (mut child, mut said) = start_writer(&path, round * 1000, 1000);
        // Further into its work in each round.
        kept.extend(said.by_ref().take(1 + 13 * usize::try_from(round).unwrap()));
        child.kill().unwrap();
        // What it said before it was gone counts too.
        kept.extend(said);
        assert!(!child.wait().unwrap().success(), "it was killed");
    }
    assert!(kept.len() >= 1 + 14 + 27 + 40, "{kept:?}");
    let replies = Replies::open(&path, options()).unwrap();
    for number in kept {
        assert_eq!(get(&replies, number), Ok(Some(reply(number))), "{number}");
    }
    check(&path);
    put(&replies, 1).unwrap();
}

/// What the error of a damaged file advises, after a process that could not clear up behind itself.
#[test]
fn a_file_that_is_removed_is_made_again_whatever_is_left_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replies");
    let (mut child, mut said) = start_writer(&path, 0, 1000);
    assert_eq!(said.nth(5), Some(5));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(dir.path().join("replies-wal").exists(), "a log is left");
    fs::remove_file(&path).unwrap();
    let replies = Replies::open(&path, options()).unwrap();
    assert_eq!(get(&replies, 0), Ok(None));
    put(&replies, 1).unwrap();
    assert_eq!(get(&replies, 1), Ok(Some(reply(1))));
    check(&path);
}

#[test]
fn two_processes_share_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("replies");
    // They make it at the same time, too.
    let writers: Vec<_> = (0..3).map(|first| start_writer(&path, first * 1000, 50)).collect();
    for (mut child, said) in writers {
        assert_eq!(said.count(), 50);
        assert!(child.wait().unwrap().success());
    }
    let replies = Replies::open(&path, options()).unwrap();
    for number in (0..3).flat_map(|first| first * 1000..first * 1000 + 50) {
        assert_eq!(get(&replies, number), Ok(Some(reply(number))), "{number}");
    }
    assert_eq!(wait(replies.totals()).unwrap().0, 3 * 50 * 4);
    check(&path);
}
