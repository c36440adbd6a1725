//! What are lines that do not end like a sentence: captions, items of a list, facts that somebody noted in haste?
//!
//! Readers keep no marks of lists except in plain text, so a line is judged by its words and by what follows it.

use crate::text::{Kind, Sentence, is_stop_word};

/// A line without an end mark up to this length, in bytes, is a caption for what follows it.
const MAX_CAPTION: usize = 90;

/// Verbs that make a sentence of a line, in English, German, French and Spanish.
const VERBS: [&str; 55] = [
    "is", "are", "was", "were", "has", "have", "had", "owns", "can", "cannot", "must", "should", "will", "would",
    "may", "does", "needs", "costs", "takes", "pays", "brings", "wrote", "bought", "brought", "chose", "took", "gave",
    "went", "ran", "said", "uses", "lives", "works", "starts", "ends", "opens", "closes", "goes", "gets", "ist",
    "sind", "war", "hat", "haben", "wird", "muss", "kann", "kostet", "est", "sont", "doit", "es", "son", "tiene",
    "cuesta",
];

/// A caption: a heading, or a short line that is no sentence, such as the term of a definition list.
pub(super) fn is_caption(text: &str, kind: Kind) -> bool {
    let unfinished = !text.ends_with(['.', '!', '?', ':', ';', ',']);
    let short = text.len() <= MAX_CAPTION && kind == Kind::Prose && unfinished;
    kind == Kind::Heading || (short && !is_record(text))
}

/// Whether the caption `found[n]` can also be quoted: it holds a verb, or it is an entry that no body follows.
pub(super) fn says_something(text: &str, found: &[Sentence], n: usize) -> bool {
    let line = &text[found[n].range.clone()];
    let body = found.get(n + 1).is_some_and(|next| !is_caption(&text[next.range.clone()], next.kind));
    found[n].kind == Kind::Prose && is_plain(line) && (holds_a_verb(line) || (!body && is_entry(text, &found[n])))
}

/// Whether a word after the first is a verb: titles such as `Is it safe` and `Can I help` begin with one.
fn holds_a_verb(line: &str) -> bool {
    line.split_whitespace().skip(1).any(|word| VERBS.contains(&word.to_lowercase().as_str()))
}

/// An item of a list that is marked as one, a name and its value (`Budget: 3000 euros`), or words that are not written
/// like a title (`bread from Anna`).
fn is_entry(text: &str, line: &Sentence) -> bool {
    let content = &text[line.range.clone()];
    is_marked(text, line) || content.contains(": ") || !is_title(content)
}

/// Whether no word but function words begins with a small letter, after the first.
fn is_title(line: &str) -> bool {
    let small = |word: &str| word.starts_with(char::is_lowercase);
    !line.split_whitespace().any(is_stop_word)
        || !line.split_whitespace().skip(1).any(|word| small(word) && !is_stop_word(word))
}

/// An item of a list: marked as one, or a short line without an end mark.
pub(super) fn is_item(text: &str, line: &Sentence) -> bool {
    line.kind == Kind::Prose && (is_marked(text, line) || is_caption(&text[line.range.clone()], line.kind))
}

/// Whether a mark of a list stands before `line`: a bullet, a number, a letter.
pub(super) fn is_marked(text: &str, line: &Sentence) -> bool {
    let before = &text[..line.range.start];
    let mark = before[before.rfind('\n').map_or(0, |at| at + 1)..].trim();
    let label = mark.trim_end_matches(['.', ')']);
    let numbered = !label.is_empty()
        && label.len() < mark.len()
        && (label.chars().count() == 1 || (label.len() < 4 && label.chars().all(|c| c.is_ascii_digit())));
    matches!(mark, "-" | "*" | "+" | "•" | "–" | "‣" | "▪") || numbered
}

/// Words, not program text or the remains of a table or of a site's furniture.
pub(super) fn is_plain(text: &str) -> bool {
    !text.contains(['[', ']', '{', '}', '<', '>', '=', '|', '\\', '_', '›', '»', '←', '→', '·'])
        && !text.contains("()")
        && !text.contains("::")
}

/// A row of named values, as a reader of tables writes it: `title: Dune; author: Frank Herbert`.
pub(super) fn is_record(text: &str) -> bool {
    text.contains("; ") && text.split("; ").filter(|field| field.contains(": ")).count() >= 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::sentences;

    fn said(text: &str) -> Vec<&str> {
        let found = sentences(text);
        let says =
            |n: &usize| is_caption(&text[found[*n].range.clone()], found[*n].kind) && says_something(text, &found, *n);
        (0..found.len()).filter(says).map(|n| &text[found[n].range.clone()]).collect()
    }

    #[test]
    fn a_line_with_a_verb_or_an_entry_without_a_body_says_something() {
        assert_eq!(said("The parking code is 4711"), ["The parking code is 4711"]);
        assert_eq!(said("The code is 4711\n\nIt opens the door."), ["The code is 4711"]);
        assert_eq!(said("- bread, Anna\n- salad, Bob\n\nText."), ["bread, Anna"]);
        assert_eq!(said("Anna wrote the parser"), ["Anna wrote the parser"]);
        assert_eq!(said("Anna wrote the parser\n\nText."), ["Anna wrote the parser"]);
        assert_eq!(said("Budget: 3000 euros\n\nRent: 800 euros"), ["Budget: 3000 euros", "Rent: 800 euros"]);
    }

    #[test]
    fn titles_terms_and_programs_do_not() {
        for text in [
            "wal_level (enum)\n\nDetermines how much is written.",
            "Introduction to Vacuuming\n\nRoutine Vacuuming Basics",
            "# The code is 4711",
            "Is it safe\n\nYes.",
            "Menu › Where it is › Here",
            "let there = is_it(that)",
        ] {
            assert!(said(text).is_empty(), "{text}");
        }
    }
}
