//! Does each example of the reading path do what it says, offline and to its end? As a person runs it: the built program, without
//! keys, without a terminal, in a home of its own.
//!
//! `cargo test` builds the examples, too; before `cargo test --test examples` alone, `cargo build --examples` does.

#[path = "../examples/14_test.rs"]
#[allow(dead_code, reason = "its main is for people; its tests run with these")]
mod own_test;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Nothing here takes long; who waits for this time has found a fault.
const PATIENCE: Duration = Duration::from_secs(60);

/// The reading path in its order, and some of what each example prints.
const PATH: [(&str, &[&str]); 15] = [
    ("01_ask", &["What is an actor?", "tokens in"]),
    (
        "02_stream",
        &["[local_time {\"city\":\"Oslo\"}]", "[it is noon in Oslo]", "time for lunch.", "2 calls of the model"],
    ),
    ("03_tool", &["nothing is known about Atlantis", "[workspace]", "It rains in Oslo."]),
    ("04_typed", &["7 degrees, take an umbrella", "after 2 calls"]),
    ("05_many", &[": rain", "enough; left is question [", "4 of 5 were answered"]),
    ("06_fan_out", &["task 0: short is done", "follow-up is done", "task 2: "]),
    ("07_handoff", &["sales: There are twelve umbrellas."]),
    ("08_guard", &["it asks for a password", "Tool: error", "That is all I can do."]),
    ("09_session", &["This is your question number 1.", "This is your question number 2.", "kept in "]),
    ("10_blocking", &["An actor has a mailbox.", "0: Rain.", "1: Sun."]),
    ("11_axum", &["HTTP/1.1 200 OK", "2 turns were shown"]),
    ("12_actix_web", &["HTTP/1.1 200 OK", "2 turns were shown"]),
    ("13_actor", &["There are 12 umbrellas.", "Order thirty."]),
    ("14_test", &["Do you have umbrellas?"]),
    ("15_provider", &["Why do you say \"I dream of actors.\"?", "2 attempts"]),
];

#[test]
fn each_does_what_it_says() {
    let home = tempfile::tempdir().unwrap();
    let run = |name: &'static str| {
        let home = home.path().to_owned();
        thread::spawn(move || printed(name, &home))
    };
    let running: Vec<_> = PATH.iter().map(|(name, said)| (name, said, run(name))).collect();
    for (name, said, printed) in running {
        let printed = printed.join().unwrap();
        let missing: Vec<_> = said.iter().filter(|said| !printed.contains(**said)).collect();
        assert!(missing.is_empty(), "{name} does not print {missing:?}:\n{printed}");
    }
}

#[test]
fn the_path_has_no_gap_and_each_step_is_short() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut names = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let lines = text.lines().count();
        assert!(lines < 100, "{name} has {lines} lines: an example shows one thing, in fewer than 100");
        let command = format!("//!     cargo run --example {name}");
        let tested = format!("//!     cargo test --example {name}");
        if name.starts_with(|first: char| first.is_ascii_digit()) {
            assert!(text.contains(&command) || text.contains(&tested), "{name} does not begin with its command");
            names.push(name);
        }
    }
    names.sort();
    assert_eq!(names, PATH.map(|(name, _)| name), "an example of the path belongs into the table of this test");
}

/// A program that does not outlive its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It has nearly always ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What an example prints until its end, which is a good one.
fn printed(name: &'static str, home: &Path) -> String {
    let mut command = Command::new(program(name));
    for (variable, _) in std::env::vars_os() {
        let variable = variable.to_string_lossy();
        let is_ours = ["CALLBOARD_", "OPENAI_", "ANTHROPIC_", "GEMINI_", "RUST_LOG"];
        if is_ours.iter().any(|own| variable.starts_with(own)) {
            command.env_remove(&*variable);
        }
    }
    command.env("HOME", home).env("XDG_CONFIG_HOME", home.join("config")).env("TMPDIR", home);
    command.env("CALLBOARD_NETWORK", "loopback");
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{name}: {error}; build it with `cargo build --examples`"));
    let (out, errors) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let mut running = Running(child);
    let (out, errors) = (read(out), read(errors));
    let out = out.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{name} does not end by itself"));
    let errors = errors.recv_timeout(PATIENCE).unwrap_or_default();
    let status = running.0.wait().unwrap();
    assert!(status.success(), "{name}: {status}\n{out}\n{errors}");
    out
}

/// All of a stream, once it has ended.
fn read(mut stream: impl Read + Send + 'static) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::sync_channel(1);
    thread::spawn(move || {
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an example prints text");
        // The test may be over.
        let _ = sender.send(text);
    });
    receiver
}

/// Where cargo puts it: beside the folder of this test's own program.
fn program(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let profile = own.parent().and_then(Path::parent).expect("a test's program is in target/PROFILE/deps");
    profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}
