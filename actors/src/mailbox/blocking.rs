//! How does a thread without an async runtime ask, and send to a mailbox that may be full? It blocks.

use std::time::Duration;

use super::{AgentRef, Reply};
use crate::error::{AskError, TellError};
use crate::runtime::{block_on, is_async_context};

impl<M: Send + 'static> AgentRef<M> {
    /// [`AgentRef::ask`] for threads without an async runtime: blocks this thread until the answer, at most `within`.
    /// Nothing ends the wait earlier but the end of the agent or of its runtime.
    ///
    /// # Errors
    /// [`AskError`] says what became of the question. [`AskError::InsideAsync`] on a thread that others wait for, which is
    /// one with a tokio runtime of either flavour on it, and one of Callboard's shards:
    /// `question` was not called and nothing was sent. A tool that is a plain function may ask. A thread of `spawn_blocking` may block, but tokio does not tell it from one that runs
    /// tasks: give [`ask`](AgentRef::ask) to `Handle::current().block_on` there. Executors that are not tokio's are not recognised.
    pub fn ask_blocking<T: Send + 'static>(
        &self,
        within: Duration,
        question: impl FnOnce(Reply<T>) -> M,
    ) -> Result<T, AskError> {
        if is_async_context() {
            return Err(AskError::InsideAsync);
        }
        block_on(self.ask(within, question))
    }

    /// [`AgentRef::send`] for threads without an async runtime: blocks this thread while the message waits for room, at
    /// most as long as [`Overflow::Wait`](super::Overflow::Wait) says.
    ///
    /// # Errors
    /// [`TellError`] hands the message back; it is [`TellError::InsideAsync`] wherever [`AgentRef::ask_blocking`] is
    /// refused.
    pub fn send_blocking(&self, message: M) -> Result<(), TellError<M>> {
        if is_async_context() {
            return Err(TellError::InsideAsync(message));
        }
        block_on(self.send(message))
    }
}
