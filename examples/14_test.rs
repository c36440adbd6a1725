//! A test of your own agent: its model plays a script, and what it was asked is looked at. No network, no key, no waiting.
//!
//!     cargo test --example 14_test
//!
//! `cargo run --example 14_test` asks the same agent with the model that the configuration names.

use callboard::prelude::*;

/// How many of a thing are in stock.
#[tool]
async fn stock(thing: String) -> Result<u32, ToolError> {
    if thing == "umbrella" { Ok(12) } else { Err(ToolError::Failed(format!("there is no {thing}"))) }
}

/// The agent, for the program and for its tests.
fn clerk(runtime: &Runtime) -> Result<ChatAgent, StartError> {
    runtime.agent("clerk").instructions("Look into the stock before you answer.").tool(stock).start()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Runtime::from_env()?;
    println!("{}", clerk(&runtime)?.ask("Do you have umbrellas?").await?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use callboard::actors::chat::{Role, Turn};
    use callboard::actors::error::ModelError;
    use callboard::testkit::ScriptedModel;
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn the_clerk_looks_into_the_stock() {
        let model = ScriptedModel::new().calls("stock", json!({"thing": "umbrella"})).says("Yes, twelve.");
        let runtime = Runtime::with_model("scripted/model", model.clone()).unwrap();
        let answer = clerk(&runtime).unwrap().ask("Do you have umbrellas?").await.unwrap();
        assert_eq!((answer.text.as_str(), answer.metrics.tool_calls), ("Yes, twelve.", 1));
        let asked = model.asked();
        assert_eq!(asked[0].turns[0], Turn::system("Look into the stock before you answer."));
        let told = asked[1].turns.last().unwrap();
        assert_eq!((told.role, told.text.as_str()), (Role::Tool, "12"), "the model is told what the tool says");
    }

    #[tokio::test]
    async fn what_is_not_there_and_a_model_that_refuses_are_no_surprise() {
        let refuses = ModelError::ContentRefused("not about hats".to_owned());
        let model = ScriptedModel::new().calls("stock", json!({"thing": "hat"})).fails(refuses);
        let runtime = Runtime::with_model("scripted/model", model.clone()).unwrap();
        let error = clerk(&runtime).unwrap().ask("Do you have hats?").await.unwrap_err();
        assert_eq!(error.code(), "content_refused");
        assert!(model.asked()[1].turns.last().unwrap().text.contains("there is no hat"));
    }
}
