//! Which words of a question say of what kind its answer is?
//!
//! `How long`, `when` and `the price` are answered by `thirty days`, `on Monday` and `four euros`: the words themselves need not
//! be in the answer. What answers them is a mark (`marks`). English only.

use std::ops::Range;

use super::marks::{DEGREES, LENGTH, MONEY, NUMBER, OFTEN, SPAN, WHEN, WHO, YEARS, number_of, singular, words};
use crate::text::{Language, is_stop_word, stem};

/// What a question asks for by its kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// One of these marks answers it.
    pub(super) marks: Vec<String>,
    /// The stem of the noun that asks, such as `price`: a sentence that has the word answers, too. `None` of `how long`.
    pub(super) noun: Option<String>,
    /// The stem of what is counted, in `how many members`.
    pub(super) counted: Option<String>,
}

/// What `how` asks by, as in `how long`, and what answers it.
const MEASURES: [(&[&str], &[&str]); 8] = [
    (&["long"], &[SPAN, LENGTH]),
    (&["often", "frequently", "frequent"], &[OFTEN]),
    (&["far"], &[LENGTH, SPAN]),
    (&["soon", "quickly", "quick", "fast", "early", "late"], &[SPAN]),
    (&["old"], &[YEARS]),
    (&["expensive", "cheap", "costly", "dear"], &[MONEY]),
    (&["warm", "hot", "cold"], &[DEGREES]),
    (
        &["large", "big", "small", "high", "low", "deep", "wide", "tall", "thick", "heavy", "strong", "strict"],
        &[NUMBER],
    ),
];

/// What may follow a measure: `how far back`, `how far in advance`.
const DIRECTIONS: [&str; 4] = ["back", "advance", "ahead", "away"];

/// And then. `How large files are split` asks about large files.
const VERBS: [&str; 17] = [
    "is", "are", "was", "were", "be", "do", "does", "did", "can", "could", "may", "must", "will", "should", "has",
    "have", "had",
];

/// Nouns that ask for money, unless another word asks first.
const PRICES: [&str; 7] = ["cost", "price", "fee", "charge", "salary", "pay", "wage"];
/// Nouns that ask for a point in time after `which` or `the`.
const DATES: [&str; 5] = ["date", "deadline", "day", "weekday", "time"];
/// Behind these, `when` and `who` ask nothing: `What is lost when I leave?`
const LEADS: [&str; 5] = ["what", "which", "how", "where", "why"];

/// What an English question asks for; `None` of one that asks for a thing. Words such as `how long` and `who` go before nouns:
/// `When is the fee due?` asks for no price.
pub(super) fn asked(text: &str) -> Option<Asked> {
    let words: Vec<String> = words(text).map(|(_, word)| word.to_lowercase()).collect();
    let word = |at: usize| words.get(at).map_or("", String::as_str);
    let is_price = |at: &usize| {
        let in_charge = word(*at) == "charge" && *at > 0 && word(at - 1) == "in";
        PRICES.contains(&singular(word(*at))) && !in_charge
    };
    let price_from = |at: usize| (at..words.len()).find(is_price).and_then(|at| by_noun(word(at), MONEY));
    let leads = |at: usize| (0..at).any(|before| LEADS.contains(&word(before)) || is_price(&before));
    let first = |at: usize| match (word(at), word(at + 1)) {
        ("how", "many") => {
            let counted = stem(counted(words.get(at + 2..).unwrap_or_default()), Language::English);
            Some(Asked { marks: vec![number_of(&counted)], noun: None, counted: Some(counted) })
        }
        ("how", "much") if word(at + 2) == "time" => of_kind(&[SPAN]),
        ("how", "much") => price_from(at + 2).or_else(|| of_kind(&[NUMBER])),
        ("how", measure) => {
            let marks = answers(measure)?;
            let mut behind =
                words.iter().skip(at + 2).filter(|word| *word != "in" && !DIRECTIONS.contains(&word.as_str()));
            // `How large files are split` asks about large files.
            if !behind.next().is_none_or(|next| is_verb(next)) {
                return None;
            }
            // `How high is the fee?`
            let price = if marks == [NUMBER] { price_from(at + 2) } else { None };
            price.or_else(|| of_kind(marks))
        }
        ("what" | "which", noun) if DATES.contains(&singular(noun)) => by_noun(noun, WHEN),
        (pronoun, _) => by_pronoun(pronoun).filter(|_| !leads(at)),
    };
    let date = |at: usize| {
        let is_one = matches!(word(at), "the" | "last" | "first") && DATES.contains(&singular(word(at + 1)));
        is_one.then(|| by_noun(word(at + 1), WHEN))?
    };
    let all = 0..words.len();
    let of_noun = || price_from(0).or_else(|| all.clone().find_map(date));
    all.clone().find_map(first).or_else(of_noun).or_else(|| all.clone().find_map(|at| by_pronoun(word(at))))
}

