//! What does an agent with a model do with a question? It calls the model, makes the tool calls that the model wants, and so on
//! until there is an answer, or a limit ends it with what there is.
//!
//! - `spec`, `limits`: how an agent is started, and how far an ask may go
//! - `question`, `answer`, `stream`: what goes in, what comes out, what can be seen meanwhile
//! - `behalf`, `expense`: on whose behalf it is asked, and at whose expense
//! - `many`: many questions at once
//! - `delegate`, `callers`: agents that work for others, and who waits for whom
//! - `sessions`, `summary`, `remember`, `rests`: what an agent knows of what was said before
//! - `guard`: guardrails, and a person who approves
//! - `typed`: an answer that is a value
//! - `turns`: what follows from what a model or a tool says; pure
//! - `tools`, `made`: the tool calls of one turn, and which of them were made before
//! - `places`, `threads`: how many of them are at work, those that nobody waits for included
//! - `drive`, `using`: one ask carried out, and the calls of its tools
//! - `waits`: what it waited for when its time was over
//! - `line`, `host`: one ask at a time, and where

mod answer;
mod begun;
mod behalf;
mod callers;
mod delegate;
mod drive;
mod expense;
mod form;
mod guard;
mod host;
mod limits;
mod line;
mod made;
mod many;
mod places;
mod question;
mod remember;
mod rests;
mod sessions;
mod spec;
mod stream;
mod summary;
mod threads;
mod tools;
mod turns;
mod typed;
mod using;
mod waits;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::error::AskError;
use crate::mailbox::Ask;
use host::Host;

use answer::Ended;
pub use answer::{Answer, AskLimit, AskMetrics, ChatAgentError};
pub use callers::Callers;
pub use delegate::AgentTool;
pub use expense::AgentBudget;
pub use limits::AskLimits;
pub use many::{AskAll, AskProgress};
pub use places::{HeldPlace, ToolPlace};
pub use question::{AnswerForm, Check, Question};
pub use sessions::MemorySessions;
pub use spec::ChatAgentSpec;
pub use stream::{AskEvent, AskStream};
pub use typed::{AskingAs, Typed};
pub use waits::AskWait;

/// How long the agent itself may take beyond the time of an ask, to say that it is over.
const GRACE: Duration = Duration::from_secs(1);

/// An agent that answers questions with a model and tools. Clones are the same agent, which ends with the last of them, once what was
/// asked is answered. Each ask begins anew, unless it
/// names a [session](Question::session): it knows the agent's instructions and nothing of earlier asks.
#[derive(Clone)]
pub struct ChatAgent {
    host: Arc<Host>,
}

impl std::fmt::Debug for ChatAgent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChatAgent({}, {})", self.host.name, self.host.plan.model)
    }
}

impl ChatAgent {
    /// Asks. The question is on its way when this returns. One at a time is carried out, in the order in which they came; each ask
    /// may take as long as its limits say, in the line included. Dropping the future ends it: its model call and its tools are
    /// dropped, down to the socket.
    ///
    /// # Errors
    /// [`ChatAgentError`] holds what there is so far when a limit or the model ended it. [`ChatAgentError::Question`], of one whose session, run or user
    /// has an empty name, before anything is asked.
    pub fn ask(&self, question: impl Into<Question>) -> Asking {
        self.host.ask(question.into(), None)
    }

    /// The same, with its events as they come: text, tool calls, usage.
    pub fn ask_stream(&self, question: impl Into<Question>) -> AskStream {
        let (sender, events) = mpsc::channel(stream::ROOM);
        let asking = self.host.ask(question.into(), Some(sender));
        AskStream::new(events, asking)
    }

    /// Another agent like it.
    fn another(&self) -> Self {
        Self { host: Host::new(self.host.name.clone(), self.host.plan.clone()) }
    }

    /// Its name, for people.
    pub fn name(&self) -> &str {
        &self.host.name
    }

    /// Closes its front door: what was asked is still answered, and then it ends. It takes over from no other agent any more.
    pub fn drain(&self) {
        self.host.drain();
    }

    /// Ends it; whoever waits for an answer learns that it has stopped. What it took over from others, and what [`ask_all`](Self::ask_all)
    /// has begun, goes on.
    pub fn stop(&self) {
        self.host.stop();
    }
}

/// The answer, when it comes. Dropping it ends the ask.
#[must_use = "the answer is in the future: await it"]
pub struct Asking(Asked);

enum Asked {
    /// On its way.
    Sent(Ask<Ended>, Arc<AskTurn>),
    /// Not sent. In a box, so that those that are hold no room for it; `None` once it was told.
    Refused(Option<Box<ChatAgentError>>),
}

impl Asking {
    fn new(ask: Ask<Ended>, turn: Arc<AskTurn>) -> Self {
        Self(Asked::Sent(ask, turn))
    }

    fn refused(error: impl Into<ChatAgentError>) -> Self {
        Self(Asked::Refused(Some(Box::new(error.into()))))
    }

    /// Whether its turn has come, and it may have cost something.
    fn has_begun(&self) -> bool {
        matches!(&self.0, Asked::Sent(_, turn) if turn.has_come.load(Ordering::Acquire))
    }
}

/// Whether it is the turn of an ask, for whoever waits for it and hears nothing.
struct AskTurn {
    /// The agent's name.
    agent: Arc<str>,
    asked: Instant,
    has_come: AtomicBool,
}

impl AskTurn {
    /// The agent has said nothing within the time of the ask and some more. In its line the ask cost nothing. One that is carried out
    /// on a shard that is blocked may have cost something, and nobody knows what.
    fn late(&self, total: Duration) -> ChatAgentError {
        let (mut partial, waited_for) = match self.has_come.load(Ordering::Acquire) {
            true => (Answer::default(), None),
            false => (Answer::unasked(), Some(AskWait::Line)),
        };
        partial.agent = self.agent.clone();
        partial.metrics.total = total;
        partial.metrics.in_line = if waited_for.is_some() { total } else { Duration::ZERO };
        ChatAgentError::limit(AskLimit::Time, waited_for, String::new(), partial)
    }
}

impl Future for Asking {
    type Output = Result<Answer, ChatAgentError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (ask, turn) = match &mut self.0 {
            Asked::Sent(ask, turn) => (ask, turn),
            Asked::Refused(error) => {
                let told = error.take().map_or(ChatAgentError::Agent(AskError::Unanswered), |error| *error);
                return Poll::Ready(Err(told));
            }
        };
        Poll::Ready(match ready!(Pin::new(ask).poll(cx)) {
            Ok(ended) => ended.map(|answer| *answer),
            Err(AskError::Timeout) => Err(turn.late(turn.asked.elapsed())),
            Err(error) => Err(ChatAgentError::Agent(error)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_ask_whose_turn_has_not_come_is_said_to_have_cost_nothing() {
        for (has_come, cost, waited) in [(false, Some(0), Some(AskWait::Line)), (true, None, None)] {
            let turn = AskTurn { agent: "anna".into(), asked: Instant::now(), has_come: has_come.into() };
            let ChatAgentError::Limit { waited_for, partial, .. } = turn.late(GRACE) else { panic!("another error") };
            assert_eq!((waited_for, partial.metrics.cost_micros, partial.metrics.total), (waited, cost, GRACE));
            assert_eq!((&*partial.agent, partial.metrics.in_line.is_zero()), ("anna", has_come));
        }
    }
}
