//! Does the report number, word and escape what the outcome holds?

use std::sync::Arc;

use super::*;
use crate::research::{Claim, Generator, Missing, Plan, Section, Status, Task, TaskId, Usage};

fn evidence(file: &str, start: usize, quote: &str) -> Evidence {
    Evidence {
        source: Arc::from("ab12"),
        corpus: Arc::from("docs"),
        file: Arc::from(file),
        title: Arc::from("Title"),
        headings: vec!["Top".into()],
        start,
        end: start + quote.len(),
        quote: quote.into(),
    }
}

fn claim(evidence: Vec<Evidence>) -> Claim {
    Claim { text: evidence[0].quote.clone(), evidence, wider: Vec::new(), score: 1.0 }
}

fn outcome(tasks: &[&str], sections: Vec<(u32, Vec<Claim>)>, missing: Vec<(u32, MissingCause)>) -> Outcome {
    let tasks: Vec<Task> =
        (1..).zip(tasks).map(|(id, question)| Task { id: TaskId(id), question: (*question).into() }).collect();
    let question_of = |id: u32| tasks[id as usize - 1].question.clone();
    let sections = sections
        .into_iter()
        .map(|(id, claims)| Section { task: TaskId(id), heading: question_of(id), claims })
        .collect();
    let missing =
        missing.into_iter().map(|(id, cause)| Missing { task: TaskId(id), question: question_of(id), cause }).collect();
    Outcome {
        run_id: "r1".into(),
        question: "the whole question".into(),
        plan: Plan { question: "the whole question".into(), tasks },
        draft: Draft { sections },
        missing,
        unread: Vec::new(),
        status: Status::Partial,
        cancelled: None,
        failure: None,
        notes: Vec::new(),
        rules_instead: Vec::new(),
        generator: Generator::extractive(),
        struck: 0,
        usage: Usage::default(),
    }
}

fn report(outcome: Outcome) -> Report {
    assemble(outcome, Vec::new(), Timing::default())
}

#[test]
fn citations_are_numbered_by_first_use() {
    let (one, two) = (evidence("b.md", 5, "one"), evidence("a.md", 5, "two"));
    let sections = vec![
        (1, vec![claim(vec![one.clone()]), claim(vec![two.clone(), one.clone(), two.clone()])]),
        (2, vec![claim(vec![one.clone()])]),
    ];
    let report = report(outcome(&["first", "second"], sections, Vec::new()));
    let files: Vec<_> = report.citations.iter().map(|citation| (citation.id, citation.file.as_str())).collect();
    assert_eq!(files, [(1, "b.md"), (2, "a.md")]);
    let used: Vec<_> = report.findings.iter().map(|finding| finding.citations.clone()).collect();
    assert_eq!(used, [vec![1], vec![2, 1], vec![1]]);
}

#[test]
fn other_bytes_of_the_same_file_are_another_citation() {
    let claims = vec![claim(vec![evidence("a.md", 5, "one")]), claim(vec![evidence("a.md", 50, "one")])];
    let report = report(outcome(&["first"], vec![(1, claims)], Vec::new()));
    assert_eq!(report.citations.iter().map(|citation| citation.start).collect::<Vec<_>>(), [5, 50]);
}

#[test]
fn the_answer_quotes_under_the_headings_of_the_plan() {
    let sections =
        vec![(1, vec![claim(vec![evidence("a.md", 0, "One.")])]), (3, vec![claim(vec![evidence("b.md", 0, "Two.")])])];
    let missing = vec![(2, MissingCause::NoEvidence)];
    let report = report(outcome(&["first?", "second?", "third?"], sections, missing));
    assert_eq!(report.answer_markdown, "## first?\n\n- “One.” [1]\n\n## third?\n\n- “Two.” [2]\n");
    assert_eq!(report.not_found, ["No evidence was found for “second?”."]);
}

#[test]
fn a_single_part_that_is_the_question_may_go_without_heading() {
    let sections = vec![(1, vec![claim(vec![evidence("a.md", 0, "One.")])])];
    let report = report(outcome(&["the whole question"], sections, Vec::new()));
    assert_eq!(answer_markdown(&report, Headings::UnlessAlone), "- “One.” [1]\n");
    assert!(report.answer_markdown.starts_with("## the whole question\n"));
}

#[test]
fn markup_is_escaped_in_the_answer_and_verbatim_in_the_quote() {
    let quote = "<img src=x onerror=alert(1)> ![a](http://e.org) \u{1b}[2J";
    let sections = vec![(1, vec![claim(vec![evidence("a.md", 0, quote)])])];
    let report = report(outcome(&["# <b>head"], sections, Vec::new()));
    assert_eq!(report.citations[0].quote, quote);
    assert_eq!(report.findings[0].text, quote);
    for raw in ["<img", "![", "](", "http:", "\u{1b}", "<b>"] {
        assert!(!report.answer_markdown.contains(raw), "{raw} in {}", report.answer_markdown);
    }
}

