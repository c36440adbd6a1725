//! Which stretches of a document are found and quoted? Groups of adjacent blocks under one heading.

use super::read::{Block, Extract, Kind};

/// A passage ends at the next paragraph once it has this many characters.
const ENOUGH: usize = 400;
/// A passage never has more characters than this; longer blocks are cut.
const MAX: usize = 1_200;
/// A last passage shorter than this joins the one before it, where there is room.
const SHORT: usize = 120;

/// Bytes `start..end` of a document's text, under the same headings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Its place in the document's outline.
    pub(super) place: usize,
}

/// The passages of a document, in its order, without overlap.
///
/// Headings are not part of a passage. A document of nothing but headings has one passage for each.
pub(super) fn passages(extract: &Extract) -> Vec<Span> {
    let mut grouping = Grouping { text: &extract.text, spans: Vec::new(), open: Vec::new(), chars: 0, at_start: true };
    for block in &extract.blocks {
        if block.kind == Kind::Heading {
            grouping.close_section();
        } else {
            grouping.add(*block);
        }
    }
    grouping.close_section();
    let spans = grouping.spans;
    if spans.is_empty() {
        return extract.blocks.iter().flat_map(|block| cut(&extract.text, block)).collect();
    }
    spans
}

struct Grouping<'a> {
    text: &'a str,
    spans: Vec<Span>,
    /// The blocks of the passage that is being made.
    open: Vec<Block>,
    /// Their characters.
    chars: usize,
    /// No passage of this section is finished yet.
    at_start: bool,
}

impl Grouping<'_> {
    fn add(&mut self, block: Block) {
        let chars = self.text[block.start..block.end].chars().count();
        let full = self.chars + chars > MAX;
        // What follows a paragraph that introduces it stays with it; a term begins something new.
        let follows = matches!(block.kind, Kind::Code | Kind::Item | Kind::Row) && self.chars < MAX * 3 / 4;
        if full || (self.chars >= ENOUGH && !follows) {
            self.close();
        }
        // A term that was carried over may leave no room.
        if self.chars + chars > MAX {
            self.push();
        }
        if chars > MAX {
            self.spans.extend(cut(self.text, &block));
            self.at_start = false;
            return;
        }
        self.open.push(block);
        self.chars += chars;
    }

    /// Finishes the open passage. A term at its end goes with its definition into the next one.
    fn close(&mut self) {
        let carried = match self.open.as_slice() {
            [.., before, last] if last.kind == Kind::Term && before.kind != Kind::Term => self.open.pop(),
            _ => None,
        };
        self.push();
        if let Some(term) = carried {
            self.chars = self.text[term.start..term.end].chars().count();
            self.open.push(term);
        }
    }

    fn push(&mut self) {
        if let (Some(first), Some(last)) = (self.open.first(), self.open.last()) {
            self.spans.push(Span { start: first.start, end: last.end, place: first.place });
            self.at_start = false;
        }
        self.open.clear();
        self.chars = 0;
    }

    fn close_section(&mut self) {
        let short = self.chars < SHORT && !self.at_start && !self.open.is_empty();
        let room = self
            .spans
            .last_mut()
            .filter(|span| short && self.open.first().is_some_and(|open| open.place == span.place));
        match (room, self.open.last()) {
            (Some(span), Some(last)) if last.end - span.start <= MAX => {
                span.end = last.end;
                self.open.clear();
                self.chars = 0;
            }
            _ => self.push(),
        }
        self.at_start = true;
    }
}

/// A block that is too long, cut after sentences, lines or words.
fn cut<'a>(text: &'a str, block: &Block) -> impl Iterator<Item = Span> + 'a {
    let (mut start, end, place) = (block.start, block.end, block.place);
    std::iter::from_fn(move || {
        let rest = &text[start..end];
        start += rest.len() - rest.trim_start().len();
        let rest = rest.trim_start();
        if rest.is_empty() {
            return None;
        }
        let span = Span { start, end: start + rest[..cut_at(rest)].trim_end().len(), place };
        start = span.end;
        Some(span)
    })
}

