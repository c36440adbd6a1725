//! What is an agent told when one that works for it cannot? On models that play a script.

use std::time::Duration;

use callboard::Runtime;
use callboard::actors::chat::{ChatReply, ChatRequest, Role, ToolCall};
use callboard::testkit::{FunctionModel, ScriptedModel};

fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall { id: id.to_owned(), name: name.to_owned(), arguments: arguments.to_owned() }
}

/// Hands over and asks, and then answers with what it was told.
fn desk(request: &ChatRequest) -> ChatReply {
    let told: Vec<_> = request.turns.iter().filter(|turn| turn.role == Role::Tool).map(|turn| &*turn.text).collect();
    if told.is_empty() {
        let tool_calls =
            vec![call("1", "transfer_to_sales", "{}"), call("2", "expert", r#"{"question": "how warm?"}"#)];
        return ChatReply { tool_calls, ..ChatReply::default() };
    }
    ChatReply::text(told.join(" | "))
}

#[tokio::test]
async fn an_agent_whose_runtime_has_stopped_is_done_without() {
    let here =
        Runtime::with_model("function/desk", FunctionModel::new(|request: &ChatRequest| Ok(desk(request)))).unwrap();
    for is_asked_first in [true, false] {
        let there = Runtime::with_model("scripted/other", ScriptedModel::new().says("one").says("two")).unwrap();
        let [sales, expert] = ["sales", "expert"].map(|name| there.agent(name).start().unwrap());
        if is_asked_first {
            assert!(sales.ask("x").await.is_ok() && expert.ask("x").await.is_ok());
        }
        there.stop(Duration::from_secs(5)).await;
        let desk = here.agent("desk").handoff(&sales, "Sells.").tool(expert.as_tool("Knows.")).start().unwrap();
        let answer = desk.ask("x").await.unwrap();
        let expert = "error: the agent did not answer: the agent has stopped";
        assert_eq!(answer.text, format!("{expert} | error: sales has stopped: go on without it"));
        assert_eq!(&*answer.agent, "desk");
    }
}
