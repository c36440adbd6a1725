//! What has an agent in flight? Each piece of work and each timer holds a place until its result is handled.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::contain::drop_contained;
use super::door::Door;
use super::queue::{Control, Letter};
use super::reply::with_cause;

/// The place of one piece of work, in flight or with its result in the mailbox. Its end may be what a draining agent
/// waits for.
pub(crate) struct Working<M: Send + 'static> {
    door: Arc<Door<M>>,
    incarnation: u32,
    errand: Errand,
}

/// What an agent has in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Errand {
    /// A future whose result matters: a draining agent waits for it.
    Work,
    /// A wake-up call: a draining agent does not wait for it.
    Timer,
}

impl<M: Send + 'static> Working<M> {
    /// Takes a place for one piece of work, or one timer, of the present incarnation, if there is one.
    pub(crate) fn begin(door: &Arc<Door<M>>, errand: Errand) -> Option<Self> {
        let more = |errands: u32| (errands < door.max_work).then_some(errands + 1);
        door.errands(errand).fetch_update(Ordering::SeqCst, Ordering::Relaxed, more).ok()?;
        Some(Self { door: door.clone(), incarnation: door.incarnation(), errand })
    }

    /// Brings the agent the result.
    pub(crate) fn deliver(self, message: M) {
        let (door, incarnation) = (self.door.clone(), self.incarnation);
        door.deliver_own(Letter::own(message, incarnation, Some(self)));
    }

    /// Whether the work lets others go first; see [`Shared::defers`](crate::runtime::Shared::defers).
    pub(crate) fn defers(&self) -> bool {
        self.door.shared.defers()
    }

    /// Lets the work have its turn on the shard.
    #[inline]
    pub(crate) fn turn<T>(&self, act: impl FnOnce() -> T) -> T {
        self.door.turn(act)
    }

    /// Drops what the work held; whoever waits for a reply in it learns why.
    pub(crate) fn discard<A, B>(self, held: A, also: B) {
        self.turn(|| self.let_go(held, also));
    }

    /// The same on a thread that is not the shard's, where it is dropped by `drop_it`.
    pub(crate) fn discard_elsewhere(self, drop_it: impl FnOnce()) {
        with_cause(self.door.end_of(self.incarnation), drop_it);
    }

    fn let_go<A, B>(&self, held: A, also: B) {
        with_cause(self.door.end_of(self.incarnation), || {
            drop_contained(held);
            drop_contained(also);
        });
    }
}

impl<M: Send + 'static> Drop for Working<M> {
    fn drop(&mut self) {
        if self.door.incarnation() == self.incarnation {
            self.door.errands(self.errand).fetch_sub(1, Ordering::SeqCst);
        }
        // Whoever drains waits for the last piece of work.
        if self.door.control() == Control::Drain {
            self.door.raise(Control::Drain);
        }
    }
}
