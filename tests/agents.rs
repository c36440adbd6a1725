//! Does an agent of the facade work as a program uses it? Tools by `#[tool]`, models of the test kit, and a model server over a socket.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callboard::actors::chat::{ChatReply, Role, ToolSpec};
use callboard::actors::error::{ModelError, StartError};
use callboard::actors::gateway::{Budget, BudgetLimits, ServedModel};
use callboard::mock_llm::{Latency, MockConfig, MockLlm, Script};
use callboard::prelude::*;
use callboard::providers::builtin;
use callboard::providers::openai::OpenAi;
use callboard::testkit::{FunctionModel, ScriptedModel, only_loopback};
use callboard::tools::{DynamicTool, ToolPolicy};
use callboard::{ModelChoice, tool};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Unit {
    Celsius,
    Kelvin,
}

/// Temperature in a city.
///
/// Ask for one city at a time.
#[tool(name = "get-temperature", timeout = "500ms", attempts = 3, at_once = 2, max_output = 1000, sequential)]
async fn temperature(
    /// The city's English name.
    city: String,
    unit: Option<Unit>,
    context: ToolContext,
) -> Result<String, ToolError> {
    let unit = unit.unwrap_or(Unit::Celsius);
    Ok(format!("7 {unit:?} in {city} for {} at attempt {}", context.agent, context.attempt))
}

/// Adds.
#[tool]
fn add(left: i32, right: i32) -> i32 {
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    assert!(!name.starts_with("callboard-"), "a plain function is on no shard: {name}");
    left + right
}

/// Panics on its own thread.
#[tool]
fn panics() {
    panic!("on purpose");
}

/// Says nothing.
#[tool]
async fn nothing() {}

fn scripted(model: &ScriptedModel) -> Runtime {
    Runtime::with_model("scripted/model", model.clone()).unwrap()
}

/// What the tools of a turn said.
fn told(answer: &Answer) -> Vec<&str> {
    answer.turns.iter().filter(|turn| turn.role == Role::Tool).map(|turn| turn.text.as_str()).collect()
}

/// Where the tool below says that it has begun, and what it waits for.
static HOLDS: Mutex<Option<(Begun, std::sync::mpsc::Receiver<()>)>> = Mutex::new(None);
type Begun = tokio::sync::oneshot::Sender<()>;

/// Does not return.
#[tool]
fn holds() {
    if let Some((begun, until)) = HOLDS.lock().unwrap().take() {
        begun.send(()).unwrap();
        let _the_test_is_over = until.recv();
    }
}

#[tokio::test]
async fn a_stop_names_the_agent_whose_plain_tool_does_not_return() {
    let model = ScriptedModel::new().calls("holds", json!({})).says("never");
    let runtime = scripted(&model);
    let agent = runtime.agent("patient").tool(holds).start().unwrap();
    let (begun, has_begun) = tokio::sync::oneshot::channel();
    let (release, until) = std::sync::mpsc::channel();
    *HOLDS.lock().unwrap() = Some((begun, until));
    let asking = agent.ask("hold on");
    has_begun.await.unwrap();
    let report = runtime.stop(Duration::ZERO).await;
    drop((release, asking));
    let named: Vec<_> = report.stuck.iter().map(|stuck| stuck.agent.as_ref().map(|(_, name)| name.as_str())).collect();
    assert_eq!(named, [Some("patient")], "{report:?}");
}

#[test]
fn a_tool_says_of_itself_what_its_function_says() {
    let ToolSpec { name, description, parameters } = &*temperature.spec();
    assert_eq!(name, "get-temperature");
    assert_eq!(description, "Temperature in a city.\n\nAsk for one city at a time.");
    let expected = json!({
        "type": "object",
        "properties": {
            "city": { "description": "The city's English name.", "type": "string" },
            "unit": { "type": ["string", "null"], "enum": ["celsius", "kelvin", null] },
        },
        "additionalProperties": false,
        "required": ["city"],
    });
    assert_eq!(**parameters, expected);
    assert!(Arc::ptr_eq(&temperature.spec(), &temperature.spec()), "made once");
    let expected = ToolPolicy {
        timeout: Duration::from_millis(500),
        attempts: 3,
        at_once: Some(2),
        sequential: true,
        blocks: false,
        needs_approval: false,
        max_output: 1000,
    };
    assert_eq!(temperature.policy(), expected);
    assert_eq!(add.policy(), ToolPolicy { blocks: true, ..ToolPolicy::default() }, "a plain function");
    assert_eq!(nothing.spec().parameters["type"], "object");
}

