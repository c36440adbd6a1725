//! Which passages fit a question best? The model is built passage by passage while a corpus is indexed, stored beside the
//! index, and opened with it.
//!
//! A passage is named by its ordinal: 0, 1, 2, ... over all searched documents in the order of the manifest.

mod bm25;

use std::path::Path;

use callboard_actors::research::{Query, Term};
use callboard_actors::text::Language;

use super::CorpusError;
use super::manifest::Manifest;

/// A passage as a model sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct PassageText<'a> {
    pub(super) title: &'a str,
    /// Outermost first.
    pub(super) headings: &'a [String],
    pub(super) text: &'a str,
    /// Whether its words are stemmed.
    pub(super) language: Language,
}

/// A passage and how well it fits. Higher is better; comparable within one answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Ranked {
    pub(super) passage: usize,
    pub(super) score: f32,
}

/// Builds the model. Passages come in the order of their ordinals.
pub(super) struct RankBuilder {
    bm25: bm25::Writer,
}

impl RankBuilder {
    /// Starts in an empty folder, which it makes.
    pub(super) fn create(dir: &Path) -> Result<Self, CorpusError> {
        Ok(Self { bm25: bm25::Writer::create(dir)? })
    }

    pub(super) fn add(&mut self, passage: &PassageText<'_>) -> Result<(), CorpusError> {
        self.bm25.add(passage)
    }

    /// Writes what is not written yet. Without it nothing can be opened.
    pub(super) fn finish(self) -> Result<(), CorpusError> {
        self.bm25.finish()
    }
}

/// The model, open for questions from many threads.
pub(super) struct Ranker {
    bm25: bm25::Index,
}

impl Ranker {
    pub(super) fn open(dir: &Path, manifest: &Manifest) -> Result<Self, CorpusError> {
        let plain_words = manifest.searched().any(|document| !document.english);
        Ok(Self { bm25: bm25::Index::open(dir, plain_words)? })
    }

    /// The best `query.limit` passages, best first; equal scores in the order of the corpus.
    pub(super) fn rank(&self, query: &Query) -> Result<Vec<Ranked>, CorpusError> {
        self.bm25.rank(query)
    }

    /// The content words of `text`, each once, with the number of passages that contain it.
    pub(super) fn terms(&self, text: &str) -> Result<Vec<Term>, CorpusError> {
        self.bm25.terms(text)
    }
}
