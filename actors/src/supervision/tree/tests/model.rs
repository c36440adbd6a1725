//! OTP's rules as a recursive function over the tree: each event is followed through at once, without phases, answers or
//! commands. It shares nothing with the machine but the words.

use super::super::{Lifetime, Strategy};
use super::PERIOD;
use super::shape::Shape;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Fine,
    /// Down, and to be seen to by the parent.
    Crashed,
}

#[derive(Debug, Default)]
pub(super) struct Agent {
    lifetime: Lifetime,
    pub(super) up: bool,
    pub(super) gone: bool,
    pub(super) begun: u32,
    has_been_up: bool,
    pub(super) starts_to_fail: u32,
    pub(super) ends_normally: bool,
}

#[derive(Debug)]
pub(super) struct Group {
    strategy: Strategy,
    limit: usize,
    lifetime: Lifetime,
    up: bool,
    gone: bool,
    restarts: Vec<u64>,
    children: Vec<Child>,
}

#[derive(Debug)]
enum Child {
    Agent(Agent),
    Group(Group),
}

impl Child {
    fn new(shape: &Shape) -> Self {
        match shape {
            Shape::Agent(lifetime) => Self::Agent(Agent { lifetime: *lifetime, ..Agent::default() }),
            Shape::Group(..) => Self::Group(Group::new(shape)),
        }
    }

    fn agents(&mut self) -> Vec<&mut Agent> {
        match self {
            Self::Agent(agent) => vec![agent],
            Self::Group(group) => group.agents(),
        }
    }

    fn lifetime(&self) -> Lifetime {
        match self {
            Self::Agent(agent) => agent.lifetime,
            Self::Group(group) => group.lifetime,
        }
    }

    fn is_idle(&self) -> bool {
        match self {
            Self::Agent(agent) => !agent.up && !agent.gone,
            Self::Group(group) => !group.up && !group.gone,
        }
    }

    fn start(&mut self, now: u64) -> Outcome {
        match self {
            Self::Agent(agent) => {
                agent.begun += 1;
                agent.up = agent.starts_to_fail == 0;
                agent.starts_to_fail = agent.starts_to_fail.saturating_sub(1);
                agent.has_been_up |= agent.up;
                agent.gone = !agent.has_been_up;
                if agent.up || agent.gone { Outcome::Fine } else { Outcome::Crashed }
            }
            Self::Group(group) => {
                group.up = true;
                group.restarts.clear();
                group.fill(0, group.children.len(), now)
            }
        }
    }

    /// Ended by its parent.
    fn halt(&mut self) {
        let is_temporary = self.lifetime() == Lifetime::Temporary;
        match self {
            Self::Agent(agent) if agent.up => {
                agent.up = false;
                let is_done = std::mem::take(&mut agent.ends_normally) && agent.lifetime == Lifetime::Transient;
                agent.gone = is_temporary || is_done;
            }
            Self::Group(group) if group.up && is_temporary => self.finish(),
            Self::Group(group) if group.up => group.halt_all(),
            _ => {}
        }
    }

    fn finish(&mut self) {
        match self {
            Self::Agent(agent) => (agent.up, agent.gone) = (false, true),
            Self::Group(group) => {
                (group.up, group.gone) = (false, true);
                group.children.iter_mut().for_each(Child::finish);
            }
        }
    }
}

impl Group {
    pub(super) fn new(shape: &Shape) -> Self {
        let Shape::Group(strategy, limit, lifetime, children) = shape else { panic!("the root is a group") };
        let children = children.iter().map(Child::new).collect();
        let (strategy, limit, lifetime) = (*strategy, *limit as usize, *lifetime);
        Self { strategy, limit, lifetime, up: false, gone: false, restarts: Vec::new(), children }
    }

    /// Starts all; whether the root gave up.
    pub(super) fn begin(&mut self, now: u64) -> bool {
        self.up = true;
        let outcome = self.fill(0, self.children.len(), now);
        self.settle(outcome)
    }

    /// An agent, by its number in order of start, ends by itself; whether the root gave up.
    pub(super) fn end(&mut self, agent: usize, normally: bool, now: u64) -> bool {
        let mut number = agent;
        let outcome = self.ended(&mut number, normally, now).expect("the agent is in the tree");
        self.settle(outcome)
    }

    pub(super) fn agents(&mut self) -> Vec<&mut Agent> {
        self.children.iter_mut().flat_map(Child::agents).collect()
    }

    fn settle(&mut self, outcome: Outcome) -> bool {
        if outcome == Outcome::Crashed {
            self.children.iter_mut().for_each(Child::finish);
        }
        outcome == Outcome::Crashed
    }

    fn ended(&mut self, number: &mut usize, normally: bool, now: u64) -> Option<Outcome> {
        for at in 0..self.children.len() {
            match &mut self.children[at] {
                Child::Agent(agent) if *number == 0 => {
                    agent.up = false;
                    agent.gone = normally && agent.lifetime == Lifetime::Transient;
                    return Some(if agent.gone { Outcome::Fine } else { self.crashed(at, now) });
                }
                Child::Agent(_) => *number -= 1,
                Child::Group(group) => match group.ended(number, normally, now) {
                    Some(Outcome::Crashed) => return Some(self.crashed(at, now)),
                    Some(Outcome::Fine) => return Some(Outcome::Fine),
                    None => {}
                },
            }
        }
        None
    }

    /// A child went down in a way that may call for a restart.
    fn crashed(&mut self, at: usize, now: u64) -> Outcome {
        if self.children[at].lifetime() == Lifetime::Temporary {
            self.children[at].finish();
            return Outcome::Fine;
        }
        self.restarts.retain(|then| now - then < PERIOD);
        if self.restarts.len() == self.limit {
            self.halt_all();
            return Outcome::Crashed;
        }
        self.restarts.push(now);
        let (from, to) = match self.strategy {
            Strategy::OneForOne => (at, at + 1),
            Strategy::OneForAll => (0, self.children.len()),
            Strategy::RestForOne => (at, self.children.len()),
        };
        self.children[from..to].iter_mut().rev().for_each(Child::halt);
        self.fill(from, to, now)
    }

    fn fill(&mut self, from: usize, to: usize, now: u64) -> Outcome {
        for at in from..to {
            let has_crashed = self.children[at].is_idle() && self.children[at].start(now) == Outcome::Crashed;
            if has_crashed && self.crashed(at, now) == Outcome::Crashed {
                return Outcome::Crashed;
            }
        }
        Outcome::Fine
    }

    fn halt_all(&mut self) {
        self.children.iter_mut().rev().for_each(Child::halt);
        self.up = false;
    }
}
