//! A guardrail on the question, and a tool that waits for a person's approval.
//!
//!     cargo run --example 08_guard
//!
//! Its model plays a script, so that it needs no key: `Runtime::from_env()` in its place asks a real one. At a terminal it asks you;
//! elsewhere there is nobody to ask, and the tool is not called.

use callboard::prelude::*;
use callboard::testkit::ScriptedModel;
use callboard::tools::{Guarded, Guardrail, TerminalApprover, Verdict};
use futures_util::future::BoxFuture;
use serde_json::json;

/// Says that a file was removed; it is none.
#[tool(needs_approval)]
async fn remove(file: String) -> String {
    format!("{file} is gone")
}

struct NoPasswords;

impl Guardrail for NoPasswords {
    fn name(&self) -> &str {
        "no passwords"
    }

    fn check(&self, what: Guarded) -> BoxFuture<'static, Verdict> {
        let is_bad = matches!(&what, Guarded::Input(text) if text.contains("password"));
        let verdict = if is_bad { Verdict::Block("it asks for a password".into()) } else { Verdict::Pass };
        Box::pin(async move { verdict })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = ScriptedModel::new().calls("remove", json!({"file": "notes.txt"})).says("That is all I can do.");
    let runtime = Runtime::with_model("scripted/model", model)?;
    let agent = runtime.agent("assistant").tool(remove).guard_input(NoPasswords).approver(TerminalApprover).start()?;
    if let Err(error) = agent.ask("What is the password?").await {
        println!("{error}");
    }
    let answer = agent.ask("Remove my notes.").await?;
    answer.turns.iter().for_each(|turn| println!("{:?}: {}", turn.role, turn.text));
    Ok(())
}
