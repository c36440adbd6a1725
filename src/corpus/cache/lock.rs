//! Who may touch a slot now? Many who open it, or one who builds.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use super::files::{claim_dir, clear_file, private_file};
use crate::corpus::CorpusError;
use crate::corpus::progress::{IndexProgress, Watch};

/// How often a waiting process looks again.
const POLL: Duration = Duration::from_millis(25);

/// Holds the lock of a slot until it is dropped, or until the process ends.
#[derive(Debug)]
pub(in crate::corpus) struct Guard {
    file: File,
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
        let mut file = open(path)?;
        let started = Instant::now();
        loop {
            let tried = if exclusive { file.try_lock() } else { file.try_lock_shared() };
            match tried {
                Ok(()) if is_at(&file, path) => return Ok(Self { file }),
                // It was removed meanwhile: another process may hold its successor.
                Ok(()) => file = open(path)?,
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
        is_at(&file, path).then_some(Self { file })
    }

    /// Gives the lock up and removes its file. Who waits for it finds out and makes a new one.
    pub(super) fn remove(self, path: &Path) {
        // Where a file cannot be told from its successor, it stays.
        if cfg!(unix)
            && is_at(&self.file, path)
            && let Err(error) = fs::remove_file(path)
        {
            tracing::debug!(%error, "a lock file that nobody needs stays");
        }
    }
}

/// Whether the open file is still the one at `path`: its owner may have removed it while this process waited.
fn is_at(file: &File, path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let number = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        matches!((file.metadata().map(number), fs::metadata(path).map(number)), (Ok(open), Ok(there)) if open == there)
    }
    #[cfg(not(unix))]
    {
        let _ = (file, path);
        true
    }
}

/// Opens the lock file; whatever else has its name or that of its folders is removed first.
fn open(path: &Path) -> Result<File, CorpusError> {
    let parent = path.parent().unwrap_or(path);
    for folder in parent.parent().into_iter().chain([parent]) {
        claim_dir(folder).map_err(|error| CorpusError::cache(folder, error))?;
    }
    let opened = clear_file(path).and_then(|()| private_file(path));
    let file = opened.map_err(|error| CorpusError::cache(path, error))?;
    // The time of the lock file says when the slot was used last.
    if let Err(error) = file.set_modified(SystemTime::now()) {
        tracing::debug!(%error, "the time of a lock file could not be set");
    }
    Ok(file)
}

#[cfg(all(test, unix))]
mod tests {
    use std::ops::ControlFlow;

    use super::*;

    #[test]
    fn one_who_waited_for_a_removed_lock_takes_its_successor() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("locks/slot.lock");
        let waiting = open(&path).expect("it can be made");
        Guard::try_exclusive(&path).expect("nobody holds it").remove(&path);
        assert!(!path.exists() && !is_at(&waiting, &path));
        let mut watch = |_| ControlFlow::Continue(());
        let guard = Guard::take(&path, true, Duration::ZERO, &mut Watch(&mut watch)).expect("nobody holds it");
        assert!(is_at(&guard.file, &path) && !is_at(&waiting, &path));
        assert!(Guard::try_exclusive(&path).is_none(), "it is held");
    }
}
