//! Do agents work for each other: as tools, and by handing a conversation over? On virtual time.

mod common;

use std::sync::{Arc, OnceLock};

use callboard_actors::chat::{ChatReply, ChatRequest, Role, ToolSpec, Turn};
use callboard_actors::chat_agent::{Answer, AskEvent, AskLimits, ChatAgent, ChatAgentSpec, Question};
use callboard_actors::error::{ModelError, StartError, ToolError};
use callboard_actors::gateway::{Budget, BudgetLimits, Gateway, GatewayLimits, Priority, ServedModel};
use callboard_actors::ports::{ChatModel, ModelCall, Tool, ToolContext, ToolPolicy};
use callboard_actors::runtime::simulated;
use common::agent::{FunctionTool, MODEL, calls, model, quick, told};
use common::model::SECOND;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use tokio::time::Instant;

/// What the instructions of the agent that asks are.
fn instructions(request: &ChatRequest) -> &str {
    request.turns.first().filter(|turn| turn.role == Role::System).map_or("", |turn| turn.text.as_str())
}

fn named(name: &str, gateway: &Gateway) -> ChatAgentSpec {
    ChatAgentSpec::new(name, gateway, MODEL).instructions(name)
}

#[test]
fn an_agent_as_a_tool_is_asked_and_pays_from_the_same_budget() {
    simulated(1, |runtime| async move {
        let says = |request: &ChatRequest| {
            Ok(match (instructions(request), told(request).first()) {
                ("boss", None) => calls(&[("the_expert", json!({"question": "how warm?"}))]),
                ("boss", Some(told)) => ChatReply::text(format!("he says {told}")),
                (_, _) => ChatReply::text("21 degrees"),
            })
        };
        let (gateway, function) = model(&runtime, says);
        let expert = named("the expert", &gateway).start().unwrap();
        let boss = named("boss", &gateway).tool(expert.as_tool("Knows temperatures.")).start().unwrap();
        let budget = Budget::new(BudgetLimits::default());
        let answer = boss.ask(Question::new("Is it warm?").budget(&budget)).await.unwrap();
        assert_eq!((answer.text.as_str(), &*answer.agent), ("he says 21 degrees", "boss"));
        let (took, spent) = (&answer.metrics, budget.spent());
        assert_eq!((took.model_calls, took.attempts, took.tool_calls, spent.calls), (3, 3, 1, 3), "his are among them");
        assert_eq!((took.input_tokens, took.output_tokens, took.cost_micros), (30, 15, Some(45)));
        assert_eq!((took.model, took.tools, took.total), (2 * SECOND, SECOND, 3 * SECOND), "each time is of one kind");
        let asked = function.asked.lock().unwrap();
        assert_eq!(asked[1].turns, [Turn::system("the expert"), Turn::user("how warm?")]);
        assert_eq!(asked[0].tools[0].description, "Knows temperatures.");
    });
}

/// An agent as a tool of agents that were there before it.
struct Later(Arc<OnceLock<ChatAgent>>);

impl Tool for Later {
    fn spec(&self) -> Arc<ToolSpec> {
        let (name, description) = ("other".to_owned(), "The other one.".to_owned());
        Arc::new(ToolSpec { name, description, parameters: json!({"type": "object"}).into() })
    }

    fn call(&self, arguments: Value, context: ToolContext) -> BoxFuture<'static, Result<String, ToolError>> {
        self.0.get().unwrap().as_tool("").call(arguments, context)
    }
}

/// Two agents that ask each other first, whatever they are asked.
fn two_that_ask_each_other(gateway: &Gateway) -> (ChatAgent, ChatAgent) {
    let (first, second) = (Arc::new(OnceLock::new()), Arc::new(OnceLock::new()));
    let start =
        |name: &str, other: &Arc<OnceLock<ChatAgent>>| named(name, gateway).tool(Later(other.clone())).start().unwrap();
    let both = (start("first", &second), start("second", &first));
    assert!(first.set(both.0.clone()).is_ok() && second.set(both.1.clone()).is_ok());
    both
}

/// Asks the other one, and says what that says.
fn asks_the_other(request: &ChatRequest) -> Result<ChatReply, ModelError> {
    Ok(match told(request).first() {
        None => calls(&[("other", json!({"question": "what do you think?"}))]),
        Some(told) => ChatReply::text(format!("{} heard: {told}", instructions(request))),
    })
}

