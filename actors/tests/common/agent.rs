//! An agent with a model that is a function, and tools that are functions.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use callboard_actors::chat::{ChatReply, ChatRequest, Role, TokenUsage, ToolCall, ToolSpec};
use callboard_actors::chat_agent::{AskLimits, ChatAgentSpec};
use callboard_actors::error::{ModelError, ToolError};
use callboard_actors::gateway::{Gateway, GatewayLimits, Price, ServedModel};
use callboard_actors::ports::{ChatModel, ModelCall, Tool, ToolContext, ToolPolicy};
use callboard_actors::runtime::Runtime;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

use super::model::SECOND;

pub(crate) const MODEL: &str = "function/one";

type Says = dyn Fn(&ChatRequest) -> Result<ChatReply, ModelError> + Send + Sync;

/// Answers after a second what a function says.
pub(crate) struct Function {
    says: Box<Says>,
    pub(crate) asked: Mutex<Vec<Arc<ChatRequest>>>,
    /// Calls that are being made.
    pub(crate) now: Arc<AtomicUsize>,
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Door(Arc<Function>);

impl ChatModel for Door {
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        let function = self.0.clone();
        function.asked.lock().unwrap().push(call.request.clone());
        function.now.fetch_add(1, Ordering::SeqCst);
        let counted = Counted(function.now.clone());
        Box::pin(async move {
            let _counted = counted;
            tokio::time::sleep(SECOND).await;
            let reply = (function.says)(&call.request)?;
            if let Some(chunks) = &call.chunks {
                for piece in reply.chunks() {
                    assert!(chunks.send(piece).await);
                }
            }
            Ok(ChatReply { usage: Some(TokenUsage { input: 10, output: 5 }), ..reply })
        })
    }
}

/// A gateway in front of a model that says what this function says.
pub(crate) fn model(
    runtime: &Runtime,
    says: impl Fn(&ChatRequest) -> Result<ChatReply, ModelError> + Send + Sync + 'static,
) -> (Gateway, Arc<Function>) {
    let function = Function { says: Box::new(says), asked: Mutex::default(), now: Arc::default() };
    let function = Arc::new(function);
    let price = Some(Price { input: 1_000_000, output: 1_000_000 });
    let served = ServedModel { price, ..ServedModel::new(MODEL, Arc::new(Door(function.clone()))) };
    (Gateway::start(runtime, vec![served], GatewayLimits::default()).unwrap(), function)
}

pub(crate) fn spec(gateway: &Gateway) -> ChatAgentSpec {
    ChatAgentSpec::new("assistant", gateway, MODEL).instructions("Be brief.").limits(AskLimits::default())
}

/// A turn that calls these tools.
pub(crate) fn calls(calls: &[(&str, Value)]) -> ChatReply {
    let of = |(number, (name, arguments)): (usize, &(&str, Value))| ToolCall {
        id: format!("call-{number}"),
        name: (*name).to_owned(),
        arguments: arguments.to_string(),
    };
    ChatReply { tool_calls: calls.iter().enumerate().map(of).collect(), ..ChatReply::default() }
}

/// What tools said last, in their order.
pub(crate) fn told(request: &ChatRequest) -> Vec<String> {
    let last = request.turns.iter().rev().take_while(|turn| turn.role == Role::Tool);
    let mut told: Vec<_> = last.map(|turn| turn.text.clone()).collect();
    told.reverse();
    told
}

type Does = dyn Fn(Value, ToolContext) -> BoxFuture<'static, Result<String, ToolError>> + Send + Sync;

/// A tool that does what a function does.
pub(crate) struct FunctionTool {
    pub(crate) name: &'static str,
    pub(crate) policy: ToolPolicy,
    pub(crate) does: Box<Does>,
}

impl Tool for FunctionTool {
    fn spec(&self) -> Arc<ToolSpec> {
        let parameters = json!({"type": "object"});
        Arc::new(ToolSpec {
            name: self.name.to_owned(),
            description: "For tests.".to_owned(),
            parameters: parameters.into(),
        })
    }

    fn policy(&self) -> ToolPolicy {
        self.policy
    }

    fn call(&self, arguments: Value, context: ToolContext) -> BoxFuture<'static, Result<String, ToolError>> {
        (self.does)(arguments, context)
    }
}

/// A tool that takes a second.
pub(crate) fn slow(name: &'static str, policy: ToolPolicy) -> FunctionTool {
    let does = move |arguments: Value, _: ToolContext| -> BoxFuture<'static, Result<String, ToolError>> {
        Box::pin(async move {
            tokio::time::sleep(SECOND).await;
            Ok(format!("{name} {arguments}"))
        })
    };
    FunctionTool { name, policy, does: Box::new(does) }
}

/// A tool that answers at once what a function says.
pub(crate) fn quick(
    name: &'static str,
    says: impl Fn(Value) -> Result<String, ToolError> + Send + Sync + 'static,
) -> FunctionTool {
    let says = Arc::new(says);
    let does = move |arguments: Value, _: ToolContext| -> BoxFuture<'static, Result<String, ToolError>> {
        let says = says.clone();
        Box::pin(async move { says(arguments) })
    };
    FunctionTool { name, policy: ToolPolicy::default(), does: Box::new(does) }
}
