//! How are the findings arranged?

use super::Strategy;
use crate::agent::{Agent, Turn};
use crate::mailbox::Reply;
use crate::research::{Draft, Findings, Plan, rules};

/// The actor that writes.
pub(in crate::supervisor) struct Writer {
    pub(in crate::supervisor) strategy: Strategy,
}

/// "Make a draft of this."
pub(in crate::supervisor) struct WriteDraft {
    pub(in crate::supervisor) plan: Plan,
    pub(in crate::supervisor) findings: Vec<Findings>,
    pub(in crate::supervisor) reply: Reply<Draft>,
}

impl Agent for Writer {
    type Message = WriteDraft;

    fn handle(&mut self, message: WriteDraft, _turn: &mut Turn<'_, WriteDraft>) {
        match self.strategy {
            Strategy::Rules => message.reply.send(rules::write::write(&message.plan, &message.findings)),
        }
    }
}
