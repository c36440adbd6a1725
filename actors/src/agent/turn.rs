//! What may an agent do during its turn? Start work and timers, spawn and watch other agents, stop.

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use thiserror::Error;

use super::{Agent, Life};
use crate::error::StartError;
use crate::mailbox::{AgentRef, AgentSpec, Carried, Contained, Door, Errand, Working, contain, panic_text};
use crate::runtime::in_task;
use crate::scope::Scope;
use crate::supervision::Down;

/// A piece of work did not come to its end.
#[derive(Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WorkError {
    /// The future panicked; the text is the panic's message.
    #[error("the work panicked: {0}")]
    Panicked(String),
    /// The agent has as much work in flight as its [`AgentSpec::max_work`] allows; the future was not started.
    #[error("too much work in flight; raise max_work or start less")]
    Overloaded,
}

crate::shown_to_people!(WorkError);

impl WorkError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Panicked(_) => "panicked",
            Self::Overloaded => "overloaded",
        }
    }

    /// Whether the same work may be started later. Work that panicked is not started again without a reason.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Overloaded)
    }

    /// What to do about it. It says to try again where [`is_retryable`](Self::is_retryable) says that this may help.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Panicked(_) => "look at the panic before the same is started once more",
            Self::Overloaded => "try again when some of it is done, or raise `AgentSpec::max_work`",
        }
    }
}

/// What an agent can reach while it handles one message.
pub struct Turn<'a, M: Send + 'static> {
    door: &'a Arc<Door<M>>,
    life: &'a mut Life,
    stop: bool,
    /// Whether no further message waits.
    is_last: bool,
}

impl<'a, M: Send + 'static> Turn<'a, M> {
    pub(crate) fn new(door: &'a Arc<Door<M>>, life: &'a mut Life, is_last: bool) -> Self {
        Self { door, life, stop: false, is_last }
    }

    /// Whether no further message waits. What waits otherwise may be one that is not handled, as its sender has left.
    pub(crate) fn is_last(&self) -> bool {
        self.is_last
    }

    pub(crate) fn wants_to_stop(&self) -> bool {
        self.stop
    }

    /// A reference to the agent itself.
    pub fn me(&self) -> AgentRef<M> {
        AgentRef::to(self.door)
    }

    /// Ends with the agent, and ends the agent when it is cancelled; carries the deadline it inherited.
    pub fn scope(&self) -> &Scope {
        self.door.heed_scope()
    }

    /// Runs `work` on this shard, beside the agent; its result comes back as the message that `done` makes of it.
    ///
    /// It is dropped, and no message comes, when this incarnation ends. At most [`max_work`](AgentSpec::max_work) of them
    /// are in flight, or finished with a result that waits in the mailbox.
    ///
    /// # Errors
    /// The message that `done` makes of [`WorkError::Overloaded`]: the future was not started. Deal with it in this turn.
    pub fn start<F>(&mut self, work: F, done: impl FnOnce(Result<F::Output, WorkError>) -> M + 'static) -> Result<(), M>
    where
        F: Future + 'static,
    {
        let Some(working) = self.working() else { return Err(done(Err(WorkError::Overloaded))) };
        self.start_in(working, work, done);
        Ok(())
    }

    /// Room for one piece of work, if there is any.
    pub(crate) fn working(&self) -> Option<Working<M>> {
        Working::begin(self.door, Errand::Work)
    }

    /// The message in hand is taken on for somebody else, and not handled yet. Once for each message.
    pub(crate) fn carries(&mut self) -> Carried<M> {
        Carried::new(self.door)
    }

    /// The same as [`Turn::start`] for work that has room.
    pub(crate) fn start_in<F>(
        &mut self,
        working: Working<M>,
        work: F,
        done: impl FnOnce(Result<F::Output, WorkError>) -> M + 'static,
    ) where
        F: Future + 'static,
    {
        let scope = self.life.scope(self.door.scope()).clone();
        tokio::task::spawn_local(run(Contained::new(Box::pin(work)), Contained::new(done), scope, working));
    }

    /// Sends the agent `message` after `delay`, unless this incarnation ends, or the agent drains, before.
    ///
    /// # Errors
    /// [`WorkError::Overloaded`] when as many timers are set as [`AgentSpec::max_work`] allows; the message is dropped.
    pub fn after(&mut self, delay: Duration, message: M) -> Result<(), WorkError> {
        let working = Working::begin(self.door, Errand::Timer).ok_or(WorkError::Overloaded)?;
        let sleep = Contained::new(Box::pin(tokio::time::sleep(delay)));
        let scope = self.life.scope(self.door.scope()).clone();
        tokio::task::spawn_local(run(sleep, Contained::new(move |_slept| message), scope, working));
        Ok(())
    }

    /// Starts a child: it stops when this incarnation ends, whatever scope its spec names. The next incarnation starts
    /// its own.
    ///
    /// # Errors
    /// [`StartError`] when the runtime is stopping.
    pub fn spawn<A: Agent>(&mut self, spec: AgentSpec<A>) -> Result<AgentRef<A::Message>, StartError> {
        let child = self.door.shared.spawn(spec, self.door.known_scope())?;
        self.life.adopt(child.any());
        Ok(child)
    }

    /// Brings this agent one message for each incarnation of `agent` that ends; at once if it is already gone. The
    /// watch ends with this incarnation: set it in [`Agent::started`] to have it again.
    pub fn watch<N: Send + 'static>(&mut self, agent: &AgentRef<N>, notice: impl Fn(Down) -> M + Send + 'static) {
        let door = self.door.clone();
        let incarnation = door.incarnation();
        let watcher = door.clone();
        let is_alive = move || watcher.incarnation() == incarnation && !watcher.is_gone();
        self.life.look_at(agent.any());
        agent.watch_while(is_alive, move |down| {
            door.incarnation() == incarnation && door.deliver_notice(notice(down.clone()), incarnation, down.next)
        });
    }

    /// Stops the agent after this message.
    pub fn stop(&mut self) {
        self.stop = true;
    }
}

