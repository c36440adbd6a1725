//! Which vendors' formats are spoken? One folder for each; what they share is here.
//!
//! A provider is a [`ChatModel`](crate::actors::ports::ChatModel): it makes one attempt of a call over its own pool of
//! connections, and says what went wrong. Limits, retries and budgets are the gateway's, which is the only one to call it.

pub mod builtin;
mod headers;
mod http;
pub mod openai;
mod probe;
mod sse;

pub use http::ProviderError;
pub use probe::{Answer, Probe};
