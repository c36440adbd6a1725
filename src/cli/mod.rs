//! What does the program do with a command line? Parses it, runs the command, and ends with a documented exit code.
//!
//! Data goes to standard output, everything else to standard error. This folder is the only place that writes to either.

mod args;
mod completions;
mod doctor;
mod duration;
mod ending;
mod hints;
mod keys;
mod mock_args;
mod mock_llm;
mod output;
mod panics;
mod progress;
mod research;
mod settings;
mod show;
mod signals;
mod trace;
mod usage;
mod words;

use callboard::ExitStatus;
use clap::Parser;

use args::{Cli, Command, Output};
use show::ConfigCommand;

/// Runs the program with the arguments of the process.
pub(crate) fn main() -> ExitStatus {
    panics::install();
    let words = words::joined(std::env::args_os());
    match Cli::try_parse_from(&words) {
        Ok(Cli { command: Command::Research(args) }) => panics::caught(args.output, || research::run(args)),
        Ok(Cli { command: Command::MockLlm(args) }) => panics::caught(Output::Text, || mock_llm::run(&args)),
        Ok(Cli { command: Command::Config(ConfigCommand::Show(args)) }) => {
            panics::caught(json_or_text(args.json), || show::run(&args))
        }
        Ok(Cli { command: Command::Doctor(args) }) => panics::caught(json_or_text(args.json), || doctor::run(&args)),
        Ok(Cli { command: Command::Completions(args) }) => panics::caught(Output::Text, || completions::run(&args)),
        Err(error) => usage::report(&error, &words),
    }
}

/// The output of the commands that have `--json`.
fn json_or_text(json: bool) -> Output {
    if json { Output::Json } else { Output::Text }
}
