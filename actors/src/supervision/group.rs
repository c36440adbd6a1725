//! Who starts and ends the agents of a supervision tree? A group: it reports what happens to the pure [`Tree`] and does
//! what that commands.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::tree::{Command, End, GroupSpec, Lifetime, NodeId, SweepId, Tree};
use crate::agent::Agent;
use crate::error::StartError;
use crate::mailbox::{AgentRef, AgentSpec, AnyAgent, Control, Order};
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
        let state = Mutex::new(State { tree, members: BTreeMap::new(), closing: false });
        let keeper = Keeper {
            shared: shared.clone(),
            state,
            ended: CancellationToken::new(),
            gave_up: CancellationToken::new(),
        };
        Self { keeper: Arc::new(keeper), node }
    }

    /// Adds an agent as the youngest child. It starts after its elder siblings are up; its reference takes messages at
    /// once.
    ///
    /// # Errors
    /// [`StartError`] when the runtime is stopping, or the group has ended.
    pub fn spawn<A: Agent>(&self, spec: AgentSpec<A>, lifetime: Lifetime) -> Result<AgentRef<A::Message>, StartError> {
        let keeper = &self.keeper;
        let mut state = keeper.lock();
        let leaf = state.tree.add_agent(self.node, lifetime).ok_or(StartError::GroupEnded)?;
        let stop_within = spec.stop_within;
        let kept = Box::new(Kept { keeper: keeper.clone(), leaf, life: 0, is_up: false });
        let prepared = keeper.shared.prepare_kept(spec, None, Some(kept));
        match &prepared {
            // A member before it can report, and before anything is commanded of it.
            Ok((agent, _)) => {
                state.members.insert(leaf, Member { agent: agent.any(), stop_within, life: 0, ignored: 0 });
            }
            Err(_) => state.tree.finished(leaf),
        }
        let after = keeper.carry_out(&mut state);
        drop(state);
        keeper.see_to(after);
        let (agent, birth) = prepared?;
        // Without the lock: an agent that its shard does not take says so at once.
        keeper.shared.launch(birth)?;
        Ok(agent)
    }

    /// Adds a group as the youngest child: what it cannot put right itself becomes a crash of this child.
    ///
    /// # Errors
    /// [`StartError::GroupEnded`] when this group has ended.
    pub fn group(&self, spec: GroupSpec) -> Result<Self, StartError> {
        let node = self.keeper.lock().tree.add_group(self.node, spec).ok_or(StartError::GroupEnded)?;
        Ok(Self { keeper: self.keeper.clone(), node })
    }

    /// Ends the group for good, from the youngest child to the eldest: each drains, at most as long as its
    /// [`AgentSpec::stop_within`], and stops.
    pub fn stop(&self) {
        let mut state = self.keeper.lock();
        state.closing |= self.node == state.tree.root();
        state.tree.remove(self.node);
        let after = self.keeper.carry_out(&mut state);
        drop(state);
        self.keeper.see_to(after);
    }

    /// Ends when the whole tree has ended: it was stopped, it gave up, or the runtime ended.
    pub async fn ended(&self) {
        tokio::select! {
            biased;
            () = self.keeper.ended.cancelled() => {}
            () = self.keeper.shared.closed() => {}
        }
    }

    /// Whether the whole tree gave up, because its root had more deaths than its policy allows.
    pub fn gave_up(&self) -> bool {
        self.keeper.gave_up.is_cancelled()
    }
}

/// The tree behind its lock. Under it only orders are given; what may run the code of an agent or of a waiter comes
/// [after](After) it.
struct Keeper {
    shared: Arc<Shared>,
    state: Mutex<State>,
    ended: CancellationToken,
    gave_up: CancellationToken,
}

struct State {
    tree: Tree,
    members: BTreeMap<NodeId, Member>,
    closing: bool,
}

/// What is to be done once the lock is given up.
#[derive(Default)]
struct After {
    drains: Vec<Arc<dyn AnyAgent>>,
    gave_up: bool,
    has_ended: bool,
}

/// An agent of the tree.
struct Member {
    agent: Arc<dyn AnyAgent>,
    stop_within: Duration,
    /// How often it was begun.
    life: u64,
    /// Reports of this life come too late: the group has gone on without it.
    ignored: u64,
}

