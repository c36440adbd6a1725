//! How is one attempt made, and what is told of its end? Wherever it runs: on the gateway's shard, or where its caller is.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, CatchUnwind};
use tokio::time::Instant;
use tracing::Instrument;
use tracing::instrument::Instrumented;

use super::budget::Reservation;
use super::call::Call;
use super::chunks::Chunks;
use super::desk::Desk;
use super::limits::Timeouts;
use super::place::Ended;
use super::values::Completed;
use crate::chat::{ChatReply, TokenUsage};
use crate::error::{ModelError, Waiting};
use crate::mailbox::{contain, panic_text};
use crate::ports::ModelCall;

/// A call that is about to be made, with what is reserved for it.
pub(super) struct Attempt {
    pub(super) call: Box<Call>,
    pub(super) reservation: Option<Reservation>,
    /// Those that held when it began.
    pub(super) timeouts: Timeouts,
}

impl Attempt {
    /// Until its end, a time-out, or its caller leaves. What can be put together beforehand is: there are many of these futures at
    /// the same time, and what one of them moves about it holds twice.
    pub(super) fn run(self, desk: Arc<Desk>) -> impl Future<Output = Box<Ended>> {
        let Self { mut call, reservation, timeouts } = self;
        let asked = ModelCall { request: call.request.clone(), timeouts, chunks: call.chunks.clone() };
        // In a box: handed over, it would still be held.
        let (total, mut asked) = (timeouts.total, Box::new(asked));
        async move {
            let began = Instant::now();
            // Of a flight only its leader's time is over at his deadline: he leaves, and the attempt goes on for the others.
            let latest = if call.flight().is_some() { began + total } else { call.deadline.min(began + total) };
            let mut until = if call.shares_its_time() { latest.min(call.until) } else { latest };
            asked.timeouts.total = until.saturating_duration_since(began);
            // Here and not above: an adapter that panics at once does so in the work, and not in the gateway.
            let begun = ask(&desk, &call, asked);
            let mut asking = match begun {
                Ok(asking) => asking,
                Err(panic) => return Box::new(fail(call, panicked(&panic), reservation)),
            };
            let answer = loop {
                let answer = tokio::select! {
                    biased;
                    // What it used nobody knows: place and reservation come back as for a call that was made.
                    () = call.left() => return Box::default(),
                    answer = tokio::time::timeout_at(until, &mut asking) => answer,
                };
                match answer {
                    Ok(answer) => break answer.unwrap_or_else(|panic| Err(panicked(&panic_text(panic)))),
                    // No other model takes over what somebody reads already.
                    Err(_) if until < latest && call.is_read() => until = latest,
                    Err(_) => break Err(ModelError::Timeout(Waiting::Total)),
                }
            };
            drop(asking);
            call.times.provider += began.elapsed();
            Box::new(match answer {
                Ok(reply) => succeed(call, reply, &desk, reservation),
                Err(error) => fail(call, error, reservation),
            })
        }
    }
}

/// What the adapter makes of a call, and a panic of its own.
type Asked = Instrumented<CatchUnwind<AssertUnwindSafe<BoxFuture<'static, Result<ChatReply, ModelError>>>>>;

/// Begins to ask the model. An adapter may panic at once.
fn ask(desk: &Desk, call: &Call, asked: Box<ModelCall>) -> Result<Asked, String> {
    let model = &desk.models()[call.lane];
    let span = tracing::info_span!("chat", model = %model.name, attempt = call.times.attempts);
    let answer = span.in_scope(|| contain(|| model.model.complete(*asked)))?;
    Ok(AssertUnwindSafe(answer).catch_unwind().instrument(span))
}

fn panicked(panic: &str) -> ModelError {
    tracing::warn!(%panic, "a provider's adapter panicked");
    ModelError::Provider(format!("its adapter panicked: {panic}"))
}

fn succeed(call: Box<Call>, reply: ChatReply, desk: &Desk, reservation: Option<Reservation>) -> Ended {
    if let Some(reservation) = reservation {
        reservation.settle(reply.usage);
    }
    let (used, headroom) = (reply.usage, reply.headroom);
    let first_token = call.chunks.as_ref().and_then(Chunks::first);
    let completed = Completed::new(reply, desk.name(call.lane), call.times, first_token);
    Ended { used, headroom, outcome: Some((call, Ok(completed))), flight: None }
}

fn fail(mut call: Box<Call>, error: ModelError, reservation: Option<Reservation>) -> Ended {
    // What its reader has seen was made.
    let received = call.chunks.as_ref().map_or(0, Chunks::sent);
    let used_nothing = received == 0 && error.used_nothing();
    let (error, told) = error.and_usage();
    // Of what its reader has seen something was used, whatever the error says.
    let used = told.filter(|told| received == 0 || *told != TokenUsage::default());
    match used {
        Some(used) => call.times.failed_usage += used,
        None => call.times.without_usage += 1,
    }
    if let Some(reservation) = reservation {
        match used_nothing {
            true => reservation.take_back(),
            false => reservation.settle(used),
        }
    }
    // What its reader has seen is not made again behind his back.
    let error = match received {
        0 => error,
        received if error.may_be_repeated() => ModelError::Broken { received, message: error.to_string() },
        _ => error,
    };
    Ended { used, outcome: Some((call, Err(error))), ..Ended::default() }
}
