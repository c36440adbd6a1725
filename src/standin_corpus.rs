//! Stand-in until the corpus is merged.
#![allow(missing_docs, dead_code)]
use callboard_actors::error::RetrieveError;
use callboard_actors::ports::{Retriever, SourceStore};
use callboard_actors::research::{Passage, Query, Retrieved, SkippedFile, Term};
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
    #[error("the corpus `{}` has no document that can be read", .0.display())]
    Empty(PathBuf),
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
pub struct Corpus(Arc<Vec<Passage>>, std::collections::BTreeMap<String, Arc<str>>, Vec<SkippedFile>);
impl Corpus {
    pub fn open(
        paths: &[PathBuf],
        _: &CorpusOptions,
        watch: &mut dyn FnMut(IndexProgress) -> ControlFlow<()>,
    ) -> Result<Self, CorpusError> {
        use sha2::Digest;
        let mut all = Vec::new();
        let (mut texts, mut skipped) = (std::collections::BTreeMap::new(), Vec::new());
        if watch(IndexProgress::Scanning { files: 0 }).is_break() {
            return Err(CorpusError::Interrupted);
        }
        for path in paths {
            if !path.exists() {
                return Err(CorpusError::Missing(path.clone()));
            }
            let files: Vec<_> = match path.is_dir() {
                true => std::fs::read_dir(path).unwrap().map(|e| e.unwrap().path()).collect(),
                false => vec![path.clone()],
            };
            let total = files.len();
            for (done, file) in files.into_iter().enumerate() {
                if watch(IndexProgress::Reading { done, total }).is_break() {
                    return Err(CorpusError::Interrupted);
                }
                let name = file.file_name().unwrap().to_string_lossy().into_owned();
                let Ok(text) = std::fs::read_to_string(&file) else {
                    skipped.push(SkippedFile { file: name, reason: "binary".into() });
                    continue;
                };
                let source: String = sha2::Sha256::digest(&text).iter().map(|b| format!("{b:02x}")).collect();
                let (mut headings, mut at) = (Vec::new(), 0);
                for part in text.split_inclusive("\n\n") {
                    if let Some(heading) = part.strip_prefix("# ") {
                        headings = vec![heading.trim().to_owned()];
                    }
                    all.push(Passage {
                        source: source.as_str().into(),
                        corpus: path.to_string_lossy().as_ref().into(),
                        file: name.as_str().into(),
                        title: headings.first().cloned().unwrap_or(name.clone()).as_str().into(),
                        headings: headings.clone(),
                        start: at,
                        end: at + part.len(),
                        text: part.into(),
                        score: 1.0,
                    });
                    at += part.len();
                }
                texts.insert(source, text.into());
            }
        }
        if all.is_empty() {
            return Err(CorpusError::Empty(paths[0].clone()));
        }
        let ready = IndexProgress::Ready { documents: texts.len(), passages: all.len(), reused: 0, unstemmed: 0 };
        if watch(ready).is_break() {
            return Err(CorpusError::Interrupted);
        }
        Ok(Self(Arc::new(all), texts, skipped))
    }
    pub fn skipped(&self) -> &[SkippedFile] {
        &self.2
    }
}
impl Retriever for Corpus {
    fn search(&self, query: Query) -> BoxFuture<'static, Result<Retrieved, RetrieveError>> {
        let all = self.0.clone();
        Box::pin(async move {
            let stems_of = |p: &Passage| {
                let all = format!("{} {}", p.text, p.headings.join(" "));
                callboard_actors::text::content_stems(&all, callboard_actors::text::Language::English)
                    .into_iter()
                    .map(|w| w.stem)
                    .collect::<Vec<_>>()
            };
            let terms: Vec<Term> =
                callboard_actors::text::content_stems(&query.text, callboard_actors::text::Language::English)
                    .into_iter()
                    .map(|w| w.stem)
                    .map(|stem| Term {
                        passages: all.iter().filter(|p| stems_of(p).contains(&stem)).count() as u64,
                        stem,
                    })
                    .collect();
            let mut passages: Vec<Passage> = all.iter().cloned().collect();
            for p in &mut passages {
                let stems = stems_of(p);
                p.score = terms.iter().filter(|t| stems.contains(&t.stem)).count() as f32;
            }
            passages.sort_by(|a, b| b.score.total_cmp(&a.score));
            passages.truncate(query.limit);
            Ok(Retrieved { passages, terms, corpus_passages: all.len() as u64 })
        })
    }
}
impl SourceStore for Corpus {
    fn text(&self, source: &str) -> BoxFuture<'static, Result<Option<Arc<str>>, RetrieveError>> {
        let found = self.1.get(source).cloned();
        Box::pin(async { Ok(found) })
    }
}
