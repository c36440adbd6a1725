//! Why can a conversation not be recorded or played, and what is to be done about it?

use std::path::{Path, PathBuf};

use thiserror::Error;

/// A recording cannot be made, or not be used.
#[derive(Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordingError {
    /// Continuous integration plays conversations. It records none: it would call a provider unseen, and nobody would commit the file.
    #[error("`{}` is not recorded, because the variable CI is set", .0.display())]
    Ci(PathBuf),
    /// There is a recording already.
    #[error("`{}` is there already", .0.display())]
    Exists(PathBuf),
    /// There is none.
    #[error("`{}` is not there", .0.display())]
    Missing(PathBuf),
    /// It is something else.
    #[error("`{}` is no recorded conversation", .0.display())]
    Foreign(PathBuf),
    /// A newer version of Callboard wrote it.
    #[error("`{}` has version {found}, and versions up to {known} can be played", path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The newest version that can be played.
        known: u64,
    },
    /// Its last line has no end: whoever wrote it was stopped, or a copy was cut.
    #[error("`{}` ends in the middle of line {line}", path.display())]
    Truncated {
        /// Which file.
        path: PathBuf,
        /// Its last line, from 1.
        line: usize,
    },
    /// A line of it is not what was written.
    #[error("line {line} of `{}` is damaged: {what}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// It is longer than any recording should be.
    #[error("`{}` is longer than {most} MiB", path.display())]
    TooLong {
        /// Which file.
        path: PathBuf,
        /// The most that is read.
        most: u64,
    },
    /// The system says something else.
    #[error("`{}` cannot be used: {message}", path.display())]
    Unusable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        message: String,
    },
}

impl RecordingError {
    pub(super) fn of_system(path: &Path, error: &std::io::Error) -> Self {
        let path = path.to_owned();
        match error.kind() {
            std::io::ErrorKind::NotFound => Self::Missing(path),
            std::io::ErrorKind::AlreadyExists => Self::Exists(path),
            _ => Self::Unusable { path, message: error.to_string() },
        }
    }

    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ci(_) => "recording_in_ci",
            Self::Exists(_) => "recording_exists",
            Self::Missing(_) => "recording_missing",
            Self::Foreign(_) => "recording_foreign",
            Self::Newer { .. } => "recording_newer",
            Self::Truncated { .. } => "recording_truncated",
            Self::Damaged { .. } => "recording_damaged",
            Self::TooLong { .. } => "recording_too_long",
            Self::Unusable { .. } => "recording_unusable",
        }
    }

    /// Whether the same may work later. It may not, before somebody does something about the file.
    pub fn is_retryable(&self) -> bool {
        false
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Ci(_) => {
                "record it on your own machine, look through it and commit it; unset CI if this is your own machine"
            }
            Self::Exists(_) => "remove it to record anew, or play it with Player::open",
            Self::Missing(_) => {
                "record it on your own machine with Recorder::create, in a folder that is there, and commit it"
            }
            Self::Foreign(_) => "name another file: this one is not touched",
            Self::Newer { .. } => "use the newer version of Callboard, or remove the file and record anew",
            Self::Truncated { .. } => "remove the last line if the rest will do, or remove the file and record anew",
            Self::Damaged { .. } => "restore the file from your version control, or remove it and record anew",
            Self::TooLong { .. } => "record fewer conversations in one file",
            Self::Unusable { .. } => "check the path and its permissions",
        }
    }
}

callboard_actors::shown_to_people!(RecordingError);
