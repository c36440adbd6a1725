//! In which of its lives is the agent, what is in flight, and what hangs on it?

use std::sync::atomic::{AtomicU32, Ordering};

use super::{Door, Rare};
use crate::error::AskError;
use crate::event::CancelReason;
use crate::mailbox::idle::Leave;
use crate::mailbox::quarantine::Quarantine;
use crate::mailbox::watch::DownSink;
use crate::mailbox::working::Errand;
use crate::scope::Scope;
use crate::supervision::{Down, ExitReason, Next as Fate};

impl<M: Send + 'static> Door<M> {
    /// Whether nothing is queued, in hand or in flight.
    pub(in crate::mailbox) fn is_idle(&self) -> bool {
        self.pending() == 0 && self.work.load(Ordering::SeqCst) == 0
    }

    /// Whether it will do nothing more if nothing comes.
    pub(in crate::mailbox) fn is_at_rest(&self) -> bool {
        self.has_begun.load(Ordering::SeqCst) && self.is_idle() && self.carried() == 0
    }

    /// Whether no agent and no group hears of its end.
    pub(in crate::mailbox) fn is_unwatched(&self) -> bool {
        !self.is_kept && self.rare.get().is_none_or(|rare| rare.watchers.is_empty())
    }

    pub(in crate::mailbox) fn mark_begun(&self) {
        self.has_begun.store(true, Ordering::SeqCst);
    }

    /// What the agent has in flight of this kind.
    pub(in crate::mailbox) fn errands(&self, errand: Errand) -> &AtomicU32 {
        match errand {
            Errand::Work => &self.work,
            Errand::Timer => &self.timers,
        }
    }

    pub(crate) fn incarnation(&self) -> u32 {
        self.incarnation.load(Ordering::Acquire)
    }

    pub(in crate::mailbox) fn next_incarnation(&self) {
        let next = self.incarnation.fetch_add(1, Ordering::AcqRel) + 1;
        if let Some(rare) = self.rare.get() {
            rare.panicked.fetch_and(!bit(next), Ordering::AcqRel);
        }
        self.has_begun.store(false, Ordering::SeqCst);
        // What the dead one had in flight takes no place from the next one.
        self.work.store(0, Ordering::SeqCst);
        self.timers.store(0, Ordering::SeqCst);
    }

    /// Ends with the agent. Made when it is first asked for.
    pub(crate) fn scope(&self) -> &Scope {
        let scope = self.scope.get_or_init(|| self.shared.scope().child());
        if self.is_gone() {
            scope.cancel(CancelReason::Parent);
        }
        scope
    }

    /// The same for the agent itself, whom it ends from now on.
    pub(crate) fn heed_scope(&self) -> &Scope {
        self.heeds_scope.store(true, Ordering::Release);
        self.scope()
    }

    /// Whether the agent has asked for its own scope. One that it was given ends it anyway.
    pub(in crate::mailbox) fn heeds_scope(&self) -> bool {
        self.heeds_scope.load(Ordering::Acquire)
    }

    /// The scope that the agent was given, or that somebody asked for.
    pub(crate) fn known_scope(&self) -> Option<&Scope> {
        self.scope.get()
    }

    pub(in crate::mailbox) fn quarantine(&self) -> Option<&Quarantine<M>> {
        self.rare.get()?.quarantine.get()
    }

    /// What becomes of an agent that is idle. Only for one that may be put away.
    pub(in crate::mailbox) fn leave(&self) -> &Leave {
        &self.rare().leave
    }

    /// The agent is put away: its queue holds no memory.
    pub(in crate::mailbox) fn rest_for_long(&self) {
        self.queue().rest_for_long();
    }

    pub(in crate::mailbox) fn known_leave(&self) -> Option<&Leave> {
        Some(&self.rare.get()?.leave)
    }

    /// Whether nothing is queued, in hand or in flight, timers included.
    pub(in crate::mailbox) fn rests(&self) -> bool {
        self.is_idle() && self.timers.load(Ordering::SeqCst) == 0
    }

    pub(in crate::mailbox) fn watch(&self, sink: DownSink) {
        self.rare().watchers.add(sink);
    }

    pub(in crate::mailbox) fn down(&self, reason: ExitReason, next: Fate) -> Down {
        Down { id: self.id, incarnation: self.incarnation(), reason, next }
    }

    /// The agent is gone for good: what hangs on it ends, nobody finds it any more, and its watchers learn it.
    pub(in crate::mailbox) fn depart(&self, reason: ExitReason) {
        self.shared.directory().remove(self.id);
        self.tell_watchers(&self.down(reason, Fate::Gone));
        if let Some(scope) = self.known_scope() {
            scope.cancel(CancelReason::Parent);
        }
    }

    /// The present incarnation ends by a panic.
    pub(in crate::mailbox) fn mark_panic(&self) {
        self.rare().panicked.fetch_or(bit(self.incarnation()), Ordering::AcqRel);
    }

    /// Why an incarnation ended, or ends, for those who wait for something of it.
    pub(in crate::mailbox) fn end_of(&self, incarnation: u32) -> AskError {
        // Only so many marks are kept; of a life before them a panic is the likely end.
        if self.incarnation().wrapping_sub(incarnation) >= u32::BITS {
            return AskError::Panicked;
        }
        let has_panicked = |rare: &Rare<M>| rare.panicked.load(Ordering::Acquire) & bit(incarnation) != 0;
        if self.rare.get().is_some_and(|rare| has_panicked(rare)) { AskError::Panicked } else { AskError::Stopped }
    }

    pub(in crate::mailbox) fn tell_watchers(&self, down: &Down) {
        self.rare().watchers.tell(down);
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.rare.get().is_some_and(|rare| rare.watchers.is_gone())
    }

    pub(crate) fn has_told(&self) -> bool {
        self.rare.get().is_some_and(|rare| rare.watchers.has_told())
    }

    /// How many messages became dead letters at its end.
    pub(in crate::mailbox) fn left(&self) -> u64 {
        self.rare.get().map_or(0, |rare| rare.left.load(Ordering::Acquire))
    }
}

fn bit(incarnation: u32) -> u32 {
    1 << (incarnation % 32)
}
