//! Does it hold whatever the order of turns? Runs one scenario under many seeds, each of them twice.
//!
//! ```
//! use std::time::Duration;
//! use callboard_actors::agent::{Agent, Turn};
//! use callboard_actors::mailbox::{AgentSpec, Reply};
//! use callboard_actors::testkit::explore;
//!
//! struct Echo;
//!
//! impl Agent for Echo {
//!     type Message = (u64, Reply<u64>);
//!
//!     fn handle(&mut self, (number, reply): Self::Message, _turn: &mut Turn<'_, Self::Message>) {
//!         reply.send(number);
//!     }
//! }
//!
//! explore(0..20, |seed, runtime, log| async move {
//!     let agent = runtime.spawn(AgentSpec::new("echo", || Echo)).unwrap();
//!     let answer = agent.ask(Duration::from_secs(1), |reply| (seed, reply)).await;
//!     log.note(format!("{answer:?}"));
//!     assert_eq!(answer, Ok(seed));
//! });
//! ```

mod events;
mod probe;

use std::fmt::Display;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

use crate::mailbox::contain;
use crate::runtime::{Runtime, simulated};

pub use events::{Change, Events, Pattern};
pub use probe::{Probe, ProbeError};

/// The variable of the environment that names the one seed to explore, for tests that heed it.
pub const SEED_VARIABLE: &str = "CALLBOARD_SEED";

/// What happened in one simulated run, line by line, each with its virtual time in milliseconds. Clones are one log.
#[derive(Debug, Clone)]
pub struct Log {
    began: Instant,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Log {
    fn new() -> Self {
        Self { began: Instant::now(), lines: Arc::default() }
    }

    /// Adds a line.
    pub fn note(&self, what: impl Display) {
        let line = format!("{:>6} {what}", self.began.elapsed().as_millis());
        self.lines().push(line);
    }

    /// The lines so far.
    pub fn all(&self) -> Vec<String> {
        self.lines().clone()
    }

    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `scenario` in [`simulated`] once for each seed, and again: both runs must note the same lines. A scenario says
/// what must hold with assertions. It gets the seed, for choices of its own.
///
/// # Panics
/// Panics at the first seed whose run panics or does not repeat itself. The text ends with the command that shows it
/// again: `CALLBOARD_SEED=7 cargo test NAME`. Nothing is read from the environment here: a test that takes its seeds from
/// [`SEED_VARIABLE`] explores that one alone, any other comes to it on its way.
pub fn explore<Scenario, Fut>(seeds: impl IntoIterator<Item = u64>, scenario: Scenario)
where
    Scenario: Fn(u64, Runtime, Log) -> Fut,
    Fut: Future<Output = ()>,
{
    for seed in seeds {
        let (first, second) = (once(seed, &scenario), once(seed, &scenario));
        if let Some(at) = (0..first.len().max(second.len())).find(|at| first.get(*at) != second.get(*at)) {
            panic!(
                "seed {seed} does not repeat itself. Line {at} was first {:?}, then {:?}. Look for a source of chance \
                 or time outside the runtime.\n{}",
                first.get(at),
                second.get(at),
                see_again(seed)
            );
        }
    }
}

/// One run of one seed.
fn once<Scenario, Fut>(seed: u64, scenario: &Scenario) -> Vec<String>
where
    Scenario: Fn(u64, Runtime, Log) -> Fut,
    Fut: Future<Output = ()>,
{
    let run = || {
        simulated(seed, |runtime| async move {
            let log = Log::new();
            scenario(seed, runtime, log.clone()).await;
            log.all()
        })
    };
    contain(run).unwrap_or_else(|panic| {
        panic!("seed {seed} fails: {panic}\n{}", see_again(seed));
    })
}

/// How to run one seed of the test that this thread runs.
fn see_again(seed: u64) -> String {
    let thread = std::thread::current();
    // The test harness calls a test's thread by its name; a documentation test has none and runs in `main`.
    let test = thread.name().filter(|name| *name != "main").unwrap_or("--doc");
    format!("to see it again: {SEED_VARIABLE}={seed} cargo test {test}")
}
