//! What does a run of an agent cost, beside the loop that one would write by hand? The same HTTP calls: one without tools, or two
//! with a tool between. So many workers, each of which makes one run after the other.

use std::sync::Arc;
use std::time::{Duration, Instant};

use callboard::ModelChoice;
use callboard::actors::gateway::{GatewayLimits, ModelLimits, ServedModel};
use callboard::prelude::*;
use callboard::providers::openai::OpenAi;
use serde_json::Value;

use super::load::Took;
use super::loops::Loop;
use super::options::Options;
use super::plain::MADE_BY_ACTIX;
use super::row::Row;
use super::server::Server;
use super::waiting;
use super::{Answered, KEY, MOST, QUESTION, SYSTEM, Side};
use crate::clock::process_time;
use crate::measure::memory::resident_bytes;

/// Workers in the measurements of processor time.
const WORKERS: usize = 64;

/// Current weather in a city.
#[tool]
pub(super) async fn weather(
    /// The city's English name.
    city: String,
) -> String {
    answer_of(&city)
}

/// What the tool says on both sides.
pub(super) fn answer_of(city: &str) -> String {
    format!("rain in {city}, 7 degrees")
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
    let limits = AskLimits { output_tokens: Some(MOST), ..AskLimits::default() };
    let spec = runtime.agent("assistant").instructions(SYSTEM).limits(limits);
    let spec = if has_tool { spec.tool(weather) } else { spec };
    spec.start().expect("it starts")
}

/// Runs of agents, each with an agent of its own.
#[derive(Clone)]
pub struct Agents(Arc<Runtime>);

impl Side for Agents {
    const NAME: &'static str = "agents";

    fn open(base_url: &str, in_flight: usize) -> Self {
        Self(Arc::new(ours(base_url, in_flight)))
    }

    async fn call(&self) -> Answered {
        let answer = agent(&self.0, true).ask(QUESTION).await.expect("it is answered");
        let tokens = answer.metrics.input_tokens + answer.metrics.output_tokens;
        Answered { bytes: answer.text.len(), tokens, overhead: None }
    }
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

/// The same of the loop.
pub async fn profile_loop(options: &Options, has_tool: bool) {
    let server = Server::start(Duration::ZERO);
    let side = Loop::new(server.base_url(), WORKERS, has_tool);
    let runs = options.calls / WORKERS;
    for _ in 0..options.rounds {
        let took = by_loops(&side, WORKERS, runs).await;
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
        let (runtime, side) = (ours(server.base_url(), WORKERS), Loop::new(server.base_url(), WORKERS, has_tool));
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
                let took = by_loops(&Loop::new(server.base_url(), workers, true), workers, 1).await;
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
    let waiting = 10_000 / options.divisor;
    let title = format!("{waiting} runs that wait for their first call, resident bytes of each");
    let mut row = Row::new(title, "at most 5,120 more");
    for _ in 0..options.rounds.min(3) {
        row.push(waiting::bytes::<Agents>(waiting, None), waiting::bytes::<Loop>(waiting, None));
    }
    rows.push(row);
    let title =
        format!("{waiting} runs that have called a tool and wait for their second call, resident bytes of each");
    let mut row = Row::new(title, "at most 5,120 more");
    for _ in 0..options.rounds.min(3) {
        row.push(waiting::bytes_of_second::<Agents>(waiting), waiting::bytes_of_second::<Loop>(waiting));
    }
    rows.push(row);
    rows.extend(construction(options));
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

/// What it takes to make an agent with a tool, in time and in bytes, beside an actor of plain actix with one. Our actor starts with its
/// first ask, so bytes are told before and after one.
fn construction(options: &Options) -> [Row; 3] {
    let agents = 100_000 / options.divisor;
    let of = |what: &str| format!("{agents} agents with a tool, {what} of each");
    let mut took = Row::new(of("us of construction"), "at most 1.2");
    let mut bytes = Row::new(of("resident bytes"), "at most 1,536");
    let mut asked = Row::new(of("the same after an answer, resident bytes"), "");
    for round in 0..=options.rounds {
        let of = |side: &str| waiting::figures(&[side, "0", &agents.to_string()]);
        let (ours, actix) = (of(MADE), of(MADE_BY_ACTIX));
        if round > 0 {
            for (number, row) in [&mut took, &mut bytes, &mut asked].into_iter().enumerate() {
                row.push(ours[number], actix[number]);
            }
        }
    }
    [took, bytes, asked]
}

/// What a process is called that makes agents and measures itself.
pub(super) const MADE: &str = "made";

/// Microseconds of each agent, and resident bytes of each before and after it has answered.
pub(super) async fn made(agents: usize) -> [f64; 3] {
    let server = Server::start(Duration::ZERO);
    let runtime = ours(server.base_url(), WORKERS);
    // Pages and pools that one needs anyway do not count.
    let warm: Vec<_> = (0..1_000).map(|_| agent(&runtime, true)).collect();
    all_are_asked(&warm).await;
    let mut all = Vec::with_capacity(agents);
    let (resident, before) = (resident_bytes(), process_time());
    all.extend((0..agents).map(|_| agent(&runtime, true)));
    let (took, idle) = (process_time() - before, resident_bytes());
    all_are_asked(&all).await;
    let each = |figure: f64| figure / agents as f64;
    [each(took.as_secs_f64() * 1e6), each(idle - resident), each(resident_bytes() - resident)]
}

async fn all_are_asked(agents: &[ChatAgent]) {
    for some in agents.chunks(WORKERS) {
        let asks: Vec<_> = some.iter().map(|agent| agent.ask(QUESTION)).collect();
        for ask in asks {
            ask.await.expect("it is answered");
        }
    }
}

/// What the tool's schema is, so that nobody measures another one.
///
/// # Panics
/// Panics when it has no argument.
pub fn check() {
    let parameters: &Value = &weather.spec().parameters;
    assert_eq!(parameters["required"], serde_json::json!(["city"]));
}
