//! What does a program with agents of its own name? `use callboard::prelude::*;` brings it; the rest is in
//! [`actors`](crate::actors).
//!
//! `callboard::Result` and `callboard::Error` are not here: they would hide those of the program.

#[cfg(feature = "research")]
pub use crate::research::research;
pub use crate::runtime::Runtime;
pub use crate::tool;
pub use crate::tools::{Tool, ToolContext, ToolError};
pub use callboard_actors::agent::{Agent, Turn, WorkError};
pub use callboard_actors::chat_agent::{Answer, AskEvent, AskLimits, ChatAgent, ChatAgentError, Question, Typed};
pub use callboard_actors::error::{AskError, StartError, TellError};
pub use callboard_actors::mailbox::{AgentId, AgentRef, AgentSpec, DeadLetter, Overflow, Reply};
pub use callboard_actors::runtime::RuntimeConfig;
pub use callboard_actors::scope::Scope;
pub use callboard_actors::supervision::{Backoff, Down, ExitReason, Next, RestartPolicy};
pub use callboard_actors::supervisor::{Collect, FanOutLimits};
