//! The gateway's shell: it starts calls that have a place, and takes place and reservation back on every path.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::Instrument;

use super::admission::{Admission, Claim, Flow, Ticket, Verdict};
use super::budget::{Budget, Reservation};
use super::chunks::Chunks;
use super::lane::Lane;
use super::limits::GatewayLimits;
use super::{Completed, GatewayInfo, ModelInfo, ServedModel};
use crate::agent::{Agent, Turn, WorkError};
use crate::chat::{ChatReply, ChatRequest, Headroom, TokenUsage};
use crate::error::{Limited, ModelError, Waiting};
use crate::mailbox::Reply;
use crate::ports::ModelCall;

/// A pause that a provider asks for without saying how long.
const PAUSE: Duration = Duration::from_secs(1);

/// One call on its way through.
pub(super) struct Call {
    /// The number of its model.
    pub(super) lane: usize,
    pub(super) request: Arc<ChatRequest>,
    /// What it can use at most.
    pub(super) most: TokenUsage,
    pub(super) deadline: Instant,
    pub(super) budget: Option<Budget>,
    pub(super) chunks: Option<Chunks>,
    pub(super) reply: Reply<Result<Completed, ModelError>>,
    pub(super) times: Progress,
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
}

#[expect(clippy::borrowed_box, reason = "the admission hands out references to what it keeps, and it keeps boxes")]
fn is_abandoned(call: &Box<Call>) -> bool {
    call.reply.is_abandoned()
}

/// What the gateway understands.
pub(super) enum GatewayMessage {
    Complete(Box<Call>),
    /// An attempt is over, whichever way. Its caller knows nothing yet.
    Over(Ticket, Box<Ended>),
    /// A caller has left.
    Left,
    /// A time has come that was set.
    Wake(Instant),
    Info(Reply<GatewayInfo>),
}

/// How an attempt ended.
#[derive(Default)]
pub(super) struct Ended {
    /// Tokens; `None` when nobody knows.
    used: Option<u64>,
    headroom: Headroom,
    /// What its caller has yet to learn; `None` after a panic, or when he has left.
    outcome: Option<(Box<Call>, Result<Completed, ModelError>)>,
}

/// The actor of one gateway.
pub(super) struct GatewayActor {
    models: Arc<[ServedModel]>,
    limits: GatewayLimits,
    admission: Admission<Box<Call>>,
    /// The timers that are set and have not gone off.
    timers: BTreeSet<Instant>,
    counts: Vec<ModelInfo>,
    peak: usize,
}

impl GatewayActor {
    pub(super) fn new(models: Arc<[ServedModel]>, limits: GatewayLimits) -> Self {
        let now = Instant::now();
        let lanes = models.iter().map(|model| Lane::new(&model.limits, now)).collect();
        let counts = models.iter().map(|model| ModelInfo::of(&model.name)).collect();
        let admission = Admission::new(limits.max_in_flight, limits.max_waiting, lanes);
        Self { models, limits, admission, timers: BTreeSet::new(), counts, peak: 0 }
    }

    fn arrive(&mut self, mut call: Box<Call>, turn: &mut Turn<'_, GatewayMessage>) {
        let now = Instant::now();
        // The way here is no wait in line.
        call.times.lined_up = now;
        if now >= call.deadline {
            return self.fail(*call, ModelError::Timeout(Waiting::Queue));
        }
        let (flow, tokens) = (Flow::default(), call.most.total());
        let claim = Claim { lane: call.lane, flow, deadline: call.deadline, tokens };
        match self.admission.arrive(call, claim, now, is_abandoned) {
            Verdict::Start(ticket, call) => self.begin(ticket, call, now, turn),
            Verdict::Wait => {}
            Verdict::Refuse(call, retry_after) => {
                self.counts[call.lane].refused += 1;
                call.reply.send(Err(ModelError::Overloaded { retry_after }));
            }
        }
    }

    /// Starts what may start, after telling those whose time is over.
    fn advance(&mut self, turn: &mut Turn<'_, GatewayMessage>) {
        let now = Instant::now();
        for call in self.admission.expire(now) {
            self.fail(*call, ModelError::Timeout(Waiting::Queue));
        }
        while let Some((ticket, call)) = self.admission.next(now, is_abandoned) {
            self.begin(ticket, call, now, turn);
        }
        self.set_timer(now, turn);
    }

    /// Sees to it that somebody looks again when it is time. A timer cannot be taken back; but each new one is at most half as
    /// far away as the next one that is set, so that there are never more than some dozens. Looking early does no harm.
    fn set_timer(&mut self, now: Instant, turn: &mut Turn<'_, GatewayMessage>) {
        let Some(next) = self.admission.wake_at(now) else { return };
        let mut delay = next.saturating_duration_since(now);
        if let Some(first) = self.timers.first() {
            if *first <= next {
                return;
            }
            delay = delay.min(first.saturating_duration_since(now) / 2);
        }
        let at = now + delay;
        if turn.after(delay, GatewayMessage::Wake(at)).is_ok() {
            self.timers.insert(at);
        }
    }

