//! What keeps a panic from killing more than one incarnation? A hand-written future around actix's context.
//!
//! actix's own Supervisor shares its task with the actor and dies with it. This future polls the context under
//! `catch_unwind`; after a panic it drops the whole incarnation, asks the policy, and makes the next one. The door with
//! its queue stays where it is.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix::dev::ContextFut;
use tokio::time::{Instant, Sleep};

use super::contain::{contain, drop_contained, panic_text};
use super::door::Door;
use super::idle::Idle;
use super::queue::Control;
use super::reply::with_cause;
use super::shell::Shell;
use super::sleeper::Sleeper;
use crate::agent::Agent;
use crate::error::AskError;
use crate::runtime::in_agent;
use crate::scope::Scope;
use crate::supervision::tree::End;
use crate::supervision::{Decision, ExitReason, Kept, Next, RestartHistory, RestartPolicy};

type Incarnation<A> = ContextFut<Shell<A>, actix::Context<Shell<A>>>;

/// Makes an agent's state.
pub(super) type Factory<A> = Box<dyn Fn() -> A + Send + Sync>;

/// A policy and what it has decided so far. An agent with the default policy has none until it dies.
#[derive(Default)]
pub(super) struct Restarts {
    pub(super) policy: RestartPolicy,
    history: RestartHistory,
}

impl From<RestartPolicy> for Restarts {
    fn from(policy: RestartPolicy) -> Self {
        Self { policy, history: RestartHistory::default() }
    }
}

/// Runs one agent from its start until it is gone for good.
pub(super) struct Guard<A: Agent> {
    stage: Stage<A>,
    door: Arc<Door<A::Message>>,
    /// `None` once it is handed to a [`Sleeper`].
    factory: Option<Factory<A>>,
    bonds: Option<Box<Bonds>>,
}

/// What binds an agent to others. One that has the default policy, no group and no scope has none until it dies.
#[derive(Default)]
pub(super) struct Bonds {
    restarts: Option<Box<Restarts>>,
    /// The group that decides instead of the policy.
    kept: Option<Box<Kept>>,
    /// When it is to be put away.
    idle: Option<Box<Idle>>,
    /// Ends when the scope that the agent was given is cancelled.
    cancelled: Option<Pin<Box<dyn Future<Output = ()>>>>,
}

impl Bonds {
    pub(super) fn new(
        restarts: Option<Box<Restarts>>,
        kept: Option<Box<Kept>>,
        idle: Option<Duration>,
        scope: Option<&Scope>,
    ) -> Option<Box<Self>> {
        let cancelled = scope.map(|scope| Box::pin(scope.cancelled()) as Pin<Box<dyn Future<Output = ()>>>);
        let idle = idle.map(|after| Box::new(Idle::new(after)));
        let binds = restarts.is_some() || kept.is_some() || idle.is_some() || cancelled.is_some();
        binds.then(|| Box::new(Self { restarts, kept, idle, cancelled }))
    }

    pub(super) fn is_cancelled(&mut self, cx: &mut Context<'_>) -> bool {
        self.cancelled.as_mut().is_some_and(|cancelled| cancelled.as_mut().poll(cx).is_ready())
    }
}

/// Where an agent is in its life.
#[expect(clippy::large_enum_variant, reason = "it is large while the agent lives, and what does not is a Sleeper")]
pub(super) enum Stage<A: Agent> {
    /// The next poll makes the state.
    Unborn,
    Living(Incarnation<A>),
    /// Put away until the next message.
    Away,
    /// Between a death and the next incarnation.
    Waiting(Pin<Box<Sleep>>),
    /// Until its group says what follows. The reason of the last end, if watchers have not heard of it.
    Held(Option<ExitReason>),
    Gone,
}

impl<A: Agent> Guard<A> {
    pub(super) fn new(door: Arc<Door<A::Message>>, factory: Factory<A>, bonds: Option<Box<Bonds>>) -> Self {
        let is_kept = bonds.as_ref().is_some_and(|bonds| bonds.kept.is_some());
        let stage = if is_kept { Stage::Held(None) } else { Stage::Unborn };
        Self { stage, door, factory: Some(factory), bonds }
    }

    /// Of an agent that is put away.
    pub(super) fn of_away(door: Arc<Door<A::Message>>, factory: Factory<A>, bonds: Option<Box<Bonds>>) -> Self {
        Self { stage: Stage::Away, door, factory: Some(factory), bonds }
    }

    fn kept(&self) -> Option<&Kept> {
        self.bonds.as_ref()?.kept.as_deref()
    }

    fn kept_mut(&mut self) -> Option<&mut Kept> {
        self.bonds.as_mut()?.kept.as_deref_mut()
    }

