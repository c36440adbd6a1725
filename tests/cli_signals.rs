//! Does a signal end the run in order, and a second one at once? Without a clock: the run is held where it writes.
//!
//! The child's standard output is a stream that is already full, so that it stands still at its first event line, which a
//! line on standard error has announced. What it prints about the signal proves that the signal was heard.

#![cfg(unix)]

mod cli_support;

use std::io::{BufReader, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use callboard::mock_llm::{MockConfig, MockLlm, Script};
use cli_support::{Place, QUESTION, wait_for};
use serde_json::Value;

const HEARD: &str = "what was found is reported. Once more to stop at once";

const HEARD_EARLY: &str = "there is nothing to report. Once more to stop at once";

/// Nothing here takes long; who waits for this time has found a fault.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stream that takes nothing more, and how many bytes are in the way.
fn full_stream() -> (UnixStream, UnixStream, usize) {
    let (reader, mut writer) = UnixStream::pair().unwrap();
    reader.set_read_timeout(Some(PATIENCE)).unwrap();
    writer.set_nonblocking(true).unwrap();
    let mut filled = 0;
    let fault = loop {
        match writer.write(b"\n") {
            Ok(bytes) => filled += bytes,
            Err(fault) => break fault,
        }
    };
    assert_eq!(fault.kind(), ErrorKind::WouldBlock);
    writer.set_nonblocking(false).unwrap();
    (reader, writer, filled)
}

/// The binary while it runs. It does not outlive its test.
struct Held {
    child: Child,
    errors: BufReader<UnixStream>,
}

impl Held {
    /// Starts the binary. Our own ends of its streams are closed when this returns, so that a reader sees its end.
    fn start(place: &Place, out: UnixStream, output: &str) -> Self {
        let mut command = place.command([QUESTION, "--corpus", "docs", "--output", output]);
        command.stdout(OwnedFd::from(out));
        Self::spawn(&mut command)
    }

    /// Starts this command, and reads its standard error.
    fn spawn(command: &mut Command) -> Self {
        let (errors, child_errors) = UnixStream::pair().unwrap();
        errors.set_read_timeout(Some(PATIENCE)).unwrap();
        let child = command.stderr(OwnedFd::from(child_errors)).spawn().unwrap();
        // The command holds our ends of the child's streams.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self { child, errors: BufReader::new(errors) }
    }

    /// Waits for a line of standard error.
    fn says(&mut self, words: &str) {
        wait_for(words, &mut self.errors);
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end, which closes standard error.
    fn ended(mut self) -> ExitStatus {
        let mut rest = String::new();
        self.errors.read_to_string(&mut rest).unwrap();
        assert!(!rest.contains("panicked"), "{rest}");
        self.child.wait().unwrap()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // It has ended already when the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_first_signal_ends_the_run_in_order() {
    for name in ["INT", "TERM"] {
        let place = Place::with_docs();
        let (mut reader, writer, filled) = full_stream();
        let mut held = Held::start(&place, writer, "jsonl");
        held.says("run started");
        held.signal(name);
        held.says(HEARD);
        let mut out = String::new();
        reader.read_to_string(&mut out).unwrap();
        let lines: Vec<Value> = out[filled..].lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (report, events) = lines.split_last().unwrap();
        assert_eq!((report["type"].as_str(), report["error"]["code"].as_str()), (Some("report"), Some("interrupted")));
        assert_eq!(events.last().unwrap()["type"], "run_finished");
        assert_eq!(held.ended().code(), Some(130));
    }
}

/// A model that plans, and is silent about what was retrieved.
const SILENT: &str = r#"[
  {"match": {"contains": "<passage"}, "replies": [{"fault": "hang"}]},
  {"replies": ["{\"tasks\": [\"How does a supervisor learn that an agent died?\"]}"]}
]"#;

#[test]
fn what_was_retrieved_is_in_the_report_of_a_run_that_is_interrupted_before_it_is_read() {
    let script = Some(Script::parse(SILENT).unwrap());
    let server = MockLlm::start(MockConfig { script, ..MockConfig::default() }).unwrap();
    let place = Place::with_docs();
    for output in ["json", "text"] {
        let (mut reader, writer) = UnixStream::pair().unwrap();
        reader.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut command = place.command([QUESTION, "--corpus", "docs", "--model", "openai/mock", "--output", output]);
        command.args(["--out", "report"]).env("OPENAI_BASE_URL", server.base_url()).stdout(OwnedFd::from(writer));
        let mut held = Held::spawn(&mut command);
        held.says("t1: asking the model");
        held.signal("INT");
        held.says(HEARD);
        let mut out = String::new();
        reader.read_to_string(&mut out).unwrap();
        assert_eq!(held.ended().code(), Some(130));
        assert!(!out.contains("No passage was found"), "{out}");
        assert!(out.contains("There is no answer: the run ended before what it had retrieved was read."), "{out}");
        if output == "text" {
            assert!(out.contains("Retrieved and not read\n  [1] docs/core.md\n"), "{out}");
            continue;
        }
        let report: Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&report["status"], &report["error"]["code"]), (&"failed".into(), &"interrupted".into()));
        assert!(
            report["error"]["message"].as_str().unwrap().ends_with("before what was retrieved was read"),
            "{report}"
        );
        let unread = report["unread"].as_array().unwrap();
        let missing = report["not_found"][0].as_str().unwrap();
        assert!(missing.contains("the run was interrupted;") && missing.ends_with("for it and not read."), "{missing}");
        assert!(!unread.is_empty() && unread.iter().all(|passage| passage["task"] == "t1"), "{report}");
        for passage in unread {
            let text =
                std::fs::read(place.path(&format!("report/sources/{}.txt", passage["source"].as_str().unwrap())));
            let at = |name: &str| passage[name].as_u64().unwrap() as usize;
            let stored = String::from_utf8(text.unwrap()[at("start")..at("end")].to_vec()).unwrap();
            assert_eq!(stored.split_whitespace().collect::<Vec<_>>().join(" "), passage["quote"].as_str().unwrap());
        }
    }
}

