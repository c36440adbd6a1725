//! How does an agent ask an actor of actix's? As a tool whose arguments are the actor's message.

use std::sync::Arc;

use callboard_actors::chat::ToolSpec;
use callboard_actors::error::{AskError, ToolError};
use callboard_actors::mailbox::{ActixMessage, ActixRef};
use callboard_actors::ports::{Tool, ToolContext, ToolPolicy};
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{ToolOutput, port};

/// An actor of actix's as a tool. What the model writes, a JSON object, becomes a message of type `M`, and the actor's answer is what the
/// model is told.
pub struct ActixTool<M: ActixMessage> {
    member: ActixRef<M>,
    spec: Arc<ToolSpec>,
    policy: ToolPolicy,
    checked: port::Checked,
}

impl<M: ActixMessage> std::fmt::Debug for ActixTool<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ActixTool({}, {:?})", self.spec.name, self.member)
    }
}

impl<M: ActixMessage + DeserializeOwned + JsonSchema> ActixTool<M> {
    /// A tool called `name`; `description` tells the model when to call it.
    pub fn new(member: &ActixRef<M>, name: &str, description: &str) -> Self {
        let spec = Arc::new(port::spec_of::<M>(name, description));
        Self { member: member.clone(), spec, policy: ToolPolicy::default(), checked: port::Checked::new() }
    }

    /// How it may be called.
    #[must_use]
    pub fn policy(mut self, policy: ToolPolicy) -> Self {
        self.policy = policy;
        self
    }
}

impl<M: ActixMessage + DeserializeOwned + JsonSchema> Tool for ActixTool<M>
where
    M::Result: ToolOutput,
{
    fn spec(&self) -> Arc<ToolSpec> {
        self.spec.clone()
    }

    fn policy(&self) -> ToolPolicy {
        self.policy
    }

    fn call(&self, arguments: Value, context: ToolContext) -> BoxFuture<'static, Result<String, ToolError>> {
        let left = context.deadline.saturating_duration_since(tokio::time::Instant::now());
        let asking =
            port::arguments(arguments, &self.checked, &self.spec).map(|message| self.member.ask(left, message));
        Box::pin(async move { asking?.await.map_err(told)?.into_output() })
    }
}

fn told(error: AskError) -> ToolError {
    match error.is_retryable() {
        true => ToolError::Unavailable(error.to_string()),
        false => ToolError::Failed(error.to_string()),
    }
}
