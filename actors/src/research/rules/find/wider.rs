//! How can a quote be made longer without joining what the author kept apart?
//!
//! By the sentences of the same paragraph, one after the other: what follows first, unless the quote leans on what
//! stands before it. Whether there is room for that in the report is for the writer to say.

use std::ops::Range;

use super::candidates::is_pointer;
use crate::text::{Kind, Sentence, sentences};

/// A quote is made no longer than this, in bytes.
const MAX_WIDE: usize = 400;

/// Openings of sentences that lean on the sentence before.
const LEANING: [&str; 29] = [
    "it",
    "its",
    "this",
    "these",
    "that",
    "those",
    "they",
    "their",
    "such",
    "he",
    "she",
    "however",
    "therefore",
    "thus",
    "hence",
    "otherwise",
    "so",
    "but",
    "and",
    "or",
    "then",
    "also",
    "instead",
    "likewise",
    "similarly",
    "consequently",
    "moreover",
    "furthermore",
    "nevertheless",
];

/// The ranges that begin or end at neighbouring sentences of `text` and hold `range`, each one sentence longer than the
/// one before. Empty when nothing fits.
pub(super) fn wider(text: &str, range: &Range<usize>) -> Vec<Range<usize>> {
    let found = sentences(text);
    let Some(mut first) = found.iter().position(|sentence| sentence.range.start == range.start) else {
        return Vec::new();
    };
    let Some(mut last) = found.iter().position(|sentence| sentence.range.end == range.end) else { return Vec::new() };
    let mut out = Vec::new();
    loop {
        let before = first
            .checked_sub(1)
            .filter(|before| joins(text, &found[*before], &found[first]) && fits(&found[*before], &found[last]));
        let after = Some(last + 1).filter(|after| {
            found.get(*after).is_some_and(|next| {
                joins(text, &found[last], next) && fits(&found[first], next) && closes(&text[next.range.clone()])
            })
        });
        match (before, after) {
            (Some(before), _) if leans(&text[found[first].range.clone()]) => first = before,
            (_, Some(after)) => last = after,
            (Some(before), None) => first = before,
            (None, None) => return out,
        }
        out.push(found[first].range.start..found[last].range.end);
    }
}

/// Whether two sentences that follow each other stand in one paragraph.
fn joins(text: &str, earlier: &Sentence, later: &Sentence) -> bool {
    let gap = &text[earlier.range.end..later.range.start];
    earlier.kind == Kind::Prose
        && later.kind == Kind::Prose
        && gap.trim().is_empty()
        && gap.matches('\n').count() < 2
        && text[earlier.range.clone()].ends_with(['.', '!', '?', ':', ';', ')', '"', '”'])
}

/// Whether a quote may end with `sentence`: not when it points to what is not quoted.
fn closes(sentence: &str) -> bool {
    !sentence.ends_with([':', '?']) && !is_pointer(sentence)
}

fn fits(first: &Sentence, last: &Sentence) -> bool {
    last.range.end - first.range.start <= MAX_WIDE
}

/// Whether a sentence leans on the one before it.
pub(super) fn leans(sentence: &str) -> bool {
    let first = sentence.split_whitespace().next().unwrap_or_default();
    let first = first.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    LEANING.contains(&first.as_str())
        || first.starts_with(char::is_lowercase) && sentence.starts_with(char::is_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn widest<'a>(text: &'a str, quote: &str) -> Option<&'a str> {
        let start = text.find(quote).expect("stands there");
        wider(text, &(start..start + quote.len())).last().map(|range| &text[range.clone()])
    }

    #[test]
    fn what_follows_is_added_first_and_one_sentence_at_a_time() {
        let text = "One is here. Two is here. Three is here.";
        assert_eq!(wider(text, &(13..25)), [13..40, 0..40]);
        assert_eq!(wider(text, &(13..40)).last(), Some(&(0..40)));
        assert!(wider(text, &(0..40)).is_empty());
        assert!(wider(text, &(3..9)).is_empty());
    }

    #[test]
    fn a_sentence_that_leans_takes_the_one_before() {
        let text = "Locks are held. This means waiting. Later words.";
        assert_eq!(wider(text, &(16..35))[0], 0..35);
    }

    #[test]
    fn other_paragraphs_and_other_kinds_stay_out() {
        let quote = "A quote is here.";
        for text in [
            "A quote is here.\n\nAnother paragraph.",
            "# Heading\nA quote is here.",
            "- A quote is here.\n- Another item.",
            "A quote is here.\n\n    let x = foo(&bar);",
            "A caption\nA quote is here.",
            "A quote is here. See Section 4 for more of it.",
            "A quote is here. It goes like this:",
        ] {
            assert_eq!(widest(text, quote), None, "{text}");
        }
        assert_eq!(widest("A quote is here.\nThe next line.", quote), Some("A quote is here.\nThe next line."));
    }

    #[test]
    fn the_bound_holds() {
        let text = "A sentence with a few words in it. ".repeat(40);
        let ranges = wider(&text, &(350..384));
        assert!(ranges.iter().all(|range| range.len() <= MAX_WIDE));
        assert!(ranges.last().is_some_and(|range| range.len() > MAX_WIDE - 40));
    }
}
