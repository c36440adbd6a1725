//! Where do the sentences of a text begin and end, and which of its lines are no sentences at all?
//!
//! Works on text as it was extracted: Markdown, reStructuredText, plain text, the lines of a web page. A sentence never
//! crosses a blank line, a list item, a heading or a code block, so that a quote never joins what the author kept apart.

use std::ops::Range;

use super::is_stop_word;

/// A longer sentence, in bytes, is cut at its last clause that fits, or between words.
pub const MAX_SENTENCE: usize = 600;

/// What a stretch of text is, by its looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A sentence, or at least words of a language.
    Prose,
    /// A line of a program, a command, its output.
    Code,
    /// A marked heading.
    Heading,
    /// A row of a table.
    Table,
}

/// A sentence and where it stands: no white space at its ends, no list marker before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// Bytes of the text.
    pub range: Range<usize>,
    /// What it is.
    pub kind: Kind,
}

/// The sentences of `text` in order. They do not overlap; what is not in one is white space or markup.
///
/// ```
/// let text = "Use e.g. version 15.2. It is\nfast.\n\n- one item";
/// let found: Vec<&str> = callboard_actors::text::sentences(text).into_iter().map(|s| &text[s.range]).collect();
/// assert_eq!(found, ["Use e.g. version 15.2.", "It is\nfast.", "one item"]);
/// ```
pub fn sentences(text: &str) -> Vec<Sentence> {
    let mut out = Vec::new();
    for block in blocks(text) {
        match block.kind {
            Kind::Prose => split(text, block.range, &mut out),
            kind => cut(text, block.range, kind, &mut out),
        }
    }
    out
}

/// Lines that belong together. `range` is trimmed.
fn blocks(text: &str) -> Vec<Sentence> {
    let mut blocks: Vec<Sentence> = Vec::new();
    let (mut open, mut fence, mut start, mut first) = (false, None, 0, 0);
    for line in text.split_inclusive('\n') {
        let range = trim(text, start..start + line.len());
        start += line.len();
        let content = &text[range.clone()];
        if let Some(mark) = fence_mark(content) {
            fence = match fence {
                None => Some(mark),
                Some(opened) if opened == mark => None,
                opened => opened,
            };
            (open, first) = (false, blocks.len());
            continue;
        }
        if content.is_empty() {
            open = false;
            merge_program(text, first, &mut blocks);
            first = blocks.len();
        } else if fence.is_some() {
            blocks.push(Sentence { range, kind: Kind::Code });
        } else if is_ruler(content) {
            // A ruler under a line of its own makes that line a heading.
            if let Some(last) = blocks.last_mut().filter(|last| open && !text[last.range.clone()].contains('\n')) {
                last.kind = Kind::Heading;
            }
            open = false;
        } else {
            open = push_line(text, range, open, &mut blocks);
        }
    }
    merge_program(text, first, &mut blocks);
    blocks
}

/// Makes one block of code of the blocks from `first` on, which no blank line parts, if a third of their lines or more
/// look like a program: the lines between belong to it.
fn merge_program(text: &str, first: usize, blocks: &mut Vec<Sentence>) {
    let lines = |block: &Sentence| text[block.range.clone()].lines().count();
    let of =
        |wanted: fn(Kind) -> bool| blocks[first..].iter().filter(|block| wanted(block.kind)).map(lines).sum::<usize>();
    let (code, all) = (of(|kind| kind == Kind::Code), of(|_| true));
    if all < 2 || code * 3 < all {
        return;
    }
    let (Some(start), Some(end)) = (blocks.get(first).map(|b| b.range.start), blocks.last().map(|b| b.range.end))
    else {
        return;
    };
    blocks.truncate(first);
    blocks.push(Sentence { range: start..end, kind: Kind::Code });
}

