//! What did an ask wait for when its time was over? So that whoever reads the error knows what to speed up, or whom to ask.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What an ask waited for at the end of its time.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AskWait {
    /// Its turn: the agent carries out one ask at a time.
    Line,
    /// What was said in its session before.
    Session,
    /// A guardrail.
    Guardrail,
    /// A place in the gateway's queue, or its next attempt.
    Queue,
    /// The model.
    Model,
    /// Whoever reads its events, and did not.
    Reader,
    /// These tools.
    Tools(Vec<String>),
    /// A person who approves a call of this tool.
    Approval(String),
}

impl fmt::Display for AskWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line => f.write_str("its turn in the agent's line"),
            Self::Session => f.write_str("the store of its session"),
            Self::Guardrail => f.write_str("a guardrail"),
            Self::Queue => f.write_str("a place in the gateway's queue"),
            Self::Model => f.write_str("the model"),
            Self::Reader => f.write_str("whoever reads its events"),
            Self::Tools(names) if names.len() == 1 => write!(f, "the tool {}", names[0]),
            Self::Tools(names) => write!(f, "the tools {}", names.join(", ")),
            Self::Approval(tool) => write!(f, "a person who approves a call of the tool {tool}"),
        }
    }
}

/// What one call of a tool waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Guardrail,
    Approval,
    Tool,
}

/// The tool calls of a turn that have begun and are not over. What is dropped with its time stays here, to be told.
#[derive(Debug, Default)]
pub(super) struct Pending(Mutex<Calls>);

/// Each call under its number: ids are the provider's, and some give none.
type Calls = (u32, BTreeMap<u32, (String, Stage)>);

impl Pending {
    /// A call of this tool begins: its number.
    pub(super) fn begins(&self, tool: &str) -> u32 {
        let (number, calls) = &mut *self.calls();
        *number += 1;
        calls.insert(*number, (tool.to_owned(), Stage::Tool));
        *number
    }

    /// So many calls have begun.
    pub(super) fn begun(&self) -> u32 {
        self.calls().0
    }

    /// The call is at this stage.
    pub(super) fn at(&self, number: u32, now: Stage) {
        if let Some((_, stage)) = self.calls().1.get_mut(&number) {
            *stage = now;
        }
    }

    /// The call is over.
    pub(super) fn over(&self, number: u32) {
        self.calls().1.remove(&number);
    }

    /// Whether nothing is waited for.
    pub(super) fn is_empty(&self) -> bool {
        self.calls().1.is_empty()
    }

    /// What they wait for: a person before all others, because nothing else makes him faster.
    pub(super) fn waits(&self) -> AskWait {
        let (_, calls) = &*self.calls();
        let of = |wanted| calls.values().filter(move |(_, stage)| *stage == wanted).map(|(tool, _)| tool.clone());
        if let Some(tool) = of(Stage::Approval).next() {
            return AskWait::Approval(tool);
        }
        let mut tools: Vec<_> = of(Stage::Tool).collect();
        // Calls of one tool need not be neighbours.
        tools.sort();
        tools.dedup();
        match tools.is_empty() && of(Stage::Guardrail).next().is_some() {
            true => AskWait::Guardrail,
            false => AskWait::Tools(tools),
        }
    }

    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_named_before_tools_and_tools_before_guardrails() {
        let pending = Pending::default();
        let look = pending.begins("look");
        pending.at(look, Stage::Guardrail);
        assert_eq!(pending.waits().to_string(), "a guardrail");
        let reads = [pending.begins("read"), pending.begins("read")];
        assert_eq!(pending.waits().to_string(), "the tool read");
        pending.at(look, Stage::Tool);
        assert_eq!(pending.waits().to_string(), "the tools look, read");
        pending.at(reads[1], Stage::Approval);
        assert_eq!(pending.waits(), AskWait::Approval("read".to_owned()));
        reads.into_iter().for_each(|read| pending.over(read));
        assert_eq!(pending.waits(), AskWait::Tools(vec!["look".to_owned()]));
        let _calls = ["read", "look"].map(|tool| pending.begins(tool));
        assert_eq!(pending.waits().to_string(), "the tools look, read", "each is named once");
    }
}
