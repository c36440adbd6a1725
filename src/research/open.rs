//! How is a corpus opened within a deadline, and how are its cited texts read again?

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use callboard_actors::ports::SourceStore;
use callboard_actors::research::Outcome;

use crate::corpus::{Corpus, CorpusError, CorpusOptions, IndexProgress};
use crate::error::{Error, Result};
use crate::report::Sources;

/// How long after the deadline the indexing may take to break off in order.
const GRACE: Duration = Duration::from_millis(500);

/// Opens the corpus on the blocking pool, until `end`, and stops when nobody waits for it any more.
pub(super) async fn open(
    paths: Vec<PathBuf>,
    options: CorpusOptions,
    mut watch: Box<dyn FnMut(IndexProgress) -> ControlFlow<()> + Send>,
    end: Instant,
) -> Result<Arc<Corpus>> {
    let abandoned = Abandon(Arc::new(AtomicBool::new(false)));
    let stop = abandoned.0.clone();
    let opening = tokio::task::spawn_blocking(move || {
        let mut late = false;
        let opened = Corpus::open(&paths, &options, &mut |progress| {
            late = Instant::now() >= end;
            if late || stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { watch(progress) }
        });
        match opened {
            Err(CorpusError::Interrupted) if late => Err(Error::IndexDeadline),
            Err(CorpusError::Interrupted) => Err(Error::Interrupted),
            opened => Ok(Arc::new(opened?)),
        }
    });
    // A step of the indexing may be long: it is not waited for beyond the grace, and stops when it is over.
    let late = tokio::time::sleep_until((end + GRACE).into());
    tokio::select! {
        biased;
        opened = opening => match opened {
            Ok(opened) => opened,
            Err(fault) => Err(Error::Internal(format!("indexing ended early: {fault}"))),
        },
        () = late => Err(Error::IndexDeadline),
    }
}

struct Abandon(Arc<AtomicBool>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The stored text of every source that the outcome cites, and of what was retrieved and not read.
pub(super) async fn sources(outcome: &Outcome, store: &dyn SourceStore) -> Result<Sources> {
    let claims = outcome.draft.sections.iter().flat_map(|section| &section.claims);
    let cited = claims.flat_map(|claim| &claim.evidence).map(|evidence| &*evidence.source);
    let unread = outcome.unread.iter().flat_map(|unread| &unread.passages).map(|passage| &*passage.source);
    let cited: BTreeSet<&str> = cited.chain(unread).collect();
    let mut texts = Vec::with_capacity(cited.len());
    for source in cited {
        if let Some(text) = store.text(source).await.map_err(Error::Sources)? {
            texts.push((source.to_owned(), text));
        }
    }
    Ok(texts.into_iter().collect())
}
