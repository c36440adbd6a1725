//! Which words of a question name one thing, so that a corpus that never writes them cannot answer?

use std::ops::Range;

use crate::text::{Language, language};

/// What a word of a question is by its looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// A word of the language.
    Word,
    /// A plain number, perhaps with a unit: often an example of the asker's.
    Amount,
    /// A word with a capital that no sentence demands.
    Name,
    /// What can only be the name of one thing: a variable, a flag, a path, something with digits.
    Identifier,
}

/// What the word `range` of the question `text` is, whose lower-case form is `whole`.
pub(super) fn sort(text: &str, range: &Range<usize>, whole: &str) -> Sort {
    if is_amount(whole) {
        Sort::Amount
    } else if is_identifier(whole) {
        Sort::Identifier
    } else if is_name(text, range) {
        Sort::Name
    } else {
        Sort::Word
    }
}

fn is_identifier(word: &str) -> bool {
    word.contains('_') || word.contains("::") || word.starts_with('-') || word.chars().any(|c| c.is_ascii_digit())
}

fn is_amount(word: &str) -> bool {
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    unit.len() < word.len() && matches!(unit, "" | "k" | "m" | "s" | "h" | "ms" | "min" | "kb" | "mb" | "gb" | "tb")
}

/// Whether the word `range` of an English question has a capital that no sentence demands: inside the word (`RwLock`,
/// `JSON`), or before it where no sentence begins. A question all in capitals says nothing about names.
fn is_name(text: &str, range: &Range<usize>) -> bool {
    let before = text[..range.start].trim_end();
    let begins = before.is_empty() || before.ends_with(['.', '?', '!', ':', '"', '“']);
    let capital = text[range.clone()].chars().skip(usize::from(begins)).any(char::is_uppercase);
    capital && text.contains(char::is_lowercase) && language(text) == Language::English
}

#[cfg(test)]
mod tests {
    use super::super::question::Question;
    use crate::research::{Passage, Retrieved, Term};

    #[test]
    fn a_name_is_unknown_unless_something_of_the_corpus_has_it() {
        let unknown = |question: &str| {
            let passage = Passage { title: "Patroni".into(), ..passage() };
            Question::new(question, &Retrieved { passages: vec![passage], ..Retrieved::default() }).names_unknown
        };
        for question in
            ["How is Kubernetes set up?", "RwLock or not?", "JSON parsing", "What is tls_key?", "Can it do 3D?"]
        {
            assert!(unknown(question), "{question}");
        }
        for question in [
            "Kubernetes setup",
            "Is 4711 or 12GB too much?",
            "HOW IS KUBERNETES SET UP?",
            "Wer hat das Buch?",
            "How is Patroni set up?",
        ] {
            assert!(!unknown(question), "{question}");
        }
    }

    fn passage() -> Passage {
        Passage {
            source: "a".into(),
            corpus: "c".into(),
            file: "f".into(),
            title: "t".into(),
            headings: Vec::new(),
            start: 0,
            end: 1,
            text: "x".into(),
            score: 1.0,
        }
    }

    #[test]
    fn a_path_is_known_by_its_parts() {
        let unknown = |known: &[&str]| {
            let terms = known.iter().map(|stem| Term { stem: (*stem).into(), passages: 1 }).collect();
            Question::new("What does Mutex::lock do?", &Retrieved { terms, ..Retrieved::default() }).names_unknown
        };
        assert!(!unknown(&["mutex", "lock"]));
        assert!(unknown(&["lock"]));
    }
}
