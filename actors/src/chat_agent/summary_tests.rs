//! What is shown of a session, and what goes into its summary? Tables of the pure part.

use super::*;
use crate::chat::ToolCall;

/// A question and an answer of 20 tokens each.
fn exchange(number: u64) -> [(u64, Turn); 2] {
    let text = |what: &str| format!("{what} {number} {}", "x".repeat(48))[..48].to_owned();
    [(2 * number, Turn::user(text("question"))), (2 * number + 1, Turn::assistant(text("answer")))]
}

fn history(exchanges: std::ops::Range<u64>, summary: Option<(&str, u64)>) -> History {
    let summary = summary.map(|(text, through)| Summary { text: text.to_owned(), through });
    History { turns: exchanges.flat_map(exchange).collect(), summary }
}

fn recall(history: &History, most: u64, output_tokens: u32) -> Recalled {
    recalled(history, 1_000, most, output_tokens)
}

fn shown(recalled: &[Turn]) -> Vec<&str> {
    recalled.iter().map(|turn| turn.text.trim_end_matches('x').trim_end()).collect()
}

fn asked(work: &Work) -> &str {
    &work.request.turns[1].text
}

#[test]
fn what_fits_is_shown_as_it_is() {
    let recalled = recall(&history(0..5, None), 200, 999);
    assert_eq!((recalled.shown.len(), recalled.work), (10, None));
}

#[test]
fn what_does_not_fit_is_summarised_but_for_the_newest_half() {
    let mut history = history(0..6, None);
    let Recalled { shown: plain, work } = recall(&history, 200, 999);
    assert_eq!(plain.len(), 10, "plain trimming, when nothing can be summarised");
    let work = work.unwrap();
    assert_eq!((work.through, work.request.max_output_tokens), (7, 50));
    assert!(work.request.turns[0].text.ends_with("at most 36 words."), "{:?}", work.request.turns[0]);
    let read = asked(&work);
    assert!(read.starts_with("user: question 0") && read.contains("assistant: answer 3"), "{read}");
    assert!(!read.contains("question 4"), "{read}");
    let summary = work.done(" so far \n").unwrap();
    assert_eq!(summary, Summary { text: "so far".to_owned(), through: 7 });
    history.summary = Some(summary);
    let Recalled { shown: with, work } = recall(&history, 200, 999);
    let before = ["Summary of what was said before:\nso far", "Noted."];
    assert_eq!(shown(&with), [&before[..], &["question 4", "answer 4", "question 5", "answer 5"]].concat());
    assert_eq!(work, None);
    let roles: Vec<_> = with.iter().map(|turn| turn.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant].repeat(3), "in turn, and it is no instruction of the program");
}

#[test]
fn a_summary_is_used_again_and_grows_by_what_came_since() {
    let kept = Some(("so far", 7));
    let since = |exchanges: std::ops::Range<u64>| recall(&history(exchanges, kept), 200, 999);
    let again = since(0..8);
    assert_eq!(again.work, None, "four exchanges fit beside it");
    assert_eq!(shown(&again.shown)[..3], ["Summary of what was said before:\nso far", "Noted.", "question 4"]);
    let work = since(0..9).work.unwrap();
    let read = asked(&work);
    assert!(read.starts_with("Summary of what was said before:\nso far\n\nuser: question 4"), "{read}");
    assert_eq!(work.through, 13);
}

#[test]
fn nothing_that_is_shown_or_read_grows_without_end_and_a_cut_is_told() {
    let mut long = history(0..6, None);
    long.turns[1].1.text = format!("{}the end", "ä".repeat(50_000));
    let call = ToolCall { id: "1".to_owned(), name: "look".to_owned(), arguments: "{}".to_owned() };
    long.turns[3].1.tool_calls.push(call);
    let work = recall(&long, 200, 30).work.unwrap();
    let read = asked(&work);
    assert!(read.len() <= 8_000 && read.starts_with("user: question 0"), "{} {read}", read.len());
    assert!(read.contains("(cut here: 96008 of 100007 bytes are left out)") && read.contains("the end\n"), "{read}");
    assert!(read.contains("[look {}]"), "{read}");
    assert_eq!(work.request.max_output_tokens, 30);
    let summary = work.done(&"ä".repeat(500)).unwrap();
    assert!(summary.text.len() <= 200 && summary.text.ends_with("ä..."), "a quarter of the bound: {summary:?}");
    let work = recall(&history(0..6, None), 200, 30).work.unwrap();
    assert_eq!(work.done(" \n"), None);
    assert_eq!(recall(&history(0..0, None), 0, 30), Recalled { shown: Vec::new(), work: None });
}

#[test]
fn what_does_not_fit_into_one_call_is_read_by_the_next_one() {
    let mut long = history(0..40, None);
    for (number, turn) in &mut long.turns {
        turn.text = format!("fact {number}; {}", "x".repeat(900));
    }
    let (mut read, mut calls) = (String::new(), 0);
    while let Some(work) = recall(&long, 200, 999).work {
        assert!(asked(&work).len() <= 8_000 + HEAD.len() + 200 && asked(&work).contains("fact"), "{work:?}");
        assert_eq!(work.through % 2, 1, "whole exchanges");
        read.push_str(asked(&work));
        long.summary = work.done("so far");
        calls += 1;
    }
    assert_eq!((long.summary.unwrap().through, calls), (79, 10), "none of them fits in the room");
    for number in 0..80 {
        assert_eq!(read.matches(&format!("fact {number};")).count(), 1, "{number}");
    }
}

#[test]
fn an_exchange_that_is_too_long_for_a_call_is_read_in_parts() {
    let mut long = history(0..1, None);
    let tools = (1..9).map(|number| (number, Turn::tool(number.to_string(), format!("{number}").repeat(3_000))));
    long.turns.splice(1..1, tools);
    long.turns.last_mut().unwrap().0 = 9;
    let mut through = Vec::new();
    while let Some(work) = recall(&long, 200, 999).work {
        through.push(work.through);
        long.summary = work.done("so far");
    }
    assert_eq!(through, [2, 4, 6, 9]);
}

#[test]
fn half_an_exchange_at_the_beginning_costs_no_call() {
    let mut half = history(0..4, None);
    half.turns.remove(0);
    let recalled = recalled(&half, 7, 200, 999);
    assert_eq!((recalled.shown.len(), recalled.work), (6, None));
    let work = super::recalled(&history(0..6, None), 12, 200, 999).work.unwrap();
    assert!(asked(&work).starts_with(LEFT_OUT), "there may be more than was loaded: {work:?}");
}

#[test]
fn a_summary_that_was_written_for_a_larger_bound_is_cut() {
    let long = "x".repeat(8_000);
    let first = recall(&history(4..5, Some((&long, 7))), 200, 999).shown.remove(0);
    assert_eq!(first.text.len(), HEAD.len() + 200);
    assert!(first.text.ends_with("x..."), "{}", first.text);
}

#[test]
fn a_large_newest_exchange_stays_whole_if_it_can() {
    // The longest summary takes 75 tokens of 200, and the question of this exchange 20.
    for (tokens, through) in [(97, 3), (98, 5)] {
        let mut large = history(0..3, None);
        large.turns[5].1.text = "x".repeat(4 * tokens);
        let work = recall(&large, 200, 999).work.unwrap();
        assert_eq!(work.through, through, "otherwise all is summarised");
        large.summary = work.done(&"x".repeat(900));
        let cost: u64 = recall(&large, 200, 999).shown.iter().map(about_tokens).sum();
        assert!(cost <= 200, "{cost}");
    }
}
