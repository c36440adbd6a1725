//! Which part of the tree does a sweep take, and who is next in it? A subtree, all children of a group, or its youngest.

use super::nodes::Nodes;
use super::words::NodeId;

/// A run of children of one group, and all that is below them. Open at its end unless it is a single child.
///
/// In their order those of one group stand together: the single children, then the open ones, each before those that it
/// contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scope {
    pub(super) group: NodeId,
    pub(super) last: NodeId,
    pub(super) first: NodeId,
}

impl Scope {
    pub(super) fn single(group: NodeId, child: NodeId) -> Self {
        Self { group, first: child, last: child }
    }

    pub(super) fn rest(group: NodeId, first: NodeId) -> Self {
        Self { group, first, last: NodeId(u64::MAX) }
    }

    pub(super) fn all(group: NodeId) -> Self {
        Self::rest(group, NodeId(0))
    }
}

impl Nodes {
    /// The nodes of the scope's top row.
    pub(super) fn row(&self, scope: Scope) -> Vec<NodeId> {
        let Some(group) = self.group(scope.group) else { return Vec::new() };
        group.children.range(scope.first..=scope.last).copied().collect()
    }

    /// From a node to the root: each group above it, with the child that leads to it.
    pub(super) fn path(&self, id: NodeId) -> impl Iterator<Item = (NodeId, NodeId)> {
        let above = |child: NodeId| self.parent(child).map(|group| (group, child));
        std::iter::successors(above(id), move |(group, _)| above(*group))
    }

    /// The first agent in order of start that is not up.
    pub(super) fn first_missing(&self, scope: Scope) -> Option<NodeId> {
        let mut found = *self.group(scope.group)?.missing.range(scope.first..=scope.last).next()?;
        while let Some(group) = self.group(found) {
            found = *group.missing.first()?;
        }
        Some(found)
    }

    /// The last agent in order of start that has an incarnation, or is doomed.
    pub(super) fn last_running(&self, scope: Scope) -> Option<NodeId> {
        let mut found = *self.group(scope.group)?.running.range(scope.first..=scope.last).next_back()?;
        while let Some(group) = self.group(found) {
            found = *group.running.last()?;
        }
        Some(found)
    }

    /// The last agent in order of start that was told to end and has not answered.
    pub(super) fn last_leaving(&self, scope: Scope) -> Option<NodeId> {
        let mut found = *self.group(scope.group)?.leaving.range(scope.first..=scope.last).next_back()?;
        while let Some(group) = self.group(found) {
            found = *group.leaving.last()?;
        }
        Some(found)
    }

    /// Whether all elder siblings of the scope are up.
    pub(super) fn elders_up(&self, scope: Scope) -> bool {
        self.group(scope.group).is_none_or(|group| group.missing.range(..scope.first).next().is_none())
    }
}
