//! How do a supervision tree and its agents talk? The tree stands behind a lock; guards report to it, and what it commands
//! goes to the agents as orders, with the number of the life that is meant.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::tree::{Command, End, NodeId, Tree};
use crate::mailbox::{AnyAgent, Control, Order};
use crate::runtime::Shared;

/// The tree behind its lock. Under it only orders are given; what may run the code of an agent or of a waiter comes
/// [after](After) it.
pub(super) struct Keeper {
    pub(super) shared: Arc<Shared>,
    state: Mutex<State>,
    pub(super) ended: CancellationToken,
    pub(super) gave_up: CancellationToken,
}

pub(super) struct State {
    pub(super) tree: Tree,
    members: BTreeMap<NodeId, Member>,
    /// Whether the whole tree was stopped.
    pub(super) closing: bool,
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

impl State {
    /// The agent can report from here on, and be commanded.
    pub(super) fn add_member(&mut self, leaf: NodeId, agent: Arc<dyn AnyAgent>, stop_within: Duration) {
        self.members.insert(leaf, Member { agent, stop_within, life: 0, ignored: 0 });
    }
}

impl Keeper {
    pub(super) fn new(shared: &Arc<Shared>, tree: Tree) -> Self {
        let state = Mutex::new(State { tree, members: BTreeMap::new(), closing: false });
        let (ended, gave_up) = (CancellationToken::new(), CancellationToken::new());
        Self { shared: shared.clone(), state, ended, gave_up }
    }

    /// Tells the tree something, and does what it commands: first under the lock, then what comes after it.
    pub(super) fn tell<T>(self: &Arc<Self>, what: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let told = what(&mut state);
        let after = self.carry_out(&mut state);
        drop(state);
        self.see_to(after);
        told
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the tree what became of a life, unless that is nobody's business any more.
    fn report(self: &Arc<Self>, leaf: NodeId, life: u64, what: impl FnOnce(&mut Tree)) {
        self.tell(|state| {
            if state.members.get(&leaf).is_some_and(|member| life == member.life && life > member.ignored) {
                what(&mut state.tree);
            }
        });
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
            Command::Wait(sweep, delay) => {
                self.later(delay, move |keeper| keeper.tell(|state| state.tree.due(sweep)));
            }
            Command::GaveUp(_) => after.gave_up = true,
        }
    }

    /// Goes on without an agent that does not end in time, and stops it if it is to go for good.
    fn give_up_on(self: &Arc<Self>, leaf: NodeId, life: u64, stop_within: Duration) {
        self.later(stop_within, move |keeper| {
            let left = keeper.tell(|state| {
                let State { tree, members, .. } = state;
                let member = members.get_mut(&leaf).filter(|member| member.life == life && tree.is_leaving(leaf))?;
                member.ignored = life;
                let left = if tree.is_finishing(leaf) { members.remove(&leaf) } else { None };
                tree.late(leaf);
                left
            });
            if let Some(member) = left {
                member.agent.raise(Control::Stop);
            }
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
    pub(super) fn new(keeper: &Arc<Keeper>, leaf: NodeId) -> Self {
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
        self.keeper.tell(|state| {
            state.members.remove(&self.leaf);
            state.tree.finished(self.leaf);
        });
    }
}
