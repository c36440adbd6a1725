//! Does a question find its answer in a few notes, which say it once and in other words? And is it refused when they do not?

use super::tests::{passage, quotes, retrieved};
use super::*;

const NOTES: [(&str, &str); 11] = [
    (
        "Backups",
        "The database is dumped every night at 02:30 UTC. Dumps are kept for thirty days, then they are deleted.",
    ),
    ("Restores", "A restore is rehearsed once a quarter. The last rehearsal took 47 minutes."),
    ("On call", "Whoever is on call answers a page within fifteen minutes. Each shift is paid with 300 euros."),
    ("Logs", "Logs are searchable for fourteen days. Never log e-mail addresses or card numbers."),
    ("Access", "Everybody uses a hardware token. Lost tokens are reported to Jonas at once, also at night."),
    ("Heating", "The chimney sweep comes every November. He needs access to the attic and the cellar."),
    ("Guests", "Parking is free after six. During the day visitors need a ticket, which costs four euros."),
    (
        "Membership",
        "The yearly fee is 48 euros, and half of that for students. New members are on trial for three months.",
    ),
    ("Boats", "The club owns four kayaks and one rowing boat. The rowing boat carries five people."),
    ("Boathouse", "The door code is changed every spring. The last one to leave locks the gate of the club."),
    ("Tours", "The spring tour of the club takes four days. Dogs may come along if nobody objects."),
];

fn ask(question: &str) -> Findings {
    let passages: Vec<_> = NOTES.iter().map(|(title, text)| passage(title, &[title], text)).collect();
    let corpus_passages = passages.len() as u64;
    let task = Task { id: crate::research::TaskId(1), question: question.into() };
    find(&task, &Retrieved { corpus_passages, ..retrieved(question, passages) })
}

#[test]
fn what_is_said_in_other_words_is_found() {
    for (question, phrase) in [
        ("How long do you keep database dumps?", "thirty days"),
        ("How quickly must somebody respond to a page?", "fifteen minutes"),
        ("When is the chimney cleaned?", "every November"),
        ("How far back can logs be searched?", "fourteen days"),
        ("How expensive is parking for visitors?", "four euros"),
        ("How much is the annual membership?", "48 euros"),
        ("How many passengers fit into the rowing boat?", "five people"),
        ("How long does the spring tour last?", "four days"),
        ("Whom should I tell about a lost token?", "Jonas"),
    ] {
        let found = ask(question);
        assert!(
            quotes(&found).iter().any(|quote| quote.contains(phrase)),
            "{question}: {:.2} {found:?}",
            found.coverage
        );
    }
}

#[test]
fn a_kind_of_answer_that_no_sentence_about_it_holds_is_refused() {
    for question in [
        "How many members does the club have?",
        "When was the roof last repaired?",
        "How old are the kayaks?",
        "How much does a restore cost?",
        "Who wrote the rehearsal plan for a restore?",
        "How is the Redis cache flushed?",
        "Where is the vacuum cleaner kept?",
    ] {
        let found = ask(question);
        assert!(found.claims.is_empty(), "{question}: {:.2} {:?}", found.coverage, quotes(&found));
    }
}
