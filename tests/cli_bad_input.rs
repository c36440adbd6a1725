//! Does each bad input get its exit code, a message that says what to do, and exactly one object?

mod cli_support;

use std::fs::{self, File};
use std::process::{Command, Stdio};

use cli_support::{Place, QUESTION, Ran, error_code};

/// Runs with each form of output and returns the code of the error, which must be the same in all.
fn fails(place: &Place, arguments: &[&str], exit: i32) -> String {
    let text = place.run(arguments);
    assert_eq!((text.code, text.out.as_str()), (exit, ""), "{arguments:?}: {text:?}");
    assert!(text.err.contains("error: ") && text.err.contains("hint: "), "{arguments:?}: {}", text.err);
    let json = place.run(arguments.iter().chain(&["--output", "json"]));
    assert_eq!(json.code, exit, "{arguments:?}: {json:?}");
    let lines = place.run(arguments.iter().chain(&["--output=jsonl", "--quiet"]));
    let last = lines.lines().pop().unwrap();
    let code = error_code(&json);
    assert_eq!(
        (lines.code, last["type"].as_str(), last["error"]["code"].as_str()),
        (exit, Some("error"), Some(&*code))
    );
    assert!(!lines.err.contains("note:") && lines.err.contains("error: "), "{}", lines.err);
    code
}

#[test]
fn usage_errors_end_with_2() {
    let place = Place::with_docs();
    let long = "long ".repeat(3000);
    for (arguments, code) in [
        (&["", "--corpus", "docs"][..], "empty_question"),
        (&[" \t\n ", "--corpus", "docs"], "empty_question"),
        (&["", "--plan-only"], "empty_question"),
        (&["?! ...", "--corpus", "docs"], "empty_question"),
        (&["👩\u{200d}🔧 🦀?", "--corpus", "docs"], "empty_question"),
        (&["\u{200b}", "--plan-only"], "empty_question"),
        (&[&long, "--corpus", "docs"], "question_too_long"),
        (&[QUESTION], "missing_corpus"),
        (&[QUESTION, "--corpus"], "usage"),
        (&[QUESTION, "--corpos", "docs"], "usage"),
        (&[QUESTION, "--corpus", "docs", "--max-researchers", "0"], "usage"),
        (&[QUESTION, "--corpus", "docs", "--max-researchers", "65"], "usage"),
        (&[QUESTION, "--corpus", "docs", "--max-researchers", "many"], "usage"),
        (&[QUESTION, "--corpus", "docs", "--deadline", "60"], "usage"),
        (&[QUESTION, "--corpus", "docs", "--deadline", "0s"], "usage"),
        (&[QUESTION, "--corpus", "docs", "--deadline", "25h"], "usage"),
        (&[QUESTION, "another question", "--corpus", "docs"], "usage"),
        (&[QUESTION, "--plan-only", "--out", "report"], "usage"),
    ] {
        // The parser reports the first of several faults; an option without its value would take the next one.
        if arguments.last() == Some(&"--corpus") {
            let ran = place.run(arguments);
            assert_eq!(ran.code, 2, "{ran:?}");
            continue;
        }
        assert_eq!(fails(&place, arguments, 2), code, "{arguments:?}");
    }
    assert!(!place.path("report").exists());
}

#[test]
fn a_number_below_zero_is_told_what_it_may_be() {
    let place = Place::with_docs();
    for (arguments, wish) in [
        (&[QUESTION, "--max-tokens", "-3"][..], "write a whole number from 1 to "),
        (&[QUESTION, "--max-cost", "-0.5"], "write US dollars above 0"),
        (&[QUESTION, "--iterations", "-1"], "write a whole number from 1 to 10"),
        (&[QUESTION, "--max-researchers", "-1"], "write a whole number from 1 to 64"),
        (&[QUESTION, "--deadline", "-5s"], "write a number with a unit from 1ms to 24h"),
    ] {
        assert_eq!(fails(&place, arguments, 2), "usage", "{arguments:?}");
        let told = place.run(arguments).err;
        assert!(told.contains(wish) && told.contains(arguments[1]), "{told}");
    }
}