#[test]
fn two_agents_that_delegate_to_each_other_for_ever_do_not_wait_for_ever() {
    simulated(1, |runtime| async move {
        let (gateway, _) = model(&runtime, asks_the_other);
        let (first, _second) = two_that_ask_each_other(&gateway);
        let began = Instant::now();
        let answer = first.ask("x").await.unwrap();
        let expected = "first heard: second heard: error: first waits for your answer itself: answer without it";
        assert_eq!((answer.text.as_str(), began.elapsed()), (expected, 4 * SECOND));
    });
}

#[test]
fn what_another_agent_could_not_do_is_told_with_what_it_has() {
    simulated(1, |runtime| async move {
        let says = |request: &ChatRequest| {
            Ok(match (instructions(request), told(request).first()) {
                ("boss", None) => calls(&[("worker", json!({"question": "go"})), ("worker", json!({"question": 7}))]),
                ("boss", Some(_)) => ChatReply::text(told(request).join(" | ")),
                _ => ChatReply { text: "half of it".to_owned(), ..calls(&[("a", json!({"n": request.turns.len()}))]) },
            })
        };
        let (gateway, _) = model(&runtime, says);
        let limits = AskLimits { turns: 2, ..AskLimits::default() };
        let worker = named("worker", &gateway).limits(limits).tool(quick("a", |_| Ok("x".to_owned()))).start().unwrap();
        let boss = named("boss", &gateway).tool(worker.as_tool("Works.")).start().unwrap();
        let answer = boss.ask("x").await.unwrap().text;
        let (first, second) = answer.split_once(" | ").unwrap();
        assert!(first.contains("limit `turns`") && first.ends_with("so far it says: half of it"), "{first}");
        assert_eq!(second, "error: the arguments do not fit: `question` must be a text");
    });
}

/// A desk that hands over to sales, which has a tool of its own.
fn desk(request: &ChatRequest) -> Result<ChatReply, ModelError> {
    let tools: Vec<_> = request.tools.iter().map(|tool| tool.name.as_str()).collect();
    Ok(match instructions(request) {
        "desk" => {
            assert_eq!(tools, ["note", "transfer_to_sales_team"]);
            calls(&[
                ("transfer_to_sales_team", json!({})),
                ("note", json!({"text": "a customer"})),
                ("transfer_to_sales_team", json!({"again": true})),
            ])
        }
        _ => {
            assert_eq!(tools, ["price"]);
            match told(request).last().map(String::as_str) {
                Some("5 euros") => ChatReply::text("It costs 5 euros."),
                _ => calls(&[("price", json!({}))]),
            }
        }
    })
}

#[test]
fn a_conversation_is_handed_over_and_the_other_one_answers() {
    simulated(1, |runtime| async move {
        let (gateway, function) = model(&runtime, desk);
        let sales = ChatAgentSpec::new("sales team", &gateway, MODEL)
            .instructions("sales")
            .temperature(1.5)
            .tool(quick("price", |_| Ok("5 euros".to_owned())))
            .start()
            .unwrap();
        let desk = named("desk", &gateway)
            .temperature(0.0)
            .tool(quick("note", |_| Ok("noted".to_owned())))
            .handoff(&sales, "Sells things.")
            .start()
            .unwrap();
        let mut stream = desk.ask_stream("What does it cost?");
        let mut handed_over = Vec::new();
        while let Some(event) = stream.next().await {
            if let AskEvent::HandedOver { to } = event {
                handed_over.push(to);
            }
        }
        let answer = stream.answer().await.unwrap();
        assert_eq!((answer.text.as_str(), &*answer.agent), ("It costs 5 euros.", "sales team"));
        assert_eq!((handed_over.len(), answer.metrics.model_calls, answer.metrics.tool_calls), (1, 3, 4));
        let asked = function.asked.lock().unwrap();
        let temperatures: Vec<_> = asked.iter().map(|request| request.temperature).collect();
        assert_eq!(temperatures, [Some(0.0), Some(1.5), Some(1.5)], "each agent has its own");
        let second = &asked[1];
        assert_eq!(second.turns[..2], [Turn::system("sales"), Turn::user("What does it cost?")]);
        let said: Vec<_> = second.turns[3..].iter().map(|turn| turn.text.as_str()).collect();
        let go_on = "you are sales team from here on: go on with the conversation";
        assert_eq!(said, ["noted", go_on, "error: one handoff at a time"]);
        let ids: Vec<_> = second.turns[3..].iter().filter_map(|turn| turn.answers.as_deref()).collect();
        assert_eq!(ids.len(), 3, "every call has its answer");

        let too_hot = named("desk", &gateway).temperature(2.1).start().unwrap_err();
        assert!(matches!(too_hot, StartError::Invalid(why) if why == "temperature is 2.1; it must be between 0 and 2"));
        let twice = named("desk", &gateway).handoff(&sales, "a").handoff(&sales, "b").start().unwrap_err();
        assert!(matches!(twice, StartError::Invalid(why) if why.contains("transfer_to_sales_team")));
    });
}

