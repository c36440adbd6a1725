//! What is left of an agent that is put away? A task of a few words that waits for something to happen.
//!
//! The task of a [`Guard`] has room for a living agent. Whoever is put away gives that back, too.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::door::Door;
use super::guard::{Bonds, Factory, Guard};
use super::queue::Control;
use crate::agent::Agent;

/// Waits until a message comes, or the agent is to stop; then a guard goes on.
pub(super) struct Sleeper<A: Agent> {
    door: Arc<Door<A::Message>>,
    /// `None` once the guard has it.
    factory: Option<Factory<A>>,
    bonds: Option<Box<Bonds>>,
}

impl<A: Agent> Sleeper<A> {
    pub(super) fn new(door: Arc<Door<A::Message>>, factory: Factory<A>, bonds: Option<Box<Bonds>>) -> Self {
        Self { door, factory: Some(factory), bonds }
    }

    fn guard(&mut self) -> Option<Guard<A>> {
        Some(Guard::of_away(self.door.clone(), self.factory.take()?, self.bonds.take()))
    }
}

impl<A: Agent> Future for Sleeper<A> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.door.park(cx.waker());
        let is_cancelled = this.bonds.as_mut().is_some_and(|bonds| bonds.is_cancelled(cx));
        if !is_cancelled && this.door.pending() == 0 && this.door.control() == Control::Run {
            return Poll::Pending;
        }
        if let Some(guard) = this.guard() {
            tokio::task::spawn_local(guard);
        }
        Poll::Ready(())
    }
}

impl<A: Agent> Drop for Sleeper<A> {
    /// The shard ends: the guard sees to it that everybody learns it.
    fn drop(&mut self) {
        drop(self.guard());
    }
}
