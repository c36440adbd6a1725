//! What does the guard of a child know of its group? Its place in the tree, and to whom it reports.

use std::sync::Arc;

use super::Keeper;
use crate::supervision::tree::{End, NodeId};

/// A child's side of its group.
pub(crate) struct Kept {
    keeper: Arc<Keeper>,
    pub(super) leaf: NodeId,
    /// The number of its life, as the group counts.
    life: u64,
    is_up: bool,
}

impl Kept {
    pub(in crate::supervision) fn new(keeper: &Arc<Keeper>, leaf: NodeId) -> Self {
        Self { keeper: keeper.clone(), leaf, life: 0, is_up: false }
    }

    /// The number of the present life, or of the last one; 0 before the first.
    pub(crate) fn life(&self) -> u64 {
        self.life
    }

    /// The life with this number begins.
    pub(crate) fn begin(&mut self, life: u64) {
        self.life = life;
        self.is_up = false;
    }

    /// The incarnation has started; said once.
    pub(crate) fn up(&mut self) {
        if !std::mem::replace(&mut self.is_up, true) {
            self.keeper.up(self.leaf, self.life);
        }
    }

    /// The incarnation has ended, and the agent waits.
    pub(crate) fn ended(&self, end: End) {
        self.keeper.ended(self.leaf, self.life, end);
    }

    /// The agent is gone for good.
    pub(crate) fn finished(&self) {
        self.keeper.finished(self.leaf);
    }
}
