//! What keeps a panic from killing more than one incarnation? A hand-written future around actix's context.
//!
//! actix's own Supervisor shares its task with the actor and dies with it. This future polls the context under
//! `catch_unwind`; after a panic it replaces the state, asks the policy, and goes on with the same address and queue.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use actix::dev::ContextFut;
use tokio::time::{Instant, Sleep};

use super::contain::{drop_contained, panic_text};
use super::door::{Control, Door};
use super::reply::with_cause;
use super::shell::Shell;
use crate::agent::Agent;
use crate::error::AskError;
use crate::supervision::{Decision, ExitReason, Next, RestartHistory, RestartPolicy};

type Life<A> = ContextFut<Shell<A>, actix::Context<Shell<A>>>;

/// Runs one agent from its start until it is gone for good.
pub(super) struct Guard<A: Agent> {
    /// `None` once the agent is gone.
    life: Option<Life<A>>,
    door: Arc<Door<A::Message>>,
    policy: RestartPolicy,
    history: RestartHistory,
    backoff: Option<Pin<Box<Sleep>>>,
    cancelled: Pin<Box<dyn Future<Output = ()>>>,
}

impl<A: Agent> Guard<A> {
    pub(super) fn new(life: Life<A>, door: Arc<Door<A::Message>>, policy: RestartPolicy) -> Self {
        let cancelled = Box::pin(door.scope.cancelled());
        Self { life: Some(life), door, policy, history: RestartHistory::default(), backoff: None, cancelled }
    }

    fn poll_life(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(life) = self.life.as_mut() {
            if let Some(backoff) = self.backoff.as_mut() {
                ready!(backoff.as_mut().poll(cx));
                self.backoff = None;
            }
            match catch_unwind(AssertUnwindSafe(|| Pin::new(life).poll(cx))) {
                Ok(Poll::Ready(())) => self.end(ExitReason::Stopped),
                Ok(Poll::Pending) if self.door.control() == Control::Drain && self.door.is_idle() => {
                    self.end(ExitReason::Stopped);
                }
                Ok(Poll::Pending) => return Poll::Pending,
                Err(panic) => self.died(panic_text(panic)),
            }
        }
        Poll::Ready(())
    }

    /// An incarnation panicked: the parent's policy says what follows.
    fn died(&mut self, panic: String) {
        let reason = ExitReason::Panicked(panic);
        let decision = match self.door.control() {
            Control::Stop => Decision::GiveUp,
            _ => self.history.decide(&self.policy, Instant::now(), self.door.shared.chance()),
        };
        tracing::warn!(agent = %self.door.id, name = %self.door.name, ?reason, ?decision, "agent died");
        let Decision::Restart(delay) = decision else {
            return self.end(reason);
        };
        let down = self.door.down(reason, Next::Restarts);
        self.door.next_incarnation();
        if let Some(life) = self.life.as_mut() {
            // The old state's own drop may panic too: the shell contains it.
            life.restart();
        }
        self.backoff = (!delay.is_zero()).then(|| Box::pin(tokio::time::sleep(delay)));
        self.door.tell_watchers(&down);
    }

    /// The agent goes for good: what is queued becomes dead letters, then everybody who watches learns it.
    fn end(&mut self, reason: ExitReason) {
        let Some(life) = self.life.take() else {
            return;
        };
        let cause = if matches!(reason, ExitReason::Panicked(_)) { AskError::Panicked } else { AskError::Stopped };
        self.door.raise(Control::Stop);
        if cause == AskError::Panicked {
            self.door.mark_panicked();
        }
        with_cause(cause, || drop_contained(life));
        self.door.depart(reason);
    }
}

impl<A: Agent> Future for Guard<A> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.door.register(cx.waker());
        let stopped = this.door.control() == Control::Stop;
        if stopped || this.cancelled.as_mut().poll(cx).is_ready() {
            this.end(ExitReason::Stopped);
            return Poll::Ready(());
        }
        this.poll_life(cx)
    }
}

impl<A: Agent> Drop for Guard<A> {
    fn drop(&mut self) {
        self.end(ExitReason::Abandoned);
    }
}
