//! What does a shard do right now? Written by the shard at each turn, in a few writes that ask no other core and no clock.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::mailbox::AgentId;

/// Whose turn it is on one shard. Only the shard writes.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Pulse {
    /// 0 when nobody has the shard.
    agent: AtomicU64,
    turns: AtomicU64,
}

/// One turn of one agent; its end is the end of the turn.
#[must_use = "the turn ends when this is dropped"]
pub(crate) struct OnTurn<'a> {
    pulse: &'a Pulse,
    before: u64,
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
    pub(crate) fn begin(&self, agent: AgentId) -> OnTurn<'_> {
        let before = self.agent.load(Ordering::Relaxed);
        self.turns.store(self.turns.load(Ordering::Relaxed) + 1, Ordering::Release);
        self.agent.store(agent.0, Ordering::Release);
        OnTurn { pulse: self, before }
    }

    pub(super) fn look(&self) -> Look {
        let turn = self.turns.load(Ordering::Acquire);
        let agent = self.agent.load(Ordering::Acquire);
        // When another turn began meanwhile, it is not known whose this one is.
        let same = self.turns.load(Ordering::Acquire) == turn;
        Look { agent: Some(AgentId(agent)).filter(|agent| same && agent.0 != 0), turn }
    }
}

impl Drop for OnTurn<'_> {
    fn drop(&mut self) {
        self.pulse.agent.store(self.before, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_turn_it_is_can_be_seen_also_of_a_turn_in_a_turn() {
        let pulse = Pulse::default();
        assert_eq!(pulse.look(), Look { agent: None, turn: 0 });
        let outer = pulse.begin(AgentId(7));
        assert_eq!(pulse.look(), Look { agent: Some(AgentId(7)), turn: 1 });
        drop(pulse.begin(AgentId(8)));
        assert_eq!(pulse.look().agent, Some(AgentId(7)));
        drop(outer);
        assert_eq!(pulse.look(), Look { agent: None, turn: 2 });
    }
}
