//! Callboard: an actor-model multi-agent framework.

pub use callboard_actors as core;

pub mod corpus;
