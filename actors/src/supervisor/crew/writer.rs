//! How are the findings arranged?

use std::sync::Arc;
use std::time::Duration;

use super::asked::NoUse;
use super::caller::{Caller, OnCall};
use super::consult::{CrewModel, Listener, Question};
use super::{Made, Strategy};
use crate::agent::{Agent, Turn, WorkError};
use crate::gateway::Priority;
use crate::mailbox::Reply;
use crate::research::model::{marked, write};
use crate::research::{Draft, Findings, Plan, rules};

/// The actor that writes.
pub(in crate::supervisor) struct Writer {
    pub(in crate::supervisor) strategy: Strategy,
}

/// Takes the text of the answer while it is written, in pieces that say no more than their sources.
pub(in crate::supervisor) type OnText = Box<dyn Fn(String) + Send + Sync>;

/// A draft, and how many sentences were left out of it because they rest on nothing.
pub(in crate::supervisor) type Written = Made<(Draft, usize)>;

/// What a writer understands.
pub(in crate::supervisor) enum WriteDraft {
    /// "Make a draft of this."
    Begin {
        plan: Arc<Plan>,
        findings: Arc<[Findings]>,
        /// How long a model may take; then the rules write.
        within: Duration,
        on_text: OnText,
        on_call: OnCall,
        reply: Reply<Written>,
    },
    /// The model wrote, or did not.
    Written {
        answer: Result<Result<Written, NoUse>, WorkError>,
        plan: Arc<Plan>,
        findings: Arc<[Findings]>,
        reply: Reply<Written>,
    },
}

impl Agent for Writer {
    type Message = WriteDraft;

    fn handle(&mut self, message: WriteDraft, turn: &mut Turn<'_, WriteDraft>) {
        match (message, &self.strategy) {
            (WriteDraft::Begin { plan, findings, reply, .. }, Strategy::Rules) => {
                reply.send(Made::by_rules((rules::write::write(&plan, &findings), 0)));
            }
            // Somebody is in a hurry: that is not the model's fault.
            (WriteDraft::Begin { plan, findings, within, reply, .. }, Strategy::Model(_)) if within.is_zero() => {
                reply.send(Made::by_rules((rules::write::write(&plan, &findings), 0)));
            }
            (WriteDraft::Begin { plan, findings, within, on_text, on_call, reply }, Strategy::Model(model)) => {
                let caller = Caller::writer(on_call);
                let work = write_by_model(model.clone(), plan.clone(), findings.clone(), within, on_text, caller);
                let begun = turn.start(work, |answer| WriteDraft::Written { answer, plan, findings, reply });
                if let Err(refused) = begun {
                    self.handle(refused, turn);
                }
            }
            (WriteDraft::Written { answer, plan, findings, reply }, strategy) => {
                let by_rules = || (rules::write::write(&plan, &findings), 0);
                reply.send(match answer {
                    Ok(Ok(written)) => written,
                    Ok(Err(no_use)) => no_use.rules_made(by_rules()),
                    Err(error) => Made::by_rules_instead(by_rules(), strategy.wanted(), error.to_string()),
                });
            }
        }
    }
}

async fn write_by_model(
    model: Arc<CrewModel>,
    plan: Arc<Plan>,
    findings: Arc<[Findings]>,
    within: Duration,
    on_text: OnText,
    caller: Caller,
) -> Result<Written, NoUse> {
    let ask = |step| write::request(&plan, &findings, step, model.output_tokens);
    let read = |step, reply: &str| write::read(&plan, &findings, step, reply);
    let (its_plan, its_findings) = (plan.clone(), findings.clone());
    let hear = Box::new(move |step: usize, piece: &str| {
        let text = write::shown_early(&its_plan, &its_findings, step, piece);
        if !text.is_empty() {
            on_text(text);
        }
    });
    let listener = Some(Listener { complete: marked::complete, hear });
    model.consult(Question { ask, read, within, priority: Priority::Urgent, listener, caller }).await
}