#[tokio::test]
async fn tools_are_called_with_what_the_model_wrote_and_their_errors_are_told_to_it() {
    let model = ScriptedModel::new()
        .calls("get-temperature", json!({"city": "Oslo", "unit": "kelvin"}))
        .and_calls("add", json!({"left": 20, "right": 1}))
        .and_calls("add", json!({"left": 20}))
        .and_calls("add", json!({"left": 20, "right": 1, "base": 2}))
        .and_calls("panics", json!({}))
        .and_calls("nothing", json!({}))
        .says("so");
    let runtime = scripted(&model);
    let spec = runtime.agent("assistant").tool(temperature).tool(add).tool(panics).tool(nothing);
    let answer = spec.start().unwrap().ask("x").await.unwrap();
    assert_eq!(
        told(&answer),
        [
            "7 Kelvin in Oslo for assistant at attempt 1",
            "21",
            "error: the arguments do not fit: \"right\" is a required property",
            "error: the arguments do not fit: Additional properties are not allowed ('base' was unexpected)",
            "error: the tool panicked: on purpose",
            "done",
        ]
    );
    assert_eq!((answer.text.as_str(), model.left(), model.asked().len()), ("so", 0, 2));
    assert!(runtime.stop(Duration::from_secs(5)).await.is_clean());
}