#[test]
fn each_cause_has_its_sentence() {
    let causes = [
        (MissingCause::NoEvidence, "No evidence"),
        (MissingCause::Failed("it broke".into()), "failed (it broke)"),
        (MissingCause::Cancelled(CancelReason::Deadline), "deadline"),
        (MissingCause::Cancelled(CancelReason::Interrupted), "interrupted"),
        (MissingCause::Cancelled(CancelReason::Redundant), "no longer needed"),
        (MissingCause::Cancelled(CancelReason::Parent), "stopped"),
        (MissingCause::Struck, "struck"),
        (MissingCause::NoRoom, "no room"),
    ];
    for (cause, words) in causes {
        let report = report(outcome(&["why so?"], Vec::new(), vec![(1, cause)]));
        assert_eq!(report.not_found.len(), 1);
        assert!(
            report.not_found[0].contains(words) && report.not_found[0].contains("why so?"),
            "{:?}",
            report.not_found
        );
    }
}

#[test]
fn nothing_is_missing_from_a_complete_report() {
    let sections = vec![(1, vec![claim(vec![evidence("a.md", 0, "One.")])])];
    let mut ended = outcome(&["asked?", "added?"], sections, vec![(2, MissingCause::NoEvidence)]);
    ended.status = Status::Complete;
    let report = report(ended);
    assert_eq!(report.not_found, Vec::<String>::new());
    assert_eq!(report.notes, ["“added?” was looked for in addition, and nothing was found."]);
}

#[test]
fn a_run_without_a_plan_says_why() {
    let mut ended = outcome(&[], Vec::new(), Vec::new());
    (ended.cancelled, ended.status) = (Some(CancelReason::Deadline), Status::Failed);
    let report = report(ended);
    assert_eq!(report.not_found, ["“the whole question” was not worked on: the deadline passed."]);
    assert!(report.findings.is_empty());
    assert_eq!(report.answer_markdown, "There is no answer: the question was not worked on to its end.\n");
}

#[test]
fn what_was_retrieved_and_not_read_is_listed_and_told_from_nothing() {
    let passage = |file: &str, text: &str| Passage {
        source: "ab12".into(),
        corpus: "docs".into(),
        file: file.into(),
        title: "Title".into(),
        headings: Vec::new(),
        start: 7,
        end: 7 + text.len(),
        text: text.into(),
        score: 1.0,
    };
    let late = |status, sections| {
        let cause = MissingCause::Cancelled(CancelReason::Interrupted);
        let mut ended = outcome(&["first?", "second?"], sections, vec![(2, cause)]);
        let passages = vec![passage("a.md", "One\n two."), passage("b.md", "Three.")];
        (ended.status, ended.unread) = (status, vec![Unread { task: TaskId(2), passages }]);
        report(ended)
    };
    let alone = late(Status::Failed, Vec::new());
    let said = "There is no answer: the run ended before what it had retrieved was read.\n";
    assert_eq!(alone.answer_markdown, said);
    let missing = "“second?” was not finished: the run was interrupted; 2 passages were retrieved for it and not read.";
    assert_eq!(alone.not_found, [missing]);
    let beside = late(Status::Partial, vec![(1, vec![claim(vec![evidence("a.md", 0, "One.")])])]);
    assert!(!beside.answer_markdown.contains("no answer"), "{}", beside.answer_markdown);
    let places = beside.unread.iter().map(|UnreadPassage { task, passage }| {
        (task.0, passage.id, passage.file.as_str(), passage.quote.as_str(), passage.start, passage.end)
    });
    let expected = [(2, 2, "a.md", "One two.", 7, 16), (2, 3, "b.md", "Three.", 7, 13)];
    assert_eq!(places.collect::<Vec<_>>(), expected, "ids go on after those of the citations");
    let mut nothing = outcome(&["why?"], Vec::new(), vec![(1, MissingCause::NoEvidence)]);
    nothing.status = Status::NoEvidence;
    assert!(report(nothing).answer_markdown.starts_with("No passage was found"));
}

#[test]
fn a_models_words_are_a_paragraph_and_quotes_are_a_list() {
    let words = |text: &str| Claim { text: text.into(), ..claim(vec![evidence("a.md", 5, "quoted")]) };
    let sections =
        vec![(1, vec![words("One."), words("*Two*."), claim(vec![evidence("a.md", 5, "quoted")]), words("Three.")])];
    let report = report(outcome(&["the whole question"], sections, Vec::new()));
    let answer = answer_markdown(&report, Headings::UnlessAlone);
    assert_eq!(answer, "One. [1] \\*Two\\*. [1]\n\n- “quoted” [1]\n\nThree. [1]\n\n");
}
