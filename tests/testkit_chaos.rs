//! Does the chaos model do what its seed says, and does an agent behind the gateway come through? All on virtual time.

use std::collections::BTreeSet;
use std::time::Duration;

use callboard::actors::chat::{ChatReply, ChatRequest, Finish, ToolSpec, Turn};
use callboard::actors::error::{Limited, ModelError, Waiting};
use callboard::actors::gateway::{ChatCall, ChunkStream, GatewayLimits, RetryPolicy, ServedModel};
use callboard::prelude::*;
use callboard::testkit::{ChaosFault, ChaosModel, ScriptedModel, TEST_MODEL, explore_with, simulated, simulated_with};
use callboard::{ChatAgentError, ModelChoice};
use serde_json::{Value, json};
use tokio::time::Instant;

/// Adds.
#[tool]
async fn add(left: i32, right: i32) -> i32 {
    left + right
}

/// One attempt of a call is all there is.
fn once(model: ChaosModel) -> ModelChoice {
    let mut choice = ModelChoice::new(ServedModel::new(TEST_MODEL, std::sync::Arc::new(model)));
    choice.gateway = GatewayLimits { retry: RetryPolicy { attempts: 1, ..RetryPolicy::default() }, ..choice.gateway };
    choice
}

async fn read(mut pieces: ChunkStream) -> usize {
    let mut read = 0;
    while pieces.next().await.is_some() {
        read += 1;
    }
    read
}

async fn streamed(call: ChatCall<'_>) -> (Result<ChatReply, ModelError>, usize) {
    let (call, pieces) = call.streamed();
    let (answer, read) = tokio::join!(call.send(), read(pieces));
    (answer.map(|completed| completed.reply), read)
}

/// What one call with this fault gives, whole and as a stream, how many pieces its reader saw, and how long both took.
fn seen(fault: ChaosFault) -> [(Result<ChatReply, ModelError>, usize, Duration); 2] {
    let behind = ScriptedModel::new().says("It rains in Oslo.").says("It rains in Oslo.");
    let model = ChaosModel::new(1, behind).fault(fault, 1.0);
    simulated_with(1, once(model), |runtime| async move {
        let gateway = runtime.gateway().unwrap();
        let parameters = json!({"type": "object"});
        let tool = ToolSpec { name: "add".to_owned(), description: "Adds.".to_owned(), parameters: parameters.into() };
        let mut request = ChatRequest::new(vec![Turn::user("Rain?")], 100);
        request.tools.push(tool.into());
        let began = Instant::now();
        let whole = gateway.call(TEST_MODEL, request.clone()).send().await.map(|completed| completed.reply);
        let took = began.elapsed();
        let (answer, pieces) = streamed(gateway.call(TEST_MODEL, request)).await;
        [(whole, 0, took), (answer, pieces, began.elapsed() - took)]
    })
}

#[test]
fn each_fault_is_the_error_that_a_provider_would_be() {
    let wait = Duration::from_secs(3);
    let [(whole, ..), (stream, ..)] = seen(ChaosFault::rate_limited(wait));
    for error in [whole.unwrap_err(), stream.unwrap_err()] {
        assert!(
            matches!(error, ModelError::RateLimited { limited: Limited::Rate, retry_after, .. } if retry_after == Some(wait))
        );
    }
    let [(whole, ..), _] = seen(ChaosFault::too_many_at_once());
    let limited = Limited::Concurrency;
    assert!(
        matches!(whole, Err(ModelError::RateLimited { limited: found, retry_after: None, .. }) if found == limited)
    );
    let [(whole, ..), _] = seen(ChaosFault::overloaded());
    assert!(matches!(whole, Err(ModelError::Unavailable { status: 529, .. })), "{whole:?}");
    let [(whole, ..), _] = seen(ChaosFault::Reset);
    assert!(matches!(whole, Err(ModelError::Network { sent: true, .. })), "{whole:?}");
    let [(whole, ..), (stream, ..)] = seen(ChaosFault::BadJson);
    assert!([whole, stream].iter().all(|reply| matches!(reply, Err(ModelError::Malformed(_)))));
    let [(whole, ..), (stream, pieces, _)] = seen(ChaosFault::Empty);
    assert!(whole.unwrap().text.is_empty() && stream.unwrap().tool_calls.is_empty() && pieces == 0);
    let [(whole, ..), (stream, ..)] = seen(ChaosFault::NoUsage);
    for reply in [whole.unwrap(), stream.unwrap()] {
        assert_eq!((reply.text.as_str(), reply.usage), ("It rains in Oslo.", None));
    }
}

#[test]
fn what_is_cut_was_seen_in_part_and_silence_lasts_until_the_time_is_over() {
    let [(whole, ..), (stream, pieces, _)] = seen(ChaosFault::Cut);
    assert!(matches!(whole, Err(ModelError::Network { sent: true, .. })), "{whole:?}");
    assert!(matches!(stream, Err(ModelError::Broken { received: 1..=16, .. })) && pieces == 1, "{stream:?}, {pieces}");
    let [(whole, _, took), (stream, pieces, streamed)] = seen(ChaosFault::Silence);
    assert_eq!((whole, took.as_secs()), (Err(ModelError::Timeout(Waiting::Total)), 300));
    assert_eq!((stream, pieces, streamed.as_secs()), (Err(ModelError::Timeout(Waiting::FirstToken)), 0, 60));
    let [(whole, ..), (stream, pieces, streamed)] = seen(ChaosFault::Stall);
    assert_eq!(whole, Err(ModelError::Timeout(Waiting::NextToken)));
    assert_eq!((stream, pieces, streamed.as_secs()), (Err(ModelError::Timeout(Waiting::NextToken)), 1, 30));
}

