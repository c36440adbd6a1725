//! How do the tests of the binary run it? A corpus of their own, a cache of their own, and the output as a value.

#![allow(dead_code, reason = "each test program uses what it needs")]

pub(crate) mod terminal;

use std::ffi::OsStr;
use std::fs;
use std::io::BufRead;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// Two short documents about the same things as our own.
pub(crate) const CORE: &str = "# Supervision

A supervisor learns that an agent died from an exit notice of its guard.
The guard turns a panic into an exit notice, and the policy of the parent decides about a restart.

# Mailboxes

A mailbox is the bounded queue of an agent; when it is full, the sender gets the message back.
A dead letter is a message that was dropped, counted with its reason.
";

/// A document without headings.
pub(crate) const NOTES: &str = "The gateway limits how many model calls are in flight at the same time.

A deadline is inherited by every task of the run.
";

/// What an attacker would like to see pass through.
pub(crate) const ATTACK: &str = "<script>alert(1)</script> <img src=x onerror=alert(2)> ![i](http://evil.example/i.png) \
    [l](javascript:alert(3)) \u{1b}[2J\u{1b}]0;pwned\u{7}\u{9b}31m \u{202e}gnp.exe \u{2066}x\u{200b} </title></style>";

/// A question that [`CORE`] answers.
pub(crate) const QUESTION: &str = "How does a supervisor learn that an agent died?";

/// A folder with a corpus in `docs` and a cache in `cache`.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    /// With an empty corpus.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("docs")).expect("a folder for the corpus");
        Self { folder }
    }

    /// With [`CORE`] and [`NOTES`].
    pub(crate) fn with_docs() -> Self {
        Self::empty().file("docs/core.md", CORE).file("docs/notes.txt", NOTES)
    }

    /// Adds a file.
    pub(crate) fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        fs::write(self.path(name), content).expect("a file of the corpus");
        self
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The binary, to be run in the folder, as `callboard research` with these arguments.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.callboard(["research"]);
        command.args(arguments);
        command
    }

    /// The binary, to be run in the folder with these arguments. Nothing of the user's home and environment reaches it.
    pub(crate) fn callboard<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_callboard"));
        command.args(arguments).current_dir(self.folder.path());
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            let is_ours = ["CALLBOARD_", "OPENAI_", "ANTHROPIC_", "GEMINI_"].iter().any(|own| name.starts_with(own));
            if is_ours || ["RUST_LOG", "NO_COLOR", "RUST_BACKTRACE"].contains(&&*name) {
                command.env_remove(&*name);
            }
        }
        command.env("HOME", self.path("home")).env("XDG_CONFIG_HOME", self.path("home/.config"));
        command
            .env("CALLBOARD_CACHE_DIR", self.path("cache"))
            .env("CALLBOARD_NETWORK", "loopback")
            .stdin(Stdio::null());
        command
    }

    /// Adds a user file.
    pub(crate) fn user_file(self, content: &str) -> Self {
        fs::create_dir_all(self.path("home/.config/callboard")).expect("a folder for the user file");
        self.file("home/.config/callboard/callboard.toml", content)
    }

    /// Runs it to its end.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        Ran::of(self.command(arguments).output().expect("the binary runs"))
    }
}

/// A run that ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code.
    pub(crate) code: i32,
    /// All of standard output.
    pub(crate) out: String,
    /// All of standard error.
    pub(crate) err: String,
}

impl Ran {
    /// Both outputs are UTF-8 and nothing panicked, whatever happened.
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
        let ran = Self { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) };
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
        ran
    }

    /// Standard output as the one object that it is.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("not one object ({error}): {}", self.out))
    }

    /// Standard output as one object in each line.
    pub(crate) fn lines(&self) -> Vec<Value> {
        let line = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("no object ({error}): {line}"));
        self.out.lines().map(line).collect()
    }
}

/// The error of a failed run that printed one object: its code, after message and hint were seen to be there.
pub(crate) fn error_code(ran: &Ran) -> String {
    let object = ran.json();
    assert_eq!(object["schema_version"], 1, "{object}");
    let text = |name: &str| object["error"][name].as_str().unwrap_or_default().to_owned();
    assert!(!text("message").is_empty() && !text("hint").is_empty(), "{object}");
    text("code")
}

/// Reads lines of standard error until one contains `wanted`.
pub(crate) fn wait_for(wanted: &str, lines: &mut impl BufRead) {
    let mut seen = String::new();
    loop {
        let mut line = String::new();
        let read = lines.read_line(&mut line).expect("standard error can be read in time");
        assert!(read > 0, "standard error ended without `{wanted}`: {seen}");
        if line.contains(wanted) {
            return;
        }
        seen.push_str(&line);
    }
}

/// Whether `text` has a character that a terminal acts on or that reorders a line.
pub(crate) fn is_inert(text: &str) -> bool {
    text.chars().all(|c| c == '\n' || !callboard::actors::research::inert::is_hostile(c))
}
