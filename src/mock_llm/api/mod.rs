//! What is said in JSON? Requests are read with tolerance, replies are written as OpenAI writes them; pure.
//!
//! Knows nothing of connections: `wire` turns what is written here into bytes.

pub(super) mod answer;
pub(super) mod chat;
pub(super) mod embeddings;
pub(super) mod error;
pub(super) mod fields;
pub(super) mod limits;
pub(super) mod models;
pub(super) mod plain;
pub(super) mod stream;
pub(super) mod tools;
