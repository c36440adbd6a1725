//! Who is restarted with whom, in which order, and who gives up? A supervision tree by OTP's rules, as a pure state
//! machine: reports in, commands out; time and chance are arguments; another executes the commands.
//!
//! A death that must be followed by a restart is put to the group's intensity, and if that is exceeded, to the parent's as
//! one crash of the group, up to the root. Who decides is known at once; then the children that must go with it are
//! halted in reverse order of start, each awaited, and after the backoff all are begun in order, each when the one before
//! is up. What dies while it is being halted counts as halted.
//!
//! Where this differs from OTP's `supervisor`, apart from the backoff: a transient child that ended normally is gone for
//! good; a temporary child is gone also when its own group is restarted; an escalation does not wait for the failing
//! group's children before it ends its younger siblings, so that nobody runs on an elder that is gone; a start that fails
//! inside a group that is being begun counts there first, not at once at the parent. All children are added one by one, as
//! with `start_child`: one whose very first start fails is gone, alone, and counts nowhere.

mod agenda;
mod nodes;
mod scope;
mod sweep;
#[cfg(test)]
mod tests;
mod words;

use tokio::time::Instant;

use self::agenda::Agenda;
use self::nodes::{Doom, Group, Kind, Nodes, State};
use self::scope::Scope;
pub use self::words::{Command, End, GroupSpec, Lifetime, NodeId, Strategy, SweepId};
use crate::supervision::Decision;

/// A supervision tree. Every input may add commands; [`Tree::take_commands`] hands them out.
///
/// Reports must be about the incarnation that was last begun: after `late` the old one is nobody's business. Reports
/// about agents that are gone are ignored. Memory is bounded by the agents that are not gone and the groups' intensities.
#[derive(Debug, Clone)]
pub struct Tree {
    nodes: Nodes,
    root: NodeId,
    agenda: Agenda,
    gave_up: bool,
    winding_down: bool,
    commands: Vec<Command>,
}

impl Tree {
    /// An empty tree; the root's lifetime means nothing.
    pub fn new(root: GroupSpec) -> Self {
        let mut nodes = Nodes::default();
        let group = Kind::Group(Box::new(Group::new(root)));
        let root = nodes.add(None, Lifetime::Permanent, group).expect("a node without a parent is always taken");
        let agenda = Agenda::default();
        Self { nodes, root, agenda, gave_up: false, winding_down: false, commands: Vec::new() }
    }

    /// The root group.
    pub fn root(&self) -> NodeId {
        self.root
    }

    /// Adds a group as the youngest child; `None` if the parent is no group, or is on its way out.
    pub fn add_group(&mut self, parent: NodeId, spec: GroupSpec) -> Option<NodeId> {
        self.nodes.add(Some(parent), spec.lifetime, Kind::Group(Box::new(Group::new(spec))))
    }

    /// Adds an agent as the youngest child and begins it after its elder siblings are up, or as part of a sweep that is
    /// under way; `None` if the parent is no group, or is on its way out.
    pub fn add_agent(&mut self, parent: NodeId, lifetime: Lifetime) -> Option<NodeId> {
        let leaf = self.nodes.add(Some(parent), lifetime, Kind::Leaf(State::Down))?;
        self.start(leaf);
        self.advance();
        Some(leaf)
    }

    /// The incarnation has started.
    pub fn up(&mut self, leaf: NodeId) {
        if self.nodes.state(leaf) == Some(State::Starting) {
            self.nodes.set_state(leaf, State::Up);
            self.stir(leaf);
            self.advance();
        }
    }

    /// The incarnation ended. `chance` in `0.0..1.0` chooses the jitter of the backoff.
    pub fn ended(&mut self, leaf: NodeId, end: End, now: Instant, chance: f64) {
        match self.nodes.state(leaf) {
            None | Some(State::Down) => return,
            Some(State::Finishing) => self.remove_leaf(leaf),
            Some(State::Draining) => {
                self.commands.push(Command::Finish(leaf));
                self.remove_leaf(leaf);
            }
            Some(state) => {
                self.let_go(leaf);
                if state != State::Halting || end != End::Halted {
                    self.died(leaf, end, now, chance);
                }
            }
        }
        self.advance();
    }

    /// It did not end within its time-out: counts as down.
    pub fn late(&mut self, leaf: NodeId) {
        match self.nodes.state(leaf) {
            Some(State::Halting) => self.let_go(leaf),
            Some(State::Draining | State::Finishing) => self.remove_leaf(leaf),
            _ => return,
        }
        self.advance();
    }

