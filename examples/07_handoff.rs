//! Agents that work for each other: one as a tool of another, and one that hands the conversation over.
//!
//!     cargo run --example 07_handoff
//!
//! Its model plays a script, so that it needs no key: `Runtime::from_env()` in its place asks a real one.

use callboard::prelude::*;
use callboard::testkit::ScriptedModel;
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = ScriptedModel::new()
        .calls("transfer_to_sales", json!({}))
        .calls("stock", json!({"question": "How many umbrellas are there?"}))
        .says("Twelve.")
        .says("There are twelve umbrellas. Would you like one?");
    let runtime = Runtime::with_model("scripted/model", model)?;
    let stock = runtime.agent("stock").instructions("You know what is in stock.").start()?;
    let sales =
        runtime.agent("sales").instructions("You sell.").tool(stock.as_tool("Knows what is in stock.")).start()?;
    let desk = runtime.agent("desk").instructions("You greet.").handoff(&sales, "For whoever wants to buy.").start()?;
    let answer = desk.ask("Do you have umbrellas?").await?;
    println!("{}: {answer}", answer.agent);
    Ok(())
}
