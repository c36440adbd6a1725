//! Of what kinds are the things that a sentence holds: a span of time, a date, money, a name?
//!
//! Each kind has a mark, which stands among the stems of a sentence, so that a kind is found, and is rare or common, as a word
//! is. Tables of plain English; nothing here knows a corpus.

use std::collections::BTreeSet;

use crate::text::{Language, is_stop_word, sentences, stem};

/// What begins a mark, and no stem.
const MARK: char = '#';
pub(super) const NUMBER: &str = "#number";
/// A length of time.
pub(super) const SPAN: &str = "#span";
/// How often something is.
pub(super) const OFTEN: &str = "#often";
/// A point in time.
pub(super) const WHEN: &str = "#when";
pub(super) const MONEY: &str = "#money";
/// A length or a distance.
pub(super) const LENGTH: &str = "#length";
/// Somebody, or something else with a name.
pub(super) const WHO: &str = "#who";
/// A temperature.
pub(super) const DEGREES: &str = "#degrees";
/// An age.
pub(super) const YEARS: &str = "#years";

#[rustfmt::skip]
const NUMBERS: [&str; 30] = [
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen",
    "sixteen", "seventeen", "eighteen", "nineteen", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
    "hundred", "thousand", "half", "dozen",
];
#[rustfmt::skip]
const TIMES: [&str; 12] =
    ["second", "minute", "min", "hour", "day", "week", "fortnight", "month", "quarter", "year", "sprint", "night"];
#[rustfmt::skip]
const DATES: [&str; 27] = [
    "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "january", "february", "march", "april", "june",
    "july", "august", "september", "october", "november", "december", "spring", "summer", "autumn", "winter", "noon", "midnight",
    "dawn", "dusk", "o'clock",
];
const CONDITIONS: [&str; 6] = ["before", "after", "until", "when", "whenever", "during"];
const MONEYS: [&str; 9] = ["euro", "eur", "dollar", "usd", "pound", "cent", "franc", "free", "gratis"];
const LENGTHS: [&str; 11] = ["metre", "meter", "m", "cm", "mm", "km", "kilometre", "kilometer", "mile", "feet", "inch"];
const EVERY: [&str; 11] =
    ["every", "each", "once", "twice", "daily", "weekly", "monthly", "quarterly", "yearly", "annually", "hourly"];
const AT_ONCE: [&str; 3] = ["until", "immediately", "forever"];

/// The marks of all kinds that the sentences of an English text hold.
pub(super) fn marks(text: &str) -> BTreeSet<String> {
    sentences(text).iter().flat_map(|sentence| of_sentence(&text[sentence.range.clone()])).collect()
}

fn of_sentence(text: &str) -> BTreeSet<String> {
    let words: Vec<(usize, &str)> = words(text).collect();
    let lower: Vec<String> = words.iter().map(|(_, word)| word.to_lowercase()).collect();
    let mut out = BTreeSet::new();
    let mut add = |mark: &str, holds: bool| {
        if holds {
            out.insert(mark.to_owned());
        }
    };
    add(MONEY, text.contains(['€', '$', '£']));
    add(DEGREES, text.contains('°'));
    for (at, word) in lower.iter().enumerate() {
        let (word, one) = (word.as_str(), singular(word));
        let ahead = |steps: usize| lower.get(at + steps).map_or("", String::as_str);
        let a_time = matches!(word, "a" | "an" | "one" | "per") && TIMES.contains(&singular(ahead(1)));
        add(OFTEN, a_time || EVERY.contains(&word));
        add(SPAN, a_time || AT_ONCE.contains(&word) || (word == "at" && ahead(1) == "once"));
        add(WHEN, DATES.contains(&one) || EVERY.contains(&word) || CONDITIONS.contains(&word));
        add(MONEY, MONEYS.contains(&one));
        add(DEGREES, one == "degree");
        // Every sentence begins with a capital.
        let has_capital = words[at].1.starts_with(char::is_uppercase) && at > 0;
        add(WHO, has_capital && !is_stop_word(word) && !DATES.contains(&one));
        if word.contains(':') {
            add(WHEN, is_number(word));
        } else if is_number(word) || is_one(&lower, at) {
            let unit = |of: &[&str]| [1, 2].iter().any(|steps| of.contains(&singular(ahead(*steps))));
            let before = at.checked_sub(1).map_or("", |before| &lower[before]);
            add(NUMBER, true);
            add(YEARS, unit(&["year"]));
            add(SPAN, unit(&TIMES));
            add(LENGTH, unit(&LENGTHS));
            add(WHEN, matches!(before, "at" | "from" | "to" | "until" | "in" | "after" | "on" | "by"));
            [1, 2].iter().for_each(|steps| add(&number_of(&stem(ahead(*steps), Language::English)), true));
        }
    }
    out
}

