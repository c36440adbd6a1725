//! Which word belongs to which flag? A time below zero is the value of its flag, so that what is told is the range; a flag is nobody's.

use std::ffi::{OsStr, OsString};

use clap::{Command, CommandFactory};

use super::args::Cli;
use super::settings::TIME;

/// The words as they are parsed: `--deadline -5s` is `--deadline=-5s`. clap takes `-5` for a number, and `-5s` for a flag.
pub(super) fn joined(words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let flags = times(&Cli::command());
    let mut joined: Vec<OsString> = Vec::new();
    let mut may_be_flag = true;
    for word in words {
        may_be_flag &= word != "--";
        match joined.last_mut() {
            Some(last) if may_be_flag && is_below_zero(&word) && flags.iter().any(|flag| *last == **flag) => {
                last.push("=");
                last.push(word);
            }
            _ => joined.push(word),
        }
    }
    joined
}

/// The flags of all commands that take a time.
fn times(command: &Command) -> Vec<String> {
    let takes_time =
        |arg: &&clap::Arg| arg.get_value_names().is_some_and(|names| names.iter().any(|name| name.as_str() == TIME));
    let own = command.get_arguments().filter(takes_time).filter_map(clap::Arg::get_long);
    let own = own.map(|long| format!("--{long}"));
    own.chain(command.get_subcommands().flat_map(times)).collect()
}

fn is_below_zero(word: &OsStr) -> bool {
    let digits = word.to_str().and_then(|word| word.strip_prefix('-'));
    digits.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_below_zero_belongs_to_its_flag_and_a_flag_to_nobody() {
        for (words, parsed) in [
            (&["--deadline", "-5s"][..], &["--deadline=-5s"][..]),
            (&["--slow-byte", "-.5s", "-5s"], &["--slow-byte=-.5s", "-5s"]),
            (&["--deadline", "--output", "json"], &["--deadline", "--output", "json"]),
            (&["--deadline", "-q"], &["--deadline", "-q"]),
            (&["--deadline", "90s"], &["--deadline", "90s"]),
            (&["--out", "-5s"], &["--out", "-5s"]),
            (&["--", "--deadline", "-5s"], &["--", "--deadline", "-5s"]),
            (&["--deadline"], &["--deadline"]),
            (&["-5s"], &["-5s"]),
        ] {
            let joined = joined(words.iter().map(OsString::from));
            assert_eq!(joined, parsed.iter().map(OsString::from).collect::<Vec<_>>());
        }
    }
}