#[test]
fn a_signal_while_the_corpus_is_read_ends_the_command() {
    let mut place = Place::with_docs();
    for number in 0..500 {
        place = place.file(&format!("docs/{number}.txt"), format!("A file with the number {number}.\n"));
    }
    let (mut reader, writer, filled) = full_stream();
    let mut held = Held::start(&place, writer, "json");
    held.says("reading the corpus");
    held.signal("INT");
    held.says(HEARD_EARLY);
    let mut out = String::new();
    reader.read_to_string(&mut out).unwrap();
    let object: Value = serde_json::from_str(&out[filled..]).unwrap();
    assert_eq!(object["error"]["code"], "interrupted", "{object}");
    assert_eq!(held.ended().code(), Some(130));
}

#[test]
fn the_second_signal_ends_the_process_at_once() {
    let place = Place::with_docs();
    let (_reader, writer, _) = full_stream();
    let mut held = Held::start(&place, writer, "jsonl");
    held.says("run started");
    held.signal("INT");
    held.says(HEARD);
    held.signal("INT");
    // Nobody reads standard output: only an end at once is an end at all.
    assert_eq!(held.ended().code(), Some(130));
}

/// Standard error that takes nothing more must not keep the second signal from ending the process.
#[test]
fn two_signals_end_a_process_whose_terminal_stands_still() {
    let place = Place::with_docs();
    let (_reader, writer, _) = full_stream();
    let mut command = place.command([QUESTION, "--corpus", "docs"]);
    let child = command.stdout(Stdio::null()).stderr(OwnedFd::from(writer)).spawn().unwrap();
    let mut held = Held { child, errors: BufReader::new(UnixStream::pair().unwrap().0) };
    // One signal too many does no harm; a process that does not listen yet dies of the first, which is an end too.
    let ended = (0..10_000).find_map(|_| {
        held.signal("INT");
        held.child.try_wait().unwrap()
    });
    let ended = ended.expect("the process ignores its signals");
    assert!(ended.code() == Some(130) || ended.signal() == Some(2), "{ended:?}");
}
