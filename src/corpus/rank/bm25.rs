//! Which passages have the words of the question? Okapi BM25 over three fields: text, headings, title.
//!
//! Every passage that has one of the words is scored, and the scores of the words are added in one order, so that passages
//! have the same scores, to the last bit, wherever they stand in the index.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::path::Path;

use callboard_actors::research::Term;
use callboard_actors::text::{Language, content_stems};
use tantivy::query::Bm25Weight;

use super::postings::Postings;
use crate::corpus::CorpusError;
use crate::corpus::manifest::Manifest;

/// What a hit in each field counts: text, headings, title.
const WEIGHTS: [f32; 3] = [1.0, 0.15, 0.1];
/// The place of the text among the fields.
const TEXT: usize = 0;
/// A question has no more different words than this.
const MAX_WORDS: usize = 64;

/// The index, open for questions.
pub(super) struct Index {
    postings: Postings,
    /// How many words each field has in a passage on average.
    averages: [f32; 3],
    /// Some documents are not stemmed: questions ask for the plain words too.
    plain_words: bool,
}

/// A word of a question in the forms under which documents may have it.
struct Asked {
    stem: String,
    plain: Option<String>,
}

impl Index {
    /// Opens the index of the documents of `manifest`, whose fields have so many words in all.
    pub(super) fn open(dir: &Path, manifest: &Manifest, totals: [u64; 3]) -> Result<Self, CorpusError> {
        let postings = Postings::open(dir, manifest)?;
        let averages = totals.map(|total| total as f32 / postings.passages().max(1) as f32);
        let plain_words = manifest.searched().any(|document| !document.english);
        Ok(Self { postings, averages, plain_words })
    }

    /// The best `limit` passages for weighted `words`, best first; equal scores in the order of the corpus.
    pub(super) fn search(&self, words: &[(String, f32)], limit: usize) -> Result<Vec<u32>, CorpusError> {
        let mut scores = vec![0.0_f32; self.postings.passages()];
        for (word, weight) in words {
            for (field, field_weight) in WEIGHTS.into_iter().enumerate() {
                self.score(field, word, weight * field_weight, &mut scores)?;
            }
        }
        let mut found: Vec<(u32, f32)> = (0..).zip(scores).filter(|(_, score)| *score > 0.0).collect();
        let better = |a: &(u32, f32), b: &(u32, f32)| -> Ordering { b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)) };
        if limit < found.len() {
            found.select_nth_unstable_by(limit, better);
            found.truncate(limit);
        }
        found.sort_unstable_by(better);
        Ok(found.into_iter().map(|(passage, _)| passage).collect())
    }

    /// Adds what `word` in one field counts.
    fn score(&self, field: usize, word: &str, weight: f32, scores: &mut [f32]) -> Result<(), CorpusError> {
        let with = self.postings.passages_with(field, word)?;
        if with == 0 {
            return Ok(());
        }
        let (all, average) = (self.postings.passages() as u64, self.averages[field]);
        let bm25 = Bm25Weight::for_one_term_without_explain(with, all, average).boost_by(weight);
        self.postings.each(field, word, |passage, length, count| {
            scores[passage as usize] += bm25.score(length, count);
        })
    }

    /// The content words of a question, in every form under which documents may have them.
    pub(super) fn words(&self, text: &str) -> Vec<(String, f32)> {
        self.asked(text)
            .into_iter()
            .flat_map(|asked| [Some(asked.stem), asked.plain])
            .flatten()
            .map(|word| (word, 1.0))
            .collect()
    }

    pub(super) fn terms(&self, text: &str) -> Result<Vec<Term>, CorpusError> {
        let count = |word: &str| self.postings.passages_with(TEXT, word);
        let mut terms = Vec::new();
        for asked in self.asked(text) {
            let stemmed = count(&asked.stem)?;
            let plain = asked.plain.as_deref().map_or(Ok(0), count)?;
            terms.push(Term { stem: asked.stem, passages: (stemmed + plain).min(self.postings.passages() as u64) });
        }
        Ok(terms)
    }

    fn asked(&self, text: &str) -> Vec<Asked> {
        let plain = content_stems(text, Language::Other);
        let mut seen = HashSet::new();
        content_stems(text, Language::English)
            .into_iter()
            .filter(|word| seen.insert(word.stem.clone()))
            .take(MAX_WORDS)
            .map(|word| {
                let unstemmed = plain.iter().find(|plain| plain.range == word.range).map(|plain| plain.stem.clone());
                let plain = unstemmed.filter(|plain| self.plain_words && *plain != word.stem);
                Asked { stem: word.stem, plain }
            })
            .collect()
    }
}
