//! What are the words of a text, and where does each stand?
//!
//! Manuals are half prose, half names of things. A name is found whole and in parts: `max_connections` is itself,
//! `max` and `connect`; `Rc<T>` is `rc<t>`, `rc` and `t`; `--flag` is itself and `flag`; `HashMap` is also `hash` and
//! `map`. Which words matter in a corpus is for others to say.

use std::collections::VecDeque;
use std::ops::Range;

use rust_stemmers::{Algorithm, Stemmer};

use super::irregular::verb;
use super::{Language, is_question_word, is_stop_word};

/// Longer runs of letters, in bytes, are no words (encoded data, a damaged file) and are left out.
pub const MAX_WORD: usize = 80;

/// A word, ready for an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    /// Lower-case; reduced to its English stem if it is a plain word and the language asks for it.
    pub stem: String,
    /// The bytes it was made of. The parts of a name lie inside the range of the whole, which comes first.
    pub range: Range<usize>,
}

/// The stem of one lower-case `word`.
pub fn stem(word: &str, language: Language) -> String {
    match language {
        Language::English if word.chars().all(|c| c.is_ascii_alphabetic() || c == '\'') => {
            Stemmer::create(Algorithm::English).stem(verb(word)).into_owned()
        }
        _ => word.to_owned(),
    }
}

/// Every word of `text` in reading order, function words included: what an index stores. Never looks far ahead and
/// holds a few words at a time, whatever the size of `text`.
///
/// ```
/// use callboard_actors::text::{Language, stems};
/// let words: Vec<String> = stems("Raising max_connections", Language::English).map(|word| word.stem).collect();
/// assert_eq!(words, ["rais", "max_connections", "max", "connect"]);
/// ```
pub fn stems(text: &str, language: Language) -> impl Iterator<Item = Word> + '_ {
    tokens(text).map(move |token| Word {
        stem: if token.plain { stem(&token.text, language) } else { token.text },
        range: token.range,
    })
}

/// The words of a question that carry its meaning: without function words, unless they are written as names (`WHERE`,
/// or between backticks). A question of nothing but function words keeps those that do not merely shape a question.
pub fn content_stems(question: &str, language: Language) -> Vec<Word> {
    let shouting = !question.chars().any(char::is_lowercase);
    let keep = |token: &Token| {
        !token.plain || !is_stop_word(&token.text) || (!shouting && written_as_a_name(question, &token.range))
    };
    let finish = |token: Token| Word {
        stem: if token.plain { stem(&token.text, language) } else { token.text },
        range: token.range,
    };
    let content: Vec<Word> = tokens(question).filter(keep).map(finish).collect();
    if content.is_empty() {
        return tokens(question).filter(|token| !is_question_word(&token.text)).map(finish).collect();
    }
    content
}

/// Upper case of two or more letters, or directly between backticks.
fn written_as_a_name(text: &str, range: &Range<usize>) -> bool {
    let word = &text[range.clone()];
    let upper = word.len() > 1 && word.chars().all(char::is_uppercase);
    let before = &text[..range.start];
    let ticks_before = before.matches('`').count();
    upper || (ticks_before % 2 == 1 && text[range.end..].contains('`'))
}

/// A word before stemming.
#[derive(Debug, Clone)]
struct Token {
    text: String,
    range: Range<usize>,
    /// A word of the language, not a name or a symbol.
    plain: bool,
}

fn tokens(text: &str) -> Tokens<'_> {
    Tokens { text, at: 0, ready: VecDeque::new() }
}

struct Tokens<'a> {
    text: &'a str,
    at: usize,
    ready: VecDeque<Token>,
}

impl Iterator for Tokens<'_> {
    type Item = Token;

    fn next(&mut self) -> Option<Token> {
        while self.ready.is_empty() {
            let rest = &self.text[self.at..];
            let c = rest.chars().next()?;
            if is_ideograph(c) {
                self.push(self.at..self.at + c.len_utf8(), true);
                self.at += c.len_utf8();
            } else if is_word(c) {
                self.name(self.at, self.at);
            } else if let Some(prefix) = prefix_len(self.text, self.at) {
                self.name(self.at, self.at + prefix);
            } else if let Some(len) = symbol_len(self.text, self.at) {
                self.push(self.at..self.at + len, false);
                self.at += len;
            } else {
                self.at += c.len_utf8();
            }
        }
        self.ready.pop_front()
    }
}