/// Runs `work` until it is done, or the scope is cancelled. The scope is asked each time, which is cheap; it is told whom
/// to wake once, and only if the work has to wait: both are tasks of one shard and keep their wakers. The work can be moved, so that
/// the future holds it once.
pub(crate) async fn unless_cancelled<F: Future + Unpin>(scope: Scope, mut work: F) -> Option<F::Output> {
    let mut cancelled = pin!(None);
    poll_fn(|cx| {
        if scope.is_cancelled() {
            return Poll::Ready(None);
        }
        if let Poll::Ready(outcome) = Pin::new(&mut work).poll(cx) {
            return Poll::Ready(Some(outcome));
        }
        if cancelled.is_none() {
            cancelled.set(Some(scope.cancelled()));
            let waits = cancelled.as_mut().as_pin_mut().is_none_or(|cancelled| cancelled.poll(cx).is_pending());
            return if waits { Poll::Pending } else { Poll::Ready(None) };
        }
        Poll::Pending
    })
    .await
}

/// Drives one piece of work to its end, its panic or its cancellation. An `async fn` would hold twice what it is given.
fn run<M, F, D>(
    mut work: Contained<Pin<Box<F>>>,
    mut done: Contained<D>,
    scope: Scope,
    working: Working<M>,
) -> impl Future<Output = ()>
where
    M: Send + 'static,
    F: Future + 'static,
    D: FnOnce(Result<F::Output, WorkError>) -> M + 'static,
{
    let defers = working.defers();
    async move {
        let Some(future) = work.as_mut() else { return };
        if defers {
            tokio::task::yield_now().await;
        }
        let mut future = pin!(AssertUnwindSafe(future.as_mut()).catch_unwind());
        let in_turns = poll_fn(|cx| working.turn(|| in_task(cx.waker(), || future.as_mut().poll(cx))));
        let outcome = unless_cancelled(scope, in_turns).await;
        let Some(outcome) = outcome else {
            return working.discard(work, done);
        };
        let outcome = outcome.map_err(|panic| {
            let panic = panic_text(panic);
            tracing::warn!(%panic, "work panicked");
            WorkError::Panicked(panic)
        });
        working.turn(|| drop(work));
        let Some(done) = done.take() else { return };
        match working.turn(|| contain(|| done(outcome))) {
            Ok(message) => working.deliver(message),
            Err(panic) => tracing::error!(%panic, "making a message of a result panicked; the result is lost"),
        }
    }
}
