//! Obeys the tree's commands, answers in a random order, and checks what must hold at every step.

use std::time::Duration;

use tokio::time::Instant;

use super::super::{Command, End, Lifetime, NodeId, Strategy, SweepId, Tree};
use super::agents::{Agent, Ending};
use super::shape::Shape;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Start(usize),
    Halt(usize),
    Finish(usize),
    Due(SweepId),
}

pub(super) struct Simulator {
    tree: Tree,
    pub(super) groups: Vec<NodeId>,
    start: Instant,
    pub(super) seconds: u64,
    pub(super) agents: Vec<Agent>,
    answers: Vec<Answer>,
    pub(super) gave_up: bool,
    /// Nothing has happened yet but starts.
    pub(super) is_new: bool,
    /// The times of all restarts.
    pub(super) restarts: Vec<u64>,
    random: u64,
}

impl Simulator {
    pub(super) fn new(shape: &Shape, random: u64) -> Self {
        let (tree, names) = super::tree(&shape.text());
        let ids = (0..).map_while(|at| names.get(&format!("a{at}")));
        let agents = ids.map(|id| Agent::new(*id, tree.nodes.parent(*id).expect("a group"))).collect();
        let groups = names.iter().filter(|(name, _)| !name.starts_with('a')).map(|(_, id)| *id).collect();
        let (answers, restarts) = (Vec::new(), Vec::new());
        let (start, random) = (Instant::now(), random | 1);
        let (seconds, gave_up, is_new) = (0, false, true);
        let mut new = Self { tree, groups, start, seconds, agents, answers, gave_up, is_new, restarts, random };
        new.obey();
        new
    }

    pub(super) fn end(&mut self, at: usize, end: End) {
        let agent = &mut self.agents[at];
        if !agent.alive {
            return;
        }
        agent.open = end != End::Halted;
        let id = agent.id;
        self.lose(at);
        let now = self.start + Duration::from_secs(self.seconds);
        self.tree.ended(id, end, now, 0.5);
        self.obey();
    }

    pub(super) fn remove(&mut self, at: usize) {
        self.agents[at].removed = true;
        self.tree.remove(self.agents[at].id);
        self.obey();
    }

    pub(super) fn add(&mut self, group: usize, lifetime: Lifetime) {
        let group = self.groups[group % self.groups.len()];
        if let Some(id) = self.tree.add_agent(group, lifetime) {
            self.agents.push(Agent::new(id, group));
            self.obey();
        }
    }

    pub(super) fn add_group(&mut self, parent: usize, word: &str) {
        let parent = self.groups[parent % self.groups.len()];
        if let Some(id) = self.tree.add_group(parent, super::group_spec(word)) {
            self.groups.push(id);
            self.obey();
        }
    }

    pub(super) fn remove_group(&mut self, at: usize) {
        self.tree.remove(self.groups[at % self.groups.len()]);
        self.obey();
    }

    pub(super) fn wind_down(&mut self) {
        self.tree.wind_down();
    }

    pub(super) fn stop(&mut self) {
        self.tree.stop();
        self.obey();
    }

    /// Gives one answer that is owed; false if there is none.
    pub(super) fn answer(&mut self) -> bool {
        if self.answers.is_empty() {
            return false;
        }
        let at = self.random(self.answers.len());
        match self.answers.swap_remove(at) {
            Answer::Due(sweep) => self.tree.due(sweep),
            Answer::Finish(at) => self.go(at),
            Answer::Start(at) if self.agents[at].starts_to_fail > 0 => {
                self.agents[at].starts_to_fail -= 1;
                self.end(at, End::Crash);
            }
            Answer::Start(at) => {
                self.agents[at].up = true;
                self.tree.up(self.agents[at].id);
            }
            Answer::Halt(at) => match std::mem::replace(&mut self.agents[at].ending, Ending::AsAsked) {
                Ending::AsAsked => self.end(at, End::Halted),
                Ending::Normal => self.end(at, End::Normal),
                Ending::Crash => self.end(at, End::Crash),
                Ending::Late => {
                    self.lose(at);
                    self.tree.late(self.agents[at].id);
                }
            },
        }
        self.obey();
        true
    }

    /// It was told to end for good: it goes, dies on its way, or is not waited for any longer.
    fn go(&mut self, at: usize) {
        let id = self.agents[at].id;
        match self.random(4) {
            0 if self.agents[at].alive => return self.end(at, End::Crash),
            0 | 1 => self.tree.late(id),
            _ => self.tree.finished(id),
        }
        self.agents[at].finished = true;
        self.lose(at);
    }

