//! A conversation that outlives the process: run it twice.
//!
//!     cargo run --example 09_session
//!
//! Its model is a function, so that it needs no key: `Runtime::from_env()` in its place asks a real one.

use std::time::Duration;

use callboard::actors::chat::{ChatReply, Role};
use callboard::prelude::*;
use callboard::store::Sessions;
use callboard::testkit::FunctionModel;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = FunctionModel::new(|request| {
        let asked = request.turns.iter().filter(|turn| turn.role == Role::User).count();
        Ok(ChatReply::text(format!("This is your question number {asked}.")))
    });
    let runtime = Runtime::with_model("function/model", model)?;
    let file = std::env::temp_dir().join("callboard-example/sessions.sqlite");
    let sessions = Sessions::open(&file, Duration::from_secs(1))?;
    let agent = runtime.agent("assistant").sessions(sessions).start()?;
    for _ in 0..2 {
        println!("{}", agent.ask(Question::new("How often did I ask?").session("anna")).await?);
    }
    println!("kept in {}", file.display());
    runtime.stop(Duration::from_secs(5)).await;
    Ok(())
}
