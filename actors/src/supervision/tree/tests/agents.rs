//! What the simulator knows about each agent: where it stands, what it is doing, what will befall it.

use super::super::NodeId;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    AsAsked,
    Normal,
    Crash,
    Late,
}

#[derive(Debug)]
pub(super) struct Agent {
    pub(super) id: NodeId,
    pub(super) group: NodeId,
    pub(super) alive: bool,
    pub(super) up: bool,
    pub(super) finished: bool,
    pub(super) begun: u32,
    /// Removed by hand: its turn does not matter.
    pub(super) removed: bool,
    /// It died by itself and was not told what follows.
    pub(super) open: bool,
    pub(super) starts_to_fail: u32,
    pub(super) ending: Ending,
}

impl Agent {
    pub(super) fn new(id: NodeId, group: NodeId) -> Self {
        let (alive, up, finished, removed, open) = (false, false, false, false, false);
        let (begun, starts_to_fail, ending) = (0, 0, Ending::AsAsked);
        Self { id, group, alive, up, finished, begun, removed, open, starts_to_fail, ending }
    }
}