/// Adds one line that is neither blank nor fenced; whether the next line may continue it.
fn push_line(text: &str, range: Range<usize>, open: bool, blocks: &mut Vec<Sentence>) -> bool {
    let content = &text[range.clone()];
    let body = trim(text, range.start + marker_len(content)..range.end);
    if body.is_empty() {
        return false;
    }
    let kind = line_kind(content, &text[body.clone()]);
    let joins = open && kind == Kind::Prose && body.start == range.start;
    match blocks.last_mut() {
        Some(last) if joins && last.kind == Kind::Prose => last.range.end = body.end,
        _ => blocks.push(Sentence { range: body, kind }),
    }
    kind == Kind::Prose
}

fn line_kind(line: &str, body: &str) -> Kind {
    let hashes = line.bytes().take_while(|byte| *byte == b'#').count();
    if (1..=6).contains(&hashes) && line[hashes..].starts_with(' ') {
        Kind::Heading
    } else if line.starts_with('|') || line.contains('\t') || line.matches('|').count() > 2 {
        Kind::Table
    } else if looks_like_code(body) {
        Kind::Code
    } else {
        Kind::Prose
    }
}

/// Whether one line reads like a program rather than like a language. Errs towards language: a false alarm hides an
/// answer, a miss only shows one poor quote.
fn looks_like_code(line: &str) -> bool {
    let letters = line.chars().filter(|c| c.is_alphabetic()).count();
    let symbols = line.chars().filter(char::is_ascii_punctuation).count();
    let quoting = line.chars().filter(|c| matches!(c, '.' | ',' | '`' | '"' | '\'' | '(' | ')' | '-')).count();
    let function_words = line.split_whitespace().filter(|word| word.len() > 1 && is_stop_word(word)).count();
    let ends = line.ends_with(['{', '}', '\\']) || (line.ends_with(';') && function_words == 0);
    let begins = ["$ ", "# ", "=# ", "=> ", "//", "/*", "}", "fn ", "let ", "pub ", "use ", "#[", "#include", "<"]
        .iter()
        .any(|mark| line.starts_with(mark));
    let sentence = line.ends_with(['.', ':', '?', '!']) && line.split_whitespace().count() > 4;
    letters == 0 || ends || (begins && !sentence) || (symbols.saturating_sub(quoting)) * 5 > letters + 5
}

fn fence_mark(line: &str) -> Option<char> {
    ["```", "~~~"].iter().find(|mark| line.starts_with(**mark)).and_then(|mark| mark.chars().next())
}

/// Three or more of one ruling character and nothing else.
fn is_ruler(line: &str) -> bool {
    line.len() > 2
        && line.starts_with(['=', '-', '~', '^', '*', '_', '+', '"', '#'])
        && line.bytes().all(|byte| byte == line.as_bytes()[0])
}

/// The bytes of the marks before a list item, a quotation or a heading, with the space after them.
fn marker_len(line: &str) -> usize {
    let hashes = line.bytes().take_while(|byte| *byte == b'#').count();
    if (1..=6).contains(&hashes) && line[hashes..].starts_with(' ') {
        return hashes + 1;
    }
    for bullet in ["- ", "* ", "+ ", "> ", "• ", "– ", "‣ ", "▪ "] {
        if let Some(rest) = line.strip_prefix(bullet) {
            return bullet.len() + if bullet == "> " { marker_len(rest) } else { 0 };
        }
    }
    let label = line.bytes().take(4).take_while(u8::is_ascii_alphanumeric).count();
    let numbered = line[..label].bytes().all(|byte| byte.is_ascii_digit()) || label == 1;
    let closed = line[label..].starts_with(". ") || line[label..].starts_with(") ");
    if label > 0 && numbered && closed { label + 2 } else { 0 }
}

fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let inner = &text[range.clone()];
    let start = range.start + (inner.len() - inner.trim_start().len());
    let end = range.end - (inner.len() - inner.trim_end().len());
    start..end.max(start)
}

