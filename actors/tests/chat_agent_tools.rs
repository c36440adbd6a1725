//! What if a tool is bad, or the model calls it badly? Each of it is that call's error, in words for the model; nothing is lost.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use callboard_actors::chat::{ChatReply, ChatRequest, ToolCall};
use callboard_actors::chat_agent::{AskLimit, AskLimits, ChatAgentError, MemorySessions, Question};
use callboard_actors::error::{ModelError, ToolError};
use callboard_actors::gateway::{Budget, BudgetLimits};
use callboard_actors::ports::ToolPolicy;
use callboard_actors::runtime::{Runtime, simulated};
use common::agent::{FunctionTool, calls, model, quick, slow, spec, told};
use common::model::SECOND;
use serde_json::json;

/// Calls `name` with these arguments once, then says what it was told.
fn calls_once(name: &str, arguments: &str) -> impl Fn(&ChatRequest) -> Result<ChatReply, ModelError> + use<> {
    let call = ToolCall { id: "call".to_owned(), name: name.to_owned(), arguments: arguments.to_owned() };
    move |request| {
        Ok(match told(request).first() {
            None => ChatReply { tool_calls: vec![call.clone()], ..ChatReply::default() },
            Some(told) => ChatReply::text(told.as_str()),
        })
    }
}

async fn told_of(runtime: &Runtime, tool: FunctionTool, arguments: &str) -> String {
    let (gateway, _) = model(runtime, calls_once("a", arguments));
    let agent = spec(&gateway).tool(tool).start().unwrap();
    agent.ask("x").await.unwrap().text
}

