//! Agents that die and come back: a watch, a restart policy, a quarantine, and a mailbox that overflows.
//!
//!     cargo run --example agents
//!
//! The two panics on standard error are meant.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use callboard::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

/// Prints pages. A restart begins with a fresh state, so the count begins again.
struct Printer {
    printed: u32,
}

struct Page {
    text: &'static str,
    reply: Reply<u32>,
}

impl Agent for Printer {
    type Message = Page;

    fn handle(&mut self, page: Page, _turn: &mut Turn<'_, Page>) {
        assert!(page.text != "crumpled", "paper jam");
        self.printed += 1;
        page.reply.send(self.printed);
    }
}

/// Shows the newest frames; one that is late is worth nothing.
struct Screen;

impl Agent for Screen {
    type Message = u32;

    fn handle(&mut self, _frame: u32, _turn: &mut Turn<'_, u32>) {}
}

fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let runtime = Runtime::start(RuntimeConfig::default())?;

    // It may die three times in a minute. Pages with the same text have the same fingerprint: after two deaths over one
    // of them, no further one is handled.
    let printer = AgentSpec::new("printer", || Printer { printed: 0 })
        .restart(RestartPolicy::at_most(3, 60 * SECOND))
        .quarantine(2, |page: &Page| Some(fingerprint(page.text)));
    let printer = runtime.spawn(printer)?;
    printer.watch(|down: &Down| println!("  life {} is over: {:?}, {:?}", down.incarnation, down.reason, down.next));
    for text in ["minutes", "crumpled", "crumpled", "crumpled", "letters"] {
        match printer.ask(SECOND, |reply| Page { text, reply }).await {
            Ok(printed) => println!("{text}: page {printed} of this life"),
            Err(error) => println!("{text}: {error}"),
        }
    }

    // The mailbox holds two frames. A newer one takes the place of the oldest, which becomes a dead letter.
    let screen = runtime.spawn(AgentSpec::new("screen", || Screen).capacity(2).overflow(Overflow::DropOldest))?;
    for frame in 0..10_000 {
        screen.tell(frame)?;
    }
    screen.drain();
    screen.gone().await;
    printer.stop();
    printer.gone().await;
    let ledger = runtime.ledger();
    println!("{} messages: {} handled", ledger.accepted, ledger.handled);
    for reason in [DeadLetter::Panicked, DeadLetter::Quarantined, DeadLetter::Overflowed] {
        println!("  {}: {}", reason.code(), ledger.dead(reason));
    }
    assert!(ledger.balances() && ledger.pending == 0, "{ledger:?}");
    runtime.stop(SECOND).await;
    Ok(())
}
