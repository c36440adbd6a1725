//! How does one agent work for another? As a tool, which it asks and whose answer it uses; or by a handoff, after which the other one
//! goes on with the conversation.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::answer::{Answer, AskMetrics, ChatAgentError};
use super::callers::{Callers, Wait};
use super::host::Host;
use super::question::Question;
use super::{Asking, ChatAgent};
use crate::chat::ToolSpec;
use crate::error::{AskError, ToolError};
use crate::ports::{Tool, ToolContext, ToolPolicy};

/// Agents that may stand behind each other: each of them waits for the next.
const DEEPEST: usize = 16;

/// An agent as a tool of others.
#[derive(Debug, Clone)]
pub struct AgentTool {
    agent: ChatAgent,
    spec: Arc<ToolSpec>,
    policy: ToolPolicy,
}

impl ChatAgent {
    /// This agent as a tool that others may call: they ask it a question and are told its answer. The tool has the agent's name, in
    /// the signs that a tool's name may have. One call may take as long as the agent's own limits say. `description` tells the model when
    /// to call it; in place of an empty one it is told the agent's name.
    pub fn as_tool(&self, description: impl Into<String>) -> AgentTool {
        let parameters = json!({
            "type": "object",
            "properties": { "question": { "type": "string", "description": "All that the other agent needs to know." } },
            "required": ["question"],
            "additionalProperties": false,
        });
        let description = or_else(description.into(), || format!("Asks the agent {}.", self.name()));
        let spec = ToolSpec { name: tool_name(self.name()), description, parameters: parameters.into() };
        let policy = ToolPolicy { timeout: self.host.plan.limits.time, ..ToolPolicy::default() };
        AgentTool { agent: self.clone(), spec: Arc::new(spec), policy }
    }
}

impl AgentTool {
    /// How it may be called.
    #[must_use]
    pub fn policy(mut self, policy: ToolPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// That the callers wait for it, if they may.
    fn wait(&self, arguments: &Value, callers: &Callers) -> Result<Wait, ToolError> {
        let name = &self.spec.name;
        if !arguments["question"].is_string() {
            return Err(ToolError::Arguments("`question` must be a text".to_owned()));
        }
        let in_circle = || ToolError::Failed(format!("{name} waits for your answer itself: answer without it"));
        let wait = callers.wait_for(self.agent.host.id).ok_or_else(in_circle)?;
        if callers.len() >= DEEPEST {
            return Err(ToolError::Failed(format!("{DEEPEST} agents stand behind each other: answer without {name}")));
        }
        Ok(wait)
    }
}

impl Tool for AgentTool {
    fn spec(&self) -> Arc<ToolSpec> {
        self.spec.clone()
    }

    fn policy(&self) -> ToolPolicy {
        self.policy
    }

    fn call(&self, arguments: Value, context: ToolContext) -> BoxFuture<'static, Result<String, ToolError>> {
        let wait = match self.wait(&arguments, &context.callers) {
            Ok(wait) => wait,
            Err(refused) => return Box::pin(std::future::ready(Err(refused))),
        };
        // A question without any time could not be asked.
        let left = context.deadline.saturating_duration_since(tokio::time::Instant::now()).max(Duration::from_nanos(1));
        let mut question = Question::new(arguments["question"].as_str().unwrap_or_default()).within(left);
        (question.budget, question.run, question.user) = (context.budget, context.run, context.user);
        (question.priority, question.callers) = (context.priority, context.callers.clone());
        let mut asked =
            Delegated { asking: self.agent.ask(question), callers: context.callers, is_over: false, _wait: wait };
        Box::pin(async move { asked.ended().await.map(|answer| answer.text).map_err(|error| told(&error)) })
    }
}

/// A question of an agent's.
struct Delegated {
    asking: Asking,
    callers: Callers,
    is_over: bool,
    _wait: Wait,
}

impl Delegated {
    /// How it ended. What it took counts for whoever asked.
    async fn ended(&mut self) -> Result<Answer, ChatAgentError> {
        let ended = (&mut self.asking).await;
        let answer = ended.as_ref().map_or_else(ChatAgentError::partial, Some);
        if let Some(answer) = answer {
            self.callers.count(&answer.metrics);
        }
        // Without an answer nobody knows more than of one that is cut off.
        self.is_over = answer.is_some();
        ended
    }
}

impl Drop for Delegated {
    /// Cut off in the middle, it used nobody knows what.
    fn drop(&mut self) {
        if !self.is_over && self.asking.has_begun() {
            self.callers.count(&AskMetrics { calls_without_usage: 1, ..AskMetrics::default() });
        }
    }
}

/// What the agent that called is told. What there was is of use, too.
fn told(error: &ChatAgentError) -> ToolError {
    match error {
        ChatAgentError::Agent(AskError::Overloaded) => ToolError::Unavailable(error.to_string()),
        _ => match error.partial().map(|partial| partial.text.as_str()) {
            None | Some("") => ToolError::Failed(error.to_string()),
            Some(text) => ToolError::Failed(format!("{error}; so far it says: {text}")),
        },
    }
}

/// Another agent that may take over.
pub(super) struct Handoff {
    pub(super) spec: Arc<ToolSpec>,
    pub(super) host: Arc<Host>,
}

impl Handoff {
    pub(super) fn to(agent: &ChatAgent, description: String) -> Self {
        let name = format!("transfer_to_{}", tool_name(agent.name()));
        let name: String = name.chars().take(64).collect();
        let parameters = json!({ "type": "object", "properties": {}, "additionalProperties": false });
        let description = or_else(description, || format!("Hands the conversation over to {}.", agent.name()));
        let spec = Arc::new(ToolSpec { name, description, parameters: parameters.into() });
        Self { spec, host: agent.host.clone() }
    }

    /// Why it does not take over: it was told to end, or its runtime has stopped.
    pub(super) fn refusal(&self) -> Option<ToolError> {
        let name = &self.host.name;
        (!self.host.can_take_over()).then(|| ToolError::Failed(format!("{name} has stopped: go on without it")))
    }

    /// What the agent that goes on is told.
    pub(super) fn words(&self) -> String {
        format!("you are {} from here on: go on with the conversation", self.host.name)
    }

    /// What all others are told of it: those who go on after the next handoff, and those who are asked later in the session.
    pub(super) fn to_others(&self) -> String {
        format!("this question was handed over to {}", self.host.name)
    }
}

/// What is said, or what is said in place of nothing.
fn or_else(said: String, otherwise: impl FnOnce() -> String) -> String {
    if said.trim().is_empty() { otherwise() } else { said }
}

fn tool_name(name: &str) -> String {
    let fits = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    let name: String = name.chars().map(fits).take(64).collect();
    if name.is_empty() { "agent".to_owned() } else { name }
}