impl Tokens<'_> {
    /// Reads the name that begins at `start` and whose first letter stands at `first`.
    fn name(&mut self, start: usize, first: usize) {
        let (mut end, mut parts, mut joined) = (first, Vec::new(), first > start);
        loop {
            let len = run_len(&self.text[end..]);
            parts.push(end..end + len);
            end += len;
            let joiner = joiner_len(&self.text[end..], first > start);
            if joiner == 0 || parts.len() == 16 {
                break;
            }
            joined = true;
            end += joiner;
        }
        if let Some(len) = generic_len(&self.text[end..]) {
            self.push(start..end + len, false);
        }
        if joined {
            self.push(start..end, false);
        }
        for part in parts {
            self.part(part);
        }
        self.at = end;
    }

    /// A run of letters, digits and underscores: itself, and its parts.
    fn part(&mut self, range: Range<usize>) {
        let run = &self.text[range.clone()];
        let pieces: Vec<Range<usize>> = if run.contains('_') { split_at_underscores(run) } else { humps(run) };
        self.push(range.clone(), !run.contains('_') && pieces.len() < 2);
        if pieces.len() > 1 || run.contains('_') {
            for piece in pieces {
                self.push(range.start + piece.start..range.start + piece.end, true);
            }
        }
    }

    fn push(&mut self, range: Range<usize>, plain: bool) {
        if range.len() > MAX_WORD || range.is_empty() {
            return;
        }
        let mut text: String = self.text[range.clone()].to_lowercase();
        text.retain(|c| !c.is_whitespace());
        text = text.replace('\u{2019}', "'");
        if let Some(owner) = text.strip_suffix("'s") {
            text = owner.to_owned();
        }
        self.ready.push_back(Token { text, range, plain });
    }
}

fn is_word(c: char) -> bool {
    (c.is_alphanumeric() || c == '_') && !is_ideograph(c)
}

/// Scripts that put no spaces between words: each character counts as a word.
fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{2e80}'..='\u{2fdf}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}')
}

/// The bytes of the letters, digits, underscores and inner apostrophes that `rest` begins with.
fn run_len(rest: &str) -> usize {
    let mut chars = rest.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let apostrophe = matches!(c, '\'' | '\u{2019}')
            && at > 0
            && chars.peek().is_some_and(|(_, next)| next.is_alphabetic())
            && rest[..at].chars().next_back().is_some_and(char::is_alphabetic);
        if !is_word(c) && !apostrophe {
            return at;
        }
    }
    rest.len()
}

/// `::` or `.`, in a flag also `-`, directly before another word character: its bytes.
fn joiner_len(rest: &str, flag: bool) -> usize {
    let len = if rest.starts_with("::") {
        2
    } else if rest.starts_with('.') || (flag && rest.starts_with('-')) {
        1
    } else {
        return 0;
    };
    if rest[len..].chars().next().is_some_and(is_word) { len } else { 0 }
}

/// `--flag`, `-f` and `\copy`: the bytes before the first letter, if a name of this kind begins at `at`.
fn prefix_len(text: &str, at: usize) -> Option<usize> {
    let free = text[..at].chars().next_back().is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '-' | '\\' | '_'));
    let rest = &text[at..];
    let len = if rest.starts_with("--") {
        2
    } else if rest.starts_with(['-', '\\']) {
        1
    } else {
        return None;
    };
    (free && rest[len..].chars().next().is_some_and(char::is_alphabetic)).then_some(len)
}

/// `<T>` after a name: its bytes. White space is allowed inside but not at its ends.
fn generic_len(rest: &str) -> Option<usize> {
    if !rest.starts_with('<') || rest[1..].starts_with(char::is_whitespace) {
        return None;
    }
    let (mut depth, mut before) = (0_i32, ' ');
    for (at, c) in rest.char_indices().take(40) {
        match c {
            '<' => depth += 1,
            '>' if before.is_whitespace() => return None,
            '>' => depth -= 1,
            _ if c.is_alphanumeric() || matches!(c, '_' | ',' | ' ' | '&' | '\'' | ':' | '+') => {}
            _ => return None,
        }
        if depth == 0 {
            return Some(at + 1);
        }
        before = c;
    }
    None
}

