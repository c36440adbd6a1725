//! An answer that is a value of a type: the model is told the schema, and an answer that does not fit is asked for again.
//!
//!     cargo run --example 04_typed
//!
//! Its model plays a script, so that it needs no key: `Runtime::from_env()` in its place asks a real one.

use callboard::prelude::*;
use callboard::testkit::ScriptedModel;
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Debug, Deserialize, JsonSchema)]
struct Forecast {
    /// In degrees Celsius.
    temperature: i8,
    needs_umbrella: bool,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = ScriptedModel::new()
        .says("It will be rather cold, I am afraid.")
        .says(r#"{"temperature": 7, "needs_umbrella": true}"#);
    let runtime = Runtime::with_model("scripted/model", model)?;
    let agent = runtime.agent("forecaster").start()?;
    let forecast = agent.ask_as::<Forecast>("What will the weather be in Oslo?").await?;
    let take = if forecast.needs_umbrella { "take an umbrella" } else { "no umbrella" };
    println!("{} degrees, {take}", forecast.temperature);
    println!("after {} calls of the model", forecast.answer.metrics.model_calls);
    Ok(())
}
