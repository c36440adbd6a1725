//! Where did every accepted message go? Counters with one equation: accepted = handled + pending + dead letters.
//!
//! Each shard counts for itself, so that shards do not share a cache line; [`Ledger`] is their sum at one moment.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::carried::CarriedCounts;

/// Why an accepted message was not handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeadLetter {
    /// The agent, or the whole runtime, stopped before it came to it.
    Stopped,
    /// The agent panicked while it handled it, or the actor for which it stands in did.
    Panicked,
    /// The one who asked had left before it was handled.
    CallerLeft,
    /// It was a result or a timer of an incarnation that is dead.
    StaleIncarnation,
    /// A newer message took its place, or it was a notice too many for an agent that does not keep up.
    Overflowed,
    /// Messages like it have killed the agent too often.
    Quarantined,
}

impl DeadLetter {
    /// All reasons, in the order in which they are counted.
    pub const ALL: [Self; 6] =
        [Self::Stopped, Self::Panicked, Self::CallerLeft, Self::StaleIncarnation, Self::Overflowed, Self::Quarantined];

    /// A stable name for programs.
    pub fn code(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Panicked => "panicked",
            Self::CallerLeft => "caller_left",
            Self::StaleIncarnation => "stale_incarnation",
            Self::Overflowed => "overflowed",
            Self::Quarantined => "quarantined",
        }
    }

    fn slot(self) -> usize {
        match self {
            Self::Stopped => 0,
            Self::Panicked => 1,
            Self::CallerLeft => 2,
            Self::StaleIncarnation => 3,
            Self::Overflowed => 4,
            Self::Quarantined => 5,
        }
    }
}

/// The counters of one shard.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct ShardLedger {
    accepted: AtomicU64,
    /// The same for senders on the shard itself, where nobody else writes.
    accepted_here: AtomicU64,
    handled: AtomicU64,
    /// Those that agents took on for somebody else.
    pub(super) carried: CarriedCounts,
    dead: [AtomicU64; DeadLetter::ALL.len()],
}

impl ShardLedger {
    /// `is_here`: whether the current thread is this shard.
    #[inline]
    pub(crate) fn accept(&self, is_here: bool) {
        if is_here {
            self.accepted_here.store(self.accepted_here.load(Relaxed) + 1, Relaxed);
        } else {
            self.accepted.fetch_add(1, Relaxed);
        }
    }

    /// Only on the shard's thread: nobody else writes here, so that no other core is asked.
    #[inline]
    pub(super) fn handled(&self) {
        self.handled.store(self.handled.load(Relaxed) + 1, Relaxed);
    }

    pub(super) fn dead(&self, reason: DeadLetter) {
        self.dead[reason.slot()].fetch_add(1, Relaxed);
    }
}

/// The counters of a runtime at one moment. While messages move, a count may be ahead of another by those that move.
#[derive(Clone, PartialEq, Eq)]
pub struct Ledger {
    /// Messages that a front door took.
    pub accepted: u64,
    /// Messages whose handler returned. What it took on for an actor of actix's is handled when the actor is done with it. It only
    /// rises.
    pub handled: u64,
    /// Messages that wait in the mailboxes of live agents, are in their handlers' hands, or were taken on for an actor of actix's
    /// that is not done with them.
    pub pending: u64,
    dead: [u64; DeadLetter::ALL.len()],
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counts = f.debug_struct("Ledger");
        counts.field("accepted", &self.accepted).field("handled", &self.handled).field("pending", &self.pending);
        for reason in DeadLetter::ALL {
            counts.field(reason.code(), &self.dead(reason));
        }
        counts.finish()
    }
}

impl Ledger {
    pub(crate) fn sum<'a>(shards: impl Iterator<Item = &'a ShardLedger>, pending: u64) -> Self {
        let mut sum = Self { accepted: 0, handled: 0, pending, dead: Default::default() };
        for shard in shards {
            sum.accepted += shard.accepted.load(Relaxed) + shard.accepted_here.load(Relaxed);
            sum.handled += shard.handled.load(Relaxed) + shard.carried.handled();
            sum.pending += shard.carried.pending();
            for (total, count) in sum.dead.iter_mut().zip(&shard.dead) {
                *total += count.load(Relaxed);
            }
        }
        sum
    }

    /// How many dead letters have this reason.
    pub fn dead(&self, reason: DeadLetter) -> u64 {
        self.dead[reason.slot()]
    }

    /// All dead letters.
    pub fn dead_letters(&self) -> u64 {
        self.dead.iter().sum()
    }

    /// Whether the equation holds: accepted = handled + pending + dead letters.
    pub fn balances(&self) -> bool {
        self.accepted == self.handled + self.pending + self.dead_letters()
    }
}
