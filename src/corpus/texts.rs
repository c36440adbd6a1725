//! How do documents come into the stored texts? One after the other, as they were read or as they were stored before.

use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::CorpusError;
use super::cache::{private_file, sha256};
use super::manifest::Document;
use super::reading::{Fresh, fingerprint};
use super::repeats::Fingerprint;
use super::walk::Found;

/// A document of the new generation.
pub(super) struct Entry {
    pub(super) document: Document,
    pub(super) fingerprint: Fingerprint,
}

/// Writes the stored texts one after the other.
pub(super) struct PackWriter<'a> {
    pub(super) path: &'a Path,
    file: BufWriter<fs::File>,
    /// How many bytes were written.
    pub(super) offset: u64,
    /// The key of the next new document.
    next: u64,
}

impl<'a> PackWriter<'a> {
    /// New documents get keys from `next` on.
    pub(super) fn create(path: &'a Path, next: u64) -> Result<Self, CorpusError> {
        let file = private_file(path).map_err(|error| CorpusError::cache(path, error))?;
        Ok(Self { path, file: BufWriter::new(file), offset: 0, next })
    }

    fn write(&mut self, text: &str) -> Result<u64, CorpusError> {
        self.file.write_all(text.as_bytes()).map_err(|error| CorpusError::cache(self.path, error))?;
        let offset = self.offset;
        self.offset += text.len() as u64;
        Ok(offset)
    }

    /// A document that was stored before, with its key.
    pub(super) fn copy(&mut self, document: &Document, text: &str) -> Result<Entry, CorpusError> {
        let offset = self.write(text)?;
        let spans = document.passages.iter().map(|(start, end, _)| (*start, *end));
        Ok(Entry { document: Document { offset, ..document.clone() }, fingerprint: fingerprint(text, spans) })
    }

    /// A document that was just read.
    pub(super) fn add(&mut self, found: &Found, fresh: &Fresh) -> Result<Entry, CorpusError> {
        let document = Document {
            key: self.next,
            corpus: found.corpus,
            file: found.file.as_str().into(),
            raw: fresh.raw.clone(),
            source: sha256(fresh.text.as_bytes()).into(),
            offset: self.write(&fresh.text)?,
            bytes: fresh.text.len() as u64,
            title: fresh.title.as_str().into(),
            english: fresh.english,
            outline: fresh.outline.clone(),
            passages: fresh.passages.iter().map(|span| (span.start, span.end, span.place)).collect(),
            repeats: None,
        };
        self.next += 1;
        Ok(Entry { document, fingerprint: fresh.fingerprint.clone() })
    }

    pub(super) fn finish(self) -> Result<(), CorpusError> {
        let failed = |error| CorpusError::cache(self.path, error);
        self.file.into_inner().map_err(|error| failed(error.into_error()))?;
        Ok(())
    }
}
