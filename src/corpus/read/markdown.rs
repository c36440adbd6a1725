//! How is Markdown read? CommonMark with tables, footnotes and front matter; the text is what a reader of the page sees.
//!
//! Markup is left out of the text (`**bold**` is stored as `bold`), so that a quote never shows it. Raw HTML inside
//! Markdown is left out too, tags only inside a paragraph and whole blocks between paragraphs.

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use super::{Extract, Kind};

/// Extracts the text.
pub(super) fn read(text: &str) -> Extract {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_HEADING_ATTRIBUTES
        | Options::ENABLE_DEFINITION_LIST
        | Options::ENABLE_YAML_STYLE_METADATA_BLOCKS;
    let mut reader = Reader::default();
    for event in Parser::new_ext(text, options) {
        reader.event(event);
    }
    reader.flush();
    let mut extract = reader.extract;
    extract.title = reader.title.or_else(|| extract.first_heading().map(str::to_owned));
    extract
}

struct Reader {
    extract: Extract,
    /// The block that is being collected.
    text: String,
    /// What it will be when no list is open.
    kind: Kind,
    heading: Option<u8>,
    /// How many list items are open.
    items: usize,
    in_code: bool,
    in_metadata: bool,
    title: Option<String>,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            extract: Extract::new(),
            text: String::new(),
            kind: Kind::Prose,
            heading: None,
            items: 0,
            in_code: false,
            in_metadata: false,
            title: None,
        }
    }
}

impl Reader {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.in_metadata => self.metadata(&text),
            Event::Text(text) | Event::Code(text) | Event::InlineMath(text) | Event::DisplayMath(text) => {
                self.text.push_str(&text);
            }
            Event::SoftBreak | Event::HardBreak => self.text.push(' '),
            Event::InlineHtml(tag) if tag.starts_with("<br") => self.text.push(' '),
            Event::Rule => self.flush(),
            Event::Html(_) | Event::InlineHtml(_) | Event::FootnoteReference(_) | Event::TaskListMarker(_) => {}
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        match tag {
            Tag::TableCell => {
                if !self.text.is_empty() {
                    self.text.push('\t');
                }
                return;
            }
            Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Superscript | Tag::Subscript => return,
            Tag::Link { .. } | Tag::Image { .. } => return,
            _ => self.flush(),
        }
        match tag {
            Tag::Heading { level, .. } => self.heading = Some(depth(*level)),
            Tag::CodeBlock(_) => self.in_code = true,
            Tag::Item => self.items += 1,
            Tag::DefinitionListTitle => self.kind = Kind::Term,
            Tag::TableHead | Tag::TableRow => self.kind = Kind::Row,
            Tag::MetadataBlock(_) => self.in_metadata = true,
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::TableCell | TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough => return,
            TagEnd::Superscript | TagEnd::Subscript | TagEnd::Link | TagEnd::Image => return,
            _ => self.flush(),
        }
        match tag {
            TagEnd::Heading(_) => self.heading = None,
            TagEnd::CodeBlock => self.in_code = false,
            TagEnd::Item => self.items = self.items.saturating_sub(1),
            TagEnd::DefinitionListTitle | TagEnd::TableHead | TagEnd::TableRow => self.kind = Kind::Prose,
            TagEnd::MetadataBlock(_) => self.in_metadata = false,
            _ => {}
        }
    }

    fn flush(&mut self) {
        if let Some(level) = self.heading {
            self.extract.heading(level, &self.text);
        } else if self.in_code {
            self.extract.lines(Kind::Code, &self.text);
        } else if self.kind == Kind::Prose && self.items > 0 {
            self.extract.flowing(Kind::Item, &self.text);
        } else {
            self.extract.flowing(self.kind, &self.text);
        }
        self.text.clear();
    }

    /// Front matter is not text of the document; only its title is taken.
    fn metadata(&mut self, text: &str) {
        let title = text.lines().find_map(|line| line.strip_prefix("title:")).map(str::trim);
        let title = title.map(|title| title.trim_matches(['"', '\'']).to_owned()).filter(|title| !title.is_empty());
        self.title = self.title.take().or(title);
    }
}

fn depth(level: HeadingLevel) -> u8 {
    level as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[(Kind, &str)]) -> Extract {
        let extract = read(text);
        let found: Vec<(Kind, &str)> =
            extract.blocks.iter().map(|block| (block.kind, &extract.text[block.start..block.end])).collect();
        assert_eq!(found, expected);
        extract
    }

    #[test]
    fn markup_is_left_out_and_structure_is_kept() {
        let extract = check(
            "Guide\n=====\n\nSee **the** [`open`](x.md) call\nand <b>this</b>[^1] &amp; that.\n\n## Use\n\n- one\n  more\n- two\n\n```sh\n# not a heading\n  ls\n```\n",
            &[
                (Kind::Heading, "Guide"),
                (Kind::Prose, "See the open call and this[^1] & that."),
                (Kind::Heading, "Use"),
                (Kind::Item, "one more"),
                (Kind::Item, "two"),
                (Kind::Code, "# not a heading\n  ls"),
            ],
        );
        assert_eq!(extract.title.as_deref(), Some("Guide"));
        assert_eq!(extract.outline.trail(2).join(">"), "Guide>Use");
    }

    #[test]
    fn tables_are_rows_and_front_matter_is_not_text() {
        let extract = check(
            "---\ntitle: \"Prices\"\ntags: [a]\n---\n\n| tea | price |\n|---|---|\n| green | 3 |\n\n<div>raw</div>\n\n> quoted\n",
            &[(Kind::Row, "tea price"), (Kind::Row, "green 3"), (Kind::Prose, "quoted")],
        );
        assert_eq!(extract.title.as_deref(), Some("Prices"));
    }
}
