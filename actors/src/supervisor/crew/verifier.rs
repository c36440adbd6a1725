//! Does every quote of the draft stand in the stored sources?

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;

use crate::agent::{Agent, Turn, WorkError};
use crate::mailbox::Reply;
use crate::ports::SourceStore;
use crate::research::{Draft, rules};

type Texts = BTreeMap<Arc<str>, Arc<str>>;
type Verified = (Draft, usize);

/// The actor that verifies. Its only strategy is to look.
pub(in crate::supervisor) struct Verifier {
    sources: Arc<dyn SourceStore>,
}

/// What a verifier understands.
pub(in crate::supervisor) enum VerifyDraft {
    /// "Strike what does not hold."
    Begin { draft: Draft, reply: Reply<Verified> },
    /// The texts of the cited sources are here; those that could not be read are not among them.
    Read { texts: Result<Texts, WorkError>, draft: Draft, reply: Reply<Verified> },
}

impl Verifier {
    pub(in crate::supervisor) fn new(sources: Arc<dyn SourceStore>) -> Self {
        Self { sources }
    }

    fn read(&self, draft: &Draft) -> impl Future<Output = Texts> + use<> {
        let claims = draft.sections.iter().flat_map(|section| &section.claims);
        let cited: std::collections::BTreeSet<Arc<str>> =
            claims.flat_map(|claim| &claim.evidence).map(|evidence| evidence.source.clone()).collect();
        let reads = cited.into_iter().map(|source| {
            let text = self.sources.text(&source);
            async move {
                match text.await {
                    Ok(text) => text.map(|text| (source, text)),
                    Err(error) => {
                        tracing::warn!(%source, %error, "a cited source cannot be read; its claims are struck");
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
            VerifyDraft::Begin { draft, reply } => {
                let read = self.read(&draft);
                turn.start(read, |texts| VerifyDraft::Read { texts, draft, reply });
            }
            VerifyDraft::Read { texts, draft, reply } => {
                let texts = texts.unwrap_or_default();
                reply.send(rules::verify::verify(draft, &|source| texts.get(source).cloned()));
            }
        }
    }
}
