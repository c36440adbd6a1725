//! When must work end? A tree of cancellation tokens in which every child inherits its parent's deadline.
//!
//! Cancelling a scope cancels everything below it and nothing above it. A child's deadline is never later than its
//! parent's. The first reason wins and can be read by everyone below.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::event::CancelReason;
use crate::mailbox::with_contained_waker;

/// Up to this depth it is cheaper to look at all above than to take the token's lock.
const NEAR: u32 = 8;

/// One node of the cancellation tree. Clones are the same node.
#[derive(Debug, Clone)]
pub struct Scope {
    node: Arc<Node>,
}

#[derive(Debug)]
struct Node {
    token: CancellationToken,
    /// Whether this very node was cancelled: to be read without the token's lock.
    cancelled: AtomicBool,
    /// How many are above it.
    depth: u32,
    deadline: Option<Instant>,
    reason: OnceLock<CancelReason>,
    parent: Option<Arc<Node>>,
}

impl Scope {
    /// A scope without a parent and without a deadline.
    pub fn root() -> Self {
        Self::node(CancellationToken::new(), None, None)
    }

    /// A scope below this one with the same deadline.
    pub fn child(&self) -> Self {
        self.child_until(None)
    }

    /// A scope below this one that ends at `deadline`, or at this one's deadline if that is earlier.
    pub fn child_until(&self, deadline: Option<Instant>) -> Self {
        let earliest = match (self.node.deadline, deadline) {
            (Some(ours), Some(theirs)) => Some(ours.min(theirs)),
            (ours, theirs) => ours.or(theirs),
        };
        Self::node(self.node.token.child_token(), earliest, Some(self.node.clone()))
    }

    fn node(token: CancellationToken, deadline: Option<Instant>, parent: Option<Arc<Node>>) -> Self {
        let depth = parent.as_ref().map_or(0, |parent| parent.depth.saturating_add(1));
        let cancelled = AtomicBool::new(false);
        Self { node: Arc::new(Node { token, cancelled, depth, deadline, reason: OnceLock::new(), parent }) }
    }

    /// Ends this scope and everything below it. Only the first reason counts.
    pub fn cancel(&self, reason: CancelReason) {
        if !self.node.token.is_cancelled() {
            let _already_set = self.node.reason.set(reason);
        }
        self.node.cancelled.store(true, Ordering::Release);
        self.node.token.cancel();
    }

    /// The time by which work must be over.
    pub fn deadline(&self) -> Option<Instant> {
        self.node.deadline
    }

    /// Whether the scope was cancelled, or its deadline passed at `now`; and why.
    pub fn ended(&self, now: Instant) -> Option<CancelReason> {
        if self.node.token.is_cancelled() {
            return Some(self.node.why());
        }
        self.node.deadline.filter(|deadline| *deadline <= now).map(|_| CancelReason::Deadline)
    }

    /// Whether it was cancelled, here or above, whatever its deadline.
    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        if self.node.depth > NEAR {
            return self.node.token.is_cancelled();
        }
        let mut node = Some(&self.node);
        while let Some(here) = node {
            if here.cancelled.load(Ordering::Acquire) {
                return true;
            }
            node = here.parent.as_ref();
        }
        false
    }

    /// Why the scope was cancelled, here or above; `None` while it is not, whatever its deadline.
    pub(crate) fn cancelled_because(&self) -> Option<CancelReason> {
        self.node.token.is_cancelled().then(|| self.node.why())
    }

    /// Ends when the scope is cancelled, here or above. It does not watch the deadline: see [`Scope::run`].
    pub(crate) fn cancelled(&self) -> impl Future<Output = ()> + Send + use<> {
        self.node.token.clone().cancelled_owned()
    }

    /// Runs `work` until it is done, the scope is cancelled, or the deadline passes; `work` is dropped in the last two.
    ///
    /// # Errors
    /// The reason for which the scope ended first.
    ///
    /// # Panics
    /// Panics outside an async runtime with timers, if the scope has a deadline.
    pub async fn run<F: Future>(&self, work: F) -> Result<F::Output, CancelReason> {
        let deadline = async {
            match self.node.deadline {
                Some(deadline) => tokio::time::sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = with_contained_waker(self.node.token.cancelled()) => Err(self.node.why()),
            done = work => Ok(done),
            () = deadline => Err(CancelReason::Deadline),
        }
    }
}

impl Drop for Node {
    /// Without recursion: a chain of scopes may be longer than the stack is deep.
    fn drop(&mut self) {
        let mut above = self.parent.take();
        while let Some(node) = above {
            above = Arc::into_inner(node).and_then(|mut node| node.parent.take());
        }
    }
}

impl Node {
    fn why(&self) -> CancelReason {
        if let Some(reason) = self.reason.get() {
            return *reason;
        }
        let mut above = self.parent.as_ref();
        while let Some(node) = above {
            if let Some(reason) = node.reason.get() {
                return *reason;
            }
            above = node.parent.as_ref();
        }
        CancelReason::Parent
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_child_inherits_the_earlier_deadline() {
        let now = Instant::now();
        let parent = Scope::root().child_until(Some(now + Duration::from_secs(5)));
        assert_eq!(parent.child().deadline(), parent.deadline());
        assert_eq!(parent.child_until(Some(now + Duration::from_secs(9))).deadline(), parent.deadline());
        let sooner = Some(now + Duration::from_secs(1));
        assert_eq!(parent.child_until(sooner).deadline(), sooner);
    }

    #[tokio::test(start_paused = true)]
    async fn cancelling_reaches_down_and_never_up() {
        let root = Scope::root();
        let (left, right) = (root.child(), root.child());
        let below = left.child();
        left.cancel(CancelReason::Redundant);
        let now = Instant::now();
        assert_eq!(below.ended(now), Some(CancelReason::Redundant));
        assert_eq!(right.ended(now), None);
        assert_eq!(root.ended(now), None);
        root.cancel(CancelReason::Interrupted);
        assert_eq!(right.ended(now), Some(CancelReason::Interrupted));
        assert_eq!(left.ended(now), Some(CancelReason::Redundant), "the first reason wins");
    }

    #[tokio::test(start_paused = true)]
    async fn work_ends_at_the_deadline_or_when_cancelled() {
        let now = Instant::now();
        let scope = Scope::root().child_until(Some(now + Duration::from_secs(3)));
        let forever = std::future::pending::<()>();
        assert_eq!(scope.run(forever).await, Err(CancelReason::Deadline));
        assert_eq!(Instant::now() - now, Duration::from_secs(3));
        let scope = Scope::root();
        assert_eq!(scope.run(async { 7 }).await, Ok(7));
        scope.cancel(CancelReason::Interrupted);
        assert_eq!(scope.run(async { 7 }).await, Err(CancelReason::Interrupted));
    }
}
