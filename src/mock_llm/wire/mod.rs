//! What is sent, byte by byte, and what came in? HTTP/1.1 as plain functions: heads and chunks are read, replies become
//! a list of steps. Touches no socket.
//!
//! It is our own because a server library cannot do what is asked for here: send half a head, end a chunk inside of a
//! character, announce a body that does not come.

pub(super) mod chunked;
pub(super) mod head;
pub(super) mod plan;
pub(super) mod steps;
