//! Who may touch a slot now? Many who open it, or one who builds.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::files::{private_dir, private_file};
use crate::corpus::CorpusError;
use crate::corpus::progress::{IndexProgress, Watch};

/// How often a waiting process looks again.
const POLL: Duration = Duration::from_millis(25);

/// Holds the lock of a slot until it is dropped, or until the process ends.
#[derive(Debug)]
pub(in crate::corpus) struct Guard {
    _file: File,
}

impl Guard {
    /// Waits for the lock, at most `wait`. The watcher hears of it at every look, so that it can break off.
    #[expect(
        clippy::disallowed_methods,
        reason = "opening a corpus blocks by contract, and files tell nobody of a lock"
    )]
    pub(in crate::corpus) fn take(
        path: &Path,
        exclusive: bool,
        wait: Duration,
        watch: &mut Watch<'_>,
    ) -> Result<Self, CorpusError> {
        let file = open(path)?;
        let started = Instant::now();
        loop {
            let tried = if exclusive { file.try_lock() } else { file.try_lock_shared() };
            match tried {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(CorpusError::cache(path, error)),
            }
            if started.elapsed() >= wait {
                return Err(CorpusError::Busy { waited: started.elapsed() });
            }
            watch.tell(IndexProgress::Waiting)?;
            std::thread::sleep(POLL);
        }
    }

    /// Takes the lock if nobody holds it.
    pub(super) fn try_exclusive(path: &Path) -> Option<Self> {
        let file = private_file(path).ok()?;
        file.try_lock().ok()?;
        Some(Self { _file: file })
    }
}

fn open(path: &Path) -> Result<File, CorpusError> {
    let parent = path.parent().unwrap_or(path);
    private_dir(parent).map_err(|error| CorpusError::cache(parent, error))?;
    let file = private_file(path).map_err(|error| CorpusError::cache(path, error))?;
    // The time of the lock file says when the slot was used last.
    if let Err(error) = file.set_modified(SystemTime::now()) {
        tracing::debug!(%error, "the time of a lock file could not be set");
    }
    Ok(file)
}
