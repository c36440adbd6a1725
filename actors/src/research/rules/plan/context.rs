//! What does `it` mean in the second half of a question? A clause that leans on an earlier one is made to stand alone
//! where a noun phrase of that one can stand for the pronoun. Where none is clear, a clause with hardly a word of its own
//! stays with the one before; in a longer one the pronoun stays, and the researcher, who searches for the whole question
//! too, has to see what it means.

use super::nouns::{Noun, nouns};
use super::{bare, is_auxiliary};
use crate::text::{Language, content_stems};

/// The clauses, with the first pronoun of each replaced by what it stands for in an earlier one, if that is clear.
pub(super) fn resolve(clauses: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for clause in clauses {
        match (replaced(&clause, &out), out.last_mut()) {
            (Some(complete), _) => out.push(complete),
            (None, Some(before)) if leans(&clause) => *before = format!("{before} {clause}"),
            (None, _) => out.push(clause),
        }
    }
    out
}

/// Whether a clause says next to nothing without the one before it: a pronoun and hardly anything else.
fn leans(clause: &str) -> bool {
    let low: Vec<String> = clause.split_whitespace().map(bare).collect();
    let pronoun = (0..low.len()).find(|at| number(&low[*at]).is_some() && !is_empty_subject(&low, *at));
    pronoun.is_some_and(|at| !is_event(&low, at)) && content_stems(clause, Language::English).len() <= MOST_WORDS
}

/// With more words of its own, a clause can be searched for.
const MOST_WORDS: usize = 2;

/// The clause without its pronoun; `None` when there is none, or nothing clear that it stands for.
fn replaced(clause: &str, earlier: &[String]) -> Option<String> {
    let words: Vec<&str> = clause.split_whitespace().collect();
    let low: Vec<String> = words.iter().map(|word| bare(word)).collect();
    let at = (0..words.len()).find(|at| number(&low[*at]).is_some() && !is_empty_subject(&low, *at))?;
    let plural = number(&low[at])?;
    // What stands before the pronoun in its own clause is nearer than what an earlier clause names.
    if nouns(&words[..at]).iter().any(|noun| noun.plural == plural) || is_event(&low, at) {
        return None;
    }
    let fitting = |clause: &String| -> Vec<Noun> {
        let words: Vec<&str> = clause.split_whitespace().collect();
        nouns(&words).into_iter().filter(|noun| noun.plural == plural).collect()
    };
    let found = earlier.iter().rev().map(fitting).find(|found| !found.is_empty())?;
    let [noun] = found.as_slice() else { return None };
    let owner = match low[at].as_str() {
        "its" => "'s",
        "their" => "'",
        _ => "",
    };
    let tail = words[at].trim_start_matches(|c: char| c.is_alphanumeric());
    let name = format!("{}{owner}{tail}", noun.text);
    let all: Vec<&str> =
        words[..at].iter().copied().chain([name.as_str()]).chain(words[at + 1..].iter().copied()).collect();
    Some(all.join(" "))
}

/// Whether a pronoun stands for several; `None` for a word that is no pronoun.
fn number(word: &str) -> Option<bool> {
    match word {
        "it" | "its" => Some(false),
        "they" | "them" | "their" => Some(true),
        _ => None,
    }
}

/// `is it safe to`, `does it matter`: nothing is meant by this `it`.
fn is_empty_subject(low: &[String], at: usize) -> bool {
    let asked = at > 0 && is_auxiliary(&low[at - 1]) && low[at] == "it";
    let to = low.iter().skip(at + 1).take(3).any(|word| matches!(word.as_str(), "to" | "that" | "if"));
    let matter = low.get(at + 1).is_some_and(|word| matches!(word.as_str(), "matter" | "possible" | "take"));
    asked && (to || matter)
}

/// `if it fails`: not the thing, but what is done with it.
fn is_event(low: &[String], at: usize) -> bool {
    let done = low.get(at + 1).is_some_and(|word| matches!(word.as_str(), "fails" | "works" | "succeeds" | "failed"));
    done && at > 0 && matches!(low[at - 1].as_str(), "if" | "when")
}
