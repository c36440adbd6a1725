//! Which words does the command line know? The flags with their help; their values are checked here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::completions::CompletionArgs;
use super::doctor::DoctorArgs;
use super::mock_args::MockArgs;
use super::settings::SettingArgs;
use super::show::ConfigCommand;

const EXAMPLES: &str = "\
Examples:
  callboard research \"How does a supervisor learn that an agent died?\" --corpus docs
  callboard research \"What is a lifetime, and how does it differ from a scope?\" --plan-only
  callboard mock-llm --latency 200ms --fault status_503=0.05
  callboard doctor
  callboard config show --origin";

const RESEARCH_EXAMPLES: &str = "\
Examples:
  callboard research \"How does a supervisor learn that an agent died?\" --corpus docs
  callboard research \"How do I back up a database?\" --corpus manual --corpus notes.md --out report
  callboard research \"What is a dead letter?\" --corpus docs --output json | jq .citations
  callboard research \"What is a lifetime, and how does it differ from a scope?\" --plan-only
  callboard research \"What is a dead letter?\" --corpus docs --model openai/NAME --max-tokens 100000

Exit codes:
  0    every part of the question has an answer
  1    internal error, or standard output cannot be written
  2    usage: an unknown flag, an empty question,
       no corpus named
  3    configuration or input: a bad file, an unknown
       model, a missing or empty corpus, an --out that
       cannot be written
  4    a language model's provider or its key; with
       --require-model also a report of which the rules
       did a step in place of the model
  5    the deadline passed, or the budget allows no call
       of the model, and nothing was found
  6    a report with a part missing, whatever the cause,
       or with an answer that was cut at a limit of its
       model
  7    every part was worked on to its end, and nothing
       was found
  130  interrupted, with what was found until then";

/// Agents that are actors: ask a question of your documents and get a cited report.
#[derive(Debug, Parser)]
#[command(name = "callboard", version, after_help = EXAMPLES, max_term_width = 100)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Answer a question from local documents, with verbatim quotes and their places.
    ///
    /// The question is split into parts; a researcher works on each; what they find is quoted, checked against the
    /// stored text and arranged. Without --model no language model is called and nothing leaves the machine. The
    /// report goes to standard output, progress to standard error.
    Research(ResearchArgs),

    /// Serve a model's interface on loopback, to test programs that call one.
    ///
    /// It answers OpenAI's Chat Completions, plain and streamed, embeddings and the list of models, with the latencies,
    /// limits and faults that you choose. Its address goes to standard output when it listens; Ctrl-C ends it. What it
    /// counts is at /stats, and POST /reset begins anew.
    MockLlm(MockArgs),

    /// See whether everything that a run depends on is as it should be.
    ///
    /// It looks at the configuration, the keys, the chosen provider, the cache, the disk and the limits of the system.
    /// Of keys it says only whether they are set.
    Doctor(DoctorArgs),

    /// Look at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),

    /// Print a script that completes the words of this command line in a shell.
    Completions(CompletionArgs),
}

/// The arguments of `callboard research`.
#[derive(Debug, Args)]
#[command(after_help = RESEARCH_EXAMPLES)]
pub(super) struct ResearchArgs {
    /// What you want to know, in quotes.
    pub(super) question: String,

    #[command(flatten)]
    pub(super) settings: SettingArgs,

    /// End with exit code 4, after the report, when the rules did a step because the model was no use.
    #[arg(long, overrides_with = "require_model")]
    pub(super) require_model: bool,

    /// Show how the question is split into parts, and stop. Needs no corpus.
    #[arg(long, conflicts_with = "out", overrides_with = "plan_only")]
    pub(super) plan_only: bool,

    /// The form of the report: text to read, one JSON object, or one JSON line for each event and then the report.
    #[arg(long, value_name = "FORM", value_enum, default_value_t = Output::Text)]
    pub(super) output: Output,

    /// Also write report.md, report.html, report.json, events.jsonl and the cited sources into this folder.
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,

    /// No progress and no notes on standard error; errors are still said.
    #[arg(short, long, conflicts_with = "verbose", overrides_with = "quiet")]
    pub(super) quiet: bool,

    /// Say what happens inside, on standard error; twice for more. RUST_LOG chooses in detail.
    #[arg(short, long, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
}

/// What standard output holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// A report to read.
    Text,
    /// Exactly one JSON object, also on failure.
    Json,
    /// One JSON object in each line: the events as they come, last the report or the error.
    Jsonl,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
