//! How does a program make one call, and what happens when it leaves?

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::Instant;

use super::actor::{Call, GatewayMessage, Progress};
use super::budget::Budget;
use super::chunks::{self, ChunkStream, Chunks};
use super::values::Completed;
use super::{Gateway, refused};
use crate::chat::ChatRequest;
use crate::error::ModelError;
use crate::mailbox::{AgentRef, Ask};

/// One call, about to be made.
#[derive(Debug)]
#[must_use = "it is made by `send`"]
pub struct ChatCall<'a> {
    gateway: &'a Gateway,
    /// The number of its model, or the name that no model has.
    lane: Result<usize, String>,
    request: Arc<ChatRequest>,
    deadline: Duration,
    budget: Option<Budget>,
    chunks: Option<Chunks>,
}

impl<'a> ChatCall<'a> {
    pub(super) fn new(gateway: &'a Gateway, lane: Result<usize, String>, request: ChatRequest) -> Self {
        let (request, deadline) = (Arc::new(request), gateway.deadline);
        Self { gateway, lane, request, deadline, budget: None, chunks: None }
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
        let Self { gateway, lane, request, deadline, budget, chunks } = self;
        let began = Instant::now();
        let answer = lane.map_err(|name| gateway.unknown(&name)).map(|lane| {
            let times = Progress { lined_up: began, queued: Duration::ZERO, provider: Duration::ZERO, attempts: 0 };
            let (until, most) = (began + deadline, request.most_tokens());
            // The gateway keeps the deadline itself and says so; this one is for a gateway that does not answer.
            let ask = gateway.agent.ask(deadline + Duration::from_secs(1), |reply| {
                let deadline = until;
                GatewayMessage::Complete(Box::new(Call { lane, request, most, deadline, budget, chunks, reply, times }))
            });
            Answer { ask: Some(ask), gateway: gateway.agent.clone() }
        });
        async move { Ok(answer?.await?.seen_after(began.elapsed())) }
    }
}

/// The wait for the answer. Dropped before, it tells the gateway, so that whoever stands behind in line moves up at once.
struct Answer {
    ask: Option<Ask<Result<Completed, ModelError>>>,
    gateway: AgentRef<GatewayMessage>,
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
        if self.ask.take().is_some() {
            // A gateway with a full mailbox looks at its line soon, and one that is gone has none.
            drop(self.gateway.tell(GatewayMessage::Left));
        }
    }
}