#[test]
fn what_the_model_gets_wrong_it_is_told() {
    simulated(1, |runtime| async move {
        let tool = || quick("a", |arguments| Ok(arguments.to_string()));
        assert_eq!(told_of(&runtime, tool(), "").await, "{}", "no arguments are an empty object");
        assert_eq!(told_of(&runtime, tool(), r#"{"n": 1}"#).await, r#"{"n":1}"#);
        for arguments in ["{\"n\": ", "[1]", "7", "{\"n\": 1} and more", &"[".repeat(100_000)] {
            let told = told_of(&runtime, tool(), arguments).await;
            assert!(told.starts_with("error: the arguments do not fit: they "), "{told}");
            assert!(told.len() < 300, "{told}");
        }
        let long = format!("{{\"n\": \"{}\"}}", "x".repeat(2 << 20));
        assert!(told_of(&runtime, tool(), &long).await.contains("longer than 1024 KiB"));
        let unfit = quick("a", |_| Err(ToolError::Arguments("`city` is missing".to_owned())));
        assert_eq!(told_of(&runtime, unfit, "{}").await, "error: the arguments do not fit: `city` is missing");

        let (gateway, _) = model(&runtime, calls_once("b", "{}"));
        let agent = spec(&gateway).tool(tool()).start().unwrap();
        assert_eq!(agent.ask("x").await.unwrap().text, "error: there is no tool `b`; there are: a");
        let none = spec(&gateway).start().unwrap();
        assert!(none.ask("x").await.unwrap().text.contains("answer without tools"));
    });
}

#[test]
fn a_tool_that_panics_hangs_or_says_too_much_ends_its_own_call() {
    simulated(1, |runtime| async move {
        let panics = quick("a", |_| panic!("on purpose"));
        assert_eq!(told_of(&runtime, panics, "{}").await, "error: the tool panicked: on purpose");
        let does = |_, _| panic!("at once");
        let at_once = FunctionTool { name: "a", policy: ToolPolicy::default(), does: Box::new(does) };
        assert_eq!(told_of(&runtime, at_once, "{}").await, "error: the tool panicked: at once");

        let policy = ToolPolicy { timeout: SECOND / 2, ..ToolPolicy::default() };
        let told = told_of(&runtime, slow("a", policy), "{}").await;
        assert_eq!(told, "error: it is not available at the moment: it took longer than 500ms");

        let long = quick("a", |_| Ok("é".repeat(50 << 20)));
        let told = told_of(&runtime, long, "{}").await;
        assert!(told.len() < 66_000 && told.ends_with("[cut here: the whole output has 104857600 bytes]"));
    });
}

#[test]
fn a_passing_fault_is_tried_again_as_often_as_the_tool_says() {
    simulated(1, |runtime| async move {
        for (attempts, expected) in [(3, "third"), (2, "error: it is not available at the moment: no")] {
            let (made, policy) = (Arc::new(AtomicUsize::new(0)), ToolPolicy { attempts, ..ToolPolicy::default() });
            let counted = made.clone();
            let does = move |_, context: callboard_actors::ports::ToolContext| {
                let made = counted.fetch_add(1, Ordering::SeqCst) + 1;
                assert_eq!((context.attempt as usize, &*context.agent, &*context.call), (made, "assistant", "call"));
                let answer =
                    if made == 3 { Ok("third".to_owned()) } else { Err(ToolError::Unavailable("no".to_owned())) };
                Box::pin(async move { answer }) as futures_util::future::BoxFuture<'static, _>
            };
            let tool = FunctionTool { name: "a", policy, does: Box::new(does) };
            assert_eq!(told_of(&runtime, tool, "{}").await, expected);
        }
    });
}

#[test]
fn the_same_call_for_ever_is_ended_and_so_are_others_without_end() {
    simulated(1, |runtime| async move {
        let (gateway, function) = model(&runtime, |_| Ok(calls(&[("a", json!({}))])));
        let agent = spec(&gateway).tool(quick("a", |_| Ok("x".to_owned()))).start().unwrap();
        let ended = agent.ask("x").await.unwrap_err();
        assert!(matches!(ended, ChatAgentError::Limit { limit: AskLimit::Repeats, .. }), "{ended:?}");
        assert_eq!(ended.partial().unwrap().metrics.tool_calls, 2);
        assert_eq!(function.asked.lock().unwrap().len(), 3);

        let counts = |request: &ChatRequest| Ok(calls(&[("a", json!({"n": request.turns.len()}))]));
        let (gateway, _) = model(&runtime, counts);
        let agent = spec(&gateway).tool(quick("a", |_| Ok("x".to_owned()))).start().unwrap();
        let ended = agent.ask("x").await.unwrap_err();
        assert_eq!((ended.code(), ended.partial().unwrap().metrics.model_calls), ("limit_turns", 16));
        let limits = AskLimits { turns: 100, tool_calls: 20, ..AskLimits::default() };
        let agent = spec(&gateway).limits(limits).tool(quick("a", |_| Ok("x".to_owned())));
        let ended = agent.start().unwrap().ask("x").await.unwrap_err();
        assert_eq!((ended.code(), ended.partial().unwrap().metrics.tool_calls), ("limit_tool_calls", 20));
    });
}

#[test]
fn a_tool_learns_for_whom_it_is_called() {
    simulated(1, |runtime| async move {
        let seen = Arc::new(std::sync::Mutex::new(None));
        let noted = seen.clone();
        let does = move |_, context: callboard_actors::ports::ToolContext| {
            let callboard_actors::ports::ToolContext { run, user, session, budget, agent, .. } = context;
            *noted.lock().unwrap() = Some((run, user, session, budget.is_some(), agent.to_string()));
            Box::pin(async { Ok("done".to_owned()) }) as futures_util::future::BoxFuture<'static, _>
        };
        let tool = FunctionTool { name: "a", policy: ToolPolicy::default(), does: Box::new(does) };
        let (gateway, _) = model(&runtime, calls_once("a", "{}"));
        let agent = spec(&gateway).sessions(MemorySessions::default()).tool(tool).start().unwrap();
        let budget = Budget::new(BudgetLimits::default());
        agent.ask(Question::new("x").run("r").user("u").session("s").budget(&budget)).await.unwrap();
        let text = |text: &str| Some(text.to_owned());
        let expected = (text("r"), text("u"), text("s"), true, agent.name().to_owned());
        assert_eq!(*seen.lock().unwrap(), Some(expected));
    });
}

#[test]
fn a_tool_learns_that_nobody_waits_for_it() {
    simulated(1, |runtime| async move {
        let scopes = Arc::new(std::sync::Mutex::new(Vec::new()));
        let noted = scopes.clone();
        let does = move |_, context: callboard_actors::ports::ToolContext| {
            noted.lock().unwrap().push(context.scope);
            Box::pin(std::future::pending()) as futures_util::future::BoxFuture<'static, _>
        };
        let tool = FunctionTool { name: "a", policy: ToolPolicy::default(), does: Box::new(does) };
        let limits = AskLimits { tools_at_once: 1, ..AskLimits::default() };
        let (gateway, _) = model(&runtime, calls_once("a", "{}"));
        let agent = spec(&gateway).limits(limits).tool(tool).start().unwrap();
        assert!(tokio::time::timeout(2 * SECOND, agent.ask("x")).await.is_err());
        tokio::time::sleep(SECOND / 100).await;
        let scopes = scopes.lock().unwrap();
        assert_eq!(scopes.len(), 1);
        assert!(scopes[0].ended(tokio::time::Instant::now()).is_some());
    });
}

#[test]
fn a_tools_deadline_is_its_own_or_that_of_the_ask_whichever_is_earlier() {
    // Each from the begin of the call, a second after the ask: the time of its model.
    for (own, asks, expected) in [(2 * SECOND, 60 * SECOND, 2 * SECOND), (60 * SECOND, 5 * SECOND, 4 * SECOND)] {
        simulated(1, |runtime| async move {
            let seen = Arc::new(std::sync::Mutex::new(None));
            let noted = seen.clone();
            let does = move |_, context: callboard_actors::ports::ToolContext| {
                let now = tokio::time::Instant::now();
                let is_over = |at| context.scope.ended(at).is_some();
                let end = (is_over(context.deadline - SECOND / 1000), is_over(context.deadline));
                *noted.lock().unwrap() = Some((context.deadline - now, end));
                Box::pin(async { Ok("done".to_owned()) }) as futures_util::future::BoxFuture<'static, _>
            };
            let policy = ToolPolicy { timeout: own, ..ToolPolicy::default() };
            let tool = FunctionTool { name: "a", policy, does: Box::new(does) };
            let (gateway, _) = model(&runtime, calls_once("a", "{}"));
            let agent = spec(&gateway).tool(tool).start().unwrap();
            agent.ask(Question::new("x").within(asks)).await.unwrap();
            let seen = *seen.lock().unwrap();
            assert_eq!(seen, Some((expected, (false, true))), "its scope ends then, too: {own:?} {asks:?}");
        });
    }
}

#[test]
fn calls_that_are_waited_for_are_worth_waiting_for() {
    simulated(1, |runtime| async move {
        let (gateway, _) = model(&runtime, calls_once("a", "{}"));
        // Each takes a second, so the fourth waits for three.
        let policy = ToolPolicy { timeout: SECOND + SECOND / 2, at_once: Some(1), ..ToolPolicy::default() };
        let agent = spec(&gateway).tool(slow("a", policy)).start().unwrap();
        for answer in agent.ask_all(["x"; 4]).collect().await {
            assert_eq!(answer.unwrap().text, "a {}");
        }
    });
}
