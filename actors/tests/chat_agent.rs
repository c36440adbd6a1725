//! Does an agent with a model answer, in order, within its limits, and end when nobody waits? On virtual time.

mod common;

use std::sync::atomic::Ordering;
use std::time::Duration;

use callboard_actors::chat::{ChatReply, ChatRequest, Role, Turn};
use callboard_actors::chat_agent::{
    Answer, AnswerForm, AskEvent, AskLimit, AskLimits, ChatAgent, ChatAgentError, ChatAgentSpec, Question,
};
use callboard_actors::error::{AskError, ModelError, StartError};
use callboard_actors::gateway::{Budget, BudgetLimits, GatewayLimits};
use callboard_actors::ports::{Approval, Approver, Decision, ToolPolicy};
use callboard_actors::runtime::simulated;
use common::agent::{MODEL, calls, model, quick, slow, spec, told};
use common::model::SECOND;
use futures_util::future::BoxFuture;
use serde_json::json;
use tokio::time::Instant;

fn echo(request: &ChatRequest) -> Result<ChatReply, ModelError> {
    Ok(ChatReply::text(request.turns.last().unwrap().text.as_str()))
}

/// Asks for the weather once, then says what it was told.
fn weather(request: &ChatRequest) -> Result<ChatReply, ModelError> {
    Ok(match told(request)[..] {
        [] => calls(&[("weather", json!({"city": "Oslo"}))]),
        [ref told] => ChatReply::text(told.as_str()),
        _ => ChatReply::text("several"),
    })
}

#[test]
fn an_agent_answers_with_what_its_tool_said_and_tells_what_it_took() {
    simulated(1, |runtime| async move {
        let (gateway, function) = model(&runtime, weather);
        let agent = spec(&gateway).tool(slow("weather", ToolPolicy::default())).start().unwrap();
        let answer = agent.ask("Is it raining in Oslo?").await.unwrap();
        assert_eq!(answer.to_string(), "weather {\"city\":\"Oslo\"}");
        let asked = function.asked.lock().unwrap();
        assert_eq!(asked[0].turns, [Turn::system("Be brief."), Turn::user("Is it raining in Oslo?")]);
        assert_eq!((asked.len(), asked[0].tools[0].name.as_str(), asked[1].turns.len()), (2, "weather", 4));
        let metrics = &answer.metrics;
        assert_eq!((metrics.model_calls, metrics.tool_calls, metrics.attempts), (2, 1, 2));
        assert_eq!((metrics.input_tokens, metrics.output_tokens, metrics.cost_micros), (20, 10, Some(30)));
        assert_eq!((metrics.model, metrics.tools, metrics.total), (2 * SECOND, SECOND, 3 * SECOND));
        assert_eq!((metrics.queue, metrics.in_line), (Duration::ZERO, Duration::ZERO));
    });
}

#[test]
fn one_ask_at_a_time_in_order_and_no_more_than_the_line_holds() {
    simulated(1, |runtime| async move {
        let (gateway, _) = model(&runtime, echo);
        let agent = spec(&gateway).capacity(2).start().unwrap();
        let began = Instant::now();
        let first = agent.ask("1");
        tokio::task::yield_now().await;
        let (second, third) = (agent.ask("2"), agent.ask("3"));
        tokio::time::sleep(SECOND / 2).await;
        let refused = agent.ask("4").await;
        assert_eq!(refused.unwrap_err(), ChatAgentError::Agent(AskError::Overloaded));
        drop(second);
        assert_eq!((first.await.unwrap().text.as_str(), began.elapsed()), ("1", SECOND));
        let third = third.await.unwrap();
        assert_eq!((third.text.as_str(), began.elapsed()), ("3", 2 * SECOND), "the second one has left");
        assert_eq!((third.metrics.in_line, third.metrics.model), (SECOND, SECOND));
    });
}

#[test]
fn an_agent_that_nobody_has_any_more_ends_with_its_last_ask() {
    simulated(1, |runtime| async move {
        let agents = || runtime.directory().list().iter().filter(|info| info.name == "assistant").count();
        let (gateway, _) = model(&runtime, echo);
        let agent = spec(&gateway).start().unwrap();
        assert_eq!(agents(), 0, "nobody asked it");
        assert_eq!(agent.ask("1").await.unwrap().text, "1");
        let (second, third, clone) = (agent.ask("2"), agent.ask("3"), agent.clone());
        drop(agent);
        assert_eq!(second.await.unwrap().text, "2");
        drop(clone);
        tokio::time::sleep(SECOND / 2).await;
        assert_eq!(agents(), 1, "it is asked");
        assert_eq!(third.await.unwrap().text, "3");
        tokio::time::sleep(SECOND).await;
        assert_eq!(agents(), 0);
    });
}

