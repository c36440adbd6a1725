//! Stand-in until the corpus is merged.
#![allow(missing_docs, dead_code)]
use callboard_actors::error::RetrieveError;
use callboard_actors::ports::{Retriever, SourceStore};
use callboard_actors::research::{Query, Retrieved, SkippedFile};
use futures_util::future::BoxFuture;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, Clone, Default)]
pub struct CorpusOptions {}
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum IndexProgress {
    Scanning { files: usize },
    Waiting,
    Rebuilding { reason: String },
    Reading { done: usize, total: usize },
    Indexing { done: usize, total: usize },
    Ready { documents: usize, passages: usize, reused: usize, unstemmed: usize },
}
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CorpusError {
    #[error("the corpus `{}` does not exist", .0.display())]
    Missing(PathBuf),
    #[error("interrupted")]
    Interrupted,
}
impl CorpusError {
    pub fn code(&self) -> &'static str {
        "corpus_missing"
    }
    pub fn hint(&self) -> &'static str {
        "check the spelling"
    }
    pub fn is_retryable(&self) -> bool {
        false
    }
}
#[derive(Debug)]
pub struct Corpus {}
impl Corpus {
    pub fn open(
        paths: &[PathBuf],
        _: &CorpusOptions,
        watch: &mut dyn FnMut(IndexProgress) -> ControlFlow<()>,
    ) -> Result<Self, CorpusError> {
        if watch(IndexProgress::Scanning { files: 0 }).is_break() {
            return Err(CorpusError::Interrupted);
        }
        match paths.iter().find(|path| !path.exists()) {
            Some(path) => Err(CorpusError::Missing(path.clone())),
            None => Ok(Self {}),
        }
    }
    pub fn skipped(&self) -> &[SkippedFile] {
        &[]
    }
}
impl Retriever for Corpus {
    fn search(&self, _: Query) -> BoxFuture<'static, Result<Retrieved, RetrieveError>> {
        Box::pin(async { Ok(Retrieved::default()) })
    }
}
impl SourceStore for Corpus {
    fn text(&self, _: &str) -> BoxFuture<'static, Result<Option<Arc<str>>, RetrieveError>> {
        Box::pin(async { Ok(None) })
    }
}
