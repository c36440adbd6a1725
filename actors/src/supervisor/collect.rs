//! When does a fan-out have what it needs? Collection policies.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Decides on the replies so far, in the order in which they arrived.
pub type Predicate<R> = Arc<dyn Fn(&[&R]) -> bool + Send + Sync>;

/// When a fan-out is over. Whatever the policy, it is also over when no task is left; tasks that are queued or running
/// when it is over are cancelled.
pub enum Collect<R> {
    /// Every task has replied, failed or been cancelled.
    All,
    /// One task has replied.
    Any,
    /// This many tasks have replied; 0 is over at once.
    First(usize),
    /// More than half of all tasks have replied, those included that were added on the way.
    Quorum,
    /// The predicate holds. It is asked after each reply.
    Until(Predicate<R>),
    /// This much time has passed since the fan-out began.
    Deadline(Duration),
}

impl<R> Clone for Collect<R> {
    fn clone(&self) -> Self {
        match self {
            Self::All => Self::All,
            Self::Any => Self::Any,
            Self::First(count) => Self::First(*count),
            Self::Quorum => Self::Quorum,
            Self::Until(predicate) => Self::Until(predicate.clone()),
            Self::Deadline(after) => Self::Deadline(*after),
        }
    }
}

impl<R> fmt::Debug for Collect<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("All"),
            Self::Any => f.write_str("Any"),
            Self::First(count) => write!(f, "First({count})"),
            Self::Quorum => f.write_str("Quorum"),
            Self::Until(_) => f.write_str("Until(..)"),
            Self::Deadline(after) => write!(f, "Deadline({after:?})"),
        }
    }
}

impl<R> Collect<R> {
    /// [`Collect::Until`] the predicate holds.
    pub fn until(predicate: impl Fn(&[&R]) -> bool + Send + Sync + 'static) -> Self {
        Self::Until(Arc::new(predicate))
    }

    /// Whether `replies`, of `tasks` tasks, are enough.
    pub(super) fn is_met(&self, replies: &[&R], tasks: usize) -> bool {
        match self {
            Self::All | Self::Deadline(_) => false,
            Self::Any => !replies.is_empty(),
            Self::First(count) => replies.len() >= *count,
            Self::Quorum => replies.len() > tasks / 2,
            Self::Until(predicate) => predicate(replies),
        }
    }
}
