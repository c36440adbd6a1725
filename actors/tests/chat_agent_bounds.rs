//! Does what has a bound end there, and is it said so? Replies that were cut, calls side by side, what tools say. On virtual time.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use callboard_actors::chat::{ChatReply, ChatRequest, Finish, Role, Turn};
use callboard_actors::chat_agent::{
    AnswerForm, AskEvent, AskLimit, AskLimits, AskWait, ChatAgentError, ChatAgentSpec, MemorySessions, Question,
};
use callboard_actors::error::{ModelError, StoreError, ToolError};
use callboard_actors::ports::{
    Approval, Approver, Decision, Guarded, Guardrail, SessionStore, ToolContext, ToolPolicy, Verdict,
};
use callboard_actors::runtime::simulated;
use common::agent::{FunctionTool, MODEL, calls, model, quick, slow, spec, told};
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

/// Blocks whatever is called, at length.
struct Talks;

impl Guardrail for Talks {
    fn name(&self) -> &str {
        "talks"
    }

    fn check(&self, _: Guarded) -> BoxFuture<'static, Verdict> {
        Box::pin(async { Verdict::Block(long()) })
    }
}

/// Approves nothing, at length.
struct Denies;

impl Approver for Denies {
    fn decide(&self, _: Approval) -> BoxFuture<'static, Decision> {
        Box::pin(async { Decision::Denied { reason: long() } })
    }
}

/// 100 MB.
fn long() -> String {
    "é".repeat(50_000_000)
}

#[test]
fn whatever_a_call_comes_to_the_model_is_told_no_more_than_the_tool_may_say() {
    simulated(1, |runtime| async move {
        let fails = || quick("a", |_| Err(ToolError::Failed(long())));
        // Nothing of the test's own writes what this one panics.
        let panics = || quick("a", |_| std::panic::resume_unwind(Box::new(long())));
        let fine = |needs_approval, max_output| {
            let policy = ToolPolicy { needs_approval, max_output, ..ToolPolicy::default() };
            FunctionTool { policy, ..quick("a", |_| Ok(long())) }
        };
        let (gateway, _) = model(&runtime, |request| {
            Ok(match told(request)[..] {
                [] => calls(&[("a", json!({}))]),
                _ => ChatReply::text("so"),
            })
        });
        let (other, _) = model(&runtime, |request| {
            Ok(match told(request)[..] {
                [] => calls(&[(long().as_str(), json!({})), ("transfer_to_sales", json!({}))]),
                _ => ChatReply::text("so"),
            })
        });
        let sales = ChatAgentSpec::new("sales", &other, MODEL).start().unwrap();
        for (what, spec, most) in [
            ("an output", spec(&gateway).tool(fine(false, 64)), 64),
            ("an error", spec(&gateway).tool(fails()), 64 << 10),
            ("a panic", spec(&gateway).tool(panics()), 64 << 10),
            ("a guardrail", spec(&gateway).tool(fine(false, 1_000)).guard_tools(Talks), 1_000),
            ("a denial", spec(&gateway).tool(fine(true, 1_000)).approver(Denies), 1_000),
            ("no such tool and no handoff", spec(&other).handoff(&sales, "Sells.").guard_tools(Talks), 64 << 10),
        ] {
            let sessions = Arc::new(MemorySessions::default());
            let agent = spec.shared_sessions(sessions.clone()).start().unwrap();
            let mut stream = agent.ask_stream(Question::new("x").session("s"));
            let mut texts = Vec::new();
            while let Some(event) = stream.next().await {
                if let AskEvent::ToolAnswered { text, .. } = event {
                    texts.push(text);
                }
            }
            let turns = stream.answer().await.unwrap().turns;
            let kept = sessions.load("s".into(), 99).await.unwrap();
            let tools =
                |turns: Vec<Turn>| turns.into_iter().filter(|turn| turn.role == Role::Tool).map(|turn| turn.text);
            texts.extend(tools(turns).chain(tools(kept)));
            assert!(texts.len() >= 3, "{what}");
            for text in texts {
                assert!(
                    text.len() < most + 60 && text.contains("\n[cut here: the whole output has 1000"),
                    "{what}: {} bytes",
                    text.len()
                );
            }
        }
    });
}