    pub(super) fn settle(&mut self) {
        let steps = (0..10_000).take_while(|_| self.answer()).count();
        assert!(steps < 10_000, "it never settles");
        assert!(self.tree.is_settled(), "it waits for nothing: {:?}", self.tree);
        for agent in &self.agents {
            assert!(agent.up != agent.finished, "neither works nor is gone: {agent:?}");
            assert!(agent.finished == self.tree.nodes.get(agent.id).is_none(), "not forgotten: {agent:?}");
            assert!(agent.finished || !agent.open, "never told what follows its death: {agent:?}");
        }
        self.tree.assert_complete();
        self.is_new = false;
    }

    pub(super) fn random(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % below as u64) as usize
    }

    /// The incarnation is no more, and owes no answer.
    fn lose(&mut self, at: usize) {
        (self.agents[at].alive, self.agents[at].up) = (false, false);
        self.answers.retain(|answer| ![Answer::Start(at), Answer::Halt(at)].contains(answer));
    }

    fn obey(&mut self) {
        self.tree.assert_at_rest();
        for command in self.tree.take_commands() {
            assert!(!self.gave_up, "{command:?} after giving up");
            match command {
                Command::Begin(id) => {
                    let at = self.at(id);
                    let agent = &self.agents[at];
                    assert!(!agent.alive && !agent.open, "begun again: {agent:?}");
                    self.check_elders(at);
                    self.agents[at].alive = true;
                    self.agents[at].begun += 1;
                    self.answers.push(Answer::Start(at));
                }
                Command::Retain(id) => {
                    let at = self.at(id);
                    assert!(self.agents[at].open, "retained without a death");
                    self.agents[at].open = false;
                }
                Command::Halt(id) => {
                    let at = self.at(id);
                    assert!(self.agents[at].alive && !self.answers.contains(&Answer::Halt(at)), "halted twice");
                    self.check_younger(at);
                    self.answers.push(Answer::Halt(at));
                }
                Command::Drain(id) => {
                    let at = self.at(id);
                    assert!(self.agents[at].alive, "who is down drains nothing: {:?}", self.agents[at]);
                    self.check_younger(at);
                    self.answers.push(Answer::Finish(at));
                }
                Command::Finish(id) => {
                    let at = self.at(id);
                    self.agents[at].finished = true;
                    // It may be draining already.
                    if self.agents[at].alive && !self.answers.contains(&Answer::Finish(at)) {
                        self.check_younger(at);
                        self.answers.push(Answer::Finish(at));
                    }
                }
                Command::Wait(sweep, delay) => {
                    assert!(!delay.is_zero());
                    self.restarts.push(self.seconds);
                    self.answers.push(Answer::Due(sweep));
                }
                Command::GaveUp(id) => {
                    assert_eq!(id, self.tree.root());
                    assert!(self.agents.iter().all(|agent| agent.finished && !agent.alive), "gave up too early");
                    self.gave_up = true;
                }
            }
        }
    }

    fn at(&self, id: NodeId) -> usize {
        let at = self.agents.iter().position(|agent| agent.id == id).expect("an agent of the tree");
        assert!(!self.agents[at].finished, "a command for a finished agent");
        at
    }

    fn check_younger(&self, at: usize) {
        let agent = &self.agents[at];
        let hangs_on = |(group, child)| group == agent.group && child > agent.id;
        let is_younger = |other: &Agent| self.tree.nodes.path(other.id).any(hangs_on);
        for younger in self.agents.iter().filter(|other| other.alive && is_younger(other)) {
            assert!(agent.removed, "ended before a younger one: {agent:?} {younger:?}");
        }
    }

    /// Whoever would take it along is up; at first everybody before it.
    fn check_elders(&self, at: usize) {
        let agent = &self.agents[at];
        let is_alone = self.tree.winding_down;
        let path: Vec<_> = self.tree.nodes.path(agent.id).collect();
        let strategy = |group: &NodeId| self.tree.nodes.group(*group).map(|group| group.spec.strategy);
        let takes_along = |elder: &Agent| {
            let is_elder = |(group, child): &(NodeId, NodeId)| *group == elder.group && elder.id < *child;
            path.iter().any(|step| is_elder(step) && strategy(&step.0) != Some(Strategy::OneForOne))
        };
        for (number, elder) in self.agents.iter().enumerate() {
            let is_there = elder.up || elder.finished || elder.removed;
            let must_be = (takes_along(elder) && !is_alone) || (self.is_new && number < at);
            assert!(is_there || !must_be, "begun before its elder: {agent:?} {elder:?}");
        }
    }
}
