//! What happens when an agent dies? Restart policies as data, decided by pure functions; notices for those who watch;
//! a tree of groups by OTP's rules.

mod down;
mod restart;
pub mod tree;

pub use down::{Down, ExitReason, Next};
pub use restart::{Backoff, Decision, RestartHistory, RestartPolicy};
