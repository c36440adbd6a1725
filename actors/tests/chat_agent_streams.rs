//! What has an asker of a turn that broke, or was silent, after some of its text had come? On virtual time.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use callboard_actors::chat::{ChatChunk, ChatReply, Role};
use callboard_actors::chat_agent::{AskEvent, ChatAgentError, ChatAgentSpec, Question};
use callboard_actors::error::ModelError;
use callboard_actors::gateway::{Gateway, GatewayLimits, ServedModel};
use callboard_actors::ports::{ChatModel, Guarded, Guardrail, ModelCall, Verdict};
use callboard_actors::runtime::{Runtime, simulated};
use common::agent::{calls, quick, spec};
use common::model::SECOND;
use futures_util::future::BoxFuture;
use serde_json::json;

/// Calls a tool if it has one that has not answered; then says these pieces, and breaks, or says no more.
#[derive(Clone, Copy)]
struct Breaks {
    pieces: [&'static str; 3],
    is_silent: bool,
}

impl ChatModel for Breaks {
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        let Self { pieces, is_silent } = *self;
        Box::pin(async move {
            let has_answered = call.request.turns.iter().any(|turn| turn.role == Role::Tool);
            if !call.request.tools.is_empty() && !has_answered {
                return Ok(ChatReply { text: "I look.".to_owned(), ..calls(&[("note", json!({}))]) });
            }
            for piece in pieces {
                if let Some(chunks) = &call.chunks {
                    assert!(chunks.send(ChatChunk::Text(piece.to_owned())).await);
                }
            }
            if is_silent {
                std::future::pending::<()>().await;
            }
            let received = pieces.concat().len();
            Err(ModelError::Broken { received, message: "it broke".to_owned() })
        })
    }
}

fn agent(runtime: &Runtime, model: Breaks) -> ChatAgentSpec {
    let served = ServedModel::new(common::agent::MODEL, Arc::new(model));
    spec(&Gateway::start(runtime, vec![served], GatewayLimits::default()).unwrap())
}

/// The text of the events, and the error.
async fn read(spec: ChatAgentSpec) -> (String, ChatAgentError) {
    let agent = spec.start().unwrap();
    let (mut stream, mut seen) = (agent.ask_stream(Question::new("x").within(10 * SECOND)), String::new());
    while let Some(event) = stream.next().await {
        if let AskEvent::Text(text) = event {
            seen += &text;
        }
    }
    (seen, stream.answer().await.unwrap_err())
}

#[test]
fn what_came_of_a_turn_that_broke_is_in_partial() {
    simulated(1, |runtime| async move {
        for (is_silent, code) in [(false, "broken_reply"), (true, "limit_time")] {
            let breaks = Breaks { pieces: ["It ", "rains ", "in"], is_silent };
            for has_tool in [false, true] {
                let spec = agent(&runtime, breaks);
                let spec = if has_tool { spec.tool(quick("note", |_| Ok("noted".to_owned()))) } else { spec };
                let (seen, error) = read(spec).await;
                let partial = error.partial().unwrap();
                assert_eq!((error.code(), &*partial.text), (code, "It rains in"));
                assert_eq!(seen, "It rains in");
                assert_eq!(partial.turns.len(), if has_tool { 3 } else { 1 }, "what broke is no turn");
            }
            let nothing = agent(&runtime, Breaks { pieces: [""; 3], is_silent });
            let (_, error) = read(nothing.tool(quick("note", |_| Ok("noted".to_owned())))).await;
            assert_eq!(error.partial().unwrap().text, "I look.", "nothing came, and the last turn stands");
        }
    });
}

/// Blocks secrets, and counts its looks.
struct NoSecrets(Arc<AtomicUsize>);

impl Guardrail for NoSecrets {
    fn name(&self) -> &str {
        "no secrets"
    }

    fn check(&self, what: Guarded) -> BoxFuture<'static, Verdict> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let is_secret = matches!(what, Guarded::Output(text) if text.contains("secret"));
        let verdict = if is_secret { Verdict::Block("it is secret".to_owned()) } else { Verdict::Pass };
        Box::pin(std::future::ready(verdict))
    }
}

#[test]
fn it_is_looked_at_as_an_answer_that_was_cut_is() {
    simulated(1, |runtime| async move {
        for (pieces, passes) in [(["a ", "sec", "ret"], false), (["a ", "pl", "ain"], true)] {
            for is_silent in [false, true] {
                let looks = Arc::new(AtomicUsize::new(0));
                let spec = agent(&runtime, Breaks { pieces, is_silent }).guard_output(NoSecrets(looks.clone()));
                // The model repeats what a tool has said, which nobody has looked at.
                let repeated = pieces.concat();
                let (_, error) = read(spec.tool(quick("note", move |_| Ok(repeated.clone())))).await;
                let partial = error.partial().unwrap();
                let text = if passes { "a plain" } else { "" };
                assert_eq!((&*partial.text, looks.load(Ordering::SeqCst)), (text, 1), "{error:?}");
                assert_eq!((partial.withheld.is_some(), partial.turns.is_empty()), (!passes, !passes), "{error:?}");
            }
        }
    });
}
