//! Where is an ask carried out, and who begins the next one? Beside the agent's actor, on its shard. (On the runtime of an asker with
//! several threads it would cost more, not less, both as a task of its own and inside the asker's own: there each wake-up may take another
//! thread, which then frees what this one allocated. Measured twice, 48 us of processor time for a run of one call instead of 38, and
//! 1.5 times as much.)
//!
//! The actor is what the agent is to the runtime: its place in the directory, its end, what a stop waits for. It starts with the
//! first ask, and ends when nobody has the agent any more and nothing is asked of it. Whose turn it is stands in the [`Line`],
//! under one lock, for whoever has something to decide.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use futures_util::FutureExt;
use tokio::time::Instant;

use super::answer::{ChatAgentError, Ended};
use super::begun::Begun;
use super::callers::HostId;
use super::drive::{Events, carry_out};
use super::line::{Came, Line};
use super::places::Order;
use super::question::Question;
use super::spec::Plan;
use super::{AskTurn, Asking, GRACE};
use crate::agent::{Agent, Turn, unless_cancelled};
use crate::error::{AskError, StartError, TellError};
use crate::mailbox::{AgentRef, AgentSpec, Contained, Reply, Working, drop_contained, panic_text};

/// Room for the ask that is carried out, the one that begins, and messages about those before, which the actor has yet to read.
const WORK: usize = 8;

/// What the clones of an agent share.
pub(super) struct Host {
    pub(super) id: HostId,
    pub(super) name: Arc<str>,
    pub(super) plan: Arc<Plan>,
    /// Empty until its shard has taken it.
    actor: OnceLock<AgentRef<Message>>,
    /// Held while it is brought there: there is one.
    starting: Mutex<()>,
    line: Mutex<Line<Asked>>,
    /// Of the calls of its tools.
    pub(super) order: Order,
}

/// An ask on its way.
pub(super) struct Asked {
    question: Box<Question>,
    turn: Arc<AskTurn>,
    events: Events,
    reply: Reply<Ended>,
}

/// What the actor understands.
pub(super) enum Message {
    /// It is the turn of this ask.
    Begin(Begun, Over),
    /// It is the next one's turn.
    Next,
}

fn has_left(asked: &Asked) -> bool {
    asked.reply.is_abandoned()
}

fn told(error: AskError) -> Ended {
    Err(ChatAgentError::Agent(error))
}

fn stopped(asked: Asked) {
    asked.reply.send(told(AskError::Stopped));
}

impl Host {
    pub(super) fn new(name: Arc<str>, plan: Arc<Plan>) -> Arc<Self> {
        let line = Mutex::new(Line::new(plan.capacity));
        Arc::new(Self {
            id: HostId::new(),
            name,
            plan,
            actor: OnceLock::new(),
            starting: Mutex::default(),
            line,
            order: Order::default(),
        })
    }

    fn line(&self) -> MutexGuard<'_, Line<Asked>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The actor, which begins to live when somebody asks for it first.
    fn actor(self: &Arc<Self>) -> Result<&AgentRef<Message>, StartError> {
        if let Some(actor) = self.actor.get() {
            return Ok(actor);
        }
        let _one_at_a_time = self.starting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(actor) = self.actor.get() {
            return Ok(actor);
        }
        let host = Arc::downgrade(self);
        let spec = AgentSpec::new(self.name.clone(), move || Actor::new(host.clone())).max_work(WORK);
        // Of a shard that has no room for it nothing is kept: the next ask tries again.
        let actor = self.plan.gateway.spawn(spec)?;
        Ok(self.actor.get_or_init(|| actor))
    }

    pub(super) fn ask(self: &Arc<Self>, question: Question, events: Events) -> Asking {
        if let Err(refused) = question.check() {
            return Asking::refused(refused);
        }
        let (within, question) = (self.plan.time_of(&question) + GRACE, Box::new(question));
        // One that was stopped before anybody asked it does not begin to live.
        if self.line().is_over() {
            return Asking::refused(AskError::Stopped);
        }
        match self.actor() {
            Ok(actor) => {
                let (agent, asked, has_come) = (self.name.clone(), Instant::now(), AtomicBool::new(false));
                let turn = Arc::new(AskTurn { agent, asked, has_come });
                let arrive = |reply| self.arrive(Asked { question, turn: turn.clone(), events, reply });
                Asking::new(actor.ask_beside(within, arrive), turn)
            }
            Err(StartError::RuntimeStopped) => Asking::refused(AskError::Stopped),
            Err(_) => Asking::refused(AskError::Overloaded),
        }
    }

    fn arrive(self: &Arc<Self>, asked: Asked) {
        // The lock ends with this line: nothing of a caller is dropped under it.
        let came = self.line().arrive(asked, has_left);
        match came {
            Came::Begins(asked) => self.begin(asked),
            Came::Waits(gone) => drop(gone),
            Came::Full(asked) => asked.reply.send(told(AskError::Overloaded)),
            Came::Closed(asked) => asked.reply.send(told(AskError::Stopped)),
        }
    }

