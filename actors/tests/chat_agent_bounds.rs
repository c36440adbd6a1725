//! Does what has a bound end there, and is it said so? Replies that were cut, calls side by side, what tools say. On virtual time.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use callboard_actors::chat::{ChatReply, ChatRequest, Finish};
use callboard_actors::chat_agent::{AskEvent, AskLimit, AskLimits, ChatAgentError, MemorySessions, Question};
use callboard_actors::error::{ModelError, ToolError};
use callboard_actors::ports::{Guarded, Guardrail, ToolContext, ToolPolicy, Verdict};
use callboard_actors::runtime::simulated;
use common::agent::{FunctionTool, calls, model, spec, told};
use common::model::SECOND;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

/// Its reply is cut in the middle.
fn cut(_: &ChatRequest) -> Result<ChatReply, ModelError> {
    Ok(ChatReply { finish: Finish::Length, ..ChatReply::text("{\"answer\": 2") })
}

fn text_so_far(error: ChatAgentError) -> String {
    match error {
        ChatAgentError::Limit { limit: AskLimit::OutputTokens, most, partial, .. } if most == "2048" => partial.text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_reply_that_was_cut_is_no_answer_however_it_was_asked_for() {
    simulated(1, |runtime| async move {
        let (gateway, function) = model(&runtime, cut);
        let agent = spec(&gateway).sessions(MemorySessions::default()).start().unwrap();
        assert_eq!(text_so_far(agent.ask("x").await.unwrap_err()), "{\"answer\": 2");

        let mut stream = agent.ask_stream("x");
        let mut seen = String::new();
        while let Some(event) = stream.next().await {
            if let AskEvent::Text(text) = event {
                seen.push_str(&text);
            }
        }
        assert_eq!((seen.as_str(), text_so_far(stream.answer().await.unwrap_err())), ("{\"answer\": 2", seen.clone()));

        let before = function.asked.lock().unwrap().len();
        assert_eq!(text_so_far(agent.ask_as::<u32>("x").await.unwrap_err()), "{\"answer\": 2");
        assert_eq!(function.asked.lock().unwrap().len() - before, 1, "it would be cut again");

        for _ in 0..2 {
            let error = agent.ask(Question::new("x").session("s")).await.unwrap_err();
            assert_eq!(error.partial().unwrap().turns.len(), 2);
            let asked = function.asked.lock().unwrap();
            assert_eq!(asked.last().unwrap().turns.len(), 2, "the session keeps none of it");
        }
    });
}

/// Lets nothing through that has an answer.
struct NoAnswer;

impl Guardrail for NoAnswer {
    fn name(&self) -> &str {
        "no answer"
    }

    fn check(&self, what: Guarded) -> BoxFuture<'static, Verdict> {
        let is_one = matches!(what, Guarded::Output(text) if text.contains("answer"));
        Box::pin(async move { if is_one { Verdict::Block("it is one".to_owned()) } else { Verdict::Pass } })
    }
}

#[test]
fn a_reply_that_was_cut_is_looked_at_as_a_whole_one_is() {
    simulated(1, |runtime| async move {
        let (gateway, _) = model(&runtime, cut);
        let agent = spec(&gateway).guard_output(NoAnswer).start().unwrap();
        let error = agent.ask("x").await.unwrap_err();
        assert_eq!((error.code(), error.partial().unwrap().text.as_str()), ("blocked", ""));
    });
}

#[test]
fn calls_of_a_turn_do_not_wait_for_a_slow_one_before_them() {
    simulated(1, |runtime| async move {
        let seconds = [10, 1, 1, 1];
        let (gateway, _) = model(&runtime, move |request| {
            Ok(match told(request)[..] {
                [] => calls(&seconds.map(|seconds| ("wait", json!({ "seconds": seconds })))),
                ref told => ChatReply::text(told.join(", ")),
            })
        });
        let running = Arc::new(AtomicUsize::new(0));
        let does = move |arguments: Value, context: ToolContext| -> BoxFuture<'static, Result<String, ToolError>> {
            let running = running.clone();
            Box::pin(async move {
                assert!(running.fetch_add(1, Ordering::SeqCst) < 2, "no more than two at a time");
                let seconds = arguments["seconds"].as_u64().unwrap();
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(format!("{} took {seconds}", context.call))
            })
        };
        let tool = FunctionTool { name: "wait", policy: ToolPolicy::default(), does: Box::new(does) };
        let limits = AskLimits { tools_at_once: 2, repeats: 9, ..AskLimits::default() };
        let answer = spec(&gateway).limits(limits).tool(tool).start().unwrap().ask("x").await.unwrap();
        assert_eq!(answer.metrics.tools, 10 * SECOND);
        assert_eq!(answer.text, "call-0 took 10, call-1 took 1, call-2 took 1, call-3 took 1");
    });
}