#[tokio::test]
async fn a_tool_known_at_run_time_is_checked_against_its_schema() {
    let schema = json!({
        "type": "object",
        "properties": { "n": { "type": "integer", "minimum": 1 }, "tags": { "type": "array", "items": { "type": "string" } } },
        "required": ["n"],
    });
    let does = |arguments: Value, _| async move { Ok(format!("got {}", arguments["n"])) };
    let tool = DynamicTool::new("count", "Counts.", schema, does).unwrap();
    let model = ScriptedModel::new()
        .calls("count", json!({"n": 3}))
        .and_calls("count", json!({"n": 0, "tags": [1]}))
        .says("so");
    let agent = scripted(&model);
    let agent = agent.agent("assistant").tool(tool).start().unwrap();
    let answer = agent.ask("x").await.unwrap();
    let told = told(&answer);
    assert_eq!(told[0], "got 3");
    assert!(
        told[1].contains("0 is less than the minimum of 1 (at /n)") && told[1].contains("(at /tags/0)"),
        "{told:?}"
    );
    for schema in [json!({"type": 7}), json!({"$ref": "http://localhost:1/schema.json"})] {
        let refused = DynamicTool::new("bad", "Bad.", schema, does).unwrap_err();
        assert!(matches!(refused, StartError::Invalid(why) if why.starts_with("the schema of the tool bad: ")));
    }
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Forecast {
    temperature: i8,
    by_hour: BTreeMap<String, Hour>,
}

#[derive(Debug, PartialEq, Deserialize, JsonSchema)]
struct Hour {
    rain: bool,
}

#[tokio::test]
async fn a_typed_answer_is_mended_and_keeps_what_it_took() {
    let good = r#"```json
{"temperature": 7, "by_hour": {"12": {"rain": true}}}
```"#;
    let model = ScriptedModel::new().says("cold").says(r#"{"temperature": 700}"#).says(good);
    let runtime = scripted(&model);
    let agent = runtime.agent("forecaster").start().unwrap();
    let forecast = agent.ask_as::<Forecast>("How warm is it?").await.unwrap();
    assert_eq!((forecast.temperature, forecast.by_hour["12"].rain), (7, true));
    assert_eq!(forecast.answer.metrics.model_calls, 3);
    let last = model.asked()[2].clone();
    assert!(last.turns[4].text.contains("700"), "it is told what is wrong: {:?}", last.turns);
    assert!(serde_json::to_string(&last.form).unwrap().contains("temperature"));

    let never = ScriptedModel::new().says("1").says("2").says("3").says("4");
    let agent = scripted(&never);
    let unfit = agent.agent("forecaster").start().unwrap().ask_as::<Forecast>("How warm?").await.unwrap_err();
    assert_eq!((unfit.code(), never.left()), ("answer_unfit", 1), "twice mended, then told");
}

#[tokio::test]
async fn many_questions_are_asked_so_many_at_a_time_and_come_back_in_order() {
    let texts = (0..20).fold(ScriptedModel::new(), |model, _| model.says("so"));
    let runtime = scripted(&texts);
    let agent = runtime.agent("assistant").start().unwrap();
    let questions: Vec<_> = (0..20).map(|number| format!("question {number}")).collect();
    let mut asks = agent.ask_all(&questions).limit(3);
    assert_eq!((asks.progress().waiting, asks.left().len()), (20, 20));
    let mut seen = Vec::new();
    while let Some((number, answer)) = asks.next().await {
        assert_eq!(answer.unwrap().turns[0].text, questions[number]);
        seen.push(number);
        let progress = asks.progress();
        assert!(progress.running <= 3);
        assert_eq!(progress.answered + progress.running + progress.waiting, 20);
        assert_eq!(asks.left().len(), 20 - seen.len());
    }
    drop(asks);
    seen.sort_unstable();
    assert_eq!(seen, (0..20).collect::<Vec<_>>());
    let agents = || runtime.directory().list().iter().filter(|info| info.name == "assistant").count();
    while agents() > 1 {
        tokio::task::yield_now().await;
    }
    let mut some = agent.ask_all(["a", "b", "c"]).limit(1);
    assert_eq!(some.next().await.unwrap().0, 0);
    assert_eq!(some.collect().await.len(), 2, "those that were not given yet");
    let all = agent.ask_all(["a", "b"]).collect().await;
    let over = all[0].as_ref().unwrap_err();
    assert_eq!((all.len(), over.code()), (2, "provider"), "the script is over: {over}");
}

/// Says nothing to `never`, nothing to the first ask of `later`, refuses `refused`, and counts the calls of each question.
fn silent_at_first(calls: &Arc<Mutex<BTreeMap<String, u32>>>) -> FunctionModel {
    let calls = calls.clone();
    FunctionModel::new(move |request| {
        // The first line: a question that is asked again has words behind it.
        let asked = request.turns.iter().find(|turn| turn.role == Role::User).and_then(|turn| turn.text.lines().next());
        let asked = asked.unwrap().to_owned();
        let mut calls = calls.lock().unwrap();
        let made = calls.entry(asked.clone()).or_default();
        *made += 1;
        match asked.as_str() {
            "refused" => Err(ModelError::ContentRefused("no".to_owned())),
            "never" => Ok(ChatReply::text("")),
            // An ask that is told nothing calls twice before it gives up.
            "later" if *made <= 2 => Ok(ChatReply::text("")),
            text => Ok(ChatReply::text(format!("{text}!"))),
        }
    })
}

#[tokio::test]
async fn of_many_questions_one_that_may_yet_be_answered_is_asked_again_up_to_its_attempts() {
    let calls = Arc::default();
    let runtime = Runtime::with_model("function/model", silent_at_first(&calls)).unwrap();
    let agent = runtime.agent("assistant").start().unwrap();
    let mut asks = agent.ask_all(["never", "good", "later", "refused"]).limit(1).attempts(3);
    let mut told = Vec::new();
    while let Some((number, answer)) = asks.next().await {
        let said = answer.map_or_else(|error| error.code().to_owned(), |answer| answer.text);
        let (left, progress) = (asks.left(), asks.progress());
        assert_eq!(progress.answered + progress.failed, told.len() + 1);
        assert_eq!((progress.running, progress.waiting), (0, left.len()));
        told.push((number, said, left));
    }
    // What failed goes behind those that were not asked yet, and is left until it is told.
    let expected = [
        (1, "good!", vec![0, 2, 3]),
        (3, "content_refused", vec![0, 2]),
        (2, "later!", vec![0]),
        (0, "answer_unfit", vec![]),
    ];
    assert_eq!(told, expected.map(|(number, said, left)| (number, said.to_owned(), left)));
    assert_eq!((asks.progress().answered, asks.progress().failed), (2, 2));
    let calls: Vec<_> = calls.lock().unwrap().iter().map(|(asked, calls)| (asked.clone(), *calls)).collect();
    let expected = [("good", 1), ("later", 3), ("never", 6), ("refused", 1)];
    assert_eq!(calls, expected.map(|(asked, calls)| (asked.to_owned(), calls)));
    // One that was asked again comes last, and is collected where its question was.
    let texts = |all: Vec<Result<Answer, ChatAgentError>>| all.into_iter().map(|answer| answer.unwrap().text).collect();
    let again = Runtime::with_model("function/model", silent_at_first(&Arc::default())).unwrap();
    let asks = again.agent("assistant").start().unwrap().ask_all(["later", "good"]).limit(1).attempts(2);
    let collected: Vec<String> = texts(asks.collect().await);
    assert_eq!(collected, ["later!", "good!"]);
    let blocks = std::thread::spawn(move || {
        let again =
            callboard::blocking::Runtime::with_model("function/model", silent_at_first(&Arc::default())).unwrap();
        let asks = again.agent("assistant").start().unwrap().ask_all(["later", "good"]).limit(1).attempts(2);
        asks.collect_in_order().unwrap()
    });
    let collected: Vec<String> = texts(blocks.join().unwrap());
    assert_eq!(collected, ["later!", "good!"], "on a thread that blocks, too");
    let once = agent.ask_all(["never"]).collect().await;
    assert_eq!(once[0].as_ref().unwrap_err().code(), "answer_unfit", "without attempts it is asked once");
}

#[tokio::test]
async fn the_limits_of_a_runtime_hold_for_all_its_agents_together() {
    let model = ScriptedModel::new().says("1").says("2").says("3");
    let choice = ModelChoice::new(ServedModel::new("scripted/model", Arc::new(model.clone())));
    let budget = BudgetLimits { tokens: Some(50), ..BudgetLimits::default() };
    let runtime = Runtime::with(ModelChoice { budget, output_tokens: 77, ..choice }).unwrap();
    let over = runtime.agent("first").start().unwrap().ask("x").await.unwrap_err();
    assert_eq!((over.code(), runtime.budget().spent().calls, model.left()), ("budget_exhausted", 0, 3));
    let own = Budget::new(BudgetLimits::default());
    runtime.agent("second").budget(&own).start().unwrap().ask("x").await.unwrap();
    assert_eq!(model.asked()[0].max_output_tokens, 77);
    let own = Budget::new(BudgetLimits::default());
    let limits = AskLimits { turns: 4, ..AskLimits::default() };
    runtime.agent("third").limits(limits.clone()).budget(&own).start().unwrap().ask("x").await.unwrap();
    let limits = AskLimits { output_tokens: Some(99), ..limits };
    runtime.agent("fourth").limits(limits).budget(&own).start().unwrap().ask("x").await.unwrap();
    let longest: Vec<_> = model.asked().iter().map(|asked| asked.max_output_tokens).collect();
    assert_eq!(longest, [77, 77, 99], "other limits leave it alone, and its own goes before");
}

#[test]
fn a_runtime_works_in_a_plain_main_and_without_a_model_says_so() {
    let runtime = Runtime::start(RuntimeConfig::default()).unwrap();
    let agent = runtime.agent("assistant").tool(add).start().unwrap();
    let answer =
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(agent.ask("How warm?")).unwrap();
    assert_eq!(answer.text, format!("{}\n> How warm?", builtin::LABEL));
    assert_eq!((answer.metrics.calls_without_usage, answer.metrics.cost_micros), (0, Some(0)), "it uses nothing");
    let value =
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(agent.ask_as::<u32>("How warm?"));
    let error = value.unwrap_err();
    assert_eq!((error.code(), error.is_retryable()), ("no_language_model", false));
    let told = error.to_string();
    assert!(["needs a language model", "CALLBOARD_MODEL_NAME", "ModelChoice"].iter().all(|word| told.contains(word)));
    assert_eq!(error.partial().unwrap().metrics.attempts, 1, "it is not asked again");
    assert!(runtime.stop_blocking(Duration::from_secs(5)).is_clean());
    assert_eq!(agent.clone().name(), "assistant");
}

#[test]
fn without_an_async_runtime_the_same_names_block() {
    use callboard::blocking::Runtime;

    let model = ScriptedModel::new()
        .says("one")
        .calls("add", json!({"left": 20, "right": 1}))
        .says("two")
        .says(r#"{"temperature": 7, "by_hour": {}}"#)
        .says("a")
        .says("b");
    let runtime = Runtime::with_model("scripted/model", model.clone()).unwrap();
    let agent = runtime.agent("assistant").instructions("x").tool(add).start().unwrap();
    assert_eq!(agent.ask("x").unwrap().text, "one");
    let mut stream = agent.ask_stream("x").unwrap();
    assert!(stream.by_ref().any(|event| matches!(event, AskEvent::ToolCalled { name, .. } if name == "add")));
    assert_eq!(stream.answer().unwrap().text, "two");
    assert_eq!(agent.ask_as::<Forecast>("x").unwrap().temperature, 7);
    let all: Vec<_> =
        agent.ask_all(["1", "2"]).limit(1).map(|(number, answer)| (number, answer.unwrap().text)).collect();
    assert_eq!(all, [(0, "a".to_owned()), (1, "b".to_owned())]);
    let over = agent.ask("x").unwrap_err();
    assert_eq!(over.code(), "provider");

    let tokio = tokio::runtime::Builder::new_current_thread().build().unwrap();
    tokio.block_on(async {
        let asked = model.asked().len();
        let inside = agent.ask("x").unwrap_err();
        assert_eq!(inside, ChatAgentError::Agent(AskError::InsideAsync));
        assert!(agent.ask_stream("x").is_err());
        let refused: Vec<_> = agent.ask_all(["x", "y"]).collect();
        assert_eq!(refused, [(0, Err(inside.clone())), (1, Err(inside))]);
        assert!(agent.ask_all(["x"]).collect_in_order().is_err());
        assert_eq!(model.asked().len(), asked, "nothing was sent");
    });
    assert!(runtime.stop(Duration::from_secs(5)).is_clean());
}

fn over_a_socket(config: MockConfig) -> (MockLlm, Runtime) {
    let server = MockLlm::start(config).unwrap();
    only_loopback();
    let model = OpenAi::new("mock", None, Some(&server.base_url())).unwrap();
    let runtime = Runtime::with(ModelChoice::new(ServedModel::new("openai/mock", Arc::new(model)))).unwrap();
    (server, runtime)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_a_socket_a_tool_is_called_and_its_answer_goes_back() {
    let script = r#"[
      {"match": {"contains": "twenty"}, "replies": [{"tool_calls": [{"name": "add", "arguments": {"left": 20, "right": 1}}]}]},
      {"match": {"contains": "21"}, "replies": ["It is twenty-one."]}
    ]"#;
    let script = Some(Script::parse(script).unwrap());
    let (server, runtime) = over_a_socket(MockConfig { script, ..MockConfig::default() });
    let agent = runtime.agent("assistant").tool(add).start().unwrap();
    let answer = agent.ask("What is twenty and one?").await.unwrap();
    assert_eq!((answer.text.as_str(), answer.metrics.model_calls), ("It is twenty-one.", 2));
    assert!(answer.metrics.input_tokens > 0 && answer.metrics.model > Duration::ZERO);
    assert_eq!(answer.metrics.cost_micros, None, "nobody knows its price");
    let mut stream = agent.ask_stream("What is twenty and one?");
    let mut text = String::new();
    while let Some(event) = stream.next().await {
        if let AskEvent::Text(more) = event {
            text.push_str(&more);
        }
    }
    assert_eq!((text.as_str(), server.stats().requests), ("It is twenty-one.", 4));
    assert!(runtime.stop(Duration::from_secs(5)).await.is_clean());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_ask_closes_its_connection() {
    let latency = Latency { reply: Duration::from_secs(60), ..Latency::default() };
    let (server, runtime) = over_a_socket(MockConfig { latency, ..MockConfig::default() });
    let agent = runtime.agent("assistant").start().unwrap();
    let in_flight = async |expected| {
        let comes = async {
            while server.stats().in_flight != expected {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), comes).await.expect("the server sees it");
    };
    let ask = tokio::spawn(agent.ask("x"));
    in_flight(1).await;
    ask.abort();
    in_flight(0).await;
    runtime.stop(Duration::from_secs(5)).await;
}
