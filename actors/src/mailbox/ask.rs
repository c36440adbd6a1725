//! How long does an asker wait? Until the answer, the deadline, or the end of the runtime, whichever comes first.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::future::BoxFuture;

use super::reply::Slot;
use crate::error::AskError;
use crate::runtime::{Deadline, Shared};

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
    /// Whoever keeps the deadline puts the end into the slot.
    Kept(Deadline),
    /// On virtual time: a timer, to the millisecond.
    Timer(Patience),
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

impl<T: Send + 'static> Ask<T> {
    #[inline]
    pub(super) fn waiting(slot: Arc<Slot<T>>, shared: &Arc<Shared>, within: Duration) -> Self {
        let wait = match shared.is_simulated() {
            true => Wait::Timer(Patience::new(shared, within)),
            false => Wait::kept(Deadline::new(shared, within, slot.clone())),
        };
        Self { slot: Some(slot), wait }
    }
}

impl Wait {
    #[inline]
    fn kept(deadline: Option<Deadline>) -> Self {
        deadline.map_or(Self::Over(AskError::Stopped), Self::Kept)
    }

    /// Ready when it has ended in another way than by the slot.
    fn poll<T: Send + 'static>(&mut self, slot: Option<&Arc<Slot<T>>>, cx: &mut Context<'_>) -> Poll<AskError> {
        if let Self::Kept(deadline) = self
            && !deadline.serves(cx.waker())
            && let Some(slot) = slot
        {
            *self = Self::kept(deadline.moved(slot.clone()));
        }
        match self {
            Self::Kept(_) => Poll::Pending,
            Self::Timer(patience) => patience.poll(cx),
            Self::Over(cause) => Poll::Ready(*cause),
        }
    }
}

impl<T> Ask<T> {
    pub(crate) fn refused(refused: AskError) -> Self {
        Self { slot: None, wait: Wait::Over(refused) }
    }
}

impl<T: Send + 'static> Future for Ask<T> {
    type Output = Result<T, AskError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(slot) = this.slot.take_if(|slot| slot.is_answered() || slot.wait(cx.waker())) {
            // First the deadline, which holds the slot too.
            this.wait = Wait::Over(AskError::Unanswered);
            return Poll::Ready(slot.open().unwrap_or(Err(AskError::Unanswered)));
        }
        let refused = ready!(this.wait.poll(this.slot.as_ref(), cx));
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
