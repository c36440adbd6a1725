//! How far is the opening of a corpus? What a watcher sees, and how he stops it.

use std::ops::ControlFlow;

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
        /// Passages indexed so far.
        done: usize,
        /// Passages of the corpus.
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
