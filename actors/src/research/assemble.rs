//! What does the report say about how a run ended? Pure: from [`Outcome`] to [`Report`].
//!
//! Here the citations get their numbers and the missing parts their sentences. Rendering the report for a terminal, a
//! browser or a file is the facade's job.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::inert::{line_of_markdown, markdown};
use super::{
    Citation, Draft, Evidence, FindingEntry, Missing, MissingCause, Outcome, Passage, PlanEntry, Report,
    SCHEMA_VERSION, SkippedFile, Status, Timing, Unread, UnreadPassage,
};
use crate::event::CancelReason;
use crate::text::normalise;

/// The report of a run that ended as `outcome` says, over a corpus whose files `skipped` were not read.
///
/// Citations are numbered 1, 2, ... by first use; the same bytes of the same file have one number, however many claims
/// rest on them. Quotes and claims are taken over as they are.
pub fn assemble(outcome: Outcome, skipped: Vec<SkippedFile>, timing: Timing) -> Report {
    let (not_found, added) = match outcome.status {
        // What is missing from a complete answer nobody asked for but the model.
        Status::Complete => (Vec::new(), outcome.missing.iter().map(added).collect()),
        _ => (not_found(&outcome), Vec::new()),
    };
    let Outcome { run_id, question, plan, draft, status, unread, usage, mut notes, rules_instead, generator, .. } =
        outcome;
    notes.extend(added);
    let (findings, citations) = number(draft);
    let unread = unread_passages(unread, citations.len());
    let plan: Vec<PlanEntry> =
        plan.tasks.into_iter().map(|task| PlanEntry { id: task.id, question: task.question }).collect();
    let mut report = Report {
        schema_version: SCHEMA_VERSION,
        run_id,
        question,
        status,
        generator,
        plan,
        answer_markdown: String::new(),
        findings,
        citations,
        unread,
        not_found,
        notes,
        rules_instead,
        skipped,
        usage,
        timing_ms: timing,
    };
    report.answer_markdown = answer_markdown(&report, Headings::Always);
    report
}

/// When [`answer_markdown`] writes the plan's headings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Headings {
    /// Each part has its heading.
    Always,
    /// A single part that repeats the whole question has none: the question is already the title.
    UnlessAlone,
}

/// The answer as Markdown: a heading for each part that has findings, and each claim as a quoted sentence with the
/// numbers of its citations. What the documents say is escaped and stays text.
pub fn answer_markdown(report: &Report, headings: Headings) -> String {
    let mut answer = String::new();
    for (heading, claims) in sections(report, headings) {
        if let Some(heading) = heading {
            let _ = writeln!(answer, "{}## {}\n", if answer.is_empty() { "" } else { "\n" }, markdown(heading));
        }
        for block in blocks(report, &claims) {
            let said = |claim: &&FindingEntry| format!("{} {}", markdown(&claim.text), markers(&claim.citations));
            let _ = match block {
                Block::Quote(quote) => {
                    writeln!(answer, "- “{}” {}", markdown(&quote.text), markers(&quote.citations))
                }
                Block::Words(claims) => {
                    // A line behind a list would belong to its last item.
                    let apart = if answer.is_empty() || answer.ends_with("\n\n") { "" } else { "\n" };
                    let words = claims.iter().map(said).collect::<Vec<_>>().join(" ");
                    writeln!(answer, "{apart}{}\n", line_of_markdown(words))
                }
            };
        }
    }
    if answer.is_empty() {
        let _ = writeln!(answer, "{}", nothing(report));
    }
    answer
}

/// What is said in place of an answer: nothing was found, or nobody came to look.
pub fn nothing(report: &Report) -> &'static str {
    match report.status {
        Status::Failed if !report.unread.is_empty() => {
            "There is no answer: the run ended before what it had retrieved was read."
        }
        Status::Failed => "There is no answer: the question was not worked on to its end.",
        _ => "No passage was found that answers the question.",
    }
}

/// The findings under the headings of the plan, in its order; a part without findings is left out.
pub fn sections(report: &Report, headings: Headings) -> Vec<(Option<&str>, Vec<&FindingEntry>)> {
    let alone = headings == Headings::UnlessAlone
        && matches!(report.plan.as_slice(), [only] if only.question.trim() == report.question.trim());
    let part =
        |entry: &PlanEntry| report.findings.iter().filter(|finding| finding.task == entry.id).collect::<Vec<_>>();
    let parts = report.plan.iter().map(|entry| ((!alone).then_some(entry.question.as_str()), part(entry)));
    parts.filter(|(_, findings)| !findings.is_empty()).collect()
}

/// What is read as one: a quote, or sentences in a language model's words that follow each other.
#[derive(Debug, Clone, PartialEq)]
pub enum Block<'a> {
    /// A quote.
    Quote(&'a FindingEntry),
    /// A paragraph.
    Words(Vec<&'a FindingEntry>),
}

/// The claims of a section as they are read.
pub fn blocks<'a>(report: &Report, claims: &[&'a FindingEntry]) -> Vec<Block<'a>> {
    let quotes: BTreeMap<u32, &str> = report.citations.iter().map(|cited| (cited.id, cited.quote.as_str())).collect();
    let is_quote = |claim: &FindingEntry| claim.citations.iter().any(|id| quotes.get(id) == Some(&claim.text.as_str()));
    let mut blocks: Vec<Block<'a>> = Vec::new();
    for claim in claims.iter().copied() {
        match blocks.last_mut() {
            _ if is_quote(claim) => blocks.push(Block::Quote(claim)),
            Some(Block::Words(words)) => words.push(claim),
            _ => blocks.push(Block::Words(vec![claim])),
        }
    }
    blocks
}

