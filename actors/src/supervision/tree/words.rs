//! The words of the tree: what a group is told, what is reported to the tree, and what the tree commands.

use std::time::Duration;

use crate::supervision::RestartPolicy;

/// Who is restarted together with a child that died.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// Nobody: the child alone.
    #[default]
    OneForOne,
    /// All children of the group.
    OneForAll,
    /// The children that were started after it.
    RestForOne,
}

/// Which ends of a child are followed by a restart. OTP's restart types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lifetime {
    /// All of them.
    #[default]
    Permanent,
    /// Crashes. A normal end finishes the child for good; OTP would keep its specification and start it again with its
    /// siblings, but a reference to an agent must either work or be gone.
    Transient,
    /// None, and to be ended together with a sibling finishes it too.
    Temporary,
}

impl Lifetime {
    /// Whether a child of this lifetime that ended by itself, normally or not, is gone for good.
    pub(super) fn is_over(self, normally: bool) -> bool {
        match self {
            Self::Permanent => false,
            Self::Transient => normally,
            Self::Temporary => true,
        }
    }
}

/// What a group is told at its making.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupSpec {
    /// Who is restarted together.
    pub strategy: Strategy,
    /// The group's intensity and backoff, over all its children.
    pub policy: RestartPolicy,
    /// What it means to the parent that the group gave up. Giving up counts as a crash, so that a transient group comes
    /// back as a permanent one does; in OTP it ends with `shutdown`, and a transient supervisor stays away.
    pub lifetime: Lifetime,
}

/// How an incarnation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, on purpose.
    Normal,
    /// By itself, by a panic or a start that failed.
    Crash,
    /// Because of [`Command::Halt`]. Unasked for, it counts as [`End::Normal`].
    Halted,
}

/// A group or an agent of one tree. Never used twice; a younger sibling has the greater one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(super) u64);

/// One restart of a child and those that must go with it. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SweepId(pub(super) u64);

/// What somebody else must do, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Start an incarnation; the answer is `up`, or `ended` if it could not start.
    Begin(NodeId),
    /// It died by itself and will come back: keep the agent.
    Retain(NodeId),
    /// End the incarnation and keep the agent; the answer is `ended` or `late`.
    Halt(NodeId),
    /// End the agent for good once it has handled what it has; the answer is `finished`, `ended` or `late`. After `ended`
    /// comes `Finish`.
    Drain(NodeId),
    /// End the agent for good now; the answer is `finished`, `ended` or `late`. One that is down already needs no answer.
    Finish(NodeId),
    /// Call `due` after this long. Never zero.
    Wait(SweepId, Duration),
    /// The root exceeded its intensity, and all is finished. The last command of all.
    GaveUp(NodeId),
}
