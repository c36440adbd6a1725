//! How does actix run a plain struct? The one actix actor of Callboard: everything else is an [`Agent`].

use std::sync::Arc;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Supervised};

use super::contain::drop_contained;
use super::door::{Control, Door};
use super::envelope::Envelope;
use super::reply::with_cause;
use crate::agent::{Agent, Turn};
use crate::error::AskError;
use crate::event::CancelReason;
use crate::scope::Scope;

/// How many messages one agent handles before it is the turn of the others on its shard.
const MESSAGES_IN_A_ROW: u32 = 64;

/// The actix actor around one agent. It outlives the agent's incarnations.
pub(super) struct Shell<A: Agent> {
    /// `None` before the start and between a death and the restart.
    agent: Option<A>,
    factory: Arc<dyn Fn() -> A + Send + Sync>,
    door: Arc<Door<A::Message>>,
    /// Ends what this incarnation started, work and children; made with the first of them.
    life: Option<Scope>,
    /// Messages handled since the shard last had a turn for others.
    in_a_row: u32,
}

// The agent is only ever used through `&mut`; nothing is pinned inside the shell.
impl<A: Agent> Unpin for Shell<A> {}

impl<A: Agent> Shell<A> {
    pub(super) fn new(factory: Arc<dyn Fn() -> A + Send + Sync>, door: Arc<Door<A::Message>>) -> Self {
        Self { agent: None, factory, door, life: None, in_a_row: 0 }
    }

    /// Lets the agent take one turn; ends the context when the agent asked to stop.
    fn turn(&mut self, ctx: &mut Context<Self>, act: impl FnOnce(&mut A, &mut Turn<'_, A::Message>)) {
        let Some(agent) = self.agent.as_mut() else {
            return;
        };
        let mut turn = Turn::new(&self.door, &mut self.life);
        act(agent, &mut turn);
        if turn.wants_to_stop() {
            self.door.raise(Control::Stop);
            ctx.stop();
        } else if self.door.control() == Control::Stop {
            ctx.stop();
        }
    }

    /// Drops the state of a dead incarnation, half-changed as it may be, and the work it had in flight.
    fn discard(&mut self) {
        if let Some(life) = self.life.take() {
            life.cancel(CancelReason::Parent);
        }
        if let Some(dead) = self.agent.take() {
            drop_contained(dead);
        }
    }
}

impl<A: Agent> Actor for Shell<A> {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // actix also calls this while it drops a context that never ran.
        if self.door.control() == Control::Stop || self.agent.is_some() {
            return;
        }
        self.agent = Some((self.factory)());
        self.turn(ctx, |agent, turn| agent.started(turn));
    }
}

impl<A: Agent> Supervised for Shell<A> {
    fn restarting(&mut self, _ctx: &mut Self::Context) {
        with_cause(AskError::Panicked, || self.discard());
    }
}

impl<A: Agent> Handler<Envelope<A::Message>> for Shell<A> {
    type Result = ();

    fn handle(&mut self, envelope: Envelope<A::Message>, ctx: &mut Self::Context) {
        let Some((message, receipt)) = envelope.open(self.door.incarnation()) else {
            return;
        };
        self.turn(ctx, |agent, turn| agent.handle(message, turn));
        receipt.handled();
        self.in_a_row += 1;
        if self.in_a_row >= MESSAGES_IN_A_ROW {
            self.in_a_row = 0;
            // actix empties a mailbox without a pause: this makes it one, in which neighbours, timers, this agent's own
            // work and its guard have their turn.
            ctx.wait(actix::fut::wrap_future(tokio::task::yield_now()));
        }
    }
}

impl<A: Agent> Drop for Shell<A> {
    fn drop(&mut self) {
        // The guard has said why, for the replies that the state holds.
        self.discard();
    }
}
