//! What can go wrong, named by what the caller can do about it. One enum for each boundary.

use std::time::Duration;

use thiserror::Error;

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
    #[error("this thread is inside an async runtime; await `send` instead, in spawn_blocking with Handle::block_on")]
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
}

impl<M> std::fmt::Debug for TellError<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TellError::{}", self.code())
    }
}

/// An ask did not get its reply.
#[derive(Debug, Error, Clone, Copy, PartialEq, Eq)]
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
    #[error("this thread is inside an async runtime; await `ask` instead, in spawn_blocking with Handle::block_on")]
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
}

/// A runtime or an agent could not be started.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
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
        }
    }

    /// Whether starting again may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Thread(_) | Self::Overloaded)
    }
}

/// A search did not work.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
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
}

/// A store cannot be used, or something could not be read from it or written to it. The text names the store.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// A value of its options breaks a rule.
    #[error("invalid options of a store: {0}")]
    Options(String),
    /// More was asked of it at a time than may wait.
    #[error("too much waits for `{0}`")]
    Busy(String),
    /// Another process holds it for too long.
    #[error("`{0}` is locked by another process")]
    Locked(String),
    /// It must not be written.
    #[error("`{0}` cannot be written")]
    ReadOnly(String),
    /// What is in it is not what was written.
    #[error("`{0}` is damaged")]
    Damaged(String),
    /// A newer version of this program wrote it.
    #[error("`{store}` has version {found}, and this program knows versions up to {known}")]
    Newer {
        /// Which store.
        store: String,
        /// Its version.
        found: i64,
        /// The newest version that can be read.
        known: i64,
    },
    /// It is something else.
    #[error("`{0}` is not a store of this kind")]
    Foreign(String),
    /// No room is left.
    #[error("the disk is full: `{0}` cannot be written")]
    Full(String),
    /// The system says something else.
    #[error("`{store}` cannot be used: {message}")]
    Unusable {
        /// Which store.
        store: String,
        /// What the system said.
        message: String,
    },
    /// It was closed.
    #[error("`{0}` is closed")]
    Closed(String),
}

impl StoreError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Options(_) => "store_options",
            Self::Busy(_) => "store_busy",
            Self::Locked(_) => "store_locked",
            Self::ReadOnly(_) => "store_read_only",
            Self::Damaged(_) => "store_damaged",
            Self::Newer { .. } => "store_newer",
            Self::Foreign(_) => "store_foreign",
            Self::Full(_) => "disk_full",
            Self::Unusable { .. } => "store_unusable",
            Self::Closed(_) => "store_closed",
        }
    }

    /// Whether the same may work later, without anybody's doing in this program.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Locked(_) | Self::Full(_))
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Options(_) => "correct the value that is named",
            Self::Busy(_) => "make fewer calls at a time; what was not kept is asked for again",
            Self::Locked(_) => "wait for the other program, end it, or name another file",
            Self::ReadOnly(_) => "make the file and its folder writable, or name another file",
            Self::Damaged(_) => "remove the file: it is made again, and replies are kept anew",
            Self::Newer { .. } => "use the newer program, or name another file",
            Self::Foreign(_) => "name another file: this one is not touched",
            Self::Full(_) => "make room on the disk, or name a file on another one",
            Self::Unusable { .. } => "check the path and its permissions, or name another file on a local disk",
            Self::Closed(_) => "open it again",
        }
    }
}

/// What was waited for when the time was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Waiting {
    /// A place in the gateway.
    Queue,
    /// A connection to the provider.
    Connection,
    /// The first token, or the reply's head.
    FirstToken,
    /// The next token, or the next bytes.
    NextToken,
    /// The end of the call.
    Total,
}

impl Waiting {
    fn words(self) -> &'static str {
        match self {
            Self::Queue => "a place in the gateway's queue",
            Self::Connection => "a connection",
            Self::FirstToken => "the first token",
            Self::NextToken => "the next token",
            Self::Total => "the end of the reply",
        }
    }
}

/// What a provider's 429 is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Limited {
    /// Requests or tokens in a time: everybody with this key is meant.
    Rate,
    /// Calls at the same time: only this one is meant.
    Concurrency,
}

