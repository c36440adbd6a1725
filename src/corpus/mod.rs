//! How do local documents become passages that can be found and quoted?
//!
//! - `walk`, `decode`, `read/`, `outline`, `passages`, `repeats`: which files there are, and what they say
//! - `cache/`, `manifest`, `build`, `reading`, `texts`, `indexing`: what is kept between two runs, and how it is brought up to date
//! - `rank/`, `search`: which passages fit a question
//!
//! What is done with passages is the business of the researchers in [`callboard_actors::research`].

mod build;
mod cache;
mod decode;
mod error;
mod indexing;
mod manifest;
mod options;
mod outline;
mod passages;
mod progress;
mod rank;
mod read;
mod reading;
mod repeats;
mod search;
mod texts;
mod walk;

use std::fmt;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use callboard_actors::error::RetrieveError;
use callboard_actors::ports::{Retriever, SourceStore};
use callboard_actors::research::{Passage, Query, Retrieved, SkippedFile};
use futures_util::future::BoxFuture;

pub use self::error::CorpusError;
pub use self::options::{CACHE_DIR_VARIABLE, CorpusOptions};
pub use self::progress::IndexProgress;

use self::build::{Build, Plan};
use self::cache::{Generation, Held, Slot};
use self::progress::Watch;
use self::search::Shelf;
use self::walk::{Left, Root, Walked};

/// Documents that can be searched and cited. Cheap to clone; every clone is the same corpus.
///
/// It answers from the state of the files at the time it was opened, whatever happens to the files or to the cache
/// afterwards.
#[derive(Clone)]
pub struct Corpus {
    shelf: Arc<Shelf>,
    skipped: Arc<[SkippedFile]>,
}

impl fmt::Debug for Corpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (documents, passages) = (self.documents(), self.passages());
        f.debug_struct("Corpus").field("documents", &documents).field("passages", &passages).finish_non_exhaustive()
    }
}

impl Corpus {
    /// Opens folders and files, and reads what is new or has changed since the last time.
    ///
    /// It blocks, for seconds with a large new corpus: call it off an actor's thread. `watch` hears how far it is and
    /// may answer `Break` at any time; then nothing is left behind that a later call would have to repair. Two processes
    /// may open the same paths at once: one builds, the other waits, at most [`CorpusOptions::lock_wait`].
    ///
    /// # Errors
    /// [`CorpusError`] names what is wrong and [`hint`](CorpusError::hint) says what to do. Files that cannot be read
    /// are not an error as long as each path has at least one document; see [`skipped`](Self::skipped).
    pub fn open(
        paths: &[PathBuf],
        options: &CorpusOptions,
        watch: &mut dyn FnMut(IndexProgress) -> ControlFlow<()>,
    ) -> Result<Self, CorpusError> {
        options.validate()?;
        let mut watch = Watch(watch);
        let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_nanos());
        let roots = walk::roots(paths)?;
        let walked = walk::walk(&roots, options, &mut watch)?;
        let opening = Opening { roots, walked, options, started: i128::try_from(started).unwrap_or(0) };
        opening.refuse_empty(|corpus| opening.walked.found.iter().any(|found| found.corpus == corpus), &[])?;
        opening.run(&mut watch)
    }

    /// Files that were not read and documents that only repeat others, in the order of their paths.
    pub fn skipped(&self) -> &[SkippedFile] {
        &self.skipped
    }

    /// How many documents can be cited.
    pub fn documents(&self) -> usize {
        self.shelf.documents()
    }

    /// How many passages can be found.
    pub fn passages(&self) -> usize {
        self.shelf.passages()
    }

    /// Every passage in the order of the corpus, with score 0: what another way of ranking, or of measuring one, starts
    /// from. Reads all stored text into memory.
    ///
    /// # Errors
    /// [`CorpusError::Damaged`] when a stored text cannot be read.
    pub fn every_passage(&self) -> Result<Vec<Passage>, CorpusError> {
        (0..self.passages()).map(|ordinal| self.shelf.passage(ordinal, 0.0)).collect()
    }

    /// The stored text whose SHA-256 is `source`, `None` when there is none. Blocks for one read from the disk.
    ///
    /// # Errors
    /// [`CorpusError::Damaged`] when the stored bytes no longer have that SHA-256.
    pub fn stored_text(&self, source: &str) -> Result<Option<Arc<str>>, CorpusError> {
        self.shelf.text(source)
    }
}

impl Retriever for Corpus {
    fn search(&self, query: Query) -> BoxFuture<'static, Result<Retrieved, RetrieveError>> {
        let shelf = Arc::clone(&self.shelf);
        Box::pin(blocking(move || shelf.search(&query)))
    }
}

impl SourceStore for Corpus {
    fn text(&self, source: &str) -> BoxFuture<'static, Result<Option<Arc<str>>, RetrieveError>> {
        let (shelf, source) = (Arc::clone(&self.shelf), source.to_owned());
        Box::pin(blocking(move || shelf.text(&source)))
    }
}