    /// From its first turn that asked for it on, an agent's scope ends the agent: whoever has it may cancel it.
    fn heed_scope(&mut self) {
        let heeds = self.bonds.as_ref().is_some_and(|bonds| bonds.cancelled.is_some());
        if !heeds && self.door.heeds_scope() {
            let scope = self.door.scope();
            self.bonds.get_or_insert_default().cancelled = Some(Box::pin(scope.cancelled()));
        }
    }

    fn is_cancelled(&mut self, cx: &mut Context<'_>) -> bool {
        self.bonds.as_mut().is_some_and(|bonds| bonds.is_cancelled(cx))
    }

    /// Makes the state of the next incarnation.
    fn give_birth(&mut self) {
        let Some(factory) = &self.factory else { return };
        match contain(factory) {
            Ok(agent) => {
                let shell = Shell::new(agent, self.door.clone());
                self.stage = Stage::Living(actix::Context::new().into_future(shell));
            }
            Err(panic) => self.died(panic),
        }
    }

    /// An incarnation panicked: the parent's policy says what follows.
    fn died(&mut self, panic: String) {
        self.door.mark_panic();
        if let Some(leave) = self.door.known_leave() {
            // Whoever died while it was asked is not asked again at its birth.
            leave.come_back();
        }
        let reason = ExitReason::Panicked(panic);
        if self.door.is_kept && self.door.control() < Control::Stop {
            tracing::warn!(agent = %self.door.id, name = %self.door.name, ?reason, "agent died; its group decides");
            return self.hold(Some(reason), End::Crash, AskError::Panicked);
        }
        let decision = if self.door.control() >= Control::Stop {
            Decision::GiveUp
        } else {
            let restarts = self.bonds.get_or_insert_default().restarts.get_or_insert_default();
            restarts.history.decide(&restarts.policy, Instant::now(), self.door.shared.chance())
        };
        tracing::warn!(agent = %self.door.id, name = %self.door.name, ?reason, ?decision, "agent died");
        let Decision::Restart(delay) = decision else {
            return self.end(reason);
        };
        let down = self.door.down(reason, Next::Restarts);
        self.door.next_incarnation();
        let next = if delay.is_zero() { Stage::Unborn } else { Stage::Waiting(Box::pin(tokio::time::sleep(delay))) };
        let dead = std::mem::replace(&mut self.stage, next);
        Self::bury(dead, AskError::Panicked);
        self.door.tell_watchers(&down);
    }

    /// Ends the incarnation of an agent that is kept, and asks its group what follows.
    fn hold(&mut self, unheard: Option<ExitReason>, end: End, cause: AskError) {
        let dead = std::mem::replace(&mut self.stage, Stage::Held(unheard));
        Self::bury(dead, cause);
        if let Some(kept) = self.kept() {
            kept.ended(end);
        }
    }

    /// Drops a life that is over; whoever waits for a reply in it, or in its work, learns the cause.
    fn bury(dead: Stage<A>, cause: AskError) {
        with_cause(cause, || drop_contained(dead));
    }

    /// Does what the group asked for; `true` when that changed the stage.
    fn heed_orders(&mut self) -> bool {
        let Some(life) = self.kept().map(Kept::life) else { return false };
        let orders = self.door.take_orders();
        let mut changed = false;
        match &mut self.stage {
            Stage::Living(_) if orders.halt.is_some_and(|halted| halted >= life) => {
                let down = self.door.down(ExitReason::Halted, Next::Restarts);
                self.door.next_incarnation();
                self.hold(None, End::Halted, AskError::Stopped);
                self.door.tell_watchers(&down);
                changed = true;
            }
            Stage::Living(_) if orders.leave => {
                self.hold(Some(ExitReason::Stopped), End::Normal, AskError::Stopped);
                changed = true;
            }
            Stage::Held(unheard) if orders.retain || orders.begin.is_some() => {
                if let Some(reason) = unheard.take() {
                    let down = self.door.down(reason, Next::Restarts);
                    self.door.next_incarnation();
                    self.door.tell_watchers(&down);
                }
            }
            _ => {}
        }
        if !matches!(self.stage, Stage::Held(_)) {
            return changed;
        }
        let Some(kept) = self.kept_mut() else { return changed };
        if let Some(unborn) = orders.halt.filter(|halted| *halted > kept.life()) {
            kept.begin(unborn);
            kept.ended(End::Halted);
        }
        if let Some(life) = orders.begin {
            kept.begin(life);
            self.stage = Stage::Unborn;
            changed = true;
        }
        changed
    }