    /// Makes one attempt beside the agent. What it took comes back with [`GatewayMessage::Over`].
    fn begin(&mut self, ticket: Ticket, mut call: Box<Call>, now: Instant, turn: &mut Turn<'_, GatewayMessage>) {
        let model = &self.models[call.lane];
        let reserved =
            call.budget.as_ref().map(|budget| budget.reserve(&model.name, call.most, model.price)).transpose();
        let reservation = match reserved {
            Ok(reservation) => reservation,
            Err(exhausted) => {
                self.admission.not_made(ticket);
                return self.fail(*call, exhausted);
            }
        };
        call.times.queued += now.saturating_duration_since(call.times.lined_up);
        call.times.attempts += 1;
        let counts = &mut self.counts[call.lane];
        counts.attempts += 1;
        counts.retries += u64::from(call.times.attempts > 1);
        self.peak = self.peak.max(self.admission.in_flight());
        let span = tracing::info_span!("chat", model = %model.name, attempt = call.times.attempts);
        let work = attempt(model.model.clone(), self.limits.clone(), call, reservation).instrument(span);
        let over = move |ended: Result<Box<Ended>, WorkError>| {
            let ended = ended.unwrap_or_else(|error| {
                tracing::warn!(%error, "a model call did not come to its end");
                Box::default()
            });
            GatewayMessage::Over(ticket, ended)
        };
        if turn.start(work, over).is_err() {
            // There is room for as many as may be in flight.
            self.admission.not_made(ticket);
        }
    }

    /// Takes back what an attempt took, and answers. Callers are often on another thread, and to wake a thread takes longer than
    /// all of this: the answers of attempts that ended together go out together, so that it is woken once for all of them.
    fn over(&mut self, ticket: Ticket, ended: Ended, turn: &Turn<'_, GatewayMessage>) {
        let (now, lane) = (Instant::now(), ticket.claim.lane);
        self.admission.over(ticket, ended.used, Some(ticket.held(now)));
        self.admission.heed(lane, &ended.headroom, now);
        let Some((mut call, outcome)) = ended.outcome else { return };
        let error = match outcome {
            Ok(completed) => return call.reply.send(Ok(completed)),
            Err(error) => error,
        };
        if let ModelError::RateLimited { limited: Limited::Rate, retry_after, .. } = &error {
            self.counts[lane].pauses += 1;
            let pause = retry_after.unwrap_or(PAUSE).min(super::lane::LONGEST_PAUSE);
            self.admission.pause(lane, now + pause);
        }
        let left = call.deadline.saturating_duration_since(now);
        match self.limits.retry.next(&error, call.times.attempts, turn.chance(), left) {
            Some(wait) => {
                tracing::debug!(%error, ?wait, attempt = call.times.attempts, "a model call is made again");
                call.times.lined_up = now;
                self.admission.again(ticket, call, now + wait);
            }
            None => self.fail(*call, error),
        }
    }

    fn fail(&mut self, call: Call, error: ModelError) {
        self.counts[call.lane].failed += 1;
        call.reply.send(Err(error));
    }

    fn info(&self) -> GatewayInfo {
        let mut models = self.counts.clone();
        for (lane, info) in models.iter_mut().enumerate() {
            info.in_flight = self.admission.in_flight_of(lane);
        }
        GatewayInfo {
            in_flight: self.admission.in_flight(),
            peak_in_flight: self.peak,
            waiting: self.admission.waiting(),
            models,
        }
    }
}

/// One attempt, until its end, a time-out, or its caller leaves.
async fn attempt(
    model: Arc<dyn crate::ports::ChatModel>,
    limits: GatewayLimits,
    mut call: Box<Call>,
    reservation: Option<Reservation>,
) -> Box<Ended> {
    let began = Instant::now();
    let until = call.deadline.min(began + limits.timeouts.total);
    let asked = ModelCall { request: call.request.clone(), timeouts: limits.timeouts, chunks: call.chunks.clone() };
    // Within the block: an adapter that panics at once does so in the work, and not in the gateway.
    let answer = async { model.complete(asked).await };
    let answer = tokio::select! {
        biased;
        // What it used nobody knows: place and reservation come back as for a call that was made.
        () = call.reply.abandoned() => return Box::default(),
        answer = tokio::time::timeout_at(until, answer) => answer.unwrap_or(Err(ModelError::Timeout(Waiting::Total))),
    };
    call.times.provider += began.elapsed();
    Box::new(match answer {
        Ok(reply) => succeed(call, reply, reservation),
        Err(error) => fail(call, error, reservation),
    })
}

fn succeed(call: Box<Call>, reply: ChatReply, reservation: Option<Reservation>) -> Ended {
    if let Some(reservation) = reservation {
        reservation.settle(reply.usage);
    }
    let (used, headroom) = (reply.usage.map(TokenUsage::total), reply.headroom);
    let first_token = call.chunks.as_ref().and_then(Chunks::first);
    let completed = Completed::new(reply, call.times, first_token);
    Ended { used, headroom, outcome: Some((call, Ok(completed))) }
}

fn fail(call: Box<Call>, error: ModelError, reservation: Option<Reservation>) -> Ended {
    // What its reader has seen was made.
    let received = call.chunks.as_ref().map_or(0, Chunks::sent);
    let used_nothing = received == 0 && error.used_nothing();
    if let Some(reservation) = reservation {
        match used_nothing {
            true => reservation.take_back(),
            false => reservation.settle(None),
        }
    }
    // What its reader has seen is not made again behind his back.
    let error = match received {
        0 => error,
        received if error.is_retryable() => ModelError::Broken { received, message: error.to_string() },
        _ => error,
    };
    Ended { used: used_nothing.then_some(0), headroom: Headroom::default(), outcome: Some((call, Err(error))) }
}

impl Agent for GatewayActor {
    type Message = GatewayMessage;

    fn handle(&mut self, message: GatewayMessage, turn: &mut Turn<'_, GatewayMessage>) {
        match message {
            GatewayMessage::Complete(call) => self.arrive(call, turn),
            GatewayMessage::Over(ticket, ended) => self.over(ticket, *ended, turn),
            GatewayMessage::Wake(at) => drop(self.timers.remove(&at)),
            GatewayMessage::Left => {}
            GatewayMessage::Info(reply) => return reply.send(self.info()),
        }
        self.advance(turn);
    }
}
