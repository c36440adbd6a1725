//! What is said when a research has ended? The files, the answer, and behind it, where it is seen, what went wrong and what to do.

use callboard::actors::research::{Report, RulesInstead};
use callboard::actors::text::count;
use callboard::report::json::{self, ErrorEntry};
use callboard::report::text;
use callboard::{ExitStatus, Finished, WriteError};

use super::args::{Output, ResearchArgs};
use super::hints;
use super::output::{self, layout};

/// Writes the files first, so that the one object on standard output can say when that failed. Both hold the same object.
pub(super) fn deliver(args: &ResearchArgs, finished: &Finished) -> ExitStatus {
    let Finished { report, sources, exit, .. } = finished;
    let (error, status) = beside(args, finished);
    let written = args.out.as_deref().map_or(Ok(()), |folder| finished.write_with(folder, error.clone()));
    let (error, status) = match written {
        Ok(()) => (error, status),
        Err(fault) => (Some(unwritable(&fault)), ExitStatus::Input),
    };
    let answer = match layout(args.output) {
        Some(layout) => json::report(report, error.clone(), layout),
        None => text(report, sources, output::style()),
    };
    let ended = output::answer(&answer, status);
    error.iter().for_each(output::complain);
    if *exit == ExitStatus::NoEvidence && error.is_none() && !args.quiet {
        output::hint(nothing_found(report));
    }
    ended
}

/// What went wrong with a research that has a report, and its exit status.
fn beside(args: &ResearchArgs, finished: &Finished) -> (Option<ErrorEntry>, ExitStatus) {
    let ended = matches!(finished.exit, ExitStatus::Complete | ExitStatus::Partial | ExitStatus::NoEvidence);
    match unused(&finished.report.rules_instead).filter(|_| args.require_model && ended) {
        Some(error) => (Some(error), ExitStatus::Provider),
        None => (finished.error().map(|error| told(args.output, finished, error)), finished.exit),
    }
}

/// With the hint of the command line: it has flags, and who reads text sees no JSON.
fn told(output: Output, Finished { exit, report, .. }: &Finished, error: ErrorEntry) -> ErrorEntry {
    let hint = match exit {
        ExitStatus::Limit if report.unread.is_empty() => "allow more time with --deadline",
        ExitStatus::Limit => "allow more time with --deadline; the report lists the passages",
        ExitStatus::Internal if output == Output::Text => "“What was not found” says why",
        _ => return error,
    };
    ErrorEntry { hint: hint.into(), ..error }
}

/// What is wrong with what a model should have made, when the rules did a step of it.
pub(super) fn unused(instead: &[RulesInstead]) -> Option<ErrorEntry> {
    let RulesInstead { model, reason, .. } = instead.first()?;
    let (steps, reason) = (count(instead.len(), "step"), reason.trim_end_matches('.'));
    Some(ErrorEntry {
        code: "model_unused".into(),
        cause: None,
        message: format!("the rules did {steps} in place of {model}: {reason}"),
        hint: "run the command again, with more of what was short (--deadline, --max-tokens, --max-cost), choose another model with --model, or leave --require-model out to accept what the rules did".into(),
    })
}

/// What to do when every part was looked for and nothing was found, which is no error.
fn nothing_found(report: &Report) -> &'static str {
    match report.usage.model_calls == 0 && report.rules_instead.is_empty() {
        true => {
            "rules look for the question's own words: ask in those of the documents, or name a language model with --model"
        }
        false => "ask otherwise, or add documents that say it with --corpus",
    }
}

pub(super) fn unwritable(error: &WriteError) -> ErrorEntry {
    ErrorEntry::new(error.code(), error, hints::of_writing(error))
}
