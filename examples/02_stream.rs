//! The text of an answer while it is written, and the tools that are called meanwhile.
//!
//!     cargo run --example 02_stream
//!
//! Its model plays a script, so that it needs no key: `Runtime::from_env()` in its place asks a real one.

use std::io::Write;

use callboard::prelude::*;
use callboard::testkit::ScriptedModel;
use serde_json::json;

/// The time of day in a city.
#[tool]
async fn local_time(city: String) -> String {
    format!("it is noon in {city}")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = ScriptedModel::new().calls("local_time", json!({"city": "Oslo"})).says("It is noon, time for lunch.");
    let runtime = Runtime::with_model("scripted/model", model)?;
    let agent = runtime.agent("assistant").tool(local_time).start()?;
    let mut stream = agent.ask_stream("What time is it in Oslo?");
    while let Some(event) = stream.next().await {
        match event {
            AskEvent::Text(text) => print!("{text}"),
            AskEvent::ToolCalled { name, arguments, .. } => println!("[{name} {arguments}]"),
            AskEvent::ToolAnswered { text, .. } => println!("[{text}]"),
            _ => {}
        }
        std::io::stdout().flush()?;
    }
    println!("\n{} calls of the model", stream.answer().await?.metrics.model_calls);
    Ok(())
}
