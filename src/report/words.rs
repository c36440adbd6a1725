//! Which sentences do all renderings share? Status, generator, time: the same words in every format.

use std::collections::BTreeMap;

use callboard_actors::research::{Report, RunStep, SkippedFile, Status, Usage};
use callboard_actors::text::count;

pub(super) const NOT_FOUND: &str = "What was not found";
pub(super) const NOTES: &str = "What was done otherwise";
pub(super) const SKIPPED: &str = "Skipped files";
pub(super) const SOURCES: &str = "Sources";
pub(super) const UNREAD: &str = "Retrieved and not read";

/// What a status is for people.
const STATUSES: [&str; 4] = ["Complete", "Partial", "No evidence", "Failed"];

/// The status for people.
pub(super) fn status(status: Status) -> &'static str {
    match status {
        Status::Complete => STATUSES[0],
        Status::Partial => STATUSES[1],
        Status::NoEvidence => STATUSES[2],
        Status::Failed => STATUSES[3],
    }
}

/// Who made the text, and which language model was asked and not used, in a sentence each.
pub(super) fn generator(report: &Report) -> String {
    let unused = unused(report).into_iter().map(|sentence| format!(" {sentence}"));
    std::iter::once(made_by(report)).chain(unused).collect()
}

/// For each model the steps that the rules did in its place; why is among the notes.
fn unused(report: &Report) -> Vec<String> {
    let mut of_models = BTreeMap::<&str, BTreeMap<RunStep, usize>>::new();
    for instead in &report.rules_instead {
        *of_models.entry(&instead.model).or_default().entry(instead.step).or_default() += 1;
    }
    let sentence = |(model, steps): (&str, BTreeMap<RunStep, usize>)| {
        let steps: Vec<_> = steps.into_iter().map(|(step, times)| named(step, times)).collect();
        let all = match steps.split_last() {
            Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
            _ => steps.concat(),
        };
        format!("The language model {model} was no use for {all}: the rules did that.")
    };
    of_models.into_iter().map(sentence).collect()
}

fn named(step: RunStep, times: usize) -> String {
    match step {
        RunStep::Plan => "the plan".to_owned(),
        RunStep::Research => format!("{} of the question", count(times, "part")),
        RunStep::LookBack => "what is missing".to_owned(),
        RunStep::Write => "the answer".to_owned(),
        _ => count(times, "step"),
    }
}

fn made_by(report: &Report) -> String {
    match report.generator.kind.as_str() {
        "extractive" if report.usage.model_calls == 0 && report.rules_instead.is_empty() => {
            "Extractive: quotes and arranges sentences; no language model was called.".into()
        }
        "extractive" if report.usage.model_calls == 0 => {
            "Extractive: quotes and arranges sentences; no language model answered a call.".into()
        }
        // Nobody wrote or quoted anything.
        "extractive" if report.findings.is_empty() => format!("No answer was made. {}.", usage(report)),
        "extractive" => {
            format!(
                "Extractive: quotes and arranges sentences; no language model wrote any of the sentences. {}.",
                usage(report)
            )
        }
        _ => format!(
            "Made with the language model {}; what stands between quotation marks is quoted. {}.",
            report.generator.model,
            usage(report)
        ),
    }
}

/// `7 model calls, retries included, 1,200 tokens sent and 300 received, cost $0.01`; what nobody knows is said to be unknown.
fn usage(report: &Report) -> String {
    let Usage { model_calls, input_tokens, output_tokens, calls_without_usage, cost_usd } = &report.usage;
    if *model_calls == 0 {
        return "No model was called: its replies were kept from before".to_owned();
    }
    let retried = if *model_calls == 1 { "" } else { ", retries included" };
    let calls = format!("{}{retried}", count(*model_calls, "model call"));
    if calls_without_usage == model_calls {
        return format!("{calls}, tokens and cost unknown");
    }
    // A model that wrote something has replied, also where its server counts no tokens.
    if *calls_without_usage == 0 && input_tokens + output_tokens == 0 && report.generator.kind == "extractive" {
        return format!("{calls}, without a reply");
    }
    let untold = match calls_without_usage {
        0 => String::new(),
        n => format!(" ({} not counted, whose tokens are unknown)", count(*n, "call")),
    };
    let cost = cost_usd.map_or_else(|| "cost unknown".to_owned(), |cost| format!("cost {}", dollars(cost)));
    format!("{calls}, {} sent and {output_tokens} received{untold}, {cost}", count(*input_tokens, "token"))
}

/// `$0.03`; less than a cent in millionths, so that it does not look like nothing.
pub fn dollars(cost: f64) -> String {
    let digits = if 0.0 < cost && cost < 0.01 { 6 } else { 2 };
    format!("${cost:.digits$}")
}

/// `2.3 s, of which 0.4 s for the index`.
pub(super) fn time(report: &Report) -> String {
    let seconds = |ms: u64| format!("{}.{:02} s", ms / 1000, ms % 1000 / 10);
    format!("{}, of which {}{FOR_THE_INDEX}", seconds(report.timing_ms.total), seconds(report.timing_ms.index))
}

const FOR_THE_INDEX: &str = " for the index";

/// The last line of a report, as text and as Markdown. `run` is its id, as it may be shown there.
pub(super) fn last_line(report: &Report, run: &str) -> String {
    format!("{}, in {}. Run {run}.", status(report.status), time(report))
}

/// Whether [`last_line`] wrote this line.
pub(super) fn is_last_line(line: &str) -> bool {
    let timed = |status: &&str| line.strip_prefix(*status).is_some_and(|rest| rest.starts_with(", in "));
    let (before, _) = line.split_once(". Run ").unwrap_or_default();
    before.ends_with(FOR_THE_INDEX) && STATUSES.iter().any(timed)
}

