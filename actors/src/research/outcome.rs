//! How did a run end? What the supervisor hands back; the facade makes the [`Report`](super::Report) of it.

use super::{Draft, Generator, Passage, Plan, RulesInstead, Status, TaskId, Usage};
use crate::error::ModelError;
use crate::event::CancelReason;

/// Why a part of the plan has no section in the draft.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum MissingCause {
    /// The part was worked on to its end and nothing was found.
    NoEvidence,
    /// Its researcher failed for good; the text is for people.
    Failed(String),
    /// It was cut short.
    Cancelled(CancelReason),
    /// Something was found, and the verifier struck all of it.
    Struck,
    /// Something was found, and the report's limits left no room for it.
    NoRoom,
}

/// A part of the plan that the answer does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Which task.
    pub task: TaskId,
    /// Its question.
    pub question: String,
    /// Why.
    pub cause: MissingCause,
}

/// What was retrieved for a part of the plan, and not read before the part was cut short.
#[derive(Debug, Clone, PartialEq)]
pub struct Unread {
    /// Which task.
    pub task: TaskId,
    /// Best first, as the retriever found them; the verifier has not looked at them.
    pub passages: Vec<Passage>,
}

/// Whose fault it is that a run did not come to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureCause {
    /// Something of ours broke.
    Internal,
    /// The language model's provider, or the key.
    Provider,
    /// The budget did not allow the first call.
    Budget,
}

/// What went wrong with a run as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Whose fault it is.
    pub cause: FailureCause,
    /// For people: what happened.
    pub message: String,
    /// The error of the model call, if one is the reason: its code and its hint say more.
    pub error: Option<ModelError>,
}

impl Failure {
    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self { cause: FailureCause::Internal, message: message.into(), error: None }
    }
}

/// The end of a run. There is always one, also after a failure or a cancellation.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The run's id.
    pub run_id: String,
    /// As it was asked.
    pub question: String,
    /// The plan with every task that was added later; empty when planning did not come to its end.
    pub plan: Plan,
    /// Only claims whose quotes stand in the stored text.
    pub draft: Draft,
    /// In the order of the plan.
    pub missing: Vec<Missing>,
    /// What was retrieved for those of them that were cut short before it was read, in the order of the plan.
    pub unread: Vec<Unread>,
    /// How it ended.
    pub status: Status,
    /// Set when it was cut short.
    pub cancelled: Option<CancelReason>,
    /// What went wrong with the run as a whole; `None` when its parts say it all.
    pub failure: Option<Failure>,
    /// What was not done as it was asked for, in sentences for people.
    pub notes: Vec<String>,
    /// The steps that the rules did because the model that was asked was no use, as they came.
    pub rules_instead: Vec<RulesInstead>,
    /// Who made the text.
    pub generator: Generator,
    /// Claims that the verifier struck.
    pub struck: usize,
    /// What language models were used for.
    pub usage: Usage,
}
