//! How much do sessions take up, and how are those of a file told apart, got rid of and mended? A real file of SQLite.

use std::path::Path;
use std::time::Duration;

use callboard::actors::chat::Turn;
use callboard::actors::error::StoreError;
use callboard::actors::ports::SessionStore;
use callboard::store::Sessions;
use futures_util::FutureExt;
use futures_util::future::join_all;
use rusqlite::Connection;

fn open(path: &Path) -> Result<Sessions, StoreError> {
    Sessions::open(path, Duration::from_secs(60))
}

#[test]
fn a_wait_that_is_too_long_and_a_name_that_is_no_file_are_refused_and_nothing_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions.sqlite");
    for wait in [Duration::from_millis(60_001), Duration::from_secs(25 * 24 * 3600), Duration::MAX] {
        let refused = Sessions::open(&path, wait).unwrap_err();
        assert!(refused.code() == "store_options" && refused.to_string().contains("at most 60 seconds"), "{refused}");
    }
    assert!(!path.exists());
    assert!(Sessions::open(&path, Duration::from_secs(60)).is_ok());
    let memory = open(Path::new(":memory:")).unwrap_err();
    assert!(matches!(&memory, StoreError::Unusable { message, .. } if message.contains("no file")), "{memory}");
    assert!(!Path::new(":memory:").exists());
}

#[tokio::test]
async fn so_many_bytes_wait_for_the_file_and_more_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions.sqlite");
    let store = open(&path).unwrap();
    // Nothing moves while another one writes.
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let large = |size: usize| vec![Turn::assistant("x".repeat(size))];
    let adds: Vec<_> = (0..100).map(|_| store.append("a".into(), large(1 << 20))).collect();
    other.execute_batch("ROLLBACK").unwrap();
    let done = join_all(adds).await;
    let busy = Err(StoreError::Busy(path.display().to_string()));
    let kept = done.iter().filter(|one| one.is_ok()).count();
    assert!(done.iter().all(|one| one.is_ok() || *one == busy));
    // Those that the thread has taken wait no more: a batch at most.
    assert!((31..100).contains(&kept), "{kept}");
    assert_eq!(store.append("b".into(), large(40 << 20)).await, Ok(()), "a large one comes in alone");
    assert_eq!(store.append("c".into(), large(1)).await, Ok(()), "and leaves");
}

#[tokio::test]
async fn the_sessions_of_a_file_can_be_told_and_the_oldest_be_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&dir.path().join("sessions.sqlite")).unwrap();
    for name in ["b", "a", "c", "b"] {
        store.append(name.into(), vec![Turn::user("x"), Turn::assistant("y")]).await.unwrap();
    }
    let names = |most| store.names(most).map(|names| names.unwrap().join(" "));
    assert_eq!((names(9).await, names(1).await), ("a c b".to_owned(), "a".to_owned()));
    store.forget("a".into()).await.unwrap();
    assert_eq!(names(usize::MAX).await, "c b");
}

#[tokio::test]
async fn a_damaged_session_leaves_the_others_as_they_are_and_is_mended_by_forgetting_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sessions.sqlite");
    let store = open(&path).unwrap();
    let other = Connection::open(&path).unwrap();
    let text = "turn = CAST(replace(turn, 'x', 'y') AS BLOB)";
    for damage in [text, "checksum = -1", "checksum = checksum + 1"] {
        for name in ["a", "b"] {
            store.append(name.into(), vec![Turn::user("x")]).await.unwrap();
        }
        other.execute(&format!("UPDATE turns SET {damage} WHERE session = 'a'"), []).unwrap();
        let damaged = store.load("a".into(), 9).await.unwrap_err();
        assert_eq!(damaged, StoreError::DamagedSession(path.display().to_string()), "{damage}");
        assert!(damaged.hint().contains("`forget` this session"), "{damaged:?}");
        assert_eq!(store.load("b".into(), 1).await.unwrap(), [Turn::user("x")], "{damage}");
        store.forget("a".into()).await.unwrap();
        assert_eq!(store.load("a".into(), 9).await.unwrap(), [], "{damage}");
    }
}