#[test]
fn bad_arguments_are_no_json_and_the_agent_is_told() {
    let [(whole, ..), (stream, pieces, _)] = seen(ChaosFault::BadArguments);
    for reply in [whole.unwrap(), stream.unwrap()] {
        assert_eq!((reply.tool_calls[0].name.as_str(), &reply.finish), ("add", &Finish::ToolCalls));
        assert!(serde_json::from_str::<Value>(&reply.tool_calls[0].arguments).is_err(), "{reply:?}");
    }
    assert_eq!(pieces, 2, "the text and the call");
    let script = ScriptedModel::new().calls("add", json!({"left": 1, "right": 2})).says("3");
    let model = ChaosModel::new(1, script).burst(ChaosFault::BadArguments, 1.0, 1..=1);
    simulated(1, model, |runtime| async move {
        let agent = runtime.agent("assistant").tool(add).start().unwrap();
        let error = agent.ask("1 + 2?").await.unwrap_err();
        // All its calls are spoilt, so that at last the script is over.
        let partial = error.partial().unwrap();
        let told: Vec<_> = partial.turns.iter().filter(|turn| turn.answers.is_some()).map(|turn| &turn.text).collect();
        assert!(told[0].contains("they are no JSON"), "{told:?}");
    });
}

#[test]
fn a_burst_ends_and_the_script_has_lost_nothing() {
    let script = ScriptedModel::new().calls("add", json!({"left": 1, "right": 2})).says("3");
    // Seed 3 begins its burst with the first call.
    let model = ChaosModel::new(3, script.clone()).burst(ChaosFault::rate_limited(Duration::from_secs(7)), 0.3, 3..=3);
    let (answer, took) = simulated(1, model.clone(), |runtime| async move {
        let agent = runtime.agent("assistant").tool(add).start().unwrap();
        let began = Instant::now();
        (agent.ask("1 + 2?").await.unwrap(), began.elapsed())
    });
    let storm = model.faults().iter().take_while(|fault| fault.is_some()).count();
    assert_eq!((storm, model.faults().len()), (3, 5), "{:?}", model.faults());
    assert_eq!((answer.text.as_str(), script.left()), ("3", 0));
    assert!(took >= Duration::from_secs(21), "each 429 asks for seven seconds: {took:?}");
}

/// What became of 30 asks of 6 agents on a bad day, and which faults there were.
async fn bad_day(runtime: &Runtime) -> Vec<String> {
    let mut ends = Vec::new();
    let agents = (0..6).map(|number| runtime.agent(format!("agent {number}")).tool(add).start().unwrap());
    let agents: Vec<_> = agents.collect();
    for round in 0..5 {
        let asks = agents.iter().map(|agent| agent.ask(format!("question {round}")));
        let asks: Vec<_> = asks.collect();
        for ask in asks {
            ends.push(match ask.await {
                Ok(answer) => answer.text,
                Err(ChatAgentError::Model { error, .. }) => error.code().to_owned(),
                Err(other) => other.code().to_owned(),
            });
        }
    }
    ends
}

#[test]
fn a_bad_day_is_the_same_day_again_and_every_ask_ends() {
    let faults = |seed: u64, order: u64| {
        let model = ChaosModel::alone(seed).bad_day();
        let ends = simulated(order, model.clone(), |runtime| async move { bad_day(&runtime).await });
        assert_eq!(ends.len(), 30);
        assert!(ends.iter().filter(|end| end.starts_with("You asked")).count() > 15, "{ends:?}");
        (model.faults(), ends)
    };
    let (one, other) = (faults(7, 1), faults(7, 1));
    assert_eq!(one, other);
    // Another order of turns, the same fates.
    let (later, _) = faults(7, 2);
    let both = one.0.len().min(later.len());
    assert_eq!(one.0[..both], later[..both]);
    assert_ne!(one.0[..both], faults(8, 1).0[..both.min(faults(8, 1).0.len())]);
    let kinds: BTreeSet<_> = one.0.iter().flatten().map(|fault| format!("{fault:?}")).collect();
    assert!(kinds.len() >= 5, "{kinds:?}");
}

#[test]
fn seeds_repeat_themselves_with_agents_and_chaos() {
    explore_with(
        0..6,
        |seed| ChaosModel::alone(seed).bad_day(),
        |_, runtime, log| async move {
            for end in bad_day(&runtime).await {
                log.note(end);
            }
        },
    );
}

#[test]
#[should_panic(expected = "the share of Cut is 2; it must be between 0 and 1")]
fn a_share_above_one_is_refused() {
    let _refused = ChaosModel::alone(1).fault(ChaosFault::Cut, 2.0);
}