    /// It is the turn of this ask.
    fn begin(self: &Arc<Self>, asked: Asked) {
        // Dropped, it looks who is next.
        let over = Over { host: self.clone(), is_in_order: false };
        let actor = self.actor().ok();
        let Some(working) = actor.and_then(AgentRef::begin_work) else {
            return asked.reply.send(told(AskError::Overloaded));
        };
        let Asked { question, turn, events, reply } = asked;
        let work = carry_out(self.clone(), question, turn.asked, events);
        working.deliver(Message::Begin(Begun::new(turn, reply, work), over));
    }

    /// The one that was carried out is over.
    fn next(self: &Arc<Self>) {
        let (next, gone) = self.line().next(has_left);
        drop(gone);
        if let Some(next) = next {
            self.begin(next);
        }
    }

    /// Nobody comes in any more; those who wait learn why.
    fn close(&self) {
        let waiting = self.line().close();
        waiting.into_iter().for_each(stopped);
    }

    /// The same for good.
    fn end(&self) {
        let waiting = self.line().end();
        waiting.into_iter().for_each(stopped);
    }

    /// Whether it was told to end, and begins nothing that it was not asked before.
    pub(super) fn is_leaving(&self) -> bool {
        self.line().is_leaving()
    }

    /// Whether it can go on with what another one was asked: it was not told to end, and its runtime and its model's have not stopped.
    pub(super) fn can_take_over(self: &Arc<Self>) -> bool {
        !self.is_leaving() && self.actor().is_ok() && self.plan.gateway.is_open()
    }

    pub(super) fn drain(&self) {
        self.line().leave();
        match self.actor.get() {
            Some(actor) => actor.drain(),
            _ => self.end(),
        }
    }

    pub(super) fn stop(&self) {
        if let Some(actor) = self.actor.get() {
            actor.stop();
        }
        self.end();
    }
}

impl Drop for Host {
    /// Nobody can ask it any more, and no ask is under way: each of them holds it.
    fn drop(&mut self) {
        if let Some(actor) = self.actor.get() {
            actor.stop();
        }
    }
}

/// The turn of one ask: dropped, it is over, and the next one begins.
pub(super) struct Over {
    host: Arc<Host>,
    /// Whether its end was reached. Otherwise the actor looks who is next, and not this thread: a runtime that ends drops asks
    /// as fast as they are begun.
    is_in_order: bool,
}

impl Drop for Over {
    fn drop(&mut self) {
        if self.is_in_order {
            return self.host.next();
        }
        let Some(actor) = self.host.actor.get() else { return };
        // With a full mailbox it looks soon.
        if let Err(TellError::Stopped(_)) = actor.tell(Message::Next) {
            self.host.close();
        }
    }
}

/// Carries out an ask beside its agent. A stop of the agent waits for it, or ends it.
fn carried_out(
    actor: &AgentRef<Message>,
    begun: Begun,
    mut over: Over,
    working: Working<Message>,
) -> impl Future<Output = ()> + use<> {
    let scope = actor.scope().clone();
    let mut work = Contained::new(AssertUnwindSafe(begun).catch_unwind());
    let defers = working.defers();
    async move {
        if defers {
            tokio::task::yield_now().await;
        }
        let outcome = match work.as_mut() {
            Some(work) => {
                let in_turns = poll_fn(|cx| working.turn(|| work.poll_unpin(cx)));
                unless_cancelled(scope, in_turns).await
            }
            None => None,
        };
        match outcome {
            Some(Ok(())) => working.turn(|| drop(work)),
            Some(Err(panic)) => {
                let panic = panic_text(panic);
                tracing::warn!(%panic, "an ask did not come to its end");
                drop(work);
            }
            // The agent has ended: whoever waits learns it, too.
            None => {
                return working.discard_elsewhere(|| {
                    drop(work);
                    drop_contained(over);
                });
            }
        }
        over.is_in_order = true;
        // Before the place of this one is given back, the next one has its own: a stop waits for all of them.
        drop(over);
        drop(working);
    }
}

/// The actor.
struct Actor {
    host: Weak<Host>,
}

impl Actor {
    fn new(host: Weak<Host>) -> Self {
        if let Some(host) = host.upgrade() {
            host.line().open();
        }
        Self { host }
    }
}

impl Drop for Actor {
    /// Whoever waits learns why nobody serves him any more.
    fn drop(&mut self) {
        if let Some(host) = self.host.upgrade() {
            host.close();
        }
    }
}

impl Agent for Actor {
    type Message = Message;

    fn handle(&mut self, message: Message, turn: &mut Turn<'_, Message>) {
        match message {
            Message::Begin(begun, over) => {
                // There is room: the place of this message was given back.
                match turn.working() {
                    Some(working) => drop(tokio::task::spawn_local(carried_out(&turn.me(), begun, over, working))),
                    None => begun.refuse(told(AskError::Overloaded)),
                }
            }
            Message::Next => {
                if let Some(host) = self.host.upgrade() {
                    host.next();
                }
            }
        }
    }
}
