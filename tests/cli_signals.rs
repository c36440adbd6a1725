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
use std::process::{Child, ChildStderr, Command, Stdio};

use cli_support::{Place, QUESTION, wait_for};
use serde_json::Value;

const HEARD: &str = "Once more to stop at once";

/// A stream that takes nothing more, and how many bytes are in the way.
fn full_stream() -> (UnixStream, UnixStream, usize) {
    let (reader, mut writer) = UnixStream::pair().unwrap();
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

fn start(place: &Place, writer: UnixStream) -> (Child, BufReader<ChildStderr>) {
    let mut command = place.command([QUESTION, "--corpus", "docs", "--output", "jsonl"]);
    let mut child = command.stdout(OwnedFd::from(writer)).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap());
    (child, wait_for("run started", lines))
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn the_first_signal_ends_the_run_in_order() {
    for name in ["INT", "TERM"] {
        let place = Place::with_docs();
        let (mut reader, writer, filled) = full_stream();
        let (mut child, errors) = start(&place, writer);
        signal(&child, name);
        let mut errors = wait_for(HEARD, errors);
        let mut out = String::new();
        reader.read_to_string(&mut out).unwrap();
        let lines: Vec<Value> = out[filled..].lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (report, events) = lines.split_last().unwrap();
        assert_eq!((report["type"].as_str(), report["error"]["code"].as_str()), (Some("report"), Some("interrupted")));
        assert_eq!(events.last().unwrap()["type"], "run_finished");
        assert_eq!(child.wait().unwrap().code(), Some(130));
        let mut rest = String::new();
        errors.read_to_string(&mut rest).unwrap();
        assert!(!rest.contains("panicked"), "{rest}");
    }
}

#[test]
fn a_signal_while_the_corpus_is_read_ends_the_command() {
    let place = Place::with_docs();
    for number in 0..500 {
        std::fs::write(place.path(&format!("docs/{number}.txt")), format!("A file with the number {number}.\n"))
            .unwrap();
    }
    let (mut reader, writer, filled) = full_stream();
    let mut command = place.command([QUESTION, "--corpus", "docs", "--output", "json"]);
    let mut child = command.stdout(OwnedFd::from(writer)).stderr(Stdio::piped()).spawn().unwrap();
    let errors = wait_for("reading the corpus", BufReader::new(child.stderr.take().unwrap()));
    signal(&child, "INT");
    let _errors = wait_for(HEARD, errors);
    let mut out = String::new();
    reader.read_to_string(&mut out).unwrap();
    let object: Value = serde_json::from_str(&out[filled..]).unwrap();
    assert_eq!(object["error"]["code"], "interrupted", "{object}");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// Standard error that takes nothing more must not keep the second signal from ending the process.
#[test]
fn two_signals_end_a_process_whose_terminal_stands_still() {
    let place = Place::with_docs();
    let (reader, writer, _) = full_stream();
    let mut command = place.command([QUESTION, "--corpus", "docs"]);
    let mut child = command.stdout(Stdio::null()).stderr(OwnedFd::from(writer)).spawn().unwrap();
    // One signal too many does no harm; a process that does not listen yet dies of the first, which is an end too.
    let ended = loop {
        signal(&child, "INT");
        if let Some(ended) = child.try_wait().unwrap() {
            break ended;
        }
    };
    assert!(ended.code() == Some(130) || ended.signal() == Some(2), "{ended:?}");
    drop(reader);
}

#[test]
fn the_second_signal_ends_the_process_at_once() {
    let place = Place::with_docs();
    let (_reader, writer, _) = full_stream();
    let (mut child, errors) = start(&place, writer);
    signal(&child, "INT");
    let _errors = wait_for(HEARD, errors);
    signal(&child, "INT");
    // Nobody reads standard output: only an end at once is an end at all.
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
