//! What in a Rust file is code, and what is a word? Good enough for the rules; not a parser.

/// The text without `//` comments; strings stay.
pub(crate) fn code_of(text: &str) -> String {
    text.lines().map(|line| &line[..comment_start(line)]).collect::<Vec<_>>().join("\n")
}

pub(crate) fn comment_start(line: &str) -> usize {
    let (mut in_string, mut previous) = (false, ' ');
    for (at, c) in line.char_indices() {
        match c {
            '"' if previous != '\\' && previous != '\'' => in_string = !in_string,
            '/' if previous == '/' && !in_string => return at - 1,
            _ => {}
        }
        previous = if c == '\\' && previous == '\\' { ' ' } else { c };
    }
    line.len()
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
fn a_comment_is_not_code() {
    assert_eq!(
        code_of("a // b\nlet u = \"http://x\"; // c\nlet q = '\"'; // d"),
        "a \nlet u = \"http://x\"; \nlet q = '\"'; "
    );
}
