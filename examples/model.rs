//! A language model behind the gateway: a plain call, one that is streamed, and a budget.
//!
//!     cargo run --example model
//!
//! Without further words it asks a mock server that it starts itself. `-- NAME` asks the model NAME of OpenAI, or of
//! whoever is at OPENAI_BASE_URL, with the key in OPENAI_API_KEY.

use std::sync::Arc;

use callboard::actors::chat::{ChatChunk, ChatRequest, Turn};
use callboard::actors::gateway::{Budget, BudgetLimits, Gateway, GatewayLimits, ServedModel};
use callboard::mock_llm::{MockConfig, MockLlm};
use callboard::prelude::*;
use callboard::providers::openai::{BASE_URL, KEY, OpenAi};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let variable = |name| std::env::var(name).ok();
    let (_server, model) = match std::env::args().nth(1) {
        Some(name) => (None, OpenAi::new(name, variable(KEY).map(Into::into), variable(BASE_URL).as_deref())?),
        None => {
            let server = MockLlm::start(MockConfig::default())?;
            let model = OpenAi::new("mock", None, Some(&server.base_url()))?;
            (Some(server), model)
        }
    };
    let runtime = Runtime::start(RuntimeConfig::default())?;
    let served = vec![ServedModel::new("model", Arc::new(model))];
    let gateway = Gateway::start(&runtime, served, GatewayLimits::default())?;
    let budget = Budget::new(BudgetLimits { tokens: Some(1_000), micros: None });
    let request = || ChatRequest::new(vec![Turn::user("What is an actor, in one sentence?")], 100);

    let answer = gateway.call("model", request()).budget(&budget).send().await?;
    println!("{}\n{:?}\n", answer.reply.text, answer.times);

    let (call, mut pieces) = gateway.call("model", request()).budget(&budget).streamed();
    let printing = async {
        while let Some(chunk) = pieces.next().await {
            if let ChatChunk::Text(text) = chunk {
                print!("{text}");
            }
        }
        println!();
    };
    let (answer, ()) = tokio::join!(call.send(), printing);
    println!("{:?}\n{:?}\n", answer?.times, budget.spent());

    let large = ChatRequest::new(vec![Turn::user("Tell me everything.")], 10_000);
    if let Err(refused) = gateway.call("model", large).budget(&budget).send().await {
        println!("refused: {refused}");
    }
    runtime.stop(std::time::Duration::from_secs(5)).await;
    Ok(())
}
