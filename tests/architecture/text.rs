//! What in a Rust file is code, and what is a word? Good enough for the rules; not a parser.

use std::iter::Peekable;
use std::str::Chars;

/// The text without `//` comments and without what stands in string literals; its lines keep their numbers.
pub(crate) fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '/' if rest.peek() == Some(&'/') => while rest.next_if(|c| *c != '\n').is_some() {},
            '"' => {
                let raw = raw_marks(&code);
                string(&mut code, &mut rest, raw);
            }
            '\'' => character(&mut code, &mut rest),
            _ => code.push(c),
        }
    }
    code
}

/// `Some(2)` after `r##`, `None` where an ordinary string begins.
fn raw_marks(before: &str) -> Option<usize> {
    let name = before.trim_end_matches('#');
    let is_raw = name.ends_with('r') && !name[..name.len() - 1].ends_with(|c: char| c.is_alphanumeric() && c != 'b');
    is_raw.then(|| before.len() - name.len())
}

/// Skips a string whose opening quote was read; keeps its line breaks.
fn string(code: &mut String, rest: &mut Peekable<Chars<'_>>, raw: Option<usize>) {
    code.push('"');
    while let Some(c) = rest.next() {
        match (c, raw) {
            ('\n', _) => code.push('\n'),
            ('\\', None) => {
                let escaped = rest.next();
                code.extend(escaped.filter(|c| *c == '\n'));
            }
            ('"', None) => break,
            ('"', Some(marks)) if (0..marks).all(|_| rest.next_if_eq(&'#').is_some()) => break,
            _ => {}
        }
    }
    code.push('"');
}

/// A character literal may be a quote; a lifetime is left alone.
fn character(code: &mut String, rest: &mut Peekable<Chars<'_>>) {
    code.push('\'');
    if rest.next_if_eq(&'"').is_some() {
        rest.next_if_eq(&'\'');
        code.push('\'');
    } else if rest.next_if_eq(&'\\').is_some() {
        let _escaped = rest.next();
    }
}

/// Whether `word` stands in `code` without a letter, digit or underscore beside it.
pub(crate) fn has_word(code: &str, word: &str) -> bool {
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word)
        .any(|(at, _)| !code[..at].ends_with(part_of_name) && !code[at + word.len()..].starts_with(part_of_name))
}

pub(crate) fn has_macro(code: &str, name: &str) -> bool {
    has_word(code, name) && code.contains(&format!("{name}!"))
}

#[test]
fn comments_and_strings_are_not_code() {
    for (text, code) in [
        ("a // b\nc", "a \nc"),
        ("let u = \"http://x\"; // c", "let u = \"\"; "),
        ("let q = '\"'; // d\nlet r = '\\''; e", "let q = ''; \nlet r = ''; e"),
        ("say(\"a \\\" // b\", c)", "say(\"\", c)"),
        ("r#\"a \" b\"# + c", "r#\"\" + c"),
        ("let x = \"one\ntwo\"; y", "let x = \"\n\"; y"),
        ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
        ("for \"plain\" in x", "for \"\" in x"),
    ] {
        assert_eq!(code_of(text), code, "{text}");
    }
}
