//! What does a failure of SQLite or of the system mean to whoever keeps something?

use std::io;
use std::path::Path;

use callboard_actors::error::StoreError;
use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;

/// How a file is called in an error.
pub(super) fn name(path: &Path) -> String {
    path.display().to_string()
}

/// A failure before SQLite is asked.
pub(super) fn io(path: &Path, error: &io::Error) -> StoreError {
    let store = name(path);
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => StoreError::ReadOnly(store),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full(store),
        _ => StoreError::Unusable { store, message: error.to_string() },
    }
}

/// A failure of SQLite. What it says names tables and columns, never what is in them.
pub(super) fn sqlite(store: &str, error: &rusqlite::Error) -> StoreError {
    let store = store.to_owned();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked(store),
        Some(ErrorCode::ReadOnly) => StoreError::ReadOnly(store),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => StoreError::Damaged(store),
        Some(ErrorCode::DiskFull) => StoreError::Full(store),
        // The memory that processes share is a file beside it, which grows when the first one opens it, also only to read. SQLite calls
        // it an error of the disk when there is no space for that.
        Some(ErrorCode::SystemIoFailure) if has_no_room(error) => StoreError::Full(store),
        // Our own statements are right: what they name is missing, or breaks a rule of its table.
        Some(ErrorCode::Unknown | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch) => {
            StoreError::Damaged(store)
        }
        Some(_) => StoreError::Unusable { store, message: error.to_string() },
        // A value of another type or range than was written.
        None => StoreError::Damaged(store),
    }
}

fn has_no_room(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| error.extended_code == SQLITE_IOERR_SHMSIZE)
}

#[cfg(test)]
mod tests {
    use rusqlite::ffi::{SQLITE_FULL, SQLITE_IOERR_READ, SQLITE_IOERR_WRITE};

    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_broken_one() {
        let code = |code| sqlite("x", &rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None)).code();
        assert_eq!([SQLITE_FULL, SQLITE_IOERR_SHMSIZE].map(code), ["disk_full"; 2]);
        assert_eq!([SQLITE_IOERR_READ, SQLITE_IOERR_WRITE].map(code), ["store_unusable"; 2]);
    }
}
