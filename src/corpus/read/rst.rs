//! How is reStructuredText read? Line by line: sections, paragraphs, lists, literal blocks, tables and directives.
//!
//! Comments, targets and directives without text of their own (images, includes, tables of contents) are left out.

use super::rst_inline::plain;
use super::{Extract, Kind};

/// Directives whose content is program text.
const CODE: &[&str] =
    &["code", "code-block", "sourcecode", "parsed-literal", "literalinclude", "doctest", "testcode", "prompt", "math"];
/// Directives without text for a reader.
const SILENT: &[&str] = &[
    "toctree",
    "contents",
    "index",
    "image",
    "include",
    "raw",
    "meta",
    "highlight",
    "currentmodule",
    "module",
    "default-role",
    "sectnum",
    "role",
    "testsetup",
    "testcleanup",
    "autosummary",
    "automodule",
    "autoclass",
    "autofunction",
    "graphviz",
];

/// Extracts the text.
pub(super) fn read(text: &str) -> Extract {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut reader = Reader { lines: &lines, at: 0, extract: Extract::new(), styles: Vec::new(), indent: Vec::new() };
    reader.run();
    let mut extract = reader.extract;
    extract.title = extract.first_heading().map(str::to_owned);
    extract
}

struct Reader<'a> {
    lines: &'a [&'a str],
    at: usize,
    extract: Extract,
    /// Adornments in the order in which they were met: their place is their level.
    styles: Vec<(char, bool)>,
    /// Indentations below which an open directive ends; its content is read like any other text.
    indent: Vec<usize>,
}

impl<'a> Reader<'a> {
    fn run(&mut self) {
        while self.at < self.lines.len() {
            let line = self.lines[self.at];
            let depth = indentation(line);
            while self.indent.last().is_some_and(|open| !line.is_empty() && depth < *open) {
                self.indent.pop();
            }
            if line.is_empty() {
                self.at += 1;
            } else if line.trim_start().starts_with(".. ") || line.trim() == ".." {
                self.explicit(depth);
            } else if !(self.section() || self.table()) {
                self.paragraph(depth);
            }
        }
    }

