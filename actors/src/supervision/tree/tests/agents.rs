//! What the simulator knows about each agent: where it stands, what it is doing, what will befall it.

use std::ops::Range;

use super::super::{NodeId, Strategy};
use super::shape::Shape;

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
    /// Those that must be down before it may be ended.
    pub(super) younger: Range<usize>,
    /// Those that must be up before it is begun.
    pub(super) elders: Vec<usize>,
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
    pub(super) fn new(id: NodeId, younger: Range<usize>, elders: Vec<usize>) -> Self {
        let (alive, up, finished, removed, open) = (false, false, false, false, false);
        let (begun, starts_to_fail, ending) = (0, 0, Ending::AsAsked);
        Self { id, younger, elders, alive, up, finished, begun, removed, open, starts_to_fail, ending }
    }
}

/// The agents of a shape in order of start.
pub(super) fn places(shape: &Shape, agents: &mut Vec<Agent>) {
    let Shape::Group(strategy, _, _, children) = shape else { return };
    let mut own = Vec::new();
    for child in children {
        let at = agents.len();
        if let Shape::Group(..) = child {
            places(child, agents);
            continue;
        }
        let elders = if *strategy == Strategy::OneForOne { Vec::new() } else { own.clone() };
        own.push(at);
        agents.push(Agent::new(NodeId(0), at + 1..at + 1, elders));
    }
    let end = agents.len();
    own.into_iter().for_each(|at| agents[at].younger.end = end);
}
