//! Which parts does a question have?
//!
//! A part is a task that can be answered on its own: each of several questions, each clause of a compound question,
//! each side of a comparison, each item of a list that is asked about. A plain question is one task; when in doubt, a
//! question stays whole, because a researcher can find two answers to one question but not undo a wrong cut.

mod clauses;
mod compare;
mod context;
mod lists;

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
        // A question that stays whole stays as it was written.
        let parts = pieces(only);
        return if parts.len() > 1 { parts } else { vec![whole.to_owned()] };
    }
    let mut parts: Vec<String> = Vec::new();
    for clause in &clauses {
        let pieces = pieces(clause);
        // `What is A, and how does it differ from B?`: A alone was asked for already, the difference was not.
        let asked = |piece: &String| parts.iter().any(|part| content(part) == content(piece));
        if pieces.iter().any(asked) {
            parts.push(clause.clone());
        } else {
            parts.extend(pieces);
        }
    }
    parts
}

/// The words that a part asks for.
fn content(part: &str) -> BTreeSet<String> {
    content_stems(part, Language::English).into_iter().map(|word| word.stem).collect()
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
            let stems = content(part);
            !stems.is_empty() && seen.insert(stems)
        })
        .collect()
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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(question: &str, expected: &[&str]) {
        let tasks: Vec<String> = plan(question).tasks.into_iter().map(|task| task.question).collect();
        assert_eq!(tasks, expected, "{question}");
    }

    #[test]
    fn a_plain_question_is_one_task() {
        for question in [
            "How does a supervisor learn that an agent died?",
            "How do threads and channels work together?",
            "What are the advantages and disadvantages of partitioning?",
            "How and when does autovacuum run?",
            "How do I give a user read and write access?",
            "What happens between a crash and the next start?",
            "Which function returns the current date and time?",
            "What is the search and replace command?",
            "How does drag and drop work",
            "Which settings limit memory?",
            "How do I compare text with a pattern?",
            "deadlock",
            "Where are the configuration files, which the server reads, kept?",
        ] {
            check(question, &[question]);
        }
    }

    #[test]
    fn several_questions_are_several_tasks() {
        check("What is a mutex? What is a channel?", &["What is a mutex?", "What is a channel?"]);
        check("Explain ownership. Describe borrowing.", &["Explain ownership.", "Describe borrowing."]);
        check(
            "I run version 15.2. How do I upgrade? Where are the logs?",
            &["I run version 15.2. How do I upgrade?", "Where are the logs?"],
        );
    }

    #[test]
    fn clauses_are_parts_that_stand_on_their_own() {
        check(
            "How do I start the server and how do I stop the server?",
            &["How do I start the server?", "How do I stop the server?"],
        );
        check("What is a view and is it updatable?", &["What is a view?", "Is a view updatable?"]);
        check("What are closures, and what do they capture?", &["What are closures?", "What do closures capture?"]);
        check(
            "How do I create an index concurrently, and what happens if it fails?",
            &["How do I create an index concurrently?", "What happens if it fails (create an index concurrently)?"],
        );
        check(
            "Explain what a mutex is and how it is poisoned.",
            &["Explain what a mutex is", "How it is poisoned (a mutex is)?"],
        );
        check(
            "How do I dump all databases, and how do I load that file again?",
            &["How do I dump all databases?", "How do I load that file again (dump all databases)?"],
        );
        check("What is a deadlock? How can I avoid it?", &["What is a deadlock?", "How can I avoid a deadlock?"]);
    }

    #[test]
    fn tasks_of_a_reader_are_parted_at_the_second_verb() {
        check(
            "How do I back up and restore a database?",
            &["How do I back up a database?", "How do I restore a database?"],
        );
        check("How do I create and drop an index?", &["How do I create an index?", "How do I drop an index?"]);
        check(
            "How can I enable logging and rotate the files?",
            &["How can I enable logging?", "How can I rotate the files?"],
        );
    }

    #[test]
    fn a_comparison_is_one_task_a_side() {
        check("What is the difference between VACUUM and VACUUM FULL?", &["VACUUM", "VACUUM FULL"]);
        check("How does String differ from &str?", &["String", "&str"]);
        check("How do hash joins and merge joins differ?", &["hash joins", "merge joins"]);
        check("Rc<T> versus Arc<T>", &["Rc<T>", "Arc<T>"]);
        check("char vs. varchar in indexes?", &["char in indexes", "varchar in indexes"]);
        check("Compare physical with logical replication.", &["physical replication", "logical replication"]);
        check("How is a trait different from a struct?", &["trait", "struct"]);
        check("Should I use a Vec or an array?", &["Vec", "array"]);
        check(
            "What is a dead letter and how does it differ from a mailbox?",
            &["What is a dead letter?", "How does a dead letter differ from a mailbox?"],
        );
        check("json or jsonb: which type should I take?", &["json", "jsonb"]);
        check("Should it panic or return an error?", &["it panic", "return an error"]);
        check(
            "RefCell<T> compared with Box<T>: when are the rules checked?",
            &["RefCell<T>: when are the rules checked", "Box<T>: when are the rules checked"],
        );
        check("What is the difference between a smart and a fast shutdown?", &["smart shutdown", "fast shutdown"]);
        check("What is the difference between a view and a materialized view?", &["view", "materialized view"]);
        check("Which is faster, COPY or INSERT?", &["COPY", "INSERT"]);
        check("What is the difference between hash and btree indexes?", &["hash indexes", "btree indexes"]);
        check("What are the differences between Box, Rc, and RefCell?", &["Box", "Rc", "RefCell"]);
    }

    #[test]
    fn a_list_that_is_asked_about_is_one_task_an_item() {
        check("What are structs and enums?", &["What are structs?", "What are enums?"]);
        check(
            "What do max_connections and shared_buffers control?",
            &["What do max_connections control?", "What do shared_buffers control?"],
        );
        check("Explain Box<T> and Rc<T>", &["Explain Box<T>", "Explain Rc<T>"]);
    }

    #[test]
    fn many_parts_stay_within_the_bound() {
        let question: String = (0..40).map(|n| format!("What is item{n}? ")).collect();
        let plan = plan(&question);
        assert_eq!(plan.tasks.len(), MAX_TASKS);
        assert!(plan.tasks.last().is_some_and(|task| task.question.contains("item39")));
    }

    proptest! {
        #[test]
        fn there_is_always_a_task_and_never_too_many(
            question in "\\PC{0,120}|((what|how|is|the|and|or|vs|between|difference|compare|with|it|a|Rc<T>|from|,|\\?|\\.|use|differ|create|in)( )?){0,30}"
        ) {
            let plan = plan(&question);
            prop_assert!(!plan.tasks.is_empty() && plan.tasks.len() <= MAX_TASKS);
            for (n, task) in (1..).zip(&plan.tasks) {
                prop_assert_eq!(task.id, TaskId(n));
                prop_assert!(task.question.len() <= question.len() * 2 + 16);
            }
            prop_assert_eq!(plan.question, question);
        }
    }
}
