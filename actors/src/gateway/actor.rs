//! The gateway's shell: it starts calls that have a place and takes the place back on every path.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::Instrument;

use super::GatewayLimits;
use super::admission::{Admission, Verdict};
use crate::agent::{Agent, Turn, WorkError};
use crate::chat::{ChatReply, ChatRequest};
use crate::error::ModelError;
use crate::mailbox::Reply;
use crate::ports::ChatModel;

/// What a refused caller is told to wait, when nothing better is known.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What a gateway is like at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GatewayInfo {
    /// Calls that are being made.
    pub in_flight: usize,
    /// The most that there ever were at a time.
    pub peak_in_flight: usize,
    /// Calls that wait for a place.
    pub waiting: usize,
    /// Calls that were started.
    pub started: u64,
}

/// One call on its way through.
pub(super) struct Call {
    pub(super) request: ChatRequest,
    pub(super) deadline: Instant,
    pub(super) reply: Reply<Result<ChatReply, ModelError>>,
}

fn is_abandoned(call: &Call) -> bool {
    call.reply.is_abandoned()
}

/// What the gateway understands.
pub(super) enum GatewayMessage {
    Complete(Call),
    /// A call is over, whichever way; its caller knows.
    Over,
    /// A waiting call's deadline is here.
    Wake,
    Info(Reply<GatewayInfo>),
}

/// The actor of one gateway.
pub(super) struct GatewayActor {
    model: Arc<dyn ChatModel>,
    admission: Admission<Call>,
    wake: Option<Instant>,
    peak: usize,
    started: u64,
}

impl GatewayActor {
    pub(super) fn new(model: Arc<dyn ChatModel>, limits: GatewayLimits) -> Self {
        let admission = Admission::new(limits.max_in_flight, limits.max_waiting);
        Self { model, admission, wake: None, peak: 0, started: 0 }
    }

    fn arrive(&mut self, call: Call, turn: &mut Turn<'_, GatewayMessage>) {
        let deadline = call.deadline;
        match self.admission.arrive(call, deadline, is_abandoned) {
            Verdict::Start(call) => self.start(call, deadline, turn),
            Verdict::Wait => {}
            Verdict::Refuse(call) => call.reply.send(Err(ModelError::Overloaded { retry_after: RETRY_AFTER })),
        }
    }

    /// Makes the call beside the agent. Its place comes back with [`GatewayMessage::Over`]: after a reply, a failure, a
    /// panic, the deadline, and when the caller leaves.
    fn start(&mut self, call: Call, deadline: Instant, turn: &mut Turn<'_, GatewayMessage>) {
        self.started += 1;
        self.peak = self.peak.max(self.admission.in_flight());
        let Call { request, reply, .. } = call;
        let model = self.model.clone();
        let work = async move {
            let mut reply = reply;
            let answer = async { model.complete(request).await };
            let answer = tokio::select! {
                biased;
                () = reply.abandoned() => return,
                answer = tokio::time::timeout_at(deadline, answer) => answer,
            };
            reply.send(answer.unwrap_or(Err(ModelError::Timeout)));
        };
        let over = |ended: Result<(), WorkError>| {
            if let Err(error) = ended {
                tracing::warn!(%error, "a model call did not come to its end");
            }
            GatewayMessage::Over
        };
        if turn.start(work.instrument(tracing::info_span!("chat")), over).is_err() {
            self.admission.release();
        }
    }

    /// Starts what may start, after telling those whose time is over.
    fn advance(&mut self, turn: &mut Turn<'_, GatewayMessage>) {
        let now = Instant::now();
        for call in self.admission.expire(now) {
            call.reply.send(Err(ModelError::Timeout));
        }
        while let Some((deadline, call)) = self.admission.next(is_abandoned) {
            self.start(call, deadline, turn);
        }
        let next = self.admission.next_deadline();
        if next.is_some() && self.wake.is_none_or(|wake| next < Some(wake)) {
            self.wake = next;
            let delay = next.map_or(Duration::ZERO, |next| next.saturating_duration_since(now));
            // One or two timers are set at a time: far below the limit.
            let _below_the_limit = turn.after(delay, GatewayMessage::Wake);
        }
    }

    fn info(&self) -> GatewayInfo {
        GatewayInfo {
            in_flight: self.admission.in_flight(),
            peak_in_flight: self.peak,
            waiting: self.admission.waiting(),
            started: self.started,
        }
    }
}

impl Agent for GatewayActor {
    type Message = GatewayMessage;

    fn handle(&mut self, message: GatewayMessage, turn: &mut Turn<'_, GatewayMessage>) {
        match message {
            GatewayMessage::Complete(call) => self.arrive(call, turn),
            GatewayMessage::Over => self.admission.release(),
            GatewayMessage::Wake => self.wake = None,
            GatewayMessage::Info(reply) => return reply.send(self.info()),
        }
        self.advance(turn);
    }
}
