//! Fan work out over agents and act on each reply when it arrives.
//!
//!     cargo run --example fan_out

use std::time::Duration;

use callboard::actors::runtime::{Runtime, RuntimeConfig};
use callboard::actors::supervisor::{Collect, FanOutLimits};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Runtime::start(RuntimeConfig::default())?;
    let tasks = [("short", 10), ("middle", 20), ("endless", 60_000)];
    let mut replies =
        runtime.fan_out(tasks, Collect::Quorum, FanOutLimits::default(), |(name, millis), _scope| async move {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            Ok(format!("{name} is done"))
        });
    while let Some((number, reply)) = replies.next().await {
        println!("task {number}: {}", reply.unwrap_or_else(|error| error.to_string()));
        if number == 0 {
            replies.add(("follow-up", 5))?;
        }
    }
    runtime.stop(Duration::from_secs(1)).await;
    Ok(())
}
