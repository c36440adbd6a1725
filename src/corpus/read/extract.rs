//! What does a reader hand over? The text of a document and where its blocks stand in it.
//!
//! The text is what citations are checked against, so it is fixed here: blocks are contiguous and separated by a blank
//! line, and a control character that a terminal would obey stands there as U+FFFD.

use std::borrow::Cow;

use callboard_actors::text::normalise;

use crate::corpus::outline::Outline;

/// What a block is. Passages are grouped by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A heading; it opens a trail.
    Heading,
    /// A paragraph.
    Prose,
    /// An entry of a list.
    Item,
    /// The term of a definition list; its definition follows.
    Term,
    /// Program text or other preformatted lines.
    Code,
    /// A row of a table.
    Row,
}

/// A stretch of the text: bytes `start..end`, never empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    /// First byte.
    pub(crate) start: usize,
    /// One past the last byte.
    pub(crate) end: usize,
    /// Its place in [`Extract::outline`]. A heading has the place that it opens.
    pub(crate) place: usize,
    /// What it is.
    pub(crate) kind: Kind,
}

/// The extracted text of one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extract {
    /// The document's own title, if it has one.
    pub(crate) title: Option<String>,
    /// The text.
    pub(crate) text: String,
    /// In the order of the text, without overlap.
    pub(crate) blocks: Vec<Block>,
    /// The headings.
    pub(crate) outline: Outline,
    /// The headings that are open: level and place.
    open: Vec<(u8, usize)>,
}

/// Longer titles and headings are clipped where they are repeated for each passage, not in the text.
const MAX_HEADING_CHARS: usize = 100;

impl Extract {
    pub(crate) fn new() -> Self {
        Self { title: None, text: String::new(), blocks: Vec::new(), outline: Outline::default(), open: Vec::new() }
    }

    /// Text that is kept as it stands; blocks are then named with [`mark`](Self::mark).
    pub(crate) fn verbatim(text: &str) -> Self {
        Self { text: inert(text).into_owned(), ..Self::new() }
    }

    /// Appends a heading. Level 1 is the outermost; at most six levels are told apart.
    pub(crate) fn heading(&mut self, level: u8, text: &str) {
        let text = normalise(text);
        if text.is_empty() {
            return;
        }
        let level = level.clamp(1, 6);
        while self.open.last().is_some_and(|(above, _)| *above >= level) {
            self.open.pop();
        }
        let place = self.outline.push(&clip(&text), self.place());
        self.open.push((level, place));
        self.append(Kind::Heading, &text);
    }

    /// Appends a block whose white space means nothing.
    pub(crate) fn flowing(&mut self, kind: Kind, text: &str) {
        let text = normalise(text);
        self.append(kind, &text);
    }

    /// Appends a block whose lines stand as they are, without blank lines around it.
    pub(crate) fn lines(&mut self, kind: Kind, text: &str) {
        let text = text.trim_end();
        let first = text.len() - text.trim_start().len();
        let from = text[..first].rfind('\n').map_or(0, |newline| newline + 1);
        self.append(kind, &text[from..]);
    }

    /// Names bytes of the existing text a block.
    pub(crate) fn mark(&mut self, kind: Kind, start: usize, end: usize) {
        if start < end {
            self.blocks.push(Block { start, end, place: self.place(), kind });
        }
    }

    /// The first heading, clipped.
    pub(crate) fn first_heading(&self) -> Option<&str> {
        self.outline.text(1)
    }

    /// The place under the headings that are open.
    fn place(&self) -> usize {
        self.open.last().map_or(0, |(_, place)| *place)
    }

    fn append(&mut self, kind: Kind, text: &str) {
        if text.is_empty() {
            return;
        }
        if !self.text.is_empty() {
            self.text.push_str("\n\n");
        }
        let start = self.text.len();
        self.text.push_str(&inert(text));
        self.mark(kind, start, self.text.len());
    }
}

/// At most [`MAX_HEADING_CHARS`] characters.
pub(crate) fn clip(text: &str) -> String {
    let end = text.char_indices().nth(MAX_HEADING_CHARS).map_or(text.len(), |(at, _)| at);
    inert(&text[..end]).into_owned()
}

/// The text with U+FFFD for each control character that is not white space.
fn inert(text: &str) -> Cow<'_, str> {
    let acts = |c: char| c.is_control() && !c.is_whitespace();
    if text.contains(acts) { Cow::Owned(text.replace(acts, "\u{FFFD}")) } else { Cow::Borrowed(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trails_follow_the_levels() {
        let mut extract = Extract::new();
        extract.flowing(Kind::Prose, "before");
        extract.heading(1, "One");
        extract.heading(3, "Deep");
        extract.flowing(Kind::Prose, " a \n b ");
        extract.heading(2, "Two");
        let trails: Vec<String> =
            extract.blocks.iter().map(|block| extract.outline.trail(block.place).join(">")).collect();
        assert_eq!(trails, ["", "One", "One>Deep", "One>Deep", "One>Two"]);
        assert_eq!(extract.text, "before\n\nOne\n\nDeep\n\na b\n\nTwo");
        assert_eq!(extract.first_heading(), Some("One"));
    }

    #[test]
    fn lines_keep_their_indentation_and_lose_blank_ends() {
        let mut extract = Extract::new();
        extract.lines(Kind::Code, "\n\n    a\n  b\n \n");
        assert_eq!(extract.text, "    a\n  b");
    }

    #[test]
    fn escapes_become_visible_marks() {
        let mut extract = Extract::new();
        extract.flowing(Kind::Prose, "a\u{1b}[31m\tb\u{9b}c");
        extract.heading(1, "h\u{7}");
        assert_eq!(extract.text, "a\u{FFFD}[31m b\u{FFFD}c\n\nh\u{FFFD}");
        assert_eq!(extract.first_heading(), Some("h\u{FFFD}"));
    }
}