/// Where the first piece of `text` ends: at most [`MAX`] characters, in its second half where something ends.
fn cut_at(text: &str) -> usize {
    let Some((limit, _)) = text.char_indices().nth(MAX) else { return text.len() };
    let piece = &text[..limit];
    let half = limit / 2;
    let sentence = [". ", ".\n", "? ", "! ", "\n"].iter().filter_map(|mark| piece.rfind(mark).map(|at| at + 1)).max();
    let word = piece.rfind(char::is_whitespace);
    sentence.filter(|at| *at > half).or(word.filter(|at| *at > half)).unwrap_or(limit)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn document(blocks: &[(Kind, usize)]) -> Extract {
        let mut extract = Extract::new();
        for (number, (kind, chars)) in blocks.iter().enumerate() {
            let text = format!("{number} word. ").repeat(chars / 8 + 1);
            match kind {
                Kind::Heading => extract.heading(2, &text[..*chars]),
                kind => extract.flowing(*kind, &text[..*chars]),
            }
        }
        extract
    }

    #[test]
    fn passages_stay_under_their_heading() {
        let extract = document(&[(Kind::Prose, 90), (Kind::Heading, 9), (Kind::Prose, 90), (Kind::Prose, 90)]);
        let spans = passages(&extract);
        assert_eq!(spans.iter().map(|span| span.place).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(extract.text[spans[1].start..spans[1].end].matches("\n\n").count(), 1);
    }

    #[test]
    fn a_term_goes_with_its_definition() {
        let extract = document(&[(Kind::Prose, 390), (Kind::Term, 20), (Kind::Prose, 900)]);
        let spans = passages(&extract);
        let starts: Vec<&str> = spans.iter().map(|span| &extract.text[span.start..span.start + 2]).collect();
        assert_eq!(starts, ["0 ", "1 "]);
    }

    #[test]
    fn a_list_stays_with_the_paragraph_above_it() {
        let extract = document(&[(Kind::Prose, 450), (Kind::Item, 90), (Kind::Item, 90), (Kind::Prose, 450)]);
        assert_eq!(passages(&extract).len(), 2);
    }

    #[test]
    fn a_short_rest_joins_the_passage_before_it() {
        let extract = document(&[(Kind::Prose, 500), (Kind::Prose, 40)]);
        assert_eq!(passages(&extract).len(), 1);
    }

    #[test]
    fn headings_alone_can_be_found() {
        assert_eq!(passages(&document(&[(Kind::Heading, 9), (Kind::Heading, 9)])).len(), 2);
    }

    proptest! {
        #[test]
        fn passages_cover_the_text_within_bounds(
            blocks in prop::collection::vec((0_usize..6, "[a-zé.\n ]{0,40}", 1_usize..120), 0..30)
        ) {
            let mut extract = Extract::new();
            for (kind, text, times) in &blocks {
                match [Kind::Heading, Kind::Prose, Kind::Item, Kind::Term, Kind::Code, Kind::Row][*kind] {
                    Kind::Heading => extract.heading(u8::try_from(times % 6).unwrap_or(1), text),
                    Kind::Code => extract.lines(Kind::Code, &text.repeat(*times)),
                    kind => extract.flowing(kind, &text.repeat(*times)),
                }
            }
            let spans = passages(&extract);
            let mut covered = vec![false; extract.text.len()];
            for pair in spans.windows(2) {
                prop_assert!(pair[0].end <= pair[1].start);
            }
            for span in &spans {
                let text = &extract.text[span.start..span.end];
                prop_assert!(!text.trim().is_empty());
                prop_assert!(text.chars().count() <= MAX + 2 * blocks.len());
                covered[span.start..span.end].fill(true);
            }
            for block in extract.blocks.iter().filter(|block| block.kind != Kind::Heading) {
                for (at, c) in extract.text[block.start..block.end].char_indices() {
                    prop_assert!(c.is_whitespace() || covered[block.start + at]);
                }
            }
        }
    }
}
