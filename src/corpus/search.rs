//! What does a question get from a corpus? Passages with their place and their text, and how rare its words are.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use callboard_actors::research::{Passage, Query, Retrieved};

use super::CorpusError;
use super::cache::Generation;
use super::manifest::Document;

/// An open generation with the names of its corpus paths.
pub(super) struct Shelf {
    generation: Generation,
    /// Corpus paths as the user gave them.
    given: Vec<Arc<str>>,
    /// For each searched document, in order: the ordinal of its first passage and its place in the manifest.
    first: Vec<(usize, usize)>,
    /// Stored texts by their SHA-256.
    sources: HashMap<Arc<str>, usize>,
    passages: usize,
}

impl Shelf {
    pub(super) fn new(generation: Generation, given: Vec<Arc<str>>) -> Self {
        let mut first = Vec::new();
        let mut sources = HashMap::new();
        let mut passages = 0;
        for (at, document) in generation.manifest.documents.iter().enumerate() {
            sources.entry(Arc::clone(&document.source)).or_insert(at);
            if document.repeats.is_none() {
                first.push((passages, at));
                passages += document.passages.len();
            }
        }
        Self { generation, given, first, sources, passages }
    }

    pub(super) fn documents(&self) -> usize {
        self.first.len()
    }

    pub(super) fn passages(&self) -> usize {
        self.passages
    }

    pub(super) fn search(&self, query: &Query) -> Result<Retrieved, CorpusError> {
        let ranked = self.generation.ranker.rank(query)?;
        let passages =
            ranked.iter().map(|ranked| self.passage(ranked.passage, ranked.score)).collect::<Result<_, _>>()?;
        let terms = self.generation.ranker.terms(&query.text)?;
        let related = self.generation.ranker.related(query);
        Ok(Retrieved { passages, terms, related, corpus_passages: self.passages as u64 })
    }

    /// The passage with this ordinal.
    pub(super) fn passage(&self, ordinal: usize, score: f32) -> Result<Passage, CorpusError> {
        let (document, (start, end, place)) = self.locate(ordinal)?;
        let text = self.generation.pack.slice(document, start, end).map_err(unreadable)?;
        Ok(Passage {
            source: Arc::clone(&document.source),
            corpus: Arc::clone(&self.given[document.corpus]),
            file: Arc::clone(&document.file),
            title: Arc::clone(&document.title),
            headings: document.outline.trail(place),
            start,
            end,
            text,
            score,
        })
    }

    /// The document of a passage, and where the passage stands in it.
    fn locate(&self, ordinal: usize) -> Result<(&Document, (usize, usize, usize)), CorpusError> {
        let at = self.first.partition_point(|(first, _)| *first <= ordinal).checked_sub(1);
        let found = at.and_then(|at| {
            let (first, document) = self.first[at];
            let document = &self.generation.manifest.documents[document];
            Some((document, *document.passages.get(ordinal - first)?))
        });
        found.ok_or_else(|| CorpusError::Damaged("the index names a passage that is not there".into()))
    }

    /// The stored text with this SHA-256, after checking that it still has it.
    pub(super) fn text(&self, source: &str) -> Result<Option<Arc<str>>, CorpusError> {
        let Some(at) = self.sources.get(source) else { return Ok(None) };
        let text = self.generation.pack.verified(&self.generation.manifest.documents[*at]).map_err(unreadable)?;
        Ok(Some(text.into()))
    }
}

fn unreadable(error: io::Error) -> CorpusError {
    CorpusError::Damaged(format!("a stored text cannot be read: {error}"))
}
