//! Does an agent that was told to end begin nothing more, neither in its copies nor after a handoff? On virtual time.

mod common;

use callboard_actors::chat::{ChatReply, ChatRequest};
use callboard_actors::chat_agent::{ChatAgent, ChatAgentError, ChatAgentSpec};
use callboard_actors::error::{AskError, ModelError};
use callboard_actors::runtime::simulated;
use common::agent::{MODEL, calls, model, spec, told};
use common::model::SECOND;
use serde_json::json;

fn echo(request: &ChatRequest) -> Result<ChatReply, ModelError> {
    Ok(ChatReply::text(request.turns.last().unwrap().text.as_str()))
}

/// How an agent is told, and whether it lives already.
type End = (fn(&ChatAgent), bool);

const STOPPED: Result<(), ChatAgentError> = Err(ChatAgentError::Agent(AskError::Stopped));

#[test]
fn many_are_asked_no_further_once_their_agent_was_told_to_end() {
    simulated(1, |runtime| async move {
        let ends: [End; 3] = [(ChatAgent::stop, true), (ChatAgent::drain, true), (ChatAgent::stop, false)];
        for (end, is_asked_first) in ends {
            let (gateway, _) = model(&runtime, echo);
            let agent = spec(&gateway).start().unwrap();
            if is_asked_first {
                agent.ask("x").await.unwrap();
            }
            let mut many = agent.ask_all(["a", "b", "c", "d"]).limit(2);
            let first = many.next().await.unwrap();
            end(&agent);
            let mut all = vec![first];
            while let Some(answer) = many.next().await {
                all.push(answer);
            }
            all.sort_by_key(|(number, _)| *number);
            let ends: Vec<_> = all.into_iter().map(|(_, answer)| answer.map(drop)).collect();
            // Those under way are answered; which of the two come first is the same in each run.
            assert_eq!(ends, [Ok(()), Ok(()), STOPPED, STOPPED]);
            let later = agent.ask_all(["e"]).collect().await.remove(0).map(drop);
            assert_eq!(later, STOPPED);
            tokio::time::sleep(SECOND).await;
        }
    });
}

#[test]
fn nobody_hands_over_to_an_agent_that_was_told_to_end() {
    simulated(1, |runtime| async move {
        let hands_over = |request: &ChatRequest| {
            Ok(match told(request)[..] {
                [] => calls(&[("transfer_to_sales", json!({}))]),
                [ref told] => ChatReply::text(told.as_str()),
                _ => ChatReply::text("several"),
            })
        };
        let ends: [End; 3] = [(ChatAgent::stop, true), (ChatAgent::drain, true), (ChatAgent::drain, false)];
        for (end, is_asked_first) in ends {
            let (gateway, _) = model(&runtime, hands_over);
            let sales = ChatAgentSpec::new("sales", &gateway, MODEL).start().unwrap();
            if is_asked_first {
                sales.ask("x").await.unwrap();
            }
            let desk = spec(&gateway).handoff(&sales, "Sells.").start().unwrap();
            assert_eq!(&*desk.ask("x").await.unwrap().agent, "sales");
            end(&sales);
            let answer = desk.ask("x").await.unwrap();
            assert_eq!(answer.text, "error: sales has stopped: go on without it");
            assert_ne!(&*answer.agent, "sales");
        }
    });
}