    /// Asks an agent that has been idle for long whether it may be put away, and puts it away if it has agreed; `true` when
    /// either happened.
    fn heed_idleness(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(idle) = self.bonds.as_mut().and_then(|bonds| bonds.idle.as_mut()) else { return false };
        let leave = self.door.leave();
        if !leave.go() {
            let done = || self.door.handled() + self.door.dead();
            let is_idle = idle.poll(cx, done, || self.door.rests() && self.door.control() == Control::Run);
            if is_idle {
                leave.ask();
            }
            return is_idle;
        }
        idle.pause();
        let down = self.door.down(ExitReason::Idle, Next::Restarts);
        self.door.next_incarnation();
        self.door.mark_begun();
        let life = std::mem::replace(&mut self.stage, Stage::Away);
        Self::bury(life, AskError::Unanswered);
        self.door.tell_watchers(&down);
        true
    }

    /// Hands an agent that is put away to a smaller task.
    fn lie_down(&mut self) -> Poll<()> {
        let Some(factory) = self.factory.take() else { return Poll::Pending };
        self.stage = Stage::Gone;
        self.door.rest_for_long();
        tokio::task::spawn_local(Sleeper::new(self.door.clone(), factory, self.bonds.take()));
        Poll::Ready(())
    }

    /// The agent goes for good: what is queued becomes dead letters, then everybody who watches learns it.
    fn end(&mut self, reason: ExitReason) {
        let stage = std::mem::replace(&mut self.stage, Stage::Gone);
        if matches!(stage, Stage::Gone) {
            return;
        }
        let cause = if matches!(reason, ExitReason::Panicked(_)) { AskError::Panicked } else { AskError::Stopped };
        self.door.raise(Control::Stop);
        if let Some(leave) = self.door.known_leave() {
            leave.come_back();
        }
        let unheard = if let Stage::Held(unheard) = &stage { unheard.clone() } else { None };
        Self::bury(stage, cause);
        self.door.close(cause);
        self.door.depart(unheard.unwrap_or(reason));
        if let Some(kept) = self.kept() {
            kept.finished();
        }
    }

    /// Goes one step; `Pending` when there is nothing to do before the next wake-up.
    fn step(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.stage {
            Stage::Unborn => {
                self.give_birth();
                if matches!(self.stage, Stage::Living(_) | Stage::Gone) {
                    return Poll::Ready(());
                }
                // Not at once, as after any other death.
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Stage::Living(life) => match catch_unwind(AssertUnwindSafe(|| Pin::new(life).poll(cx))) {
                Ok(Poll::Ready(())) => {
                    self.end(ExitReason::Stopped);
                    Poll::Ready(())
                }
                Ok(Poll::Pending) => {
                    if let Some(kept) = self.kept_mut() {
                        kept.up();
                    }
                    if self.heed_orders() {
                        return Poll::Ready(());
                    }
                    self.heed_scope();
                    if self.is_cancelled(cx) {
                        self.end(ExitReason::Stopped);
                        return Poll::Ready(());
                    }
                    if self.heed_idleness(cx) { Poll::Ready(()) } else { self.rest() }
                }
                Err(panic) => {
                    self.died(panic_text(panic));
                    // Not at once: an agent that dies over and over must not keep its shard to itself.
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            },
            Stage::Waiting(backoff) => {
                if backoff.as_mut().poll(cx).is_ready() {
                    self.stage = Stage::Unborn;
                    return Poll::Ready(());
                }
                self.door.park(cx.waker());
                self.rest()
            }
            Stage::Away => {
                self.door.park(cx.waker());
                if self.door.pending() > 0 && self.door.control() < Control::Stop {
                    self.door.leave().come_back();
                    self.stage = Stage::Unborn;
                    return Poll::Ready(());
                }
                self.rest()
            }
            Stage::Held(_) => {
                self.door.park(cx.waker());
                if self.heed_orders() { Poll::Ready(()) } else { self.rest() }
            }
            Stage::Gone => Poll::Pending,
        }
    }

    /// Whether anything happened while the agent went to rest.
    fn rest(&mut self) -> Poll<()> {
        match self.door.control() {
            Control::Run => Poll::Pending,
            // Who waits for its backoff, or for its group, handles it when it begins again, or is stopped by the group.
            Control::Drain if !self.door.is_idle() => Poll::Pending,
            Control::Drain | Control::Stop | Control::Gone => {
                self.end(ExitReason::Stopped);
                Poll::Ready(())
            }
        }
    }
}

impl<A: Agent> Future for Guard<A> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.door.shared.defers() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        this.door.begin_turn();
        let polled = in_agent(|| this.go_on(cx));
        this.door.end_turn();
        if polled.is_pending() && matches!(this.stage, Stage::Away) {
            return this.lie_down();
        }
        polled
    }
}

impl<A: Agent> Guard<A> {
    fn go_on(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_cancelled(cx) || self.door.control() >= Control::Stop {
            self.end(ExitReason::Stopped);
        }
        while !matches!(self.stage, Stage::Gone) {
            std::task::ready!(self.step(cx));
        }
        Poll::Ready(())
    }
}

impl<A: Agent> Drop for Guard<A> {
    fn drop(&mut self) {
        self.end(ExitReason::Abandoned);
    }
}
