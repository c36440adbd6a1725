//! How is a request answered over a socket? `threads` accepts, `connection` reads, `exchange` decides, `perform` sends.

pub(super) mod connection;
pub(super) mod exchange;
pub(super) mod perform;
pub(super) mod refuse;
pub(super) mod state;
pub(super) mod threads;
