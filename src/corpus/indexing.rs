//! Which passages does the index lose and get, so that it has those of the new documents?

use std::collections::HashSet;
use std::path::Path;

use callboard_actors::text::Language;

use super::CorpusError;
use super::cache::{Generation, INDEX, Pack, TEXTS};
use super::manifest::{Document, Manifest};
use super::progress::{IndexProgress, Watch};
use super::rank::{PassageText, RankBuilder};

/// The watcher hears of the indexing once in so many passages.
const STEP: usize = 64;

/// Writes the index of the documents of `manifest` into `dir`: that of `old` without what is gone and with what is new, or
/// another one if more is new than old.
pub(super) fn index(
    dir: &Path,
    manifest: &Manifest,
    old: Option<&Generation>,
    watch: &mut Watch<'_>,
) -> Result<(), CorpusError> {
    let texts = dir.join(TEXTS);
    let failed = |error| CorpusError::cache(&texts, error);
    let pack = Pack::open(&texts).map_err(failed)?;
    let (change, mut builder) = start(dir, manifest, old)?;
    change.gone.iter().for_each(|document| builder.remove(*document));
    let total = change.new.iter().map(|document| document.passages.len()).sum();
    let mut done = 0;
    for document in change.new {
        let text = pack.text(document).map_err(failed)?;
        let language = if document.english { Language::English } else { Language::Other };
        let (mut headings, mut at) = (Vec::new(), 0);
        for (number, (start, end, place)) in (0..).zip(&document.passages) {
            if done % STEP == 0 {
                watch.tell(IndexProgress::Indexing { done, total })?;
            }
            done += 1;
            if at != *place {
                (headings, at) = (document.outline.trail(*place), *place);
            }
            let (title, headings, text) = (&*document.title, headings.as_slice(), &text[*start..*end]);
            builder.add(document.key, number, &PassageText { title, headings, text, language })?;
        }
    }
    watch.tell(IndexProgress::Indexing { done, total })?;
    builder.finish(manifest, &mut watch.pulse(IndexProgress::Indexing { done, total }))
}

/// Where to begin, and what remains to be done.
fn start<'a>(
    dir: &Path,
    manifest: &'a Manifest,
    old: Option<&Generation>,
) -> Result<(Change<'a>, RankBuilder), CorpusError> {
    let patch = old.map(|old| (old, Change::between(&old.manifest, manifest)));
    match patch.filter(|(_, change)| change.is_small()) {
        Some((old, change)) => Ok((change, RankBuilder::patch(&old.dir.join(INDEX), &dir.join(INDEX))?)),
        None => {
            let change = Change::between(&Manifest::default(), manifest);
            Ok((change, RankBuilder::create(&dir.join(INDEX))?))
        }
    }
}

/// How the searched documents of one generation become those of another.
struct Change<'a> {
    /// Keys of documents that are not searched any more.
    gone: Vec<u64>,
    /// Documents that were not searched before.
    new: Vec<&'a Document>,
    /// How many documents are searched as before.
    kept: usize,
}

impl<'a> Change<'a> {
    fn between(old: &Manifest, manifest: &'a Manifest) -> Self {
        let before: HashSet<u64> = old.searched().map(|document| document.key).collect();
        let (kept, new): (Vec<_>, Vec<_>) = manifest.searched().partition(|document| before.contains(&document.key));
        let stays: HashSet<u64> = kept.iter().map(|document| document.key).collect();
        let gone = old.searched().map(|document| document.key).filter(|key| !stays.contains(key)).collect();
        Self { gone, new, kept: kept.len() }
    }

    /// Whether it is less work than a new index.
    fn is_small(&self) -> bool {
        self.gone.len() + self.new.len() <= self.kept
    }
}