/// A model call did not work.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelError {
    /// The gateway's queue is full, or the call cannot make its deadline.
    #[error("too many model calls are waiting; try again in {retry_after:?}")]
    Overloaded {
        /// How long to wait before the next try: a second, until the gateway knows better.
        retry_after: Duration,
    },
    /// A time-out passed, queued or in flight.
    #[error("the time for {} is over", .0.words())]
    Timeout(Waiting),
    /// The gateway has stopped.
    #[error("the gateway has stopped")]
    Stopped,
    /// The run has no tokens or no money left for this call; it was not made.
    #[error("{0}")]
    BudgetExhausted(String),
    /// The key is missing, wrong or not allowed to do this.
    #[error("the provider does not accept the key ({status}): {message}")]
    Unauthorized {
        /// 401 or 403.
        status: u16,
        /// The provider's words, and which variable to look at.
        message: String,
    },
    /// There is no such model, or no such address.
    #[error("the provider does not know it (404): {0}")]
    NotFound(String),
    /// The request is not what the provider takes.
    #[error("the provider rejects the request ({status}): {message}")]
    Rejected {
        /// 400, 422 or another code that the caller is to blame for.
        status: u16,
        /// The provider's words.
        message: String,
    },
    /// More text than the model takes.
    #[error("the text is too long for the model: {0}")]
    ContextTooLong(String),
    /// The provider or the model will not answer this.
    #[error("the model refused the content: {0}")]
    ContentRefused(String),
    /// The provider's limit is reached.
    #[error("the provider's limit is reached (429): {message}")]
    RateLimited {
        /// What it is about.
        limited: Limited,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
        /// The provider's words.
        message: String,
    },
    /// The provider fails or is overloaded.
    #[error("the provider is not available ({status}): {message}")]
    Unavailable {
        /// 500 and above.
        status: u16,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
        /// The provider's words.
        message: String,
    },
    /// No connection, or it ended before a reply.
    #[error("{message}")]
    Network {
        /// Whether the request may have reached the provider, and used something.
        sent: bool,
        /// What was tried, and what happened.
        message: String,
    },
    /// Whoever answers cannot show that it is the provider: its certificate is not accepted. Nothing was sent to it.
    #[error("no connection that can be trusted to {0}")]
    Untrusted(String),
    /// What came back is not what the provider's protocol says.
    #[error("the provider's reply cannot be read: {0}")]
    Malformed(String),
    /// The reply ended before its end.
    #[error("the reply broke off after {received} bytes of text: {message}")]
    Broken {
        /// How much text had come.
        received: usize,
        /// What happened.
        message: String,
    },
    /// The provider's adapter failed.
    #[error("the provider failed: {0}")]
    Provider(String),
}

impl ModelError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Overloaded { .. } => "overloaded",
            Self::Timeout(_) => "timeout",
            Self::Stopped => "stopped",
            Self::BudgetExhausted(_) => "budget_exhausted",
            Self::Unauthorized { .. } => "unauthorized",
            Self::NotFound(_) => "not_found",
            Self::Rejected { .. } => "rejected",
            Self::ContextTooLong(_) => "context_too_long",
            Self::ContentRefused(_) => "content_refused",
            Self::RateLimited { .. } => "rate_limited",
            Self::Unavailable { .. } => "unavailable",
            Self::Network { .. } => "network",
            Self::Untrusted(_) => "untrusted",
            Self::Malformed(_) => "malformed_reply",
            Self::Broken { .. } => "broken_reply",
            Self::Provider(_) => "provider",
        }
    }

    /// Whether the same call may work later. One whose text has begun to come is not made again behind its reader's back.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Overloaded { .. }
            | Self::RateLimited { .. }
            | Self::Unavailable { .. }
            | Self::Network { .. }
            | Self::Malformed(_) => true,
            Self::Timeout(waiting) => matches!(waiting, Waiting::Connection | Waiting::FirstToken),
            Self::Broken { received, .. } => *received == 0,
            _ => false,
        }
    }

    /// Whether the provider has surely counted nothing for the attempt.
    pub(crate) fn used_nothing(&self) -> bool {
        match self {
            Self::Network { sent, .. } => !sent,
            Self::Timeout(waiting) => matches!(waiting, Waiting::Queue | Waiting::Connection),
            // A model that is overloaded has not begun; behind another failure one may have worked, and is paid for.
            Self::Unavailable { status, .. } => matches!(status, 503 | 529),
            // A reply that was refused halfway was made, and is paid for.
            Self::Broken { .. } | Self::Malformed(_) | Self::Provider(_) | Self::ContentRefused(_) => false,
            _ => true,
        }
    }

    /// How long the provider, or the gateway, asks to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { retry_after } => Some(*retry_after),
            Self::RateLimited { retry_after, .. } | Self::Unavailable { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_refused_beforehand_used_nothing() {
        let unavailable = |status| ModelError::Unavailable { status, retry_after: None, message: String::new() };
        let limited = ModelError::RateLimited { limited: Limited::Rate, retry_after: None, message: String::new() };
        let rejected = ModelError::Rejected { status: 400, message: String::new() };
        for error in [limited, rejected, unavailable(503), unavailable(529), ModelError::Timeout(Waiting::Connection)] {
            assert!(error.used_nothing(), "{error:?}");
        }
        let broken = ModelError::Broken { received: 0, message: String::new() };
        for error in
            [unavailable(500), unavailable(504), unavailable(408), broken, ModelError::Timeout(Waiting::FirstToken)]
        {
            assert!(!error.used_nothing(), "{error:?}");
        }
    }
}
