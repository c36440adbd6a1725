//! What do calls of tools wait for, and for how long? For those that may end, until they do; not for those that went over their time. On
//! virtual time.

mod common;

use std::time::Duration;

use callboard_actors::chat::{ChatReply, ChatRequest, Role};
use callboard_actors::chat_agent::{AskLimits, ChatAgent, ChatAgentSpec};
use callboard_actors::error::{ModelError, ToolError};
use callboard_actors::gateway::Gateway;
use callboard_actors::ports::{ToolContext, ToolPolicy};
use callboard_actors::runtime::simulated;
use common::agent::{FunctionTool, MODEL, calls, model, told};
use common::model::SECOND;
use futures_util::future::BoxFuture;
use serde_json::json;
use tokio::time::{Instant, sleep};

/// A question names the tools of each turn, the turns between semicolons; the answer is what those of the last turn said.
fn as_asked(request: &ChatRequest) -> Result<ChatReply, ModelError> {
    let question = request.turns.iter().rev().find(|turn| turn.role == Role::User).unwrap();
    let turns = request.turns.iter().filter(|turn| !turn.tool_calls.is_empty()).count();
    Ok(match question.text.split("; ").nth(turns) {
        None => ChatReply::text(told(request).join(" | ")),
        Some(tools) => {
            let named: Vec<_> = tools.split(' ').map(|tool| (tool, json!({"question": "alone"}))).collect();
            calls(&named)
        }
    })
}

/// Its work takes so long, whoever waits for it.
fn tool(name: &'static str, work: Duration, timeout: Duration) -> FunctionTool {
    let does = move |_, context: ToolContext| -> BoxFuture<'static, Result<String, ToolError>> {
        let place = context.place.hold();
        let work = tokio::spawn(async move {
            sleep(work).await;
            drop(place);
        });
        Box::pin(async move {
            work.await.map_err(|_ended| ToolError::Failed("it ended".to_owned()))?;
            Ok(name.to_owned())
        })
    };
    FunctionTool { name, policy: ToolPolicy { timeout, ..ToolPolicy::default() }, does: Box::new(does) }
}

fn alone(work: Duration, timeout: Duration) -> FunctionTool {
    let tool = tool("alone", work, timeout);
    FunctionTool { policy: ToolPolicy { sequential: true, ..tool.policy }, ..tool }
}

fn brief() -> FunctionTool {
    tool("brief", SECOND / 2, SECOND)
}

fn named(name: &str, gateway: &Gateway) -> ChatAgentSpec {
    ChatAgentSpec::new(name, gateway, MODEL)
}

async fn says(agent: &ChatAgent, tools: &str) -> (String, Duration) {
    let asked = Instant::now();
    (agent.ask(tools).await.unwrap().text, asked.elapsed())
}

const NEVER: Duration = Duration::from_secs(100_000);
const LATE: &str = "error: it is not available at the moment: it took longer than 1s, and it still runs";
const BUSY: &str = "error: it was not called: alone waited 1s or longer for its turn: it must not run beside an earlier call, which went over its \
                    time and does not end; go on without it";

#[test]
fn a_place_of_a_turn_is_waited_for_as_long_as_one_of_those_that_have_it_may_end() {
    simulated(1, |runtime| async move {
        let (gateway, _) = model(&runtime, as_asked);
        let limits = AskLimits { tools_at_once: 2, ..AskLimits::default() };
        let agent = named("assistant", &gateway).limits(limits).tool(brief());
        let agent = agent.tool(tool("hangs", NEVER, SECOND)).tool(tool("long", 30 * SECOND, 60 * SECOND));
        let agent = agent.start().unwrap();
        // Of two places the first is lost, and the second one comes back when the long call is over.
        let (said, took) = says(&agent, "hangs long brief").await;
        assert_eq!((said, took), (format!("{LATE} | long | brief"), 32 * SECOND + SECOND / 2));
        let (said, took) = says(&agent, "hangs hangs brief").await;
        let busy = "brief waited 1s or longer for its turn: 2 calls may be made at the same time";
        assert!(said.starts_with(&format!("{LATE} | {LATE} | error: it was not called: {busy}")), "{said}");
        assert_eq!(took, 4 * SECOND, "a second each of the model, and one in vain");
    });
}

#[test]
fn a_call_that_must_be_alone_is_waited_for_in_its_time_also_when_its_ask_was_dropped() {
    simulated(1, |runtime| async move {
        let (gateway, _) = model(&runtime, as_asked);
        for (timeout, expected, took) in
            [(60 * SECOND, "brief", 29 * SECOND + SECOND / 2), (SECOND, "error: it was not called", 3 * SECOND)]
        {
            let agent = named("assistant", &gateway).tool(brief()).tool(alone(30 * SECOND, timeout)).start().unwrap();
            assert!(tokio::time::timeout(3 * SECOND, agent.ask("alone")).await.is_err() || timeout == SECOND);
            let (said, waited) = says(&agent, "brief").await;
            assert!(said.starts_with(expected), "{said}");
            assert_eq!(waited, took, "{timeout:?}");
        }
    });
}

#[test]
fn a_call_that_must_be_alone_is_so_for_the_agent_that_was_asked_whoever_makes_it() {
    simulated(1, |runtime| async move {
        let (gateway, _) = model(&runtime, as_asked);
        let sales = named("sales", &gateway).tool(alone(NEVER, SECOND)).start().unwrap();
        let desks = ["one", "other"].map(|name| named(name, &gateway).handoff(&sales, "Sells.").start().unwrap());
        for desk in &desks {
            assert_eq!(says(desk, "transfer_to_sales; alone").await.0, LATE);
            assert_eq!(says(desk, "transfer_to_sales; alone").await.0, BUSY, "its ask before has not ended");
        }
        assert_eq!(says(&sales, "alone").await.0, LATE, "nobody has asked it yet");

        // An agent as a tool is asked itself.
        let expert = named("expert", &gateway).tool(alone(NEVER, SECOND)).start().unwrap();
        let bosses = ["one", "other"].map(|name| {
            let boss = named(name, &gateway).tool(expert.as_tool("Knows."));
            boss.tool(alone(SECOND / 2, SECOND)).start().unwrap()
        });
        assert_eq!(says(&bosses[0], "expert").await.0, LATE);
        assert_eq!(says(&bosses[1], "expert").await.0, BUSY);
        assert_eq!(says(&bosses[0], "alone").await.0, "alone", "a tool of that name of its own");
    });
}
