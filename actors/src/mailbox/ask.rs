//! How long does an asker wait? Until the answer, the deadline, or the end of the runtime, whichever comes first.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::reply::Slot;
use crate::error::AskError;
use crate::runtime::{Deadline, Shared, is_in_turn, runtime_here};

/// The answer to one question, when it comes. Dropping it leaves: a question that is still queued is then not handled.
/// It can be polled on any executor, and moved between them.
#[must_use = "the answer is in the future: await it"]
pub struct Ask<T> {
    /// `None` when the question was refused, or the future has ended.
    slot: Option<Arc<Slot<T>>>,
    wait: Wait,
}

/// What ends the wait for an answer.
enum Wait {
    /// It was asked on a shard, which puts its end into the slot: while the shard is blocked, so is whoever waits there.
    Here(Deadline, Duration),
    /// It was asked elsewhere, or a handler blocks the shard for it.
    Elsewhere(Patience),
    /// It has ended.
    Over(AskError),
}

/// Ends when time is up, on the runtime's clock, or with the runtime.
pub(super) struct Patience(BoxFuture<'static, AskError>);

impl Patience {
    pub(super) fn new(shared: &Shared, within: Duration) -> Self {
        let (closed, sleep) = (shared.closed(), shared.sleep(within));
        Self(Box::pin(async move {
            tokio::select! {
                biased;
                () = closed => AskError::Stopped,
                () = sleep => AskError::Timeout,
            }
        }))
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<AskError> {
        self.0.as_mut().poll(cx)
    }
}

impl Wait {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<AskError> {
        if let Self::Here(deadline, within) = self {
            if !(is_in_turn() && deadline.is_here()) {
                return Poll::Pending;
            }
            *self = match runtime_here() {
                Some(shared) => Self::Elsewhere(Patience::new(&shared, *within)),
                None => Self::Over(AskError::Stopped),
            };
        }
        match self {
            Self::Elsewhere(patience) => patience.poll(cx),
            Self::Over(cause) => Poll::Ready(*cause),
            Self::Here(..) => Poll::Pending,
        }
    }
}

impl<T: Send + 'static> Ask<T> {
    pub(super) fn waiting(slot: Arc<Slot<T>>, shared: &Shared, within: Duration) -> Self {
        let here = if shared.is_here() { Deadline::here(within, || slot.clone()) } else { None };
        let wait = match here {
            Some(deadline) => Wait::Here(deadline, within),
            None => Wait::Elsewhere(Patience::new(shared, within)),
        };
        Self { slot: Some(slot), wait }
    }
}

impl<T> Ask<T> {
    pub(super) fn refused(refused: AskError) -> Self {
        Self { slot: None, wait: Wait::Over(refused) }
    }
}

impl<T> Future for Ask<T> {
    type Output = Result<T, AskError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(slot) = this.slot.take_if(|slot| slot.is_answered()) {
            // First the deadline, which holds the slot too.
            this.wait = Wait::Over(AskError::Unanswered);
            return Poll::Ready(slot.open().unwrap_or(Err(AskError::Unanswered)));
        }
        if let Some(slot) = &this.slot
            && let Poll::Ready(answer) = slot.poll(cx)
        {
            this.slot = None;
            this.wait = Wait::Over(AskError::Unanswered);
            return Poll::Ready(answer);
        }
        let refused = ready!(this.wait.poll(cx));
        this.wait = Wait::Over(refused);
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
