//! What travels in an actix mailbox? One message with everything needed to account for it, however it ends.

use std::sync::{Arc, Weak};

use super::contain::drop_contained;
use super::door::Door;
use super::ledger::DeadLetter;
use super::reply::with_cause;
use crate::error::AskError;

/// Where a message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Through the front door: counts against the capacity.
    User,
    /// A result, a timer or a notice that the agent itself asked for, in this incarnation. Bounded by what it may have
    /// in flight, not by the capacity, so that a full mailbox cannot lose the result of work that was paid for.
    Own {
        /// Which life of the agent asked for it.
        incarnation: u32,
    },
}

/// An accepted message. Dropping it unopened makes it a dead letter.
pub(super) struct Envelope<M: Send + 'static> {
    message: Option<M>,
    door: Arc<Door<M>>,
    lane: Lane,
    asker: Option<Weak<()>>,
}

impl<M: Send + 'static> actix::Message for Envelope<M> {
    type Result = ();
}

impl<M: Send + 'static> Envelope<M> {
    pub(super) fn new(message: M, door: Arc<Door<M>>, lane: Lane, asker: Option<Weak<()>>) -> Self {
        Self { message: Some(message), door, lane, asker }
    }

    /// Takes the message out without any accounting: the queue did not take it.
    pub(super) fn into_message(mut self) -> Option<M> {
        self.message.take()
    }

    /// The message, and the receipt that accounts for it; `None` if it became a dead letter.
    pub(super) fn open(mut self, incarnation: u32) -> Option<(M, Receipt<M>)> {
        let stale = matches!(self.lane, Lane::Own { incarnation: then } if then != incarnation);
        let left = self.asker.as_ref().is_some_and(|asker| asker.strong_count() == 0);
        let message = self.message.take()?;
        self.leave_queue();
        let receipt = Receipt { door: self.door.clone(), settled: false };
        if !stale && !left {
            return Some((message, receipt));
        }
        receipt.dead(if stale { DeadLetter::StaleIncarnation } else { DeadLetter::CallerLeft });
        let cause = if stale { AskError::Panicked } else { AskError::Timeout };
        with_cause(cause, || drop_contained(message));
        None
    }

    fn leave_queue(&self) {
        if self.lane == Lane::User {
            self.door.leave_queue();
        }
    }
}

impl<M: Send + 'static> Drop for Envelope<M> {
    fn drop(&mut self) {
        if let Some(message) = self.message.take() {
            self.leave_queue();
            Receipt { door: self.door.clone(), settled: false }.dead(DeadLetter::Stopped);
            with_cause(AskError::Stopped, || drop_contained(message));
        }
    }
}

/// Accounts for one message that left the queue: handled, or dead if its handler panics.
pub(super) struct Receipt<M: Send + 'static> {
    door: Arc<Door<M>>,
    settled: bool,
}

impl<M: Send + 'static> Receipt<M> {
    pub(super) fn handled(mut self) {
        self.settled = true;
        self.door.settle_handled();
    }

    fn dead(mut self, reason: DeadLetter) {
        self.settled = true;
        self.door.settle_dead(reason);
    }
}

impl<M: Send + 'static> Drop for Receipt<M> {
    fn drop(&mut self) {
        if !self.settled {
            self.door.settle_dead(DeadLetter::Panicked);
        }
    }
}
