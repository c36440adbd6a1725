//! What has a call that may be made? A place, which comes back whatever becomes of the call.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;

use super::admission::Ticket;
use super::attempt::Attempt;
use super::call::Call;
use super::desk::{Begun, Desk};
use super::leaf::LeafMessage;
use super::saving::FlightId;
use super::values::Completed;
use crate::agent::unless_cancelled;
use crate::chat::{Headroom, TokenUsage};
use crate::error::ModelError;
use crate::mailbox::{Contained, Working, drop_contained, panic_text};

/// How an attempt ended.
#[derive(Default)]
pub(super) struct Ended {
    /// `None` when nobody knows.
    pub(super) used: Option<TokenUsage>,
    pub(super) headroom: Headroom,
    /// What its caller has yet to learn; `None` after a panic, and when he knows it or has left.
    pub(super) outcome: Option<(Box<Call>, Result<Completed, ModelError>)>,
    /// Who follows a call of which nobody knows what became.
    pub(super) flight: Option<FlightId>,
}

impl Ended {
    /// Its caller learns it, if he does not know it yet.
    pub(super) fn tell(mut self: Box<Self>) {
        if let Some((call, answer)) = &mut self.outcome {
            // What others have reserved of it its caller may wait for.
            let is_exhausted = matches!(answer, Err(ModelError::BudgetExhausted(_)));
            let budget = call.budget.clone().filter(|_| is_exhausted);
            let reply = call.ends();
            call.budget = budget;
            reply.send(self);
        }
    }
}

/// The place of one attempt. Dropped, it is given back as that of a call that was made, and nobody knows what it used.
pub(super) struct Place {
    desk: Arc<Desk>,
    ticket: Option<Ticket>,
    /// The number of the leaf that makes the call; `None` for one that is made at home.
    leaf: Option<usize>,
    /// The flight that the call leads.
    flight: Option<FlightId>,
}

impl Place {
    pub(super) fn new(desk: Arc<Desk>, ticket: Ticket, leaf: Option<usize>, flight: Option<FlightId>) -> Self {
        desk.keep_busy(leaf);
        Self { desk, ticket: Some(ticket), leaf, flight }
    }

    /// Another leaf makes the call.
    pub(super) fn moves_to(&mut self, leaf: usize) {
        self.desk.free(self.leaf.replace(leaf));
        self.desk.keep_busy(self.leaf);
    }

    /// The attempt is over: its ticket goes back to the desk.
    pub(super) fn over(mut self) -> Option<Ticket> {
        self.desk.free(self.leaf);
        self.ticket.take()
    }

    /// The flight that the call leads.
    pub(super) fn flight(&self) -> Option<FlightId> {
        self.flight
    }

    /// The attempt is over, which was made at home on the first leaf's behalf. If anybody waits, that leaf looks who is next; it
    /// does so also when it drains, because this is its own work.
    fn over_at_home(mut self, mut ended: Box<Ended>, working: Working<LeafMessage>) {
        ended.flight = self.flight;
        if let Some(ticket) = self.ticket.take()
            && self.desk.over_at_home(ticket, ended)
            && let Some(look) = PendingLook::of(&self.desk)
        {
            working.deliver(LeafMessage::PendingLook(look));
        }
    }

    /// It was not made after all: there was nobody to make it. What it reserved comes back.
    pub(super) fn not_made(mut self, attempt: Attempt, why: ModelError) {
        let Attempt { mut call, reservation, .. } = attempt;
        let tries = call.tries;
        call.times.attempts -= 1;
        if let Some(reservation) = reservation {
            reservation.take_back();
        }
        if let Some(ticket) = self.ticket.take() {
            self.desk.free(self.leaf);
            self.desk.not_made(ticket, self.flight, tries, &why);
        }
        call.answer(Err(why));
    }
}

impl Drop for Place {
    /// A leaf looks who is next, and not this thread: a runtime that ends drops calls as fast as they are begun.
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.desk.free(self.leaf);
            self.desk.lost(ticket, self.flight);
        }
    }
}

/// The first leaf was asked to look, and has not yet. One is enough, however many calls end meanwhile: a leaf whose shard stands
/// still has room for so much work and no more.
pub(super) struct PendingLook {
    desk: Arc<Desk>,
    is_lost: bool,
}

impl PendingLook {
    /// `None` when one is on its way.
    fn of(desk: &Arc<Desk>) -> Option<Self> {
        desk.begins_to_look().then(|| Self { desk: desk.clone(), is_lost: true })
    }

    /// The leaf is about to look.
    pub(super) fn arrives(mut self) {
        self.is_lost = false;
    }
}

impl Drop for PendingLook {
    /// It may have been on its way to an incarnation that is no more: the next one looks.
    fn drop(&mut self) {
        self.desk.is_about_to_look();
        if self.is_lost {
            drop(self.desk.agent().tell(LeafMessage::Look));
        }
    }
}

/// A call that is about to be made at home, with room for work of the first leaf.
pub(super) struct AtHome {
    pub(super) begun: Begun,
    pub(super) working: Working<LeafMessage>,
}

impl AtHome {
    /// Makes it, wherever this future is polled. Nothing of it crosses a thread.
    pub(super) fn make(self, desk: &Arc<Desk>) -> impl Future<Output = ()> + Send + use<> {
        let Self { begun: Begun { place, attempt }, working } = self;
        let scope = desk.agent().scope().clone();
        // In a box: what a future moves into another one is held by both.
        let mut work = Contained::new(Box::pin(AssertUnwindSafe(attempt.run(desk.clone())).catch_unwind()));
        let mut held = Held(Some((place, working)));
        async move {
            let outcome = match work.as_mut() {
                Some(work) => unless_cancelled(scope, work).await,
                None => None,
            };
            match (outcome, held.0.take()) {
                (Some(Ok(ended)), Some((place, working))) => place.over_at_home(ended, working),
                (Some(Err(panic)), Some((place, working))) => {
                    let panic = panic_text(panic);
                    tracing::warn!(%panic, "a model call did not come to its end");
                    drop(work);
                    place.over_at_home(Box::default(), working);
                }
                // The gateway has ended.
                (None, Some((place, working))) => working.discard_elsewhere(|| {
                    drop(work);
                    drop_contained(place);
                }),
                (_, None) => {}
            }
        }
    }
}

/// The place of a call that is made at home. Dropped with a caller who left, it comes back as that of a call that panicked: also a
/// gateway that drains looks who is next.
struct Held(Option<(Place, Working<LeafMessage>)>);

impl Drop for Held {
    fn drop(&mut self) {
        if let Some((place, working)) = self.0.take() {
            place.over_at_home(Box::default(), working);
        }
    }
}
