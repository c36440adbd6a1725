//! Which sentences do all renderings share? Status, generator, time: the same words in every format.

use std::collections::BTreeMap;

use callboard_actors::research::{Report, SkippedFile, Status};

pub(super) const NOT_FOUND: &str = "What was not found";
pub(super) const SOURCES: &str = "Sources";
pub(super) const NOTHING: &str = "No passage was found that answers the question.";

/// The status for people.
pub(super) fn status(status: Status) -> &'static str {
    match status {
        Status::Complete => "Complete",
        Status::Partial => "Partial",
        Status::NoEvidence => "No evidence",
        Status::Failed => "Failed",
    }
}

/// Who made the text, in one sentence.
pub(super) fn generator(report: &Report) -> String {
    match report.generator.kind.as_str() {
        "extractive" => "Extractive: quotes and arranges sentences; no language model was called.".into(),
        _ => {
            let Report { generator, usage, .. } = report;
            format!("Written by the language model {}; model calls: {}.", generator.model, usage.model_calls)
        }
    }
}

/// `2.3 s, of which 0.4 s for the index`.
pub(super) fn time(report: &Report) -> String {
    let seconds = |ms: u64| format!("{}.{:02} s", ms / 1000, ms % 1000 / 10);
    format!("{}, of which {} for the index", seconds(report.timing_ms.total), seconds(report.timing_ms.index))
}

/// `3 files were skipped: 2 binary, 1 not UTF-8`; `None` when every file was read.
pub fn skipped(skipped: &[SkippedFile]) -> Option<String> {
    let mut reasons = BTreeMap::<&str, usize>::new();
    for file in skipped {
        *reasons.entry(&file.reason).or_default() += 1;
    }
    let mut reasons: Vec<_> = reasons.into_iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let reasons: Vec<_> = reasons.into_iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    let files = if skipped.len() == 1 { "1 file was" } else { &format!("{} files were", skipped.len()) };
    (!reasons.is_empty()).then(|| format!("{files} skipped: {}", reasons.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn skipped_files_are_counted_by_reason() {
        let file = |reason: &str| SkippedFile { file: "f".into(), reason: reason.into() };
        assert_eq!(skipped(&[]), None);
        assert_eq!(skipped(&[file("binary")]).as_deref(), Some("1 file was skipped: 1 binary"));
        let files = [file("binary"), file("not UTF-8"), file("not UTF-8")];
        assert_eq!(skipped(&files).as_deref(), Some("3 files were skipped: 2 not UTF-8, 1 binary"));
    }
}
