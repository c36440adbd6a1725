//! Does the program behave on a terminal? A real one: `script` of util-linux holds a pseudo terminal, on which the binary runs; what it
//! writes there is read as a screen of 40 columns would show it.

#![cfg(target_os = "linux")]

mod cli_support;

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use callboard::actors::ports::{Approval, Approver, Decision};
use callboard::mock_llm::{MockConfig, MockLlm, Script};
use callboard::tools::TerminalApprover;
use cli_support::{Place, terminal::Screen};

/// So many columns the terminal has.
const COLUMNS: usize = 40;
const QUESTION: &str = "What is a dead letter?";

/// Nothing here takes long; who waits for this time has found a fault.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program on a terminal. It does not outlive its test.
struct OnTerminal {
    child: Child,
    keys: Option<ChildStdin>,
    pieces: Receiver<Vec<u8>>,
    until: Instant,
    written: Vec<u8>,
}

impl OnTerminal {
    /// Runs `line` in a shell whose terminal has 40 columns, with the surroundings of `command`.
    fn run(command: &Command, line: &str) -> Self {
        let mut script = Command::new("script");
        // Whoever runs the tests in the background ignores Ctrl-C, and so would the program.
        let line = format!("stty cols {COLUMNS} rows 50; exec env --default-signal=INT {line}");
        script.args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"]);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => script.env(name, value),
                None => script.env_remove(name),
            };
        }
        script.env("TERM", "xterm").env("SHELL", "/bin/sh").env("CALLBOARD_NETWORK", "loopback");
        if let Some(folder) = command.get_current_dir() {
            script.current_dir(folder);
        }
        let mut child = script
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("`script` of util-linux holds the terminal of this test");
        let (keys, mut out) = (child.stdin.take(), child.stdout.take().expect("it was asked for"));
        let (send, pieces) = sync_channel(1);
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(read @ 1..) = out.read(&mut piece)
                && send.send(piece[..read].to_vec()).is_ok()
            {}
        });
        Self { child, keys, pieces, until: Instant::now() + PATIENCE, written: Vec::new() }
    }

    /// Presses keys.
    fn types(&mut self, keys: &str) {
        let input = self.keys.as_mut().expect("the keyboard is still there");
        input.write_all(keys.as_bytes()).and_then(|()| input.flush()).expect("the terminal takes keys");
    }

    /// Reads until the screen has shown this.
    fn shows(&mut self, words: &str) {
        while !self.has_shown(words) {
            assert!(self.reads_on(), "it ended without `{words}`: {}", String::from_utf8_lossy(&self.written));
        }
    }

    /// Waits for more; whether the program goes on.
    fn reads_on(&mut self) -> bool {
        match self.pieces.recv_timeout(self.until.saturating_duration_since(Instant::now())) {
            Ok(piece) => self.written.extend(piece),
            Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => panic!("it hangs: {}", String::from_utf8_lossy(&self.written)),
        }
        true
    }

    fn has_shown(&self, words: &str) -> bool {
        String::from_utf8_lossy(&self.written).contains(words)
    }

    /// The exit code and the screen at the end.
    fn ended(mut self) -> (i32, Screen) {
        while self.reads_on() {}
        let code = self.child.wait().expect("it can be waited for").code().unwrap_or(-1);
        assert!(!self.has_shown("panicked"), "{}", String::from_utf8_lossy(&self.written));
        (code, Screen::of(&self.written, COLUMNS))
    }
}

impl Drop for OnTerminal {
    fn drop(&mut self) {
        // It has ended already when the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn server(script: &str) -> MockLlm {
    MockLlm::start(MockConfig { script: Some(Script::parse(script).unwrap()), ..MockConfig::default() }).unwrap()
}

/// `research` on a terminal, with its standard output there too, or in a file.
fn research(place: &Place, server: &MockLlm, more: &str) -> OnTerminal {
    let mut command = place.command(["x"]);
    command.env("OPENAI_BASE_URL", server.base_url()).current_dir(place.path("."));
    let binary = env!("CARGO_BIN_EXE_callboard");
    OnTerminal::run(&command, &format!("{binary} research '{QUESTION}' --corpus docs --model openai/mock {more}"))
}

fn place() -> Place {
    Place::empty().file("docs/letters.md", "# Letters\n\nA dead letter is a message that was dropped.\n")
}

/// A model that plans well and reads badly.
const PLANS_ONLY: &str = r#"[
  {"match": {"contains": "<passage"}, "replies": ["I cannot tell."]},
  {"match": {"contains": "This reply cannot be used"}, "replies": ["I cannot tell."]},
  {"match": {"contains": "Part: "}, "replies": ["{\"tasks\": []}"]},
  {"match": {"contains": "<finding"}, "replies": ["A message that was dropped is a dead letter [1]."]},
  {"replies": ["{\"tasks\": [\"What is a dead letter?\"]}"]}
]"#;

#[test]
fn bars_live_and_go_and_what_the_rules_did_stays() {
    let (server, place) = (server(PLANS_ONLY), place());
    let mut run = research(&place, &server, "> out.txt");
    run.shows("planning");
    let (code, screen) = run.ended();
    assert_eq!(code, 0, "{screen}");
    let text = screen.text();
    assert!(text.contains("✓ t1") && text.contains("✓ corpus"), "{screen}");
    assert!(screen.reads("t1: goes on without openai/mock: its reply could not be used"), "{screen}");
    for gone in ["planning", "writing", "in flight", " calls", "⠋"] {
        assert!(!text.contains(gone), "{gone} is left behind: {screen}");
    }
    assert!(screen.is_in_order(), "{screen}");
    assert!(std::fs::read_to_string(place.path("out.txt")).unwrap().contains("Sources"));
}

