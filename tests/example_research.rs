//! Does examples/research.rs do the same job as the command?

mod cli_support;

#[path = "../examples/research.rs"]
#[allow(dead_code, reason = "its main is for people")]
mod example;

use callboard::{ExitStatus, Status};
use cli_support::{Place, QUESTION};

#[tokio::test]
async fn the_example_asks_and_watches() {
    let place = Place::with_docs();
    let corpus = [place.path("docs").to_string_lossy().into_owned()];
    let mut seen = Vec::new();
    let finished = example::ask(QUESTION, &corpus, &mut seen).await.unwrap();
    assert_eq!((finished.report.status, finished.exit), (Status::Complete, ExitStatus::Complete));
    assert!(finished.report.citations[0].quote.contains("exit notice"), "{:?}", finished.report);
    let seen = String::from_utf8(seen).unwrap();
    assert!(seen.contains("t1 started") && seen.ends_with("the run ended: Complete\n"), "{seen}");
}

#[tokio::test]
async fn an_error_says_what_to_do() {
    let error = example::ask(QUESTION, &[], &mut Vec::new()).await.unwrap_err();
    assert_eq!((error.code(), error.exit_status()), ("missing_corpus", ExitStatus::Usage));
    assert!(error.hint().contains("`Research::corpus`"), "{}", error.hint());
}

#[test]
fn the_example_is_short() {
    let lines = include_str!("../examples/research.rs").lines().count();
    assert!(lines < 60, "{lines} lines: an example shows one thing");
}
