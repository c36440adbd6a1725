//! Who makes the calls? A leaf of the gateway: one actor on each shard, whose calls are made beside it. What it does is decided
//! at the [`Desk`]; it keeps the timers that the desk asks for.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::Instant;

use super::GatewayInfo;
use super::admission::RETRY_AFTER;
use super::call::Call;
use super::desk::{Begun, Desk};
use super::ends::Ends;
use super::place::{Ended, PendingLook, Place};
use crate::agent::{Agent, Turn, WorkError};
use crate::error::ModelError;
use crate::mailbox::{AgentRef, Reply};

/// What a leaf understands.
pub(super) enum LeafMessage {
    Complete(Box<Call>),
    /// A call has a place, and is to be made here.
    Begin(Box<Begun>),
    /// An attempt is over, whichever way. Its caller knows nothing yet.
    Over(Place, Box<Ended>),
    /// The desk is to be told of those. What else waits may never come to the leaf, as its sender has left.
    Tell,
    /// A caller has left, or a place has become free.
    Look,
    /// The same, asked for at the end of a call that was made at home.
    PendingLook(PendingLook),
    /// Somebody has to look at that time.
    Set(Instant),
    /// A time has come that was set.
    Wake(Instant),
    Info(Reply<GatewayInfo>),
}

/// How others reach a leaf. On a cache line of its own: each shard counts its calls all the time.
#[repr(align(128))]
pub(super) struct LeafDoor {
    pub(super) agent: AgentRef<LeafMessage>,
    /// Calls that it makes, or was asked to make.
    pub(super) busy: AtomicUsize,
}

impl LeafDoor {
    pub(super) fn busy(&self) -> usize {
        self.busy.load(Ordering::Relaxed)
    }
}

/// The actor.
pub(super) struct Leaf {
    desk: Arc<Desk>,
    /// Its place among the leaves, which is that of its shard.
    number: usize,
    /// Of which the desk has not heard yet: as long as there are any, [`LeafMessage::Tell`] is in the mailbox.
    ends: Ends,
}

impl Leaf {
    pub(super) fn new(desk: Arc<Desk>, number: usize) -> Self {
        desk.open(number);
        Self { desk, number, ends: Ends::default() }
    }
}

impl Drop for Leaf {
    /// Whoever waits for the last one learns why nobody serves him any more.
    fn drop(&mut self) {
        self.desk.close(self.number);
    }
}

/// The leaf whose turn it is.
pub(super) struct Here<'a, 'b> {
    pub(super) number: usize,
    pub(super) turn: &'a mut Turn<'b, LeafMessage>,
}

impl Here<'_, '_> {
    /// Makes a call beside the leaf.
    pub(super) fn begin(&mut self, desk: &Arc<Desk>, Begun { place, attempt }: Begun) {
        let Some(working) = self.turn.working() else {
            // There is room for as many as may be in flight, and for some more.
            return place.not_made(attempt, ModelError::Overloaded { retry_after: RETRY_AFTER });
        };
        let over = move |ended: Result<Box<Ended>, WorkError>| {
            let ended = ended.unwrap_or_else(|error| {
                tracing::warn!(%error, "a model call did not come to its end");
                Box::default()
            });
            LeafMessage::Over(place, ended)
        };
        self.turn.start_in(working, attempt.run(desk.clone()), over);
    }
}

impl Agent for Leaf {
    type Message = LeafMessage;

    fn handle(&mut self, message: LeafMessage, turn: &mut Turn<'_, LeafMessage>) {
        if !self.ends.is_empty() && !matches!(message, LeafMessage::Over(..)) {
            self.ends.tell(&self.desk, Here { number: self.number, turn });
        }
        let is_last = turn.is_last();
        let mut here = Here { number: self.number, turn };
        match message {
            LeafMessage::Over(place, ended) => {
                let is_first = self.ends.is_empty();
                self.ends.add(&self.desk, place, ended);
                if is_last || self.ends.is_full() {
                    self.ends.tell(&self.desk, here);
                } else if is_first {
                    match here.turn.working() {
                        Some(working) => working.deliver(LeafMessage::Tell),
                        None => self.ends.tell(&self.desk, here),
                    }
                }
            }
            // They were told above, as before any other message.
            LeafMessage::Tell => {}
            // It has no home: a leaf makes it.
            LeafMessage::Complete(call) => drop(self.desk.arrive(call, Some(here))),
            LeafMessage::Begin(begun) => here.begin(&self.desk, *begun),
            LeafMessage::Look => self.desk.look(Some(here)),
            LeafMessage::PendingLook(look) => {
                look.arrives();
                self.desk.look(Some(here));
            }
            LeafMessage::Set(at) => self.desk.set(at, &mut here),
            LeafMessage::Wake(at) => self.desk.wake(at, here),
            LeafMessage::Info(reply) => reply.send(self.desk.info()),
        }
    }
}