/// What is counted in the words behind `how many`: the first plural, or the last of several in a row; else the first word.
fn counted(words: &[String]) -> &str {
    let is_plural = |word: &str| {
        matches!(word, "people" | "children" | "men" | "women") || (word.ends_with('s') && !word.ends_with("ss"))
    };
    let group = words.iter().map(String::as_str).take_while(|word| !is_verb(word) && !is_stop_word(word));
    let plural = group.skip_while(|word| !is_plural(word)).take_while(|word| is_plural(word)).last();
    plural.or(words.first().map(String::as_str)).unwrap_or_default()
}

fn of_kind(marks: &[&str]) -> Option<Asked> {
    let marks = marks.iter().map(|mark| (*mark).to_owned()).collect();
    Some(Asked { marks, ..Asked::default() })
}

fn by_noun(noun: &str, mark: &str) -> Option<Asked> {
    let noun = Some(stem(noun, Language::English));
    Some(Asked { marks: vec![mark.to_owned()], noun, counted: None })
}

fn by_pronoun(word: &str) -> Option<Asked> {
    match word {
        "when" => of_kind(&[WHEN]),
        "who" | "whom" | "whose" => of_kind(&[WHO]),
        _ => None,
    }
}

/// Whether the word `range` of a question is only what `how` asks by.
pub(super) fn is_measure(text: &str, range: &Range<usize>) -> bool {
    let next = text[range.end..].split(|c: char| !c.is_alphanumeric()).find(|next| !next.is_empty());
    let word = text[range.clone()].to_lowercase();
    let mut before = text[..range.start].split_whitespace().rev().map(str::to_lowercase);
    let measure = if DIRECTIONS.contains(&word.as_str()) { before.find(|word| word != "in") } else { Some(word) };
    let is_asked =
        measure.is_some_and(|measure| answers(&measure).is_some()) && before.next().is_some_and(|word| word == "how");
    is_asked && next.is_none_or(|next| is_verb(&next.to_lowercase()))
}

/// What answers a measure.
fn answers(measure: &str) -> Option<&'static [&'static str]> {
    MEASURES.iter().find(|(words, _)| words.contains(&measure)).map(|(_, marks)| *marks)
}