/// An operator that stands alone, such as `->` or `?`: its bytes. Dashes, bullets and rulers are none.
fn symbol_len(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at..];
    let len = rest.bytes().take(4).take_while(|byte| b"?!&|<>=@#~^%+*/-:$".contains(byte)).count();
    let free = |c: char| c.is_whitespace() || matches!(c, '`' | '(' | ')' | '"' | '\'' | ',' | '\u{201c}' | '\u{201d}');
    let alone = text[..at].chars().next_back().is_none_or(free) && rest[len..].chars().next().is_none_or(free);
    let decoration = matches!(
        &rest[..len],
        "" | "??" | "???" | "!!" | "!!!" | "-" | "--" | "---" | "*" | "|" | "#" | "##" | "###" | ":" | "::" | "!"
    );
    (alone && len < 4 && !decoration).then_some(len)
}

fn split_at_underscores(run: &str) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for piece in run.split('_') {
        if !piece.is_empty() {
            pieces.push(start..start + piece.len());
        }
        start += piece.len() + 1;
    }
    pieces
}

/// The humps of a camel-case name such as `RefCell`; one range for anything else. Runs of capitals (`PostgreSQL`) are
/// no humps: splitting them would make every such name an occurrence of its tail.
fn humps(run: &str) -> Vec<Range<usize>> {
    let mut starts = vec![0];
    let mut before = ' ';
    for (at, c) in run.char_indices() {
        if !c.is_ascii_alphabetic() || (before.is_uppercase() && c.is_uppercase()) {
            return std::iter::once(0..run.len()).collect();
        }
        if at > 0 && c.is_uppercase() {
            starts.push(at);
        }
        before = c;
    }
    let ends = starts.iter().skip(1).copied().chain([run.len()]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn english(text: &str) -> Vec<String> {
        stems(text, Language::English).map(|word| word.stem).collect()
    }

    #[test]
    fn names_are_found_whole_and_in_parts() {
        let table: &[(&str, &[&str])] = &[
            ("Connections are pooled.", &["connect", "are", "pool"]),
            ("We chose it.", &["we", "choos", "it"]),
            ("max_connections", &["max_connections", "max", "connect"]),
            ("pg_dump's output", &["pg_dump", "pg", "dump", "output"]),
            ("Rc<T> counts", &["rc<t>", "rc", "t", "count"]),
            ("use Box<dyn Error>.", &["use", "box<dyn error>", "box", "dyn", "error"]),
            ("a < b", &["a", "<", "b"]),
            ("--data-checksums", &["--data-checksums", "data", "checksum"]),
            ("run -f now", &["run", "-f", "f", "now"]),
            ("\\copy it", &["\\copy", "copi", "it"]),
            ("HashMap", &["hashmap", "hash", "map"]),
            ("PostgreSQL", &["postgresql"]),
            ("std::fs::File", &["std::fs::file", "std", "fs", "file"]),
            ("version 15.2.", &["version", "15.2", "15", "2"]),
            ("Rust's rules don\u{2019}t", &["rust", "rule", "don't"]),
            ("the ? operator", &["the", "?", "oper"]),
            ("Really?", &["realli"]),
            ("write-ahead", &["write", "ahead"]),
            ("日本", &["日", "本"]),
            ("Größe", &["größe"]),
        ];
        for (text, expected) in table {
            let squeezed: Vec<String> = expected.iter().map(|word| word.replace(' ', "")).collect();
            assert_eq!(english(text), squeezed, "{text}");
        }
    }

    #[test]
    fn a_question_keeps_what_carries_it() {
        let of = |q: &str| content_stems(q, Language::English).into_iter().map(|w| w.stem).collect::<Vec<_>>();
        assert_eq!(of("How do I raise the number of connections?"), ["rais", "number", "connect"]);
        assert_eq!(of("What does WHERE do?"), ["where"]);
        assert_eq!(of("What does `if` do in a match?"), ["if", "match"]);
        assert_eq!(of("WHAT IS WAL?"), ["wal"]);
        assert_eq!(of("What is if let?"), ["if", "let"]);
        assert!(of("???").is_empty());
    }

    #[test]
    fn encoded_data_is_no_word() {
        assert!(english(&"x".repeat(MAX_WORD + 1)).is_empty());
    }

    proptest! {
        #[test]
        fn ranges_are_in_bounds_and_on_boundaries(text in "\\PC{0,80}|[a-zA-Z_.:<>\\\\ '’-]{0,40}") {
            for word in stems(&text, Language::English) {
                prop_assert!(text.get(word.range.clone()).is_some());
                prop_assert!(!word.stem.is_empty());
            }
        }
    }
}
