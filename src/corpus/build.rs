//! What must be read again, and how does a new generation come about?

use std::collections::HashMap;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use callboard_actors::text::Language;

use super::cache::{
    Generation, Guard, INDEX, MANIFEST, Slot, TEXTS, make_private, private_file, seal, sha256, write_checked,
};
use super::manifest::{Document, Manifest, Verdict, Visit};
use super::progress::{IndexProgress, Watch};
use super::rank::{PassageText, RankBuilder};
use super::read::Skip;
use super::reading::{Fresh, Reading, fingerprint, read_all};
use super::repeats::{Candidate, Fingerprint, repeats};
use super::walk::{Found, Left, Walked};
use super::{CorpusError, CorpusOptions};

/// What the cache knows about the files that are there now.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Files, by their place in the walk, whose document is stored, by its place in the manifest.
    pub(super) reuse: Vec<(usize, usize)>,
    /// Files that are known not to be documents.
    pub(super) left: Vec<(usize, Skip)>,
    /// Files to read.
    pub(super) read: Vec<usize>,
}

impl Plan {
    /// Compares the walk with what the cache remembers.
    pub(super) fn new(found: &[Found], visits: &[Visit], generation: Option<&Generation>) -> Self {
        let visits: HashMap<(usize, &str), &Visit> =
            visits.iter().map(|visit| ((visit.corpus, visit.file.as_str()), visit)).collect();
        let documents = generation.map_or(&[][..], |generation| &generation.manifest.documents);
        let stored: HashMap<(usize, &str, &str), usize> = documents
            .iter()
            .enumerate()
            .map(|(at, document)| ((document.corpus, &*document.file, document.raw.as_str()), at))
            .collect();
        let mut plan = Self::default();
        for (index, file) in found.iter().enumerate() {
            let visit = visits.get(&(file.corpus, file.file.as_str())).filter(|visit| visit.stamp == file.stamp);
            match visit.map(|visit| &visit.verdict) {
                Some(Verdict::Left(reason)) => plan.left.push((index, Skip::with(reason.clone()))),
                Some(Verdict::Read(raw)) => match stored.get(&(file.corpus, file.file.as_str(), raw.as_str())) {
                    Some(document) => plan.reuse.push((index, *document)),
                    None => plan.read.push(index),
                },
                None => plan.read.push(index),
            }
        }
        plan
    }

    /// Nothing was added, changed or removed.
    pub(super) fn is_current(&self, generation: &Generation) -> bool {
        self.read.is_empty() && self.reuse.len() == generation.manifest.documents.len()
    }
}

/// The watcher hears of the indexing once in so many passages.
const STEP: usize = 64;

/// A document of the new generation.
struct Entry {
    document: Document,
    fingerprint: Fingerprint,
}

/// What a build needs.
pub(super) struct Build<'a> {
    pub(super) slot: &'a Slot,
    pub(super) lock: &'a Guard,
    pub(super) options: &'a CorpusOptions,
    pub(super) walked: &'a Walked,
    pub(super) plan: &'a Plan,
    /// When the walk began, in nanoseconds since 1970.
    pub(super) started: i128,
}

/// A new generation, and the files that turned out not to be documents.
pub(super) struct Built {
    /// `None` when no file is a document.
    pub(super) generation: Option<Generation>,
    pub(super) left: Vec<Left>,
}

