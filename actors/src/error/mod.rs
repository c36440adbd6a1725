//! What can go wrong, named by what the caller can do about it. One enum for each boundary: messages and agents here, models, tools
//! and stores beside.

mod model;
mod shown;
mod store;
mod tool;
mod usage;

use thiserror::Error;

pub use model::{Limited, ModelError, Waiting};
pub(crate) use model::{NO_PRICE, SET_ASIDE, TOKENS_LEFT, in_seconds};
#[doc(hidden)]
pub use shown::show;
pub use store::StoreError;
pub use tool::ToolError;

/// A message was not accepted. The message is handed back.
#[derive(Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TellError<M> {
    /// The mailbox is at its capacity: send again later, or shed the work.
    #[error("the mailbox is full; send again later or raise its capacity")]
    Overloaded(M),
    /// The agent has stopped, or is draining before it stops.
    #[error("the agent has stopped")]
    Stopped(M),
    /// It would have blocked a thread that others wait for; see [`AskError::InsideAsync`].
    #[error(
        "this thread is inside an async runtime: await `send` there; in `spawn_blocking`, give it to `Handle::current().block_on`"
    )]
    InsideAsync(M),
}

impl<M> TellError<M> {
    /// The message that was not accepted.
    pub fn into_message(self) -> M {
        match self {
            Self::Overloaded(message) | Self::Stopped(message) | Self::InsideAsync(message) => message,
        }
    }

    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Overloaded(_) => "overloaded",
            Self::Stopped(_) => "stopped",
            Self::InsideAsync(_) => "inside_async",
        }
    }

    /// Whether the same message may be accepted later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Overloaded(_))
    }

    /// What to do about it. It says to try again where [`is_retryable`](Self::is_retryable) says that this may help.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Overloaded(_) => "try again later, or raise its capacity (`AgentSpec::capacity`)",
            Self::Stopped(_) => "start the agent anew, or its runtime if that has stopped",
            Self::InsideAsync(_) => "await `send` on this thread, or send from a thread of its own",
        }
    }
}

impl<M> std::fmt::Debug for TellError<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        show(self, self.hint(), f)
    }
}

/// An ask did not get its reply.
#[derive(Error, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AskError {
    /// The mailbox is at its capacity: nothing was enqueued.
    #[error("the mailbox is full; ask again later or raise its capacity")]
    Overloaded,
    /// The agent panicked while it held the question.
    #[error("the agent panicked while it held the question")]
    Panicked,
    /// The agent stopped before it answered, or had stopped before.
    #[error("the agent has stopped")]
    Stopped,
    /// The deadline passed. The agent may still answer; nobody hears it.
    #[error("no reply within the deadline")]
    Timeout,
    /// The agent handled the question and dropped it without a reply.
    #[error("the agent handled the question without replying")]
    Unanswered,
    /// Questions like it have killed the agent too often: it is not handled.
    #[error("questions like this one have killed the agent too often")]
    Quarantined,
    /// A blocking call on a thread that others wait for: a tokio runtime runs on it, or it is a shard. Nothing was sent.
    #[error(
        "this thread is inside an async runtime: await `ask` there; in `spawn_blocking`, give it to `Handle::current().block_on`"
    )]
    InsideAsync,
}

impl AskError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Overloaded => "overloaded",
            Self::Panicked => "panicked",
            Self::Stopped => "stopped",
            Self::Timeout => "timeout",
            Self::Unanswered => "unanswered",
            Self::Quarantined => "quarantined",
            Self::InsideAsync => "inside_async",
        }
    }

    /// Whether asking again may succeed. A question that panicked its agent is not asked again without a reason.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Overloaded | Self::Timeout)
    }

    /// What to do about it. It says to ask again where [`is_retryable`](Self::is_retryable) says that this may help.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Overloaded => {
                "ask again later, or allow more asks in its line (`AgentSpec::capacity`, `ChatAgentSpec::capacity`)"
            }
            Self::Panicked => "look at the panic in the log, and report it, before the same is asked once more",
            Self::Stopped => "start the agent anew, or its runtime if that has stopped",
            Self::Timeout => "ask again, or allow more time",
            Self::Unanswered => "start the agent anew",
            Self::Quarantined => "ask otherwise: the same question has killed the agent too often",
            Self::InsideAsync => "await `ask` on this thread, or ask from a thread of its own",
        }
    }
}

