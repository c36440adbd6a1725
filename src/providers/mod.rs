//! Which vendors' formats are spoken? One folder for each; what they share is here.
//!
//! A provider is a [`ChatModel`](crate::actors::ports::ChatModel): it makes one attempt of a call over its own pool of
//! connections, and says what went wrong. Limits, retries and budgets are the gateway's, which is the only one to call it.

pub mod anthropic;
mod body;
pub mod builtin;
mod caller;
pub mod gemini;
mod headers;
mod http;
mod ids;
mod key;
pub mod ollama;
pub mod openai;
mod page;
mod probe;
mod proxy;
mod refusal;
mod sse;
mod stream;
mod strict;
mod usage;

pub(crate) use caller::{Vendor, endpoint};
pub use http::ProviderError;
pub(crate) use key::is_secret;
pub use probe::{Answer, Probe};

/// The vendors whose models can be named.
pub(crate) static VENDORS: [&Vendor; 4] = [&openai::OPENAI, &anthropic::ANTHROPIC, &gemini::GEMINI, &ollama::OLLAMA];