impl Keeper {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the tree, and does what it commands.
    fn report(self: &Arc<Self>, leaf: NodeId, life: u64, what: impl FnOnce(&mut Tree)) {
        let mut state = self.lock();
        if state.members.get(&leaf).is_some_and(|member| life == member.life && life > member.ignored) {
            what(&mut state.tree);
            let after = self.carry_out(&mut state);
            drop(state);
            self.see_to(after);
        }
    }

    fn carry_out(self: &Arc<Self>, state: &mut State) -> After {
        let mut after = After::default();
        let mut commands = state.tree.take_commands();
        while !commands.is_empty() {
            for command in commands {
                self.obey(command, state, &mut after);
            }
            commands = state.tree.take_commands();
        }
        after.has_ended = state.members.is_empty() && (state.closing || after.gave_up || self.gave_up.is_cancelled());
        after
    }

    fn see_to(&self, after: After) {
        if after.gave_up {
            tracing::error!("a supervision tree gave up: more deaths than the policy of its root allows");
            self.gave_up.cancel();
        }
        after.drains.iter().for_each(|agent| agent.raise(Control::Drain));
        if after.has_ended {
            self.ended.cancel();
        }
    }

    fn obey(self: &Arc<Self>, command: Command, state: &mut State, after: &mut After) {
        match command {
            Command::Begin(leaf) => {
                if let Some(member) = state.members.get_mut(&leaf) {
                    member.life += 1;
                    member.agent.order(Order::Begin(member.life));
                }
            }
            Command::Retain(leaf) => {
                if let Some(member) = state.members.get(&leaf) {
                    member.agent.order(Order::Retain);
                }
            }
            Command::Halt(leaf) => {
                if let Some(member) = state.members.get(&leaf) {
                    member.agent.order(Order::Halt(member.life));
                    self.give_up_on(leaf, member.life, member.stop_within);
                }
            }
            Command::Finish(leaf) => {
                if let Some(member) = state.members.get(&leaf) {
                    after.drains.push(member.agent.clone());
                    self.give_up_on(leaf, member.life, member.stop_within);
                }
            }
            Command::Wait(sweep, delay) => self.later(delay, move |keeper| keeper.due(sweep)),
            Command::GaveUp(_) => after.gave_up = true,
        }
    }

    fn due(self: &Arc<Self>, sweep: SweepId) {
        let mut state = self.lock();
        state.tree.due(sweep);
        let after = self.carry_out(&mut state);
        drop(state);
        self.see_to(after);
    }

    /// Goes on without an agent that does not end in time, and stops it if it is to go for good.
    fn give_up_on(self: &Arc<Self>, leaf: NodeId, life: u64, stop_within: Duration) {
        self.later(stop_within, move |keeper| {
            let mut state = keeper.lock();
            let State { tree, members, .. } = &mut *state;
            let Some(member) = members.get_mut(&leaf).filter(|member| member.life == life && tree.is_leaving(leaf))
            else {
                return;
            };
            member.ignored = life;
            let is_finishing = tree.is_finishing(leaf);
            let left = if is_finishing { members.remove(&leaf) } else { None };
            tree.late(leaf);
            let after = keeper.carry_out(&mut state);
            drop(state);
            if let Some(member) = left {
                member.agent.raise(Control::Stop);
            }
            keeper.see_to(after);
        });
    }

    fn later(self: &Arc<Self>, delay: Duration, act: impl FnOnce(&Arc<Self>) + Send + 'static) {
        let (keeper, sleep) = (self.clone(), self.shared.sleep(delay));
        self.shared.watch_over(async move {
            sleep.await;
            act(&keeper);
        });
    }
}

/// What the guard of a child knows of its group.
pub(crate) struct Kept {
    keeper: Arc<Keeper>,
    leaf: NodeId,
    /// The number of its life, as the group counts.
    life: u64,
    is_up: bool,
}

impl Kept {
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
            self.keeper.report(self.leaf, self.life, |tree| tree.up(self.leaf));
        }
    }

    /// The incarnation has ended, and the agent waits.
    pub(crate) fn ended(&self, end: End) {
        let chance = self.keeper.shared.chance();
        self.keeper.report(self.leaf, self.life, |tree| tree.ended(self.leaf, end, Instant::now(), chance));
    }

    /// The agent is gone for good.
    pub(crate) fn finished(&self) {
        let mut state = self.keeper.lock();
        state.members.remove(&self.leaf);
        state.tree.finished(self.leaf);
        let after = self.keeper.carry_out(&mut state);
        drop(state);
        self.keeper.see_to(after);
    }
}
