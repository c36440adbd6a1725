//! What does a run of an agent cost, beside the loop that one would write by hand? The same HTTP calls: one without tools, or two
//! with a tool between. So many workers, each of which makes one run after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use callboard::ModelChoice;
use callboard::actors::gateway::{GatewayLimits, ModelLimits, ServedModel};
use callboard::prelude::*;
use callboard::providers::openai::OpenAi;
use reqwest::Client;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use super::load::Took;
use super::options::Options;
use super::row::Row;
use super::server::Server;
use super::{KEY, MOST, QUESTION, SYSTEM};
use crate::clock::process_time;

/// Workers in the measurements of processor time.
const WORKERS: usize = 64;

/// Current weather in a city.
#[tool]
async fn weather(
    /// The city's English name.
    city: String,
) -> String {
    answer_of(&city)
}

/// What the tool says on both sides.
fn answer_of(city: &str) -> String {
    format!("rain in {city}, 7 degrees")
}

/// The loop that one would write by hand.
#[derive(Clone)]
struct Loop {
    client: Client,
    url: Arc<str>,
    places: Arc<Semaphore>,
    tools: Option<Arc<RawValue>>,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: &'a [Turn],
    max_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'a str>,
}

#[derive(Serialize)]
struct Turn {
    role: &'static str,
    content: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<Vec<Call>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<String>,
}

impl Turn {
    fn new(role: &'static str, content: impl Into<String>) -> Self {
        Self { role, content: content.into(), tool_calls: None, tool_call_id: None }
    }
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
    tool_calls: Option<Vec<Call>>,
}

#[derive(Serialize, Deserialize)]
struct Call {
    id: String,
    r#type: String,
    function: Function,
}

#[derive(Serialize, Deserialize)]
struct Function {
    name: String,
    arguments: String,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: u64,
    completion_tokens: u64,
}

#[derive(Deserialize)]
struct Arguments {
    city: String,
}

impl Loop {
    fn open(base_url: &str, in_flight: usize, has_tool: bool) -> Self {
        // The second time it is there already.
        let _is_there = rustls::crypto::ring::default_provider().install_default();
        let spec = weather.spec();
        let tools = serde_json::json!([{ "type": "function", "function": *spec }]);
        let tools = has_tool.then(|| serde_json::value::to_raw_value(&tools).expect("it is JSON").into());
        let url = format!("{base_url}/chat/completions").into();
        Self { client: Client::new(), url, places: Arc::new(Semaphore::new(in_flight)), tools }
    }

    async fn run(&self) -> (String, u64) {
        let mut messages = vec![Turn::new("system", SYSTEM), Turn::new("user", QUESTION)];
        let mut tokens = 0;
        loop {
            let completion = self.call(&messages).await;
            tokens += completion.usage.map_or(0, |usage| usage.prompt_tokens + usage.completion_tokens);
            let message = completion.choices.into_iter().next().expect("a choice").message;
            let text = message.content.unwrap_or_default();
            let Some(calls) = message.tool_calls.filter(|calls| !calls.is_empty()) else { return (text, tokens) };
            let answers: Vec<_> = calls
                .iter()
                .map(|call| {
                    let arguments: Arguments = serde_json::from_str(&call.function.arguments).expect("they fit");
                    let answer = answer_of(&arguments.city);
                    Turn { tool_call_id: Some(call.id.clone()), ..Turn::new("tool", answer) }
                })
                .collect();
            messages.push(Turn { tool_calls: Some(calls), ..Turn::new("assistant", text) });
            messages.extend(answers);
        }
    }

    async fn call(&self, messages: &[Turn]) -> Completion {
        let _place = self.places.acquire().await.expect("nobody closes it");
        let (tools, tool_choice) = (self.tools.as_deref(), self.tools.is_some().then_some("auto"));
        let request = Request { model: "mock", messages, max_tokens: MOST, tools, tool_choice };
        let response = self.client.post(&*self.url).bearer_auth(KEY).json(&request).send().await;
        let response = response.and_then(reqwest::Response::error_for_status).expect("the mock answers");
        response.json().await.expect("the mock speaks as OpenAI does")
    }
}

/// Our side: a runtime, and an agent for each worker.
fn ours(base_url: &str, in_flight: usize) -> Runtime {
    let model = OpenAi::new("mock", Some(KEY.into()), Some(base_url)).expect("the address is one");
    let mut model = ServedModel::new("openai/mock", Arc::new(model));
    model.limits = ModelLimits { max_in_flight: Some(in_flight), ..ModelLimits::default() };
    let gateway = GatewayLimits { max_in_flight: in_flight, max_waiting: 200_000, ..GatewayLimits::default() };
    Runtime::with(ModelChoice { gateway, ..ModelChoice::new(model) }).expect("it starts")
}

fn agent(runtime: &Runtime, has_tool: bool) -> ChatAgent {
    let limits = AskLimits { output_tokens: MOST, ..AskLimits::default() };
    let spec = runtime.agent("assistant").instructions(SYSTEM).limits(limits);
    let spec = if has_tool { spec.tool(weather) } else { spec };
    spec.start().expect("it starts")
}

