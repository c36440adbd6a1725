//! Your own actor in the team: an actor of actix's as you have it is asked by an agent, as a tool, and asks an agent itself.
//!
//!     cargo run --example 13_actor
//!
//! Its model plays a script, so that it needs no key: `Runtime::from_env()` in its place asks a real one.

use std::time::Duration;

use actix::prelude::*;
use callboard::actors::mailbox::ActixSpec;
use callboard::prelude::{ChatAgent, Runtime};
use callboard::testkit::ScriptedModel;
use callboard::tools::ActixTool;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// What is in stock, and whom to ask for more.
struct Stock {
    umbrellas: u32,
    buyer: ChatAgent,
}

impl Actor for Stock {
    type Context = Context<Self>;
}

/// How many of a thing are there?
#[derive(Deserialize, JsonSchema)]
struct Count {
    thing: String,
}

impl Message for Count {
    type Result = String;
}

impl Handler<Count> for Stock {
    type Result = String;

    fn handle(&mut self, Count { thing }: Count, _context: &mut Self::Context) -> String {
        if thing == "umbrella" { format!("{} umbrellas", self.umbrellas) } else { format!("no {thing}") }
    }
}

struct Reorder;

impl Message for Reorder {
    type Result = String;
}

impl Handler<Reorder> for Stock {
    type Result = ResponseFuture<String>;

    fn handle(&mut self, _reorder: Reorder, _context: &mut Self::Context) -> Self::Result {
        // On its way when this returns; the actor goes on meanwhile.
        let asking = self.buyer.ask(format!("{} umbrellas are left. How many more?", self.umbrellas));
        Box::pin(async move { asking.await.map_or_else(|error| error.to_string(), |answer| answer.text) })
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let model = ScriptedModel::new()
        .calls("count", json!({"thing": "umbrella"}))
        .says("There are 12 umbrellas.")
        .says("Order thirty.");
    let runtime = Runtime::with_model("scripted/model", model)?;
    let buyer = runtime.agent("buyer").instructions("You buy.").start()?;
    actix::System::new().block_on(async {
        let stock = Stock { umbrellas: 12, buyer }.start();
        // With a bound, deadlines and errors of its own, like an agent.
        let member = ActixSpec::<Count>::new("stock", stock.clone()).capacity(64).start(&runtime)?;
        let tool = ActixTool::new(&member, "count", "How many of a thing are in stock.");
        let clerk = runtime.agent("clerk").instructions("You sell.").tool(tool).start()?;
        println!("{}", clerk.ask("Do you have umbrellas?").await?);
        println!("{}", stock.send(Reorder).await?);
        Ok::<_, Box<dyn std::error::Error>>(())
    })?;
    runtime.stop_blocking(Duration::from_secs(5));
    Ok(())
}
