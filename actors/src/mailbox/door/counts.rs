//! What can be read of an agent's mailbox at any moment, from any thread?

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Door;

impl<M: Send + 'static> Door<M> {
    pub(in crate::mailbox) fn depth(&self) -> usize {
        self.queue().depth()
    }

    /// Accepted letters that are not settled: waiting, or in hand.
    pub(in crate::mailbox) fn pending(&self) -> u64 {
        let queue = self.queue();
        queue.len() as u64 + u64::from(self.in_hand.load(Ordering::Acquire))
    }

    /// How long the oldest message has waited.
    pub(in crate::mailbox) fn oldest(&self) -> Option<Duration> {
        let since = self.queue().oldest()?;
        Some(Duration::from_millis(u64::from(self.shared.moment().wrapping_sub(since))))
    }

    pub(in crate::mailbox) fn dead(&self) -> u64 {
        self.queue().dead()
    }

    pub(in crate::mailbox) fn work(&self) -> usize {
        self.work.load(Ordering::Acquire) as usize
    }

    pub(in crate::mailbox) fn handled(&self) -> u64 {
        let carried = self.rare.get().map_or(0, |rare| rare.carried.handled());
        self.handled.load(Ordering::Relaxed) + carried
    }

    /// Letters that the agent took on for somebody else, and that are not settled.
    pub(in crate::mailbox) fn carried(&self) -> u64 {
        self.rare.get().map_or(0, |rare| rare.carried.pending())
    }
}
