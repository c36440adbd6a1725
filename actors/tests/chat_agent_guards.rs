//! Do guardrails and a person who approves stand between an agent and what it does? On virtual time.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use callboard_actors::chat::{ChatReply, ChatRequest, ToolSpec};
use callboard_actors::chat_agent::{AnswerForm, AskEvent, AskLimits, ChatAgentError, ChatAgentSpec, Question};
use callboard_actors::error::{ModelError, ToolError};
use callboard_actors::ports::{
    Approval, Approver, Decision, Guarded, Guardrail, Tool, ToolContext, ToolPolicy, Verdict,
};
use callboard_actors::runtime::simulated;
use common::agent::{FunctionTool, MODEL, calls, model, quick, spec, told};
use common::model::SECOND;
use futures_util::future::BoxFuture;
use serde_json::json;
use tokio::time::Instant;

/// Takes a time, then says what a function says; counts the looks.
struct Rail {
    takes: std::time::Duration,
    says: fn(&Guarded) -> Verdict,
    looks: Arc<AtomicUsize>,
}

impl Rail {
    fn new(takes: std::time::Duration, says: fn(&Guarded) -> Verdict) -> (Self, Arc<AtomicUsize>) {
        let looks = Arc::new(AtomicUsize::new(0));
        (Self { takes, says, looks: looks.clone() }, looks)
    }
}

impl Guardrail for Rail {
    fn name(&self) -> &str {
        "rail"
    }

    fn check(&self, what: Guarded) -> BoxFuture<'static, Verdict> {
        let (takes, says, looks) = (self.takes, self.says, self.looks.clone());
        Box::pin(async move {
            looks.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(takes).await;
            says(&what)
        })
    }
}

fn no_secrets(what: &Guarded) -> Verdict {
    let text = match what {
        Guarded::Input(text) | Guarded::Output(text) => text.clone(),
        Guarded::ToolCall { arguments, .. } => arguments.to_string(),
        _ => String::new(),
    };
    match text.contains("secret") {
        true => Verdict::Block("it is secret".to_owned()),
        false => Verdict::Pass,
    }
}

fn echo(request: &ChatRequest) -> Result<ChatReply, ModelError> {
    Ok(ChatReply::text(request.turns.last().unwrap().text.as_str()))
}

