//! Who belongs where, in which state, and who is the next to begin or to end? Each group keeps the set of its children
//! that hold somebody who is not up, and of those that hold somebody who must still be ended: the next is found by
//! going down these sets, without looking at the others. A third set is of those that hold somebody who is on the way out.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{GroupSpec, Lifetime, NodeId};
use crate::supervision::RestartHistory;

/// What an agent is doing, as far as the tree was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// No incarnation: not begun yet, or to be begun again.
    Down,
    /// `Begin` was sent.
    Starting,
    Up,
    /// `Halt` was sent.
    Halting,
    /// `Drain` was sent.
    Draining,
    /// `Finish` was sent.
    Finishing,
}

/// Why an agent goes for good. The later one overrides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Doom {
    /// Somebody asked for it: it handles what it has.
    Asked,
    /// Its group restarts without it, or gives up: nobody waits for what it has.
    Swept,
}

#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) parent: Option<NodeId>,
    pub(super) lifetime: Lifetime,
    /// It is finished for good as soon as its turn comes.
    pub(super) doom: Option<Doom>,
    /// An agent that has been up at least once.
    pub(super) is_proven: bool,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Leaf(State),
    Group(Box<Group>),
}

#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) spec: GroupSpec,
    pub(super) history: RestartHistory,
    /// Somebody below it has been begun.
    pub(super) opened: bool,
    pub(super) children: BTreeSet<NodeId>,
    /// The children that hold somebody who is to be up and is not.
    pub(super) missing: BTreeSet<NodeId>,
    /// The children that hold somebody who has an incarnation, or is doomed.
    pub(super) running: BTreeSet<NodeId>,
    /// The children that hold somebody who was told to end and has not answered.
    pub(super) leaving: BTreeSet<NodeId>,
}

impl Group {
    pub(super) fn new(spec: GroupSpec) -> Self {
        let (children, missing, running, leaving) = Default::default();
        Self { spec, history: RestartHistory::default(), opened: false, children, missing, running, leaving }
    }
}

/// The nodes of a tree.
#[derive(Debug, Clone, Default)]
pub(super) struct Nodes {
    nodes: BTreeMap<NodeId, Node>,
    made: u64,
}

impl Nodes {
    /// Adds a node; `None` if the parent is no group, or is on its way out.
    pub(super) fn add(&mut self, parent: Option<NodeId>, lifetime: Lifetime, kind: Kind) -> Option<NodeId> {
        let id = NodeId(self.made);
        if let Some(parent) = parent {
            let Node { doom: None, kind: Kind::Group(group), .. } = self.nodes.get_mut(&parent)? else {
                return None;
            };
            group.children.insert(id);
        }
        self.made += 1;
        self.nodes.insert(id, Node { parent, lifetime, doom: None, is_proven: false, kind });
        self.place(id);
        Some(id)
    }

    pub(super) fn get(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(&id)
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn parent(&self, id: NodeId) -> Option<NodeId> {
        self.nodes.get(&id)?.parent
    }

    pub(super) fn state(&self, id: NodeId) -> Option<State> {
        match self.nodes.get(&id)?.kind {
            Kind::Leaf(state) => Some(state),
            Kind::Group(_) => None,
        }
    }

    pub(super) fn group(&self, id: NodeId) -> Option<&Group> {
        match &self.nodes.get(&id)?.kind {
            Kind::Leaf(_) => None,
            Kind::Group(group) => Some(group),
        }
    }

    pub(super) fn group_mut(&mut self, id: NodeId) -> Option<&mut Group> {
        match &mut self.nodes.get_mut(&id)?.kind {
            Kind::Leaf(_) => None,
            Kind::Group(group) => Some(group),
        }
    }

    pub(super) fn doom_of(&self, id: NodeId) -> Option<Doom> {
        self.nodes.get(&id)?.doom
    }

    pub(super) fn set_state(&mut self, leaf: NodeId, new: State) {
        if let Some(Node { is_proven, kind: Kind::Leaf(state), .. }) = self.nodes.get_mut(&leaf) {
            *state = new;
            *is_proven |= new == State::Up;
            self.place(leaf);
        }
    }

    /// Finishes it, and all that is below it, for good when the turn comes.
    pub(super) fn doom(&mut self, id: NodeId, doom: Doom) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.doom = node.doom.max(Some(doom));
        match &node.kind {
            Kind::Leaf(_) => self.place(id),
            Kind::Group(group) => group.children.clone().into_iter().for_each(|child| self.doom(child, doom)),
        }
    }

    /// Removes it and all that is below it.
    pub(super) fn forget(&mut self, id: NodeId) {
        self.mark(id, [false; 3]);
        let Some(node) = self.nodes.remove(&id) else { return };
        if let Some(group) = node.parent.and_then(|parent| self.group_mut(parent)) {
            group.children.remove(&id);
        }
        if let Kind::Group(group) = node.kind {
            group.children.into_iter().for_each(|child| self.forget(child));
        }
    }

    fn place(&mut self, id: NodeId) {
        if let Some(Node { doom, kind: Kind::Leaf(state), .. }) = self.nodes.get(&id) {
            let missing = doom.is_none() && *state != State::Up;
            let running = doom.is_some() || *state != State::Down;
            let leaving = matches!(state, State::Halting | State::Draining | State::Finishing);
            self.mark(id, [missing, running, leaving]);
        }
    }

    /// Writes down, all the way up, what a node holds: somebody who is missing, running, leaving.
    fn mark(&mut self, mut id: NodeId, mut holds: [bool; 3]) {
        while let Some(parent) = self.parent(id) {
            let Some(group) = self.group_mut(parent) else { return };
            let sets = [&mut group.missing, &mut group.running, &mut group.leaving];
            let mut is_new = false;
            for (set, holds) in sets.into_iter().zip(&mut holds) {
                is_new |= put(set, id, *holds);
                *holds = !set.is_empty();
            }
            if !is_new {
                return;
            }
            id = parent;
        }
    }
}

/// Whether that changed the set.
fn put(set: &mut BTreeSet<NodeId>, id: NodeId, is_in: bool) -> bool {
    if is_in { set.insert(id) } else { set.remove(&id) }
}
