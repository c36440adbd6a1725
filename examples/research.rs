//! Ask your documents from a program, and watch the run while it goes on:
//!
//!     cargo run --example research -- "How does a supervisor learn that an agent died?" docs

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use callboard::{Error, Event, Finished};

#[tokio::main]
async fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let (Some(question), corpus) = (words.next(), words.collect::<Vec<_>>()) else {
        eprintln!("usage: research QUESTION PATH...");
        return ExitCode::from(2);
    };
    match ask(&question, &corpus, &mut io::stderr()).await {
        Ok(finished) => {
            println!("{}", finished.report.answer_markdown);
            for citation in &finished.report.citations {
                println!("[{}] {}: {}", citation.id, citation.file, citation.headings.join(" > "));
            }
            finished.exit.into()
        }
        Err(error) => {
            eprintln!("error: {error}\nhint: {}", error.hint());
            error.exit_status().into()
        }
    }
}

/// Runs one research and writes its events to `watcher` as they happen.
pub(crate) async fn ask(question: &str, corpus: &[String], watcher: &mut dyn Write) -> Result<Finished, Error> {
    let mut research = callboard::research(question).max_researchers(2).deadline(Duration::from_secs(30));
    for path in corpus {
        research = research.corpus(path);
    }
    let run = research.start().await?;
    let mut events = run.events();
    while let Some(event) = events.next().await {
        let line = match &event.event {
            Event::TaskStarted { task, .. } => format!("{task} started"),
            Event::TaskFinished { task, claims } => format!("{task} found {claims} claims"),
            Event::RunFinished { status, .. } => format!("the run ended: {status:?}"),
            _ => continue,
        };
        // Nobody has to watch.
        let _ = writeln!(watcher, "{:>3} {line}", event.seq);
    }
    run.finish().await
}
