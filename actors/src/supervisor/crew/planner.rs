//! Which parts does the question have?

use super::Strategy;
use crate::agent::{Agent, Turn};
use crate::mailbox::Reply;
use crate::research::{Plan, rules};

/// The actor that plans.
pub(in crate::supervisor) struct Planner {
    pub(in crate::supervisor) strategy: Strategy,
}

/// "Plan this."
pub(in crate::supervisor) struct PlanQuestion {
    pub(in crate::supervisor) question: String,
    pub(in crate::supervisor) reply: Reply<Plan>,
}

impl Agent for Planner {
    type Message = PlanQuestion;

    fn handle(&mut self, message: PlanQuestion, _turn: &mut Turn<'_, PlanQuestion>) {
        match self.strategy {
            Strategy::Rules => message.reply.send(rules::plan::plan(&message.question)),
        }
    }
}
