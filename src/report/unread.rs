//! Which passages that nobody read does a report to read show? The best of each part, each its beginning; the JSON has all.

use std::collections::BTreeSet;

use callboard_actors::research::{Citation, Report, UnreadPassage};
use callboard_actors::text::count;

/// So many passages of a part are shown, without those that were shown for an earlier one.
const OF_A_PART: usize = 3;

/// So much of a passage is shown, in characters.
const BEGINNING: usize = 300;

/// What is shown.
pub(super) struct Shown {
    /// Each with the beginning of its text for a quote.
    pub(super) passages: Vec<Citation>,
    /// That there are more, and where.
    pub(super) more: Option<String>,
}

/// `None` when everything that was retrieved was read.
pub(super) fn shown(report: &Report) -> Option<Shown> {
    let (mut passages, mut listed) = (Vec::new(), BTreeSet::new());
    for part in report.unread.chunk_by(|a, b| a.task == b.task) {
        let fresh = part.iter().filter(|passage| !listed.contains(&place(passage))).take(OF_A_PART);
        let fresh: Vec<&UnreadPassage> = fresh.collect();
        listed.extend(fresh.iter().map(|passage| place(passage)));
        passages.extend(fresh.into_iter().map(beginning));
    }
    let all: BTreeSet<_> = report.unread.iter().map(place).collect();
    let left = all.len() - listed.len();
    let more = (left > 0).then(|| format!("{} in the JSON of this report.", count(left, "more passage")));
    (!passages.is_empty()).then_some(Shown { passages, more })
}

/// One passage may have been retrieved for several parts; it is listed for the first.
fn place(UnreadPassage { passage, .. }: &UnreadPassage) -> (&str, &str, usize, usize) {
    (&passage.corpus, &passage.file, passage.start, passage.end)
}

fn beginning(UnreadPassage { passage, .. }: &UnreadPassage) -> Citation {
    let mut shown = passage.clone();
    if let Some((end, _)) = shown.quote.char_indices().nth(BEGINNING) {
        shown.quote.truncate(end);
        shown.quote.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use callboard_actors::research::TaskId;

    use super::super::{html, markdown, sample, text};
    use super::*;
    use crate::report::TextStyle;

    #[test]
    fn the_best_of_each_part_are_shown_and_the_rest_is_counted() {
        let (mut report, sources) = sample::report();
        assert!(shown(&report).is_none());
        let of_parts = [(2, "short"), (2, "b"), (2, "c"), (2, "left out"), (3, "c"), (3, "long")].into_iter();
        let passage = |(id, (task, words)): (u32, (u32, &str))| {
            let end = words.bytes().map(usize::from).sum();
            let quote = if words == "long" { "ä".repeat(BEGINNING + 1) } else { format!("{words} of <b>it</b>") };
            UnreadPassage { task: TaskId(task), passage: Citation { id, quote, end, ..report.citations[0].clone() } }
        };
        report.unread = (3..).zip(of_parts).map(passage).collect();
        let (long, left) = (format!("{}…", "ä".repeat(BEGINNING)), "1 more passage in the JSON of this report.");
        let text = text(&report, &sources, TextStyle::default());
        let last = format!("  [8] docs/core.txt:3\n      Core › Supervision\n      “{long}”\n  {left}\n\nExtractive");
        assert!(text.contains("\nRetrieved and not read\n  [3] docs/core.txt:3\n") && text.contains(&last), "{text}");
        assert!(!text.contains("[7]"), "shown for the part before: {text}");
        let (markdown, page) = (markdown(&report, &sources), html(&report, &sources));
        for form in [&text, &markdown, &page] {
            assert!(form.contains("Retrieved and not read") && form.contains(left) && form.contains(&long), "{form}");
            assert!(!form.contains("left out"), "{form}");
        }
        assert!(!markdown.contains("<b>") && page.contains("id=\"source-8\"") && !page.contains("<b>it"), "{page}");
    }
}
