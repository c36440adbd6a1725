//! What has a call that may be made? A place, which comes back whatever becomes of the call.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use tokio::runtime::Handle;

use super::actor::GatewayMessage;
use super::admission::Ticket;
use super::attempt::Attempt;
use super::call::Call;
use super::desk::Desk;
use super::values::Completed;
use crate::agent::{Turn, unless_cancelled};
use crate::chat::Headroom;
use crate::error::ModelError;
use crate::mailbox::{drop_contained, panic_text};

/// How an attempt ended.
#[derive(Default)]
pub(super) struct Ended {
    /// Tokens; `None` when nobody knows.
    pub(super) used: Option<u64>,
    pub(super) headroom: Headroom,
    /// What its caller has yet to learn; `None` after a panic, and when he knows it or has left.
    pub(super) outcome: Option<(Box<Call>, Result<Completed, ModelError>)>,
}

/// The place of one attempt. Dropped, it is given back as that of a call that was made, and nobody knows what it used.
pub(super) struct Place {
    desk: Arc<Desk>,
    ticket: Option<Ticket>,
}

impl Place {
    pub(super) fn new(desk: Arc<Desk>, ticket: Ticket) -> Self {
        Self { desk, ticket: Some(ticket) }
    }

    /// The attempt is over.
    pub(super) fn over(mut self, ended: Ended, turn: Option<&mut Turn<'_, GatewayMessage>>) {
        if let Some(ticket) = self.ticket.take() {
            self.desk.over(ticket, ended, turn);
        }
    }

    /// It was not made after all.
    pub(super) fn not_made(mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.desk.not_made(ticket);
        }
    }
}

impl Drop for Place {
    /// The agent looks who is next, and not this thread: a runtime that ends drops calls as fast as they are begun.
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.desk.lost(ticket);
        }
    }
}

/// Makes a call on the runtime of its caller. Nothing of it crosses a thread.
pub(super) fn begin_at(home: &Handle, desk: &Arc<Desk>, place: Place, attempt: Attempt) {
    let agent = desk.agent();
    let Some(working) = agent.begin_work() else { return place.not_made() };
    let scope = agent.scope().clone();
    // In a box of its own, so that neither it nor the task is large.
    let mut work = Box::pin(AssertUnwindSafe(attempt.run(desk.clone())).catch_unwind());
    drop(home.spawn(async move {
        match unless_cancelled(scope, work.as_mut()).await {
            Some(Ok(ended)) => place.over(*ended, None),
            Some(Err(panic)) => {
                let panic = panic_text(panic);
                tracing::warn!(%panic, "a model call did not come to its end");
                drop_contained(work);
                place.over(Ended::default(), None);
            }
            // The gateway has ended.
            None => return working.discard_elsewhere(work, place),
        }
        // Not before: an agent that drains ends when nothing is in flight, and what came next has begun.
        drop(working);
    }));
}
