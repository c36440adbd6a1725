//! What does a call say when it comes, and what does it get? Plain values.

use std::time::Duration;

use tokio::time::Instant;

#[cfg(doc)]
use super::Admission;
use super::flow::{Flow, Turns};
use crate::gateway::lane::Entry;

/// What a call says of itself when it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) struct Claim {
    /// The number of its model.
    pub(in crate::gateway) lane: usize,
    /// Whose it is.
    pub(in crate::gateway) flow: Flow,
    /// It must be over by then.
    pub(in crate::gateway) deadline: Instant,
    /// What it may use.
    pub(in crate::gateway) tokens: u64,
}

/// A call that has a place. It gives it back with [`Admission::over`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) struct Ticket {
    pub(in crate::gateway) claim: Claim,
    /// Its place in the order of arrival.
    pub(super) number: u64,
    pub(super) since: Instant,
    pub(super) entry: Entry,
    /// The turns with which it was served: it has them again when it is made again. `None` when they are used up.
    pub(super) turns: Option<Turns>,
}

impl Ticket {
    /// Made again, it stands behind the others, as it had its turn.
    pub(in crate::gateway) fn used_up(self) -> Self {
        Self { turns: None, ..self }
    }

    /// For how long it has had its place.
    pub(in crate::gateway) fn held(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }
}

/// What becomes of a call that arrives.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::gateway) enum Verdict<C> {
    /// It starts at once; a place is taken.
    Start(Ticket, C),
    /// It waits, and comes out of [`Admission::next`] when it may start.
    Wait,
    /// The line is full, or the call cannot make its deadline; after that time it may be different.
    Refuse(C, Duration),
}
