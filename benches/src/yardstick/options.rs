//! What is measured of the gateway, and how long? The arguments after `--`.

/// What can be named.
const NAMES: [&str; 13] = [
    "cpu",
    "wall",
    "open",
    "memory",
    "limits",
    "storm",
    "runs",
    "profile",
    "profile-yardstick",
    "profile-run",
    "profile-tool",
    "profile-loop",
    "profile-loop-tool",
];

const HELP: &str = "\
cargo bench -p callboard-benches --bench yardstick -- [NAME ...] [OPTIONS]

Measures what is named, or everything: cpu wall open memory limits storm runs
`profile` and `profile-yardstick` make the calls of `cpu` on one side only, for whoever watches them with a profiler;
`profile-run`, `profile-tool`, `profile-loop` and `profile-loop-tool` the runs of `runs`.

  --rounds N   how often each side is measured, after one round that does not count (default 7; at most 3 of `wall`,
               which takes a minute for each, and of `limits` and `storm`, which take half a minute and begin cold)
  --calls N    calls of each side in a round of `cpu` (default 50000)
  --quick      a tenth of everything and two rounds: to see that it works, not to quote
";

/// The arguments.
#[derive(Debug, Clone)]
pub struct Options {
    names: Vec<String>,
    /// Rounds that count.
    pub rounds: usize,
    /// Calls of each side in a round of `cpu`.
    pub calls: usize,
    /// Everything else is divided by that.
    pub divisor: usize,
}

impl Options {
    /// Reads the arguments of this process.
    ///
    /// # Errors
    /// A sentence for whoever typed it; the help for `--help`.
    pub fn from_arguments(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self { names: Vec::new(), rounds: 7, calls: 50_000, divisor: 1 };
        while let Some(argument) = arguments.next() {
            let mut number = || {
                let value = arguments.next().unwrap_or_default().replace('_', "").parse().ok();
                value.filter(|number| *number > 0).ok_or_else(|| format!("{argument} needs a number above zero"))
            };
            match argument.as_str() {
                // Cargo adds this one.
                "--bench" => {}
                "--help" => return Err(HELP.to_owned()),
                "--rounds" => options.rounds = number()?,
                "--calls" => options.calls = number()?,
                "--quick" => (options.rounds, options.calls, options.divisor) = (2, 5_000, 10),
                name if NAMES.contains(&name) => options.names.push(name.to_owned()),
                // `cargo bench` gives all benchmarks the same arguments; these are for another one.
                _ => return Err(format!("the yardstick is left out: it knows no {argument}; see --help")),
            }
        }
        Ok(options)
    }

    /// Whether this measurement is wanted.
    pub fn wants(&self, name: &str) -> bool {
        self.names.is_empty() || self.names(name)
    }

    /// Whether it is wanted by name.
    pub fn names(&self, name: &str) -> bool {
        self.names.iter().any(|wanted| wanted == name)
    }
}
