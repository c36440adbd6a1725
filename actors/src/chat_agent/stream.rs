//! What can be seen of an ask while it goes on?

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::mpsc;

use super::Asking;
use super::answer::{Answer, ChatAgentError};
use crate::chat::TokenUsage;
use crate::gateway::FallBack;

/// Events that wait for their reader; then the ask waits, and the provider's connection with it.
pub(super) const ROOM: usize = 32;

/// What happens in an ask.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AskEvent {
    /// More of what the model says in this turn.
    Text(String),
    /// The model wants a tool to be called.
    ToolCalled {
        /// The provider's name for the call.
        id: String,
        /// Which tool.
        name: String,
        /// Its arguments as the model wrote them.
        arguments: String,
    },
    /// A tool call is over.
    ToolAnswered {
        /// The provider's name for the call.
        id: String,
        /// What the model is told.
        text: String,
    },
    /// The model of this turn could not answer, and the next one of the agent's [list](super::ChatAgentSpec::fallback) is asked.
    FellBack(FallBack),
    /// Another agent goes on.
    HandedOver {
        /// Its name.
        to: Arc<str>,
    },
    /// A turn of the model is over.
    TurnEnded {
        /// What it used; `None` when the provider does not tell.
        usage: Option<TokenUsage>,
        /// In the gateway's queue.
        queue: Duration,
        /// At the provider.
        model: Duration,
    },
}

/// An ask whose events are read as they come. Whoever reads slowly holds up the ask. Dropping it ends the ask, down to the socket.
#[must_use = "read its events, then its answer"]
pub struct AskStream {
    events: mpsc::Receiver<AskEvent>,
    asking: Asking,
    answer: Option<Result<Answer, ChatAgentError>>,
}

impl AskStream {
    pub(super) fn new(events: mpsc::Receiver<AskEvent>, asking: Asking) -> Self {
        Self { events, asking, answer: None }
    }

    /// The next event; `None` when the ask is over.
    pub async fn next(&mut self) -> Option<AskEvent> {
        poll_fn(|cx| {
            if let Poll::Ready(Some(event)) = self.events.poll_recv(cx) {
                return Poll::Ready(Some(event));
            }
            if self.answer.is_none()
                && let Poll::Ready(answer) = Pin::new(&mut self.asking).poll(cx)
            {
                self.answer = Some(answer);
            }
            match self.answer {
                // What was sent before the answer is there by now.
                Some(_) => self.events.poll_recv(cx),
                None => Poll::Pending,
            }
        })
        .await
    }

    /// The answer; events that were not read are dropped.
    ///
    /// # Errors
    /// As [`ChatAgent::ask`](super::ChatAgent::ask).
    pub async fn answer(mut self) -> Result<Answer, ChatAgentError> {
        while self.next().await.is_some() {}
        match self.answer {
            Some(answer) => answer,
            None => self.asking.await,
        }
    }
}
