//! How many bytes wait for the thread of a file? What is too much beside what waits is refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};

use callboard_actors::chat::ToolCall;
use callboard_actors::error::StoreError;
use futures_util::future::BoxFuture;
use tokio::sync::oneshot::Receiver;

/// Bytes that wait for one thread.
const MOST: usize = 32 << 20;

/// Who hands over and the thread have the same one.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    /// Hands over a job to the thread of this file, and waits for its answer. It is under way when this returns.
    pub(super) fn hand_over<J, T: Send + 'static>(
        &self,
        file: &str,
        jobs: &SyncSender<J>,
        job: J,
        size: impl Fn(&J) -> usize,
        answered: Receiver<Result<T, StoreError>>,
    ) -> BoxFuture<'static, Result<T, StoreError>> {
        let (file, size) = (file.to_owned(), size(&job));
        let refused = match self.begin(size) {
            false => Some(StoreError::Busy(file.clone())),
            true => jobs.try_send(job).err().map(|error| {
                self.over(size);
                match error {
                    TrySendError::Full(_) => StoreError::Busy(file.clone()),
                    TrySendError::Disconnected(_) => StoreError::Closed(file.clone()),
                }
            }),
        };
        Box::pin(async move {
            match refused {
                Some(error) => Err(error),
                // A thread that ends drops what it has not done.
                None => answered.await.unwrap_or(Err(StoreError::Closed(file))),
            }
        })
    }

    /// Whether so many bytes may come in; they are counted then, until [`over`](Self::over). Who is larger than all the room there is comes
    /// in alone.
    fn begin(&self, size: usize) -> bool {
        let before = self.0.fetch_add(size, Ordering::Relaxed);
        let may = before == 0 || before.saturating_add(size) <= MOST;
        if !may {
            self.over(size);
        }
        may
    }

    /// They are not waiting any more.
    pub(super) fn over(&self, size: usize) {
        self.0.fetch_sub(size, Ordering::Relaxed);
    }
}

/// Bytes of what the calls of a reply or a turn say.
pub(super) fn of_calls(calls: &[ToolCall]) -> usize {
    calls.iter().map(|call| call.id.len() + call.name.len() + call.arguments.len()).sum()
}