/// How many kinds of reasons a summary names.
const KINDS: usize = 6;

/// `3 files were skipped: binary (2), not UTF-8 (1)`, the most frequent first and the rest in sum; `None` when every
/// file was read.
pub fn skipped(skipped: &[SkippedFile]) -> Option<String> {
    let mut kinds = BTreeMap::<String, usize>::new();
    for file in skipped {
        *kinds.entry(kind(&file.reason)).or_default() += 1;
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let rest: usize = kinds.iter().skip(KINDS).map(|(_, count)| count).sum();
    kinds.truncate(KINDS);
    let rest = (rest > 0).then(|| ("other reasons".to_owned(), rest));
    let kinds: Vec<_> = kinds.into_iter().chain(rest).map(|(kind, count)| format!("{kind} ({count})")).collect();
    let files = if skipped.len() == 1 { "1 file was" } else { &format!("{} files were", skipped.len()) };
    (!kinds.is_empty()).then(|| format!("{files} skipped: {}", kinds.join(", ")))
}

/// A reason without the names of files and extensions in it, so that like ones are counted together.
fn kind(reason: &str) -> String {
    let named = |word: &&str| !(word.starts_with("(.") && word.ends_with(')'));
    let word = |word| if str::contains(word, ['/', '.']) { "another" } else { word };
    reason.split_whitespace().filter(named).map(word).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use callboard_actors::research::{RulesInstead, TaskId};

    use super::*;

    #[test]
    fn what_a_model_cost_is_said_and_what_nobody_knows_is_unknown() {
        let (mut report, _) = super::super::sample::report();
        report.usage = Usage { model_calls: 3, input_tokens: 900, output_tokens: 80, ..Usage::default() };
        assert!(
            generator(&report).starts_with(
                "Extractive: quotes and arranges sentences; no language model wrote any of the sentences."
            )
        );
        report.generator = callboard_actors::research::Generator::llm("openai/x");
        let said = "Made with the language model openai/x; what stands between quotation marks is quoted. 3 model calls, retries included, 900 tokens sent and 80 received";
        assert_eq!(generator(&report), format!("{said}, cost unknown."));
        for (cost, told) in [(0.0123, "$0.01"), (0.00004, "$0.000040"), (12.0, "$12.00"), (0.0, "$0.00")] {
            report.usage.cost_usd = Some(cost);
            assert_eq!(generator(&report), format!("{said}, cost {told}."));
        }
        (report.usage.cost_usd, report.usage.calls_without_usage) = (None, 1);
        let untold = " (1 call not counted, whose tokens are unknown), cost unknown.";
        assert_eq!(generator(&report), format!("{said}{untold}"));
        report.usage.calls_without_usage = 3;
        assert!(generator(&report).ends_with(". 3 model calls, retries included, tokens and cost unknown."));
        report.usage = Usage { model_calls: 1, ..Usage::default() };
        assert!(generator(&report).ends_with(". 1 model call, 0 tokens sent and 0 received, cost unknown."));
        report.generator = callboard_actors::research::Generator::extractive();
        assert!(generator(&report).ends_with(". 1 model call, without a reply."));
    }

    #[test]
    fn a_model_that_was_asked_and_not_used_is_named_with_its_steps() {
        let (mut report, _) = super::super::sample::report();
        let instead = |step, task: Option<u32>, model: &str| RulesInstead {
            step,
            task: task.map(TaskId),
            model: model.to_owned(),
            reason: "it is silent".to_owned(),
        };
        report.rules_instead = vec![instead(RunStep::Write, None, "a/one")];
        let ends = |report: &Report, end: &str| assert!(generator(report).ends_with(end), "{}", generator(report));
        ends(&report, ". The language model a/one was no use for the answer: the rules did that.");
        for (step, task) in [(RunStep::Plan, None), (RunStep::Research, Some(1)), (RunStep::Research, Some(2))] {
            report.rules_instead.push(instead(step, task, "a/one"));
        }
        report.rules_instead.push(instead(RunStep::LookBack, None, "b/two"));
        ends(
            &report,
            " The language model a/one was no use for the plan, 2 parts of the question and the answer: \
             the rules did that. The language model b/two was no use for what is missing: the rules did that.",
        );
    }

    #[test]
    fn skipped_files_are_counted_by_reason() {
        let file = |reason: &str| SkippedFile { file: "f".into(), reason: reason.into() };
        assert_eq!(skipped(&[]), None);
        assert_eq!(skipped(&[file("binary")]).as_deref(), Some("1 file was skipped: binary (1)"));
        let files = [file("binary"), file("not UTF-8"), file("not UTF-8")];
        assert_eq!(skipped(&files).as_deref(), Some("3 files were skipped: not UTF-8 (2), binary (1)"));
    }

    #[test]
    fn like_reasons_are_counted_together_and_rare_ones_in_sum() {
        let reasons = [
            "a",
            "a",
            "b",
            "b",
            "the same text as x/y.html",
            "the same text as z.html",
            "data (.js)",
            "d",
            "e",
            "f",
            "g",
        ];
        let files = reasons.map(|reason| SkippedFile { file: "f".into(), reason: reason.into() });
        let six = "a (2), b (2), the same text as another (2), d (1), data (1), e (1)";
        assert_eq!(skipped(&files[..9]), Some(format!("9 files were skipped: {six}")));
        assert_eq!(skipped(&files), Some(format!("11 files were skipped: {six}, other reasons (2)")));
        assert_eq!((kind("data (.js)"), kind("larger than 32 MiB")), ("data".into(), "larger than 32 MiB".into()));
    }
}
