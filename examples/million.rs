//! Very many live agents in one process, each of which answers a question; then they are put away, and one comes back.
//!
//!     cargo run --example million -- 50000
//!     cargo run --release --example million -- 1000000
//!
//! Prints how long it takes and what the process has in memory: about 1.5 KiB for each of these agents, and 1 KiB for one
//! without `idle_after`. What agents give back when they are put away is there for others; the process seldom shrinks,
//! because what stays of each lies in between.

use std::time::{Duration, Instant};

use callboard::prelude::*;
use futures_util::future::join_all;

const LONG: Duration = Duration::from_secs(60);
/// An agent that rests for so long, or for up to twice as long, is put away.
const REST: Duration = Duration::from_secs(4);
/// As many questions are on their way at a time.
const WINDOW: usize = 1024;

/// Remembers a number.
struct Citizen {
    number: u64,
}

impl Agent for Citizen {
    type Message = Reply<u64>;

    fn handle(&mut self, question: Reply<u64>, _turn: &mut Turn<'_, Reply<u64>>) {
        question.send(self.number);
    }
}

/// Starts an agent; a shard that is tens of thousands of starts behind is given time.
async fn settle(runtime: &Runtime, number: u64) -> Result<AgentId, StartError> {
    loop {
        let spec = AgentSpec::new("citizen", move || Citizen { number }).idle_after(REST);
        match runtime.spawn(spec) {
            Err(StartError::Overloaded) => tokio::time::sleep(Duration::from_millis(1)).await,
            started => return started.map(|agent| agent.id()),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let agents: u64 = std::env::args().nth(1).unwrap_or_else(|| "1000000".to_owned()).replace('_', "").parse()?;
    let runtime = Runtime::start(RuntimeConfig::default())?;

    let began = Instant::now();
    let mut ids = Vec::new();
    for number in 0..agents {
        ids.push(settle(&runtime, number).await?);
    }
    println!("{agents} agents started in {:.1} s", began.elapsed().as_secs_f64());

    // Only the directory holds references: each agent is found by its id.
    let find = |id| runtime.directory().find::<Reply<u64>>(id).ok_or("the agent is gone");
    let (began, mut sum) = (Instant::now(), 0);
    for ids in ids.chunks(WINDOW) {
        let agents = ids.iter().map(|id| find(*id)).collect::<Result<Vec<_>, _>>()?;
        for answer in join_all(agents.iter().map(|agent| agent.ask(LONG, |reply| reply))).await {
            sum += answer?;
        }
    }
    assert_eq!(sum, (0..agents).sum::<u64>(), "each agent answered with its own number");
    println!("each has answered, in {:.1} s{}", began.elapsed().as_secs_f64(), memory());

    // They rest, and are put away.
    let away = || {
        let mut away = 0;
        runtime.directory().visit(|agent| away += u64::from(agent.is_away));
        away
    };
    while away() < agents {
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    println!("all are put away{}", memory());
    if let Some(last) = ids.last() {
        assert_eq!(find(*last)?.ask(LONG, |reply| reply).await?, agents - 1);
        println!("the last one came back to answer");
    }
    let began = Instant::now();
    let report = runtime.stop(LONG).await;
    println!("{} ended in order, in {:.1} s", report.drained, began.elapsed().as_secs_f64());
    Ok(())
}

/// What the process has in memory, where the system tells it.
fn memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kibibytes =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok());
    kibibytes.map_or(String::new(), |kibibytes: u64| format!("; the process has {} MiB", kibibytes / 1024))
}
