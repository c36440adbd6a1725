//! Which passages have the words of the question? Okapi BM25 by tantivy, over three fields: text, headings, title.
//!
//! Words are made outside of tantivy, by the same rules for the index and for a question; tantivy only splits them at
//! spaces. The index is written by one thread into one segment, so that the same corpus gives the same index.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use callboard_actors::research::Term;
use callboard_actors::text::{Language, content_stems, stems};
use tantivy::collector::TopDocs;
use tantivy::indexer::NoMergePolicy;
use tantivy::query::{BooleanQuery, BoostQuery, Occur, Query as Clause, TermQuery};
use tantivy::schema::{FAST, Field, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::{IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, Term as Word};

use super::PassageText;
use crate::corpus::CorpusError;
use crate::corpus::cache::private_dir;

/// What a hit in each field counts: text, headings, title.
const WEIGHTS: [f32; 3] = [1.0, 0.15, 0.1];
/// Memory of the writer before it writes a segment, in bytes.
const WRITER_BYTES: usize = 128 << 20;
/// A question has no more different words than this.
const MAX_WORDS: usize = 64;

#[derive(Clone, Copy)]
struct Fields {
    words: [Field; 3],
    passage: Field,
}

fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let indexing =
        TextFieldIndexing::default().set_tokenizer("whitespace").set_index_option(IndexRecordOption::WithFreqs);
    let options = TextOptions::default().set_indexing_options(indexing);
    let words = ["text", "headings", "title"].map(|name| builder.add_text_field(name, options.clone()));
    let passage = builder.add_u64_field("passage", FAST);
    (builder.build(), Fields { words, passage })
}

/// Writes the index.
pub(super) struct Writer {
    dir: PathBuf,
    writer: IndexWriter,
    fields: Fields,
    passages: u64,
}

impl Writer {
    pub(super) fn create(dir: &Path) -> Result<Self, CorpusError> {
        private_dir(dir).map_err(|error| CorpusError::cache(dir, error))?;
        let (schema, fields) = schema();
        let failed = |error| CorpusError::index(dir, error);
        let index = tantivy::Index::create_in_dir(dir, schema).map_err(failed)?;
        let writer = index.writer_with_num_threads(1, WRITER_BYTES).map_err(failed)?;
        writer.set_merge_policy(Box::new(NoMergePolicy));
        Ok(Self { dir: dir.to_path_buf(), writer, fields, passages: 0 })
    }

    pub(super) fn add(&mut self, passage: &PassageText<'_>) -> Result<(), CorpusError> {
        let mut document = TantivyDocument::default();
        let [text, headings, title] = self.fields.words;
        document.add_text(text, joined(passage.text, passage.language));
        document.add_text(headings, joined(&passage.headings.join("\n"), passage.language));
        document.add_text(title, joined(passage.title, passage.language));
        document.add_u64(self.fields.passage, self.passages);
        self.passages += 1;
        self.writer.add_document(document).map_err(|error| CorpusError::index(&self.dir, error))?;
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<(), CorpusError> {
        let failed = |error| CorpusError::index(&self.dir, error);
        self.writer.commit().map_err(failed)?;
        self.writer.wait_merging_threads().map_err(failed)
    }
}

/// The words of a text with spaces between them.
fn joined(text: &str, language: Language) -> String {
    let mut out = String::with_capacity(text.len());
    for word in stems(text, language) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&word.stem);
    }
    out
}

/// The index, open for reading.
pub(super) struct Index {
    dir: PathBuf,
    reader: IndexReader,
    fields: Fields,
    /// Some documents are not stemmed: questions ask for the plain words too.
    plain_words: bool,
}

/// A word of a question in the forms under which documents may have it.
struct Asked {
    stem: String,
    plain: Option<String>,
}

impl Index {
    pub(super) fn open(dir: &Path, plain_words: bool) -> Result<Self, CorpusError> {
        let failed = |error| CorpusError::index(dir, error);
        let index = tantivy::Index::open_in_dir(dir).map_err(failed)?;
        let (expected, fields) = schema();
        if index.schema() != expected {
            return Err(CorpusError::Damaged("the index has another layout".into()));
        }
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into().map_err(failed)?;
        Ok(Self { dir: dir.to_path_buf(), reader, fields, plain_words })
    }

    /// The best `limit` passages for weighted `words`, best first; equal scores in the order of the corpus.
    pub(super) fn search(&self, words: &[(String, f32)], limit: usize) -> Result<Vec<u32>, CorpusError> {
        let clauses = self.clauses(words);
        if clauses.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let failed = |error| CorpusError::index(&self.dir, error);
        let searcher = self.reader.searcher();
        let limit = limit.min(usize::try_from(searcher.num_docs()).unwrap_or(usize::MAX)).max(1);
        let best = TopDocs::with_limit(limit).order_by_score();
        let found = searcher.search(&BooleanQuery::new(clauses), &best).map_err(failed)?;
        let mut ranked = Vec::with_capacity(found.len());
        for (score, address) in found {
            let column = searcher.segment_reader(address.segment_ord).fast_fields().u64("passage").map_err(failed)?;
            let passage = column.first(address.doc_id).and_then(|passage| u32::try_from(passage).ok());
            let passage = passage.ok_or_else(|| CorpusError::Damaged("a passage of the index has no number".into()))?;
            ranked.push((passage, score));
        }
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        Ok(ranked.into_iter().map(|(passage, _)| passage).collect())
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
        let searcher = self.reader.searcher();
        let count = |word: &str| searcher.doc_freq(&Word::from_field_text(self.fields.words[0], word));
        let failed = |error| CorpusError::index(&self.dir, error);
        let mut terms = Vec::new();
        for asked in self.asked(text) {
            let stemmed = count(&asked.stem).map_err(failed)?;
            let plain = asked.plain.as_deref().map_or(Ok(0), count).map_err(failed)?;
            terms.push(Term { stem: asked.stem, passages: (stemmed + plain).min(searcher.num_docs()) });
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

    fn clauses(&self, words: &[(String, f32)]) -> Vec<(Occur, Box<dyn Clause>)> {
        let mut clauses: Vec<(Occur, Box<dyn Clause>)> = Vec::new();
        for (word, weight) in words {
            for (field, field_weight) in self.fields.words.into_iter().zip(WEIGHTS) {
                let term = TermQuery::new(Word::from_field_text(field, word), IndexRecordOption::WithFreqs);
                clauses.push((Occur::Should, Box::new(BoostQuery::new(Box::new(term), weight * field_weight))));
            }
        }
        clauses
    }
}
