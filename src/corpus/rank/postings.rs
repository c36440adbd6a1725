//! Which passage has which word how often? Reads the word index, for one word of a question or for all words in order.
//!
//! The answers do not depend on where a passage stands in the index, so an index that was brought up to date gives the
//! same as a new one: a passage is named by its ordinal in the corpus, and tantivy's own statistics, which are only
//! estimated once documents were removed, are not used.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tantivy::postings::Postings as _;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet, InvertedIndexReader, ReloadPolicy, Searcher, SegmentReader, TERMINATED, Term as Word};

use super::schema::{DOCUMENT, Fields, PASSAGE, schema};
use crate::corpus::CorpusError;
use crate::corpus::manifest::Manifest;
use crate::corpus::progress::Beat;

/// The word index, open for reading.
pub(super) struct Postings {
    dir: PathBuf,
    searcher: Searcher,
    fields: Fields,
    /// For each segment the passages of its documents.
    ordinals: Vec<Vec<u32>>,
}

impl Postings {
    /// Opens the index of the documents of `manifest`.
    pub(super) fn open(dir: &Path, manifest: &Manifest) -> Result<Self, CorpusError> {
        let failed = |error| CorpusError::index(dir, error);
        let index = tantivy::Index::open_in_dir(dir).map_err(failed)?;
        let (expected, fields) = schema();
        if index.schema() != expected {
            return Err(CorpusError::Damaged("the index has another layout".into()));
        }
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into().map_err(failed)?;
        let searcher = reader.searcher();
        let places = Places::new(manifest);
        let ordinals = searcher.segment_readers().iter().map(|segment| places.of(segment).map_err(failed)?);
        let ordinals = ordinals.collect::<Result<Vec<_>, _>>()?;
        if ordinals.iter().map(Vec::len).sum::<usize>() != places.passages {
            return Err(CorpusError::Damaged("the index has other passages than the corpus".into()));
        }
        Ok(Self { dir: dir.to_path_buf(), searcher, fields, ordinals })
    }

    /// How many passages there are.
    pub(super) fn passages(&self) -> usize {
        self.ordinals.iter().map(Vec::len).sum()
    }

    /// How many passages have `word` in the field with this place.
    pub(super) fn passages_with(&self, field: usize, word: &str) -> Result<u64, CorpusError> {
        let word = Word::from_field_text(self.fields.words[field], word);
        self.searcher.doc_freq(&word).map_err(|error| CorpusError::index(&self.dir, error))
    }

    /// Tells of every passage that has `word` in the field with this place: its ordinal, the code of the field's length
    /// as tantivy keeps it, and how often.
    pub(super) fn each(&self, field: usize, word: &str, mut tell: impl FnMut(u32, u8, u32)) -> Result<(), CorpusError> {
        let field = self.fields.words[field];
        let word = Word::from_field_text(field, word);
        let failed = |error| CorpusError::index(&self.dir, error);
        for (segment, ordinals) in self.searcher.segment_readers().iter().zip(&self.ordinals) {
            let index = segment.inverted_index(field).map_err(failed)?;
            let found = index.read_postings(&word, IndexRecordOption::WithFreqs);
            let Some(mut found) = found.map_err(|error| CorpusError::cache(&self.dir, error))? else { continue };
            let lengths = segment.get_fieldnorms_reader(field).map_err(failed)?;
            while found.doc() != TERMINATED {
                tell(ordinals[found.doc() as usize], lengths.fieldnorm_id(found.doc()), found.term_freq());
                found.advance();
            }
        }
        Ok(())
    }

    /// Tells of every word in alphabetical order, with the passages that have it in any field, in order, and how often.
    /// Returns how many words each field has in all.
    pub(super) fn every_word(
        &self,
        beat: Beat<'_>,
        mut tell: impl FnMut(&str, &[(u32, u32)]),
    ) -> Result<[u64; 3], CorpusError> {
        let failed = |error| CorpusError::cache(&self.dir, error);
        let indexes = self.inverted()?;
        let mut streams = Vec::with_capacity(indexes.len());
        for (at, (_, _, index)) in indexes.iter().enumerate() {
            let mut stream = index.terms().stream().map_err(failed)?;
            if stream.advance() {
                streams.push((at, stream));
            }
        }
        let (mut totals, mut word, mut found) = ([0; 3], Vec::new(), Vec::new());
        for number in 0_usize.. {
            if number.is_multiple_of(BEAT) {
                beat()?;
            }
            let Some(next) = streams.iter().map(|(_, stream)| stream.key()).min() else { break };
            word.clear();
            word.extend_from_slice(next);
            found.clear();
            for (at, stream) in streams.iter_mut().filter(|(_, stream)| stream.key() == word) {
                let (field, segment, index) = &indexes[*at];
                let mut postings =
                    index.read_postings_from_terminfo(stream.value(), IndexRecordOption::WithFreqs).map_err(failed)?;
                while postings.doc() != TERMINATED {
                    totals[*field] += u64::from(postings.term_freq());
                    found.push((self.ordinals[*segment][postings.doc() as usize], postings.term_freq()));
                    postings.advance();
                }
                *at = if stream.advance() { *at } else { usize::MAX };
            }
            streams.retain(|(at, _)| *at != usize::MAX);
            let word = std::str::from_utf8(&word).map_err(|_| CorpusError::Damaged("a word is no text".into()))?;
            tell(word, joined(&mut found));
        }
        Ok(totals)
    }

    /// The word lists with their field and segment.
    fn inverted(&self) -> Result<Vec<(usize, usize, Arc<InvertedIndexReader>)>, CorpusError> {
        let segments = self.searcher.segment_readers().iter().enumerate();
        let all = segments.flat_map(|(at, segment)| {
            let fields = self.fields.words.iter().enumerate();
            fields.map(move |(field, of)| segment.inverted_index(*of).map(|index| (field, at, index)))
        });
        all.collect::<Result<_, _>>().map_err(|error| CorpusError::index(&self.dir, error))
    }
}

/// So many words are looked at between two beats.
const BEAT: usize = 256;

/// In order, each passage once with the sum of its counts.
fn joined(found: &mut Vec<(u32, u32)>) -> &[(u32, u32)] {
    found.sort_unstable();
    found.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        kept.1 = if same { kept.1.saturating_add(next.1) } else { kept.1 };
        same
    });
    found
}

/// Where the passages of each document stand in the corpus.
struct Places {
    /// The first ordinal and the number of passages, by the document's key.
    first: HashMap<u64, (usize, usize)>,
    passages: usize,
}

impl Places {
    fn new(manifest: &Manifest) -> Self {
        let mut places = Self { first: HashMap::new(), passages: 0 };
        for document in manifest.searched() {
            places.first.insert(document.key, (places.passages, document.passages.len()));
            places.passages += document.passages.len();
        }
        places
    }

    /// The ordinal of each passage of a segment.
    fn of(&self, segment: &SegmentReader) -> tantivy::Result<Result<Vec<u32>, CorpusError>> {
        let (documents, passages) = (segment.fast_fields().u64(DOCUMENT)?, segment.fast_fields().u64(PASSAGE)?);
        let ordinal = |at: u32| {
            let (first, count) = self.first.get(&documents.first(at)?)?;
            let passage = usize::try_from(passages.first(at)?).ok().filter(|passage| passage < count)?;
            u32::try_from(first + passage).ok().filter(|_| !segment.is_deleted(at))
        };
        let ordinals = (0..segment.max_doc()).map(ordinal).collect::<Option<_>>();
        Ok(ordinals.ok_or_else(|| CorpusError::Damaged("the index names a passage that is not there".into())))
    }
}