    fn line(&self, offset: usize) -> &'a str {
        self.lines.get(self.at + offset).copied().unwrap_or("")
    }

    /// A title with a line of punctuation below it, and perhaps one above it.
    fn section(&mut self) -> bool {
        let over = adornment(self.line(0)).filter(|mark| adornment(self.line(2)) == Some(*mark));
        let (title, under, used) = match over {
            Some(mark) => (self.line(1), Some(mark), 3),
            None => (self.line(0), adornment(self.line(1)), 2),
        };
        let Some(mark) = under else { return false };
        let text = title.trim();
        let rule = self.line(used - 1).chars().count();
        if text.is_empty() || (over.is_none() && title.starts_with(' ')) || rule + 2 < title.trim_end().chars().count()
        {
            return false;
        }
        if adornment(text).is_some() || text.contains("  ") && over.is_some() && rule_has_gap(self.line(0)) {
            return false;
        }
        let style = (mark, over.is_some());
        let level = self.styles.iter().position(|known| *known == style).unwrap_or_else(|| {
            self.styles.push(style);
            self.styles.len() - 1
        });
        let text = plain(text);
        self.extract.heading(u8::try_from(level + 1).unwrap_or(u8::MAX), &text);
        self.at += used;
        true
    }

    /// `.. name:: argument`, a comment, a target or a footnote.
    fn explicit(&mut self, depth: usize) {
        let body = self.line(0).trim_start().trim_start_matches("..").trim().to_owned();
        self.at += 1;
        if body.starts_with('[') {
            let note = body.split_once(']').map_or("", |(_, note)| note).trim().to_owned();
            return self.block(Kind::Prose, note, depth + 1);
        }
        let Some((name, argument)) = body.split_once("::").filter(|(name, _)| is_name(name)) else {
            return self.skip_deeper(depth);
        };
        let name = name.rsplit(':').next().unwrap_or(name).to_ascii_lowercase();
        if SILENT.contains(&name.as_str()) {
            return self.skip_deeper(depth);
        }
        if CODE.contains(&name.as_str()) {
            self.skip_options();
            return self.literal(depth);
        }
        // A figure's argument is a file; that of the others is text or a name.
        if !matches!(name.as_str(), "figure" | "csv-table" | "list-table" | "only" | "container") {
            let text = plain(argument.trim());
            self.extract
                .flowing(if name.len() > 2 && argument.contains('(') { Kind::Term } else { Kind::Prose }, &text);
        }
        self.skip_options();
        self.indent.push(depth + 1);
    }

    fn skip_options(&mut self) {
        while self.line(0).trim_start().starts_with(':') && self.line(0).starts_with(' ') {
            self.at += 1;
        }
    }

    /// Leaves out the lines that are indented more than `depth`.
    fn skip_deeper(&mut self, depth: usize) {
        while self.at < self.lines.len() && (self.line(0).is_empty() || indentation(self.line(0)) > depth) {
            self.at += 1;
        }
    }

    /// The lines that are indented more than `depth`, as they stand.
    fn literal(&mut self, depth: usize) {
        let from = self.at;
        self.skip_deeper(depth);
        let body = &self.lines[from..self.at];
        let margin = body.iter().filter(|line| !line.is_empty()).map(|line| indentation(line)).min().unwrap_or(0);
        let cut: Vec<&str> = body.iter().map(|line| line.get(margin..).unwrap_or("")).collect();
        self.extract.lines(Kind::Code, &cut.join("\n"));
    }

    fn paragraph(&mut self, depth: usize) {
        let first = self.line(0).trim_start().to_owned();
        if first.starts_with(">>>") {
            return self.doctest();
        }
        self.at += 1;
        match list_marker(&first) {
            Some(marker) => self.block(Kind::Item, first[marker..].trim_start().to_owned(), depth + 1),
            None if indentation(self.line(0)) > depth
                && !first.ends_with("::")
                && self.at < self.lines.len()
                && !self.line(0).is_empty() =>
            {
                let text = plain(&first);
                self.extract.flowing(Kind::Term, &text);
            }
            None => self.block(Kind::Prose, first, depth),
        }
    }

    /// Appends the lines that follow at `depth` or deeper, up to a blank line or another item.
    fn block(&mut self, kind: Kind, first: String, depth: usize) {
        let mut text = first;
        while !self.line(0).is_empty()
            && indentation(self.line(0)) >= depth
            && list_marker(self.line(0).trim_start()).is_none()
        {
            let line = self.line(0).trim_start().to_owned();
            text.push(' ');
            text.push_str(&line);
            self.at += 1;
        }
        let opens_literal = text.ends_with("::");
        if opens_literal {
            text.truncate(text.len() - if text.len() == 2 || text.ends_with(" ::") { 2 } else { 1 });
        }
        let text = plain(&text);
        self.extract.flowing(kind, &text);
        let next = (0..)
            .map(|offset| self.at + offset)
            .take_while(|at| *at < self.lines.len())
            .find(|at| !self.lines[*at].is_empty());
        let base = if kind == Kind::Item { depth.saturating_sub(1) } else { depth };
        if opens_literal && next.is_some_and(|at| indentation(self.lines[at]) > base) {
            self.literal(base);
        }
    }

    fn doctest(&mut self) {
        let from = self.at;
        while !self.line(0).is_empty() {
            self.at += 1;
        }
        let lines = self.lines[from..self.at].join("\n");
        self.extract.lines(Kind::Code, &lines);
    }

    /// Grid tables (`+---+`) and simple tables (`===  ===`): a row for each line that is not a border.
    fn table(&mut self) -> bool {
        let line = self.line(0).trim();
        let grid = line.starts_with("+-") && line.ends_with('+');
        let simple = line.starts_with("==") && rule_has_gap(line);
        if !grid && !simple {
            return false;
        }
        while !self.line(0).is_empty() {
            let line = self.line(0).trim().to_owned();
            self.at += 1;
            let border = line.chars().all(|c| matches!(c, '+' | '-' | '=' | '|' | ' '));
            if !border {
                let row = if grid { line.replace('|', " ") } else { line };
                let row = plain(&row);
                self.extract.flowing(Kind::Row, &row);
            }
        }
        true
    }
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// The character of a line that consists of one repeated punctuation mark.
fn adornment(line: &str) -> Option<char> {
    let first = line.chars().next().filter(char::is_ascii_punctuation)?;
    (line.len() > 1 && line.bytes().all(|byte| byte == first as u8)).then_some(first)
}

