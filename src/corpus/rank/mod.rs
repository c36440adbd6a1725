//! Which passages fit a question best? The word index follows its documents; the model of the whole corpus is made from
//! it after each change, stored beside it, and opened with it. Both depend on the documents alone, not on their history.
//!
//! A passage is named by its ordinal: 0, 1, 2, ... over all searched documents in the order of the manifest. Three
//! rankings are made, for the task's question and at half weight for the whole one, and fused by reciprocal rank:
//! the words themselves (`bm25`), words that are spelt alike (`vocabulary`), and passages that mean alike (`meaning`).

mod bm25;
mod dense;
mod fuse;
mod meaning;
mod model;
mod postings;
mod schema;
mod vocabulary;
mod writer;

use std::path::{Path, PathBuf};

use callboard_actors::research::{Query, Related, Term};
use callboard_actors::text::Language;

use self::fuse::{Ranking, fuse};
use self::model::Model;
use self::postings::Postings;
use self::writer::Writer;
use super::CorpusError;
use super::manifest::Manifest;
use super::progress::Beat;

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

/// What the whole question counts beside the task's own.
const WHOLE: f32 = 0.5;
/// What each ranking counts: words, spelling, meaning.
const WORDS: f32 = 1.0;
const SPELLING: f32 = 0.5;
const MEANING: f32 = 0.7;
/// How deep each ranking is read.
const DEPTH: usize = 200;

/// Brings the index to a new state.
pub(super) struct RankBuilder {
    dir: PathBuf,
    words: Writer,
}

impl RankBuilder {
    /// Starts in an empty folder, which it makes.
    pub(super) fn create(dir: &Path) -> Result<Self, CorpusError> {
        Ok(Self { dir: dir.to_path_buf(), words: Writer::create(dir)? })
    }

    /// Starts in an empty folder, which it makes, with the passages that the index in `old` has.
    pub(super) fn patch(old: &Path, dir: &Path) -> Result<Self, CorpusError> {
        Ok(Self { dir: dir.to_path_buf(), words: Writer::patch(old, dir)? })
    }

    /// Removes the passages of the document with this key.
    pub(super) fn remove(&mut self, document: u64) {
        self.words.remove(document);
    }

    /// Adds the passage with this number of the document with this key.
    pub(super) fn add(&mut self, document: u64, number: u64, passage: &PassageText<'_>) -> Result<(), CorpusError> {
        self.words.add(document, number, passage)
    }

    /// Writes what is not written yet, and the model of all documents of `manifest`. Without it nothing can be opened. An
    /// error of `beat` ends it, within about a tenth of a second but for the one write of the words.
    pub(super) fn finish(self, manifest: &Manifest, beat: Beat<'_>) -> Result<(), CorpusError> {
        beat()?;
        self.words.finish()?;
        Model::build(&self.dir, &Postings::open(&self.dir, manifest)?, beat)
    }
}

/// The model, open for questions from many threads.
pub(super) struct Ranker {
    bm25: bm25::Index,
    model: Model,
}

impl Ranker {
    pub(super) fn open(dir: &Path, manifest: &Manifest) -> Result<Self, CorpusError> {
        let model = Model::open(dir)?;
        Ok(Self { bm25: bm25::Index::open(dir, manifest, model.totals())?, model })
    }

    /// The best `query.limit` passages, best first; equal scores in the order of the corpus.
    pub(super) fn rank(&self, query: &Query) -> Result<Vec<Ranked>, CorpusError> {
        let mut rankings = Vec::new();
        self.rankings(&query.text, 1.0, &mut rankings)?;
        if query.whole != query.text {
            self.rankings(&query.whole, WHOLE, &mut rankings)?;
        }
        let fused = fuse(&rankings).into_iter().take(query.limit);
        Ok(fused.map(|(passage, score)| Ranked { passage: passage as usize, score }).collect())
    }

    fn rankings(&self, text: &str, weight: f32, out: &mut Vec<Ranking<u32>>) -> Result<(), CorpusError> {
        let words = self.bm25.words(text);
        out.push(Ranking { weight: weight * WORDS, order: self.bm25.search(&words, DEPTH)? });
        out.push(Ranking {
            weight: weight * SPELLING,
            order: self.bm25.search(&self.model.spelt_alike(&words), DEPTH)?,
        });
        out.push(Ranking { weight: weight * MEANING, order: self.model.nearest(&words, DEPTH) });
        Ok(())
    }

    /// The content words of `text`, each once, with the number of passages that contain it.
    pub(super) fn terms(&self, text: &str) -> Result<Vec<Term>, CorpusError> {
        self.bm25.terms(text)
    }

    /// Words beside those of the task's question that speak for a sentence: those of the whole question, and those that
    /// keep the company of the task's in this corpus, nearest first.
    pub(super) fn related(&self, query: &Query) -> Vec<Related> {
        let own = self.bm25.words(&query.text);
        let whole = self.bm25.words(&query.whole).into_iter().filter(|word| !own.contains(word));
        let whole = whole.map(|(stem, _)| Related { stem, nearness: WHOLE });
        let mut related: Vec<Related> = whole.chain(self.model.related(&own)).collect();
        related.sort_by(|a, b| b.nearness.total_cmp(&a.nearness));
        related
    }
}