#[test]
fn an_agent_that_is_not_described_is_told_by_its_name() {
    simulated(1, |runtime| async move {
        let says = |request: &ChatRequest| {
            let described: Vec<_> = request.tools.iter().map(|spec| spec.description.as_str()).collect();
            Ok(ChatReply::text(described.join(" ")))
        };
        let (gateway, _) = model(&runtime, says);
        let sales = named("sales team", &gateway).start().unwrap();
        for (as_tool, handoff, told) in [
            ("Sells.", "Goes on.", "Sells. Goes on."),
            ("", " ", "Asks the agent sales team. Hands the conversation over to sales team."),
        ] {
            let desk = named("desk", &gateway).tool(sales.as_tool(as_tool)).handoff(&sales, handoff).start().unwrap();
            assert_eq!(desk.ask("x").await.unwrap().text, told);
        }
    });
}

#[test]
fn who_handed_a_conversation_over_is_not_asked_by_whoever_goes_on_with_it() {
    simulated(1, |runtime| async move {
        let says = |request: &ChatRequest| {
            Ok(match (instructions(request), told(request).last()) {
                ("desk", _) => calls(&[("transfer_to_sales", json!({}))]),
                (_, Some(told)) if told.starts_with("error") => ChatReply::text(told.as_str()),
                _ => calls(&[("other", json!({"question": "what do you think?"}))]),
            })
        };
        let (gateway, _) = model(&runtime, says);
        let desk = Arc::new(OnceLock::new());
        let sales = named("sales", &gateway).tool(Later(desk.clone())).start().unwrap();
        let first = named("desk", &gateway).handoff(&sales, "Sells things.").start().unwrap();
        assert!(desk.set(first).is_ok());
        let began = Instant::now();
        let answer = desk.get().unwrap().ask("x").await.unwrap();
        let expected = "error: desk waits for your answer itself: answer without it";
        assert_eq!((answer.text.as_str(), began.elapsed()), (expected, 3 * SECOND));
    });
}

#[test]
fn two_agents_that_ask_each_other_at_the_same_time_do_not_wait_for_each_other() {
    simulated(1, |runtime| async move {
        let (gateway, _) = model(&runtime, asks_the_other);
        let (first, second) = two_that_ask_each_other(&gateway);
        let began = Instant::now();
        let (one, other) = futures_util::join!(first.ask("x"), second.ask("x"));
        let waits = |name: &str| format!("error: {name} waits for your answer itself: answer without it");
        let (one, other) = (one.unwrap().text, other.unwrap().text);
        // Whoever asked a moment later was refused, and then answered the other one.
        let refused = |who: &str, whom: &str| format!("{who} heard: {}", waits(whom));
        let is_so = match one == refused("first", "second") {
            true => other == format!("second heard: {one}"),
            false => other == refused("second", "first") && one == format!("first heard: {other}"),
        };
        assert!(is_so, "{one}; {other}");
        assert_eq!(began.elapsed(), 5 * SECOND, "five calls, of which two are made at the same time");
        let (of_one, of_other) =
            futures_util::join!(first.ask_all(["x"; 4]).collect(), second.ask_all(["x"; 4]).collect());
        assert!(of_one.iter().chain(&of_other).all(Result::is_ok), "{of_one:?} {of_other:?}");
        // Nobody waits for anybody any more.
        assert_eq!(second.ask("x").await.unwrap().text, format!("second heard: first heard: {}", waits("second")));
    });
}

#[test]
fn an_agent_that_works_for_another_has_its_priority() {
    simulated(1, |runtime| async move {
        let says = |request: &ChatRequest| {
            Ok(match (instructions(request), told(request).first()) {
                (_, Some(told)) => ChatReply::text(told.as_str()),
                ("boss", None) => calls(&[("expert", json!({"question": "how urgent is it?"}))]),
                (_, None) => calls(&[("look", json!({}))]),
            })
        };
        let (gateway, _) = model(&runtime, says);
        let does = |_, context: ToolContext| -> BoxFuture<'static, Result<String, ToolError>> {
            let names: Vec<_> = context.callers.names().map(str::to_owned).collect();
            Box::pin(async move { Ok(format!("{:?} {names:?}", context.priority)) })
        };
        let look = FunctionTool { name: "look", policy: ToolPolicy::default(), does: Box::new(does) };
        let expert = named("expert", &gateway).tool(look).start().unwrap();
        let boss = named("boss", &gateway).tool(expert.as_tool("Knows.")).start().unwrap();
        for priority in [Priority::Urgent, Priority::Background] {
            let answer = boss.ask(Question::new("x").priority(priority)).await.unwrap();
            assert_eq!(answer.text, format!("{priority:?} [\"boss\", \"expert\"]"));
        }
    });
}