/// A model that plans, and is silent about what was retrieved.
const SILENT: &str = r#"[
  {"match": {"contains": "<passage"}, "replies": [{"fault": "hang"}]},
  {"replies": ["{\"tasks\": [\"What is a dead letter?\"]}"]}
]"#;

#[test]
fn ctrl_c_in_the_middle_leaves_the_terminal_clean_with_the_report_and_the_error_last() {
    let (server, place) = (server(SILENT), place());
    let mut run = research(&place, &server, "--out report");
    run.shows("asking the model");
    run.types("\u{3}");
    let (code, screen) = run.ended();
    assert_eq!(code, 130, "{screen}");
    let text = screen.text();
    assert!(text.contains("– t1") && text.contains("cancelled by you") && !text.contains("✓ t1"), "{screen}");
    assert!(screen.reads("Retrieved and not read") && !text.contains("in flight"), "{screen}");
    let report = text.find("Retrieved and not read").unwrap();
    assert!(report < text.rfind("error: ").unwrap() && text.rfind("error: ") < text.rfind("hint: "), "{screen}");
    assert!(screen.is_in_order(), "{screen}");
    let written = std::fs::read_to_string(place.path("report/report.json")).unwrap();
    assert!(written.contains("\"code\": \"interrupted\""), "{written}");
}

#[test]
fn a_terminal_that_is_closed_ends_the_run_in_order() {
    closed_with("HUP");
}

#[test]
fn a_signal_that_comes_with_the_closing_of_a_terminal_loses_no_report() {
    // In both orders, as the system hands over first what has the lower number.
    for signals in ["INT", "TERM", "HUP INT", "HUP TERM"] {
        closed_with(signals);
    }
}

/// Sends these signals and then what a terminal sends when it is closed, while it is still there to be read.
fn closed_with(signals: &str) {
    let (server, place) = (server(SILENT), place());
    let mut command = place.command(["x"]);
    command.env("OPENAI_BASE_URL", server.base_url()).current_dir(place.path("."));
    let run = format!(
        "{} research \"{QUESTION}\" --corpus docs --model openai/mock --out report",
        env!("CARGO_BIN_EXE_callboard")
    );
    let line = format!(
        "sh -c '{run} & run=$!; read -r line; for s in {signals}; do kill -$s $run; done; n=0; while [ $n -lt 1000 ]; do kill -HUP $run 2> /dev/null; n=$((n + 1)); done; wait $run'"
    );
    let mut run = OnTerminal::run(&command, &line);
    run.shows("asking the model");
    run.types("\n");
    let (code, screen) = run.ended();
    assert_eq!(code, 130, "{screen}");
    let written = std::fs::read_to_string(place.path("report/report.json")).unwrap();
    assert!(written.contains("\"code\": \"interrupted\""), "{written}");
}

#[test]
fn errors_and_notes_are_wrapped_at_words() {
    let place = place();
    let mut command = place.command(["x"]);
    command.env("OPENAI_API_KEY", "x");
    for line in [
        "research 'What is it?' --corpus docs --model openai/a --fallbacks gpt/z",
        "research 'What is it?' --corpus docs --cache on --max-tokens 5 > out.txt",
        "research 'What is it?' --corpus nowhere-at-all-in-this-folder",
        "research 'What is it?' --corpus docs --deadline",
        "research 'What is a letter?' --plan-only",
        "research 'Which volcano erupted?' --corpus docs",
        "doctor --offline",
    ] {
        let (_, screen) = OnTerminal::run(&command, &format!("{} {line}", env!("CARGO_BIN_EXE_callboard"))).ended();
        let text = screen.text();
        assert!(screen.is_in_order() && !text.contains("– corpus") && !text.starts_with('\n'), "{line}\n{screen}");
    }
}

/// Not a test of its own: the program that asks a person, which the next test runs on a terminal.
#[test]
fn a_program_that_asks() {
    if std::env::var_os("ASKS_A_PERSON").is_none() {
        return;
    }
    let approval = Approval {
        agent: "assistant".into(),
        tool: "write".to_owned(),
        arguments: serde_json::json!({"text": "\u{1b}[2Jx"}),
        fingerprint: "f".to_owned(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let decided = match runtime.block_on(TerminalApprover.decide(approval)) {
        Decision::Approved { .. } => "approved".to_owned(),
        Decision::Denied { reason } => format!("denied: {reason}"),
    };
    println!("decided: {decided}.");
}

#[test]
fn a_person_approves_denies_leaves_or_interrupts() {
    let this = std::env::current_exe().unwrap();
    let asked = |keys: &str| {
        let mut command = Command::new("x");
        command.env("ASKS_A_PERSON", "1");
        let line = format!("{} --exact a_program_that_asks --nocapture", this.display());
        let mut run = OnTerminal::run(&command, &line);
        run.shows("May it? [y/N] ");
        run.types(keys);
        run.ended()
    };
    for (keys, decided) in [
        ("y\n", "decided: approved."),
        ("Yes\n", "decided: approved."),
        ("n\n", "decided: denied: no."),
        ("\n", "decided: denied: no."),
        ("perhaps\n", "decided: denied: no."),
        ("\u{4}", "decided: denied: no."),
    ] {
        let (code, screen) = asked(keys);
        assert!(code == 0 && screen.text().contains(decided), "{keys:?}: {code} {screen}");
        assert!(screen.text().contains("The agent assistant wants to call write"), "{screen}");
    }
    let (code, screen) = asked("\u{3}");
    assert!(code != 0 && !screen.text().contains("decided: "), "{code} {screen}");
}
