//! Are two manuals that nobody here wrote read well? The Rust Book and the PostgreSQL manual, as HTML.
//!
//! Not part of `cargo test`, because the manuals are not part of the repository: `just manuals` gets them and runs this.

mod cli_support;
mod corpus_support;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use callboard::actors::research::Report;
use callboard::corpus::Corpus;
use cli_support::Place;
use corpus_support::{Bench, reused, search};

/// The Rust Book of the toolchain.
fn book() -> PathBuf {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().expect("rustc runs");
    let sysroot = String::from_utf8(output.stdout).expect("a path");
    manual("CALLBOARD_RUST_BOOK", Path::new(sysroot.trim()).join("share/doc/rust/html/book"))
}

/// The PostgreSQL manual of Debian's package.
fn postgres() -> PathBuf {
    manual("CALLBOARD_POSTGRES", PathBuf::from("/usr/share/doc/postgresql-doc-15/html"))
}

fn manual(variable: &str, usual: PathBuf) -> PathBuf {
    let path = std::env::var_os(variable).map_or(usual, PathBuf::from);
    assert!(path.is_dir(), "{} is missing: `just manuals` gets it, or name another copy by {variable}", path.display());
    path
}

/// One of the best five passages is in the file and has the words.
#[track_caller]
fn answers(corpus: &Corpus, question: &str, file: &str, words: &str) {
    let retrieved = search(corpus, question);
    let best: Vec<_> = retrieved.passages.iter().take(5).collect();
    let found = best.iter().any(|passage| &*passage.file == file && passage.text.contains(words));
    assert!(found, "{question}: {:#?}", best.iter().map(|passage| (&passage.file, &passage.text)).collect::<Vec<_>>());
}

#[track_caller]
fn leaves_out(corpus: &Corpus, file: &str, reason: &str) {
    let found = corpus.skipped().iter().find(|skipped| skipped.file == file);
    let found = found.unwrap_or_else(|| panic!("{file} was read"));
    assert!(found.reason.contains(reason), "{file}: {}", found.reason);
}

#[test]
fn the_rust_book() {
    let bench = Bench::new();
    let corpus = bench.open(&[book()]);
    answers(&corpus, "Can Rust call drop explicitly?", "ch15-03-drop.html", "not allowed to explicitly call drop");
    answers(&corpus, "What is a dangling reference?", "ch04-02-references-and-borrowing.html", "dangling");
    answers(
        &corpus,
        "When does Rust check borrowing rules with RefCell?",
        "ch15-05-interior-mutability.html",
        "runtime",
    );
    leaves_out(&corpus, "print.html", "repeats");
    leaves_out(&corpus, "toc.html", "only links");
    leaves_out(&corpus, "ch17-00-oop.html", "redirects");
    leaves_out(&corpus, "title-page.html", "the same text as index.html");
    let stubs = corpus.skipped().iter().filter(|skipped| skipped.file.starts_with("second-edition/ch"));
    assert!(stubs.count() > 80, "pages that only say where the book has gone");
}

#[test]
fn the_postgresql_manual() {
    let bench = Bench::new();
    let corpus = bench.open(&[postgres()]);
    assert!(corpus.documents() > 1_000, "{}", corpus.documents());
    answers(
        &corpus,
        "What is the default of autovacuum_vacuum_scale_factor?",
        "runtime-config-autovacuum.html",
        "The default is 0.2",
    );
    answers(&corpus, "Which lock does VACUUM FULL take?", "routine-vacuuming.html", "ACCESS EXCLUSIVE");
    answers(&corpus, "What does age(timestamp) subtract?", "functions-datetime.html", "Subtract");
    leaves_out(&corpus, "bookindex.html", "only links");
    for passage in search(&corpus, "Prev Up Home Next").passages {
        assert!(!passage.text.contains("Prev Up"), "navigation is not text: {}", passage.text);
    }
    let (_, seen) = bench.watch(&[postgres()]);
    assert!(reused(&seen) > 1_000, "a second time nothing is read");
}

/// Headings of the Book, as they stand in its pages today: nobody wrote these questions, and the repository has none.
fn headings(book: &Path) -> Vec<(String, String)> {
    let mut pages: Vec<_> = fs::read_dir(book).expect("a folder").filter_map(|entry| entry.ok()).collect();
    pages.sort_by_key(|page| page.file_name());
    let mut found = BTreeSet::new();
    for page in pages {
        let file = page.file_name().to_string_lossy().into_owned();
        if !(file.starts_with("ch0") || file.starts_with("ch1")) || !file.ends_with(".html") {
            continue;
        }
        let html = fs::read_to_string(page.path()).expect("a page");
        for heading in html.split("<h2 id=\"").skip(1).filter_map(|rest| rest.split("</h2>").next()) {
            let mut text = String::new();
            let mut in_tag = true;
            for c in heading.chars() {
                match c {
                    '<' => in_tag = true,
                    '>' => in_tag = false,
                    c if !in_tag => text.push(c),
                    _ => {}
                }
            }
            // Four plain words make a question that says what it is about.
            if text.split(' ').count() >= 4 && !text.contains(['&', '(', '!']) {
                found.insert((file.clone(), text));
            }
        }
    }
    found.into_iter().collect()
}

#[test]
fn questions_that_stand_nowhere_in_the_repository() {
    let book = book();
    let headings = headings(&book);
    assert!(headings.len() > 40, "{}", headings.len());
    let place = Place::empty();
    let corpus = book.to_str().expect("a path in UTF-8");
    let (mut asked, mut right) = (0, 0);
    for (file, heading) in headings.iter().step_by(4) {
        let question = format!("What does the book say about {}?", heading.to_lowercase());
        let ran = place.run([question.as_str(), "--corpus", corpus, "--output", "json", "--out", "report"]);
        let report: Report = serde_json::from_value(ran.json()).expect("a report");
        for citation in &report.citations {
            let stored = fs::read(place.path(&format!("report/sources/{}.txt", citation.source))).expect("a source");
            let quoted = std::str::from_utf8(&stored[citation.start..citation.end]).expect("whole characters");
            assert_eq!(quoted.split_whitespace().collect::<Vec<_>>().join(" "), citation.quote, "{question}");
        }
        asked += 1;
        right += usize::from(report.citations.iter().any(|citation| citation.file == *file));
    }
    assert!(right * 10 >= asked * 8, "{right} of {asked} questions found their page");
}
