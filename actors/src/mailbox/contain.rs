//! What if a value that belongs to somebody else panics while it is called or dropped? It is contained, and logged.
//!
//! Each value is contained on its own: a panic that left one destructor while another panic unwinds would abort the
//! process.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

/// Runs `act`; a panic becomes its text.
pub(crate) fn contain<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(act)).map_err(panic_text)
}

/// Drops `value`; a panic is logged and goes no further.
pub(crate) fn drop_contained<T>(value: T) {
    if let Err(panic) = contain(|| drop(value)) {
        tracing::warn!(%panic, "dropping a value panicked");
    }
}

/// Wakes whoever waits. A waker is somebody's own code: what it panics is its own affair.
pub(super) fn wake_contained(waker: Waker) {
    if let Err(panic) = contain(|| waker.wake()) {
        tracing::warn!(%panic, "waking somebody panicked");
    }
}

/// Waits for `future`, which others wait for too: a waker of this one that panics keeps the wake-up from none of them.
pub(crate) async fn with_contained_waker<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut known: Option<(Waker, Waker)> = None;
    poll_fn(|cx| {
        let (_, contained) = match known.take() {
            Some((theirs, contained)) if theirs.will_wake(cx.waker()) => known.insert((theirs, contained)),
            _ => known.insert((cx.waker().clone(), ContainedWaker::of(cx.waker()))),
        };
        future.as_mut().poll(&mut Context::from_waker(contained))
    })
    .await
}

/// Wakes as [`wake_contained`] does, and is dropped as [`drop_contained`] does.
struct ContainedWaker(Contained<Waker>);

impl ContainedWaker {
    fn of(waker: &Waker) -> Waker {
        Waker::from(Arc::new(Self(Contained::new(waker.clone()))))
    }
}

impl Wake for ContainedWaker {
    fn wake(self: Arc<Self>) {
        self.0.0.iter().cloned().for_each(wake_contained);
    }
}

/// Drops what is in it as [`drop_contained`] does, also when nobody takes it out.
pub(crate) struct Contained<T>(Option<T>);

impl<T> Contained<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Some(value))
    }

    pub(crate) fn as_mut(&mut self) -> Option<&mut T> {
        self.0.as_mut()
    }

    pub(crate) fn take(&mut self) -> Option<T> {
        self.0.take()
    }
}

impl<T> Drop for Contained<T> {
    fn drop(&mut self) {
        drop_contained(self.0.take());
    }
}

/// The message of a panic, as `panic!` was given it. The payload is dropped here, which may panic as well.
pub(crate) fn panic_text(panic: Box<dyn Any + Send>) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(panic))) {
        // Whoever throws a payload that panics in its drop may throw another: it is kept for ever.
        std::mem::forget(second);
    }
    text.unwrap_or_else(|| "a panic without a text".to_owned())
}
