//! Who looks at what goes in, comes out or is done, and who decides about it? Guardrails, which are code, and an approver, who is a person.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::answer::{Answer, AskLimit, ChatAgentError, Ended};
use super::waits::{AskWait, Stage};
use crate::chat::Role;
use crate::error::ToolError;
use crate::ports::{Approval, Approver, Decision, Guarded, Guardrail, Verdict};

/// How long those who look at an output have when the time of the ask is over. It is less than what its asker waits beyond that time.
const MOMENT: Duration = Duration::from_millis(500);

/// Whoever guards an agent.
#[derive(Clone, Default)]
pub(super) struct Guards {
    pub(super) input: Vec<Arc<dyn Guardrail>>,
    pub(super) output: Vec<Arc<dyn Guardrail>>,
    pub(super) tools: Vec<Arc<dyn Guardrail>>,
    pub(super) approver: Option<Arc<dyn Approver>>,
}

/// A guardrail that blocks, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Blocked {
    pub(super) guardrail: String,
    pub(super) reason: String,
}

/// Asks all of them side by side; the first one that blocks ends it. One that panics blocks.
pub(super) fn look(rails: &[Arc<dyn Guardrail>], what: &Guarded) -> BoxFuture<'static, Option<Blocked>> {
    if rails.is_empty() {
        return Box::pin(std::future::ready(None));
    }
    let looks: FuturesUnordered<_> = rails
        .iter()
        .map(|rail| {
            let name = rail.name().to_owned();
            let (rail, what) = (rail.clone(), what.clone());
            async move {
                // Called here, so that a panic at once is one of the look.
                let verdict = std::panic::AssertUnwindSafe(async move { rail.check(what).await }).catch_unwind().await;
                let reason = match verdict {
                    Ok(Verdict::Pass) => return None,
                    Ok(Verdict::Block(reason)) => reason,
                    Err(panic) => format!("it panicked: {}", crate::mailbox::panic_text(panic)),
                };
                Some(Blocked { guardrail: name, reason })
            }
        })
        .collect();
    let blocked = looks.filter_map(std::future::ready);
    Box::pin(async move { std::pin::pin!(blocked).next().await })
}

/// An answer, whole or cut, that those who look at it let pass. Of an ask that ended otherwise it is what was said so far: without it, the
/// error stays what it is.
pub(super) async fn passed(rails: &[Arc<dyn Guardrail>], mut ended: Ended, until: Instant) -> Ended {
    let (answer, is_answer) = match &ended {
        Ok(answer) => (&**answer, true),
        // What is wrong with an answer may be said in its own words.
        Err(error) => match error.partial().filter(|partial| !said(partial).is_empty()) {
            Some(partial) => (partial, is_answer(error)),
            None => return ended,
        },
    };
    let what = if ended.is_ok() { answer.text.clone() } else { said(answer) };
    // What an ask has when its time is over is worth a moment more.
    let until = if is_answer { until } else { until.max(Instant::now() + MOMENT) };
    let looked = tokio::time::timeout_at(until, look(rails, &Guarded::Output(what))).await;
    let blocked = match looked {
        Ok(None) => return ended,
        Ok(Some(blocked)) => Some(blocked),
        // An answer that nobody has looked at is not given away either.
        Err(_late) => None,
    };
    let withheld = match &blocked {
        Some(Blocked { guardrail, reason }) => format!("the guardrail {guardrail} blocked it: {reason}"),
        None => "its guardrails did not come to their end in time".to_owned(),
    };
    let nothing = Answer { metrics: answer.metrics.clone(), withheld: Some(withheld), ..Answer::default() };
    if !is_answer {
        if let Some(partial) = ended.as_mut().err().and_then(ChatAgentError::partial_mut) {
            *partial = nothing;
        }
        return ended;
    }
    Err(match blocked {
        Some(Blocked { guardrail, reason }) => {
            ChatAgentError::Blocked { guardrail, reason, partial: Box::new(nothing) }
        }
        None => ChatAgentError::late(AskWait::Guardrail, nothing),
    })
}

/// All that the model has said in an ask that has no answer: one text after the other.
fn said(partial: &Answer) -> String {
    let turns = partial.turns.iter().filter(|turn| turn.role == Role::Assistant).map(|turn| turn.text.as_str());
    // A reply that was cut is no turn. Only what the model has said is looked at: it may repeat what it was asked.
    let last = Some(partial.text.as_str()).filter(|last| turns.clone().next_back() != Some(*last));
    turns.chain(last).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n")
}

/// Whether it is about an answer, which is cut or not what it has to be.
fn is_answer(error: &ChatAgentError) -> bool {
    matches!(error, ChatAgentError::Limit { limit: AskLimit::OutputTokens, .. } | ChatAgentError::Unfit { .. })
}

impl Guards {
    pub(super) fn looks_at_input(&self) -> bool {
        !self.input.is_empty()
    }

    /// Those who look at a question, if there are any.
    pub(super) fn look_at_input(&self, text: &str) -> Option<BoxFuture<'static, Option<Blocked>>> {
        (!self.input.is_empty()).then(|| look(&self.input, &Guarded::Input(text.to_owned())))
    }

    /// Whether a tool may be called so: no guardrail blocks it, and a person approves it where the tool wants that. `at` is told for which
    /// of them it waits.
    pub(super) async fn allow(
        &self,
        agent: &Arc<str>,
        tool: &str,
        arguments: &Value,
        needs_approval: bool,
        at: impl Fn(Stage),
    ) -> Result<(), ToolError> {
        let what = || Guarded::ToolCall { tool: tool.to_owned(), arguments: arguments.clone() };
        if !self.tools.is_empty() {
            at(Stage::Guardrail);
        }
        if !self.tools.is_empty()
            && let Some(Blocked { guardrail, reason }) = look(&self.tools, &what()).await
        {
            return Err(ToolError::Failed(format!("it is not allowed ({guardrail}): {reason}")));
        }
        match &self.approver {
            _ if !needs_approval => Ok(()),
            None => Err(ToolError::Failed("it needs a person's approval, and there is nobody to ask".to_owned())),
            Some(approver) => {
                let fingerprint = fingerprint(tool, arguments);
                let (agent, tool, arguments) = (agent.clone(), tool.to_owned(), arguments.clone());
                let approval = Approval { agent, tool, arguments, fingerprint: fingerprint.clone() };
                at(Stage::Approval);
                // Called here, so that a panic at once is one of the approver.
                let asked =
                    std::panic::AssertUnwindSafe(async { approver.decide(approval).await }).catch_unwind().await;
                let panicked = |panic| format!("the approver panicked: {}", crate::mailbox::panic_text(panic));
                match asked.unwrap_or_else(|panic| Decision::Denied { reason: panicked(panic) }) {
                    Decision::Approved { fingerprint: of } if of == fingerprint => Ok(()),
                    Decision::Approved { .. } => {
                        Err(ToolError::Failed("what was approved is another call than this one".to_owned()))
                    }
                    Decision::Denied { reason } => Err(ToolError::Failed(format!("it was not approved: {reason}"))),
                }
            }
        }
    }
}

/// SHA-256 of the tool's name and its arguments, in hexadecimal. The names of an object are in their order.
fn fingerprint(tool: &str, arguments: &Value) -> String {
    let mut hasher = Sha256::new();
    hasher.update((tool.len() as u64).to_le_bytes());
    hasher.update(tool);
    hasher.update(arguments.to_string());
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