#[test]
fn calls_are_counted_that_no_tool_could_carry_out_when_the_time_is_over_too() {
    simulated(1, |runtime| async move {
        let (gateway, _) = model(&runtime, |_| {
            let mut reply = calls(&[("b", json!({})), ("a", json!({})), ("a", json!({}))]);
            reply.tool_calls[1].arguments = "{".to_owned();
            Ok(reply)
        });
        let agent = spec(&gateway).tool(slow("a", ToolPolicy::default())).start().unwrap();
        let error = agent.ask(Question::new("x").within(SECOND + SECOND / 2)).await.unwrap_err();
        let ChatAgentError::Limit { limit: AskLimit::Time, waited_for, partial, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!((partial.metrics.tool_calls, partial.metrics.tools), (3, SECOND / 2));
        assert_eq!(waited_for, Some(AskWait::Tools(vec!["a".to_owned()])));
    });
}

/// Panics when it is read, or when something is added, at once or a moment later.
struct PanickingStore(&'static str);

fn panics_at(is_it: bool, is_later: bool) -> BoxFuture<'static, ()> {
    assert!(!is_it || is_later, "on purpose");
    Box::pin(async move { assert!(!is_it, "on purpose") })
}

impl SessionStore for PanickingStore {
    fn load(&self, _: Arc<str>, _: usize) -> BoxFuture<'static, Result<Vec<Turn>, StoreError>> {
        let reads = panics_at(self.0.starts_with("load"), self.0.ends_with("later"));
        Box::pin(async move {
            reads.await;
            Ok(Vec::new())
        })
    }

    fn append(&self, _: Arc<str>, _: Vec<Turn>) -> BoxFuture<'static, Result<(), StoreError>> {
        let adds = panics_at(self.0.starts_with("append"), self.0.ends_with("later"));
        Box::pin(async move {
            adds.await;
            Ok(())
        })
    }

    fn forget(&self, _: Arc<str>) -> BoxFuture<'static, Result<(), StoreError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

#[test]
fn a_store_that_panics_takes_no_answer_with_it() {
    simulated(1, |runtime| async move {
        let (gateway, function) = model(&runtime, |_| Ok(ChatReply::text("yes")));
        for (panics, answer, asked) in
            [("load", "", 0), ("load later", "", 0), ("append", "yes", 1), ("append later", "yes", 2)]
        {
            let agent = spec(&gateway).sessions(PanickingStore(panics)).start().unwrap();
            let error = agent.ask(Question::new("x").session("s")).await.unwrap_err();
            assert_eq!((error.code(), error.is_retryable()), ("store_panicked", false), "{panics}");
            assert!(error.to_string().contains("the store panicked: on purpose"), "{error}");
            let metrics = &error.partial().unwrap().metrics;
            assert_eq!((&*error.partial().unwrap().text, metrics.cost_micros.is_some()), (answer, true), "{panics}");
            assert_eq!((error.hint().contains("paid for"), function.asked.lock().unwrap().len()), (asked > 0, asked));
        }
    });
}

#[test]
fn a_check_that_panics_has_found_no_answer_and_takes_none_with_it() {
    simulated(1, |runtime| async move {
        let (gateway, function) = model(&runtime, |_| Ok(ChatReply::text("21")));
        let agent = spec(&gateway).start().unwrap();
        let check = Arc::new(|_: &str| -> Result<(), String> { panic!("on purpose") });
        let form = AnswerForm { name: "number".to_owned(), schema: json!({"type": "integer"}), check, repairs: 1 };
        let error = agent.ask(Question::new("x").form(form)).await.unwrap_err();
        assert_eq!((error.code(), &*error.partial().unwrap().text), ("answer_unfit", "21"));
        assert!(error.to_string().contains("no `number` in 2 answers: its check panicked: on purpose"), "{error}");
        assert_eq!(function.asked.lock().unwrap().len(), 2, "another answer may be no trouble for it");
    });
}