    /// It is gone for good, as it was told or by another's hand.
    pub fn finished(&mut self, leaf: NodeId) {
        if self.nodes.state(leaf).is_some() {
            self.remove_leaf(leaf);
            self.advance();
        }
    }

    /// The backoff of a sweep is over.
    pub fn due(&mut self, sweep: SweepId) {
        if let Some(waiting) = self.agenda.get_mut(sweep) {
            waiting.due = true;
            self.agenda.wake(sweep);
            self.advance();
        }
    }

    /// Finishes an agent, or a group with all its agents in reverse order of start; each drains.
    pub fn remove(&mut self, node: NodeId) {
        if self.nodes.get(node).is_some_and(|node| node.doom.is_none()) {
            self.dismiss(node, Doom::Asked);
            self.advance();
        }
    }

    /// Finishes everything in reverse order of start; each drains.
    pub fn stop(&mut self) {
        self.remove(self.root);
    }

    /// Everything is about to end from outside: from here on a death concerns nobody but the agent that died, as if each
    /// was alone in a group with the intensity of its own.
    pub fn wind_down(&mut self) {
        self.winding_down = true;
    }

    /// What is to be done since the last call, in this order.
    pub fn take_commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.commands)
    }

    /// Whether nothing is being ended, waited for or begun.
    pub fn is_settled(&self) -> bool {
        self.agenda.is_empty()
    }

    /// Whether it is part of the tree: not yet finished.
    pub fn knows(&self, node: NodeId) -> bool {
        self.nodes.get(node).is_some()
    }

    /// Whether it was told to end, for now or for good, and has not answered.
    pub fn is_leaving(&self, leaf: NodeId) -> bool {
        matches!(self.nodes.state(leaf), Some(State::Halting | State::Draining | State::Finishing))
    }

    /// Whether it was told to end for good, and has not answered.
    pub fn is_finishing(&self, leaf: NodeId) -> bool {
        matches!(self.nodes.state(leaf), Some(State::Draining | State::Finishing))
    }

    fn let_go(&mut self, leaf: NodeId) {
        self.nodes.set_state(leaf, State::Down);
        self.stir(leaf);
    }

    fn remove_leaf(&mut self, leaf: NodeId) {
        self.stir(leaf);
        self.nodes.forget(leaf);
    }

    /// It died by itself, and is down.
    fn died(&mut self, leaf: NodeId, end: End, now: Instant, chance: f64) {
        let Some(node) = self.nodes.get(leaf) else { return };
        let is_stillborn = end == End::Crash && !node.is_proven;
        if node.doom.is_some() {
            // It is finished in its turn.
        } else if is_stillborn || node.lifetime.is_over(end != End::Crash) {
            self.commands.push(Command::Finish(leaf));
            self.remove_leaf(leaf);
        } else if self.is_halting(leaf) {
            self.commands.push(Command::Retain(leaf));
        } else if self.winding_down {
            self.decide_alone(leaf, now, chance);
        } else {
            self.decide(leaf, now, chance);
        }
    }

    /// It is restarted or given up, and nobody with it.
    fn decide_alone(&mut self, leaf: NodeId, now: Instant, chance: f64) {
        let Some(parent) = self.nodes.parent(leaf) else { return };
        let Some(group) = self.nodes.group_mut(parent) else { return };
        if let Decision::Restart(delay) = group.history.decide(&group.spec.policy, now, chance) {
            self.commands.push(Command::Retain(leaf));
            self.restart(Scope::single(parent, leaf), delay);
        } else {
            self.commands.push(Command::Finish(leaf));
            self.remove_leaf(leaf);
        }
    }

    /// Who restarts whom: the nearest group above whose intensity is not exceeded.
    fn decide(&mut self, leaf: NodeId, now: Instant, chance: f64) {
        let mut child = leaf;
        while let Some(parent) = self.nodes.parent(child) {
            let Some(group) = self.nodes.group_mut(parent) else { return };
            if let Decision::Restart(delay) = group.history.decide(&group.spec.policy, now, chance) {
                let scope = match group.spec.strategy {
                    Strategy::OneForOne => Scope::single(parent, child),
                    Strategy::OneForAll => Scope::all(parent),
                    Strategy::RestForOne => Scope::rest(parent, child),
                };
                self.commands.push(Command::Retain(leaf));
                return self.restart(scope, delay);
            }
            child = parent;
            if self.nodes.get(child).is_some_and(|group| group.lifetime == Lifetime::Temporary) {
                return self.dismiss(child, Doom::Swept);
            }
        }
        self.gave_up = true;
        self.dismiss(child, Doom::Swept);
    }
}
