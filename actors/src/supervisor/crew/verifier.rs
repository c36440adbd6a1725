//! Does every quote of the draft stand in the stored sources?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use crate::agent::{Agent, Turn, WorkError};
use crate::mailbox::Reply;
use crate::ports::SourceStore;
use crate::research::Draft;
use crate::research::rules::verify::{Verified, verify};

type Texts = BTreeMap<Arc<str>, Arc<str>>;

/// The actor that verifies. Its only strategy is to look.
pub(in crate::supervisor) struct Verifier {
    sources: Arc<dyn SourceStore>,
}

/// What a verifier understands.
pub(in crate::supervisor) enum VerifyDraft {
    /// "Strike what does not hold."
    Begin {
        draft: Draft,
        /// The person's, whose words a sentence may use.
        question: String,
        /// How long reading one source may take; the claims of one that takes longer are struck.
        within: Duration,
        reply: Reply<Verified>,
    },
    /// The texts of the cited sources are here; those that could not be read are not among them.
    Read { texts: Result<Texts, WorkError>, draft: Draft, question: String, reply: Reply<Verified> },
}

impl Verifier {
    pub(in crate::supervisor) fn new(sources: Arc<dyn SourceStore>) -> Self {
        Self { sources }
    }

    fn read(&self, draft: &Draft, within: Duration) -> impl Future<Output = Texts> + use<> {
        let claims = draft.sections.iter().flat_map(|section| &section.claims);
        let cited: std::collections::BTreeSet<Arc<str>> =
            claims.flat_map(|claim| &claim.evidence).map(|evidence| evidence.source.clone()).collect();
        let reads = cited.into_iter().map(|source| {
            let text = self.sources.text(&source);
            async move {
                match tokio::time::timeout(within, text).await {
                    Ok(Ok(text)) => text.map(|text| (source, text)),
                    Ok(Err(error)) => {
                        tracing::warn!(%source, %error, "a cited source cannot be read; its claims are struck");
                        None
                    }
                    Err(_elapsed) => {
                        tracing::warn!(%source, "a cited source was not read in time; its claims are struck");
                        None
                    }
                }
            }
        });
        let reads: Vec<_> = reads.collect();
        async move { join_all(reads).await.into_iter().flatten().collect() }
    }
}

impl Agent for Verifier {
    type Message = VerifyDraft;

    fn handle(&mut self, message: VerifyDraft, turn: &mut Turn<'_, VerifyDraft>) {
        match message {
            VerifyDraft::Begin { draft, question, within, reply } => {
                let read = self.read(&draft, within);
                if let Err(refused) = turn.start(read, |texts| VerifyDraft::Read { texts, draft, question, reply }) {
                    self.handle(refused, turn);
                }
            }
            VerifyDraft::Read { texts, draft, question, reply } => {
                let texts = texts.unwrap_or_default();
                reply.send(verify(draft, &question, &|source| texts.get(source).cloned()));
            }
        }
    }
}