/// Runs work on the blocking pool. Outside of a runtime there is none, and nothing that could be blocked either.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CorpusError> + Send + 'static,
) -> Result<T, RetrieveError> {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return Ok(work()?) };
    match runtime.spawn_blocking(work).await {
        Ok(result) => Ok(result?),
        Err(error) => Err(RetrieveError::Unavailable(error.to_string())),
    }
}

/// One call of [`Corpus::open`] after the files were listed.
struct Opening<'a> {
    roots: Vec<Root>,
    walked: Walked,
    options: &'a CorpusOptions,
    started: i128,
}

impl Opening<'_> {
    /// Takes what is there when nothing changed; otherwise builds, unless another process did so meanwhile.
    fn run(&self, watch: &mut Watch<'_>) -> Result<Corpus, CorpusError> {
        let slot = Slot::new(&self.roots, self.options)?;
        let lock = slot.lock(false, watch)?;
        if let Ok(corpus) = self.reuse(slot.load(&lock), watch)? {
            return Ok(corpus);
        }
        drop(lock);
        let lock = slot.lock(true, watch)?;
        let (held, plan) = match self.reuse(slot.load(&lock), watch)? {
            Ok(corpus) => return Ok(corpus),
            Err(stale) => stale,
        };
        if let Some(reason) = held.damage {
            watch.tell(IndexProgress::Rebuilding { reason })?;
        }
        let build = Build {
            slot: &slot,
            lock: &lock,
            options: self.options,
            walked: &self.walked,
            plan: &plan,
            started: self.started,
        };
        let built = build.run(held.generation, watch)?;
        let Some(generation) = built.generation else {
            self.refuse_empty(|_| false, &built.left)?;
            return Err(CorpusError::NoPaths);
        };
        self.finish(generation, built.left, plan.reuse.len(), watch)
    }

    /// The corpus, if the cache has all of it; otherwise what is there and what must be read.
    #[allow(clippy::type_complexity)]
    fn reuse(&self, held: Held, watch: &mut Watch<'_>) -> Result<Result<Corpus, (Held, Plan)>, CorpusError> {
        let plan = Plan::new(&self.walked.found, &held.visits, held.generation.as_ref(), self.options.max_corpus_bytes);
        match held.generation {
            Some(generation) if plan.is_current(&generation) => {
                let left = plan.left.into_iter().map(|(index, reason)| {
                    let found = &self.walked.found[index];
                    Left { corpus: found.corpus, file: found.file.clone(), reason }
                });
                self.finish(generation, left.collect(), plan.reuse.len(), watch).map(Ok)
            }
            _ => Ok(Err((held, plan))),
        }
    }

    fn finish(
        &self,
        generation: Generation,
        left: Vec<Left>,
        reused: usize,
        watch: &mut Watch<'_>,
    ) -> Result<Corpus, CorpusError> {
        let documents = &generation.manifest.documents;
        self.refuse_empty(|corpus| documents.iter().any(|document| document.corpus == corpus), &left)?;
        let repeated = documents.iter().filter_map(|document| {
            let reason = read::Skip::with(document.repeats.clone()?);
            Some(Left { corpus: document.corpus, file: document.file.to_string(), reason })
        });
        let skipped = self.skipped(self.walked.left.iter().cloned().chain(left).chain(repeated).collect());
        let unstemmed = generation.manifest.searched().filter(|document| !document.english).count();
        let given = self.roots.iter().map(|root| root.given.to_string_lossy().as_ref().into()).collect();
        let corpus = Corpus { shelf: Arc::new(Shelf::new(generation, given)), skipped: skipped.into() };
        let (documents, passages) = (corpus.documents(), corpus.passages());
        watch.tell(IndexProgress::Ready { documents, passages, reused, unstemmed })?;
        Ok(corpus)
    }

    /// In the order of paths; with several corpus paths each file is named with its own.
    fn skipped(&self, mut left: Vec<Left>) -> Vec<SkippedFile> {
        left.sort_by(|a, b| (a.corpus, &a.file).cmp(&(b.corpus, &b.file)));
        left.into_iter()
            .map(|left| {
                let root = &self.roots[left.corpus];
                let file = match self.roots.len() {
                    1 => left.file,
                    _ if root.is_file() => root.given.to_string_lossy().into_owned(),
                    _ => root.given.join(left.file).to_string_lossy().into_owned(),
                };
                SkippedFile { file, reason: left.reason.reason().to_owned() }
            })
            .collect()
    }

    /// Each path must have a document; one that another path has too counts.
    fn refuse_empty(&self, has: impl Fn(usize) -> bool, left: &[Left]) -> Result<(), CorpusError> {
        for (corpus, root) in self.roots.iter().enumerate() {
            let of_root: Vec<Left> =
                self.walked.left.iter().chain(left).filter(|left| left.corpus == corpus).cloned().collect();
            let shared = of_root.iter().any(|left| left.reason == walk::shared());
            if !has(corpus) && !shared {
                return Err(CorpusError::Empty { path: root.given.clone(), skipped: self.skipped(of_root) });
            }
        }
        Ok(())
    }
}
