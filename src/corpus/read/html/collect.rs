//! Which pieces of text does a page have? Follows the tags and cuts the text at block boundaries.

use std::collections::HashMap;

use callboard_actors::text::normalise;

use super::scan::Tag;
use super::zones::{VOID, Zone, closes_itself, zone};
use crate::corpus::read::Kind;

/// What generators put into a heading as a link to the heading itself.
const ANCHORS: &[&str] = &["#", "\u{b6}", "\u{a7}", "\u{1f517}"];

/// How a piece is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Heading(u8),
    Lines(Kind),
    Flowing(Kind),
}

/// One block of text and where it stood.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) shape: Shape,
    pub(super) in_main: bool,
    pub(super) in_article: bool,
    /// In a header, footer or aside outside the main content.
    pub(super) fringe: bool,
    /// Its letters and digits.
    pub(super) said: usize,
    /// Those of them that stand in links.
    pub(super) linked: usize,
    /// Links that begin in it.
    pub(super) links: usize,
}

/// What was found on a page.
pub(super) struct Page {
    pub(super) pieces: Vec<Piece>,
    pub(super) title: Option<String>,
    pub(super) redirects: bool,
}

/// How many elements of each meaning are open.
#[derive(Default)]
struct Depth {
    skip: usize,
    fringe: usize,
    main: usize,
    article: usize,
    pre: usize,
    link: usize,
    row: usize,
    title: usize,
}

/// Pieces, and the letters and digits in them.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    pieces: usize,
    said: usize,
    linked: usize,
}

/// Collects pieces from tags and texts.
pub(super) struct Collector {
    page: Page,
    /// `<name/>` ends an element, as in XML.
    xml: bool,
    open: Vec<(String, Zone)>,
    /// How many elements of each name are open, so that a stray end tag costs nothing.
    names: HashMap<String, usize>,
    /// Kinds of the open list items, terms, definitions and headings, innermost last.
    shapes: Vec<Shape>,
    depth: Depth,
    /// The open boxes that may be menus: how much there was when each began.
    menus: Vec<Sum>,
    /// What the pieces so far say.
    sum: Sum,
    text: String,
    /// Whether `text` has more than white space; kept, because looking again and again would be quadratic.
    has_text: bool,
    said: usize,
    linked: usize,
    links: usize,
    /// Inside a cell: the next text begins a new piece.
    cell_break: bool,
}

impl Collector {
    pub(super) fn new(xml: bool) -> Self {
        Self {
            page: Page { pieces: Vec::new(), title: None, redirects: false },
            xml,
            open: Vec::new(),
            names: HashMap::new(),
            shapes: Vec::new(),
            depth: Depth::default(),
            menus: Vec::new(),
            sum: Sum::default(),
            text: String::new(),
            has_text: false,
            said: 0,
            linked: 0,
            links: 0,
            cell_break: false,
        }
    }

    pub(super) fn finish(mut self) -> Page {
        self.flush();
        self.page
    }

    pub(super) fn text(&mut self, text: &str) {
        if self.depth.title > 0 && self.depth.skip == 0 {
            let title = normalise(text);
            if self.page.title.is_none() && !title.is_empty() {
                self.page.title = Some(title);
            }
            return;
        }
        if self.depth.skip > 0 {
            return;
        }
        let in_heading = matches!(self.shapes.last(), Some(Shape::Heading(_)));
        if in_heading && self.depth.link > 0 && ANCHORS.contains(&text.trim()) {
            return;
        }
        let says = !text.trim_start().is_empty();
        if self.cell_break && says {
            self.flush();
        }
        self.text.push_str(text);
        self.has_text |= says;
        let said = text.chars().filter(|c| c.is_alphanumeric()).count();
        self.said += said;
        if self.depth.link > 0 {
            self.linked += said;
        }
    }

    pub(super) fn start(&mut self, tag: &Tag<'_>) {
        let name = tag.name.as_str();
        match name {
            "br" => return self.line_break(),
            "meta" => self.page.redirects |= tag.http_equiv.eq_ignore_ascii_case("refresh"),
            "hr" => self.flush(),
            _ => {}
        }
        if VOID.contains(&name) || (tag.closed && self.xml) {
            return;
        }
        if closes_itself(name) && self.open.last().is_some_and(|(open, _)| open == name) {
            self.pop();
        }
        let zone = zone(tag);
        self.boundary(zone);
        self.count(zone, true);
        *self.names.entry(tag.name.clone()).or_default() += 1;
        self.open.push((tag.name.clone(), zone));
    }

