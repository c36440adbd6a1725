//! Which agents belong to a tree, in which of their lives is each, and how long is its end waited for?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use crate::mailbox::{AnyAgent, Order};
use crate::supervision::tree::{NodeId, Tree};

/// What a keeper's lock holds.
pub(in crate::supervision) struct State {
    pub(in crate::supervision) tree: Tree,
    /// All that are not gone; those that were given up for good are not listed any more.
    pub(super) members: BTreeMap<NodeId, Member>,
    /// Whether the whole tree was stopped.
    pub(in crate::supervision) closing: bool,
    pub(super) gave_up: bool,
}

/// An agent of the tree.
pub(super) struct Member {
    pub(super) agent: Arc<dyn AnyAgent>,
    pub(super) stop_within: Duration,
    /// How often it was begun.
    pub(super) life: u64,
    /// The tree has gone on without this life, and it may not have ended yet.
    pub(super) is_overdue: bool,
    /// The wait for its end. Dropped, it is over.
    pub(super) patience: Option<AbortOnDropHandle<()>>,
}

/// What was given up.
pub(super) enum Left {
    /// Nothing: it has ended, or it is another life's time.
    Nobody,
    /// A life, of an agent that will begin again.
    ALife,
    /// An agent that is not waited for any longer.
    ForGood(Member),
}

impl State {
    pub(super) fn new(tree: Tree) -> Self {
        Self { tree, members: BTreeMap::new(), closing: false, gave_up: false }
    }

    /// The agent can report from here on, and be commanded.
    pub(in crate::supervision) fn add_member(&mut self, leaf: NodeId, agent: Arc<dyn AnyAgent>, stop_within: Duration) {
        self.members.insert(leaf, Member { agent, stop_within, life: 0, is_overdue: false, patience: None });
    }

    pub(super) fn with(&mut self, leaf: NodeId, act: impl FnOnce(&mut Member)) {
        if let Some(member) = self.members.get_mut(&leaf) {
            act(member);
        }
    }

    /// Whether nobody is left of a tree that takes nobody any more.
    pub(super) fn has_ended(&self) -> bool {
        self.members.is_empty() && (self.closing || self.gave_up)
    }

    /// Goes on without this life, if it is still waited for.
    pub(super) fn give_up_on(&mut self, leaf: NodeId, life: u64) -> Left {
        let Some(member) = self.members.get_mut(&leaf).filter(|member| member.life == life) else {
            return Left::Nobody;
        };
        if self.tree.is_finishing(leaf) || !self.tree.knows(leaf) {
            self.tree.late(leaf);
            return self.members.remove(&leaf).map_or(Left::Nobody, Left::ForGood);
        }
        if !self.tree.is_leaving(leaf) {
            return Left::Nobody;
        }
        member.is_overdue = true;
        self.tree.late(leaf);
        Left::ALife
    }
}

impl Member {
    pub(super) fn begin(&mut self) {
        self.life += 1;
        self.is_overdue = false;
        self.agent.order(Order::Begin(self.life));
    }
}
