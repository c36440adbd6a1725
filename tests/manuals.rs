//! Are two manuals that nobody here wrote read well? The Rust Book and the PostgreSQL manual, as HTML.
//!
//! Without `CALLBOARD_MANUALS` in the environment these tests have nothing to read and pass; `just manuals` gets the
//! manuals, sets it and runs them.

mod corpus_support;

use std::path::PathBuf;
use std::process::Command;

use callboard::corpus::Corpus;
use corpus_support::{Bench, reused, search};

fn wanted() -> bool {
    std::env::var_os("CALLBOARD_MANUALS").is_some_and(|value| !value.is_empty())
}

/// The Rust Book of the toolchain (`rustup component add rust-docs`).
fn book() -> PathBuf {
    let output = Command::new("rustc").args(["--print", "sysroot"]).output().expect("rustc runs");
    let sysroot = String::from_utf8(output.stdout).expect("a path");
    let path = PathBuf::from(sysroot.trim()).join("share/doc/rust/html/book");
    assert!(path.is_dir(), "{} is missing: run `rustup component add rust-docs`", path.display());
    path
}

/// The PostgreSQL manual (`apt-get install postgresql-doc-15`), or another copy named by `CALLBOARD_POSTGRES_MANUAL`.
fn postgres() -> PathBuf {
    let named = std::env::var_os("CALLBOARD_POSTGRES_MANUAL");
    let path = named.map_or_else(|| PathBuf::from("/usr/share/doc/postgresql-doc-15/html"), PathBuf::from);
    assert!(path.is_dir(), "{} is missing: run `apt-get install postgresql-doc-15`", path.display());
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
    if !wanted() {
        return;
    }
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
    if !wanted() {
        return;
    }
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