    pub(super) fn end(&mut self, name: &str) {
        if self.names.get(name).is_none_or(|count| *count == 0) {
            return;
        }
        while let Some(found) = self.pop() {
            if found == name {
                break;
            }
        }
    }

    fn pop(&mut self) -> Option<String> {
        let (name, zone) = self.open.pop()?;
        self.boundary(zone);
        self.count(zone, false);
        if let Some(count) = self.names.get_mut(&name) {
            *count -= 1;
        }
        Some(name)
    }

    /// Two line breaks in a row separate paragraphs.
    fn line_break(&mut self) {
        if self.depth.pre == 0 && self.text.ends_with('\n') {
            self.boundary(Zone::Box);
        } else if self.depth.skip == 0 {
            self.text.push('\n');
        }
    }

    /// An element begins or ends: does that cut the text?
    fn boundary(&mut self, zone: Zone) {
        let in_cell = self.depth.row > 0 && self.depth.pre == 0;
        match zone {
            Zone::Inline | Zone::Title => {}
            Zone::Skip => self.text.push(' '),
            Zone::Link => self.links += usize::from(self.depth.link == 0 && self.depth.skip == 0),
            Zone::Cell => {
                self.cell_break = false;
                if self.has_text {
                    self.text.push('\t');
                }
            }
            Zone::Box | Zone::Block(_) if in_cell => self.cell_break |= self.has_text,
            _ => self.flush(),
        }
    }

    fn count(&mut self, zone: Zone, opens: bool) {
        let counter = match zone {
            Zone::Skip => &mut self.depth.skip,
            Zone::Fringe => &mut self.depth.fringe,
            Zone::Main => &mut self.depth.main,
            Zone::Article => &mut self.depth.article,
            Zone::Pre => &mut self.depth.pre,
            Zone::Link => &mut self.depth.link,
            Zone::Row => &mut self.depth.row,
            Zone::Title => &mut self.depth.title,
            Zone::Menu => return self.menu(opens),
            Zone::Heading(level) => return self.shape(Shape::Heading(level), opens),
            Zone::Block(kind) => return self.shape(Shape::Flowing(kind), opens),
            Zone::Cell | Zone::Box | Zone::Inline => return,
        };
        *counter = if opens { *counter + 1 } else { counter.saturating_sub(1) };
    }

    /// A box that may be a menu begins or ends. If at least half of it stands in links, it was one and is dropped.
    fn menu(&mut self, opens: bool) {
        if opens {
            return self.menus.push(self.sum);
        }
        let Some(before) = self.menus.pop() else { return };
        let (said, linked) = (self.sum.said - before.said, self.sum.linked - before.linked);
        if linked * 2 >= said {
            self.page.pieces.truncate(before.pieces);
            // What it said still counts for a larger box around it.
            self.sum.pieces = before.pieces;
        }
    }

    fn shape(&mut self, shape: Shape, opens: bool) {
        if opens {
            self.shapes.push(shape);
        } else {
            self.shapes.pop();
        }
    }

    fn flush(&mut self) {
        self.cell_break = false;
        let text = std::mem::take(&mut self.text);
        let (said, linked) = (std::mem::take(&mut self.said), std::mem::take(&mut self.linked));
        let links = std::mem::take(&mut self.links);
        if !std::mem::take(&mut self.has_text) {
            return;
        }
        let shape = match self.shapes.last() {
            _ if self.depth.pre > 0 => Shape::Lines(Kind::Code),
            Some(Shape::Heading(level)) => Shape::Heading(*level),
            _ if self.depth.row > 0 => Shape::Flowing(Kind::Row),
            Some(shape) => *shape,
            None => Shape::Flowing(Kind::Prose),
        };
        let (in_main, in_article) = (self.depth.main > 0, self.depth.article > 0);
        let fringe = self.depth.fringe > 0;
        let sum = self.sum;
        self.sum = Sum { pieces: sum.pieces + 1, said: sum.said + said, linked: sum.linked + linked };
        self.page.pieces.push(Piece { text, shape, in_main, in_article, fringe, said, linked, links });
    }
}
