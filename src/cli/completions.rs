//! What does `callboard completions` print? A script that teaches a shell the words of the command line.

use callboard::ExitStatus;
use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::args::Cli;
use super::output;

const EXAMPLES: &str = "\
Examples:
  callboard completions bash > ~/.local/share/bash-completion/completions/callboard
  callboard completions zsh > ~/.zfunc/_callboard      # ~/.zfunc stands in $fpath
  callboard completions fish > ~/.config/fish/completions/callboard.fish";

/// The arguments of `callboard completions`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct CompletionArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs the command to its end.
pub(super) fn run(args: &CompletionArgs) -> ExitStatus {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "callboard", &mut script);
    output::answer(&String::from_utf8_lossy(&script), ExitStatus::Complete)
}
