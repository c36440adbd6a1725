//! What does a shard do right now? Written by the shard at each turn, in a few writes that ask no other core and no clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::mailbox::AgentId;

/// Whose turn it is on one shard. Only the shard writes.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Pulse {
    /// 0 when nobody has the shard.
    agent: AtomicU64,
    turns: AtomicU64,
    /// Whose work goes on elsewhere, the oldest first; there is as much as there are threads for it.
    beside: Mutex<Vec<AgentId>>,
}

/// What somebody else sees of a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    /// Who has the shard, if anybody has.
    pub(super) agent: Option<AgentId>,
    /// The number of the turn.
    pub(super) turn: u64,
}

impl Pulse {
    /// The agent has the shard from here on, for one turn: its own code, or work of its.
    #[inline]
    pub(super) fn begin(&self, agent: AgentId) {
        self.turns.store(self.turns.load(Ordering::Relaxed) + 1, Ordering::Release);
        self.agent.store(agent.0, Ordering::Release);
    }

    /// Nobody has the shard.
    #[inline]
    pub(super) fn end(&self) {
        self.agent.store(0, Ordering::Release);
    }

    /// Work of the agent goes on elsewhere.
    pub(super) fn begin_beside(&self, agent: AgentId) {
        self.lock().push(agent);
    }

    /// It is over.
    pub(super) fn end_beside(&self, agent: AgentId) {
        let mut beside = self.lock();
        if let Some(at) = beside.iter().position(|other| *other == agent) {
            beside.remove(at);
        }
    }

    /// Whose work has gone on elsewhere for longest.
    pub(super) fn oldest_beside(&self) -> Option<AgentId> {
        self.lock().first().copied()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<AgentId>> {
        self.beside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn look(&self) -> Look {
        let turn = self.turns.load(Ordering::Acquire);
        let agent = self.agent.load(Ordering::Acquire);
        // When another turn began meanwhile, it is not known whose this one is.
        let same = self.turns.load(Ordering::Acquire) == turn;
        Look { agent: Some(AgentId(agent)).filter(|agent| same && agent.0 != 0), turn }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_turn_it_is_can_be_seen() {
        let pulse = Pulse::default();
        assert_eq!(pulse.look(), Look { agent: None, turn: 0 });
        pulse.begin(AgentId(7));
        assert_eq!(pulse.look(), Look { agent: Some(AgentId(7)), turn: 1 });
        pulse.end();
        assert_eq!(pulse.look(), Look { agent: None, turn: 1 });
        pulse.begin(AgentId(7));
        assert_eq!(pulse.look().turn, 2);
    }

    #[test]
    fn work_that_goes_on_elsewhere_is_known_until_it_is_over() {
        let pulse = Pulse::default();
        for agent in [7, 8, 7] {
            pulse.begin_beside(AgentId(agent));
        }
        for (over, oldest) in [(7, Some(AgentId(8))), (8, Some(AgentId(7))), (9, Some(AgentId(7))), (7, None)] {
            pulse.end_beside(AgentId(over));
            assert_eq!(pulse.oldest_beside(), oldest);
        }
    }
}