#[test]
fn a_flag_takes_no_other_flag_for_its_value() {
    let place = Place::with_docs();
    for (flag, told) in [
        ("--deadline", "the flag --deadline needs a value, such as 90s"),
        ("--max-researchers", "the flag --max-researchers needs a value"),
        ("--max-cost", "the flag --max-cost needs a value, such as 0.50"),
        ("--corpus", "the flag --corpus needs a value, such as docs"),
        ("--cache", "the flag --cache needs a value"),
    ] {
        let ran = place.run([QUESTION, flag, "--output", "json"]);
        let message = ran.json()["error"]["message"].to_string();
        assert!(ran.code == 2 && message.contains(told), "{ran:?}");
        assert!(!ran.out.contains("in quotes"), "{ran:?}");
    }
    let ran = place.run([QUESTION, "--corpus", "docs", "--output"]);
    assert!(ran.err.contains("the flag --output needs a value: one of text, json, jsonl"), "{ran:?}");
    let mock = Ran::of(place.callboard(["mock-llm", "--latency", "-5s"]).output().unwrap());
    assert!(mock.err.contains("write a number with a unit"), "{mock:?}");
}

#[test]
fn a_question_in_any_script_is_searched() {
    let place = Place::with_docs();
    for question in ["什么是代理？", "что такое агент?", "7?"] {
        let ran = place.run([question, "--corpus", "docs"]);
        assert!(matches!(ran.code, 0 | 7), "{question}: {ran:?}");
    }
}

