//! An agent with a model, in four lines.
//!
//!     cargo run --example 01_ask
//!
//! Which model is asked the configuration says: `CALLBOARD_MODEL_NAME=openai/NAME` with the key in OPENAI_API_KEY, or a server of
//! your own at OPENAI_BASE_URL. Without one the agent only quotes, and says so.

use callboard::Runtime;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Runtime::from_env()?;
    let agent = runtime.agent("assistant").instructions("Answer in one sentence.").start()?;
    let answer = agent.ask("What is an actor?").await?;
    println!("{answer}");
    println!("{} tokens in {:?}", answer.metrics.output_tokens, answer.metrics.total);
    Ok(())
}
