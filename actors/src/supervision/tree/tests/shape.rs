//! Random trees: up to three levels of groups and twelve agents.

use proptest::prelude::*;
use proptest::sample::select;

use super::super::{Lifetime, Strategy as Rule};

pub(super) const AGENTS: usize = 12;

/// A tree to be made: for a group its strategy, intensity, lifetime and children.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    Agent(Lifetime),
    Group(Rule, u32, Lifetime, Vec<Shape>),
}

impl Shape {
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text, &mut 0);
        text
    }

    fn write(&self, text: &mut String, agents: &mut usize) {
        let mark = |lifetime: &Lifetime| ["", "?", "!"][*lifetime as usize];
        match self {
            Self::Agent(lifetime) => {
                *text += &format!("a{agents}{} ", mark(lifetime));
                *agents += 1;
            }
            Self::Group(rule, limit, lifetime, children) => {
                let rule = ["one", "all", "rest"][*rule as usize];
                // Some restart at once.
                let backoff = ["", "~"][(*limit as usize + children.len()) % 2];
                *text += &format!("{rule}/{limit}{backoff}{}[ ", mark(lifetime));
                children.iter().for_each(|child| child.write(text, agents));
                *text += "] ";
            }
        }
    }

    fn agents(&self) -> usize {
        match self {
            Self::Agent(_) => 1,
            Self::Group(.., children) => children.iter().map(Shape::agents).sum(),
        }
    }
}

pub(super) fn lifetimes() -> impl Strategy<Value = Lifetime> {
    use Lifetime::{Permanent, Temporary, Transient};
    select(vec![Permanent, Permanent, Permanent, Transient, Temporary])
}

fn group(child: impl Strategy<Value = Shape>, limit: u32) -> impl Strategy<Value = Shape> {
    let rule = select(vec![Rule::OneForOne, Rule::OneForAll, Rule::RestForOne]);
    let children = prop::collection::vec(child, 1..5);
    let shape = |(rule, limit, lifetime, children)| Shape::Group(rule, limit, lifetime, children);
    (rule, 0..limit, lifetimes(), children).prop_map(shape)
}

pub(super) fn shapes() -> impl Strategy<Value = Shape> {
    let agent = || lifetimes().prop_map(Shape::Agent);
    let low = prop_oneof![2 => agent(), 1 => group(agent(), 3)];
    let child = prop_oneof![1 => agent(), 1 => group(low, 4)];
    group(child, 6).prop_filter("few agents", |shape| shape.agents() <= AGENTS)
}
