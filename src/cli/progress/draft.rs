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
        let wrapped: String = paragraphs.map(|line| wrap(plain(line).trim(), Some(columns), "  ", "  ")).collect();
        let lines: Vec<&str> = wrapped.lines().collect();
        lines[lines.len().saturating_sub(LINES)..].join("\n")
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
        assert_eq!(draft.tail(12), "  ## Part\n  One two\n  three four\n  five␛[2J.");
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
