//! Tools: an async function, and a plain one that may block. What goes wrong in them is told to the model, which may do better.
//!
//!     cargo run --example 03_tool
//!
//! Its model plays a script, so that it needs no key: `Runtime::from_env()` in its place asks a real one.

use callboard::prelude::*;
use callboard::testkit::ScriptedModel;
use serde_json::json;

/// Current weather in a city.
#[tool(timeout = "10s", attempts = 2)]
async fn weather(
    /// The city's English name.
    city: String,
) -> Result<String, ToolError> {
    match city.as_str() {
        "Oslo" => Ok("rain, 7 degrees".to_owned()),
        other => Err(ToolError::Failed(format!("nothing is known about {other}; there is Oslo"))),
    }
}

/// The first line of a file in the current folder.
#[tool]
fn first_line(name: String) -> Result<String, ToolError> {
    // It may block: it runs on threads for that.
    let text = std::fs::read_to_string(&name).map_err(|error| format!("{name}: {error}"))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = ScriptedModel::new()
        .calls("weather", json!({"city": "Atlantis"}))
        .and_calls("first_line", json!({"name": "Cargo.toml"}))
        .calls("weather", json!({"city": "Oslo"}))
        .says("It rains in Oslo.");
    let runtime = Runtime::with_model("scripted/model", model)?;
    let agent = runtime.agent("assistant").instructions("Use your tools.").tool(weather).tool(first_line).start()?;
    let answer = agent.ask("Is it raining in Oslo, and what does Cargo.toml begin with?").await?;
    for turn in &answer.turns {
        println!("{:?}: {}", turn.role, turn.text);
    }
    Ok(())
}
