//! Which sweeps are under way, and which of them may be able to go on? A sweep is looked at only after something has
//! happened to whom it takes or waits for, so that many deaths at once cost each other nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::nodes::Nodes;
use super::scope::Scope;
use super::sweep::{Phase, Sweep};
use super::words::{NodeId, SweepId};

#[derive(Debug, Clone, Default)]
pub(super) struct Agenda {
    sweeps: BTreeMap<SweepId, Sweep>,
    /// The same by whom they take. No two take the same.
    places: BTreeMap<Scope, SweepId>,
    /// Those that something has happened to.
    stirred: BTreeSet<SweepId>,
    made: u64,
    #[cfg(test)]
    pub(super) looks: u64,
}

impl Agenda {
    pub(super) fn add(&mut self, sweep: Sweep) -> SweepId {
        self.made += 1;
        let id = SweepId(self.made);
        self.sweeps.insert(id, sweep);
        self.places.insert(sweep.scope, id);
        self.stirred.insert(id);
        id
    }

    pub(super) fn get(&self, id: SweepId) -> Option<Sweep> {
        self.sweeps.get(&id).copied()
    }

    pub(super) fn get_mut(&mut self, id: SweepId) -> Option<&mut Sweep> {
        self.sweeps.get_mut(&id)
    }

    pub(super) fn remove(&mut self, id: SweepId) {
        if let Some(sweep) = self.sweeps.remove(&id) {
            self.places.remove(&sweep.scope);
            self.stirred.remove(&id);
        }
    }

    /// Removes all that take nobody but those whom the scope takes.
    pub(super) fn absorb(&mut self, nodes: &Nodes, scope: Scope) {
        let mut smaller: Vec<SweepId> = self.in_row(scope);
        let mut groups = nodes.row(scope);
        while let Some(id) = groups.pop() {
            if let Some(group) = nodes.group(id) {
                smaller.extend(self.in_row(Scope::all(id)));
                groups.extend(&group.children);
            }
        }
        for id in smaller {
            self.remove(id);
        }
    }

    /// The sweeps of the scope's own group that it contains.
    fn in_row(&self, scope: Scope) -> Vec<SweepId> {
        let Scope { group, first, last } = scope;
        let from = Scope { group, first: NodeId(0), last: first };
        let inside = self.places.range(from..=Scope { group, first: last, last });
        inside.filter(|(other, _)| first <= other.first).map(|(_, id)| *id).collect()
    }

    /// The sweeps that take a node, the innermost first.
    pub(super) fn over<'a>(&'a self, nodes: &'a Nodes, id: NodeId) -> impl Iterator<Item = SweepId> + 'a {
        nodes.path(id).flat_map(|(group, child)| {
            let open = Scope::all(group)..=Scope::rest(group, child);
            let open = self.places.range(open).rev().map(|(_, id)| *id);
            self.places.get(&Scope::single(group, child)).copied().into_iter().chain(open)
        })
    }

    pub(super) fn is_halting(&self, nodes: &Nodes, id: NodeId) -> bool {
        self.over(nodes, id).any(|id| self.sweeps[&id].phase == Phase::Halting)
    }

    /// Something has happened to a node: whoever takes it may go on, or waits for it to start a younger one.
    pub(super) fn stir(&mut self, nodes: &Nodes, id: NodeId) {
        for (group, child) in nodes.path(id) {
            self.stirred.extend(self.places.get(&Scope::single(group, child)));
            self.stir_row(group);
        }
    }

    /// A sweep of this scope is no more: whoever contains it may go on.
    pub(super) fn stir_above(&mut self, nodes: &Nodes, scope: Scope) {
        self.stir_row(scope.group);
        self.stir(nodes, scope.group);
    }

    fn stir_row(&mut self, group: NodeId) {
        let open = self.places.range(Scope::all(group)..=Scope::rest(group, NodeId(u64::MAX)));
        self.stirred.extend(open.map(|(_, id)| *id));
    }

    /// Says that a sweep may go on by itself.
    pub(super) fn wake(&mut self, id: SweepId) {
        self.stirred.insert(id);
    }

    /// The next one to look at.
    pub(super) fn next(&mut self) -> Option<SweepId> {
        let next = self.stirred.pop_first()?;
        #[cfg(test)]
        {
            self.looks += 1;
        }
        Some(next)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sweeps.is_empty()
    }

    #[cfg(test)]
    pub(super) fn all(&self) -> Vec<SweepId> {
        self.sweeps.keys().copied().collect()
    }
}
