//! Who works on which task, and what came back? The supervisor of a run and its crew.
//!
//! [`FanOut`] and [`Collect`] are the pure heart: which task starts, which is redundant, when it is over. A [`Run`] is a
//! fan-out over researchers, with a planner before and a writer and a verifier after it. With a language model the planner
//! looks back at what was found and may send researchers out again.

mod actor;
mod collect;
mod crew;
mod fan_out;
mod log;
mod machine;
mod replies;
mod run;

pub use collect::{Collect, Predicate};
pub use crew::{Crew, CrewModel, Strategy, plan_with_model};
pub use fan_out::{AddError, FanOut, FanOutLimits, Step, TaskState};
pub use log::RunEvents;
pub use machine::{FollowUp, OnReply, TaskReply};
pub use replies::{Replies, TaskError};
pub use run::{Run, RunOptions};
