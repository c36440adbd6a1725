//! What if an agent takes on messages for somebody else, and one does not get there? It is pending until it is known what became of
//! it: then it is handled, or a dead letter with its reason, and never both.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::door::Door;
use super::ledger::DeadLetter;

/// One message that an agent took on. Dropped before it was passed on, it is a dead letter of an agent that stopped; dropped
/// afterwards, it is handled.
pub(crate) struct Carried<M: Send + 'static> {
    door: Arc<Door<M>>,
    /// What its drop counts: `None` when it is handled.
    end: Option<DeadLetter>,
}

impl<M: Send + 'static> Carried<M> {
    /// The message that is in the agent's hands.
    pub(crate) fn new(door: &Arc<Door<M>>) -> Self {
        door.carry();
        Self { door: door.clone(), end: Some(DeadLetter::Stopped) }
    }

    /// Whoever it is for has it. What he does with it he alone knows, if nobody says that it is lost.
    pub(super) fn pass_on(&mut self) {
        self.end = None;
    }

    /// He has lost it, and it is not known yet for which reason.
    pub(super) fn take_back(&mut self) {
        self.end = Some(DeadLetter::Stopped);
    }

    /// It will not be handled.
    pub(super) fn lose(mut self, reason: DeadLetter) {
        self.end = Some(reason);
    }
}

impl<M: Send + 'static> Drop for Carried<M> {
    fn drop(&mut self) {
        self.door.settle_carried(self.end);
    }
}

/// Counts what was taken on. On any thread.
#[derive(Debug, Default)]
pub(super) struct CarriedCounts {
    pending: AtomicU64,
    handled: AtomicU64,
}

impl CarriedCounts {
    pub(super) fn begin(&self) {
        self.pending.fetch_add(1, Relaxed);
    }

    /// One is handled, or a dead letter, which is counted elsewhere.
    pub(super) fn end(&self, is_handled: bool) {
        self.handled.fetch_add(u64::from(is_handled), Relaxed);
        self.pending.fetch_sub(1, Relaxed);
    }

    pub(super) fn pending(&self) -> u64 {
        self.pending.load(Relaxed)
    }

    pub(super) fn handled(&self) -> u64 {
        self.handled.load(Relaxed)
    }
}