/// Splits a block of prose at the ends of its sentences.
fn split(text: &str, block: Range<usize>, out: &mut Vec<Sentence>) {
    let (mut start, mut depth) = (block.start, 0_usize);
    let mut chars = text[block.clone()].char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let at = block.start + at;
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let Some(end) = sentence_end(text, start..block.end, at, c) else { continue };
        // Inside parentheses a sentence goes on, unless they were never closed.
        if depth > 0 && text[end..block.end].contains([')', ']']) && end - start < MAX_SENTENCE {
            continue;
        }
        cut(text, trim(text, start..end), Kind::Prose, out);
        (start, depth) = (end, 0);
        while chars.next_if(|(next, _)| block.start + next < end).is_some() {}
    }
    cut(text, trim(text, start..block.end), Kind::Prose, out);
}

/// One past the end of the sentence, if `c` at byte `at` ends the one that began at `sentence.start`.
fn sentence_end(text: &str, sentence: Range<usize>, at: usize, c: char) -> Option<usize> {
    let after = at + c.len_utf8();
    if matches!(c, '。' | '！' | '？') {
        return Some(after);
    }
    if !matches!(c, '.' | '!' | '?' | '…') {
        return None;
    }
    let rest = &text[after..sentence.end];
    let closers = rest.len() - rest.trim_start_matches(['"', '\'', '”', '’', ')', ']', '*', '`', '_']).len();
    let following = &rest[closers..];
    if !following.is_empty() && !following.starts_with(char::is_whitespace) {
        return None;
    }
    let before = &text[sentence.start..at];
    let next = following.trim_start().chars().next();
    let lower = next.is_some_and(char::is_lowercase);
    let ends = match c {
        '.' if before.ends_with('.') => !lower,
        '.' => !is_abbreviation(before, next),
        '…' => !lower,
        // `?` and `!` are also operators and parts of names.
        _ => {
            !lower && before.ends_with(|b: char| b.is_alphanumeric() || matches!(b, ')' | '"' | '`' | '?' | '!' | '”'))
        }
    };
    ends.then_some(after + closers)
}

const ABBREVIATIONS: [&str; 36] = [
    "e.g", "i.e", "eg", "ie", "cf", "vs", "viz", "al", "resp", "approx", "incl", "excl", "esp", "mr", "mrs", "ms",
    "dr", "prof", "st", "fig", "figs", "eq", "sec", "ch", "vol", "pp", "ed", "eds", "rev", "inc", "ltd", "jr", "sr",
    "dept", "ca", "aka",
];

/// Whether the full stop after `before` marks an abbreviation rather than the end of a sentence.
fn is_abbreviation(before: &str, next: Option<char>) -> bool {
    let word =
        before.rsplit(|c: char| c.is_whitespace() || matches!(c, '(' | '[' | '"' | ',' | ';')).next().unwrap_or("");
    let lower = word.to_lowercase();
    let next_lower = next.is_some_and(char::is_lowercase);
    let initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase) && next.is_some() && word != "I";
    let dotted = word.len() < 8
        && word.contains('.')
        && word.split('.').all(|part| part.chars().count() == 1 && part.chars().all(char::is_alphabetic));
    match lower.as_str() {
        "etc" => next_lower,
        "no" | "nos" | "p" => next.is_some_and(char::is_numeric),
        _ if dotted => lower == "e.g" || lower == "i.e" || next_lower,
        _ => {
            ABBREVIATIONS.contains(&lower.as_str())
                || (initial && !before.trim_end_matches(word).trim().is_empty() && !next_lower)
        }
    }
}