#[test]
fn an_agent_that_was_ended_before_anybody_asked_it_stays_so() {
    simulated(1, |runtime| async move {
        let (gateway, _) = model(&runtime, echo);
        for end in [ChatAgent::stop, ChatAgent::drain] {
            let agent = spec(&gateway).start().unwrap();
            end(&agent);
            for _ in 0..2 {
                assert_eq!(agent.ask("x").await, Err(ChatAgentError::Agent(AskError::Stopped)));
                tokio::time::sleep(SECOND).await;
            }
        }
    });
}

#[test]
fn whoever_leaves_ends_his_ask_down_to_the_model_and_the_tool() {
    simulated(1, |runtime| async move {
        let (gateway, function) = model(&runtime, weather);
        let agent = spec(&gateway).tool(slow("weather", ToolPolicy::default())).start().unwrap();
        for within in [SECOND / 2, SECOND * 3 / 2] {
            assert!(tokio::time::timeout(within, agent.ask("x")).await.is_err());
            tokio::time::sleep(SECOND / 100).await;
            assert_eq!(function.now.load(Ordering::SeqCst), 0);
            let info = gateway.info().await.unwrap();
            assert_eq!((info.in_flight, info.waiting), (0, 0));
        }
        let began = Instant::now();
        agent.ask("x").await.unwrap();
        assert_eq!(began.elapsed(), 3 * SECOND, "nobody stands before the next one");
    });
}

