//! Where is the index of these corpus paths? Finds it, switches to a new one, and removes what nobody needs.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::files::{claim_dir, clear_file, read_checked, write_checked};
use super::generation::{Generation, Unusable, sha256};
use super::lock::Guard;
use crate::corpus::manifest::Visit;
use crate::corpus::progress::Watch;
use crate::corpus::walk::Root;
use crate::corpus::{CorpusError, CorpusOptions};

/// The folder of all slots.
const FOLDER: &str = "corpus";
/// What was stored by another version of the program is not used: readers and words may have changed. The number counts
/// such changes within one version.
const FORMAT: &str = concat!(env!("CARGO_PKG_VERSION"), " 7");
/// Slots that nobody used for so long are removed.
const FORGOTTEN: Duration = Duration::from_secs(60 * 24 * 3600);

/// The place of the index for one set of corpus paths.
#[derive(Debug)]
pub(in crate::corpus) struct Slot {
    base: PathBuf,
    name: String,
    wait: Duration,
}

/// What a slot holds.
pub(in crate::corpus) struct Held {
    /// `None` when there is none yet.
    pub(in crate::corpus) generation: Option<Generation>,
    /// Empty when they are missing or damaged: then every file is read, and no more is lost than time.
    pub(in crate::corpus) visits: Vec<Visit>,
    /// Why the generation that was there cannot be used.
    pub(in crate::corpus) damage: Option<String>,
}

impl Slot {
    /// The slot for these paths, in this order.
    pub(in crate::corpus) fn new(roots: &[Root], options: &CorpusOptions) -> Result<Self, CorpusError> {
        let mut key = format!("{FORMAT}\0{}\0", options.max_corpus_bytes).into_bytes();
        for root in roots {
            key.extend_from_slice(root.path.as_os_str().as_encoded_bytes());
            key.push(0);
        }
        let base = options.cache_root()?.join(FOLDER);
        Ok(Self { base, name: sha256(&key)[..24].to_owned(), wait: options.lock_wait })
    }

    /// The slot's folder.
    pub(in crate::corpus) fn dir(&self) -> PathBuf {
        self.base.join(&self.name)
    }

    /// Waits for the right to open the index, or to build it.
    pub(in crate::corpus) fn lock(&self, exclusive: bool, watch: &mut Watch<'_>) -> Result<Guard, CorpusError> {
        Guard::take(&self.lock_file(&self.name), exclusive, self.wait, watch)
    }

    fn lock_file(&self, slot: &str) -> PathBuf {
        self.base.join("locks").join(format!("{slot}.lock"))
    }

    /// What is there. Damage is reported as a value: the caller builds again.
    pub(in crate::corpus) fn load(&self, _lock: &Guard) -> Held {
        let (generation, damage) = match self.current() {
            Ok(None) => (None, None),
            Ok(Some(name)) => match Generation::open(&self.dir().join(&name)) {
                Ok(generation) => (Some(generation), None),
                Err(Unusable(reason)) => (None, Some(reason)),
            },
            Err(reason) => (None, Some(reason)),
        };
        if generation.is_none() {
            return Held { generation, visits: Vec::new(), damage };
        }
        match read_checked(&self.dir().join("visits")) {
            Ok(visits) => Held { generation, visits, damage },
            Err(_) => Held { generation, visits: Vec::new(), damage: Some("visits is missing or damaged".to_owned()) },
        }
    }

    fn current(&self) -> Result<Option<String>, String> {
        match read_checked::<String>(&self.dir().join("current")) {
            Ok(name) if name.starts_with("g-") && !name.contains(['/', '\\']) => Ok(Some(name)),
            Ok(_) => Err("current is damaged".to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(_) => Err("current is damaged".to_owned()),
        }
    }

    /// A new, empty folder for a generation. It is removed unless it is [published](Self::publish).
    pub(in crate::corpus) fn stage(&self, _lock: &Guard) -> Result<tempfile::TempDir, CorpusError> {
        let dir = self.dir();
        claim_dir(&dir).map_err(|error| CorpusError::cache(&dir, error))?;
        self.sweep(None);
        let made = tempfile::Builder::new().prefix("g-").tempdir_in(&dir);
        made.map_err(|error| CorpusError::cache(&dir, error))
    }

    /// Makes a sealed generation the living one, and removes the others.
    pub(in crate::corpus) fn publish(&self, staged: tempfile::TempDir, lock: &Guard) -> Result<PathBuf, CorpusError> {
        let name = staged.path().file_name().unwrap_or_default().to_string_lossy().into_owned();
        let current = self.dir().join("current");
        clear_file(&current)
            .and_then(|()| write_checked(&current, &name))
            .map_err(|error| CorpusError::cache(&current, error))?;
        let path = staged.keep();
        self.sweep(Some(&name));
        self.forget(lock);
        Ok(path)
    }

    /// Remembers what came of each file.
    pub(in crate::corpus) fn remember(&self, visits: &[Visit], _lock: &Guard) -> Result<(), CorpusError> {
        let path = self.dir().join("visits");
        clear_file(&path).and_then(|()| write_checked(&path, &visits)).map_err(|error| CorpusError::cache(&path, error))
    }

    /// Removes generations that are not alive. Only the holder of the exclusive lock comes here.
    fn sweep(&self, living: Option<&str>) {
        let living = living.map(str::to_owned).or_else(|| self.current().ok().flatten());
        for (name, path) in entries(&self.dir()) {
            let dead = name.starts_with("g-") && Some(&name) != living.as_ref();
            if dead || name.ends_with(".new") {
                remove(&path);
            }
        }
    }

    /// Removes slots that nobody used for a long time.
    fn forget(&self, _lock: &Guard) {
        for (name, path) in entries(&self.base).filter(|(name, _)| name != "locks" && *name != self.name) {
            let lock = self.lock_file(&name);
            let used = fs::metadata(&lock).and_then(|metadata| metadata.modified());
            let idle = used.ok().and_then(|used| SystemTime::now().duration_since(used).ok());
            if idle.is_none_or(|idle| idle <= FORGOTTEN) {
                continue;
            }
            if let Some(guard) = Guard::try_exclusive(&lock) {
                remove(&path);
                guard.remove(&lock);
            }
        }
    }
}

fn entries(dir: &Path) -> impl Iterator<Item = (String, PathBuf)> {
    let entries = fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
}

/// What cannot be removed now (another system keeps open files) is removed the next time.
fn remove(path: &Path) {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    if let Err(error) = removed {
        tracing::debug!(%error, path = %path.display(), "a dead file of the cache stays until the next clean-up");
    }
}