#[test]
fn a_bad_output_or_no_question_is_said_to_people() {
    let place = Place::with_docs();
    for arguments in [&[QUESTION, "--output", "yaml"][..], &[], &[QUESTION, "--corpus", "docs", "--quiet", "-v"]] {
        let ran = place.run(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
        assert!(ran.err.contains("error: "), "{}", ran.err);
    }
}

#[test]
fn a_question_without_quotes_gets_a_hint() {
    let place = Place::with_docs();
    let ran = place.run(["What", "is", "an", "agent", "--corpus", "docs"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.err.contains("hint: put the question in quotes"), "{}", ran.err);
    let ran = place.run([QUESTION, "--corpos", "docs"]);
    assert!(!ran.err.contains("in quotes"), "{}", ran.err);
}

#[test]
fn what_was_most_likely_meant_is_said() {
    let place = Place::with_docs();
    let hint = |arguments: &[&str]| {
        let ran = Ran::of(place.callboard(arguments).output().unwrap());
        assert_eq!(ran.code, 2, "{ran:?}");
        ran.err
    };
    for question in [&[QUESTION][..], &["backups?"]] {
        let err = hint(question);
        assert!(err.contains("hint: to ask a question: callboard research \"How do I ...?\""), "{err}");
    }
    for words in [&["--corpus", "docs", QUESTION][..], &["-q", "research", QUESTION]] {
        assert!(hint(words).contains("hint: a command comes first: callboard research "), "{words:?}");
    }
    assert!(hint(&["--versoin"]).contains("hint: a similar argument exists: '--version'"));
    let err = hint(&["research", QUESTION, "-corpus", "docs"]);
    assert!(err.contains("hint: a flag has two dashes: --corpus") && !err.contains("as a value"), "{err}");
    let err = hint(&["research", QUESTION, "--corpos", "docs", "-vv"]);
    assert!(err.contains("'--corpus'") && !err.contains("two dashes"), "{err}");
    for words in [&["doctor", "über"][..], &["doctor", "foo"], &["config", "show", "ein"]] {
        assert!(!hint(words).contains("two dashes"), "{words:?}");
    }
    assert!(!hint(&["reserch"]).contains("to ask a question"));
}

#[test]
fn a_switch_may_be_given_twice() {
    let place = Place::with_docs();
    let ran = place.run([QUESTION, "--corpus", "docs", "--quiet", "-q"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{ran:?}");
    assert_eq!(place.run([QUESTION, "--plan-only", "--plan-only"]).code, 0);
}

#[test]
fn a_corpus_that_cannot_be_used_ends_with_3() {
    let place = Place::empty().file("picture.png", b"\x89PNG\r\n\x1a\n\0\0");
    assert_eq!(fails(&place, &[QUESTION, "--corpus", "nowhere"], 3), "corpus_missing");
    assert_eq!(fails(&place, &[QUESTION, "--corpus", "docs"], 3), "corpus_empty");
    assert_eq!(fails(&place, &[QUESTION, "--corpus", "picture.png"], 3), "corpus_empty");
    let report = [QUESTION, "--corpus", "docs", "--corpus", "nowhere", "--out", "report"];
    assert_eq!(fails(&place, &report, 3), "corpus_missing");
    assert!(!place.path("report").exists(), "a folder was made for a report that cannot be");
    assert_eq!(fails(&place, &[QUESTION, "--corpus", "docs", "--out", "new/report"], 3), "corpus_empty");
    assert!(!place.path("new").exists(), "an empty folder was left behind");
    fs::create_dir(place.path("old")).unwrap();
    assert_eq!(fails(&place, &[QUESTION, "--corpus", "docs", "--out", "old/report"], 3), "corpus_empty");
    assert_eq!(fs::read_dir(place.path("old")).unwrap().count(), 0);
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_nowhere_is_called_so() {
    let place = Place::empty();
    std::os::unix::fs::symlink("gone", place.path("link")).unwrap();
    let ran = place.run([QUESTION, "--corpus", "link", "--output", "json"]);
    assert_eq!((ran.code, error_code(&ran).as_str()), (3, "corpus_missing"));
    assert!(
        ran.err.contains("the corpus `link` is a broken link") && ran.err.contains("hint: mend the link"),
        "{ran:?}"
    );
}

#[test]
fn an_out_folder_that_cannot_be_written_ends_with_3_before_any_work() {
    let place = Place::with_docs();
    assert_eq!(fails(&place, &[QUESTION, "--corpus", "docs", "--out", "docs/core.md"], 3), "out_not_a_folder");
    let below = fails(&place, &[QUESTION, "--corpus", "docs", "--out", "docs/core.md/report"], 3);
    assert_eq!(below, "out_not_writable");
    fs::create_dir_all(place.path("report/report.json")).unwrap();
    let taken = fails(&place, &[QUESTION, "--corpus", "docs", "--out", "report"], 3);
    assert_eq!((taken.as_str(), fs::read_dir(place.path("report")).unwrap().count()), ("out_not_writable", 1));
    let said = place.run([QUESTION, "--corpus", "docs", "--out", "report"]).err;
    assert!(said.contains("hint: a folder has the name of a file of the report"), "{said}");
    assert!(!place.path("cache").exists(), "the corpus was opened before the folder was tried");
}

#[test]
fn a_folder_that_spoils_later_leaves_the_report_on_standard_output() {
    let place = Place::with_docs();
    let first = place.run([QUESTION, "--corpus", "docs", "--output", "json"]).json();
    let text = first["citations"][0]["source"].as_str().unwrap();
    fs::create_dir_all(place.path("report/sources").join(format!("{text}.txt"))).unwrap();
    let json = place.run([QUESTION, "--corpus", "docs", "--out", "report", "--output", "json"]);
    assert_eq!((json.code, error_code(&json).as_str()), (3, "out_not_writable"));
    assert_eq!(json.json()["status"], "complete");
    let text = place.run([QUESTION, "--corpus", "docs", "--out", "report"]);
    assert_eq!(text.code, 3);
    assert!(text.out.contains("exit notice") && text.err.contains("error: cannot write"), "{text:?}");
    assert_eq!(fs::read_dir(place.path("report")).unwrap().count(), 1);
}

/// A limit on the size of files stands for a disk that fills up in the middle of the writing.
#[cfg(unix)]
#[test]
fn a_disk_that_fills_up_leaves_the_earlier_report() {
    let place = Place::with_docs();
    assert_eq!(place.run([QUESTION, "--corpus", "docs", "--out", "report"]).code, 0);
    let read = |name: &str| fs::read_to_string(place.path("report").join(name)).unwrap();
    let before = (read("report.json"), read("report.html"), read("report.md"));
    // 4 KiB: some of the files fit, the page does not.
    let limited = "trap '' XFSZ; ulimit -f 8; exec \"$0\" research \"$1\" --corpus docs --out report --output json";
    let mut command = Command::new("sh");
    command.args(["-c", limited, env!("CARGO_BIN_EXE_callboard"), QUESTION]).current_dir(place.path("."));
    command.env("HOME", place.path("home")).env("XDG_CONFIG_HOME", place.path("home/.config"));
    command.env("CALLBOARD_NETWORK", "loopback");
    let ran = Ran::of(command.env("CALLBOARD_CACHE_DIR", place.path("cache")).output().unwrap());
    assert_eq!((ran.code, error_code(&ran).as_str()), (3, "out_not_writable"), "{ran:?}");
    assert_eq!(ran.json()["status"], "complete", "the report is on standard output all the same");
    assert_eq!((read("report.json"), read("report.html"), read("report.md")), before);
    let left: Vec<_> = fs::read_dir(place.path("report")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 5, "{left:?}");
}

#[test]
fn a_report_within_the_corpus_is_cited_by_no_later_run() {
    let place = Place::with_docs();
    let cited = |ran: &Ran| -> Vec<_> {
        let json = ran.json();
        let citations = json["citations"].as_array().unwrap().iter();
        citations.map(|citation| (citation["file"].to_string(), citation["quote"].to_string())).collect()
    };
    let ask = || place.run([QUESTION, "--corpus", "docs", "--out", "docs/report", "--output", "json"]);
    let first = ask();
    fs::write(place.path("docs/answer.txt"), place.run([QUESTION, "--corpus", "docs"]).out).unwrap();
    for _ in 0..2 {
        let again = ask();
        assert!(again.code == 0 && cited(&again) == cited(&first) && !cited(&first).is_empty(), "{again:?}");
        let told = ["files were skipped: report of an earlier run (3), ", ", stored text of an earlier report (1)"];
        assert!(told.iter().all(|told| again.err.contains(told)), "{again:?}");
    }
    let named = place.run([QUESTION, "--corpus", "docs/answer.txt", "--output", "json"]);
    assert!(!cited(&named).is_empty(), "a file that is named is read, whatever it is: {named:?}");
}

#[test]
fn a_deadline_that_passes_at_once_ends_with_5() {
    let place = Place::with_docs();
    let ran = place.run([QUESTION, "--corpus", "docs", "--deadline", "1ms", "--output", "json"]);
    assert_eq!((ran.code, error_code(&ran).as_str()), (5, "deadline"), "{ran:?}");
    // No index is built within a millisecond: the deadline counts from the start of the command, not of the run.
    assert!(ran.err.contains("while the corpus was being indexed"), "{}", ran.err);
}

#[test]
fn skipped_files_are_counted_in_one_line() {
    let place =
        Place::with_docs().file("docs/a.png", b"\x89PNG\r\n\x1a\n\0\0").file("docs/b.png", b"\x89PNG\r\n\x1a\n\0\0");
    let ran = place.run([QUESTION, "--corpus", "docs"]);
    let lines: Vec<_> = ran.err.lines().filter(|line| line.contains("skipped")).collect();
    assert!(matches!(lines[..], [line] if line.starts_with("note: 2 files were skipped: binary (2)")), "{}", ran.err);
    assert!(lines[0].ends_with("; a report in a folder, --out DIR, lists them"), "{}", ran.err);
    let listed = |more: &[&str]| place.run([&[QUESTION, "--corpus", "docs"], more].concat()).err;
    assert!(listed(&["--out", "report"]).contains("; listed in the files of --out\n"));
    assert!(listed(&["--output", "json"]).contains("; listed in the JSON\n"));
    assert!(!ran.out.contains("skipped"), "{}", ran.out);
    let quiet = place.run([QUESTION, "--corpus", "docs", "--quiet"]);
    assert_eq!((quiet.code, quiet.err.as_str()), (0, ""));
}

#[cfg(unix)]
#[test]
fn a_question_that_is_not_utf8_is_a_usage_error() {
    use std::os::unix::ffi::OsStrExt;
    let place = Place::with_docs();
    let question = std::ffi::OsStr::from_bytes(b"what is \xff\xfe?");
    let ran = place.run([question, "--output".as_ref(), "json".as_ref()]);
    assert_eq!((ran.code, error_code(&ran).as_str()), (2, "usage"));
}

#[test]
fn a_reader_that_left_is_no_error() {
    let place = Place::with_docs();
    for output in ["text", "json", "jsonl"] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = place.command([QUESTION, "--corpus", "docs", "--output", output]);
        let ran = Ran::of(command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap());
        assert_eq!(ran.code, 0, "{output}: {ran:?}");
        assert!(!ran.err.contains("error"), "{output}: {}", ran.err);
    }
}

#[test]
fn traces_that_nobody_reads_do_not_disturb_the_run() {
    let place = Place::with_docs();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = place.command([QUESTION, "--corpus", "docs", "-v", "--output", "json"]);
    let ran = Ran::of(command.stdout(Stdio::piped()).stderr(writer).spawn().unwrap().wait_with_output().unwrap());
    assert_eq!((ran.code, ran.json()["status"].as_str()), (0, Some("complete")), "{ran:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_under_standard_output_is_an_error() {
    let place = Place::with_docs();
    for output in ["text", "json", "jsonl"] {
        let mut command = place.command([QUESTION, "--corpus", "docs", "--output", output]);
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ran = Ran::of(command.stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap());
        assert_eq!(ran.code, 1, "{output}: {ran:?}");
        assert!(ran.err.contains("cannot write to standard output") && ran.err.contains("hint: "), "{}", ran.err);
        let notes = ran.err.lines().filter(|line| line.contains("events cannot be written")).count();
        assert_eq!(notes, usize::from(output == "jsonl"), "{}", ran.err);
    }
    for words in [&["--help"][..], &["--version"], &["research", "--help"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut command = place.callboard(words);
        let ran = Ran::of(command.stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap());
        assert_eq!(ran.code, 1, "{words:?}: {ran:?}");
        assert!(ran.err.contains("cannot write to standard output"), "{}", ran.err);
    }
}
