//! How is a set of agents ended and begun again? In reverse order of start, then, after the backoff, in order, one after
//! the other. Two sweeps are nested or disjoint: their scopes are subtrees and suffixes of one tree.

use std::time::Duration;

use super::Tree;
use super::nodes::{Doom, Kind, State};
use super::scope::Scope;
use super::words::{Command, Lifetime, NodeId, SweepId};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Halting,
    Waiting,
    Beginning,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Sweep {
    pub(super) scope: Scope,
    pub(super) phase: Phase,
    /// The backoff is over.
    pub(super) due: bool,
    /// It starts new children: also those before it must be up.
    pub(super) after_elders: bool,
}

impl Tree {
    /// Ends all of the scope, and begins again what is not doomed after the delay.
    pub(super) fn restart(&mut self, scope: Scope, delay: Duration) {
        self.nodes.row(scope).into_iter().for_each(|id| self.freshen(id));
        self.sweep(scope, delay);
    }

    /// Finishes a node for good, in its turn.
    pub(super) fn dismiss(&mut self, id: NodeId, doom: Doom) {
        self.nodes.doom(id, doom);
        if !self.is_halting(id) {
            let scope = self.nodes.parent(id).map_or(Scope::all(id), |parent| Scope::single(parent, id));
            self.sweep(scope, Duration::ZERO);
        }
        self.stir(id);
    }

    /// Begins a new agent after its elders, unless a sweep that is under way will. An empty group that nobody was begun
    /// in has its own turn among its siblings still before it.
    pub(super) fn start(&mut self, leaf: NodeId) {
        if self.agenda.over(&self.nodes, leaf).next().is_some() {
            return self.stir(leaf);
        }
        let mut child = leaf;
        let Some(mut group) = self.nodes.parent(leaf) else { return };
        while let (Some(above), false) = (self.nodes.parent(group), self.is_open(group)) {
            (child, group) = (group, above);
        }
        let scope = Scope::rest(group, child);
        self.agenda.add(Sweep { scope, phase: Phase::Beginning, due: true, after_elders: true });
    }

    /// Whether a sweep is ending it: whatever ends it now counts as halted.
    pub(super) fn is_halting(&self, id: NodeId) -> bool {
        self.agenda.is_halting(&self.nodes, id)
    }

    /// Lets every sweep go as far as it can.
    pub(super) fn advance(&mut self) {
        while let Some(id) = self.agenda.next() {
            while self.step(id) {}
        }
    }

    /// Something has happened to a node.
    pub(super) fn stir(&mut self, id: NodeId) {
        self.agenda.stir(&self.nodes, id);
    }

    fn sweep(&mut self, scope: Scope, delay: Duration) {
        self.agenda.absorb(&self.nodes, scope);
        let due = delay.is_zero();
        let id = self.agenda.add(Sweep { scope, phase: Phase::Halting, due, after_elders: false });
        if !due {
            self.commands.push(Command::Wait(id, delay));
        }
    }

    /// A group that is ended as a whole forgets its restarts; what is temporary and has been begun will not come back.
    fn freshen(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get(id) else { return };
        let temporary = node.lifetime == Lifetime::Temporary;
        match &node.kind {
            Kind::Leaf(state) if temporary && *state != State::Down => self.nodes.doom(id, Doom::Swept),
            Kind::Leaf(_) => {}
            Kind::Group(group) if temporary && group.opened => self.nodes.doom(id, Doom::Swept),
            Kind::Group(_) => {
                if let Some(group) = self.nodes.group_mut(id) {
                    group.history = Default::default();
                }
                self.nodes.row(Scope::all(id)).into_iter().for_each(|child| self.freshen(child));
            }
        }
    }

    pub(super) fn step(&mut self, id: SweepId) -> bool {
        let Some(sweep) = self.agenda.get(id) else { return false };
        match sweep.phase {
            Phase::Halting => self.end_next(id, sweep.scope),
            Phase::Waiting if sweep.due => self.enter(id, Phase::Beginning),
            Phase::Waiting => false,
            Phase::Beginning => self.begin_next(id, sweep),
        }
    }

    fn enter(&mut self, id: SweepId, phase: Phase) -> bool {
        if let Some(sweep) = self.agenda.get_mut(id) {
            sweep.phase = phase;
        }
        true
    }

    fn end_next(&mut self, id: SweepId, scope: Scope) -> bool {
        if let Some(leaf) = self.nodes.last_leaving(scope) {
            return self.hurry(leaf);
        }
        let Some(leaf) = self.nodes.last_running(scope) else {
            self.nodes.row(scope).into_iter().for_each(|child| self.bury(child));
            self.report_end();
            return self.enter(id, Phase::Waiting);
        };
        let (command, state) = match self.nodes.doom_of(leaf) {
            None => (Command::Halt(leaf), State::Halting),
            // Who is down handles nothing any more.
            Some(_) if self.nodes.state(leaf) == Some(State::Down) => {
                self.nodes.forget(leaf);
                self.commands.push(Command::Finish(leaf));
                return true;
            }
            Some(Doom::Asked) => (Command::Drain(leaf), State::Draining),
            Some(Doom::Swept) => (Command::Finish(leaf), State::Finishing),
        };
        self.commands.push(command);
        self.nodes.set_state(leaf, state);
        true
    }

    /// Whoever still drains because somebody asked for it is ended at once if now its group wants to go on without it.
    fn hurry(&mut self, leaf: NodeId) -> bool {
        let is_slow = self.nodes.state(leaf) == Some(State::Draining) && self.nodes.doom_of(leaf) == Some(Doom::Swept);
        if is_slow {
            self.commands.push(Command::Finish(leaf));
            self.nodes.set_state(leaf, State::Finishing);
        }
        is_slow
    }

    /// Removes the doomed groups: their agents are gone.
    fn bury(&mut self, id: NodeId) {
        match self.nodes.get(id) {
            Some(node) if node.doom.is_some() => self.nodes.forget(id),
            Some(_) => self.nodes.row(Scope::all(id)).into_iter().for_each(|child| self.bury(child)),
            None => {}
        }
    }

    fn report_end(&mut self) {
        let is_empty = self.nodes.group(self.root).is_none_or(|root| root.children.is_empty());
        if self.gave_up && is_empty {
            self.gave_up = false;
            self.commands.push(Command::GaveUp(self.root));
        }
    }

    fn begin_next(&mut self, id: SweepId, sweep: Sweep) -> bool {
        if sweep.after_elders && !self.nodes.elders_up(sweep.scope) {
            return false;
        }
        let Some(leaf) = self.nodes.first_missing(sweep.scope) else {
            self.agenda.remove(id);
            self.agenda.stir_above(&self.nodes, sweep.scope);
            return false;
        };
        // Another one within this one may be at it.
        if self.nodes.state(leaf) != Some(State::Down) || self.agenda.over(&self.nodes, leaf).next() != Some(id) {
            return false;
        }
        self.open_above(leaf);
        self.nodes.set_state(leaf, State::Starting);
        self.commands.push(Command::Begin(leaf));
        true
    }

    fn is_open(&self, id: NodeId) -> bool {
        self.nodes.group(id).is_some_and(|group| group.opened)
    }

    fn open_above(&mut self, mut id: NodeId) {
        while let Some(parent) = self.nodes.parent(id) {
            if let Some(group) = self.nodes.group_mut(parent) {
                group.opened = true;
            }
            id = parent;
        }
    }
}
