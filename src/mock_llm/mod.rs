//! A model server on loopback that answers like OpenAI's, as slowly and as wrongly as a test needs.
//!
//! ```
//! use callboard::mock_llm::{MockConfig, MockLlm};
//!
//! # tokio::runtime::Runtime::new().unwrap().block_on(async {
//! let server = MockLlm::start(MockConfig::default())?;
//! let base_url = server.base_url(); // http://127.0.0.1:39115/v1: give it to the program that is tested
//! // ... the program makes its calls ...
//! assert_eq!(server.stats().peak_in_flight, 0);
//! server.stop().await;
//! # Ok::<(), callboard::mock_llm::MockError>(()) }).unwrap();
//! ```
//!
//! The command `callboard mock-llm` runs the same server; docs/mock-llm.md has all that it can do. It owns its threads,
//! so it works from a plain `main`, in either flavour of tokio and in any test.
//!
//! - `latency`, `fault`, `limits`, `replies`, `random`: what happens to call number n, decided by a seed; pure
//! - `schema`: values that satisfy a JSON Schema; pure
//! - `script`: fixed replies; `api`: the JSON; `wire`: the bytes and the steps of a reply; pure
//! - `server`: threads and sockets; `stats`: what it counts
//!
//! HTTP is our own over `httparse`, because a server library cannot be made to send half a head, to end a chunk inside
//! of a character, or to promise more than comes.

mod api;
mod config;
mod fault;
mod latency;
mod limits;
mod random;
mod replies;
mod schema;
mod script;
mod server;
mod stats;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;

pub use config::{MockConfig, MockError};
pub use fault::{Fault, FaultRates, UnknownFault};
pub use latency::Latency;
pub use limits::Limits;
pub use script::{Script, ScriptError};
pub use stats::{ConnectionStats, MockStats};

use server::state::State;
use server::threads::{self, Threads};

/// A running server. Dropping it stops it without waiting for its threads.
#[derive(Debug)]
pub struct MockLlm {
    state: Arc<State>,
    threads: Threads,
}

impl MockLlm {
    /// Starts a server. When this returns, it listens.
    pub fn start(config: MockConfig) -> Result<Self, MockError> {
        config.validate()?;
        let state = Arc::new(State::new(config));
        Ok(Self { threads: threads::start(&state)?, state })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.threads.address
    }

    /// What clients call the base URL, such as `http://127.0.0.1:8080/v1`.
    pub fn base_url(&self) -> String {
        format!("http://{}/v1", self.threads.address)
    }

    /// What happened so far; also at `/stats`.
    pub fn stats(&self) -> MockStats {
        self.state.stats()
    }

    /// From now on these limits hold; calls in flight go on. A rate that stays keeps what is left of it, one that changes
    /// begins with a full minute's worth. Also at `/limits`.
    ///
    /// # Errors
    /// [`MockError::Config`] for a limit of 0, which would refuse everything.
    pub fn set_limits(&self, limits: Limits) -> Result<(), MockError> {
        if limits.zero().is_some() {
            return Err(MockError::Config(config::ZERO.to_owned()));
        }
        self.state.set_limits(limits);
        Ok(())
    }

    /// Begins anew: counters, the numbers of calls and with them what the seed decides, the script, and the limits of
    /// the configuration with nothing used of them. Calls in flight go on. Also at `/reset`.
    pub fn reset(&self) {
        self.state.reset();
    }

    /// Stops: connections are closed whatever goes on on them. When this is over, no thread of the server is left.
    /// When it is dropped before its end, the threads still stop.
    pub async fn stop(self) {
        let Threads { stop, mut running, handles, .. } = self.threads;
        drop(stop);
        while running.recv().await.is_some() {}
        // Each has done its last deed.
        handles.into_iter().for_each(|handle| drop(handle.join()));
    }

    /// The same for programs that are not async.
    pub fn stop_blocking(self) {
        let Threads { stop, handles, .. } = self.threads;
        drop(stop);
        handles.into_iter().for_each(|handle| drop(handle.join()));
    }
}
