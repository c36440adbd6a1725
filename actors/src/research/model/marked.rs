//! Where are the sentences of a text that bears numbers in brackets, and which numbers are theirs? Pure; no reply makes it slow.

use crate::text::{normalise, sentences};

/// A sentence and the numbers behind it.
pub(super) struct Said {
    pub(super) text: String,
    pub(super) numbers: Vec<usize>,
    /// Whether they stand directly behind it, and not behind a later one.
    pub(super) is_marked: bool,
}

/// The sentences of a line; those behind the last number have none.
pub(super) fn sentences_of(line: &str) -> Vec<Said> {
    let line = line.trim_start().trim_start_matches(['-', '*', '•']);
    let (mut said, mut begin, mut at) = (Vec::new(), 0, 0);
    while let Some(open) = line[at..].find('[').map(|found| found + at) {
        let (numbers, end) = markers(line, open);
        at = end;
        if !numbers.is_empty() {
            said.extend(piece(&line[begin..open], numbers));
            begin = end;
        }
    }
    said.extend(piece(&line[begin..], Vec::new()));
    said
}

/// The sentences before a number, without what the one before left behind, each with a stop at its end.
fn piece(text: &str, numbers: Vec<usize>) -> Vec<Said> {
    let text = normalise(text.trim_start_matches(['.', ',', ';', ' ']));
    let found: Vec<&str> = sentences(&text).into_iter().map(|found| &text[found.range]).collect();
    let found: Vec<&str> = found.into_iter().filter(|text| text.chars().any(char::is_alphanumeric)).collect();
    let last = found.len();
    let said = |(at, text): (usize, &str)| {
        let stop = if text.ends_with(['.', '!', '?', ':', '”', '"', ')']) { "" } else { "." };
        Said { text: format!("{text}{stop}"), numbers: numbers.clone(), is_marked: at + 1 == last }
    };
    found.into_iter().enumerate().map(said).collect()
}

/// Numbers stand within so many bytes.
const LONGEST_MARKER: usize = 64;

/// The numbers of `[1][2]`, `[1], [2]` or `[1, 2]` from `open` on, and where they end.
fn markers(line: &str, open: usize) -> (Vec<usize>, usize) {
    let (mut numbers, mut end) = (Vec::new(), open + 1);
    let mut next = open;
    let close = |from: usize| {
        let near = &line.as_bytes()[from..line.len().min(from + LONGEST_MARKER)];
        near.iter().position(|byte| *byte == b']').map(|found| found + from)
    };
    while let Some(close) = close(next) {
        let inside: Option<Vec<usize>> =
            line[next + 1..close].split(',').map(|number| number.trim().parse().ok()).collect();
        let Some(inside) = inside else { break };
        numbers.extend(inside);
        end = close + 1;
        let gap = line[end..].len() - line[end..].trim_start_matches([' ', ',']).len();
        if !line[end + gap..].starts_with('[') {
            break;
        }
        next = end + gap;
    }
    (numbers, end)
}

/// What of a growing text can be shown already: up to the end of a line, or of a sentence with its numbers.
pub(crate) fn complete(text: &str) -> usize {
    let line = text.rfind('\n').map_or(0, |at| at + 1);
    let rest = &text[line..];
    let (mut at, mut cut) = (0, 0);
    while let Some(open) = rest[at..].find('[').map(|found| found + at) {
        let (numbers, end) = markers(rest, open);
        at = end;
        // A number that comes next would belong to it.
        let is_over = rest[end..].trim_start_matches([' ', ',']).chars().next().is_some_and(|next| next != '[');
        cut = if numbers.is_empty() || !is_over { cut } else { end };
    }
    line + cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_growing_text_is_complete_up_to_a_line_or_a_number() {
        for (text, complete) in [
            ("A view is", ""),
            ("A view is stored [1]", ""),
            ("A view is stored [1].", "A view is stored [1]"),
            ("A view is stored [1], ", ""),
            ("A view is stored [1] [2] It", "A view is stored [1] [2]"),
            ("## What is\nA view", "## What is\n"),
        ] {
            assert_eq!(&text[..super::complete(text)], complete, "{text}");
        }
    }

    #[test]
    fn a_flood_of_brackets_is_read_in_no_time() {
        let flood = "[".repeat(64 * 1024);
        assert_eq!((sentences_of(&flood).len(), complete(&flood)), (0, 0));
    }
}
