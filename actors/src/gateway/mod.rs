//! Who may call a model now? The one door for every model call, however deeply agents nest.
//!
//! [`Gateway::start`] puts an actor in front of a [`ChatModel`]; what it returns is a [`ChatModel`] again, so a caller
//! cannot tell the difference, and nobody but the gateway reaches the model. At most
//! [`max_in_flight`](GatewayLimits::max_in_flight) calls run, at most [`max_waiting`](GatewayLimits::max_waiting) wait,
//! in the order of their arrival; a call that is refused, expires or whose caller leaves gives its place back.

mod actor;
mod admission;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;

use crate::chat::{ChatReply, ChatRequest};
use crate::error::{AskError, ModelError, StartError};
use crate::mailbox::{AgentRef, AgentSpec};
use crate::ports::ChatModel;
use crate::runtime::Runtime;
use crate::supervision::RestartPolicy;
use actor::{Call, GatewayMessage};

pub use actor::GatewayInfo;

/// Room for the timers of waiting calls beside the calls in flight; one or two are set at a time.
const TIMERS: usize = 16;

/// The bounds of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayLimits {
    /// At most this many calls are in flight: 1 to 100,000. The default is 8.
    pub max_in_flight: usize,
    /// At most this many calls wait: up to 1,000,000. The default is 1,024.
    pub max_waiting: usize,
    /// How long a call may take, waiting included. The default is 120 seconds.
    pub deadline: Duration,
}

impl Default for GatewayLimits {
    fn default() -> Self {
        Self { max_in_flight: 8, max_waiting: 1024, deadline: Duration::from_secs(120) }
    }
}

impl GatewayLimits {
    /// Checks every rule.
    ///
    /// # Errors
    /// [`StartError::Invalid`] names the value and its range.
    pub fn validate(&self) -> Result<(), StartError> {
        let invalid = |message: String| Err(StartError::Invalid(message));
        if !(1..=100_000).contains(&self.max_in_flight) {
            return invalid(format!("max_in_flight is {}; it must be between 1 and 100000", self.max_in_flight));
        }
        if self.max_waiting > 1_000_000 {
            return invalid(format!("max_waiting is {}; it must be at most 1000000", self.max_waiting));
        }
        if self.deadline.is_zero() || self.deadline > Duration::from_secs(24 * 3600) {
            return invalid(format!("deadline is {:?}; it must be above zero and at most 24 hours", self.deadline));
        }
        Ok(())
    }
}

/// The door: a [`ChatModel`] whose calls pass the gateway. Clones are the same door.
#[derive(Clone)]
pub struct Gateway {
    agent: AgentRef<GatewayMessage>,
    deadline: Duration,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gateway({:?})", self.agent)
    }
}

impl Gateway {
    /// Starts a gateway in front of `model`.
    ///
    /// # Errors
    /// [`StartError`] for invalid limits, or when the runtime is stopping.
    pub fn start(runtime: &Runtime, model: Arc<dyn ChatModel>, limits: GatewayLimits) -> Result<Self, StartError> {
        limits.validate()?;
        let deadline = limits.deadline;
        // Every waiting call is one message on its way or one entry of the queue; every call in flight is one future.
        let mailbox = limits.max_waiting + limits.max_in_flight;
        let work = limits.max_in_flight + TIMERS;
        let factory = move || actor::GatewayActor::new(model.clone(), limits.clone());
        let policy = RestartPolicy::at_most(10, Duration::from_secs(60));
        let spec = AgentSpec::new("gateway", factory).capacity(mailbox).max_work(work).restart(policy);
        Ok(Self { agent: runtime.spawn(spec)?, deadline })
    }

    /// What the gateway is like right now.
    ///
    /// # Errors
    /// [`ModelError`] when it does not answer.
    pub fn info(&self) -> BoxFuture<'static, Result<GatewayInfo, ModelError>> {
        let answer = self.agent.ask(self.deadline, GatewayMessage::Info);
        Box::pin(async { answer.await.map_err(refused) })
    }
}

impl ChatModel for Gateway {
    fn complete(&self, request: ChatRequest) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        // The gateway keeps the deadline itself and says so; this one is for a gateway that does not answer at all.
        let patience = self.deadline + Duration::from_secs(1);
        let deadline = Instant::now() + self.deadline;
        let answer = self.agent.ask(patience, |reply| GatewayMessage::Complete(Call { request, deadline, reply }));
        Box::pin(async { answer.await.unwrap_or_else(|error| Err(refused(error))) })
    }
}

fn refused(error: AskError) -> ModelError {
    match error {
        AskError::Overloaded => ModelError::Overloaded { retry_after: Duration::from_secs(1) },
        AskError::Timeout => ModelError::Timeout,
        AskError::Stopped => ModelError::Stopped,
        AskError::Panicked | AskError::Unanswered | AskError::Quarantined | AskError::InsideAsync => {
            ModelError::Provider("its adapter or the gateway panicked; the call may have been made".to_owned())
        }
    }
}
