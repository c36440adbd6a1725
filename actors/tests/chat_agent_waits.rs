//! Does an ask wait for what others hold for a moment, and is it told what was done when its time is over? On virtual time, but for a
//! shard that is full.

mod common;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use callboard_actors::chat::{ChatReply, ChatRequest, Role, Turn};
use callboard_actors::chat_agent::{
    AskEvent, AskLimit, AskLimits, AskWait, ChatAgentError, ChatAgentSpec, MemorySessions, Question,
};
use callboard_actors::error::{AskError, ModelError, StartError, ToolError};
use callboard_actors::gateway::{Budget, BudgetLimits, GatewayLimits};
use callboard_actors::ports::{ToolContext, ToolPolicy};
use callboard_actors::runtime::simulated;
use common::agent::{FunctionTool, MODEL, calls, model, quick, slow, spec, told};
use common::model::SECOND;
use common::provider::{ONE, Provider, TWO, two};
use common::{Count, LONG, counter, hold};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::time::Instant;

fn ok(_: &ChatRequest) -> Result<ChatReply, ModelError> {
    Ok(ChatReply::text("ok"))
}

fn tokens(tokens: u64) -> BudgetLimits {
    BudgetLimits { tokens: Some(tokens), micros: None }
}

#[test]
fn what_siblings_reserve_for_a_moment_is_waited_for() {
    simulated(1, |runtime| async move {
        let (gateway, function) = model(&runtime, ok);
        // A call may use about 2,100, and uses 15.
        let (began, budget) = (Instant::now(), Budget::new(tokens(5_000)));
        let answers = spec(&gateway).budget(&budget).start().unwrap().ask_all(["x"; 8]).collect().await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert_eq!((budget.spent().tokens, budget.spent().reserved_tokens), (8 * 15, 0));
        assert_eq!((began.elapsed(), function.asked.lock().unwrap().len()), (4 * SECOND, 8), "two at a time");
        let queues: Vec<_> = answers.iter().map(|answer| answer.as_ref().unwrap().metrics.queue).collect();
        assert_eq!(queues.iter().max(), Some(&(3 * SECOND)), "what it waited is told");
    });
}

#[test]
fn what_cannot_come_back_is_not_waited_for_and_no_longer_than_the_time_of_the_ask() {
    simulated(1, |runtime| async move {
        let (gateway, _) = model(&runtime, ok);
        let began = Instant::now();
        let budget = Budget::new(tokens(3_000));
        // Set aside for a part, for good.
        let part = budget.split(tokens(2_000)).unwrap();
        let agent = spec(&gateway).budget(&budget).start().unwrap();
        let other = spec(&gateway).budget(part.child(BudgetLimits::default())).start().unwrap();
        let open = other.ask("small");
        let error = agent.ask("x").await.unwrap_err();
        assert_eq!((error.code(), began.elapsed()), ("budget_exhausted", Duration::ZERO), "{error}");
        assert!(error.to_string().contains("2000 are set aside for others"), "{error}");
        drop((open, part));

        let budget = Budget::new(tokens(3_000));
        let agent = spec(&gateway).budget(&budget).start().unwrap();
        let other = spec(&gateway).budget(&budget).start().unwrap();
        let first = agent.ask("x");
        tokio::time::sleep(SECOND / 4).await;
        let error = other.ask(Question::new("y").within(SECOND / 2)).await.unwrap_err();
        let ChatAgentError::Limit { limit: AskLimit::Time, waited_for, .. } = error else { panic!("{error:?}") };
        assert_eq!((waited_for, first.await.is_ok()), (Some(AskWait::Budget), true));
    });
}

#[test]
fn an_agent_that_is_asked_as_a_tool_has_what_its_asker_does_not_hold() {
    simulated(1, |runtime| async move {
        let (gateway, _) = model(&runtime, |request| {
            Ok(match (request.tools.is_empty(), &told(request)[..]) {
                (false, []) => calls(&[("helper", json!({"question": "x"})), ("helper", json!({"question": "y"}))]),
                _ => ChatReply::text("ok"),
            })
        });
        let budget = Budget::new(tokens(3_500));
        let helper = ChatAgentSpec::new("helper", &gateway, MODEL).start().unwrap().as_tool("helps");
        let agent = spec(&gateway).budget(&budget).tool(helper).start().unwrap();
        let answer = agent.ask("x").await.unwrap();
        let said: Vec<_> = answer.turns.iter().filter(|turn| turn.role == Role::Tool).map(|turn| &*turn.text).collect();
        assert_eq!(said, ["ok", "ok"], "one after the other");
    });
}

