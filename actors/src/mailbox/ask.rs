//! How long does an asker wait? Until the answer, the deadline, or the end of the runtime, whichever comes first.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::{Instant, Sleep};

use super::reply::Slot;
use crate::error::AskError;
use crate::runtime::{Shared, is_in_turn, this_shard};

/// The answer to one question, when it comes. Dropping it leaves: a question that is still queued is then not handled.
/// It can be polled on any executor, and moved between them.
#[must_use = "the answer is in the future: await it"]
pub struct Ask<T> {
    /// `None` when the question was refused, or the future has ended.
    slot: Option<Arc<Slot<T>>>,
    refused: AskError,
    shared: Arc<Shared>,
    patience: Patience,
}

/// What ends the wait.
pub(super) enum Patience {
    /// The asker is on a shard: its own timer will do, for while the shard is blocked, so is the asker. And when the
    /// shard ends, the asker ends with it.
    Here { shard: u64, sleep: Pin<Box<Sleep>> },
    /// The asker is elsewhere: the runtime's clock tells it, or the runtime's end.
    Elsewhere(BoxFuture<'static, AskError>),
    /// There is nothing to wait for.
    None,
}

impl Patience {
    pub(super) fn new(shared: &Arc<Shared>, within: Duration) -> Self {
        match this_shard() {
            Some(shard) if shared.has_shard(shard) => Self::Here { shard, sleep: Box::pin(tokio::time::sleep(within)) },
            _ => Self::elsewhere(shared, within),
        }
    }

    fn elsewhere(shared: &Arc<Shared>, within: Duration) -> Self {
        let (closed, sleep) = (shared.closed(), shared.sleep(within));
        Self::Elsewhere(Box::pin(async move {
            tokio::select! {
                biased;
                () = closed => AskError::Stopped,
                () = sleep => AskError::Timeout,
            }
        }))
    }

    pub(super) fn poll(&mut self, shared: &Arc<Shared>, cx: &mut Context<'_>) -> Poll<AskError> {
        if let Self::Here { shard, sleep } = self {
            if this_shard() == Some(*shard) && !is_in_turn() {
                return sleep.as_mut().poll(cx).map(|()| AskError::Timeout);
            }
            // It was moved, or a handler blocks the shard for it: a timer of another thread's runtime must not be polled after that thread's end.
            let left = sleep.deadline().saturating_duration_since(Instant::now());
            *self = Self::elsewhere(shared, left);
        }
        match self {
            Self::Elsewhere(wait) => wait.as_mut().poll(cx),
            Self::Here { .. } | Self::None => Poll::Ready(AskError::Stopped),
        }
    }
}

impl<T> Ask<T> {
    pub(super) fn waiting(slot: Arc<Slot<T>>, shared: &Arc<Shared>, within: Duration) -> Self {
        let patience = Patience::new(shared, within);
        Self { slot: Some(slot), refused: AskError::Unanswered, shared: shared.clone(), patience }
    }

    pub(super) fn refused(refused: AskError, shared: &Arc<Shared>) -> Self {
        Self { slot: None, refused, shared: shared.clone(), patience: Patience::None }
    }
}

impl<T> Future for Ask<T> {
    type Output = Result<T, AskError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let Some(slot) = &this.slot else { return Poll::Ready(Err(this.refused)) };
        if let Poll::Ready(answer) = slot.poll(cx) {
            this.slot = None;
            return Poll::Ready(answer);
        }
        let refused = ready!(this.patience.poll(&this.shared, cx));
        this.refused = refused;
        if let Some(slot) = this.slot.take() {
            slot.leave();
        }
        Poll::Ready(Err(refused))
    }
}

impl<T> Drop for Ask<T> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            slot.leave();
        }
    }
}

impl<T> std::fmt::Debug for Ask<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ask")
    }
}
