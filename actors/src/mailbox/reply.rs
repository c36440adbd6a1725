//! How does an answer come back, and what does the asker learn when there is none?
//!
//! A [`Reply`] that is dropped unanswered still tells its asker why: the panic, the stop, or the missing answer.

use std::cell::Cell;

use tokio::sync::oneshot;

use crate::error::AskError;

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

/// The asker's address for one answer. Send it along in a message; answer once, now or later.
#[derive(Debug)]
pub struct Reply<T> {
    asker: Option<oneshot::Sender<Result<T, AskError>>>,
}

pub(super) type Answer<T> = oneshot::Receiver<Result<T, AskError>>;

impl<T> Reply<T> {
    pub(super) fn new() -> (Self, Answer<T>) {
        let (asker, answer) = oneshot::channel();
        (Self { asker: Some(asker) }, answer)
    }

    /// Answers. When the asker has left, the value is dropped; see [`Reply::is_abandoned`].
    pub fn send(mut self, value: T) {
        if let Some(asker) = self.asker.take() {
            let _asker_has_left = asker.send(Ok(value));
        }
    }

    /// Whether the asker has left: its deadline passed, or its future was dropped. Work for it can be skipped.
    pub fn is_abandoned(&self) -> bool {
        self.asker.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    /// Ends when the asker leaves.
    pub async fn abandoned(&mut self) {
        if let Some(asker) = self.asker.as_mut() {
            asker.closed().await;
        }
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        if let Some(asker) = self.asker.take() {
            let unwinding = std::thread::panicking().then_some(AskError::Panicked);
            let cause = unwinding.or(CAUSE.get()).unwrap_or(AskError::Unanswered);
            let _asker_has_left = asker.send(Err(cause));
        }
    }
}
