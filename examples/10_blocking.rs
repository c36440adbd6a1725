//! An agent in a program without an async runtime: the same names, and each call blocks its thread.
//!
//!     cargo run --example 10_blocking
//!
//! Its model plays a script, so that it needs no key: `Runtime::from_env()` in its place asks a real one.

use std::time::Duration;

use callboard::blocking::Runtime;
use callboard::testkit::ScriptedModel;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = ScriptedModel::new().says("An actor has a mailbox.").says("Rain.").says("Sun.");
    let runtime = Runtime::with_model("scripted/model", model)?;
    let agent = runtime.agent("assistant").instructions("Answer in one sentence.").start()?;
    println!("{}", agent.ask("What is an actor?")?);
    for (number, answer) in agent.ask_all(["Oslo?", "Rome?"]).limit(1) {
        println!("{number}: {}", answer?);
    }
    runtime.stop(Duration::from_secs(5));
    Ok(())
}
