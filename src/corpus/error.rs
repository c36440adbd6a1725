//! What can go wrong with a corpus, and what can the user do about it?

use std::io;
use std::path::{Path, PathBuf};

use callboard_actors::error::RetrieveError;
use callboard_actors::research::SkippedFile;
use thiserror::Error;

/// A corpus could not be opened or read.
#[derive(Error)]
#[non_exhaustive]
pub enum CorpusError {
    /// No path was given.
    #[error("no corpus was named")]
    NoPaths,
    /// A path does not exist.
    #[error("the corpus `{}` does not exist", .0.display())]
    Missing(PathBuf),
    /// A path is a link to something that does not exist.
    #[error("the corpus `{}` is a broken link: what it points to does not exist", .0.display())]
    BrokenLink(PathBuf),
    /// A path exists and cannot be read.
    #[error("the corpus `{}` cannot be read", path.display())]
    Unreadable {
        /// As it was given.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A path has no document that can be read.
    #[error("the corpus `{}` has no document that can be read{}", path.display(), tally(skipped))]
    Empty {
        /// As it was given.
        path: PathBuf,
        /// What was there, and why it was skipped.
        skipped: Vec<SkippedFile>,
    },
    /// A value of the options breaks a rule.
    #[error("invalid corpus options: {0}")]
    Options(String),
    /// The system names no cache directory.
    #[error("no cache directory is known")]
    NoCacheDir,
    /// The cache cannot be written or read.
    #[error("the index cannot be kept in `{}`", path.display())]
    Cache {
        /// The file or folder of the cache.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No room for the index.
    #[error("the disk is full: the index cannot be written to `{}`", path.display())]
    DiskFull {
        /// The file or folder of the cache.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Another process holds the index for too long.
    #[error("another process has been building the same index for {} s", waited.as_secs())]
    Busy {
        /// How long this process waited.
        waited: std::time::Duration,
    },
    /// The index is damaged, and building it again did not help.
    #[error("the index cannot be used: {0}")]
    Damaged(String),
    /// The watcher broke off.
    #[error("opening the corpus was interrupted")]
    Interrupted,
}

/// ` (3 files skipped: hidden, binary)`, or nothing.
fn tally(skipped: &[SkippedFile]) -> String {
    if skipped.is_empty() {
        return String::new();
    }
    let mut reasons: Vec<&str> = skipped.iter().map(|file| file.reason.as_str()).collect();
    reasons.sort_unstable();
    reasons.dedup();
    let more = if reasons.len() > 4 { ", ..." } else { "" };
    reasons.truncate(4);
    let files = if skipped.len() == 1 { "file" } else { "files" };
    format!(" ({} {files} skipped: {}{more})", skipped.len(), reasons.join(", "))
}

impl CorpusError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoPaths => "corpus_not_given",
            Self::Missing(_) | Self::BrokenLink(_) => "corpus_missing",
            Self::Unreadable { .. } => "corpus_unreadable",
            Self::Empty { .. } => "corpus_empty",
            Self::Options(_) => "corpus_options",
            Self::NoCacheDir => "cache_unknown",
            Self::Cache { .. } => "cache_unusable",
            Self::DiskFull { .. } => "disk_full",
            Self::Busy { .. } => "index_busy",
            Self::Damaged(_) => "index_damaged",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether the same call may work later, without a change of its arguments.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::DiskFull { .. } | Self::Interrupted)
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoPaths => "name a folder or a file to search",
            Self::Missing(_) => "check the spelling, or name another folder or file",
            Self::BrokenLink(_) => "mend the link, or name another folder or file",
            Self::Unreadable { .. } => "check the permissions, and that it is a folder or a file, or name another one",
            Self::Empty { skipped, .. }
                if skipped.iter().all(|file| file.reason.contains("permission")) && !skipped.is_empty() =>
            {
                "check the permissions of what was skipped, or name another folder or file"
            }
            Self::Empty { .. } => {
                "name a folder or file with Markdown, plain text, reStructuredText, HTML or CSV; PDF, binary and hidden files, and what .gitignore excludes, are not read"
            }
            Self::Options(_) => "correct the value",
            Self::NoCacheDir => "set CALLBOARD_CACHE_DIR to a folder that you can write to",
            Self::Cache { .. } => {
                "set CALLBOARD_CACHE_DIR to a folder that you can write to, or correct its permissions"
            }
            Self::DiskFull { .. } => {
                "free some space and try again, or set CALLBOARD_CACHE_DIR to a folder on another disk"
            }
            Self::Busy { .. } => "try again when the other process is done, or end it",
            Self::Damaged(_) => "remove the cache folder: the index is built anew",
            Self::Interrupted => {
                "try again: it starts from the beginning, as an index that is not finished is not kept"
            }
        }
    }

    /// What the system's refusal of a corpus path means.
    pub fn of_path(path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        match source.kind() {
            io::ErrorKind::NotFound if path.is_symlink() => Self::BrokenLink(path),
            io::ErrorKind::NotFound => Self::Missing(path),
            _ => Self::Unreadable { path, source },
        }
    }

    /// An input or output error at a place in the cache.
    pub(super) fn cache(path: &Path, source: io::Error) -> Self {
        let path = path.to_path_buf();
        if is_full(&source) { Self::DiskFull { path, source } } else { Self::Cache { path, source } }
    }

    /// An error of the search library while it wrote under `path`.
    pub(super) fn index(path: &Path, source: tantivy::TantivyError) -> Self {
        match root_io_error(&source) {
            Some(error) => Self::cache(path, error),
            None => Self::Damaged(source.to_string()),
        }
    }
}

