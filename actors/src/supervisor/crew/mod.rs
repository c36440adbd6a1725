//! Who does the work of a run? Planner, researchers, writer and verifier: one file each, each an actor.
//!
//! Each role has a [`Strategy`]. The rules are pure functions in [`crate::research::rules`] and call no model.

use std::sync::Arc;

use crate::ports::{Retriever, SourceStore};

mod planner;
mod researcher;
mod verifier;
mod writer;

pub(super) use planner::{PlanQuestion, Planner};
pub(super) use researcher::{ResearchTask, Researcher, TaskFailure};
pub(super) use verifier::{Verifier, VerifyDraft};
pub(super) use writer::{WriteDraft, Writer};

/// How a role decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Strategy {
    /// By rules: quotes and arranges, no language model.
    #[default]
    Rules,
}

/// Who works on a run, and with what.
#[derive(Clone)]
pub struct Crew {
    /// Finds passages for the researchers.
    pub retriever: Arc<dyn Retriever>,
    /// Holds the texts that the verifier checks quotes against.
    pub sources: Arc<dyn SourceStore>,
    /// How the planner decides.
    pub planner: Strategy,
    /// How the researchers decide.
    pub researcher: Strategy,
    /// How the writer decides.
    pub writer: Strategy,
}

impl Crew {
    /// A crew that works by rules, on one store of documents.
    pub fn by_rules<S: Retriever + SourceStore>(documents: Arc<S>) -> Self {
        let rules = Strategy::Rules;
        Self { retriever: documents.clone(), sources: documents, planner: rules, researcher: rules, writer: rules }
    }
}
