//! How do a supervision tree and its agents talk? The tree stands behind a lock; guards report to it, and what it commands
//! goes to the agents as orders, with the number of the life that is meant.

mod kept;
mod members;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

pub(crate) use self::kept::Kept;
pub(super) use self::members::State;
use self::members::{Left, Member};
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

/// What is to be done once the lock is given up.
#[derive(Default)]
struct After {
    /// Those that are to go, and how.
    raised: Vec<(Arc<dyn AnyAgent>, Control)>,
    gave_up: bool,
    has_ended: bool,
}

impl Keeper {
    pub(super) fn new(shared: &Arc<Shared>, tree: Tree) -> Self {
        let (ended, gave_up) = (CancellationToken::new(), CancellationToken::new());
        Self { shared: shared.clone(), state: Mutex::new(State::new(tree)), ended, gave_up }
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

    /// Tells the tree what became of a life, unless a younger one has begun. What comes too late of the present one
    /// finds the agent down, and the tree does not mind.
    fn report(self: &Arc<Self>, leaf: NodeId, life: u64, what: impl FnOnce(&mut Member, &mut Tree)) {
        self.tell(|State { tree, members, .. }| {
            if let Some(member) = members.get_mut(&leaf).filter(|member| member.life == life) {
                what(member, tree);
            }
        });
    }

    fn up(self: &Arc<Self>, leaf: NodeId, life: u64) {
        self.report(leaf, life, |_, tree| tree.up(leaf));
    }

    fn ended(self: &Arc<Self>, leaf: NodeId, life: u64, end: End) {
        let (chance, is_closing) = (self.shared.chance(), self.shared.is_closing());
        self.report(leaf, life, |member, tree| {
            member.patience = None;
            if is_closing {
                tree.wind_down();
            }
            tree.ended(leaf, end, Instant::now(), chance);
        });
    }

    fn finished(self: &Arc<Self>, leaf: NodeId) {
        let _dropped_without_the_lock = self.tell(|state| {
            state.tree.finished(leaf);
            state.members.remove(&leaf)
        });
    }

    /// Goes on without an agent that did not end in time.
    fn give_up_on(self: &Arc<Self>, leaf: NodeId, life: u64) {
        if let Left::ForGood(member) = self.tell(|state| state.give_up_on(leaf, life)) {
            member.agent.raise(Control::Stop);
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
        // All under the lock: between two agents that end at the same time, the second one must see it.
        state.gave_up |= after.gave_up;
        after.has_ended = state.has_ended();
        after
    }

    fn see_to(&self, after: After) {
        if after.gave_up {
            tracing::error!("a supervision tree gave up: more deaths than the policy of its root allows");
            self.gave_up.cancel();
        }
        after.raised.iter().for_each(|(agent, control)| agent.raise(*control));
        if after.has_ended {
            self.ended.cancel();
        }
    }

    fn obey(self: &Arc<Self>, command: Command, state: &mut State, after: &mut After) {
        match command {
            Command::Begin(leaf) => state.with(leaf, Member::begin),
            Command::Retain(leaf) => state.with(leaf, |member| member.agent.order(Order::Retain)),
            Command::Halt(leaf) => state.with(leaf, |member| {
                member.agent.order(Order::Halt(member.life));
                self.wait_for_the_end(leaf, member);
            }),
            Command::Drain(leaf) => state.with(leaf, |member| {
                after.raised.push((member.agent.clone(), Control::Drain));
                self.wait_for_the_end(leaf, member);
            }),
            Command::Finish(leaf) => self.finish(leaf, state, after),
            Command::Wait(sweep, delay) => {
                drop(self.later(delay, move |keeper| keeper.tell(|state| state.tree.due(sweep))));
            }
            Command::GaveUp(_) => after.gave_up = true,
        }
    }

    fn finish(self: &Arc<Self>, leaf: NodeId, state: &mut State, after: &mut After) {
        let Some(member) = state.members.get_mut(&leaf) else { return };
        after.raised.push((member.agent.clone(), Control::Stop));
        if member.is_overdue {
            // It was waited for already.
            state.members.remove(&leaf);
        } else if member.patience.is_none() {
            self.wait_for_the_end(leaf, member);
        }
    }

    fn wait_for_the_end(self: &Arc<Self>, leaf: NodeId, member: &mut Member) {
        let life = member.life;
        let wait = self.later(member.stop_within, move |keeper| keeper.give_up_on(leaf, life));
        member.patience = wait.map(AbortOnDropHandle::new);
    }

    fn later(
        self: &Arc<Self>,
        delay: Duration,
        act: impl FnOnce(&Arc<Self>) + Send + 'static,
    ) -> Option<JoinHandle<()>> {
        let (keeper, sleep) = (self.clone(), self.shared.sleep(delay));
        self.shared.watch_over(async move {
            sleep.await;
            act(&keeper);
        })
    }
}
