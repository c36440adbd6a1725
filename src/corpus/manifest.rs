//! What does the cache remember of a corpus? Plain values that are written as JSON.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::outline::Outline;
use super::walk::Stamp;

/// A document whose text is stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(Default))]
pub(super) struct Document {
    /// What its passages are known by in the index. It is kept as long as the document is stored, and no other document of
    /// that index has it or had it in the generation before.
    pub(super) key: u64,
    /// Which corpus path.
    pub(super) corpus: usize,
    /// Relative to it.
    pub(super) file: Arc<str>,
    /// SHA-256 of the file's bytes.
    pub(super) raw: String,
    /// SHA-256 of the stored text.
    pub(super) source: Arc<str>,
    /// Where the stored text begins in the pack.
    pub(super) offset: u64,
    /// Its length.
    pub(super) bytes: u64,
    pub(super) title: Arc<str>,
    /// Its words are stemmed.
    pub(super) english: bool,
    /// The headings that stand above passages.
    pub(super) outline: Outline,
    /// Start and end of each passage, and its place in the outline.
    pub(super) passages: Vec<(usize, usize, usize)>,
    /// Why it is not searched although it was read: it repeats others.
    pub(super) repeats: Option<String>,
}

/// The documents of one generation, in the order of their corpus paths and files.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) documents: Vec<Document>,
}

impl Manifest {
    /// The documents that can be searched and cited.
    pub(super) fn searched(&self) -> impl Iterator<Item = &Document> {
        self.documents.iter().filter(|document| document.repeats.is_none())
    }

    /// A key that no document has, nor any greater one.
    pub(super) fn next_key(&self) -> u64 {
        self.documents.iter().map(|document| document.key + 1).max().unwrap_or(0)
    }
}

/// What came of reading a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Verdict {
    /// A document; this is the SHA-256 of the file's bytes.
    Read(String),
    /// Not a document, and why.
    Left(String),
    /// A document for which the corpus had no room. It may have room when other files change.
    Over,
}

/// A file that was read at a time when it had this stamp.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Visit {
    pub(super) corpus: usize,
    pub(super) file: String,
    pub(super) stamp: Stamp,
    pub(super) verdict: Verdict,
}
