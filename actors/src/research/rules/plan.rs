//! Which parts does a question have?
//!
//! A part is a task that can be answered on its own: each of several questions, each clause of a compound question,
//! each side of a comparison, each item of a list that is asked about. A plain question is one task; when in doubt, a
//! question stays whole, because a researcher can find two answers to one question but not undo a wrong cut.

mod clauses;
mod compare;
mod context;
mod lists;
mod nouns;
mod verbs;

use std::collections::BTreeSet;

use crate::research::{Plan, Task, TaskId};
use crate::text::{Language, content_stems, normalise};

/// A question has at most this many tasks; what goes beyond stays together in the last one.
pub const MAX_TASKS: usize = 8;

/// The plan for `question`: always at least one task and at most [`MAX_TASKS`].
///
/// ```
/// let plan = callboard_actors::research::rules::plan::plan("What is WAL, and how does it help recovery?");
/// let tasks: Vec<&str> = plan.tasks.iter().map(|task| task.question.as_str()).collect();
/// assert_eq!(tasks, ["What is WAL?", "How does WAL help recovery?"]);
/// ```
pub fn plan(question: &str) -> Plan {
    let whole = normalise(question);
    let parts = distinct(parts(&whole));
    let parts = if parts.is_empty() { vec![whole] } else { bounded(parts) };
    let tasks = (1..).zip(parts).map(|(id, question)| Task { id: TaskId(id), question }).collect();
    Plan { question: question.to_owned(), tasks }
}

fn parts(whole: &str) -> Vec<String> {
    let clauses = context::resolve(clauses::clauses(whole));
    if let [only] = clauses.as_slice() {
        // A question that stays whole stays as it was written, but for a number before it.
        let parts = pieces(only);
        return if parts.len() > 1 { parts } else { vec![clauses::unnumbered(whole).to_owned()] };
    }
    let mut asked: BTreeSet<BTreeSet<String>> = BTreeSet::new();
    let mut parts: Vec<String> = Vec::new();
    for clause in clauses {
        let pieces = pieces(&clause);
        // `What is A, and how does it differ from B?`: A alone was asked for already, the difference was not.
        let again = pieces.iter().any(|piece| asked.contains(&content(piece)));
        let pieces = if again { vec![clause] } else { pieces };
        asked.extend(pieces.iter().map(|piece| content(piece)));
        parts.extend(pieces);
    }
    parts
}

/// The words that a part asks for.
fn content(part: &str) -> BTreeSet<String> {
    let stems = content_stems(part, Language::English).into_iter().map(|word| word.stem);
    stems.chain(letters(part)).collect()
}

fn pieces(clause: &str) -> Vec<String> {
    compare::sides(clause).or_else(|| lists::items(clause)).unwrap_or_else(|| vec![clause.to_owned()])
}

/// Without the parts that ask for the same words as an earlier one, or for no words at all.
fn distinct(parts: Vec<String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    parts
        .into_iter()
        .filter(|part| {
            let asked = content(part);
            let first = part.split_whitespace().next().map(bare);
            // When something is done and who may do it are two questions of the same words.
            let way = first.filter(|word| matches!(word.as_str(), "when" | "where" | "who" | "why" | "how"));
            !asked.is_empty() && seen.insert((way, asked))
        })
        .collect()
}

/// Names of one capital letter, which are function words otherwise (`A`, but neither `I` nor an article that opens).
fn letters(part: &str) -> impl Iterator<Item = String> {
    let alone = !part.contains(' ');
    let words = part.split_whitespace().enumerate().filter(move |(at, _)| alone || *at > 0);
    let names = words.map(|(_, word)| word.trim_matches(|c: char| !c.is_alphanumeric()));
    names.filter(|name| matches!(name.as_bytes(), [b'A'..=b'H' | b'J'..=b'Z'])).map(str::to_owned)
}

fn bounded(mut parts: Vec<String>) -> Vec<String> {
    if parts.len() > MAX_TASKS {
        let rest = parts.split_off(MAX_TASKS - 1);
        parts.push(rest.join(" "));
    }
    parts
}

/// A word as it is compared: lower-case, without the punctuation around it.
fn bare(word: &str) -> String {
    word.trim_matches(|c: char| matches!(c, ',' | ';' | ':' | '.' | '?' | '!' | '(' | ')' | '"')).to_lowercase()
}

/// Whether `word` opens a question: an interrogative.
fn is_interrogative(word: &str) -> bool {
    matches!(word, "how" | "what" | "when" | "where" | "why" | "which" | "who" | "whom" | "whose")
}

/// Whether `word` is an auxiliary verb that can open a question.
fn is_auxiliary(word: &str) -> bool {
    matches!(
        word,
        "is" | "are"
            | "was"
            | "were"
            | "do"
            | "does"
            | "did"
            | "can"
            | "could"
            | "should"
            | "will"
            | "would"
            | "must"
            | "may"
    )
}

/// Whether `word` opens a request.
fn is_request(word: &str) -> bool {
    matches!(
        word,
        "explain" | "describe" | "compare" | "contrast" | "list" | "show" | "name" | "summarize" | "summarise" | "tell"
    )
}

#[cfg(test)]
mod tests;
