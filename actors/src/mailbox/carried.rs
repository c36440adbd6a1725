//! What if an agent takes on messages for somebody else, and one does not get there? Handled by being taken on, it is a dead letter
//! after all, with its reason.

use std::sync::Arc;

use super::door::Door;
use super::ledger::DeadLetter;

/// One message that an agent took on. Dropped before it was passed on, it is a dead letter of an agent that stopped.
pub(crate) struct Carried<M: Send + 'static> {
    door: Arc<Door<M>>,
    is_passed_on: bool,
}

impl<M: Send + 'static> Carried<M> {
    /// The message that is in the agent's hands.
    pub(crate) fn new(door: &Arc<Door<M>>) -> Self {
        Self { door: door.clone(), is_passed_on: false }
    }

    /// Whoever it is for has it. What he does with it he alone knows, if nobody says that it is lost.
    pub(super) fn pass_on(&mut self) {
        self.is_passed_on = true;
    }

    /// It will not be handled.
    pub(super) fn lose(mut self, reason: DeadLetter) {
        self.is_passed_on = true;
        self.door.settle_lost(reason);
    }
}

impl<M: Send + 'static> Drop for Carried<M> {
    fn drop(&mut self) {
        if !self.is_passed_on {
            self.door.settle_lost(DeadLetter::Stopped);
        }
    }
}