#[test]
fn what_an_agent_uses_for_another_counts_for_the_tokens_of_the_ask_and_not_for_its_turns() {
    simulated(1, |runtime| async move {
        let says = |request: &ChatRequest| {
            Ok(match (instructions(request), told(request).first()) {
                ("boss", None) => calls(&[("expert", json!({"question": "how warm?"}))]),
                _ => ChatReply::text("21 degrees"),
            })
        };
        let (gateway, _) = model(&runtime, says);
        let expert = named("expert", &gateway).start().unwrap();
        let boss = |tokens| {
            let limits = AskLimits { turns: 2, tokens: Some(tokens), ..AskLimits::default() };
            named("boss", &gateway).limits(limits).tool(expert.as_tool("Knows.")).start().unwrap()
        };
        let refused = boss(30).ask("x").await.unwrap_err();
        assert_eq!((refused.code(), refused.partial().unwrap().metrics.model_calls), ("limit_tokens", 2));
        assert_eq!(boss(31).ask("x").await.unwrap().metrics.model_calls, 3);
    });
}

/// An agent as a tool, which is waited for this long.
fn waited_for(agent: &ChatAgent, halves: u32) -> FunctionTool {
    let tool = agent.as_tool("");
    let does = move |arguments, context| -> BoxFuture<'static, Result<String, ToolError>> {
        let asking = tool.call(arguments, context);
        Box::pin(
            async move { tokio::time::timeout(halves * SECOND / 2, asking).await.unwrap_or(Ok("late".to_owned())) },
        )
    };
    FunctionTool { name: "expert", policy: ToolPolicy::default(), does: Box::new(does) }
}

#[test]
fn an_agent_that_was_cut_off_used_nobody_knows_what_and_one_whose_turn_had_not_come_nothing() {
    simulated(1, |runtime| async move {
        let says = |request: &ChatRequest| {
            Ok(match (instructions(request), told(request).first()) {
                ("boss", None) => calls(&[("expert", json!({"question": "how warm?"}))]),
                (_, told) => ChatReply::text(told.map_or("21 degrees", String::as_str)),
            })
        };
        let (gateway, _) = model(&runtime, says);
        let expert = named("expert", &gateway).start().unwrap();
        for (halves, is_busy, told, used) in [
            (3, false, "21 degrees", (3, 0, Some(45))),
            (1, false, "late", (2, 1, None)),
            (1, true, "late", (2, 0, Some(30))),
        ] {
            let boss = named("boss", &gateway).tool(waited_for(&expert, halves)).start().unwrap();
            // The expert answers the program from half a second before it is asked.
            let program = async {
                tokio::time::sleep(SECOND / 2).await;
                if is_busy { Some(expert.ask("x").await) } else { None }
            };
            let (answer, _) = futures_util::join!(boss.ask("x"), program);
            let Answer { text, metrics, .. } = answer.unwrap();
            assert_eq!(
                (text.as_str(), (metrics.model_calls, metrics.calls_without_usage, metrics.cost_micros)),
                (told, used)
            );
        }
    });
}

/// Asks the expert, of whom it says what he says.
struct AsksAnExpert;

impl ChatModel for AsksAnExpert {
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        let reply = match (instructions(&call.request), told(&call.request).first()) {
            ("boss", None) => calls(&[("expert", json!({"question": "how warm?"}))]),
            (_, told) => ChatReply::text(told.map_or("21 degrees", String::as_str)),
        };
        Box::pin(async move { Ok(reply) })
    }
}

#[tokio::test]
async fn an_agent_of_another_runtime_is_another_one_whatever_its_number() {
    let runtimes = [common::runtime(1), common::runtime(1)];
    let [here, there] = runtimes.each_ref().map(|runtime| {
        let served = ServedModel::new(MODEL, Arc::new(AsksAnExpert));
        Gateway::start(runtime, vec![served], GatewayLimits::default()).unwrap()
    });
    let expert = named("expert", &there).start().unwrap();
    let boss = named("boss", &here).tool(expert.as_tool("Knows.")).start().unwrap();
    for _ in 0..2 {
        assert_eq!(boss.ask("x").await.unwrap().text, "21 degrees");
    }
}