fn rule_has_gap(line: &str) -> bool {
    line.contains("= =")
        || line.contains("=  =")
        || (line.contains(' ') && line.chars().all(|c| matches!(c, '=' | ' ')))
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() < 64
        && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | ':' | '.' | '+'))
}

/// The length of `- `, `* `, `1. `, `#. ` or `(a) ` at the start of a line.
fn list_marker(line: &str) -> Option<usize> {
    if ["- ", "* ", "+ ", "\u{2022} "].iter().any(|bullet| line.starts_with(bullet)) {
        return line.find(' ');
    }
    let (label, _) = line.split_at_checked(line.bytes().take(6).position(|byte| byte == b' ')?)?;
    let name = label.strip_suffix(['.', ')'])?.trim_start_matches('(');
    let counts = name == "#" || name.len() == 1 || name.bytes().all(|byte| byte.is_ascii_digit());
    (counts && !name.is_empty() && name.is_ascii()).then_some(label.len())
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
    fn sections_lists_and_literals() {
        let extract = check(
            "=====\nTools\n=====\n\n.. _target:\n.. a comment\n   of two lines\n\nFirst *one*\nparagraph::\n\n    $ run\n      it\n\nUsage\n-----\n\n- one\n  more\n- two\n\n1. three\n",
            &[
                (Kind::Heading, "Tools"),
                (Kind::Prose, "First one paragraph:"),
                (Kind::Code, "$ run\n  it"),
                (Kind::Heading, "Usage"),
                (Kind::Item, "one more"),
                (Kind::Item, "two"),
                (Kind::Item, "three"),
            ],
        );
        assert_eq!(extract.outline.trail(2).join(">"), "Tools>Usage");
    }

    #[test]
    fn directives_are_read_by_what_they_are() {
        check(
            ".. note:: Take care.\n\n   It is ``hot``.\n\n.. code-block:: sh\n   :linenos:\n\n   ls -l\n\n.. toctree::\n   :maxdepth: 2\n\n   intro\n\nAfter.\n\n.. [1] A note.\n",
            &[
                (Kind::Prose, "Take care."),
                (Kind::Prose, "It is hot."),
                (Kind::Code, "ls -l"),
                (Kind::Prose, "After."),
                (Kind::Prose, "A note."),
            ],
        );
    }

    #[test]
    fn tables_terms_and_doctests() {
        check(
            "+-----+------+\n| tea | cost |\n+=====+======+\n| red | 3    |\n+-----+------+\n\n=====  ====\ncity   size\n=====  ====\nOslo   big\n=====  ====\n\nterm\n    What it means.\n\n>>> 1 + 1\n2\n",
            &[
                (Kind::Row, "tea cost"),
                (Kind::Row, "red 3"),
                (Kind::Row, "city size"),
                (Kind::Row, "Oslo big"),
                (Kind::Term, "term"),
                (Kind::Prose, "What it means."),
                (Kind::Code, ">>> 1 + 1\n2"),
            ],
        );
    }

    #[test]
    fn odd_input_ends() {
        for text in [
            "..",
            "====",
            "====\n",
            "::",
            ".. x::",
            "- ",
            "+-",
            "==  ==",
            "a\n=",
            "(",
            "\u{2022}\u{2022} x",
            "   .. note::",
        ] {
            read(text);
        }
    }
}
