//! What is a research run about? The plain values that the crew exchanges: plan, tasks, passages, findings, the report.
//!
//! Nothing here searches, ranks or renders. The rules are in [`rules`], the actors that use them in
//! [`crate::supervisor`], and the bytes behind a passage with whoever implements [`crate::ports::Retriever`].

pub mod assemble;
pub(crate) mod grounding;
pub mod inert;
pub(crate) mod model;
mod outcome;
mod report;
pub mod rules;
mod values;

pub use assemble::assemble;
pub use outcome::{Failure, FailureCause, Missing, MissingCause, Outcome, Unread};
pub use report::{
    Citation, FindingEntry, Generator, PlanEntry, PlanReport, Report, RulesInstead, RunStep, SCHEMA_VERSION,
    SkippedFile, Status, Timing, UnreadPassage, Usage,
};
pub use values::{
    Claim, Draft, Evidence, Findings, Passage, Plan, Query, Related, Retrieved, Section, Task, TaskId, Term,
};
