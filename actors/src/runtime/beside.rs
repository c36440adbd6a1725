//! Whose work goes on beside a shard, on a thread of its own that nobody can end? So that a stop which it holds up names the agent.

use std::cell::RefCell;
use std::sync::Arc;

use super::pulse::Pulse;
use crate::mailbox::AgentId;

thread_local! {
    /// The pulse of the shard that this thread is.
    static PULSE: RefCell<Option<Arc<Pulse>>> = const { RefCell::new(None) };
}

/// This thread is the shard with this pulse.
pub(super) fn is_here(pulse: Arc<Pulse>) {
    PULSE.set(Some(pulse));
}

/// A mark of work that an agent has given to a thread of its own, such as one of tokio's `spawn_blocking`. A runtime cannot end such work,
/// and its stop reports the thread of the shard as [stuck](super::StuckThread) when it does not end by itself: with this agent.
///
/// It goes with the work, and is dropped when that is over.
#[derive(Debug)]
pub struct WorkBeside {
    pulse: Arc<Pulse>,
    agent: AgentId,
}

impl WorkBeside {
    /// The mark of the agent whose turn it is on this thread; `None` where nobody's is: away from a shard, or in a simulation.
    pub fn begin() -> Option<Self> {
        let pulse = PULSE.with_borrow(Clone::clone)?;
        let agent = pulse.look().agent?;
        pulse.begin_beside(agent);
        Some(Self { pulse, agent })
    }
}

impl Drop for WorkBeside {
    fn drop(&mut self) {
        self.pulse.end_beside(self.agent);
    }
}