fn is_verb(word: &str) -> bool {
    VERBS.contains(&word)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::marks::marks;
    use super::*;

    #[test]
    fn the_kind_of_an_answer_is_asked_for_by_how_when_who_and_nouns() {
        for (question, marks, noun) in [
            ("How long are backups kept?", &[SPAN, LENGTH][..], None),
            ("How many members are there?", &["#number member"], None),
            ("How much does tuning the piano cost?", &[MONEY], Some("cost")),
            ("What is the deadline for the rent?", &[WHEN], Some("deadlin")),
            ("On which day is paper collected?", &[WHEN], Some("day")),
            ("Whom should I tell?", &[WHO], None),
        ] {
            let found = asked(question).unwrap();
            assert_eq!(
                (found.marks, found.noun.as_deref()),
                (marks.iter().map(ToString::to_string).collect(), noun),
                "{question}"
            );
        }
        for question in ["Where is the key?", "How is the cache flushed?", ""] {
            assert_eq!(asked(question), None, "{question}");
        }
    }

    #[test]
    fn what_asks_first_is_no_noun() {
        for (question, marks) in [
            ("How long does it take to charge the battery?", &[SPAN, LENGTH][..]),
            ("Who is in charge of the boathouse?", &[WHO]),
            ("Tell me the name of the person in charge, and who pays.", &[WHO]),
            ("When do members pay the fee?", &[WHEN]),
            ("How often is the fee paid?", &[OFTEN]),
            ("If I pay late, how soon is it noticed?", &[SPAN]),
            ("How many days of pay do I get?", &["#number day"]),
            ("How many rowing boats are there?", &["#number boat"]),
            ("How many passengers fit into the boats?", &["#number passeng"]),
            ("How many people pay fees?", &["#number peopl"]),
            ("On which day is the fee due?", &[WHEN]),
            ("How much is the fee?", &[MONEY]),
            ("How high is the fee?", &[MONEY]),
            ("How much water is in the tank?", &[NUMBER]),
            ("How much time is left?", &[SPAN]),
            ("What is the fee for members who leave?", &[MONEY]),
            ("What does it cost when I cancel?", &[MONEY]),
            ("The price for those who come late", &[MONEY]),
            ("What is lost when I leave?", &[WHEN]),
        ] {
            assert_eq!(asked(question).map(|asked| asked.marks).unwrap_or_default(), marks, "{question}");
        }
        assert_eq!(asked("Is Jonas in charge of it?"), None);
    }

    #[test]
    fn what_how_asks_by_is_a_measure_and_what_it_asks_about_is_not() {
        let is_one = |text: &str, word: &str| {
            let start = text.find(word).unwrap();
            is_measure(text, &(start..start + word.len()))
        };
        assert!(is_one("How long are backups kept?", "long") && is_one("A file may be how large?", "large"));
        assert!(is_one("How far back can I search?", "back") && is_one("How far in advance may I?", "advance"));
        assert!(is_one("How expensive is it?", "expensive"));
        for (text, word) in [
            ("How deep learning works", "deep"),
            ("How large files are uploaded?", "large"),
            ("Which fence is long?", "long"),
            ("How is it put back?", "back"),
        ] {
            assert!(!is_one(text, word), "{text}");
            assert_eq!(asked(text), None, "{text}");
        }
    }

    #[test]
    fn a_question_may_end_with_any_word_that_asks() {
        for text in ["Explain how", "What is know-how?", "Show me how.", "how", "The price of know-how", "How many?"] {
            asked(text);
        }
    }

    proptest! {
        /// Whatever a text is made of, and wherever it ends.
        #[test]
        fn no_text_is_too_odd_to_be_asked_for_its_kind(
            pieces in proptest::collection::vec((0..WORDS.len(), 0..BETWEEN.len()), 0..9), other in "\\PC{0,6}",
        ) {
            let mut text: String = pieces.iter().flat_map(|(word, between)| [WORDS[*word], BETWEEN[*between]]).collect();
            for text in [text.clone(), { text.push_str(&other); text }] {
                asked(&text);
                marks(&text);
                for (start, word) in words(&text) {
                    is_measure(&text, &(start..start + word.len()));
                }
            }
        }
    }

    const WORDS: [&str; 24] = [
        "how", "How", "many", "much", "long", "far", "back", "in", "advance", "often", "when", "who", "what", "which",
        "the", "day", "fee", "charge", "is", "one", "by", "boats", "élan", "3",
    ];
    const BETWEEN: [&str; 8] = [" ", " ", " ", "-", "? ", ". ", "", "\n"];
}
