//! Who starts and ends the agents of a supervision tree? A group: what a program holds of the tree.

use std::sync::Arc;

use super::keeper::{Keeper, Kept};
use super::tree::{GroupSpec, Lifetime, NodeId, Tree};
use crate::agent::Agent;
use crate::error::StartError;
use crate::mailbox::{AgentRef, AgentSpec, with_contained_waker};
use crate::runtime::Shared;

/// Agents that are started in order, restarted together by a [`Strategy`](super::tree::Strategy), and ended in reverse
/// order. Clones are the same group. A group lives until it is stopped or gives up, also when no clone is left.
///
/// A child's own [`AgentSpec::restart`] policy is not asked: the group's is.
#[derive(Clone)]
pub struct Group {
    keeper: Arc<Keeper>,
    node: NodeId,
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Group({:?})", self.node)
    }
}

impl Group {
    pub(crate) fn root(shared: &Arc<Shared>, spec: GroupSpec) -> Self {
        let tree = Tree::new(spec);
        let node = tree.root();
        Self { keeper: Arc::new(Keeper::new(shared, tree)), node }
    }

    /// Adds an agent as the youngest child. It starts after its elder siblings are up; its reference takes messages at
    /// once.
    ///
    /// If its first start panics, it is gone, alone: nobody is restarted for it, and it does not count against the policy.
    /// Whoever watches it hears [`Next::Gone`](super::Next::Gone). Once it has been up, a start that fails counts as any other death.
    ///
    /// # Errors
    /// [`StartError`] for a value of the spec that breaks a rule, when the runtime is stopping, or the group has ended.
    pub fn spawn<A: Agent>(&self, spec: AgentSpec<A>, lifetime: Lifetime) -> Result<AgentRef<A::Message>, StartError> {
        spec.validate()?;
        let keeper = &self.keeper;
        let id = keeper.shared.admit()?;
        let added = keeper.tell(|state| {
            // What is refused is handed out: the factory is somebody else's, and so is what happens when it is dropped.
            let Some(leaf) = state.tree.add_agent(self.node, lifetime) else {
                return Err(Box::new(spec));
            };
            let stop_within = spec.stop_within;
            let kept = Box::new(Kept::new(keeper, leaf));
            let (agent, birth) = keeper.shared.list(id, spec, None, Some(kept));
            state.add_member(leaf, agent.any(), stop_within);
            Ok((agent, birth))
        });
        let (agent, birth) = added.map_err(|_refused| StartError::GroupEnded)?;
        // Without the lock: an agent that its shard does not take says so at once.
        keeper.shared.launch(birth)?;
        Ok(agent)
    }

    /// Adds a group as the youngest child: what it cannot put right itself becomes a crash of this child.
    ///
    /// # Errors
    /// [`StartError::GroupEnded`] when this group has ended.
    pub fn group(&self, spec: GroupSpec) -> Result<Self, StartError> {
        let node = self.keeper.tell(|state| state.tree.add_group(self.node, spec)).ok_or(StartError::GroupEnded)?;
        Ok(Self { keeper: self.keeper.clone(), node })
    }

    /// Ends the group for good, from the youngest child to the eldest: each drains, at most as long as its
    /// [`AgentSpec::stop_within`], and stops. A child that waits to be begun again just goes: what is queued for it becomes
    /// dead letters.
    pub fn stop(&self) {
        self.keeper.tell(|state| {
            state.closing |= self.node == state.tree.root();
            state.tree.remove(self.node);
        });
    }

    /// Ends when the whole tree has ended: it was stopped, it gave up, or the runtime ended.
    pub async fn ended(&self) {
        with_contained_waker(async {
            tokio::select! {
                biased;
                () = self.keeper.ended.cancelled() => {}
                () = self.keeper.shared.closed() => {}
            }
        })
        .await;
    }

    /// Whether the whole tree gave up, because its root had more deaths than its policy allows.
    pub fn gave_up(&self) -> bool {
        self.keeper.gave_up.is_cancelled()
    }
}