/// So many workers on our side, each with an agent of its own.
async fn by_agents(runtime: &Runtime, workers: usize, runs: usize, has_tool: bool) -> Took {
    let agents: Vec<_> = (0..workers).map(|_| agent(runtime, has_tool)).collect();
    let (began, before) = (Instant::now(), process_time());
    let worker = |agent: ChatAgent| {
        tokio::spawn(async move {
            for _ in 0..runs {
                let answer = agent.ask(QUESTION).await.expect("it is answered");
                assert!(!answer.text.is_empty() && answer.metrics.input_tokens > 0);
                assert_eq!(answer.metrics.tool_calls, u32::from(has_tool), "the tool is called");
            }
        })
    };
    let tasks: Vec<_> = agents.into_iter().map(worker).collect();
    for task in tasks {
        task.await.expect("no worker panics");
    }
    Took { wall: began.elapsed(), processor: process_time() - before }
}

async fn by_loops(side: &Loop, workers: usize, runs: usize) -> Took {
    let (began, before) = (Instant::now(), process_time());
    let worker = |_| {
        let side = side.clone();
        tokio::spawn(async move {
            for _ in 0..runs {
                let (text, tokens) = side.run().await;
                assert!(!text.is_empty() && tokens > 0);
            }
        })
    };
    let tasks: Vec<_> = (0..workers).map(worker).collect();
    for task in tasks {
        task.await.expect("no worker panics");
    }
    Took { wall: began.elapsed(), processor: process_time() - before }
}

/// Runs without end, for whoever watches them with a profiler.
pub async fn profile(options: &Options, has_tool: bool) {
    let server = Server::start(Duration::ZERO);
    let runtime = ours(server.base_url(), WORKERS);
    let runs = options.calls / WORKERS;
    for _ in 0..options.rounds {
        let took = by_agents(&runtime, WORKERS, runs, has_tool).await;
        println!("{:?} of processor time for each run", took.processor / u32::try_from(runs * WORKERS).unwrap_or(1));
    }
}

/// Measures it all.
pub async fn measure(options: &Options) -> Vec<Row> {
    let mut rows = Vec::new();
    let server = Server::start(Duration::ZERO);
    for (has_tool, title, aim) in [
        (false, "processor time of a run of one call, us", "at most 1.1"),
        (true, "processor time of a run of two calls and a tool, us", "at most 1.2"),
    ] {
        let (runtime, side) = (ours(server.base_url(), WORKERS), Loop::open(server.base_url(), WORKERS, has_tool));
        let runs = options.calls / WORKERS / if has_tool { 2 } else { 1 };
        let mut row = Row::new(title, aim);
        for round in 0..=options.rounds {
            let (ours, theirs) = if round.is_multiple_of(2) {
                let ours = by_agents(&runtime, WORKERS, runs, has_tool).await;
                (ours, by_loops(&side, WORKERS, runs).await)
            } else {
                let theirs = by_loops(&side, WORKERS, runs).await;
                (by_agents(&runtime, WORKERS, runs, has_tool).await, theirs)
            };
            let each = |took: &Took| took.processor.as_secs_f64() * 1e6 / (runs * WORKERS) as f64;
            if round > 0 {
                row.push(each(&ours), each(&theirs));
            }
        }
        rows.push(row);
    }
    drop(server);
    let server = Server::start(Duration::from_secs(1));
    for workers in [1_000, 10_000] {
        let title = format!("{workers} runs at once of two calls of 1 s and a tool, wall, s");
        let mut row = Row::new(title, "at most 1.05");
        for round in 0..=options.rounds.min(3) {
            // Each begins without connections, and keeps none: together they would be more than a process may have open.
            let ours = async || {
                let runtime = ours(server.base_url(), workers);
                let took = by_agents(&runtime, workers, 1, true).await;
                runtime.stop(Duration::from_secs(10)).await;
                few_files_are_open().await;
                took
            };
            let theirs = async || {
                let took = by_loops(&Loop::open(server.base_url(), workers, true), workers, 1).await;
                few_files_are_open().await;
                took
            };
            let (ours, theirs) = if round.is_multiple_of(2) {
                let ours = ours().await;
                (ours, theirs().await)
            } else {
                let theirs = theirs().await;
                (ours().await, theirs)
            };
            if round > 0 {
                row.push(ours.wall.as_secs_f64(), theirs.wall.as_secs_f64());
            }
        }
        rows.push(row);
    }
    rows.push(construction(options));
    rows
}

/// Waits until the connections of a round are closed.
async fn few_files_are_open() {
    for _ in 0..600 {
        match std::fs::read_dir("/proc/self/fd").map(Iterator::count) {
            Ok(files) if files > 1_000 => tokio::time::sleep(Duration::from_millis(100)).await,
            _ => return,
        }
    }
}

/// How long it takes to make an agent with a tool; its actor starts with its first ask.
fn construction(options: &Options) -> Row {
    let agents = 100_000 / options.divisor;
    let mut row = Row::new(format!("construction of {agents} agents with a tool, us each"), "at most 1.2");
    for round in 0..=options.rounds {
        let runtime = ours("http://127.0.0.1:9/v1", 1);
        let before = process_time();
        let all: Vec<_> = (0..agents).map(|_| agent(&runtime, true)).collect();
        let took = process_time() - before;
        if round > 0 {
            row.push_ours(took.as_secs_f64() * 1e6 / agents as f64);
        }
        drop(all);
        drop(runtime);
    }
    row
}

/// What the tool's schema is, so that nobody measures another one.
///
/// # Panics
/// Panics when it has no argument.
pub fn check() {
    let parameters: &Value = &weather.spec().parameters;
    assert_eq!(parameters["required"], serde_json::json!(["city"]));
}