crate::shown_to_people!(AskError);

/// A runtime or an agent could not be started.
#[derive(Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartError {
    /// The runtime is stopping or has stopped.
    #[error("the runtime has stopped; start another one")]
    RuntimeStopped,
    /// The group was stopped, or gave up.
    #[error("the group has ended; start another one")]
    GroupEnded,
    /// A shard is tens of thousands of starts behind: start the agent again later.
    #[error("too many agents are being started; try again later")]
    Overloaded,
    /// The operating system gave no thread.
    #[error("a shard's thread could not be started: {0}")]
    Thread(String),
    /// A value of the configuration breaks a rule.
    #[error("invalid configuration: {0}")]
    Invalid(String),
    /// Less is left of a budget than is to be set aside for the agent.
    #[error("its budget cannot be set aside: {0}")]
    Budget(String),
}

impl StartError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::RuntimeStopped => "runtime_stopped",
            Self::GroupEnded => "group_ended",
            Self::Overloaded => "overloaded",
            Self::Thread(_) => "thread",
            Self::Invalid(_) => "invalid_configuration",
            Self::Budget(_) => "budget",
        }
    }

    /// Whether starting again may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Thread(_) | Self::Overloaded)
    }

    /// What to do about it. It says to try again where [`is_retryable`](Self::is_retryable) says that this may help.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::RuntimeStopped => "start another runtime",
            Self::GroupEnded => "start another group",
            Self::Overloaded | Self::Thread(_) => "close other programs, or start less at a time, and try again",
            Self::Invalid(_) => "correct the value that is named",
            Self::Budget(_) => {
                "give the agent less, or raise the budget that is named (`ModelChoice::budget`); what an agent does not use comes back when \
                 nobody has it any more"
            }
        }
    }
}

crate::shown_to_people!(StartError);

/// A search did not work.
#[derive(Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RetrieveError {
    /// A passing fault: the same search may work later.
    #[error("the search failed: {0}")]
    Unavailable(String),
    /// The index or the store cannot be read.
    #[error("the index cannot be read: {0}")]
    Damaged(String),
}

impl RetrieveError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "search_unavailable",
            Self::Damaged(_) => "index_damaged",
        }
    }

    /// Whether the same search may work later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    /// What to do about it. It says to try again where [`is_retryable`](Self::is_retryable) says that this may help.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unavailable(_) => "try again; if it fails again, remove the cache folder",
            Self::Damaged(_) => "remove the cache folder: the index is built anew",
        }
    }
}

crate::shown_to_people!(RetrieveError);

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::agent::WorkError;
    use crate::event::CancelReason;
    use crate::supervisor::{AddError, TaskError};
    use crate::testkit::ProbeError;

    #[test]
    fn what_may_pass_by_itself_is_said_where_work_is_started_and_waited_for() {
        let (probe, within) = (|| "p".to_owned(), Duration::ZERO);
        let said = [
            ("overloaded", WorkError::Overloaded.is_retryable(), true),
            ("panicked", WorkError::Panicked("x".to_owned()).is_retryable(), false),
            ("failed", TaskError::Failed("x".to_owned()).is_retryable(), false),
            ("deadline", TaskError::Cancelled(CancelReason::Deadline).is_retryable(), true),
            ("interrupted", TaskError::Cancelled(CancelReason::Interrupted).is_retryable(), true),
            ("redundant", TaskError::Cancelled(CancelReason::Redundant).is_retryable(), false),
            ("too many", AddError::TooMany(1).is_retryable(), false),
            ("no message", ProbeError::NoMessage { probe: probe(), within }.is_retryable(), true),
            ("no end", ProbeError::NoEnd { probe: probe(), within }.is_retryable(), true),
            ("a message", ProbeError::Message { probe: probe(), waiting: 1, within }.is_retryable(), false),
            ("overflow", ProbeError::Overflow { probe: probe(), lost: 1 }.is_retryable(), false),
            ("stopped", ProbeError::Stopped { probe: probe() }.is_retryable(), false),
            ("timeout", AskError::Timeout.is_retryable(), true),
            ("question that kills", AskError::Panicked.is_retryable(), false),
        ];
        for (what, is_retryable, passes) in said {
            assert_eq!(is_retryable, passes, "{what}");
        }
    }
}
