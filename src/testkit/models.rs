//! Which models does a test put in the place of a real one? One that plays a script, and one that is a function. Both are plain
//! [`ChatModel`]s: calls of them pass the gateway, with its limits and its numbers.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use callboard_actors::chat::{ChatReply, ChatRequest, Finish, TokenUsage, ToolCall};
use callboard_actors::error::ModelError;
use callboard_actors::ports::{ChatModel, ModelCall};
use futures_util::future::BoxFuture;
use serde_json::Value;

/// A model that gives the replies of its script, one for each call, in their order. After the last one each call fails and says so.
/// Clones are the same model, so that a test can keep one to look at.
#[derive(Debug, Clone, Default)]
pub struct ScriptedModel {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    script: Vec<Result<ChatReply, ModelError>>,
    asked: Vec<Arc<ChatRequest>>,
}

/// Requests that are kept to be looked at, the newest.
const KEPT: usize = 10_000;

impl ScriptedModel {
    /// With an empty script.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next reply is this text.
    #[must_use]
    pub fn says(self, text: impl Into<String>) -> Self {
        self.replies(Ok(ChatReply::text(text)))
    }

    /// The next reply calls this tool. Each `calls` is a reply of its own; [`ScriptedModel::and_calls`] behind it adds further calls to it.
    #[must_use]
    pub fn calls(self, tool: impl Into<String>, arguments: Value) -> Self {
        let reply = ChatReply { finish: Finish::ToolCalls, ..ChatReply::default() };
        self.replies(Ok(reply)).and_calls(tool, arguments)
    }

    /// The reply that was added last calls this tool, too.
    ///
    /// # Panics
    /// Panics when there is none, or when it is a failure.
    #[must_use]
    #[track_caller]
    pub fn and_calls(self, tool: impl Into<String>, arguments: Value) -> Self {
        let mut state = self.state();
        let number = state.script.len();
        let why = match state.script.last_mut() {
            Some(Ok(reply)) => {
                let id = format!("call-{number}-{}", reply.tool_calls.len() + 1);
                reply.tool_calls.push(ToolCall { id, name: tool.into(), arguments: arguments.to_string() });
                None
            }
            Some(Err(_)) => Some("the reply before it is a failure, which calls nothing"),
            None => Some("there is no reply before it"),
        };
        drop(state);
        if let Some(why) = why {
            panic!("`and_calls` adds to the reply before it, and {why}: begin one with `calls` or `says`");
        }
        self
    }

    /// The next call fails so.
    #[must_use]
    pub fn fails(self, error: ModelError) -> Self {
        self.replies(Err(error))
    }

    /// The next reply, or why there is none.
    #[must_use]
    pub fn replies(self, reply: Result<ChatReply, ModelError>) -> Self {
        self.state().script.push(reply);
        self
    }

    /// What it was asked, oldest first: the newest 10,000.
    pub fn asked(&self) -> Vec<Arc<ChatRequest>> {
        self.state().asked.clone()
    }

    /// Replies of the script that nobody has asked for yet.
    pub fn left(&self) -> usize {
        self.state().script.len()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChatModel for ScriptedModel {
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        let mut state = self.state();
        if state.asked.len() == KEPT {
            state.asked.remove(0);
        }
        state.asked.push(call.request.clone());
        let reply = match state.script.is_empty() {
            true => Err(ModelError::Provider("the script of the model is over: add a reply for this call".to_owned())),
            false => state.script.remove(0),
        };
        drop(state);
        Box::pin(give(call, reply))
    }
}

type Says = dyn Fn(&ChatRequest) -> Result<ChatReply, ModelError> + Send + Sync;

/// A model that is a function of the request.
#[derive(Clone)]
pub struct FunctionModel {
    says: Arc<Says>,
}

impl std::fmt::Debug for FunctionModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FunctionModel")
    }
}

impl FunctionModel {
    /// A model that says what the function says. It is called on a shard and must not block.
    pub fn new(says: impl Fn(&ChatRequest) -> Result<ChatReply, ModelError> + Send + Sync + 'static) -> Self {
        Self { says: Arc::new(says) }
    }
}

impl ChatModel for FunctionModel {
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        let reply = (self.says)(&call.request);
        Box::pin(give(call, reply))
    }
}

/// A reply without a usage gets one: a token for each four bytes, which is none of any model.
async fn give(call: ModelCall, reply: Result<ChatReply, ModelError>) -> Result<ChatReply, ModelError> {
    let reply = reply?;
    if let Some(chunks) = &call.chunks {
        for piece in reply.chunks() {
            if !chunks.send(piece).await {
                break;
            }
        }
    }
    let bytes = call.request.turns.iter().map(|turn| turn.text.len()).sum::<usize>();
    let usage = TokenUsage { input: bytes as u64 / 4 + 1, output: reply.text.len() as u64 / 4 + 1 };
    Ok(ChatReply { usage: reply.usage.or(Some(usage)), ..reply })
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use serde_json::json;

    use super::*;

    #[test]
    fn a_further_call_belongs_to_the_reply_before_it_or_to_none() {
        let model = ScriptedModel::new().calls("a", json!({})).and_calls("b", json!({})).calls("c", json!({}));
        let model = model.says("so").and_calls("d", json!({}));
        let called: Vec<Vec<String>> = model
            .state()
            .script
            .iter()
            .map(|reply| reply.as_ref().unwrap().tool_calls.iter().map(|call| call.name.clone()).collect())
            .collect();
        assert_eq!(called, [vec!["a", "b"], vec!["c"], vec!["d"]]);

        let failed = || ScriptedModel::new().says("so").fails(ModelError::ContentRefused("no".to_owned()));
        for (model, why) in [(ScriptedModel::new(), "there is no reply before it"), (failed(), "is a failure")] {
            let wrong = catch_unwind(AssertUnwindSafe(|| model.and_calls("a", json!({}))));
            let said = *wrong.unwrap_err().downcast::<String>().unwrap();
            assert!(said.contains(why) && said.contains("begin one with `calls` or `says`"), "{said}");
        }
    }
}