#[test]
fn a_question_behind_an_open_breaker_keeps_its_attempts_until_it_is_tried_again() {
    simulated(1, |runtime| async move {
        let (one, other) = (Provider::new(SECOND), Provider::new(SECOND));
        let gateway = two(&runtime, &one, &other, GatewayLimits::default());
        one.fails(ModelError::Network { sent: false, message: "no connection".to_owned() });
        let agent = ChatAgentSpec::new("a", &gateway, ONE).start().unwrap();
        while agent.ask("x").await.unwrap_err().code() != "breaker_open" {}
        one.fails(None);
        let (began, before) = (Instant::now(), one.attempts());
        let mut asks = agent.ask_all(["x", "y", "z"]).attempts(3);
        let first = tokio::time::timeout(SECOND / 100, asks.next()).await;
        assert!(first.is_err(), "{first:?}");
        assert_eq!((asks.left(), asks.progress().waiting), (vec![0, 1, 2], 3));
        let answers = asks.collect().await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert!(began.elapsed() > SECOND && one.attempts() == before + 3, "{:?}", began.elapsed());
    });
}

#[tokio::test]
async fn questions_that_wait_to_be_asked_again_are_answered_when_the_runtime_stops() {
    let (runtime, provider) = (common::runtime(1), Provider::new(Duration::ZERO));
    let gateway = two(&runtime, &provider, &provider, GatewayLimits::default());
    provider.fails(ModelError::Network { sent: false, message: "no connection".to_owned() });
    let agent = ChatAgentSpec::new("a", &gateway, ONE).start().unwrap();
    while agent.ask("x").await.unwrap_err().code() != "breaker_open" {}
    let mut asks = agent.ask_all(["x", "y"]).attempts(9);
    // Both have been refused once and wait.
    while asks.progress().waiting < 2 || asks.progress().running > 0 {
        assert!(asks.next().now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    let (_, answers) = tokio::join!(runtime.stop(60 * SECOND), asks.collect());
    let codes: Vec<_> = answers.iter().map(|answer| answer.as_ref().unwrap_err().code()).collect();
    assert_eq!(codes, ["stopped", "stopped"]);
}

#[test]
fn a_tool_whose_attempt_ends_with_the_time_of_the_ask_is_not_called_again() {
    simulated(1, |runtime| async move {
        let (gateway, _) = model(&runtime, |_| Ok(calls(&[("hangs", json!({}))])));
        let called = Arc::new(AtomicUsize::new(0));
        let count = called.clone();
        let policy = ToolPolicy { timeout: 60 * SECOND, attempts: 3, ..ToolPolicy::default() };
        let does = move |_: Value, _: ToolContext| -> BoxFuture<'static, Result<String, ToolError>> {
            count.fetch_add(1, Ordering::SeqCst);
            Box::pin(pending())
        };
        let agent = spec(&gateway).tool(FunctionTool { name: "hangs", policy, does: Box::new(does) }).start().unwrap();
        let error = agent.ask(Question::new("x").within(SECOND * 5 / 2)).await.unwrap_err();
        assert_eq!((error.code(), called.load(Ordering::SeqCst)), ("limit_time", 1));
    });
}

#[test]
fn what_was_done_before_the_time_was_over_is_told_at_once_and_stands_in_the_turns() {
    simulated(1, |runtime| async move {
        let says = |_: &ChatRequest| {
            Ok(calls(&[("slow", json!({})), ("book", json!({})), ("last", json!({})), ("book", json!({"n": 2}))]))
        };
        let (gateway, _) = model(&runtime, says);
        let policy = ToolPolicy { sequential: true, ..ToolPolicy::default() };
        let spec = spec(&gateway).tool(slow("slow", ToolPolicy::default())).tool(slow("last", policy));
        let agent = spec.tool(quick("book", |_| Ok("booked".to_owned()))).start().unwrap();
        let (began, mut seen) = (Instant::now(), Vec::new());
        let mut stream = agent.ask_stream(Question::new("x").within(SECOND * 5 / 2));
        while let Some(event) = stream.next().await {
            if let AskEvent::ToolAnswered { id, text } = event {
                seen.push((id, text, began.elapsed()));
            }
        }
        let booked = ("call-1".to_owned(), "booked".to_owned(), SECOND);
        assert_eq!(seen, [booked, ("call-0".to_owned(), "slow {}".to_owned(), 2 * SECOND)]);
        let error = stream.answer().await.unwrap_err();
        let partial = error.partial().unwrap();
        let said: Vec<_> = partial.turns[2..].iter().map(|turn| (turn.role, &*turn.text)).collect();
        let open = "error: it was called, and was not over at the end of the ask; it may have been done all the same";
        let not_begun = "error: it was not called, as the ask had come to its end";
        let expected = ["slow {}", "booked", open, not_begun].map(|text| (Role::Tool, text));
        assert_eq!((said, partial.metrics.tool_calls), (expected.to_vec(), 3));
        let answered = partial.turns[2..].iter().map(|turn| turn.answers.as_deref());
        assert!(answered.eq(["call-0", "call-1", "call-2", "call-3"].map(Some)), "{:?}", partial.turns);
    });
}

#[test]
fn a_limit_before_the_tools_leaves_no_call_without_an_answer() {
    simulated(1, |runtime| async move {
        let (gateway, _) = model(&runtime, |_| Ok(calls(&[("a", json!({})), ("a", json!({"n": 2}))])));
        let limits = AskLimits { tool_calls: 1, ..AskLimits::default() };
        let agent = spec(&gateway).tool(quick("a", |_| Ok("done".to_owned()))).limits(limits).start().unwrap();
        let error = agent.ask("x").await.unwrap_err();
        let said: Vec<&Turn> = error.partial().unwrap().turns[2..].iter().collect();
        assert!(said.len() == 2 && said.iter().all(|turn| turn.text.contains("it was not called")), "{said:?}");
    });
}

#[test]
fn a_summary_by_the_agents_own_model_has_its_fall_backs() {
    simulated(1, |runtime| async move {
        let (one, other) = (Provider::new(SECOND), Provider::new(SECOND));
        let gateway = two(&runtime, &one, &other, GatewayLimits::default());
        one.fails(ModelError::NotFound("gone".to_owned()));
        let limits = AskLimits { history_tokens: 200, ..AskLimits::default() };
        let spec = ChatAgentSpec::new("a", &gateway, ONE).fallback(TWO).limits(limits);
        let agent = spec.sessions(MemorySessions::default()).summarise().start().unwrap();
        let (long, mut summaries) = ("rain and more rain ".repeat(15), 0);
        for number in 0..6 {
            let answer = agent.ask(Question::new(format!("{number} {long}")).session("s")).await.unwrap();
            summaries += answer.metrics.model_calls - 1;
        }
        assert!(summaries > 0, "none was made by the next model");
    });
}

#[tokio::test]
async fn an_agent_whose_shard_was_full_is_asked_again() {
    let (runtime, provider) = (common::runtime(1), Provider::new(Duration::ZERO));
    let gateway = two(&runtime, &provider, &provider, GatewayLimits::default());
    let agent = ChatAgentSpec::new("a", &gateway, ONE).start().unwrap();
    let release = hold(&runtime.spawn(counter()).unwrap());
    let mut others = Vec::new();
    let refused = loop {
        match runtime.spawn(counter()) {
            Ok(other) => others.push(other),
            Err(error) => break error,
        }
    };
    assert_eq!(refused, StartError::Overloaded);
    assert_eq!(agent.ask("x").await, Err(ChatAgentError::Agent(AskError::Overloaded)));
    drop(release);
    others.last().unwrap().ask(LONG, Count::Get).await.unwrap();
    assert_eq!(agent.ask("x").await.unwrap().text, "x");
}
