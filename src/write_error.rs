//! Why was a report not written to its folder?

use std::path::PathBuf;

use thiserror::Error;

/// A report could not be written to a folder.
#[derive(Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The path is there and is not a folder.
    #[error("{} is not a folder", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// The operating system refused; nothing of the report was put in place unless the message says so.
    #[error("cannot write {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

impl WriteError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAFolder { .. } => "out_not_a_folder",
            Self::Io { source, .. } if is_full(source) => "disk_full",
            Self::Io { .. } => "out_not_writable",
        }
    }

    /// What the reader can do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::NotAFolder { .. } => "choose a folder, or a name that is not taken".into(),
            Self::Io { source, .. } if is_full(source) => {
                "free some space and try again, or choose a folder on another disk".into()
            }
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::IsADirectory => {
                "a folder has the name of a file of the report: move it away, or choose another folder".into()
            }
            Self::Io { .. } => "choose a folder in which you may write".into(),
        }
    }

    /// Whether writing again may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_full(source))
    }
}

callboard_actors::shown_to_people!(WriteError);

fn is_full(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
}
