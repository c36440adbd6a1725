//! Does a sentence look like an answer? By its wording alone: what a definition, a reason or a procedure sounds like, and
//! what talks about the document instead of its subject.

use super::group::Group;
use super::question::{Question, Wants};
use crate::text::{Language, is_stop_word, stems};

/// How much a sentence that covers the share `inside` of the question has the form that was asked for: 0 to 1. `caption`
/// says how far the caption above it names the subject of the question.
pub(super) fn form(quote: &str, inside: f32, caption: f32, question: &Question) -> f32 {
    let low = quote.to_lowercase();
    let says = |marks: &[&str]| if marks.iter().any(|mark| low.contains(mark)) { inside } else { 0.0 };
    match question.wants {
        Wants::Definition => definition(&low, caption, question),
        Wants::Procedure => says(&["to ", "use ", "using ", "run ", "command", "call", "you can", "by "]),
        Wants::Reason => says(&[
            "because",
            "so that",
            "since ",
            "reason",
            "to avoid",
            "to prevent",
            "ensure",
            "otherwise",
            "therefore",
            "this means",
            "allows",
            "lets ",
        ]),
        Wants::Amount => inside * f32::from(u8::from(quote.chars().any(|c| c.is_ascii_digit()))),
        Wants::Condition => says(&["when", "if ", "after ", "before ", "during", "whenever", "until", "once "]),
        Wants::Fact => 0.0,
    }
}

/// Verbs with which manuals say what a thing is.
const BEING: [&str; 4] = ["is", "are", "means", "refers"];
/// Verbs with which they say what it does.
const DOING: [&str; 24] = [
    "provides",
    "provide",
    "specifies",
    "determines",
    "controls",
    "allows",
    "allow",
    "lets",
    "let",
    "enables",
    "returns",
    "creates",
    "stores",
    "holds",
    "defines",
    "removes",
    "represents",
    "contains",
    "describes",
    "sets",
    "makes",
    "selects",
    "causes",
    "prints",
];
/// What a verb that only looks like one counts beside those.
const GUESSED: f32 = 0.7;

/// A sentence that opens with the thing asked about and a verb that says what it is or does, or with such a verb under
/// a caption that names the thing. The more words stand before the verb, the less it is about the thing itself.
fn definition(low: &str, caption: f32, question: &Question) -> f32 {
    naming(low, question).max(being(low, caption, question))
}

/// Verbs with which manuals give a thing its name: `We call the action of creating a reference borrowing.`
const NAMING: [&str; 6] = ["call", "calls", "called", "known", "termed", "named"];
/// What a sentence counts that names the thing after saying what it is.
const NAMED: f32 = 0.9;

/// How much of the thing asked about stands behind a verb that names it, in the same sentence.
fn naming(low: &str, question: &Question) -> f32 {
    let end = low.find(". ").unwrap_or(low.len());
    let words: Vec<&str> = low[..end].split_whitespace().take(24).collect();
    let Some(verb) = words.iter().position(|word| NAMING.contains(word)) else { return 0.0 };
    let behind = &words[verb + 1..];
    NAMED * question.share(|group| if behind.iter().any(|word| names(word, group)) { 1.0 } else { 0.0 })
}

fn being(low: &str, caption: f32, question: &Question) -> f32 {
    let words: Vec<&str> = low.split_whitespace().take(12).collect();
    let asked = |word: &str| question.groups.iter().any(|group| names(word, group));
    // The word after the thing itself, if it looks like a verb: `VACUUM reclaims`.
    let follows = |at: usize| {
        let word = words[at];
        at > 0 && word.len() > 3 && word.ends_with('s') && !word.ends_with("ss") && asked(words[at - 1]) && !asked(word)
    };
    let kind = |at: usize| {
        if BEING.contains(&words[at]) || DOING.contains(&words[at]) {
            Some((at, 1.0))
        } else {
            follows(at).then_some((at, GUESSED))
        }
    };
    let Some((verb, worth)) = (0..words.len()).find_map(kind) else { return 0.0 };
    if verb == 0 {
        return caption;
    }
    let before = words[..verb].iter().filter(|word| !is_stop_word(word) && !asked(word)).count();
    let named = question.share(|group| if words[..verb].iter().any(|word| names(word, group)) { 1.0 } else { 0.0 });
    worth * named / (1.0 + 0.1 * before as f32)
}

/// Whether `word` is the word of the question. A longer identifier that has it as a part is another thing.
fn names(word: &str, group: &Group) -> bool {
    let mut stems = stems(word, Language::English);
    if word.contains('_') {
        stems.next().is_some_and(|word| word.stem == group.whole)
    } else {
        stems.any(|word| word.stem == group.whole)
    }
}

/// Sentences of fewer than 60 bytes say less.
pub(super) fn length(quote: &str) -> f32 {
    match quote.len() {
        0..=44 => 0.75,
        45..=59 => 0.9,
        _ => 1.0,
    }
}

/// The least part of a score that its manner leaves is the product of these.
pub(super) fn manner(quote: &str) -> f32 {
    let low = quote.to_lowercase();
    let has = |marks: &[&str]| marks.iter().any(|mark| low.contains(mark));
    let starts = |marks: &[&str]| marks.iter().any(|mark| low.starts_with(mark));
    let mut factor = 1.0;
    // Speaks about the document.
    if has(&["in this section", "in this chapter", "next section", "next chapter", "previous chapter", "in chapter "]) {
        factor *= 0.9;
    }
    // Points at what is not quoted.
    if has(&["listing ", "figure ", "as shown", "shown below", "following example", "this example", "example above"]) {
        factor *= 0.85;
    }
    // Leans on what was said before.
    if starts(&[
        "it ",
        "this ",
        "these ",
        "they ",
        "that ",
        "those ",
        "such ",
        "but ",
        "and ",
        "so ",
        "however",
        "also",
        "then ",
        "here",
        "in this case",
        "otherwise",
    ]) {
        factor *= 0.93;
    }
    // The rest of a sentence whose beginning is elsewhere.
    if quote.split_whitespace().next().is_some_and(|first| first.chars().all(char::is_lowercase)) {
        factor *= 0.85;
    }
    // Mostly key words: program text in the guise of prose.
    let words = quote.split_whitespace().count();
    let shouted = |word: &&str| word.len() > 1 && word.chars().all(|c| c.is_uppercase() || !c.is_alphabetic());
    if quote.split_whitespace().filter(shouted).count() * 3 > words {
        factor *= 0.7;
    }
    factor
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::research::Retrieved;

    #[test]
    fn a_definition_opens_with_what_it_defines() {
        let of = |sentence: &str| {
            let question = Question::new("What is VACUUM?", &Retrieved::default());
            form(sentence, 1.0, 0.0, &question)
        };
        assert_eq!(of("VACUUM reclaims storage occupied by dead tuples."), GUESSED);
        assert_eq!(of("A vacuum is a pass over a table."), 1.0);
        assert!(of("The usual goal of a routine vacuum is to do little.") < of("A vacuum is a pass over a table."));
        assert_eq!(of("Tables are cleaned by VACUUM."), 0.0);
    }

    #[test]
    fn what_leans_or_points_counts_less() {
        assert_eq!(manner("The server listens on one port by default."), 1.0);
        for poor in [
            "This is done by the server.",
            "Figure 3 shows the server.",
            "where the server is found",
            "SELECT FROM WHERE ORDER BY the server",
        ] {
            assert!(manner(poor) < 1.0, "{poor}");
        }
    }
}