/// Whether a stem is a mark.
pub(super) fn is_mark(stem: &str) -> bool {
    stem.starts_with(MARK)
}

/// A number right before the word with this stem.
pub(super) fn number_of(stem: &str) -> String {
    format!("{NUMBER} {stem}")
}

/// A word without the `s` of the plural.
pub(super) fn singular(word: &str) -> &str {
    word.strip_suffix('s').filter(|word| word.len() > 2).unwrap_or(word)
}

/// The words of a text with where each stands; a time of day such as `10:30` and a number such as `1.5` are one.
pub(super) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_inside = |c: char| c.is_alphanumeric() || matches!(c, '\'' | ':' | '.');
    let starts = text.char_indices().scan(false, move |inside, (at, c)| {
        let begins = is_inside(c) && !*inside;
        *inside = is_inside(c);
        Some(begins.then_some(at))
    });
    starts.flatten().filter_map(move |at| {
        let piece = text[at..].split(|c| !is_inside(c)).next().unwrap_or_default();
        let word = piece.trim_start_matches(|c: char| !c.is_alphanumeric());
        let start = at + piece.len() - word.len();
        let word = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        (!word.is_empty()).then_some((start, word))
    })
}

/// Whether a word is the `one` of `one rowing boat`, and not that of `the last one leaves`.
fn is_one(words: &[String], at: usize) -> bool {
    let next = words.get(at + 1).map_or("", String::as_str);
    let stands_for = at.checked_sub(1).is_some_and(|before| {
        let before = words[before].as_str();
        matches!(before, "the" | "last" | "first" | "this" | "that" | "which" | "each" | "every" | "any" | "no")
    });
    words[at] == "one" && !stands_for && !next.is_empty() && !is_stop_word(next) && singular(next) == next
}

fn is_number(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit()) || NUMBERS.contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_holds_what_a_reader_would_find() {
        for (text, holds, lacks) in [
            ("Dumps are kept for thirty days.", &[SPAN, NUMBER, "#number day"][..], &[MONEY, WHEN, WHO, LENGTH][..]),
            ("The chimney sweep comes every November.", &[WHEN, OFTEN], &[SPAN, NUMBER, WHO]),
            ("A ticket costs 4.50 euros.", &[MONEY, NUMBER], &[SPAN, WHEN]),
            ("The dump begins at 02:30 UTC.", &[WHEN], &[NUMBER, SPAN]),
            ("Whoever wants to paddle swims 200 metres.", &[LENGTH], &[WHO, SPAN, MONEY]),
            ("Ask Jonas at once.", &[WHO, SPAN], &[NUMBER, MONEY]),
            ("The cat is six years old.", &[YEARS, SPAN], &[WHEN]),
            ("It lies in cold storage for a year.", &[SPAN], &[NUMBER, YEARS]),
            ("Keep it below 20 °C.", &[DEGREES], &[MONEY]),
            ("It was painted by the crew.", &[], &[WHEN]),
            ("Be back by six.", &[WHEN], &[WHO]),
            ("Dogs bark. Cats sleep.", &[], &[WHO]),
            ("Dogs bark. Ask Jonas.", &[WHO], &[]),
            ("There is one rowing boat.", &[NUMBER, "#number boat"], &[WHO]),
            ("The last one leaves.", &[], &[NUMBER]),
            ("One of them leaves.", &[], &[NUMBER]),
            ("", &[], &[NUMBER, WHO]),
        ] {
            let found = marks(text);
            holds.iter().for_each(|mark| assert!(found.contains(*mark), "{text} {mark}: {found:?}"));
            lacks.iter().for_each(|mark| assert!(!found.contains(*mark), "{text} {mark}: {found:?}"));
        }
    }
}
