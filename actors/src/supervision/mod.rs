//! What happens when an agent dies? Restart policies as data, decided by pure functions; notices for those who watch;
//! a tree of groups by OTP's rules.

mod down;
mod group;
mod keeper;
mod restart;
pub mod tree;

pub use down::{Down, ExitReason, Next};
pub use group::Group;
pub use restart::{Backoff, Decision, RestartHistory, RestartPolicy};

pub(crate) use keeper::Kept;