/// Adds `range`, in pieces of at most [`MAX_SENTENCE`] bytes: cut after a semicolon or comma if there is one in the
/// second half, else after a space, else anywhere.
fn cut(text: &str, mut range: Range<usize>, kind: Kind, out: &mut Vec<Sentence>) {
    while range.len() > MAX_SENTENCE {
        let mut limit = range.start + MAX_SENTENCE;
        while !text.is_char_boundary(limit) {
            limit -= 1;
        }
        let head = &text[range.start..limit];
        let half = head.len() / 2;
        let at = ["; ", ", ", " "]
            .iter()
            .filter_map(|mark| head.rfind(mark).map(|at| at + mark.len()))
            .find(|at| *at > half)
            .unwrap_or(head.len());
        let piece = trim(text, range.start..range.start + at);
        range = trim(text, range.start + at..range.end);
        if !piece.is_empty() {
            out.push(Sentence { range: piece, kind });
        }
    }
    if !range.is_empty() {
        out.push(Sentence { range, kind });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expected: &[&str]) {
        let found: Vec<&str> = sentences(text).into_iter().map(|sentence| &text[sentence.range]).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn sentences_end_where_a_reader_would_end_them() {
        check("One. Two! Three? Four", &["One.", "Two!", "Three?", "Four"]);
        check("See, e.g. this, i.e. that, etc. and more.", &["See, e.g. this, i.e. that, etc. and more."]);
        check("PostgreSQL 15.2 is out. It runs.", &["PostgreSQL 15.2 is out.", "It runs."]);
        check("It holds 100. max_connections sets it.", &["It holds 100.", "max_connections sets it."]);
        check("The ? operator returns. Use println! to print.", &["The ? operator returns.", "Use println! to print."]);
        check("He said \"stop.\" Then he left.", &["He said \"stop.\"", "Then he left."]);
        check("A table (see No. 5. It is long) is here. Next.", &["A table (see No. 5. It is long) is here.", "Next."]);
        check("By J. Smith and S. Jones. Later.", &["By J. Smith and S. Jones.", "Later."]);
        check("Wait... what? Yes.", &["Wait... what?", "Yes."]);
        check("一つ。二つ。", &["一つ。", "二つ。"]);
        check("open ( never closed. Next one. Last.", &["open ( never closed.", "Next one.", "Last."]);
    }

    #[test]
    fn blocks_are_never_joined() {
        check("first line\nsecond line\n\nother block", &["first line\nsecond line", "other block"]);
        check("intro:\n- one\n- two\n  more", &["intro:", "one", "two\n  more"]);
        check("1. first\n2) second", &["first", "second"]);
        check("# Title\ntext here", &["Title", "text here"]);
        check("> quoted words", &["quoted words"]);
    }

    #[test]
    fn what_is_no_sentence_is_marked() {
        let kinds = |text: &str| sentences(text).into_iter().map(|sentence| sentence.kind).collect::<Vec<_>>();
        assert_eq!(kinds("# Title"), [Kind::Heading]);
        assert_eq!(kinds("Title\n====="), [Kind::Heading]);
        assert_eq!(kinds("```\nlet words here\n```\nprose"), [Kind::Code, Kind::Prose]);
        assert_eq!(kinds("let x = foo(&bar);"), [Kind::Code]);
        assert_eq!(kinds("SELECT * FROM t WHERE a = 1;"), [Kind::Code]);
        assert_eq!(kinds("| a | b |"), [Kind::Table]);
        assert_eq!(kinds("a name\tof things that are in a row"), [Kind::Table]);
        assert_eq!(kinds("The function f(x) returns \"x\", a `str`, in all cases."), [Kind::Prose]);
        assert_eq!(kinds("Use SELECT to read rows;\nit is quick. Then stop."), [Kind::Prose, Kind::Prose]);
    }

    #[test]
    fn a_long_sentence_is_cut_between_words() {
        let text = format!("{}, and {}.", "word ".repeat(70).trim(), "tail ".repeat(90).trim());
        let found = sentences(&text);
        assert!(found.len() > 1);
        assert!(found.iter().all(|sentence| sentence.range.len() <= MAX_SENTENCE));
        assert!(text[found[0].range.clone()].ends_with(','), "{}", &text[found[0].range.clone()]);
    }

    proptest! {
        #[test]
        fn ranges_are_ordered_trimmed_and_bounded(text in "\\PC{0,200}|[a-zA-Z.!?()\\[\\]#>` \\n|-]{0,200}|(ü|a| |。){0,900}") {
            let mut last = 0;
            for sentence in sentences(&text) {
                prop_assert!(sentence.range.start >= last);
                last = sentence.range.end;
                prop_assert!(sentence.range.len() <= MAX_SENTENCE);
                let inner = text.get(sentence.range.clone());
                prop_assert!(inner.is_some_and(|inner| !inner.is_empty() && inner.trim() == inner), "{:?}", inner);
            }
        }
    }
}