#[test]
fn tools_of_a_turn_run_side_by_side_and_a_sequential_one_alone() {
    let of_turn = |request: &ChatRequest| {
        Ok(match told(request).len() {
            0 => calls(&[("a", json!({"n": 1})), ("a", json!({"n": 2})), ("a", json!({"n": 3})), ("b", json!({}))]),
            _ => ChatReply::text(told(request).join(", ")),
        })
    };
    let table = [
        (8, None, false, SECOND),
        (2, None, false, 2 * SECOND),
        (8, Some(1), false, 3 * SECOND),
        (8, None, true, 2 * SECOND),
    ];
    for (tools_at_once, at_once, sequential, took) in table {
        simulated(1, move |runtime| async move {
            let (gateway, _) = model(&runtime, of_turn);
            let limits = AskLimits { tools_at_once, ..AskLimits::default() };
            let agent = spec(&gateway)
                .limits(limits)
                .tool(slow("a", ToolPolicy { at_once, ..ToolPolicy::default() }))
                .tool(slow("b", ToolPolicy { sequential, ..ToolPolicy::default() }))
                .start()
                .unwrap();
            let answer = agent.ask("x").await.unwrap();
            assert_eq!(answer.text, r#"a {"n":1}, a {"n":2}, a {"n":3}, b {}"#, "in the order of the calls");
            assert_eq!(answer.metrics.tools, took, "{tools_at_once} {at_once:?} {sequential}");
        });
    }
}

#[test]
fn the_time_is_over_wherever_an_ask_is() {
    for (milliseconds, calls) in [(500, 0), (1_500, 1), (2_500, 1)] {
        simulated(1, move |runtime| async move {
            let (gateway, function) = model(&runtime, weather);
            let agent = spec(&gateway).tool(slow("weather", ToolPolicy::default())).start().unwrap();
            let (began, time) = (Instant::now(), Duration::from_millis(milliseconds));
            let ended = agent.ask(Question::new("x").within(time)).await.unwrap_err();
            let ChatAgentError::Limit { limit, partial, .. } = ended else { panic!("{ended:?}") };
            assert_eq!((limit, partial.metrics.model_calls, began.elapsed()), (AskLimit::Time, calls, time));
            assert_eq!(partial.metrics.total, time);
            assert_eq!(function.now.load(Ordering::SeqCst), 0);
        });
    }
    simulated(1, |runtime| async move {
        let (gateway, _) = model(&runtime, echo);
        let agent = spec(&gateway).start().unwrap();
        let first = agent.ask("1");
        tokio::task::yield_now().await;
        let hurried = agent.ask(Question::new("2").within(SECOND / 4));
        let (first, hurried) = tokio::join!(first, hurried);
        assert!(first.is_ok());
        assert_eq!(hurried.unwrap_err().code(), "limit_time", "it waited in line for all of its time");
    });
}

#[test]
fn budgets_of_a_question_go_before_those_of_its_agent() {
    simulated(1, |runtime| async move {
        let (gateway, _) = model(&runtime, echo);
        let (poor, rich) = (BudgetLimits { tokens: Some(1), micros: None }, BudgetLimits::default());
        let (poor, rich) = (Budget::new(poor), Budget::new(rich));
        let agent = spec(&gateway).budget(&poor).start().unwrap();
        let error = agent.ask("x").await.unwrap_err();
        assert_eq!((error.code(), error.is_retryable()), ("budget_exhausted", false));
        assert!(agent.ask(Question::new("x").budget(&rich)).await.is_ok());
        assert_eq!(rich.spent().calls, 1);
    });
}

#[test]
fn the_events_of_an_ask_come_while_it_goes_on_and_end_with_the_answer() {
    simulated(1, |runtime| async move {
        let (gateway, function) = model(&runtime, weather);
        let agent = spec(&gateway).tool(slow("weather", ToolPolicy::default())).start().unwrap();
        let (began, mut stream) = (Instant::now(), agent.ask_stream("x"));
        let mut seen = Vec::new();
        while let Some(event) = stream.next().await {
            let what = match event {
                AskEvent::Text(text) => text,
                AskEvent::ToolCalled { name, arguments, .. } => format!("{name}?{arguments}"),
                AskEvent::ToolAnswered { id, .. } => id,
                AskEvent::TurnEnded { usage, .. } => usage.unwrap().total().to_string(),
                other => panic!("{other:?}"),
            };
            seen.push((what, began.elapsed().as_secs()));
        }
        let expected =
            [("15", 1), (r#"weather?{"city":"Oslo"}"#, 1), ("call-0", 2), (r#"weather {"city":"Oslo"}"#, 3), ("15", 3)];
        assert_eq!(seen, expected.map(|(what, at)| (what.to_owned(), at)));
        assert_eq!(stream.answer().await.unwrap().metrics.model_calls, 2);

        let stream = agent.ask_stream("x");
        tokio::time::sleep(SECOND / 2).await;
        assert_eq!(function.now.load(Ordering::SeqCst), 1);
        drop(stream);
        tokio::time::sleep(SECOND / 100).await;
        assert_eq!(function.now.load(Ordering::SeqCst), 0, "dropped, it ends");
    });
}

#[test]
fn a_reader_who_does_not_read_holds_up_his_own_ask_until_its_time_is_over() {
    simulated(1, |runtime| async move {
        let (gateway, _) = model(&runtime, |_| Ok(calls(&std::array::from_fn::<_, 40, _>(|_| ("a", json!({}))))));
        let limits = AskLimits { repeats: 100, ..AskLimits::default() };
        let agent = spec(&gateway).limits(limits).tool(quick("a", |_| Ok("x".to_owned()))).start();
        let (agent, began) = (agent.unwrap(), Instant::now());
        let stream = agent.ask_stream(Question::new("x").within(10 * SECOND));
        tokio::time::sleep(5 * SECOND).await;
        let next = agent.ask(Question::new("y").within(8 * SECOND)).await.unwrap_err();
        let in_line = next.partial().unwrap().metrics.in_line;
        assert_eq!((next.code(), in_line, began.elapsed()), ("limit_tool_calls", 5 * SECOND, 12 * SECOND));
        assert_eq!(stream.answer().await.unwrap_err().code(), "limit_time");
    });
}

#[test]
fn an_answer_of_a_form_is_mended_or_told_to_be_unfit() {
    simulated(1, |runtime| async move {
        let (gateway, function) = model(&runtime, |request| {
            let text = if request.turns.len() > 2 { "21" } else { "warm" };
            Ok(ChatReply::text(text))
        });
        let check = |text: &str| text.parse::<i32>().map(drop).map_err(|error| error.to_string());
        let form = |repairs| AnswerForm {
            name: "number".to_owned(),
            schema: json!({"type": "integer"}),
            check: std::sync::Arc::new(check),
            repairs,
        };
        let agent = spec(&gateway).start().unwrap();
        assert_eq!(agent.ask(Question::new("how warm?").form(form(1))).await.unwrap().text, "21");
        let unfit = agent.ask(Question::new("how warm?").form(form(0))).await.unwrap_err();
        assert_eq!((unfit.code(), function.asked.lock().unwrap().len()), ("answer_unfit", 3));
    });
}

#[test]
fn what_cannot_be_started_says_why() {
    simulated(1, |runtime| async move {
        let (gateway, _) = model(&runtime, echo);
        let start = |spec: ChatAgentSpec| match spec.start().unwrap_err() {
            StartError::Invalid(why) => why,
            other => panic!("{other:?}"),
        };
        let other = ChatAgentSpec::new("assistant", &gateway, "function/two");
        assert_eq!(start(other), format!("the gateway serves no model function/two; it serves {MODEL}"));
        let limits = AskLimits { turns: 0, ..AskLimits::default() };
        assert!(start(spec(&gateway).limits(limits)).contains("turns is 0"));
        let tool = || slow("a", ToolPolicy::default());
        assert_eq!(start(spec(&gateway).tool(tool()).tool(tool())), "two tools of an agent are called a");
        assert!(start(spec(&gateway).tool(slow("a b", ToolPolicy::default()))).contains("`a b`"));
        let never = ToolPolicy { attempts: 0, ..ToolPolicy::default() };
        assert!(start(spec(&gateway).tool(slow("a", never))).contains("0 attempts"));
    });
}

#[test]
fn an_ask_that_failed_tells_what_was_tried_and_does_not_call_it_free() {
    let metrics = |error: &ChatAgentError| error.partial().unwrap().metrics.clone();
    simulated(1, move |runtime| async move {
        let refused = || ModelError::Rejected { status: 404, message: "no".to_owned() };
        let broken = || ModelError::Network { sent: true, message: "it broke off".to_owned() };
        let table: [(fn() -> ModelError, _, _); 2] = [(refused, 1, Some(0)), (broken, 5, None)];
        for (error, attempts, cost) in table {
            let (gateway, _) = model(&runtime, move |_| Err(error()));
            let told = metrics(&spec(&gateway).start().unwrap().ask("x").await.unwrap_err());
            assert_eq!((told.attempts, told.model), (attempts, attempts * SECOND), "{told:?}");
            assert_eq!((told.cost_micros, told.calls_without_usage), (cost, u32::from(cost.is_none())));
            assert_eq!(told.queue, told.total - told.model, "between the attempts");
        }
        let (gateway, _) = model(&runtime, echo);
        let agent = spec(&gateway).start().unwrap();
        let hurried = || Question::new("x").within(SECOND / 2);
        for error in [agent.ask(hurried()).await, agent.ask_stream(hurried()).answer().await] {
            let error = error.unwrap_err();
            let told = metrics(&error);
            assert_eq!((error.code(), told.attempts, told.model), ("limit_time", 1, SECOND / 2));
            assert_eq!((told.cost_micros, told.calls_without_usage), (None, 1));
        }
        // Two others have the only place, one after the other.
        let limits = GatewayLimits { max_in_flight: 1, ..gateway.limits() };
        gateway.set_limits(limits).unwrap();
        let others = [spec(&gateway).start().unwrap(), spec(&gateway).start().unwrap()];
        let first = others.each_ref().map(|other| other.ask("y"));
        tokio::task::yield_now().await;
        let told = metrics(&agent.ask(hurried()).await.unwrap_err());
        assert_eq!((told.attempts, told.queue, told.cost_micros), (0, SECOND / 2, Some(0)), "it was never called");
        let poor = Budget::new(BudgetLimits { tokens: Some(1), micros: None });
        let told = metrics(&agent.ask(Question::new("x").budget(&poor)).await.unwrap_err());
        assert_eq!((told.attempts, told.queue, told.cost_micros), (0, SECOND * 3 / 2, Some(0)), "nor was this one");
        let unkept = agent.ask(Question::new("x").session("there is no store")).await.unwrap_err();
        assert_eq!((&*unkept.partial().unwrap().agent, metrics(&unkept).cost_micros), (agent.name(), Some(0)));
        drop(first);
        let slow = slow("weather", ToolPolicy { timeout: 9 * SECOND, ..ToolPolicy::default() });
        let (gateway, _) = model(&runtime, weather);
        let told = spec(&gateway).tool(slow).start().unwrap().ask(Question::new("x").within(SECOND * 3 / 2)).await;
        let told = metrics(&told.unwrap_err());
        assert_eq!((told.tool_calls, told.tools, told.cost_micros), (1, SECOND / 2, Some(15)));
    });
}

#[test]
fn an_ask_whose_time_is_over_says_what_it_waited_for() {
    let hurried = || Question::new("x").within(SECOND * 3 / 2);
    let waited = |asked: Result<Answer, ChatAgentError>| match asked {
        Err(error @ ChatAgentError::Limit { limit: AskLimit::Time, .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    simulated(1, move |runtime| async move {
        let (gateway, _) = model(&runtime, weather);
        let tool = |policy| slow("weather", ToolPolicy { timeout: 9 * SECOND, ..policy });
        let agent = spec(&gateway).tool(tool(ToolPolicy::default())).start().unwrap();
        let told = waited(agent.ask(hurried()).await);
        assert_eq!(
            told,
            "the ask came to its limit `time` of 1.5s after 1 model call and 1 tool call; it waited for the tool weather"
        );
        let first = agent.ask("y");
        tokio::task::yield_now().await;
        let in_line = agent.ask(hurried()).await;
        let told = &in_line.as_ref().unwrap_err().partial().unwrap().metrics;
        assert!(told.in_line >= SECOND * 3 / 2 && told.in_line == told.total, "{told:?}");
        assert!(waited(in_line).contains("; it waited for its turn in the agent's line"));
        drop(first);
        let asks = ToolPolicy { needs_approval: true, ..ToolPolicy::default() };
        let agent = spec(&gateway).tool(tool(asks)).approver(Nobody).start().unwrap();
        assert!(waited(agent.ask(hurried()).await).contains("a person who approves a call of the tool weather"));
        assert!(waited(agent.ask(hurried().within(SECOND / 2)).await).contains("; it waited for the model"));
        let (gateway, _) = model(&runtime, |_| Ok(calls(&std::array::from_fn::<_, 40, _>(|_| ("a", json!({}))))));
        let agent = spec(&gateway).limits(AskLimits { repeats: 100, ..AskLimits::default() });
        let stream = agent.tool(quick("a", |_| Ok("x".to_owned()))).start().unwrap().ask_stream(hurried());
        tokio::time::sleep(5 * SECOND).await;
        assert!(waited(stream.answer().await).contains("; it waited for whoever reads its events"));
    });
}

/// A person who is not there.
struct Nobody;

impl Approver for Nobody {
    fn decide(&self, _: Approval) -> BoxFuture<'static, Decision> {
        Box::pin(std::future::pending())
    }
}

/// Works for three seconds on the question `slow`, and for one on any other.
fn dawdles(request: &ChatRequest) -> Result<ChatReply, ModelError> {
    let asked = request.turns.iter().find(|turn| turn.role == Role::User).unwrap();
    Ok(match (asked.text.as_str(), told(request).is_empty()) {
        ("slow", true) => calls(&[("look", json!({}))]),
        (text, _) => ChatReply::text(format!("{text}!")),
    })
}

#[test]
fn many_answers_come_in_the_order_in_which_they_are_ready_and_are_collected_in_that_of_their_questions() {
    simulated(1, |runtime| async move {
        let (gateway, _) = model(&runtime, dawdles);
        let agent = spec(&gateway).tool(slow("look", ToolPolicy::default())).start().unwrap();
        let mut asks = agent.ask_all(["slow", "second", "third"]);
        let mut came = Vec::new();
        while let Some((number, answer)) = asks.next().await {
            came.push((number, answer.unwrap().text));
        }
        assert_eq!((came.len(), &came[2]), (3, &(0, "slow!".to_owned())), "{came:?}");
        let collected = agent.ask_all(["slow", "second", "third"]).collect().await;
        let texts: Vec<_> = collected.into_iter().map(|answer| answer.unwrap().text).collect();
        assert_eq!(texts, ["slow!", "second!", "third!"]);
    });
}
