//! What happens when an agent dies? Restart policies as data, decided by pure functions; notices for those who watch.

mod down;
mod restart;

pub use down::{Down, ExitReason, Next};
pub use restart::{Backoff, Decision, RestartHistory, RestartPolicy};
