//! How does somebody learn that an agent died? One [`Down`] for each incarnation.

use crate::mailbox::AgentId;

/// Why an incarnation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExitReason {
    /// It was asked to stop, or stopped itself.
    Stopped,
    /// A handler, or the start, panicked; the text is the panic's message.
    Panicked(String),
    /// Its group ended it, to start it again together with a sibling that died.
    Halted,
    /// It was put away because nobody needed it; the next message brings it back.
    Idle,
    /// The runtime ended while the agent was still alive.
    Abandoned,
}

/// What follows the end of an incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The agent comes back with the same id, the same queue and a fresh state; one that was put away, with its next
    /// message.
    Restarts,
    /// The agent is gone for good.
    Gone,
}

/// The notice that an incarnation ended: one for each incarnation and watcher. To an agent that does not keep up, notices of
/// agents that come back are dead letters beyond a bound; the last notice of an agent never is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Down {
    /// Who.
    pub id: AgentId,
    /// 1 for the first life, 2 after the first restart.
    pub incarnation: u32,
    /// Why.
    pub reason: ExitReason,
    /// Whether it comes back.
    pub next: Next,
}
