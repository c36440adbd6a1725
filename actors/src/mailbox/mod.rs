//! How does a message reach an agent, and what becomes of it? The bounded front door and the panic-proof shell.
//!
//! actix is the engine and stays inside this folder and [`crate::runtime`]: nobody outside holds an actix address, and actors of
//! actix's that exist already come in through [`ActixSpec`].
//! Every message that a front door accepts is handled, still pending, or a dead letter with a counted reason.

mod actix_ref;
mod agent_ref;
mod ask;
mod blocking;
mod carried;
mod contain;
mod directory;
mod door;
mod guard;
mod idle;
mod ledger;
mod name;
mod orders;
mod overflow;
mod quarantine;
mod queue;
mod reply;
mod shell;
mod sleeper;
mod spec;
mod watch;
mod working;

pub use actix_ref::{ActixMessage, ActixRef, ActixSpec};
pub use agent_ref::AgentRef;
pub use ask::Ask;
pub use directory::{AgentInfo, Directory};
pub use ledger::{DeadLetter, Ledger};
pub use name::Name;
pub use overflow::Overflow;
pub use reply::Reply;
pub use spec::AgentSpec;

pub(crate) use carried::Carried;
pub(crate) use contain::{Contained, contain, drop_contained, panic_text, with_contained_waker};
pub(crate) use directory::AnyAgent;
pub(crate) use door::Door;
pub(crate) use ledger::ShardLedger;
pub(crate) use orders::Order;
pub(crate) use queue::Control;
pub(crate) use reply::mark_shard_ending;
pub(crate) use spec::{Birth, is_a_name, prepare};
pub(crate) use working::{Errand, Working};

/// Names an agent within its runtime; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentId(pub u64);

impl std::fmt::Display for AgentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "agent-{}", self.0)
    }
}
