//! Where does one question end and the next begin?

use super::{bare, is_auxiliary, is_interrogative, is_request};
use crate::text::sentences;

/// The questions in `whole`, in order: sentences, and within them clauses that begin with an interrogative, an
/// auxiliary or a second verb after `and`. A statement before a question stays with it, as what it is asked about.
pub(super) fn clauses(whole: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut statement = String::new();
    for sentence in sentences(whole) {
        let sentence = &whole[sentence.range];
        if !asks(sentence) {
            statement.push_str(sentence);
            statement.push(' ');
            continue;
        }
        let mut parts = split(sentence);
        if let Some(first) = parts.first_mut().filter(|_| !statement.is_empty()) {
            first.insert_str(0, &statement);
            statement.clear();
        }
        out.append(&mut parts);
    }
    if !statement.is_empty() {
        match out.last_mut() {
            Some(last) => *last = format!("{last} {}", statement.trim_end()),
            None => out.push(statement.trim_end().to_owned()),
        }
    }
    out
}

/// Whether a sentence wants an answer.
fn asks(sentence: &str) -> bool {
    let first = sentence.split_whitespace().next().map(bare).unwrap_or_default();
    sentence.ends_with('?') || is_interrogative(&first) || is_request(&first)
}

fn split(sentence: &str) -> Vec<String> {
    let words: Vec<&str> = sentence.split_whitespace().collect();
    let low: Vec<String> = words.iter().map(|word| bare(word)).collect();
    let mut cuts = vec![0];
    for at in 1..words.len() {
        let start = cuts.last().copied().unwrap_or_default();
        // `at` is the first word after the joint.
        let joint = low[at - 1] == "and" || words[at - 1].ends_with(';') || (low[at - 1] == "but" && at > 1);
        if joint && at - start > 3 && words.len() - at > 1 && opens_a_clause(&low, start, at) {
            cuts.push(at);
        }
    }
    if cuts.len() == 1 {
        return verbs(&words, &low).unwrap_or_else(|| vec![sentence.to_owned()]);
    }
    let ends = cuts.iter().skip(1).copied().chain([words.len()]);
    let ranges: Vec<(usize, usize)> = cuts.iter().copied().zip(ends).collect();
    ranges.into_iter().map(|(start, end)| clause(&words[start..end])).collect()
}

fn opens_a_clause(low: &[String], start: usize, at: usize) -> bool {
    let word = low[at].as_str();
    let subject = |word: &str| {
        matches!(
            word,
            "it" | "they" | "there" | "i" | "you" | "we" | "one" | "the" | "a" | "an" | "this" | "that" | "these"
        )
    };
    let first = low[start].as_str();
    let asking = is_interrogative(first)
        || is_auxiliary(first)
        || is_request(first)
        || low[start..at].iter().any(|w| is_interrogative(w));
    let relative = matches!(word, "who" | "whose" | "whom");
    (is_interrogative(word) && asking && !relative)
        || (is_auxiliary(word) && asking && low.get(at + 1).is_some_and(|next| subject(next)))
        || (is_request(word) && is_request(first))
        || (word == "in" && low.get(at + 1).is_some_and(|next| next == "which" || next == "what") && asking)
}

/// The words of one clause without its joint, as a question of its own.
fn clause(words: &[&str]) -> String {
    let mut words = words;
    while let Some((last, rest)) =
        words.split_last().filter(|(last, _)| matches!(bare(last).as_str(), "and" | "but" | ""))
    {
        let _ = last;
        words = rest;
    }
    finish(&words.join(" "))
}

/// `text` with a capital first letter, and a question mark if it opens like a question.
pub(super) fn finish(text: &str) -> String {
    let text = text.trim().trim_end_matches([',', ';', '?', '.', ' ']);
    let first = text.split_whitespace().next().map(bare).unwrap_or_default();
    let mut chars = text.chars();
    let opens = is_interrogative(&first) || is_auxiliary(&first);
    match chars.next() {
        Some(letter) if opens => format!("{}{}?", letter.to_uppercase(), chars.as_str()),
        _ => text.to_owned(),
    }
}

/// Verbs of instructions. Only what follows `and` in `How do I ... and ...` is looked up here.
const VERBS: &str = "access add allow alter analyze append assign attach avoid back backup borrow build bundle call cancel \
catch change check choose clean clear clone close combine commit compile compress compute concatenate configure connect \
convert copy count create debug declare define delete deploy deserialize detach detect disable disconnect document drop \
dump edit enable encrypt enforce exclude execute exit export extract fetch filter find fix force format generate get \
grant group handle implement import improve include increase index initialize insert inspect install invoke iterate join \
kill limit list load lock log loop make measure merge migrate modify monitor mount move mutate open optimize organize \
override parse partition pass pause print promote protect publish read rebuild receive recover reduce refer reload remove \
rename repair replace replicate reset resize resolve restart restore restrict resume return reuse revoke rotate run save \
schedule search secure select send serialize set share shut sort specify split start stop store stream switch test \
terminate throw track transfer trigger troubleshoot truncate tune turn uninstall unlock unwrap update upgrade use vacuum \
validate verify view wait wrap write";

pub(super) fn is_verb(word: &str) -> bool {
    VERBS.split_whitespace().any(|verb| verb == word)
}

/// `How do I VERB .. and VERB ..`: one clause for each verb. A first verb without an object gets that of the second.
fn verbs(words: &[&str], low: &[String]) -> Option<Vec<String>> {
    let lead = match low.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["how", "to", ..] => 2,
        ["how", "do" | "can" | "should" | "could" | "would" | "does", "i" | "you" | "we" | "one", ..] => 3,
        _ => return None,
    };
    let and = (lead + 1..low.len().checked_sub(2)?).find(|at| low[*at] == "and")?;
    let second = and + 1;
    let bare_verb =
        and == lead + 1 || (and == lead + 2 && matches!(low[lead + 1].as_str(), "up" | "down" | "out" | "off" | "on"));
    if !is_verb(&low[lead]) || !is_verb(&low[second]) || (!bare_verb && is_verb(&low[and - 1])) {
        return None;
    }
    let mut first: Vec<&str> = words[..and].to_vec();
    if bare_verb {
        let particle =
            usize::from(low.get(second + 1).is_some_and(|w| matches!(w.as_str(), "up" | "down" | "out" | "off")));
        first.extend(words.get(second + 1 + particle..)?);
    }
    let other: Vec<&str> = words[..lead].iter().chain(&words[second..]).copied().collect();
    Some(vec![finish(&first.join(" ")), finish(&other.join(" "))])
}
