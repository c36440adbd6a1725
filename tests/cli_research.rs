//! Does the binary answer as docs/command-line.md and docs/report.md say?

mod cli_support;

use std::fs;
use std::path::{Path, PathBuf};

use callboard::Report;
use cli_support::{Place, QUESTION, Ran};
use serde_json::Value;

#[test]
fn a_report_is_printed_and_progress_goes_elsewhere() {
    let place = Place::with_docs();
    let ran = place.run([QUESTION, "--corpus", "docs"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.starts_with(&format!("{QUESTION}\n\n  - “")), "{}", ran.out);
    for part in ["exit notice", "[1]", "\nSources\n", "docs/core.md\n", "Supervision", "no language model was called"] {
        assert!(ran.out.contains(part), "{part} in {}", ran.out);
    }
    for part in ["corpus ready: 2 documents", "t1: started", "t1: found", "finished: complete"] {
        assert!(ran.err.contains(part) && !ran.out.contains(part), "{part} in {}", ran.err);
    }
    assert!(!ran.out.contains('\u{1b}') && !ran.err.contains('\u{1b}'), "{ran:?}");
}

#[test]
fn the_json_has_the_documented_shape() {
    let place = Place::with_docs().file("docs/logo.png", b"\x89PNG\r\n\x1a\n\0\0");
    let ran = place.run([QUESTION, "--corpus", "docs", "--output", "json", "--quiet"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    let object = ran.json();
    let keys: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "schema_version",
        "run_id",
        "question",
        "status",
        "generator",
        "plan",
        "answer_markdown",
        "findings",
        "citations",
        "not_found",
        "notes",
        "rules_instead",
        "skipped",
        "unread",
        "usage",
        "timing_ms",
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    let report: Report = serde_json::from_value(object.clone()).unwrap();
    assert_eq!((object["status"].as_str(), report.question.as_str()), (Some("complete"), QUESTION));
    assert_eq!((object["generator"]["kind"].as_str(), report.usage.model_calls), (Some("extractive"), 0));
    assert_eq!(object["usage"]["cost_usd"], Value::Null);
    assert_eq!(report.skipped.iter().map(|file| file.file.as_str()).collect::<Vec<_>>(), ["logo.png"]);
    assert!(report.timing_ms.total >= report.timing_ms.index);
    for finding in &report.findings {
        assert!(report.plan.iter().any(|part| part.id == finding.task));
        assert!(finding.citations.iter().all(|id| report.citations.iter().any(|citation| citation.id == *id)));
    }
}

#[test]
fn every_citation_is_in_the_stored_bytes() {
    let place = Place::with_docs();
    let question = "What is a mailbox, and what is a dead letter?";
    let ran = place.run([question, "--corpus", "docs", "--output", "json", "--out", "report"]);
    let report: Report = serde_json::from_value(ran.json()).unwrap();
    assert!(report.citations.len() >= 2, "{report:?}");
    for (number, citation) in (1..).zip(&report.citations) {
        let stored = fs::read(place.path(&format!("report/sources/{}.txt", citation.source))).unwrap();
        let quoted = std::str::from_utf8(&stored[citation.start..citation.end]).unwrap();
        assert_eq!(quoted.split_whitespace().collect::<Vec<_>>().join(" "), citation.quote);
        assert_eq!((citation.id, citation.corpus.as_str()), (number, "docs"));
        assert!(place.path("docs").join(&citation.file).is_file(), "{}", citation.file);
    }
}

#[test]
fn the_folder_holds_what_standard_output_says() {
    let place = Place::with_docs();
    let ran = place.run([QUESTION, "--corpus", "docs", "--output", "jsonl", "--out", "a/report"]);
    let read = |name: &str| fs::read_to_string(place.path("a/report").join(name)).unwrap();
    let lines = ran.lines();
    let (report, events) = lines.split_last().unwrap();
    let mut written: Value = serde_json::from_str(&read("report.json")).unwrap();
    written["type"] = "report".into();
    assert_eq!(&written, report);
    let logged: Vec<Value> = read("events.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(logged, events);
    assert!(read("report.md").contains(&format!("-->\n\n# {QUESTION}\n")));
    assert!(read("report.html").contains(&format!("<h1 dir=\"auto\">{QUESTION}</h1>")));
    let left: Vec<_> = fs::read_dir(place.path("a/report")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 5, "{left:?}");
}

#[test]
fn event_lines_carry_run_and_number_and_the_report_comes_last() {
    let place = Place::with_docs();
    let ran = place.run([QUESTION, "--corpus", "docs", "--output", "jsonl"]);
    let lines = ran.lines();
    let (report, events) = lines.split_last().unwrap();
    assert_eq!((report["type"].as_str(), report.get("seq")), (Some("report"), None));
    for (seq, event) in (1..).zip(events) {
        assert_eq!((event["seq"].as_u64(), &event["run_id"]), (Some(seq), &report["run_id"]), "{event}");
        assert_eq!(event["schema_version"], 1);
    }
    assert_eq!(events.first().unwrap()["type"], "run_started");
    assert_eq!(events.last().unwrap()["type"], "run_finished");
}

#[test]
fn a_part_without_an_answer_is_named() {
    let place = Place::with_docs();
    let question = "What is a dead letter, and what is a quasar nebula?";
    let ran = place.run([question, "--corpus", "docs", "--output", "json"]);
    let report = ran.json();
    assert_eq!((ran.code, report["status"].as_str()), (6, Some("partial")), "{report}");
    assert!(report["not_found"][0].as_str().unwrap().contains("quasar"), "{report}");
    assert_eq!(report.get("error"), None);
}

#[test]
fn nothing_found_is_said_and_has_its_code() {
    let place = Place::with_docs();
    let question = "Which volcano erupted near Reykjavik yesterday?";
    let ran = place.run([question, "--corpus", "docs"]);
    assert_eq!(ran.code, 7, "{ran:?}");
    assert!(ran.err.contains("hint: rules look for the question's own words"), "{ran:?}");
    assert!(ran.out.contains("No passage was found") && ran.out.contains("What was not found"), "{}", ran.out);
    let ran = place.run([question, "--corpus", "docs", "--output", "json"]);
    let report = ran.json();
    assert_eq!((ran.code, report["status"].as_str()), (7, Some("no_evidence")));
    assert_eq!((report["findings"].as_array().unwrap().len(), report["citations"].as_array().unwrap().len()), (0, 0));
}

#[test]
fn several_corpora_are_searched_and_named_as_given() {
    let place = Place::with_docs().file("more.txt", "A quasar nebula is a luminous object far away.\n");
    let question = "What is a dead letter, and what is a quasar nebula?";
    let ran = place.run([question, "--corpus", "docs", "--corpus", "more.txt", "--output", "json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let report: Report = serde_json::from_value(ran.json()).unwrap();
    let mut corpora: Vec<_> = report.citations.iter().map(|citation| citation.corpus.as_str()).collect();
    corpora.sort_unstable();
    corpora.dedup();
    assert_eq!(corpora, ["docs", "more.txt"]);
    let text = place.run([question, "--corpus", "docs", "--corpus", "more.txt"]);
    assert!(text.out.contains("] more.txt:1\n"), "{}", text.out);
}

#[test]
fn the_plan_needs_no_corpus() {
    let place = Place::empty();
    let question = "What is a dead letter, and what is a mailbox?";
    let text = place.run([question, "--plan-only"]);
    assert_eq!((text.code, text.err.as_str()), (0, ""));
    assert!(text.out.contains("\n  t1  ") && text.out.contains("\n  t2  "), "{}", text.out);
    let json = place.run([question, "--plan-only", "--output", "json"]).json();
    let keys: Vec<_> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["generator", "plan", "question", "rules_instead", "schema_version"]);
    assert_eq!(json["plan"].as_array().unwrap().len(), 2);
    let line = place.run([question, "--plan-only", "--output", "jsonl"]).lines();
    assert_eq!((line.len(), line[0]["type"].as_str()), (1, Some("plan")));
}

#[test]
fn a_key_is_named_and_never_used_or_shown() {
    let place = Place::with_docs();
    let canary = "sk-canary-7f3a9";
    let run = |arguments: &[&str]| {
        let mut command = place.command([QUESTION, "--corpus", "docs", "--out", "report", "--output", "jsonl"]);
        Ran::of(command.args(arguments).env("OPENAI_API_KEY", canary).env("RUST_LOG", "trace").output().unwrap())
    };
    let ran = run(&[]);
    assert!(ran.err.contains("note: OPENAI_API_KEY found; add --model openai/NAME to use it"), "{}", ran.err);
    let files = ["report.md", "report.html", "report.json", "events.jsonl"];
    let written: String = files.map(|name| fs::read_to_string(place.path("report").join(name)).unwrap()).concat();
    assert!(![&ran.out, &ran.err, &written].iter().any(|text| text.contains(canary)));
    assert!(!run(&["--quiet"]).err.contains("OPENAI_API_KEY"));
}

/// What the keys would be worth to a thief stands in no output, no file of the report and no file of the cache.
#[test]
fn no_secret_is_in_any_output_or_file() {
    const CANARY: &str = "sk-canary-51d0c7";
    let place = Place::with_docs();
    let answered = ["--corpus", "docs", "--out", "report"];
    let late = ["--corpus", "docs", "--out", "late", "--deadline", "1ms"];
    for (arguments, code) in [(&answered[..], 0), (&late[..], 5), (&["--corpus", "nowhere"], 3), (&["--nonsense"], 2)] {
        for output in ["text", "json", "jsonl"] {
            let mut command = place.command([QUESTION, "-vv", "--output", output]);
            command.args(arguments).env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
            for key in ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"] {
                command.env(key, CANARY);
            }
            let ran = Ran::of(command.output().unwrap());
            assert_eq!(ran.code, code, "{ran:?}");
            assert!(!ran.out.contains(CANARY) && !ran.err.contains(CANARY), "{arguments:?} {output}");
        }
    }
    let files = files_below(&place.path("."));
    for name in ["report/report.json", "report/report.html", "report/report.md", "report/events.jsonl", "cache"] {
        assert!(files.iter().any(|(path, _)| path.to_string_lossy().contains(name)), "{name} was not looked at");
    }
    for (path, content) in files {
        assert!(!content.windows(CANARY.len()).any(|bytes| bytes == CANARY.as_bytes()), "{}", path.display());
    }
}

fn files_below(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![(path.clone(), fs::read(path).unwrap())] })
        .collect()
}

#[test]
fn traces_hold_no_text_of_question_or_document() {
    let place = Place::with_docs();
    let ran =
        Ran::of(place.command([QUESTION, "--corpus", "docs", "--quiet"]).env("RUST_LOG", "trace").output().unwrap());
    assert_eq!(ran.code, 0, "{ran:?}");
    for text in ["supervisor learn", "exit notice", "dead letter is"] {
        assert!(!ran.err.contains(text), "{text} in {}", ran.err);
    }
}

#[test]
fn verbose_shows_the_index_the_run_and_its_tasks_from_start_to_end() {
    let place = Place::with_docs();
    let ran = place.run([QUESTION, "--corpus", "docs", "-v"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.err.lines().filter(|line| line.contains("index ready documents=2")).count(), 1, "{}", ran.err);
    let shows = |span: &str, what: &str| ran.err.lines().any(|line| line.contains(span) && line.contains(what));
    for span in [" run{run_id=", ":task{task=t1 attempt=1}"] {
        assert!(shows(span, ": begins") && shows(span, ": is over, ") && shows(span, " at work and "), "{}", ran.err);
    }
    let repeats = |line: &str| line.matches("run_id=").count() > 1;
    assert_eq!(ran.err.lines().find(|line| repeats(line)), None, "the run's span says its id");
    for text in ["supervisor learn", "exit notice"] {
        let traced = |line: &&str| line.contains(" INFO ") && line.contains(text);
        assert_eq!(ran.err.lines().find(traced), None);
    }
    assert!(!place.run([QUESTION, "--corpus", "docs"]).err.contains("index ready"));
}

#[test]
fn help_and_version_are_answers() {
    let place = Place::empty();
    let help = place.run(["--help"]);
    assert_eq!((help.code, help.err.as_str()), (0, ""));
    for part in
        ["--corpus", "--max-researchers", "--deadline", "--plan-only", "--output", "--out", "Examples:", "Exit codes:"]
    {
        assert!(help.out.contains(part), "{part} in {}", help.out);
    }
}

#[test]
fn every_list_of_exit_codes_has_the_same_codes() {
    let help = Place::empty().run(["--help"]).out;
    let list = help.split("Exit codes:").nth(1).unwrap();
    let in_help: Vec<u8> = list.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
    assert_eq!(in_help, [0, 1, 2, 3, 4, 5, 6, 7, 130]);
    for name in ["README.md", "docs/command-line.md"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
        let table = text.split("## Exit codes").nth(1).unwrap().split("\n## ").next().unwrap();
        let code = |line: &str| line.strip_prefix("| ")?.split(' ').next()?.parse().ok();
        assert_eq!(table.lines().filter_map(code).collect::<Vec<u8>>(), in_help, "{name}");
    }
    assert!(list.contains("no corpus named"), "{list}");
    assert!(list.lines().all(|line| line.len() <= 60), "a narrow terminal breaks what is longer at its edge: {list}");
}
