//! Ask your documents with a language model, and see the answer while it is written:
//!
//!     cargo run --example research_model
//!
//! Without further words it asks a mock server that it starts itself, which plays the planner, the researcher and the writer by a
//! script. `-- NAME` asks the model NAME of OpenAI, or of whoever is at OPENAI_BASE_URL, with the key in OPENAI_API_KEY.

use std::sync::Arc;

use callboard::actors::gateway::{BudgetLimits, ServedModel};
use callboard::mock_llm::{MockConfig, MockLlm, Script};
use callboard::providers::openai::{BASE_URL, KEY, OpenAi};
use callboard::{Event, ModelChoice};

/// What the mock says to whom: a researcher sees passages, who looks back sees parts, the writer sees findings.
const SCRIPT: &str = r###"[
  {"match": {"contains": "<passage"}, "replies": ["{\"findings\": [{\"statement\": \"A dead letter is a message that was not handled.\", \"sentences\": [1]}]}"]},
  {"match": {"contains": "Part: "}, "replies": ["{\"tasks\": []}"]},
  {"match": {"contains": "<finding"}, "replies": ["## What is a dead letter?\nA message that was dropped [1]. It was painted green in 1912 [1]."]},
  {"replies": ["{\"tasks\": [\"What is a dead letter?\"]}"]}
]"###;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let variable = |name| std::env::var(name).ok();
    let (_server, name, model) = match std::env::args().nth(1) {
        Some(name) => {
            (None, name.clone(), OpenAi::new(name, variable(KEY).map(Into::into), variable(BASE_URL).as_deref())?)
        }
        None => {
            let server = MockLlm::start(MockConfig { script: Some(Script::parse(SCRIPT)?), ..MockConfig::default() })?;
            let model = OpenAi::new("mock", None, Some(&server.base_url()))?;
            (Some(server), "mock".to_owned(), model)
        }
    };
    let mut choice = ModelChoice::new(ServedModel::new(format!("openai/{name}"), Arc::new(model)));
    choice.budget = BudgetLimits { tokens: Some(100_000), micros: None };
    let run = callboard::research("What is a dead letter?").corpus("docs").model(choice).start().await?;
    let mut events = run.events();
    while let Some(event) = events.next().await {
        match event.event {
            Event::AnswerText { text } => println!("while it is written: {}", text.trim()),
            Event::RulesInstead { role, reason, .. } => println!("the {role} went on without the model: {reason}"),
            _ => {}
        }
    }
    let report = run.finish().await?.report;
    println!("\n{}\n{:?}, {:?}", report.answer_markdown, report.generator, report.usage);
    Ok(())
}
