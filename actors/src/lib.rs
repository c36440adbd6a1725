//! The core of Callboard: what the system is, without any input or output.
//!
//! - [`agent`], [`mailbox`], [`supervision`], [`runtime`]: agents, how messages reach them, what their death means,
//!   where they live
//! - [`scope`]: cancellation with inherited deadlines
//! - [`gateway`]: the one door for model calls
//! - [`chat_agent`]: agents that answer with a model and tools
//! - [`supervisor`]: fan-out, runs and their crew; [`research`]: what a run is about, and the rules
//! - [`chat`], [`event`], [`error`]: the vocabulary, plain values
//! - [`ports`]: what the core needs from outside
//! - [`schema`]: the JSON schema of a type
//! - [`text`]: words and sentences, pure
//! - [`testkit`]: one scenario under many seeds

pub mod agent;
pub mod chat;
pub mod chat_agent;
pub mod error;
pub mod event;
pub mod gateway;
pub mod mailbox;
pub mod ports;
pub mod research;
pub mod runtime;
pub mod schema;
pub mod scope;
pub mod supervision;
pub mod supervisor;
pub mod testkit;
pub mod text;
