//! What the tests of the corpus share: a cache of their own, files to read, questions.
#![allow(dead_code, unreachable_pub)]

use std::fs::{self, File};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use callboard::actors::ports::Retriever;
use callboard::actors::research::{Query, Retrieved};
use callboard::corpus::{Corpus, CorpusError, CorpusOptions, IndexProgress};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A folder for documents and one for the cache, both removed at the end.
pub struct Bench {
    pub docs: TempDir,
    pub cache: TempDir,
    pub options: CorpusOptions,
}

impl Bench {
    pub fn new() -> Self {
        let (docs, cache) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
        let options = CorpusOptions { cache_dir: Some(cache.path().to_path_buf()), ..CorpusOptions::default() };
        Self { docs, cache, options }
    }

    pub fn path(&self) -> PathBuf {
        self.docs.path().to_path_buf()
    }

    /// Writes a document that looks as if nobody had touched it for an hour.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        self.write_aged(name, content, 3600)
    }

    pub fn write_aged(&self, name: &str, content: impl AsRef<[u8]>, seconds: u64) -> PathBuf {
        let path = self.docs.path().join(name);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("a folder");
        fs::write(&path, content).expect("a file");
        let file = File::options().write(true).open(&path).expect("a file");
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).expect("a time");
        path
    }

    #[track_caller]
    pub fn open(&self, paths: &[PathBuf]) -> Corpus {
        self.watch(paths).0
    }

    /// The corpus of the documents folder, and what its watcher heard.
    #[track_caller]
    pub fn docs(&self) -> (Corpus, Vec<IndexProgress>) {
        self.watch(&[self.path()])
    }

    #[track_caller]
    pub fn watch(&self, paths: &[PathBuf]) -> (Corpus, Vec<IndexProgress>) {
        let mut seen = Vec::new();
        let corpus = self.try_open(paths, &mut |step| {
            seen.push(step);
            ControlFlow::Continue(())
        });
        (corpus.unwrap_or_else(|error| panic!("{error}: {error:?}")), seen)
    }

    pub fn try_open(
        &self,
        paths: &[PathBuf],
        watch: &mut dyn FnMut(IndexProgress) -> ControlFlow<()>,
    ) -> Result<Corpus, CorpusError> {
        Corpus::open(paths, &self.options, watch)
    }

    #[track_caller]
    pub fn fails(&self, paths: &[PathBuf]) -> CorpusError {
        match self.try_open(paths, &mut |_| ControlFlow::Continue(())) {
            Ok(corpus) => panic!("opened {corpus:?}"),
            Err(error) => error,
        }
    }

    /// Every file below the cache, without the locks.
    pub fn cached(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.cache.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_none_or(|extension| extension != "lock") {
                    files.push(path);
                }
            }
        }
        files.sort();
        files
    }
}

/// A path below `tests/fixtures`.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

#[track_caller]
pub fn search(corpus: &Corpus, question: &str) -> Retrieved {
    search_whole(corpus, question, question)
}

#[track_caller]
pub fn search_whole(corpus: &Corpus, text: &str, whole: &str) -> Retrieved {
    let query = Query { text: text.to_owned(), whole: whole.to_owned(), limit: 100 };
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(corpus.search(query)).expect("the search works")
}

/// `file: reason` for each skipped file.
pub fn skipped(corpus: &Corpus) -> Vec<String> {
    corpus.skipped().iter().map(|file| format!("{}: {}", file.file, file.reason)).collect()
}

pub fn reused(seen: &[IndexProgress]) -> usize {
    let ready = seen.iter().find_map(|step| match step {
        IndexProgress::Ready { reused, .. } => Some(*reused),
        _ => None,
    });
    ready.expect("the corpus became ready")
}

/// How many files were read.
pub fn read(seen: &[IndexProgress]) -> usize {
    let totals = seen.iter().filter_map(|step| match step {
        IndexProgress::Reading { total, .. } => Some(*total),
        _ => None,
    });
    totals.max().unwrap_or(0)
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
