//! What is said about a command line that cannot be? Help and version are answers; the rest is an error with a hint.

use std::ffi::OsString;
use std::io::Write;

use callboard::ExitStatus;
use callboard::report::json::ErrorEntry;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::Output;
use super::output;
use super::settings::TIME;

/// Answers what clap made of `words`.
pub(super) fn report(error: &clap::Error, words: &[OsString]) -> ExitStatus {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => shown(error, ExitStatus::Complete),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => shown(error, ExitStatus::Usage),
        _ => {
            let mut told = entry(&error.to_string(), advice(error, words), command(words));
            if let Some(message) = without_a_value(error) {
                told.message = message;
            }
            output::failure(wanted(words), told, ExitStatus::Usage)
        }
    }
}

/// Help and version, by clap, which knows whether colours are wanted. A reader that left is no error.
fn shown(error: &clap::Error, status: ExitStatus) -> ExitStatus {
    match error.print().and_then(|()| std::io::stdout().flush()) {
        Err(fault) if fault.kind() != std::io::ErrorKind::BrokenPipe => output::unwritten(&fault),
        _ => status,
    }
}

/// What somebody most likely meant, where clap does not see it.
fn advice(error: &clap::Error, words: &[OsString]) -> Option<String> {
    let first = words.get(1).and_then(|word| word.to_str()).unwrap_or_default();
    match error.kind() {
        ErrorKind::InvalidSubcommand if first.trim().contains(' ') || first.ends_with('?') => {
            Some("to ask a question: callboard research \"How do I ...?\" --corpus docs".to_owned())
        }
        ErrorKind::UnknownArgument if is_unquoted(error) && command(words) == " research" => {
            Some("put the question in quotes: callboard research \"How do I ...?\" --corpus docs".to_owned())
        }
        ErrorKind::UnknownArgument => {
            // clap takes `-corpus` apart and refuses `-c`.
            let Some(ContextValue::String(refused)) = error.get(ContextKind::InvalidArg) else { return None };
            let is_meant = |word: &&str| {
                word.len() > 2
                    && word.starts_with('-')
                    && !word.starts_with("--")
                    && word.starts_with(refused.as_str())
                    && word[1..].chars().all(|c| c.is_ascii_lowercase() || c == '-')
            };
            if let Some(meant) = words.iter().filter_map(|word| word.to_str()).find(is_meant) {
                return Some(format!("a flag has two dashes: -{meant}"));
            }
            let has_no_command = first.starts_with('-') && error.get(ContextKind::SuggestedArg).is_none();
            has_no_command
                .then(|| "a command comes first: callboard research \"How do I ...?\" --corpus docs".to_owned())
        }
        _ => None,
    }
}

/// What is said of a flag that wants a value and has none: another flag behind it is none.
fn without_a_value(error: &clap::Error) -> Option<String> {
    let Some(ContextValue::String(arg)) = error.get(ContextKind::InvalidArg) else { return None };
    let is_given =
        matches!(error.get(ContextKind::InvalidValue), Some(ContextValue::String(value)) if !value.is_empty());
    if error.kind() != ErrorKind::InvalidValue || is_given || !arg.starts_with("--") {
        return None;
    }
    // It is called `--deadline <TIME>` here.
    let (flag, what) = arg.split_once(' ').unwrap_or((arg, ""));
    let what = what.trim_matches(['<', '>']);
    let example = match (error.get(ContextKind::ValidValue), what) {
        (Some(ContextValue::Strings(values)), _) if !values.is_empty() => format!(": one of {}", values.join(", ")),
        (_, TIME) => ", such as 90s".to_owned(),
        (_, "USD") => ", such as 0.50".to_owned(),
        (_, "PATH") => ", such as docs".to_owned(),
        _ => String::new(),
    };
    Some(format!("the flag {flag} needs a value{example}"))
}

/// The output that was asked for, as far as it can be told from words that do not parse.
fn wanted(words: &[OsString]) -> Output {
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).take_while(|word| word != "--").collect();
    if words.iter().any(|word| word == "--json") {
        return Output::Json;
    }
    let value = words.iter().enumerate().find_map(|(at, word)| match word.strip_prefix("--output") {
        Some("") => words.get(at + 1).map(|value| value.to_string()),
        Some(rest) => rest.strip_prefix('=').map(str::to_owned),
        None => None,
    });
    match value.as_deref() {
        Some("json") => Output::Json,
        Some("jsonl") => Output::Jsonl,
        _ => Output::Text,
    }
}

/// clap's text in our form: its first paragraph is the message, its tips and the way to the help are the hint.
fn entry(text: &str, advice: Option<String>, command: &str) -> ErrorEntry {
    let text = text.strip_prefix("error: ").unwrap_or(text);
    let message = text.split("\n\n").next().unwrap_or(text).split_whitespace().collect::<Vec<_>>().join(" ");
    // A tip beside better advice would be a worse one.
    let tips = text.lines().filter_map(|line| line.trim().strip_prefix("tip: ")).filter(|_| advice.is_none());
    let tips: Vec<_> = tips.map(str::to_owned).collect();
    let help = format!("callboard{command} --help shows what can be said");
    let hint = advice.into_iter().chain(tips).chain([help]).collect::<Vec<_>>().join("; ");
    ErrorEntry { code: "usage".into(), cause: None, message, hint }
}

/// Whose help is pointed to.
fn command(words: &[OsString]) -> &'static str {
    match words.get(1).and_then(|word| word.to_str()) {
        Some("mock-llm") => " mock-llm",
        Some("research") => " research",
        Some("doctor") => " doctor",
        Some("config") => " config show",
        Some("completions") => " completions",
        _ => "",
    }
}

/// Whether a word too many came after the question: most likely the question's own second word.
fn is_unquoted(error: &clap::Error) -> bool {
    match (error.kind(), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::UnknownArgument, Some(ContextValue::String(word))) => !word.starts_with('-'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wanted_output_is_found_in_any_command_line() {
        for (words, output) in [
            (&["callboard", "research", "--output", "json"][..], Output::Json),
            (&["callboard", "--nonsense", "--output=jsonl"], Output::Jsonl),
            (&["callboard", "research", "--output"], Output::Text),
            (&["callboard", "research", "--", "--output", "json"], Output::Text),
            (&["callboard", "research", "--outputs=json"], Output::Text),
            (&["callboard", "doctor", "--nonsense", "--json"], Output::Json),
            (&["callboard", "doctor", "--", "--json"], Output::Text),
        ] {
            let words: Vec<OsString> = words.iter().map(OsString::from).collect();
            assert_eq!(wanted(&words), output, "{words:?}");
        }
    }

    #[test]
    fn the_message_of_the_parser_is_taken_apart() {
        let text =
            "error: unexpected argument '--corpos' found\n\n  tip: a similar argument exists: '--corpus'\n\nUsage: x\n";
        let entry = entry(text, None, " research");
        assert_eq!(entry.message, "unexpected argument '--corpos' found");
        assert!(
            entry.hint.starts_with("a similar argument exists: '--corpus'; callboard research --help"),
            "{}",
            entry.hint
        );
    }
}
