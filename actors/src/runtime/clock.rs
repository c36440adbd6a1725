//! Who watches the deadlines when a shard is busy? One thread that does nothing else.
//!
//! Timers of runs and of the stop live here and not on a shard, and so do the deadlines of askers that are not on one, so
//! that an agent that blocks its shard delays nobody's deadline. The tokio runtime behind it lives as long as anybody who may still hold one of its timers: a timer
//! of a runtime that is shut down would panic when it is polled. After the clock's end the timers just never go off;
//! whoever waits for one also waits for the runtime's end.

use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::error::StartError;

/// The runtime of the clock. Its last owner may be inside an async function: it is dropped without waiting.
#[derive(Debug)]
struct Timers(Option<Runtime>);

impl Drop for Timers {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// What keeps a clock's timers valid, and starts tasks on it.
#[derive(Debug, Clone)]
pub(super) struct ClockHandle {
    handle: Handle,
    /// Tasks that end by themselves once the runtime is closed; the clock waits for them.
    watches: TaskTracker,
    _timers: Option<Arc<Timers>>,
}

impl ClockHandle {
    /// The clock that drives the current thread: somebody else keeps it alive.
    pub(super) fn current() -> Self {
        Self { handle: Handle::current(), watches: TaskTracker::new(), _timers: None }
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Runs `watch` beside the timers, or drops it when the clock is about to end. It must end when the runtime is closed.
    pub(super) fn watch(&self, watch: impl Future<Output = ()> + Send + 'static) -> Option<task::JoinHandle<()>> {
        // Either the clock waits for this token and runs the task, or it is closed: a task that nobody polls any more
        // would keep whatever it holds for ever, the clock's own runtime as well.
        let _token = self.watches.token();
        if self.watches.is_closed() {
            return None;
        }
        Some(self.watches.spawn_on(watch, &self.handle))
    }

    #[cfg(test)]
    pub(super) fn watches(&self) -> usize {
        self.watches.len()
    }
}

#[derive(Debug)]
pub(super) struct Clock {
    handle: ClockHandle,
    end: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Clock {
    pub(super) fn start() -> Result<Self, StartError> {
        let failed = |error: std::io::Error| StartError::Thread(error.to_string());
        let runtime = Builder::new_current_thread().enable_time().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let timers = Arc::new(Timers(Some(runtime)));
        let handle = ClockHandle { handle, watches: TaskTracker::new(), _timers: Some(timers.clone()) };
        let end = CancellationToken::new();
        let (token, watches) = (end.clone(), handle.watches.clone());
        let body = move || {
            let Some(runtime) = timers.0.as_ref() else { return };
            runtime.block_on(async {
                token.cancelled().await;
                watches.close();
                watches.wait().await;
            });
        };
        let thread = std::thread::Builder::new().name("callboard-clock".to_owned()).spawn(body).map_err(failed)?;
        Ok(Self { handle, end, thread: Some(thread) })
    }

    pub(super) fn handle(&self) -> &ClockHandle {
        &self.handle
    }

    /// Ends the thread and waits for it. The runtime is closed before, so that its watches end.
    pub(super) fn join(mut self) {
        self.end.cancel();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the clock's thread panicked");
        }
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_that_comes_after_the_end_is_dropped_and_one_before_it_is_waited_for() {
        let clock = Clock::start().unwrap();
        let handle = clock.handle().clone();
        let held = Arc::new(());
        let (over, watched) = (CancellationToken::new(), held.clone());
        let is_over = over.clone().cancelled_owned();
        handle.watch(async move {
            is_over.await;
            drop(watched);
        });
        over.cancel();
        clock.join();
        assert_eq!(Arc::strong_count(&held), 1, "the clock waited for it");
        let late = held.clone();
        handle.watch(async move { drop(late) });
        assert_eq!(Arc::strong_count(&held), 1, "nobody would ever run it");
    }
}
