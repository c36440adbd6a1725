//! Is a document that attacks inert in every output?

mod cli_support;

use std::fs;

use callboard::Report;
use cli_support::{ATTACK, Place, Ran, is_inert};

const QUESTION: &str = "What is the zeppelin protocol?";

/// A corpus of one document that attacks, and what a quote of it contains.
fn hostile() -> Vec<(Place, &'static str)> {
    let markdown = format!("# Zeppelin {ATTACK}\n\nThe zeppelin protocol is {ATTACK} a protocol for zeppelins.\n");
    let escaped = ATTACK.replace('<', "&lt;");
    let html = format!("<h1>{escaped}</h1><p>The zeppelin protocol is {escaped} a protocol for zeppelins.</p>");
    let plain = format!("The zeppelin protocol is {ATTACK} a protocol for zeppelins.\n");
    let name = if cfg!(unix) { "docs/\u{1b}[31m\u{202e}<b>.txt" } else { "docs/z.txt" };
    vec![
        (Place::empty().file("docs/z.md", markdown), "alert(1)"),
        (Place::empty().file("docs/z.html", html), "<script>alert(1)</script>"),
        (Place::empty().file(name, plain), "<script>alert(1)</script>"),
    ]
}

#[test]
fn every_output_is_inert() {
    for (place, _) in hostile() {
        let place = place.file("docs/skip\u{202e}ped\u{1b}[1m.png", b"\x89PNG\r\n\x1a\n\0\0");
        for output in ["text", "json", "jsonl"] {
            let mut command = place.command([QUESTION, "--corpus", "docs", "--output", output, "--out", "report"]);
            let ran = Ran::of(command.env("RUST_LOG", "debug").output().unwrap());
            assert_eq!(ran.code, 0, "{ran:?}");
            assert!(is_inert(&ran.out), "{output}: {:?}", ran.out);
            assert!(is_inert(&ran.err), "{output}: {:?}", ran.err);
        }
        for name in ["report.md", "report.html", "report.json", "events.jsonl"] {
            let text = fs::read_to_string(place.path("report").join(name)).unwrap();
            assert!(is_inert(&text), "{name}: {text:?}");
        }
    }
}

#[test]
fn markup_stays_text_in_files_and_verbatim_in_quotes() {
    for (place, quoted) in hostile() {
        let ran = place.run([QUESTION, "--corpus", "docs", "--output", "json", "--out", "report"]);
        let report: Report = serde_json::from_value(ran.json()).unwrap();
        let quotes: String = report.citations.iter().map(|citation| citation.quote.as_str()).collect();
        assert!(quotes.contains(quoted), "{quoted} in {quotes}");
        let read = |name: &str| fs::read_to_string(place.path("report").join(name)).unwrap();
        for raw in ["<script", "<img", "</title></style>", "![", "](", "http://"] {
            assert!(!read("report.md").contains(raw), "{raw} in {}", read("report.md"));
            assert!(!report.answer_markdown.contains(raw), "{raw} in {}", report.answer_markdown);
        }
        let page = read("report.html");
        for raw in ["<script", "<img", "javascript:alert(3)\"", "src=\"", "onerror=\""] {
            assert!(!page.contains(raw), "{raw} in {page}");
        }
        assert_eq!((page.matches("</title>").count(), page.matches("</style>").count()), (1, 1));
    }
}

#[test]
fn errors_name_hostile_paths_harmlessly() {
    let place = Place::empty();
    let name = "no\u{1b}[2J\u{202e}where\u{7}\nerror: forged";
    for arguments in
        [&[QUESTION, "--corpus", name][..], &[QUESTION, "--deadline", name], &[QUESTION, "--corpus", "docs", name]]
    {
        let ran = place.run(arguments);
        assert!(ran.code == 2 || ran.code == 3, "{ran:?}");
        assert!(is_inert(&ran.err), "{:?}", ran.err);
        assert!(!ran.err.lines().any(|line| line == "error: forged"), "{}", ran.err);
    }
}
