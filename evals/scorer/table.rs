//! How is the outcome shown? As a Markdown table, one row for each manual and method.

use super::measure::Tally;

/// The head of the table.
pub(crate) const HEAD: &str = "| manual | method | right file | right phrase | all parts | refused rightly | refused wrongly | \
citations | characters | invalid |\n|---|---|---|---|---|---|---|---|---|---|";

/// One row.
pub(crate) fn row(manual: &str, method: &str, tally: &Tally) -> String {
    let mean = |sum: usize| if tally.answers == 0 { 0.0 } else { sum as f64 / tally.answers as f64 };
    format!(
        "| {manual} | {method} | {} | {} | {} | {} | {} | {:.1} (most {}) | {:.0} (most {}) | {} |",
        rate(tally.file_hits, tally.parts),
        rate(tally.phrase_hits, tally.parts),
        rate(tally.double_whole, tally.double),
        rate(tally.refused, tally.unanswerable),
        rate(tally.false_refusals, tally.answerable),
        mean(tally.citations),
        tally.most_citations,
        mean(tally.characters),
        tally.most_characters,
        tally.invalid,
    )
}

fn rate(part: usize, whole: usize) -> String {
    let percent = if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 };
    format!("{part}/{whole} ({percent:.0} %)")
}
