//! Who watches the deadlines when a shard is busy? One thread that does nothing else.
//!
//! Timers of askers and of the stop live here and not on a shard, so that an agent that blocks its shard delays
//! nobody's deadline.

use std::thread::JoinHandle;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;

use crate::error::StartError;

#[derive(Debug)]
pub(super) struct Clock {
    handle: Handle,
    end: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Clock {
    pub(super) fn start() -> Result<Self, StartError> {
        let failed = |error: std::io::Error| StartError::Thread(error.to_string());
        let runtime = Builder::new_current_thread().enable_time().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let end = CancellationToken::new();
        let token = end.clone();
        let body = move || runtime.block_on(token.cancelled());
        let thread = std::thread::Builder::new().name("callboard-clock".to_owned()).spawn(body).map_err(failed)?;
        Ok(Self { handle, end, thread: Some(thread) })
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Ends the thread and waits for it; it has nothing to finish.
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