impl Build<'_> {
    /// Reads what is new and replaces the generation, unless its documents turn out to be the same.
    pub(super) fn run(&self, old: Option<Generation>, watch: &mut Watch<'_>) -> Result<Built, CorpusError> {
        let staged = self.slot.stage(self.lock)?;
        let texts = staged.path().join(TEXTS);
        let mut pack = PackWriter::create(&texts)?;
        let mut entries: Vec<Option<Entry>> = self.walked.found.iter().map(|_| None).collect();
        let mut visits = self.known_visits(old.as_ref());
        let mut left: Vec<Left> =
            self.plan.left.iter().map(|(index, reason)| self.left(*index, reason.clone())).collect();
        if let Some(old) = &old {
            for (index, document) in &self.plan.reuse {
                let document = &old.manifest.documents[*document];
                let text = old.pack.text(document).map_err(|error| CorpusError::cache(&texts, error))?;
                entries[*index] = Some(pack.copy(document, &text)?);
            }
        }
        let files: Vec<(usize, &Found)> = self.plan.read.iter().map(|at| (*at, &self.walked.found[*at])).collect();
        let (mut done, total) = (0, files.len());
        watch.tell(IndexProgress::Reading { done, total })?;
        read_all(&files, self.options, |reading| {
            let found = &self.walked.found[reading.index];
            visits.extend(self.visit(found, &reading));
            match reading.outcome {
                Ok(fresh) => entries[reading.index] = Some(pack.add(found, &fresh)?),
                Err(reason) => left.push(self.left(reading.index, reason)),
            }
            done += 1;
            watch.tell(IndexProgress::Reading { done, total })
        })?;
        pack.finish()?;
        let entries: Vec<Entry> = entries.into_iter().flatten().collect();
        if entries.is_empty() {
            return Ok(Built { generation: None, left });
        }
        let generation = match old.filter(|old| same_documents(&old.manifest, &entries)) {
            Some(old) => old,
            None => self.publish(staged, entries, watch)?,
        };
        self.slot.remember(&visits, self.lock)?;
        Ok(Built { generation: Some(generation), left })
    }

    /// Indexes the documents and makes them the living generation.
    fn publish(
        &self,
        staged: tempfile::TempDir,
        entries: Vec<Entry>,
        watch: &mut Watch<'_>,
    ) -> Result<Generation, CorpusError> {
        let dir = staged.path();
        let failed = |error| CorpusError::cache(dir, error);
        let manifest = manifest(entries);
        index(dir, &manifest, watch)?;
        write_checked(&dir.join(MANIFEST), &manifest).map_err(failed)?;
        make_private(dir).map_err(failed)?;
        seal(dir).map_err(failed)?;
        let path = self.slot.publish(staged, self.lock)?;
        Generation::open(&path).map_err(|unusable| CorpusError::Damaged(unusable.0))
    }

    fn left(&self, index: usize, reason: Skip) -> Left {
        let found = &self.walked.found[index];
        Left { corpus: found.corpus, file: found.file.clone(), reason }
    }

    /// What was known before and is still so.
    fn known_visits(&self, old: Option<&Generation>) -> Vec<Visit> {
        let visit = |index: usize, verdict| {
            let found = &self.walked.found[index];
            Visit { corpus: found.corpus, file: found.file.clone(), stamp: found.stamp, verdict }
        };
        let reused = self.plan.reuse.iter().filter_map(|(index, document)| {
            Some(visit(*index, Verdict::Read(old?.manifest.documents[*document].raw.clone())))
        });
        let left =
            self.plan.left.iter().map(|(index, reason)| visit(*index, Verdict::Left(reason.reason().to_owned())));
        reused.chain(left).collect()
    }

    /// What to remember of a file that was read; nothing of one that may still be changing.
    fn visit(&self, found: &Found, reading: &Reading) -> Option<Visit> {
        let verdict = match &reading.outcome {
            Ok(fresh) => Verdict::Read(fresh.raw.clone()),
            Err(reason) => Verdict::Left(reason.reason().to_owned()),
        };
        let visit = Visit { corpus: found.corpus, file: found.file.clone(), stamp: reading.stamp, verdict };
        (reading.stamp == found.stamp && reading.stamp.is_settled(self.started)).then_some(visit)
    }
}

fn same_documents(old: &Manifest, entries: &[Entry]) -> bool {
    let key = |document: &Document| (document.corpus, Arc::clone(&document.file), document.raw.clone());
    old.documents.iter().map(key).eq(entries.iter().map(|entry| key(&entry.document)))
}

