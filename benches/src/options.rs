//! What is measured, and how long? The arguments after `--`.

use crate::clock::Clock;
use crate::peers::SUBJECTS;

/// What can be named: the files of `measure/`, and the other target.
const NAMES: [&str; 9] = ["memory", "spawn", "tell", "ask", "across", "fan_out", "restart", "scaling", "allocations"];

/// What `--help` prints.
pub const HELP: &str = "\
cargo bench -p callboard-benches -- [NAME ...] [OPTIONS]

Measures what is named, or everything: memory spawn tell ask across fan_out restart scaling allocations

  --rounds N       how often each subject is measured, after one round that does not count (default 7)
  --agents N       how many agents live in `memory` (default 1000000, which takes 7 GB)
  --only A,B       only the subjects whose names contain one of these
  --cpu            processor time instead of the wall clock, for what happens on one thread: on a busy machine
  --quick          a tenth of everything and three rounds: to see that it works, not to quote
";

/// The arguments.
#[derive(Debug, Clone)]
pub struct Options {
    names: Vec<String>,
    only: Vec<String>,
    /// Rounds that count.
    pub rounds: usize,
    /// Agents in `memory`.
    pub agents: u64,
    /// For what happens on one thread.
    pub clock: Clock,
    divisor: u64,
}

impl Options {
    /// Reads the arguments of this process.
    ///
    /// # Errors
    /// A sentence for whoever typed it; [`HELP`] for `--help`.
    pub fn from_arguments(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = arguments;
        let mut options =
            Self { names: Vec::new(), only: Vec::new(), rounds: 7, agents: 1_000_000, clock: Clock::Wall, divisor: 1 };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                // Cargo adds this one.
                "--bench" => {}
                "--help" => return Err(HELP.to_owned()),
                "--rounds" => options.rounds = number(&value()?)?,
                "--agents" => options.agents = number(&value()?)?,
                "--only" => options.only = value()?.split(',').map(str::to_lowercase).collect(),
                "--cpu" => options.clock = Clock::Thread,
                "--quick" => {
                    options.divisor = 10;
                    options.rounds = 3;
                    options.agents = 100_000;
                }
                flag if flag.starts_with('-') => return Err(format!("no option {flag}; see --help")),
                name if NAMES.contains(&name) => options.names.push(name.to_owned()),
                name => return Err(format!("nothing is called {name}; there are: {}", NAMES.join(" "))),
            }
        }
        Ok(options)
    }

    /// Whether this measurement is wanted.
    pub fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names.iter().any(|wanted| wanted == name)
    }

    /// Whether this subject, by its place in [`SUBJECTS`], is wanted.
    pub fn wants_subject(&self, index: usize) -> bool {
        let name = SUBJECTS[index].0.to_lowercase();
        self.only.is_empty() || self.only.iter().any(|wanted| name.contains(wanted))
    }

    /// A number of repetitions, fewer in a quick run.
    pub fn sized(&self, repetitions: u64) -> u64 {
        (repetitions / self.divisor).max(1)
    }
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, String> {
    text.replace('_', "").parse().map_err(|_| format!("`{text}` is not a number that fits here"))
}
