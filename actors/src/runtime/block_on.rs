//! How does a thread without an async runtime wait for a future? It parks between wake-ups; and where that would hurt
//! others, it is told so before.

use std::cell::Cell;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Wake};
use std::thread::Thread;

use super::shard::{is_ending, this_shard};
use crate::error::AskError;

thread_local! {
    /// Whether work is under way on this thread for which it was taken.
    static IS_TAKEN: Cell<bool> = const { Cell::new(false) };
}

/// Whether others wait for this thread: a tokio runtime runs on it, or it is a shard, which it is to its very end. A thread of tokio's pool
/// looks like one that runs tasks; one that was taken for work by [`on_a_thread_of_its_own`] is known.
pub(crate) fn is_async_context() -> bool {
    let has_tasks = || tokio::runtime::Handle::try_current().is_ok() && !IS_TAKEN.get();
    has_tasks() || this_shard().is_some() || is_ending()
}

/// Does work that may block on this thread, which runs no tasks of anybody's meanwhile, such as one of tokio's `spawn_blocking`: within it
/// [`may_block`] says yes.
pub fn on_a_thread_of_its_own<T>(work: impl FnOnce() -> T) -> T {
    struct Taken(bool);

    impl Drop for Taken {
        fn drop(&mut self) {
            IS_TAKEN.set(self.0);
        }
    }

    let _until_it_is_over = Taken(IS_TAKEN.replace(true));
    work()
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

/// Whether this thread may block: no tokio runtime of either flavour runs on it, and it is none of Callboard's shards. A tool that is a plain
/// function may block.
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