fn blocked(error: ChatAgentError) -> (String, String) {
    match error {
        ChatAgentError::Blocked { guardrail, reason, partial } => {
            assert_eq!(partial.text, "", "what was blocked is not given away");
            (guardrail, reason)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_question_is_looked_at_beside_the_model_call_which_is_dropped_when_it_is_blocked() {
    simulated(1, |runtime| async move {
        for (takes, answered_after, blocked_after) in
            [(SECOND / 2, SECOND, SECOND / 2), (2 * SECOND, 2 * SECOND, 2 * SECOND)]
        {
            let (gateway, function) = model(&runtime, echo);
            let (rail, looks) = Rail::new(takes, no_secrets);
            let agent = spec(&gateway).guard_input(rail).start().unwrap();
            let began = Instant::now();
            assert_eq!(agent.ask("plain").await.unwrap().text, "plain");
            assert_eq!(began.elapsed(), answered_after, "beside, and waited for");
            let began = Instant::now();
            let told = blocked(agent.ask("a secret").await.unwrap_err());
            assert_eq!(told, ("rail".to_owned(), "it is secret".to_owned()));
            assert_eq!((began.elapsed(), looks.load(Ordering::SeqCst)), (blocked_after, 2));
            tokio::time::sleep(SECOND / 100).await;
            assert_eq!(function.now.load(Ordering::SeqCst), 0, "the call is dropped");
        }
    });
}

#[test]
fn a_reader_sees_nothing_before_the_question_has_passed_and_a_reply_that_came_is_paid_for() {
    simulated(1, |runtime| async move {
        let (gateway, _) = model(&runtime, echo);
        let (rail, _) = Rail::new(2 * SECOND, no_secrets);
        let agent = spec(&gateway).guard_input(rail).start().unwrap();
        let mut stream = agent.ask_stream("a secret");
        assert_eq!(stream.next().await, None);
        assert!(matches!(stream.answer().await, Err(ChatAgentError::Blocked { .. })));
        let mut stream = agent.ask_stream("plain");
        assert_eq!(stream.next().await, Some(AskEvent::Text("plain".to_owned())));
        assert_eq!(stream.answer().await.unwrap().text, "plain");
        let error = agent.ask("a secret").await.unwrap_err();
        let metrics = &error.partial().unwrap().metrics;
        assert_eq!((metrics.model_calls, metrics.cost_micros), (1, Some(15)), "it came before the look was over");
    });
}

#[test]
fn an_answer_is_looked_at_before_its_asker_has_it_and_a_rail_that_panics_or_hangs_lets_nothing_through() {
    simulated(1, |runtime| async move {
        let start = |says| {
            let (gateway, _) = model(&runtime, echo);
            let (rail, _) = Rail::new(SECOND, says);
            spec(&gateway).guard_output(rail).start().unwrap()
        };
        let agent = start(no_secrets);
        assert_eq!(agent.ask("plain").await.unwrap().text, "plain");
        assert_eq!(blocked(agent.ask("a secret").await.unwrap_err()).1, "it is secret");
        let panics = start(|_| panic!("on purpose"));
        assert_eq!(blocked(panics.ask("plain").await.unwrap_err()).1, "it panicked: on purpose");
        let (gateway, _) = model(&runtime, echo);
        let (hangs, _) = Rail::new(1_000_000 * SECOND, no_secrets);
        let agent = spec(&gateway).guard_output(hangs).start().unwrap();
        let late = agent.ask("plain").await.unwrap_err();
        assert_eq!((late.code(), late.partial().unwrap().text.as_str()), ("limit_time", ""));
    });
}

#[test]
fn what_was_said_before_another_end_is_looked_at_too_and_the_error_stays_what_it_is() {
    simulated(1, |runtime| async move {
        for (said, passes) in [("so far", true), ("a secret", false)] {
            let (gateway, _) = model(&runtime, move |request| match told(request).first().map(String::as_str) {
                Some("fails") => Err(ModelError::ContentRefused("no".to_owned())),
                _ => Ok(ChatReply { text: said.to_owned(), ..calls(&[("note", json!({}))]) }),
            });
            let start = |limits: AskLimits, says: &'static str| {
                let (rail, looks) = Rail::new(SECOND, no_secrets);
                let note = quick("note", move |_| Ok(says.to_owned()));
                (spec(&gateway).limits(limits).tool(note).guard_output(rail).start().unwrap(), looks)
            };
            let no_limit = AskLimits::default;
            for (limits, says, code) in [
                (AskLimits { turns: 1, ..no_limit() }, "noted", "limit_turns"),
                (AskLimits { tool_calls: 1, ..no_limit() }, "noted", "limit_tool_calls"),
                (AskLimits { repeats: 1, ..no_limit() }, "noted", "limit_repeats"),
                (AskLimits { tokens: Some(15), ..no_limit() }, "noted", "limit_tokens"),
                (no_limit(), "fails", "content_refused"),
            ] {
                let (agent, looks) = start(limits, says);
                let error = agent.ask("x").await.unwrap_err();
                let partial = error.partial().unwrap();
                assert_eq!((error.code(), looks.load(Ordering::SeqCst)), (code, 1));
                assert_eq!(
                    (partial.text.as_str(), partial.turns.is_empty()),
                    (if passes { said } else { "" }, !passes)
                );
                assert!(partial.metrics.model_calls > 0);
                let why = "the guardrail rail blocked it: it is secret";
                assert_eq!(partial.withheld.as_deref(), (!passes).then_some(why));
                let (hint, is_limit) = (error.hint(), code.starts_with("limit"));
                assert_eq!(hint.contains("use what there is in `partial`"), is_limit && passes, "{hint}");
                assert_eq!(hint.ends_with(&format!("kept back: {why}")), is_limit && !passes, "{hint}");
            }
            // There is half a second for it when the time is over.
            let (agent, _) = start(AskLimits { time: SECOND + SECOND / 2, ..no_limit() }, "noted");
            let late = agent.ask("x").await.unwrap_err();
            assert_eq!((late.code(), late.partial().unwrap().text.as_str()), ("limit_time", ""));
            assert!(late.hint().ends_with("kept back: its guardrails did not come to their end in time"), "{late:?}");
        }
    });
}

#[test]
fn the_text_of_each_turn_is_looked_at_and_what_there_is_when_the_time_is_over() {
    simulated(1, |runtime| async move {
        let two = AskLimits { turns: 2, ..AskLimits::default() };
        let short = AskLimits { time: SECOND + SECOND / 2, ..AskLimits::default() };
        for (first, limits, takes, code, left) in [
            ("a secret", two.clone(), SECOND, "limit_turns", 0),
            ("plain", two, SECOND, "limit_turns", 5),
            ("a secret", short.clone(), SECOND / 4, "limit_time", 0),
            ("plain", short, SECOND / 4, "limit_time", 3),
        ] {
            let (gateway, _) = model(&runtime, move |request| {
                let text = if told(request).is_empty() { first } else { "harmless" };
                Ok(ChatReply { text: text.to_owned(), ..calls(&[("note", json!({"at": told(request).len()}))]) })
            });
            let (rail, _) = Rail::new(takes, no_secrets);
            let note = quick("note", |_| Ok("noted".to_owned()));
            let error = spec(&gateway).limits(limits).tool(note).guard_output(rail).start().unwrap().ask("x").await;
            let error = error.unwrap_err();
            assert_eq!((error.code(), error.partial().unwrap().turns.len()), (code, left), "{first}");
        }
    });
}

#[test]
fn an_answer_that_does_not_fit_is_blocked_with_what_is_wrong_with_it() {
    simulated(1, |runtime| async move {
        let (gateway, _) = model(&runtime, echo);
        let (rail, looks) = Rail::new(SECOND, no_secrets);
        let agent = spec(&gateway).guard_output(rail).start().unwrap();
        let ask = |text| {
            let check = Arc::new(|_: &str| Err("no number".to_owned()));
            let form = AnswerForm { name: "number".to_owned(), schema: json!({"type": "integer"}), check, repairs: 0 };
            agent.ask(Question::new(text).form(form))
        };
        // What is wrong with an answer has its words.
        assert_eq!(blocked(ask("a secret").await.unwrap_err()).1, "it is secret");
        let unfit = ask("plain").await.unwrap_err();
        assert_eq!((unfit.code(), unfit.partial().unwrap().text.as_str()), ("answer_unfit", "plain"));
        assert_eq!(looks.load(Ordering::SeqCst), 2);
    });
}

fn calls_twice(request: &ChatRequest) -> Result<ChatReply, ModelError> {
    Ok(match told(request)[..] {
        [] => calls(&[("write", json!({"text": "plain"})), ("write", json!({"text": "a secret"}))]),
        _ => ChatReply::text(told(request).join(" | ")),
    })
}

#[test]
fn a_tool_call_that_is_blocked_is_not_made_and_the_model_is_told() {
    simulated(1, |runtime| async move {
        let (gateway, _) = model(&runtime, calls_twice);
        let (rail, _) = Rail::new(SECOND, no_secrets);
        let made = Arc::new(AtomicUsize::new(0));
        let counted = made.clone();
        let tool = quick("write", move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            Ok("written".to_owned())
        });
        let agent = spec(&gateway).tool(tool).guard_tools(rail).start().unwrap();
        let answer = agent.ask("x").await.unwrap().text;
        assert_eq!(answer, "written | error: it is not allowed (rail): it is secret");
        assert_eq!(made.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_handoff_that_is_blocked_leaves_the_conversation_where_it_is() {
    simulated(1, |runtime| async move {
        for (hands_over, answered_by, says) in [
            (true, "sales", "you are sales from here on"),
            (false, "assistant", "error: it is not allowed (rail): not now"),
        ] {
            let (gateway, _) = model(&runtime, |request| {
                Ok(match told(request)[..] {
                    [] => calls(&[("transfer_to_sales", json!({}))]),
                    _ => ChatReply::text(told(request).join(" | ")),
                })
            });
            let (rail, looks) = Rail::new(
                SECOND,
                match hands_over {
                    true => |_| Verdict::Pass,
                    false => |what| match what {
                        Guarded::ToolCall { tool, .. } if tool == "transfer_to_sales" => {
                            Verdict::Block("not now".to_owned())
                        }
                        _ => Verdict::Pass,
                    },
                },
            );
            let sales = ChatAgentSpec::new("sales", &gateway, MODEL).start().unwrap();
            let agent = spec(&gateway).handoff(&sales, "Sells.").guard_tools(rail).start().unwrap();
            let answer = agent.ask("x").await.unwrap();
            assert_eq!((&*answer.agent, looks.load(Ordering::SeqCst)), (answered_by, 1));
            assert!(answer.text.starts_with(says), "{answer}");
        }
    });
}

/// A person who takes ten seconds.
struct Person {
    decides: fn(&Approval) -> Decision,
    asked: Arc<Mutex<Vec<Approval>>>,
}

impl Approver for Person {
    fn decide(&self, approval: Approval) -> BoxFuture<'static, Decision> {
        let decision = (self.decides)(&approval);
        self.asked.lock().unwrap().push(approval);
        Box::pin(async move {
            tokio::time::sleep(10 * SECOND).await;
            decision
        })
    }
}

#[test]
fn a_tool_waits_for_a_person_whose_decision_is_of_this_very_call() {
    simulated(1, |runtime| async move {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let start = |decides: Option<fn(&Approval) -> Decision>| {
            let (gateway, _) = model(&runtime, calls_twice);
            let policy = ToolPolicy { needs_approval: true, timeout: SECOND, ..ToolPolicy::default() };
            let tool = FunctionTool { policy, ..quick("write", |_| Ok("written".to_owned())) };
            let spec: ChatAgentSpec = spec(&gateway).tool(tool);
            match decides {
                Some(decides) => spec.approver(Person { decides, asked: asked.clone() }).start().unwrap(),
                None => spec.start().unwrap(),
            }
        };
        let nobody = start(None).ask("x").await.unwrap().text;
        let refused = "error: it needs a person's approval, and there is nobody to ask";
        assert_eq!(nobody, format!("{refused} | {refused}"));

        let agent = start(Some(|approval| match approval.arguments["text"].as_str() {
            Some("plain") => Decision::Approved { fingerprint: approval.fingerprint.clone() },
            _ => Decision::Denied { reason: "not that".to_owned() },
        }));
        let answer = agent.ask("x").await.unwrap();
        assert_eq!(answer.text, "written | error: it was not approved: not that");
        assert_eq!(answer.metrics.tools, 10 * SECOND, "the tool's own time-out is another");
        let asked = std::mem::take(&mut *asked.lock().unwrap());
        assert_eq!((asked.len(), &*asked[0].agent, asked[0].tool.as_str()), (2, "assistant", "write"));
        assert!(asked[0].fingerprint.len() == 64 && asked[0].fingerprint != asked[1].fingerprint);

        let other = start(Some(|_| Decision::Approved { fingerprint: "0".repeat(64) }));
        assert!(other.ask("x").await.unwrap().text.contains("another call than this one"));
        let panics = start(Some(|_| panic!("on purpose"))).ask("x").await.unwrap().text;
        let denied = "error: it was not approved: the approver panicked: on purpose";
        assert_eq!(panics, format!("{denied} | {denied}"));
    });
}

/// A tool of which each call needs a person, with this schema.
struct Written(serde_json::Value);

impl Tool for Written {
    fn spec(&self) -> Arc<ToolSpec> {
        let (name, description) = ("write".to_owned(), "For tests.".to_owned());
        Arc::new(ToolSpec { name, description, parameters: self.0.clone().into() })
    }

    fn policy(&self) -> ToolPolicy {
        ToolPolicy { needs_approval: true, ..ToolPolicy::default() }
    }

    fn call(&self, _: serde_json::Value, _: ToolContext) -> BoxFuture<'static, Result<String, ToolError>> {
        Box::pin(async { Ok("written".to_owned()) })
    }
}

#[test]
fn nobody_is_asked_about_a_call_that_cannot_be_made() {
    simulated(1, |runtime| async move {
        let (gateway, _) = model(&runtime, calls_twice);
        let asked = Arc::new(Mutex::new(Vec::new()));
        let start = |rule| {
            let schema = json!({"type": "object", "properties": {"text": rule}, "required": ["text"]});
            let decides = |approval: &Approval| Decision::Approved { fingerprint: approval.fingerprint.clone() };
            let person = Person { decides, asked: asked.clone() };
            spec(&gateway).tool(Written(schema)).approver(person).start().unwrap()
        };
        let told = start(json!({"const": "plain"})).ask("x").await.unwrap().text;
        let said = told.strip_prefix("written | error: the arguments do not fit: ").unwrap_or_else(|| panic!("{told}"));
        assert!(said.contains("was expected (at /text)"), "{said}");
        let decisions: Vec<_> = asked.lock().unwrap().drain(..).map(|approval: Approval| approval.arguments).collect();
        assert_eq!(decisions, [json!({"text": "plain"})]);

        let told = start(json!({"pattern": "["})).ask("x").await.unwrap().text;
        assert!(told.starts_with("error: it cannot be called, because its own schema is wrong"), "{told}");
        assert_eq!(asked.lock().unwrap().len(), 0);
    });
}

#[test]
fn a_tool_waits_until_its_question_has_passed_and_is_not_called_for_one_that_has_not() {
    // The model, which takes a second, wants the tool in its first reply; the look takes longer.
    for (question, is_streamed, began) in [
        ("plain", false, Some(3 * SECOND)),
        ("plain", true, Some(3 * SECOND)),
        ("a secret", false, None),
        ("a secret", true, None),
    ] {
        simulated(1, |runtime| async move {
            let (gateway, function) = model(&runtime, |request| {
                Ok(match told(request)[..] {
                    [] => calls(&[("write", json!({}))]),
                    _ => ChatReply::text("done"),
                })
            });
            let (rail, looks) = Rail::new(3 * SECOND, no_secrets);
            let (asked, called) = (Instant::now(), Arc::new(Mutex::new(None)));
            let noted = called.clone();
            let tool = quick("write", move |_| {
                *noted.lock().unwrap() = Some(asked.elapsed());
                Ok("written".to_owned())
            });
            let agent = spec(&gateway).tool(tool).guard_input(rail).start().unwrap();
            let answer = match is_streamed {
                false => agent.ask(question).await,
                true => {
                    let mut stream = agent.ask_stream(question);
                    let first = stream.next().await;
                    assert_eq!(first.is_some(), began.is_some(), "{question}: {first:?}");
                    stream.answer().await
                }
            };
            match began {
                Some(_) => assert_eq!(answer.unwrap().text, "done"),
                None => assert_eq!(blocked(answer.unwrap_err()).1, "it is secret"),
            }
            // Nor does it begin later.
            tokio::time::sleep(10 * SECOND).await;
            let (called, first) = (*called.lock().unwrap(), function.asked.lock().unwrap().len());
            assert_eq!((called, looks.load(Ordering::SeqCst)), (began, 1), "{question}, streamed: {is_streamed}");
            assert_eq!(first, if began.is_some() { 2 } else { 1 }, "the first reply had come");
        });
    }
}