/// `[1] [4]`.
pub fn markers(citations: &[u32]) -> String {
    citations.iter().map(|id| format!("[{id}]")).collect::<Vec<_>>().join(" ")
}

fn number(draft: Draft) -> (Vec<FindingEntry>, Vec<Citation>) {
    let mut numbers = BTreeMap::new();
    let (mut findings, mut citations) = (Vec::new(), Vec::new());
    for section in draft.sections {
        for claim in section.claims {
            let mut ids: Vec<u32> = Vec::with_capacity(claim.evidence.len());
            for evidence in claim.evidence {
                let id = number_of(evidence, &mut numbers, &mut citations);
                if !ids.contains(&id) {
                    ids.push(id);
                }
            }
            findings.push(FindingEntry { task: section.task, text: claim.text, citations: ids });
        }
    }
    (findings, citations)
}

/// What makes two citations the same one.
type Place = (std::sync::Arc<str>, std::sync::Arc<str>, std::sync::Arc<str>, usize, usize);

fn number_of(evidence: Evidence, numbers: &mut BTreeMap<Place, u32>, citations: &mut Vec<Citation>) -> u32 {
    let place = (evidence.corpus.clone(), evidence.file.clone(), evidence.source.clone(), evidence.start, evidence.end);
    *numbers.entry(place).or_insert_with(|| {
        let id = u32::try_from(citations.len()).unwrap_or(u32::MAX).saturating_add(1);
        citations.push(citation(id, evidence));
        id
    })
}

/// The passages with ids that go on after those of the citations.
fn unread_passages(unread: Vec<Unread>, citations: usize) -> Vec<UnreadPassage> {
    let of_tasks =
        unread.into_iter().flat_map(|Unread { task, passages }| passages.into_iter().map(move |p| (task, p)));
    let first = u32::try_from(citations).unwrap_or(u32::MAX).saturating_add(1);
    let entry = |((task, passage), id)| UnreadPassage { task, passage: citation(id, whole(passage)) };
    of_tasks.zip(first..).map(entry).collect()
}

/// A passage as evidence whose quote is all of it.
fn whole(passage: Passage) -> Evidence {
    let Passage { source, corpus, file, title, headings, start, end, text, .. } = passage;
    Evidence { source, corpus, file, title, headings, start, end, quote: normalise(&text) }
}

fn citation(id: u32, evidence: Evidence) -> Citation {
    Citation {
        id,
        corpus: evidence.corpus.to_string(),
        file: evidence.file.to_string(),
        title: evidence.title.to_string(),
        headings: evidence.headings,
        quote: evidence.quote,
        source: evidence.source.to_string(),
        start: evidence.start,
        end: evidence.end,
    }
}

/// One sentence for each part that is missing; without a plan, one for the whole question.
fn not_found(outcome: &Outcome) -> Vec<String> {
    if outcome.plan.tasks.is_empty() && outcome.missing.is_empty() {
        let cut_short = outcome.cancelled.map(|reason| cut_short(reason).to_owned());
        let why = cut_short
            .or_else(|| outcome.failure.as_ref().map(|failure| failure.message.clone()))
            .unwrap_or_else(|| "planning failed".to_owned());
        return vec![format!("“{}” was not worked on: {why}.", outcome.question.trim())];
    }
    let unread =
        |task| outcome.unread.iter().find(|unread| unread.task == task).map_or(0, |unread| unread.passages.len());
    let sentence = |Missing { task, question, cause }: &Missing| sentence(question.trim(), cause, unread(*task));
    outcome.missing.iter().map(sentence).collect()
}

/// A part that was added on the way, and has no answer.
fn added(missing: &Missing) -> String {
    format!("“{}” was looked for in addition, and nothing was found.", missing.question.trim())
}

/// Why a part is missing, for which so many passages were retrieved and not read.
fn sentence(question: &str, cause: &MissingCause, unread: usize) -> String {
    let kept = match unread {
        0 => String::new(),
        1 => "; 1 passage was retrieved for it and not read".to_owned(),
        n => format!("; {n} passages were retrieved for it and not read"),
    };
    match cause {
        MissingCause::NoEvidence => format!("No evidence was found for “{question}”."),
        MissingCause::Failed(why) => format!("“{question}” was not answered: its researcher failed ({why}){kept}."),
        MissingCause::Cancelled(reason) => format!("“{question}” was not finished: {}{kept}.", cut_short(*reason)),
        MissingCause::NoRoom => format!("Something was found for “{question}”, and the report has no room for it."),
        MissingCause::Struck => {
            format!("What was found for “{question}” was struck: its quotes do not stand in the stored text.")
        }
    }
}

fn cut_short(reason: CancelReason) -> &'static str {
    match reason {
        CancelReason::Redundant => "it was no longer needed",
        CancelReason::Deadline => "the deadline passed",
        CancelReason::Interrupted => "the run was interrupted",
        CancelReason::Parent => "the run was stopped",
    }
}

#[cfg(test)]
#[path = "assemble_tests.rs"]
mod tests;
