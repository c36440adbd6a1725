//! How does a program make one call, and what happens when it leaves?

use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::Instant;

use super::admission::{Flow, Priority};
use super::budget::Budget;
use super::chunks::{self, ChunkStream, Chunks};
use super::desk::Desk;
use super::leaf::LeafMessage;
use super::values::Completed;
use super::{Gateway, refused};
use crate::chat::{ChatRequest, TokenUsage};
use crate::error::ModelError;
use crate::mailbox::{Ask, Reply};

/// One call on its way through.
pub(super) struct Call {
    /// The number of its model.
    pub(super) lane: usize,
    /// Those of the models that may make it instead, in this order.
    pub(super) others: Vec<usize>,
    /// How often its model made it.
    pub(super) tries: u32,
    pub(super) flow: Flow,
    pub(super) request: Arc<ChatRequest>,
    /// What it can use at most.
    pub(super) most: TokenUsage,
    pub(super) deadline: Instant,
    pub(super) budget: Option<Budget>,
    pub(super) chunks: Option<Chunks>,
    /// Where it is made, if not on the gateway's shard.
    pub(super) home: Option<Handle>,
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

/// One call, about to be made.
#[derive(Debug)]
#[must_use = "it is made by `send`"]
pub struct ChatCall<'a> {
    gateway: &'a Gateway,
    /// The number of its model, or the name that no model has.
    lane: Result<usize, String>,
    others: Vec<usize>,
    flow: Flow,
    request: Arc<ChatRequest>,
    deadline: Duration,
    budget: Option<Budget>,
    chunks: Option<Chunks>,
}

impl<'a> ChatCall<'a> {
    pub(super) fn new(gateway: &'a Gateway, lane: Result<usize, String>, request: ChatRequest) -> Self {
        let (request, deadline) = (Arc::new(request), gateway.desk.deadline());
        let (others, flow) = (Vec::new(), Flow::default());
        Self { gateway, lane, others, flow, request, deadline, budget: None, chunks: None }
    }

    /// The call must be over by then, waiting and retries included; at most the gateway's own deadline.
    pub fn within(mut self, deadline: Duration) -> Self {
        self.deadline = self.deadline.min(deadline);
        self
    }

    /// What it uses is taken from this budget.
    pub fn budget(mut self, budget: &Budget) -> Self {
        self.budget = Some(budget.clone());
        self
    }

    /// This model makes the call when those before it cannot: after their retries, behind an open circuit breaker, when their
    /// key, their address or their room for text is at fault. Never when a reader has begun to read, and never when the call
    /// itself is refused. [`Completed::model`] says who answered. May be said several times.
    pub fn or(mut self, model: &str) -> Self {
        match self.gateway.lane(model) {
            Ok(lane) => self.others.push(lane),
            Err(unknown) => self.lane = Err(unknown),
        }
        self
    }

    /// How soon it matters, among the calls of its run.
    pub fn priority(mut self, priority: Priority) -> Self {
        self.flow.class = priority;
        self
    }

    /// The run that it belongs to. The runs of a user take turns, so that one with many calls does not keep the others
    /// waiting. Calls that do not say belong to one run.
    pub fn run(mut self, run: impl Hash) -> Self {
        self.flow.run = number_of(run);
        self
    }

    /// The user on whose behalf it is made. Users take turns, whatever many runs each of them has. Calls that do not say belong to
    /// one user.
    pub fn user(mut self, user: impl Hash) -> Self {
        self.flow.user = number_of(user);
        self
    }

    /// Its pieces are to be read as they come. Read them beside the call: the provider waits for their reader.
    pub fn streamed(mut self) -> (Self, ChunkStream) {
        let (chunks, stream) = chunks::chunks();
        self.chunks = Some(chunks);
        (self, stream)
    }

    /// Makes the call. Dropping the future leaves it: it is not made any more, or its connection is closed.
    ///
    /// # Errors
    /// [`ModelError`] says what the caller can do about it.
    pub fn send(self) -> impl Future<Output = Result<Completed, ModelError>> + Send + use<> {
        let Self { gateway, lane, others, flow, request, deadline, budget, chunks } = self;
        let (desk, began) = (gateway.desk.clone(), Instant::now());
        let answer = lane.map_err(|name| gateway.unknown(&name)).map(|lane| {
            let times = Progress { lined_up: began, queued: Duration::ZERO, provider: Duration::ZERO, attempts: 0 };
            let (deadline, most, home) = (began + deadline, request.most_tokens(), home());
            let call = |reply| {
                let home = home.clone();
                let tries = 0;
                Box::new(Call {
                    lane,
                    others,
                    tries,
                    flow,
                    request,
                    most,
                    deadline,
                    budget,
                    chunks,
                    home,
                    reply,
                    times,
                })
            };
            // The gateway keeps the deadline itself and says so; this one is for a gateway that does not answer.
            let within = deadline.saturating_duration_since(began) + Duration::from_secs(1);
            let ask = match home {
                Some(_) => desk.agent().ask_beside(within, |reply| desk.arrive(call(reply), None)),
                None => desk.nearest().ask(within, |reply| LeafMessage::Complete(call(reply))),
            };
            Answer { ask: Some(ask), is_at_home: home.is_some(), desk }
        });
        async move { Ok(answer?.await?.seen_after(began.elapsed())) }
    }
}

/// A number that is the same in each process.
fn number_of(name: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish()
}

/// Where calls of this caller are made: where he is, if that is a runtime of several threads. There a call costs what it would
/// cost without a gateway, and its answer wakes no other thread. Everywhere else calls are made on the gateway's shard.
fn home() -> Option<Handle> {
    Handle::try_current().ok().filter(|here| here.runtime_flavor() == RuntimeFlavor::MultiThread)
}

/// The wait for the answer. Dropped before, it tells the gateway, so that whoever stands behind in line moves up at once.
struct Answer {
    ask: Option<Ask<Result<Completed, ModelError>>>,
    is_at_home: bool,
    desk: Arc<Desk>,
}

impl Future for Answer {
    type Output = Result<Completed, ModelError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(ask) = &mut self.ask else { return Poll::Pending };
        let answer = ready!(Pin::new(ask).poll(cx));
        self.ask = None;
        Poll::Ready(answer.unwrap_or_else(|error| Err(refused(error))))
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if self.ask.take().is_none() {
            return;
        }
        match self.is_at_home {
            true => self.desk.look(None),
            // A gateway with a full mailbox looks at its line soon, and one that is gone has none.
            false => drop(self.desk.agent().tell(LeafMessage::Look)),
        }
    }
}
