//! Work for many at once, where each reply is acted on when it arrives: one that is quick asks for more, and what has become
//! needless is cancelled.
//!
//!     cargo run --example 06_fan_out

use std::time::Duration;

use callboard::prelude::*;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Runtime::start(RuntimeConfig::default())?;
    let tasks = [("short", 10), ("middle", 20), ("endless", 60_000)];
    // The fan-out is over when most of them are done, and ends the others.
    let work = |(name, millis), _scope| async move {
        tokio::time::sleep(Duration::from_millis(millis)).await;
        Ok(format!("{name} is done"))
    };
    let mut replies = runtime.fan_out(tasks, Collect::Quorum, FanOutLimits::default(), work);
    while let Some((number, reply)) = replies.next().await {
        println!("task {number}: {}", reply.unwrap_or_else(|error| error.to_string()));
        if number == 0 {
            replies.add(("follow-up", 5))?;
        }
    }
    runtime.stop(Duration::from_secs(1)).await;
    Ok(())
}
