//! What does a failure of SQLite or of the system mean to whoever keeps something?

use std::io;
use std::path::Path;

use callboard_actors::error::StoreError;
use rusqlite::ErrorCode;

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
        // Our own statements are right: what they name is missing, or breaks a rule of its table.
        Some(ErrorCode::Unknown | ErrorCode::ConstraintViolation | ErrorCode::TypeMismatch) => {
            StoreError::Damaged(store)
        }
        Some(_) => StoreError::Unusable { store, message: error.to_string() },
        // A value of another type or range than was written.
        None => StoreError::Damaged(store),
    }
}
