//! Who answers? The mock, in a process of its own: what it uses is not the client's, and the system shares the cores between
//! both as between strangers. It ends when whoever started it does.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use callboard::mock_llm::{Latency, Limits, MockConfig, MockLlm};

/// The first argument of such a process; the latency in milliseconds follows, and how many calls it holds, 0 for any number.
pub const CHILD: &str = "--serve";

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    base_url: String,
}

impl Server {
    /// Starts a server that answers each call after this time.
    ///
    /// # Panics
    /// Panics when it does not start.
    pub fn start(latency: Duration) -> Self {
        Self::with(latency, 0)
    }

    /// The same with a limit: more calls at once are refused.
    ///
    /// # Panics
    /// Panics when it does not start.
    pub fn with(latency: Duration, max_in_flight: u32) -> Self {
        let this = std::env::current_exe().expect("the path of a running program is known");
        let mut command = Command::new(this);
        command.args([CHILD.to_owned(), latency.as_millis().to_string(), max_in_flight.to_string()]);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.expect("this program can be started again");
        let questions = child.stdin.take().expect("it is a pipe");
        let answers = BufReader::new(child.stdout.take().expect("it is a pipe"));
        let mut server = Self { child, questions, answers, base_url: String::new() };
        server.base_url = server.line();
        server
    }

    /// Where it listens.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// How many calls it has not answered yet.
    ///
    /// # Panics
    /// Panics when it is gone.
    pub fn in_flight(&mut self) -> usize {
        self.questions.write_all(b"\n").expect("the server runs");
        self.line().parse().expect("it says a number")
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the server runs");
        line.trim().to_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _has_ended = self.child.kill();
        let _has_ended = self.child.wait();
    }
}

/// Is the server: says where it listens, and for each line how many calls are in flight.
///
/// # Panics
/// Panics when the arguments are not those that this file passes.
pub fn serve(mut arguments: impl Iterator<Item = String>) {
    let millis = arguments.next().and_then(|text| text.parse().ok()).expect("a latency follows");
    let most: u32 = arguments.next().and_then(|text| text.parse().ok()).expect("a limit follows");
    let latency = Latency { reply: Duration::from_millis(millis), ..Latency::default() };
    let limits = Limits { max_in_flight: Some(most).filter(|most| *most > 0), ..Limits::default() };
    let config = MockConfig { latency, limits, max_connections: 20_000, tool_calls: true, ..MockConfig::default() };
    let server = MockLlm::start(config).expect("the mock starts");
    println!("{}", server.base_url());
    for _question in std::io::stdin().lines().map_while(Result::ok) {
        println!("{}", server.stats().in_flight);
    }
    server.stop_blocking();
}
