//! What does an agent do with a message? A plain struct with a synchronous, short handler; work in flight comes back as
//! a message.

mod life;
mod turn;

pub use turn::{Turn, WorkError};

pub(crate) use life::Life;
pub(crate) use turn::unless_cancelled;

/// An agent: plain state and what it does with each message. It needs no lock: one message at a time.
///
/// The state is made by the factory of its [`AgentSpec`](crate::mailbox::AgentSpec), on its shard, and need not be
/// `Send`. A panic in a handler ends this incarnation; the parent's policy decides whether a fresh state follows.
pub trait Agent: Sized + 'static {
    /// What it understands: usually an enum, with a [`Reply`](crate::mailbox::Reply) in each question.
    type Message: Send + 'static;

    /// Called at the start of each incarnation, before the first message. Timers and watches are set here.
    fn started(&mut self, turn: &mut Turn<'_, Self::Message>) {
        let _ = turn;
    }

    /// Called when it has been idle for as long as [`AgentSpec::idle_after`](crate::mailbox::AgentSpec::idle_after) says,
    /// before it is put away: saves what the factory is to find for the next message. `false` keeps it for another while,
    /// for instance because it holds a [`Reply`](crate::mailbox::Reply) that it has yet to answer. Not called when it is
    /// stopped or drained.
    fn put_away(&mut self) -> bool {
        true
    }

    /// Handles one message: decide and return. Blocking here blocks every agent of the shard.
    fn handle(&mut self, message: Self::Message, turn: &mut Turn<'_, Self::Message>);
}
