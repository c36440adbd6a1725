//! How does the word index come about, and how does it follow its documents? Passages of documents that are gone are
//! removed, those of new ones are added, and the rest stays as it is.
//!
//! tantivy never writes into a file of a segment again, and what is removed is left out when segments are merged: after
//! a change all of them become one without a gap. Words are made outside of tantivy, by the same rules for the index and
//! for a question; tantivy only splits them at spaces.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use callboard_actors::text::{Language, stems};
use tantivy::indexer::NoMergePolicy;
use tantivy::{IndexWriter, TantivyDocument, Term as Word};

use super::PassageText;
use super::schema::{Fields, schema};
use crate::corpus::CorpusError;
use crate::corpus::cache::{private_dir, private_file};

/// Memory of the writer before it writes a segment, in bytes.
const WRITER_BYTES: usize = 128 << 20;

/// Writes the index.
pub(super) struct Writer {
    dir: PathBuf,
    index: tantivy::Index,
    writer: IndexWriter,
    fields: Fields,
    /// It began with the passages of an earlier one.
    patches: bool,
}

impl Writer {
    /// Starts in an empty folder, which it makes.
    pub(super) fn create(dir: &Path) -> Result<Self, CorpusError> {
        private_dir(dir).map_err(|error| CorpusError::cache(dir, error))?;
        let index = tantivy::Index::create_in_dir(dir, schema().0).map_err(|error| CorpusError::index(dir, error))?;
        Self::open(dir, index, false)
    }

    /// Starts in an empty folder, which it makes, with the passages of the index in `old`.
    pub(super) fn patch(old: &Path, dir: &Path) -> Result<Self, CorpusError> {
        private_dir(dir).and_then(|()| copy(old, dir)).map_err(|error| CorpusError::cache(dir, error))?;
        let index = tantivy::Index::open_in_dir(dir).map_err(|error| CorpusError::index(dir, error))?;
        Self::open(dir, index, true)
    }

    fn open(dir: &Path, index: tantivy::Index, patches: bool) -> Result<Self, CorpusError> {
        let writer = index.writer_with_num_threads(1, WRITER_BYTES).map_err(|error| CorpusError::index(dir, error))?;
        writer.set_merge_policy(Box::new(NoMergePolicy));
        Ok(Self { dir: dir.to_path_buf(), index, writer, fields: schema().1, patches })
    }

    /// Removes the passages of the document with this key. Those that are added later stay.
    pub(super) fn remove(&mut self, document: u64) {
        self.writer.delete_term(Word::from_field_u64(self.fields.document, document));
    }

    /// Adds a passage of the document with this key.
    pub(super) fn add(&mut self, document: u64, number: u64, passage: &PassageText<'_>) -> Result<(), CorpusError> {
        let mut entry = TantivyDocument::default();
        let [text, headings, title] = self.fields.words;
        entry.add_text(text, words(passage.text, passage.language));
        entry.add_text(headings, words(&passage.headings.join("\n"), passage.language));
        entry.add_text(title, words(passage.title, passage.language));
        entry.add_u64(self.fields.document, document);
        entry.add_u64(self.fields.passage, number);
        self.writer.add_document(entry).map_err(|error| CorpusError::index(&self.dir, error))?;
        Ok(())
    }

    /// Writes what is not written yet.
    pub(super) fn finish(mut self) -> Result<(), CorpusError> {
        let failed = |error| CorpusError::index(&self.dir, error);
        self.writer.commit().map_err(failed)?;
        if self.patches {
            let segments = self.index.searchable_segment_ids().map_err(failed)?;
            if !segments.is_empty() {
                self.writer.merge(&segments).wait().map_err(failed)?;
            }
        }
        self.writer.wait_merging_threads().map_err(failed)
    }
}

/// Copies the index without its locks and without the model beside it.
fn copy(old: &Path, dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(old)? {
        let entry = entry?;
        let (from, name) = (entry.path(), entry.file_name());
        let is_lock = from.extension().is_some_and(|extension| extension == "lock");
        if !is_lock && name != super::model::FILE {
            // Not `fs::copy`: until the end the copy must be ours to write, whatever the original allows.
            io::copy(&mut fs::File::open(&from)?, &mut private_file(&dir.join(name))?)?;
        }
    }
    Ok(())
}

/// The words of a text with spaces between them.
fn words(text: &str, language: Language) -> String {
    let mut out = String::with_capacity(text.len());
    for word in stems(text, language) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&word.stem);
    }
    out
}
