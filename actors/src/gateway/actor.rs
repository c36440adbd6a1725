//! The gateway's agent: it speaks for the [`Desk`] where calls are not made at home, keeps its timers, and makes the calls of
//! those who have no runtime of their own.

use std::sync::Arc;

use tokio::time::Instant;

use super::GatewayInfo;
use super::call::Call;
use super::desk::{Begun, Desk};
use super::place::{Ended, Place};
use crate::agent::{Agent, Turn, WorkError};
use crate::mailbox::Reply;

/// What the gateway understands.
pub(super) enum GatewayMessage {
    Complete(Box<Call>),
    /// A call has a place, and is to be made on this shard.
    Begin(Box<Begun>),
    /// An attempt is over, whichever way. Its caller knows nothing yet.
    Over(Place, Box<Ended>),
    /// A caller has left, or a place has become free.
    Look,
    /// Somebody has to look at that time.
    Set(Instant),
    /// A time has come that was set.
    Wake(Instant),
    Info(Reply<GatewayInfo>),
}

/// The actor of one gateway.
pub(super) struct GatewayActor {
    desk: Arc<Desk>,
}

impl GatewayActor {
    pub(super) fn new(desk: Arc<Desk>) -> Self {
        desk.open();
        Self { desk }
    }
}

impl Drop for GatewayActor {
    /// Whoever waits learns why nobody serves him any more.
    fn drop(&mut self) {
        self.desk.close();
    }
}

/// Makes a call on the shard of the agent, beside it.
pub(super) fn begin(desk: &Arc<Desk>, begun: Begun, turn: &mut Turn<'_, GatewayMessage>) {
    let Begun { place, attempt } = begun;
    let over = move |ended: Result<Box<Ended>, WorkError>| {
        let ended = ended.unwrap_or_else(|error| {
            tracing::warn!(%error, "a model call did not come to its end");
            Box::default()
        });
        GatewayMessage::Over(place, ended)
    };
    if let Err(GatewayMessage::Over(place, _)) = turn.start(attempt.run(desk.clone()), over) {
        // There is room for as many as may be in flight.
        place.not_made();
    }
}

impl Agent for GatewayActor {
    type Message = GatewayMessage;

    fn handle(&mut self, message: GatewayMessage, turn: &mut Turn<'_, GatewayMessage>) {
        match message {
            GatewayMessage::Complete(call) => self.desk.arrive(call, Some(turn)),
            GatewayMessage::Begin(begun) => begin(&self.desk, *begun, turn),
            GatewayMessage::Over(place, ended) => place.over(*ended, Some(turn)),
            GatewayMessage::Look => self.desk.look(Some(turn)),
            GatewayMessage::Set(at) => self.desk.set(at, turn),
            GatewayMessage::Wake(at) => self.desk.wake(at, turn),
            GatewayMessage::Info(reply) => reply.send(self.desk.info()),
        }
    }
}
