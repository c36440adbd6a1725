//! How does a thread without an async runtime wait for a future? It parks between wake-ups; and where that would hurt
//! others, it is told so before.

use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread::Thread;

use super::shard::{is_ending, this_shard};
use crate::error::AskError;

/// Whether others wait for this thread: a tokio runtime runs on it, or it is a shard, which it is to its very end.
pub(crate) fn is_async_context() -> bool {
    tokio::runtime::Handle::try_current().is_ok() || this_shard().is_some() || is_ending()
}

/// Drives a future on this thread.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Arc::new(Unpark(std::thread::current())).into();
    let mut cx = Context::from_waker(&waker);
    let mut future = std::pin::pin!(future);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Whether this thread may block: no tokio runtime of either flavour runs on it, and it is none of Callboard's shards.
///
/// # Errors
/// [`AskError::InsideAsync`] where it may not.
pub fn may_block() -> Result<(), AskError> {
    if is_async_context() { Err(AskError::InsideAsync) } else { Ok(()) }
}

/// Waits on this thread for the future that `begin` makes.
///
/// # Errors
/// [`AskError::InsideAsync`] where this thread must not block: `begin` was not called.
pub fn wait<F: Future>(begin: impl FnOnce() -> F) -> Result<F::Output, AskError> {
    may_block()?;
    Ok(block_on(begin()))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
