//! Whose turn is it with an agent? One ask at a time, in the order in which they came; the others wait in its line.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use super::answer::{Answer, ChatAgentError};
use super::drive::{self, Events, carry_out, too_many};
use super::question::Question;
use super::spec::Plan;
use crate::agent::{Agent, Turn, WorkError};
use crate::mailbox::Reply;

/// What an agent with a model understands.
pub(super) enum Message {
    Ask(Box<Asked>),
    /// The ask that was carried out is over.
    Over,
}

/// An ask on its way.
pub(super) struct Asked {
    pub(super) question: Question,
    pub(super) asked: Instant,
    pub(super) events: Events,
    pub(super) reply: Reply<Result<Answer, ChatAgentError>>,
}

/// The actor.
pub(super) struct Actor {
    plan: Arc<Plan>,
    is_busy: bool,
    /// At most as many as its mailbox takes.
    line: VecDeque<Asked>,
}

impl Actor {
    pub(super) fn new(plan: Arc<Plan>) -> Self {
        Self { plan, is_busy: false, line: VecDeque::new() }
    }

    fn begin(&mut self, asked: Asked, turn: &mut Turn<'_, Message>) {
        let Asked { question, asked, events, mut reply } = asked;
        let me = turn.me();
        let agent = drive::Agent { plan: self.plan.clone(), name: me.name().into(), id: me.id() };
        let work = async move {
            let work = carry_out(agent, question, asked, events);
            let answer = tokio::select! {
                biased;
                () = reply.abandoned() => return,
                answer = work => answer,
            };
            reply.send(answer);
        };
        let over = |ended: Result<(), WorkError>| {
            if let Err(error) = ended {
                tracing::warn!(%error, "an ask did not come to its end");
            }
            Message::Over
        };
        // There is room for the one that is carried out.
        self.is_busy = turn.start(work, over).is_ok();
    }
}

impl Agent for Actor {
    type Message = Message;

    fn handle(&mut self, message: Message, turn: &mut Turn<'_, Message>) {
        match message {
            Message::Ask(asked) if !self.is_busy => self.begin(*asked, turn),
            Message::Ask(asked) => {
                self.line.retain(|waiting| !waiting.reply.is_abandoned());
                match self.line.len() < self.plan.capacity {
                    true => self.line.push_back(*asked),
                    false => asked.reply.send(Err(too_many())),
                }
            }
            Message::Over => {
                self.is_busy = false;
                while let Some(next) = self.line.pop_front() {
                    if !next.reply.is_abandoned() {
                        return self.begin(next, turn);
                    }
                }
                // An agent that waits holds no memory for its line.
                self.line = VecDeque::new();
            }
        }
    }
}
