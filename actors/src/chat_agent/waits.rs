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
    /// What others have reserved of its budget, for calls that were not over.
    Budget,
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
            Self::Budget => f.write_str("what others had reserved of its budget"),
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

/// What became of one tool call, in words for the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) id: String,
    pub(super) text: String,
    /// What is said in its place to agents that it is not for; `None` when it is for all.
    pub(super) to_others: Option<String>,
}

/// The tool calls of a turn that have begun, each under its place in the turn: ids are the provider's, and some give none. What is
/// dropped with its time stays here, to be told.
#[derive(Debug, Default)]
pub(super) struct Pending(Mutex<BTreeMap<usize, Begun>>);

/// A call that has begun.
#[derive(Debug)]
enum Begun {
    /// Of this tool.
    Open(String, Stage),
    Over(Outcome),
}

impl Pending {
    /// A call of this tool begins.
    pub(super) fn begins(&self, number: usize, tool: &str) {
        self.calls().insert(number, Begun::Open(tool.to_owned(), Stage::Tool));
    }

    /// The call is at this stage.
    pub(super) fn at(&self, number: usize, now: Stage) {
        if let Some(Begun::Open(_, stage)) = self.calls().get_mut(&number) {
            *stage = now;
        }
    }

    /// The call is over.
    pub(super) fn over(&self, number: usize, outcome: Outcome) {
        self.calls().insert(number, Begun::Over(outcome));
    }

    /// Whether so many calls are over, and none that has begun is not.
    pub(super) fn are_over(&self, calls: usize) -> bool {
        let begun = self.calls();
        begun.len() == calls && begun.values().all(|call| matches!(call, Begun::Over(_)))
    }

    /// All that have begun, with what became of them; `None` of those that are not over.
    pub(super) fn take(&self) -> BTreeMap<usize, Option<Outcome>> {
        let outcome = |call| match call {
            Begun::Open(..) => None,
            Begun::Over(outcome) => Some(outcome),
        };
        std::mem::take(&mut *self.calls()).into_iter().map(|(number, call)| (number, outcome(call))).collect()
    }

    /// What they wait for: a person before all others, because nothing else makes him faster. Where none is open the next one waits for
    /// the reader of what those before have said.
    pub(super) fn waits(&self) -> AskWait {
        let calls = self.calls();
        let open = calls.values().filter_map(|call| match call {
            Begun::Open(tool, stage) => Some((tool, *stage)),
            Begun::Over(_) => None,
        });
        let of = |wanted| open.clone().filter(move |(_, stage)| *stage == wanted).map(|(tool, _)| tool.clone());
        if let Some(tool) = of(Stage::Approval).next() {
            return AskWait::Approval(tool);
        }
        let mut tools: Vec<_> = of(Stage::Tool).collect();
        // Calls of one tool need not be neighbours.
        tools.sort();
        tools.dedup();
        match (tools.is_empty(), of(Stage::Guardrail).next()) {
            (false, _) => AskWait::Tools(tools),
            (true, Some(_)) => AskWait::Guardrail,
            (true, None) => AskWait::Reader,
        }
    }

    fn calls(&self) -> MutexGuard<'_, BTreeMap<usize, Begun>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_named_before_tools_and_tools_before_guardrails() {
        let pending = Pending::default();
        assert_eq!(pending.waits(), AskWait::Reader, "none has begun");
        pending.begins(0, "look");
        pending.at(0, Stage::Guardrail);
        assert_eq!(pending.waits().to_string(), "a guardrail");
        [1, 2].into_iter().for_each(|read| pending.begins(read, "read"));
        assert_eq!(pending.waits().to_string(), "the tool read");
        pending.at(0, Stage::Tool);
        assert_eq!(pending.waits().to_string(), "the tools look, read");
        pending.at(2, Stage::Approval);
        assert_eq!(pending.waits(), AskWait::Approval("read".to_owned()));
        let said = || Outcome { id: String::new(), text: "said".to_owned(), to_others: None };
        [1, 2].into_iter().for_each(|read| pending.over(read, said()));
        assert_eq!(pending.waits(), AskWait::Tools(vec!["look".to_owned()]));
        [(3, "read"), (4, "look")].into_iter().for_each(|(number, tool)| pending.begins(number, tool));
        assert_eq!(pending.waits().to_string(), "the tools look, read", "each is named once");
        let begun = [(0, None), (1, Some(said())), (2, Some(said())), (3, None), (4, None)];
        assert_eq!(pending.take(), BTreeMap::from(begun));
    }
}