/// The documents with a word on those that repeat others.
fn manifest(entries: Vec<Entry>) -> Manifest {
    let (mut documents, fingerprints): (Vec<Document>, Vec<Fingerprint>) =
        entries.into_iter().map(|entry| (entry.document, entry.fingerprint)).unzip();
    let reasons = {
        let candidates: Vec<Candidate<'_>> = documents
            .iter()
            .zip(fingerprints)
            .map(|(document, fingerprint)| Candidate { file: &document.file, source: &document.source, fingerprint })
            .collect();
        repeats(&candidates)
    };
    for (document, reason) in documents.iter_mut().zip(reasons) {
        document.repeats = reason.map(|reason| reason.reason().to_owned());
    }
    Manifest { documents }
}

/// Builds the ranking model from the stored texts.
fn index(dir: &Path, manifest: &Manifest, watch: &mut Watch<'_>) -> Result<(), CorpusError> {
    let texts = dir.join(TEXTS);
    let failed = |error| CorpusError::cache(&texts, error);
    let pack = super::cache::Pack::open(&texts).map_err(failed)?;
    let total = manifest.searched().map(|document| document.passages.len()).sum();
    let mut builder = RankBuilder::create(&dir.join(INDEX))?;
    let mut done = 0;
    for document in manifest.searched() {
        let text = pack.text(document).map_err(failed)?;
        let language = if document.english { Language::English } else { Language::Other };
        for (start, end, trail) in &document.passages {
            if done % STEP == 0 {
                watch.tell(IndexProgress::Indexing { done, total })?;
            }
            done += 1;
            let headings = &document.trails[*trail];
            builder.add(&PassageText { title: &document.title, headings, text: &text[*start..*end], language })?;
        }
    }
    watch.tell(IndexProgress::Indexing { done, total })?;
    builder.finish()
}

/// Writes the stored texts one after the other.
struct PackWriter<'a> {
    path: &'a Path,
    file: BufWriter<fs::File>,
    offset: u64,
}

impl<'a> PackWriter<'a> {
    fn create(path: &'a Path) -> Result<Self, CorpusError> {
        let file = private_file(path).map_err(|error| CorpusError::cache(path, error))?;
        Ok(Self { path, file: BufWriter::new(file), offset: 0 })
    }

    fn write(&mut self, text: &str) -> Result<u64, CorpusError> {
        self.file.write_all(text.as_bytes()).map_err(|error| CorpusError::cache(self.path, error))?;
        let offset = self.offset;
        self.offset += text.len() as u64;
        Ok(offset)
    }

    fn copy(&mut self, document: &Document, text: &str) -> Result<Entry, CorpusError> {
        let offset = self.write(text)?;
        let spans = document.passages.iter().map(|(start, end, _)| (*start, *end));
        Ok(Entry { document: Document { offset, ..document.clone() }, fingerprint: fingerprint(text, spans) })
    }

    fn add(&mut self, found: &Found, fresh: &Fresh) -> Result<Entry, CorpusError> {
        let document = Document {
            corpus: found.corpus,
            file: found.file.as_str().into(),
            raw: fresh.raw.clone(),
            source: sha256(fresh.text.as_bytes()).into(),
            offset: self.write(&fresh.text)?,
            bytes: fresh.text.len() as u64,
            title: fresh.title.as_str().into(),
            english: fresh.english,
            trails: fresh.trails.clone(),
            passages: fresh.passages.iter().map(|span| (span.start, span.end, span.trail)).collect(),
            repeats: None,
        };
        Ok(Entry { document, fingerprint: fresh.fingerprint.clone() })
    }

    fn finish(self) -> Result<(), CorpusError> {
        let failed = |error| CorpusError::cache(self.path, error);
        self.file.into_inner().map_err(|error| failed(error.into_error()))?;
        Ok(())
    }
}
