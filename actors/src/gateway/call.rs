//! What is a call on its way through?

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::admission::Flow;
use super::budget::Budget;
use super::call_news::OnNews;
use super::chunks::Chunks;
use super::fallback::{patience, share};
use super::place::Ended;
use super::saving::FlightId;
use super::sharing::{Saving, TooShort};
use super::values::Completed;
use crate::chat::{ChatRequest, TokenUsage};
use crate::error::ModelError;
use crate::mailbox::{Reply, drop_contained, with_contained_waker};

/// What a caller is told, and his call: it is freed by him, on the thread that made it, which the allocator does without a lock. In the
/// box in which it comes from its attempt, so that those who wait need not hold the room.
pub(super) type Told = Box<Ended>;

/// Where a call is made that may start at once.
#[derive(Debug, Clone)]
pub(super) enum Home {
    /// As a task on its caller's runtime: it goes on when he looks elsewhere.
    Runtime(Handle),
    /// By its caller, while he polls its future.
    Caller,
}

/// One call on its way through.
pub(super) struct Call {
    /// Its number, among all that came.
    pub(super) number: u64,
    /// The number of its model.
    pub(super) lane: usize,
    /// Those of the models that may make it instead, in this order.
    pub(super) others: Vec<usize>,
    /// Its caller has something else to do: behind an open breaker it waits for the first try only, and for a pause not long.
    pub(super) fails_fast: bool,
    /// Who is told when one of those is asked, and when it waits as a provider asked for that.
    pub(super) on_news: Option<OnNews>,
    /// Whether its caller was told that it waits, and not yet that it goes on.
    pub(super) is_held: bool,
    /// How often its model made it.
    pub(super) tries: u32,
    pub(super) flow: Flow,
    pub(super) request: Arc<ChatRequest>,
    /// What it can use at most.
    pub(super) most: TokenUsage,
    pub(super) deadline: Instant,
    /// Its turn at its model is over by then, and it goes to the next one: before the deadline when there is one, as they share its time.
    pub(super) until: Instant,
    pub(super) budget: Option<Budget>,
    pub(super) chunks: Option<Chunks>,
    pub(super) saving: Option<Box<Saving>>,
    /// Where it is made if it may start at once; `None` for a leaf.
    pub(super) home: Option<Home>,
    pub(super) reply: Reply<Told>,
    pub(super) times: Progress,
}

impl Call {
    /// Whether nobody waits for it: of a flight, for any of those in it.
    pub(super) fn is_left(&self) -> bool {
        match self.token() {
            Some(token) => token.is_cancelled(),
            None => self.reply.is_abandoned(),
        }
    }

    /// It comes to its model: its turn there begins.
    pub(super) fn takes_its_turn(&mut self, now: Instant) {
        let left = self.deadline.saturating_duration_since(now);
        self.until = now + share(left, self.others.len());
    }

    /// It goes to its next model. If that is because its turn at this one is over, or too short for a wait that its provider asks for,
    /// those who follow it may have had more time.
    pub(super) fn notes_what_was_too_short(&mut self, error: &ModelError, now: Instant) {
        // Behind an open breaker nobody waits who has a next model.
        let asked = error.retry_after().filter(|_| !matches!(error, ModelError::BreakerOpen { .. }));
        let asked = asked.filter(|wait| *wait >= self.until.saturating_duration_since(now));
        let others = u32::try_from(self.others.len()).unwrap_or(u32::MAX);
        let (is_over, has_no_patience) = (now >= self.until, asked.is_some_and(|wait| self.has_no_patience_for(wait)));
        let Some(saving) = self.saving.as_mut().filter(|_| others > 0 && !has_no_patience) else { return };
        // Each of its models would have this much.
        let of_all = |turn: Duration| turn.saturating_mul(others.saturating_add(1));
        let TooShort { had, needed } = &mut saving.too_short;
        match asked {
            Some(wait) => *needed = Some(needed.unwrap_or(Duration::MAX).min(of_all(wait))),
            None if is_over => {
                *had = (*had).max(Some(of_all(self.deadline.saturating_duration_since(self.until) / others)));
            }
            None => {}
        }
    }

    /// Whether it does not wait for so long, which its provider asks for, however much time it has.
    pub(super) fn has_no_patience_for(&self, pause: Duration) -> bool {
        self.fails_fast && pause > patience(!self.others.is_empty())
    }

    /// A pause that lasts until then is too long for it.
    pub(super) fn waits_until(&self, now: Instant) -> Instant {
        match self.fails_fast {
            true => self.until.min(now + patience(!self.others.is_empty())),
            false => self.until,
        }
    }

    /// Whether the next model has a share of its time that this one may not take.
    pub(super) fn shares_its_time(&self) -> bool {
        self.until < self.deadline
    }

    /// Whether its reader has seen something of a reply.
    pub(super) fn is_read(&self) -> bool {
        self.chunks.as_ref().is_some_and(|chunks| chunks.sent() > 0)
    }

    /// Ends when nobody waits for it.
    pub(super) async fn left(&mut self) {
        match self.token().cloned() {
            // In a box: few calls have one, and all attempts would hold the room for it.
            Some(token) => Box::pin(with_contained_waker(token.cancelled_owned())).await,
            None => self.reply.abandoned().await,
        }
    }

    /// Answers its caller.
    pub(super) fn answer(self: Box<Self>, answer: Result<Completed, ModelError>) {
        Box::new(Ended { outcome: Some((self, answer)), ..Ended::default() }).tell();
    }

    /// Where its answer goes, and nothing else of it that others may wait for.
    pub(super) fn ends(&mut self) -> Reply<Told> {
        // They have wakers of their own.
        drop_contained((self.budget.take(), self.chunks.take(), self.saving.take()));
        self.on_news.iter().for_each(OnNews::is_over);
        self.reply.take()
    }

    /// The flight that it leads.
    pub(super) fn flight(&self) -> Option<FlightId> {
        self.saving.as_ref()?.flight.as_ref().map(|(flight, _)| *flight)
    }

    fn token(&self) -> Option<&CancellationToken> {
        self.saving.as_ref()?.flight.as_ref().map(|(_, token)| token)
    }
}

/// What a call has seen so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Progress {
    /// When it stood in line last.
    pub(super) lined_up: Instant,
    /// In line, for a place, for a rate, or for the next attempt.
    pub(super) queued: Duration,
    /// At the provider.
    pub(super) provider: Duration,
    pub(super) attempts: u32,
    /// Those of them that failed after they may have used something.
    pub(super) without_usage: u32,
    /// What those used that failed and told it.
    pub(super) failed_usage: TokenUsage,
}
