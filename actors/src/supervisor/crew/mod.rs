//! Who does the work of a run? Planner, researchers, writer and verifier: one file each, each an actor.
//!
//! Each role has a [`Strategy`]. The rules are pure functions in [`crate::research::rules`] and call no model.

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
