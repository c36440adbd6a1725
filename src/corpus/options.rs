//! What can a caller choose about reading a corpus, and where is the cache?

use std::path::PathBuf;
use std::time::Duration;

use super::CorpusError;
use crate::cache_folder;

/// The variable that moves the cache away from the user's cache directory.
pub const CACHE_DIR_VARIABLE: &str = cache_folder::VARIABLE;

/// How a corpus is read and where its index is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorpusOptions {
    /// Where indexes are kept. `None`: `$CALLBOARD_CACHE_DIR`, or else `callboard` in the user's cache directory.
    pub cache_dir: Option<PathBuf>,
    /// Files larger than this many bytes are skipped. 1 byte to 1 GiB; 32 MiB by default.
    pub max_file_bytes: u64,
    /// Documents whose text would make the stored text of the whole corpus larger than this many bytes are skipped, in the
    /// order of the corpus. At least 1 byte; 2 GiB by default.
    pub max_corpus_bytes: u64,
    /// How long to wait while another process builds the same index; 10 minutes by default.
    pub lock_wait: Duration,
    /// How many files are read at once; 0 means one for each core, at most four.
    pub threads: usize,
}

impl Default for CorpusOptions {
    fn default() -> Self {
        Self {
            cache_dir: None,
            max_file_bytes: 32 << 20,
            max_corpus_bytes: 2 << 30,
            lock_wait: Duration::from_secs(600),
            threads: 0,
        }
    }
}

impl CorpusOptions {
    /// The largest accepted value of [`max_file_bytes`](Self::max_file_bytes).
    pub const MAX_FILE_BYTES: u64 = 1 << 30;

    /// Checks the ranges stated at the fields.
    ///
    /// # Errors
    /// [`CorpusError::Options`] names the field and its range.
    pub fn validate(&self) -> Result<(), CorpusError> {
        if self.max_file_bytes == 0 || self.max_file_bytes > Self::MAX_FILE_BYTES {
            return Err(CorpusError::Options("max_file_bytes must be from 1 byte to 1 GiB".into()));
        }
        if self.max_corpus_bytes == 0 {
            return Err(CorpusError::Options("max_corpus_bytes must be at least 1 byte".into()));
        }
        Ok(())
    }

    /// The directory under which every cache file of this program lies. It need not be there yet.
    ///
    /// # Errors
    /// [`CorpusError::NoCacheDir`] when neither the caller nor the variable nor the system names one.
    pub fn cache_root(&self) -> Result<PathBuf, CorpusError> {
        self.cache_dir.clone().or_else(cache_folder::path).ok_or(CorpusError::NoCacheDir)
    }

    /// The number of reading threads.
    pub(super) fn readers(&self) -> usize {
        match self.threads {
            0 => std::thread::available_parallelism().map_or(2, usize::from).clamp(1, 4),
            given => given.min(64),
        }
    }
}
