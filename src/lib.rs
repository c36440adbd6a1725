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
//! - [`Runtime`], [`ChatAgent`], [`tool`](macro@tool), [`tools`]: agents of your own that answer with a model and tools
//! - [`blocking`]: the same for programs without an async runtime
//! - [`Error`], [`ExitStatus`]: what can go wrong, what to do about it, which exit code it has
//! - [`prelude`]: what most programs with agents of their own name
//! - [`testkit`]: models for tests, virtual time, one scenario under many seeds
//! - [`telemetry`]: what agents, shards and model calls are like, as metrics
//! - [`providers`]: language models behind the gateway, in the formats of their vendors
//! - [`store`]: what outlives a process: sessions, and replies of models
//! - [`mock_llm`]: a model server for tests: OpenAI's interface with latencies, limits and faults
//! - [`actors`]: the core: agents, mailboxes, supervision, the gateway; no input or output
//!
//! Each of `research` (with `corpus` and `report`), `store`, `mock_llm`, `telemetry` and `cli` is a feature; all are on unless
//! `default-features = false` says otherwise.
//!
//! ```text
//! src/            how it meets the world: corpus, report, command line
//! actors/src/     what the system is: actors and the pure rules behind them
//! ```

pub use callboard_actors as actors;
pub use callboard_actors::chat_agent::{Answer, AskAll, AskEvent, AskLimits, ChatAgent, ChatAgentError, Question};
pub use callboard_actors::error::ToolError;
pub use callboard_actors::event::{CancelReason, Event, RunEvent};
pub use callboard_actors::research::{Plan, Report, SkippedFile, Status, Task, TaskId};
/// Makes a tool of a function: the model is told its name, its documentation comment and the types of its arguments.
///
/// ```
/// use callboard::tool;
///
/// /// Current weather in a city.
/// #[tool(timeout = "10s", attempts = 2)]
/// async fn weather(
///     /// The city's English name.
///     city: String,
/// ) -> Result<String, callboard::ToolError> {
///     Ok(format!("rain in {city}"))
/// }
/// ```
///
/// - `weather` is then a type and its only value, which implements [`Tool`](tools::Tool): give it to an agent.
/// - An argument is of any type that is `serde::Deserialize` and `schemars::JsonSchema`; one of type
///   [`ToolContext`](tools::ToolContext) is given by the agent and not by the model. What the model writes is checked against the types
///   and their schema (`#[schemars(range(min = 1, max = 9))]`, also on an argument), and it is told what is wrong.
/// - It has no state. A tool that holds some, such as the handle of a database, is a closure:
///   [`DynamicTool::typed`](tools::DynamicTool::typed).
/// - The result is anything that is [`ToolOutput`](tools::ToolOutput): text, numbers, JSON, nothing, an `Option`, or a `Result`, whose error, of
///   any type that can be shown, the model is told.
/// - An `async` function runs on the agent's shard and must not block. One that is not `async` may block: it runs on a pool of
///   threads, where it may also ask other agents by [`blocking`]. Its thread is not ended by a time-out: it keeps its place until it
///   returns; ask its `ToolContext` whether anybody waits.
/// - In the brackets: `name = "weather"`, and the [policy](tools::ToolPolicy): `timeout = "10s"`, `attempts = 3`, `at_once = 2`,
///   `max_output = 4096`, `sequential`, `needs_approval`.
pub use callboard_macros::tool;
pub use choice::ModelChoice;
pub use error::{Error, Result};
pub use exit::ExitStatus;
#[cfg(feature = "research")]
pub use research::{Finished, ModelActivity, Research, ResearchRun, plan, research};
pub use runtime::Runtime;
pub use write_error::WriteError;

pub mod blocking;
mod cache_folder;
mod choice;
pub mod compose;
pub mod config;
#[cfg(feature = "research")]
pub mod corpus;
mod error;
mod exit;
#[cfg(feature = "mock_llm")]
pub mod mock_llm;
mod network;
pub mod prelude;
pub mod providers;
#[cfg(feature = "research")]
pub mod report;
#[cfg(feature = "research")]
pub mod research;
mod runtime;
mod split_mix;
#[cfg(feature = "store")]
pub mod store;
#[cfg(feature = "telemetry")]
pub mod telemetry;
pub mod testkit;
pub mod tools;
mod write_error;

/// The programs in the README are compiled and run with the documentation's tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The same for the programs of docs/testing.md.
#[cfg(doctest)]
#[doc = include_str!("../docs/testing.md")]
struct Testing;

/// The programs of docs/embedding.md, where those that serve are only compiled.
#[cfg(doctest)]
#[doc = include_str!("../docs/embedding.md")]
struct Embedding;

/// The tools of docs/agents.md.
#[cfg(doctest)]
#[doc = include_str!("../docs/agents.md")]
struct Agents;

/// The program of docs/models.md.
#[cfg(doctest)]
#[doc = include_str!("../docs/models.md")]
struct Models;

/// The program of docs/mock-llm.md.
#[cfg(doctest)]
#[doc = include_str!("../docs/mock-llm.md")]
struct Mock;
