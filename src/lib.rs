//! Callboard: an actor-model multi-agent framework. A question goes in; a supervisor, a planner, researchers, a writer
//! and a verifier, each an actor, make a cited report of your documents. Nothing leaves the machine, unless a language model
//! is named.
//!
//! - [`research`](fn@research): start here; describes a research and starts it
//! - [`ResearchRun`]: a run that has started: its events, its cancellation, its end
//! - [`Finished`]: the report with its events, its stored sources and its exit code
//! - [`Report`]: the report as a value; the documented JSON
//! - [`report`]: the report as text, Markdown, HTML, JSON and as a folder of files
//! - [`corpus`]: folders and files become passages that can be searched
//! - [`config`]: the configuration: two files, the environment and flags, and where each value came from
//! - [`compose`]: the adapters that a configuration asks for
//! - [`Error`], [`ExitStatus`]: what can go wrong, what to do about it, which exit code it has
//! - [`prelude`]: what most programs with agents of their own name
//! - [`testkit`]: one scenario under many seeds
//! - [`telemetry`]: what agents, shards and model calls are like, as metrics
//! - [`providers`]: language models behind the gateway, in the formats of their vendors
//! - [`store`]: what outlives a process: replies of models
//! - [`mock_llm`]: a model server for tests: OpenAI's interface with latencies, limits and faults
//! - [`actors`]: the core: agents, mailboxes, supervision, the gateway; no input or output
//!
//! ```text
//! src/            how it meets the world: corpus, report, command line
//! actors/src/     what the system is: actors and the pure rules behind them
//! ```

pub use callboard_actors as actors;
pub use callboard_actors::event::{CancelReason, Event, RunEvent};
pub use callboard_actors::research::{Plan, Report, SkippedFile, Status, Task, TaskId};
pub use error::{Error, Result, WriteError};
pub use exit::ExitStatus;
pub use research::{Finished, ModelActivity, ModelChoice, Research, ResearchRun, plan, research};

pub mod compose;
pub mod config;
pub mod corpus;
mod error;
mod exit;
pub mod mock_llm;
pub mod prelude;
pub mod providers;
pub mod report;
pub mod research;
pub mod store;
pub mod telemetry;
pub mod testkit;

/// The programs in the README are compiled and run with the documentation's tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The same for the scenario of docs/testing.md.
#[cfg(doctest)]
#[doc = include_str!("../docs/testing.md")]
struct Testing;

/// The programs of docs/embedding.md, where those that serve are only compiled.
#[cfg(doctest)]
#[doc = include_str!("../docs/embedding.md")]
struct Embedding;

/// The program of docs/models.md.
#[cfg(doctest)]
#[doc = include_str!("../docs/models.md")]
struct Models;

/// The program of docs/mock-llm.md.
#[cfg(doctest)]
#[doc = include_str!("../docs/mock-llm.md")]
struct Mock;
