//! How does an answer come back, and what does the asker learn when there is none?
//!
//! A [`Reply`] that is dropped unanswered still tells its asker why: the panic, the stop, or the missing answer.

use std::cell::Cell;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::contain::wake_contained;
use crate::error::AskError;
use crate::runtime::{Expires, Expiry};

thread_local! {
    /// Why the values that this thread drops right now are dropped, when it is more than an ordinary drop.
    static CAUSE: Cell<Option<AskError>> = const { Cell::new(None) };
}

/// Drops what `ends` owns with `cause` as the answer of every [`Reply`] in it.
pub(super) fn with_cause<T>(cause: AskError, ends: impl FnOnce() -> T) -> T {
    struct Reset(Option<AskError>);
    impl Drop for Reset {
        fn drop(&mut self) {
            CAUSE.set(self.0);
        }
    }
    let _reset = Reset(CAUSE.replace(Some(cause)));
    ends()
}

/// From here on, whatever this thread drops is dropped because its shard ends.
pub(crate) fn mark_shard_ending() {
    CAUSE.set(Some(AskError::Stopped));
}

/// Somebody who waits for a reply, whatever its type.
pub(super) trait Asker: Send + Sync {
    /// Whether nobody waits any more.
    fn has_left(&self) -> bool;
}

/// Where an answer waits for its asker: shared by the [`Reply`], the asker's future and the letter that carries both.
pub(super) struct Slot<T> {
    has_left: AtomicBool,
    /// Whether the answer is there, to be read without the lock.
    is_answered: AtomicBool,
    state: Mutex<State<T>>,
}

struct State<T> {
    answer: Option<Result<T, AskError>>,
    /// Waits for the answer.
    asker: Option<Waker>,
    /// Waits for the asker to leave.
    answerer: Option<Waker>,
}

impl<T> Slot<T> {
    #[inline]
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves the answer, or gives it back when nobody waits for it.
    #[inline]
    fn answer(&self, answer: Result<T, AskError>) -> Result<(), Result<T, AskError>> {
        let mut state = self.state();
        if self.has_left.load(Ordering::Relaxed) {
            return Err(answer);
        }
        state.answer = Some(answer);
        self.is_answered.store(true, Ordering::Release);
        let waker = state.asker.take();
        drop(state);
        waker.into_iter().for_each(wake_contained);
        Ok(())
    }

    /// Whether the answer is there.
    #[inline]
    pub(super) fn is_answered(&self) -> bool {
        self.is_answered.load(Ordering::Acquire)
    }

    /// Takes the answer out. Nearly always the asker is the last who holds the slot, and needs no lock.
    #[inline]
    pub(super) fn open(self: Arc<Self>) -> Option<Result<T, AskError>> {
        match Arc::try_unwrap(self) {
            Ok(slot) => slot.state.into_inner().unwrap_or_else(PoisonError::into_inner).answer,
            Err(shared) => shared.state().answer.take(),
        }
    }

    /// Wakes `asker` once the answer is there; `true` when it is there already.
    #[inline]
    pub(super) fn wait(&self, asker: &Waker) -> bool {
        let mut state = self.state();
        if state.answer.is_some() {
            return true;
        }
        let former = match &mut state.asker {
            Some(known) if known.will_wake(asker) => None,
            known => known.replace(asker.clone()),
        };
        drop(state);
        // Not under the lock: whoever drops a waker may drop a task.
        drop(former);
        false
    }

    /// Nobody waits any more. An answer that came meanwhile is dropped here.
    pub(super) fn leave(&self) {
        let mut state = self.state();
        self.has_left.store(true, Ordering::Release);
        let (answer, waker, asker) = (state.answer.take(), state.answerer.take(), state.asker.take());
        drop(state);
        drop(asker);
        waker.into_iter().for_each(wake_contained);
        drop(answer);
    }
}

impl<T: Send> Expires for Slot<T> {
    /// The asker leaves, wherever it is, and learns why.
    fn expire(&self, end: Expiry) {
        let mut state = self.state();
        if state.answer.is_some() || self.has_left.swap(true, Ordering::AcqRel) {
            return;
        }
        let cause = match end {
            Expiry::Passed => AskError::Timeout,
            Expiry::Ended => AskError::Stopped,
        };
        state.answer = Some(Err(cause));
        self.is_answered.store(true, Ordering::Release);
        let wakers = [state.asker.take(), state.answerer.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(wake_contained);
    }
}

impl<T: Send> Asker for Slot<T> {
    fn has_left(&self) -> bool {
        self.has_left.load(Ordering::Acquire)
    }
}

/// The asker's address for one answer. Send it along in a message; answer once, now or later.
pub struct Reply<T> {
    slot: Option<Arc<Slot<T>>>,
}

impl<T> std::fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reply")
    }
}

impl<T> Reply<T> {
    #[inline]
    pub(super) fn new() -> (Self, Arc<Slot<T>>) {
        let state = Mutex::new(State { answer: None, asker: None, answerer: None });
        let slot = Arc::new(Slot { has_left: AtomicBool::new(false), is_answered: AtomicBool::new(false), state });
        (Self { slot: Some(slot.clone()) }, slot)
    }

    /// Answers. When the asker has left, the value is dropped; see [`Reply::is_abandoned`].
    #[inline]
    pub fn send(mut self, value: T) {
        if let Some(slot) = self.slot.take() {
            let _asker_has_left = slot.answer(Ok(value));
        }
    }

    /// The asker's address, out of something that goes on without it.
    pub(crate) fn take(&mut self) -> Self {
        Self { slot: self.slot.take() }
    }

    /// Whether the asker has left: its deadline passed, or its future was dropped. Work for it can be skipped.
    pub fn is_abandoned(&self) -> bool {
        self.slot.as_ref().is_none_or(|slot| slot.has_left.load(Ordering::Acquire))
    }

    /// Ends when the asker leaves.
    pub async fn abandoned(&mut self) {
        poll_fn(|cx| self.poll_abandoned(cx)).await;
    }

    /// Whether the asker has left. If not, the task is woken then.
    pub(crate) fn poll_abandoned(&mut self, cx: &Context<'_>) -> Poll<()> {
        let Some(slot) = &self.slot else { return Poll::Ready(()) };
        let mut state = slot.state();
        if slot.has_left.load(Ordering::Relaxed) {
            return Poll::Ready(());
        }
        let known = match &mut state.answerer {
            Some(known) if known.will_wake(cx.waker()) => None,
            known => known.replace(cx.waker().clone()),
        };
        drop(state);
        // Not under the lock: whoever drops a waker may drop a task.
        drop(known);
        Poll::Pending
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        if let Some(slot) = self.slot.take() {
            let unwinding = std::thread::panicking().then_some(AskError::Panicked);
            let cause = unwinding.or(CAUSE.get()).unwrap_or(AskError::Unanswered);
            let _asker_has_left = slot.answer(Err(cause));
        }
    }
}
