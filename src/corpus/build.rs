//! What must be read again, and how does a new generation come about?

use std::collections::HashMap;
use std::sync::Arc;

use super::cache::{Generation, Guard, MANIFEST, Slot, TEXTS, make_private, seal, write_checked};
use super::indexing::index;
use super::manifest::{Document, Manifest, Verdict, Visit};
use super::progress::{IndexProgress, Watch};
use super::read::Skip;
use super::reading::{Reading, read_all};
use super::repeats::{Candidate, Fingerprint, repeats};
use super::texts::{Entry, PackWriter};
use super::walk::{Found, Left, Walked, over};
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
    pub(super) fn new(found: &[Found], visits: &[Visit], generation: Option<&Generation>, limit: u64) -> Self {
        let visits: HashMap<(usize, &str), &Visit> =
            visits.iter().map(|visit| ((visit.corpus, visit.file.as_str()), visit)).collect();
        let documents = generation.map_or(&[][..], |generation| &generation.manifest.documents);
        let stored: HashMap<(usize, &str, &str), usize> = documents
            .iter()
            .enumerate()
            .map(|(at, document)| ((document.corpus, &*document.file, document.raw.as_str()), at))
            .collect();
        let mut plan = Self::default();
        let mut without_room = Vec::new();
        for (index, file) in found.iter().enumerate() {
            let visit = visits.get(&(file.corpus, file.file.as_str())).filter(|visit| visit.stamp == file.stamp);
            match visit.map(|visit| &visit.verdict) {
                Some(Verdict::Left(reason)) => plan.left.push((index, Skip::with(reason.clone()))),
                Some(Verdict::Read(raw)) => match stored.get(&(file.corpus, file.file.as_str(), raw.as_str())) {
                    Some(document) => plan.reuse.push((index, *document)),
                    None => plan.read.push(index),
                },
                Some(Verdict::Over) => without_room.push(index),
                None => plan.read.push(index),
            }
        }
        if plan.read.is_empty() && plan.reuse.len() == documents.len() {
            plan.left.extend(without_room.into_iter().map(|index| (index, over(limit))));
        } else {
            plan.read.extend(without_room);
            plan.read.sort_unstable();
        }
        plan
    }

    /// Nothing was added, changed or removed.
    pub(super) fn is_current(&self, generation: &Generation) -> bool {
        self.read.is_empty() && self.reuse.len() == generation.manifest.documents.len()
    }
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
        let next = old.as_ref().map_or(0, |old| old.manifest.next_key());
        let pack = PackWriter::create(&texts, next)?;
        let mut shelves = Shelving {
            build: self,
            old: old.as_ref(),
            pack,
            entries: Vec::new(),
            visits: Vec::new(),
            left: Vec::new(),
        };
        for (index, reason) in &self.plan.left {
            shelves.visits.push(self.visit_of(*index, Verdict::Left(reason.reason().to_owned())));
            shelves.left.push(self.left(*index, reason.clone()));
        }
        let files: Vec<(usize, &Found)> = self.plan.read.iter().map(|at| (*at, &self.walked.found[*at])).collect();
        let (mut done, total) = (0, files.len());
        let mut reuse = self.plan.reuse.iter().peekable();
        watch.tell(IndexProgress::Reading { done, total })?;
        // In the order of the walk, whatever is read and whatever is known: the order decides for which there is room.
        read_all(&files, self.options, |reading| {
            if let Some(reading) = reading {
                while let Some(known) = reuse.next_if(|(index, _)| *index < reading.index) {
                    shelves.known(known)?;
                }
                shelves.read(reading)?;
                done += 1;
            }
            watch.tell(IndexProgress::Reading { done, total })
        })?;
        reuse.try_for_each(|known| shelves.known(known))?;
        let Shelving { pack, entries, visits, left, .. } = shelves;
        pack.finish()?;
        if entries.is_empty() {
            return Ok(Built { generation: None, left });
        }
        let generation = match old {
            Some(old) if same_documents(&old.manifest, &entries) => old,
            old => self.publish(staged, entries, old.as_ref(), watch)?,
        };
        self.slot.remember(&visits, self.lock)?;
        Ok(Built { generation: Some(generation), left })
    }

    /// Indexes the documents and makes them the living generation.
    fn publish(
        &self,
        staged: tempfile::TempDir,
        entries: Vec<Entry>,
        old: Option<&Generation>,
        watch: &mut Watch<'_>,
    ) -> Result<Generation, CorpusError> {
        let dir = staged.path();
        let failed = |error| CorpusError::cache(dir, error);
        let manifest = manifest(entries);
        index(dir, &manifest, old, watch)?;
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

    fn visit_of(&self, index: usize, verdict: Verdict) -> Visit {
        let found = &self.walked.found[index];
        Visit { corpus: found.corpus, file: found.file.clone(), stamp: found.stamp, verdict }
    }
}

/// Documents on their way into the new generation.
struct Shelving<'a> {
    build: &'a Build<'a>,
    old: Option<&'a Generation>,
    pack: PackWriter<'a>,
    entries: Vec<Entry>,
    visits: Vec<Visit>,
    left: Vec<Left>,
}

impl Shelving<'_> {
    /// Whether there is room for a text of so many bytes; if not, its file is left out.
    fn has_room(&mut self, index: usize, bytes: u64) -> bool {
        let limit = self.build.options.max_corpus_bytes;
        let has_room = self.pack.offset.saturating_add(bytes) <= limit;
        if !has_room {
            self.left.push(self.build.left(index, over(limit)));
        }
        has_room
    }

    /// A document that the earlier generation has.
    fn known(&mut self, (index, document): &(usize, usize)) -> Result<(), CorpusError> {
        let Some(old) = self.old else { return Ok(()) };
        let document = &old.manifest.documents[*document];
        let mut verdict = Verdict::Over;
        if self.has_room(*index, document.bytes) {
            let text = old.pack.text(document).map_err(|error| CorpusError::cache(self.pack.path, error))?;
            self.entries.push(self.pack.copy(document, &text)?);
            verdict = Verdict::Read(document.raw.clone());
        }
        self.visits.push(self.build.visit_of(*index, verdict));
        Ok(())
    }

    /// A file that was just read. Nothing is remembered of one that may still be changing.
    fn read(&mut self, reading: Reading) -> Result<(), CorpusError> {
        let found = &self.build.walked.found[reading.index];
        let verdict = match reading.outcome {
            Ok(fresh) if self.has_room(reading.index, fresh.text.len() as u64) => {
                self.entries.push(self.pack.add(found, &fresh)?);
                Verdict::Read(fresh.raw)
            }
            Ok(_) => Verdict::Over,
            Err(reason) => {
                self.left.push(self.build.left(reading.index, reason.clone()));
                Verdict::Left(reason.reason().to_owned())
            }
        };
        if reading.stamp == Some(found.stamp) && found.stamp.is_settled(self.build.started) {
            self.visits.push(self.build.visit_of(reading.index, verdict));
        }
        Ok(())
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