callboard_actors::shown_to_people!(CorpusError);

/// Whether there was no room, also when a library wrapped the system's error or kept only its text.
fn is_full(error: &io::Error) -> bool {
    let mut beneath: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = beneath {
        let kind = error.downcast_ref::<io::Error>().map(io::Error::kind);
        if matches!(kind, Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)) {
            return true;
        }
        beneath = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    #[cfg(unix)]
    return error.to_string().contains(&io::Error::from_raw_os_error(libc::ENOSPC).to_string());
    #[cfg(not(unix))]
    false
}

/// The input or output error beneath an error of the search library, if there is one.
fn root_io_error(error: &tantivy::TantivyError) -> Option<io::Error> {
    use tantivy::TantivyError as T;
    use tantivy::directory::error::{OpenDirectoryError as D, OpenReadError as R, OpenWriteError as W};
    let inner = match error {
        T::IoError(inner) => inner,
        T::OpenWriteError(W::IoError { io_error, .. }) => io_error,
        T::OpenReadError(R::IoError { io_error, .. }) => io_error,
        T::OpenDirectoryError(D::IoError { io_error, .. }) => io_error,
        _ => return None,
    };
    Some(match inner.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        // It is shared and cannot be taken out; its kind and its text can.
        None if is_full(inner) => io::Error::new(io::ErrorKind::StorageFull, inner.to_string()),
        None => io::Error::new(inner.kind(), inner.to_string()),
    })
}

impl From<CorpusError> for RetrieveError {
    fn from(error: CorpusError) -> Self {
        match error {
            CorpusError::Damaged(reason) => Self::Damaged(reason),
            other if other.is_retryable() => Self::Unavailable(other.to_string()),
            other => Self::Damaged(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tantivy::TantivyError;
    use tantivy::directory::error::OpenWriteError;

    use super::*;

    fn full() -> io::Error {
        io::Error::from(io::ErrorKind::StorageFull)
    }

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        let path = Path::new("cache");
        let wrapped = OpenWriteError::wrap_io_error(full(), path.to_path_buf());
        let of_the_library = [
            TantivyError::IoError(Arc::new(full())),
            TantivyError::IoError(Arc::new(io::Error::other(full()))),
            TantivyError::OpenWriteError(wrapped),
        ];
        for error in of_the_library {
            let error = CorpusError::index(path, error);
            assert_eq!(error.code(), "disk_full", "{error:?}");
            assert!(error.is_retryable() && error.hint().contains("CALLBOARD_CACHE_DIR"));
        }
        assert_eq!(CorpusError::cache(path, io::Error::other(full())).code(), "disk_full");
        assert_eq!(CorpusError::cache(path, io::Error::from(io::ErrorKind::NotFound)).code(), "cache_unusable");
        assert_eq!(CorpusError::index(path, TantivyError::Poisoned).code(), "index_damaged");
    }

    #[cfg(unix)]
    #[test]
    fn a_full_disk_is_known_by_its_text_alone() {
        let text = io::Error::from_raw_os_error(libc::ENOSPC).to_string();
        assert_eq!(CorpusError::cache(Path::new("cache"), io::Error::other(text)).code(), "disk_full");
    }

    #[test]
    fn an_empty_corpus_says_what_was_there() {
        let skipped = |reason: &str| SkippedFile { file: "x".into(), reason: reason.into() };
        let error = CorpusError::Empty {
            path: "docs".into(),
            skipped: vec![skipped("PDF"), skipped("hidden"), skipped("PDF")],
        };
        assert_eq!(
            error.to_string(),
            "the corpus `docs` has no document that can be read (3 files skipped: PDF, hidden)"
        );
    }
}
