//! Which calls need not be made? Those whose answer is kept, and those that somebody else is making right now.
//!
//! Two identical calls are two whose [`Key`] is the same: the model's name and all that is asked. What a call may read, write
//! and share stands in the [`CachePolicy`] and in the call's own [`CacheMode`]. Everything here is pure: time is an argument,
//! and the shell holds the lock. The disk is behind the port [`ReplyStore`](crate::ports::ReplyStore).

mod cache;
mod flights;
mod key;
mod policy;

pub use key::canonical;
pub use policy::{CacheMode, CachePolicy};
pub(in crate::gateway) use {
    cache::ReplyCache,
    flights::{FlightId, FlightKey, Flights, Joined, Payer, WaiterId},
    key::{Key, hash as stable_hash},
    policy::is_worth_keeping,
};
