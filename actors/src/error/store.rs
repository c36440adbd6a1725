//! Why can something not be kept, or read again?

use thiserror::Error;

/// A store cannot be used, or something could not be read from it or written to it. The text names the store.
#[derive(Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// A value of its options breaks a rule.
    #[error("invalid options of a store: {0}")]
    Options(String),
    /// A question names a session, and the agent has no store.
    #[error("the agent has no store for sessions")]
    NotGiven,
    /// More was asked of it at a time than may wait.
    #[error("too much waits for `{0}`")]
    Busy(String),
    /// It did not answer in time. What it was given may be kept all the same, now or later.
    #[error("{0} did not answer in time, and what it was given may be kept")]
    Late(String),
    /// Another process holds it for too long.
    #[error("`{0}` is locked by another process")]
    Locked(String),
    /// It must not be written.
    #[error("`{0}` cannot be written")]
    ReadOnly(String),
    /// What is in it is not what was written.
    #[error("`{0}` is damaged")]
    Damaged(String),
    /// What is in one of its sessions is not what was written. The others are as they were.
    #[error("a session in `{0}` is damaged")]
    DamagedSession(String),
    /// A newer version of this program wrote it.
    #[error("`{store}` has version {found}, and this program knows versions up to {known}")]
    Newer {
        /// Which store.
        store: String,
        /// Its version.
        found: i64,
        /// The newest version that can be read.
        known: i64,
    },
    /// It is something else.
    #[error("`{0}` is not a store of this kind")]
    Foreign(String),
    /// No room is left.
    #[error("the disk is full: `{0}` cannot be written")]
    Full(String),
    /// The system says something else.
    #[error("`{store}` cannot be used: {message}")]
    Unusable {
        /// Which store.
        store: String,
        /// What the system said.
        message: String,
    },
    /// It was deleted or moved, or another one has its place, while it was open: what is written is not kept.
    #[error("`{0}` was deleted, moved or replaced while it was open")]
    Moved(String),
    /// A store of the program's own panicked, with this text. What it was given may be kept.
    #[error("the store panicked: {0}")]
    Panicked(String),
    /// It was closed.
    #[error("`{0}` is closed")]
    Closed(String),
}

impl StoreError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Options(_) => "store_options",
            Self::NotGiven => "store_not_given",
            Self::Busy(_) => "store_busy",
            Self::Late(_) => "store_late",
            Self::Locked(_) => "store_locked",
            Self::ReadOnly(_) => "store_read_only",
            Self::Damaged(_) => "store_damaged",
            Self::DamagedSession(_) => "session_damaged",
            Self::Newer { .. } => "store_newer",
            Self::Foreign(_) => "store_foreign",
            Self::Full(_) => "disk_full",
            Self::Unusable { .. } => "store_unusable",
            Self::Moved(_) => "store_moved",
            Self::Panicked(_) => "store_panicked",
            Self::Closed(_) => "store_closed",
        }
    }

    /// Whether the same may work later, without anybody's doing in this program.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Locked(_) | Self::Full(_))
    }

    /// What to do about it. It says to try again where [`is_retryable`](Self::is_retryable) says that this may help.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Busy(_) => "try again, or make fewer calls at a time",
            Self::Locked(_) => "try again when the other program is done, end it, or name another file",
            Self::Full(_) => "make room on the disk and try again, or name a file on another one",
            other => other.remedy(),
        }
    }

    /// The same for whom nothing is to be tried again.
    pub(crate) fn remedy(&self) -> &'static str {
        match self {
            Self::Options(_) => "correct the value that is named",
            Self::NotGiven => "give it one by `.sessions(store)` when it is started, or ask without a session",
            Self::Busy(_) => "make fewer calls at a time",
            Self::Late(_) => "look at what it has before the same is given to it again",
            Self::Locked(_) => "wait for the other program, end it, or name another file",
            Self::ReadOnly(_) => "make the file and its folder writable, or name another file",
            Self::Damaged(_) => "put a backup of it in its place, or move it away: a new one is made",
            Self::DamagedSession(_) => {
                "`forget` this session, or put a backup of the file in its place: the other sessions go on"
            }
            Self::Newer { .. } => "use the newer program, or name another file",
            Self::Foreign(_) => "name another file: this one is not touched",
            Self::Full(_) => "make room on the disk, or name a file on another one",
            Self::Unusable { .. } => "check the path and its permissions, or name another file on a local disk",
            Self::Moved(_) => "put it back in its place, or open the store anew: a new file is made if none is there",
            Self::Panicked(_) => "correct the store, or report its panic to whoever made it",
            Self::Closed(_) => "open it again",
        }
    }
}

crate::shown_to_people!(StoreError);
