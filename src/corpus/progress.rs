//! How far is the opening of a corpus? What a watcher sees, and how he stops it.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::CorpusError;

/// One step of [`Corpus::open`](super::Corpus::open).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexProgress {
    /// The folders are being listed.
    Scanning {
        /// Files seen so far.
        files: usize,
    },
    /// Another process is building the same index; this one waits for it. Repeated some 40 times a second until the wait
    /// is over, so that the watcher can break off.
    Waiting,
    /// Something in the cache was damaged. It is built again from the files; said once.
    Rebuilding {
        /// What was found, for people.
        reason: String,
    },
    /// New and changed files are being read.
    Reading {
        /// Files read so far.
        done: usize,
        /// Files to read. Unchanged ones are not among them.
        total: usize,
    },
    /// Passages are being indexed.
    Indexing {
        /// Passages indexed so far. While the whole is worked out in the end, all of them, again and again.
        done: usize,
        /// Passages to index. Those of documents that were indexed before are not among them.
        total: usize,
    },
    /// The corpus can be searched.
    Ready {
        /// Documents that can be cited.
        documents: usize,
        /// Passages that can be found.
        passages: usize,
        /// Documents taken from the cache without reading their files.
        reused: usize,
        /// Documents that seem not to be English. Their words are indexed as they stand, without stemming.
        unstemmed: usize,
    },
}

/// A watcher that may break off; breaking off is an error that passes through `?`.
pub(super) struct Watch<'a>(pub(super) &'a mut dyn FnMut(IndexProgress) -> ControlFlow<()>);

impl Watch<'_> {
    /// Tells the watcher.
    pub(super) fn tell(&mut self, progress: IndexProgress) -> Result<(), CorpusError> {
        match (self.0)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(CorpusError::Interrupted),
        }
    }
}

/// What long work calls every so often; its error ends the work.
pub(super) type Beat<'a> = &'a mut dyn FnMut() -> Result<(), CorpusError>;

/// The watcher hears of long work at most once in so long.
const PULSE: Duration = Duration::from_millis(25);

impl Watch<'_> {
    /// A [`Beat`] that tells the watcher the same step again, at the first call and then at most once in [`PULSE`].
    pub(super) fn pulse(&mut self, step: IndexProgress) -> impl FnMut() -> Result<(), CorpusError> {
        let mut last: Option<Instant> = None;
        move || {
            if last.is_some_and(|last| last.elapsed() < PULSE) {
                return Ok(());
            }
            last = Some(Instant::now());
            self.tell(step.clone())
        }
    }
}
