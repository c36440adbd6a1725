//! Can a program without an async runtime do what one with it can? Each function of `callboard::blocking` that is no ask; asks are in
//! `agents.rs`. That no name is missing is a rule of `architecture.rs`.

use std::sync::{Arc, OnceLock, mpsc};
use std::time::Duration;

use callboard::actors::chat::{ChatReply, ChatRequest, Role, ToolCall, Turn};
use callboard::actors::chat_agent::MemorySessions;
use callboard::actors::error::{AskError, StartError};
use callboard::actors::gateway::BudgetLimits;
use callboard::actors::runtime::wait;
use callboard::blocking::{ChatAgent, ChatAgentSpec, Runtime};
use callboard::testkit::{FunctionModel, ScriptedModel};
use callboard::{ChatAgentError, Question, tool};
use serde_json::json;

/// Adds.
#[tool]
fn add(left: i32, right: i32) -> i32 {
    left + right
}

fn stage(model: ScriptedModel) -> Runtime {
    Runtime::with_model("scripted/model", model).unwrap()
}

#[test]
fn tools_and_stores_are_shared_and_agents_pay_from_parts_of_one_budget() {
    let turns = json!({"left": 20, "right": 1});
    let model = ScriptedModel::new().calls("add", turns.clone()).says("one").calls("add", turns).says("two");
    let runtime = stage(model.clone());
    let (tool, sessions) = (Arc::new(add), Arc::new(MemorySessions::default()));
    let own = BudgetLimits { tokens: Some(100_000), micros: None };
    let agents = ["first", "second"].map(|name| {
        let spec = runtime.agent(name).shared_tool(tool.clone()).shared_sessions(sessions.clone());
        spec.temperature(0.5).budget(own).start().unwrap()
    });
    assert_eq!(runtime.budget().spent().reserved_tokens, 200_000);
    for (agent, said) in agents.iter().zip(["one", "two"]) {
        assert_eq!(agent.ask(Question::new("x").session("s")).unwrap().text, said);
    }
    let asked = model.asked();
    assert!(asked[2].turns.iter().any(|turn| turn.text == "one"), "the second agent knows what the first one said");
    assert!(asked.iter().all(|request| request.temperature == Some(0.5)));
    assert_eq!((agents[0].name(), runtime.budget().spent().calls), ("first", 4));
}

#[test]
fn an_agent_drains_and_one_has_a_gateway_of_its_own() {
    let runtime = stage(ScriptedModel::new().says("one").says("two").says("three"));
    let gateway = runtime.gateway().unwrap();
    let agent = ChatAgentSpec::new("own", gateway, "scripted/model").start().unwrap();
    assert_eq!(agent.ask(" ").unwrap_err().code(), "invalid_question");
    assert_eq!(agent.ask("x").unwrap().text, "one");
    agent.drain();
    assert_eq!(agent.ask("x"), Err(ChatAgentError::Agent(AskError::Stopped)));
    let fails = ChatAgentSpec::of("own", Err(StartError::RuntimeStopped), "scripted/model").start();
    assert_eq!(fails.unwrap_err(), StartError::RuntimeStopped);

    let request = || ChatRequest::new(vec![Turn::user("x")], 100);
    let called = wait(|| gateway.call("scripted/model", request()).send()).unwrap();
    assert_eq!(called.unwrap().reply.text, "two");
    let told = wait(|| gateway.info()).unwrap().unwrap();
    assert_eq!(told.models[0].attempts, 2);
    let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
    tokio.block_on(async {
        let inside = wait(|| gateway.call("scripted/model", request()).send());
        assert!(matches!(inside, Err(AskError::InsideAsync)));
        // What does not wait works there, too.
        let other = runtime.agent("other").budget(BudgetLimits::default()).start().unwrap();
        assert_eq!(other.ask("x").unwrap_err(), ChatAgentError::Agent(AskError::InsideAsync));
        assert_eq!((other.name(), runtime.budget().spent().calls), ("other", 0));
        other.drain();
    });
    assert!(runtime.stop(Duration::from_secs(5)).is_clean());
}

static EXPERT: OnceLock<ChatAgent> = OnceLock::new();
static OWN: OnceLock<ChatAgent> = OnceLock::new();
static TOLD: OnceLock<mpsc::SyncSender<String>> = OnceLock::new();

/// Asks somebody else.
#[tool]
fn asks_the_expert() -> Result<String, ChatAgentError> {
    let expert = EXPERT.get().unwrap();
    let all = expert.ask_all(["y", "z"]).limit(1).collect_in_order()?;
    let first = expert.ask("x")?;
    Ok([Ok(first)]
        .into_iter()
        .chain(all)
        .map(|answer| answer.map(|answer| answer.text))
        .collect::<Result<Vec<_>, _>>()?
        .join(" "))
}

#[test]
fn a_tool_that_is_a_plain_function_may_ask() {
    let runtime = stage(ScriptedModel::new().calls("asks_the_expert", json!({})).says("so"));
    let other = stage(ScriptedModel::new().says("one").says("two").says("three"));
    EXPERT.set(other.agent("expert").start().unwrap()).unwrap();
    let answer = runtime.agent("a").tool(asks_the_expert).start().unwrap().ask("x").unwrap();
    let told = answer.turns.iter().find(|turn| turn.role == Role::Tool).unwrap();
    assert_eq!(told.text, "three one two");
}

/// Asks the agent that it is a tool of.
#[tool(timeout = "200ms")]
fn asks_its_own_agent() -> String {
    let told = OWN.get().unwrap().ask("inner").map_or_else(|error| error.to_string(), |answer| answer.text);
    TOLD.get().unwrap().send(told.clone()).unwrap();
    told
}

/// It waits in line behind the ask that waits for it: its call ends with its time, and then both asks come to their end.
#[test]
fn a_tool_that_asks_its_own_agent_ends_by_its_time() {
    let (tells, told) = mpsc::sync_channel(1);
    TOLD.set(tells).unwrap();
    let model = FunctionModel::new(|request| {
        let last = request.turns.last().unwrap();
        let call = ToolCall { id: "1".into(), name: "asks_its_own_agent".into(), arguments: "{}".into() };
        Ok(match last.text == "outer" {
            true => ChatReply { tool_calls: vec![call], ..ChatReply::default() },
            false => ChatReply::text(last.text.clone()),
        })
    });
    let runtime = Runtime::with_model("function/model", model).unwrap();
    OWN.set(runtime.agent("own").tool(asks_its_own_agent).start().unwrap()).unwrap();
    let outer = OWN.get().unwrap().ask("outer").unwrap();
    assert!(outer.text.contains("took longer than 200ms, and it still runs"), "{}", outer.text);
    assert_eq!(told.recv().unwrap(), "inner");
}
