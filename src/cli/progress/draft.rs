//! Which lines of a text that is being written are seen? The last ones, wrapped to the terminal; pure.

use callboard::actors::research::inert::plain;
use callboard::report::wrap;

/// So many lines are seen.
const LINES: usize = 8;
/// No more of the text than this is kept, in bytes: it fills the lines of any terminal.
const KEPT: usize = 8 * 1024;

/// A text that grows.
#[derive(Default)]
pub(super) struct Draft(String);

impl Draft {
    /// More of it.
    pub(super) fn push(&mut self, text: &str) {
        self.0.push_str(text);
        if self.0.len() > 2 * KEPT {
            self.0.drain(..self.0.ceil_char_boundary(self.0.len() - KEPT));
        }
    }

    /// Its last lines, in so many columns.
    pub(super) fn tail(&self, columns: usize) -> String {
        let paragraphs = self.0.lines().filter(|line| !line.trim().is_empty());
        let wrapped: String = paragraphs.map(|line| paragraph(line, columns)).collect();
        let lines: Vec<&str> = wrapped.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
    }
}

/// As in the report: a heading is set off, and has no marks. All is dim, so behind it only its weight ends.
fn paragraph(line: &str, columns: usize) -> String {
    let line = plain(line);
    let text = line.trim_start_matches('#');
    match text.len() < line.len() && (text.is_empty() || text.starts_with(' ')) {
        true if text.trim().is_empty() => String::new(),
        true => wrap(text.trim(), Some(columns), "", "")
            .lines()
            .map(|line| format!("\u{1b}[1m{line}\u{1b}[22;2m\n"))
            .collect(),
        false => wrap(line.trim(), Some(columns), "  ", "  "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_seen_and_no_escape() {
        let mut draft = Draft::default();
        draft.push("## Part\n\nOne two three ");
        draft.push("four five\u{1b}[2J.");
        assert_eq!(draft.tail(12), "\u{1b}[1mPart\u{1b}[22;2m\n  One two\n  three four\n  five␛[2J.");
        draft.push("\n#4 of C# it\n\n###");
        assert!(
            draft.tail(12).ends_with("  five␛[2J.\n  #4 of C#\n  it"),
            "a heading that has no words yet: {}",
            draft.tail(12)
        );
        (0..100).for_each(|n| draft.push(&format!("\nline {n}")));
        assert_eq!(draft.tail(80).lines().count(), LINES);
        assert!(draft.tail(80).ends_with("line 99"));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut draft = Draft::default();
        (0..10_000).for_each(|_| draft.push("äöü "));
        assert!(draft.0.len() <= 2 * KEPT);
    }
}
