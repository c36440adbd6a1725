//! The core of Callboard: what the system is, without any input or output.
//!
//! - [`chat`], [`event`], [`error`], [`research`]: the vocabulary, plain values
//! - [`ports`]: what the core needs from outside
//! - [`text`]: words and sentences, pure

pub mod chat;
pub mod error;
pub mod event;
pub mod ports;
pub mod research;
pub mod text;
