//! Many questions at once: so many at a time, each answer when it comes, and what is left when it is broken off.
//!
//!     cargo run --example 05_many
//!
//! Its model is a function, so that it needs no key: `Runtime::from_env()` in its place asks a real one.

use callboard::actors::chat::ChatReply;
use callboard::actors::error::ModelError;
use callboard::prelude::*;
use callboard::testkit::FunctionModel;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = FunctionModel::new(|request| match request.turns.last() {
        Some(turn) if turn.text.contains("Atlantis") => Err(ModelError::ContentRefused("no fairy tales".to_owned())),
        Some(turn) => Ok(ChatReply::text(format!("{}: rain", turn.text))),
        None => Ok(ChatReply::text("nothing was asked")),
    });
    let runtime = Runtime::with_model("function/model", model)?;
    let agent = runtime.agent("forecaster").instructions("The weather, in a word.").start()?;
    let cities = ["Oslo", "Bergen", "Atlantis", "Tromsø", "Ålesund"];
    let mut asks = agent.ask_all(cities).limit(2).attempts(3);
    while let Some((number, answer)) = asks.next().await {
        match answer {
            Ok(answer) => println!("{answer}"),
            Err(error) => println!("{}: {error}", cities[number]),
        }
        let progress = asks.progress();
        if progress.answered + progress.failed == 4 {
            println!("enough; left is question {:?}", asks.left());
            break;
        }
    }
    let all = agent.ask_all(cities).collect().await;
    println!("{} of {} were answered", all.iter().filter(|answer| answer.is_ok()).count(), all.len());
    Ok(())
}
