//! Who may call a model now? The one door for every model call, however deeply agents nest.
//!
//! [`Gateway::start`] puts an actor in front of the [`ChatModel`](crate::ports::ChatModel)s of a program; nobody but the
//! gateway reaches them. It lets as many calls be in flight as the limits of each model and of all together say, keeps to
//! requests and tokens per minute, waits as long as a provider asks, makes calls again that may work later, and spends no
//! more than a run's [`Budget`]. A call that is refused, expires, panics or whose caller leaves gives back what it took.

mod adaptive;
mod admission;
mod attempt;
mod breaker;
mod bucket;
mod budget;
mod call;
mod call_news;
mod chat_call;
mod chunks;
mod desk;
mod ends;
mod fallback;
mod info;
mod lane;
mod leaf;
mod limits;
mod notes;
mod notices;
mod pace;
mod pauses;
mod place;
mod prices;
mod retry;
mod retry_budget;
mod saving;
mod sharing;
#[cfg(test)]
mod slow;
mod state;
mod telling;
mod turning;
mod values;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use crate::agent::Agent;
use crate::chat::ChatRequest;
use crate::error::{AskError, ModelError, StartError};
use crate::mailbox::{AgentRef, AgentSpec};
use crate::runtime::Runtime;
use crate::supervision::RestartPolicy;
use desk::Desk;
use leaf::{Leaf, LeafMessage};

pub use admission::Priority;
pub use breaker::{BreakerPolicy, BreakerState};
pub(crate) use budget::Shortage;
pub use budget::{Budget, BudgetLimits, Spent};
pub(crate) use call_news::{CallNews, Pause};
pub use chat_call::ChatCall;
pub use chunks::{ChunkStream, Chunks};
pub use fallback::FallBack;
pub(crate) use fallback::share;
pub use info::{GatewayInfo, ModelInfo};
pub use limits::{FIRST_IN_FLIGHT, GatewayLimits, ModelLimits, Timeouts};
pub(crate) use notices::ModelChange;
pub use prices::{Price, Prices};
pub use retry::RetryPolicy;
pub use retry_budget::RetryBudgetPolicy;
pub use saving::{CacheMode, CachePolicy, canonical};
pub(crate) use values::CallFailed;
pub use values::{CallTimes, Completed, ServedModel, Source};
pub(crate) use watch::{ModelNews, ModelWatch};

/// Room for the timers of waiting calls beside the calls in flight: each is at most half as far away as the next.
const TIMERS: usize = 64;

/// The door. Clones are the same door.
#[derive(Clone)]
pub struct Gateway {
    desk: Arc<Desk>,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Gateway({:?})", self.desk.agent())
    }
}

impl Gateway {
    /// Starts a gateway in front of these models.
    ///
    /// # Errors
    /// [`StartError`] for invalid limits, names or prices, for no model or two of one name, or when the runtime is stopping.
    pub fn start(runtime: &Runtime, models: Vec<ServedModel>, limits: GatewayLimits) -> Result<Self, StartError> {
        limits.validate()?;
        if models.is_empty() {
            return Err(StartError::Invalid("a gateway needs at least one model".to_owned()));
        }
        for (number, model) in models.iter().enumerate() {
            model.validate()?;
            if models[..number].iter().any(|other| other.name == model.name) {
                return Err(StartError::Invalid(format!("two models of a gateway are called {}", model.name)));
            }
        }
        // Every waiting call is one message on its way or one entry of a line, and one more when its caller leaves; every
        // call in flight is one future.
        let mailbox = 2 * (limits.max_waiting + limits.max_in_flight);
        let work = limits.max_in_flight + TIMERS;
        let desk = Arc::new(Desk::new(models.into(), limits, runtime.shared()));
        let leaf = |number: usize| {
            let desk = desk.clone();
            let policy = RestartPolicy::at_most(10, Duration::from_secs(60));
            let spec = AgentSpec::new("gateway", move || Leaf::new(desk.clone(), number));
            let shard = u16::try_from(number).unwrap_or(0);
            runtime.spawn(spec.capacity(mailbox).max_work(work).restart(policy).on_shard(shard))
        };
        let mut leaves = Vec::new();
        for number in 0..runtime.shared().shards() {
            match leaf(number) {
                Ok(leaf) => leaves.push(leaf),
                Err(error) => {
                    leaves.iter().for_each(AgentRef::stop);
                    return Err(error);
                }
            }
        }
        desk.is_of(leaves);
        Ok(Self { desk })
    }

    /// A call of the model with this name, such as `openai/NAME`. It is made by [`ChatCall::send`].
    pub fn call(&self, model: &str, request: impl Into<Arc<ChatRequest>>) -> ChatCall<'_> {
        ChatCall::new(self, self.lane(model), request.into())
    }

    /// The limits that hold now.
    pub fn limits(&self) -> GatewayLimits {
        self.desk.limits()
    }

    /// Changes the limits while calls are made. `max_in_flight` and `max_waiting` hold at once: who is in flight or waits stays, and
    /// those who may start by a higher limit do. The retries are decided by the new policies from now on, of the calls in
    /// flight as well; a breaker that is open stays so for its time, unless it is switched off, and one that is closed begins to count
    /// afresh. `timeouts` hold for attempts that begin later, `deadline` for new calls.
    ///
    /// # Errors
    /// [`StartError::Invalid`] names the value and its range. What a gateway holds is sized at its start: `max_in_flight` and
    /// `max_waiting` cannot exceed those that it was started with. Then nothing is changed.
    pub fn set_limits(&self, limits: GatewayLimits) -> Result<(), StartError> {
        limits.validate()?;
        self.desk.set_limits(limits)
    }

    /// Changes the limits of one model while calls are made. They hold at once: who is in flight stays, and those who may start by a
    /// higher limit do. A rate that changes keeps what is left of its minute in proportion. After a provider refused
    /// some, a higher `max_in_flight` is a higher bound, up to which the gateway finds its way as in the beginning.
    ///
    /// # Errors
    /// [`StartError::Invalid`] names the value and its range, or says that there is no such model. Then nothing is changed.
    pub fn set_model_limits(&self, model: &str, limits: ModelLimits) -> Result<(), StartError> {
        limits.validate()?;
        let lane = self.lane(model).map_err(|name| StartError::Invalid(self.serves_no(&name)))?;
        self.desk.set_model_limits(lane, limits);
        Ok(())
    }

    /// What the model with this name costs; `None` when nobody knows.
    pub fn price(&self, model: &str) -> Option<Price> {
        self.desk.models().iter().find(|served| served.name == model)?.price
    }

    /// Starts an agent where the gateway lives.
    pub(crate) fn spawn<A: Agent>(&self, spec: AgentSpec<A>) -> Result<AgentRef<A::Message>, StartError> {
        self.desk.shared().spawn(spec, None)
    }

    /// A timer on its runtime's clock, for whoever waits on any executor.
    pub(crate) fn sleep(&self, time: Duration) -> tokio::time::Sleep {
        self.desk.shared().sleep(time)
    }

    /// The same, which ends with the runtime, too; `false` then.
    pub(crate) fn sleeps(&self, time: Duration) -> impl Future<Output = bool> + Send + use<> {
        let (sleep, closed) = (self.sleep(time), self.desk.shared().closed());
        async move {
            tokio::select! {
                biased;
                () = closed => false,
                () = sleep => true,
            }
        }
    }

    /// Whether it makes calls: its runtime has not stopped.
    pub(crate) fn is_open(&self) -> bool {
        self.desk.is_open()
    }

    /// Whether it serves the model with this name.
    pub(crate) fn check(&self, model: &str) -> Result<(), StartError> {
        self.lane(model).map(drop).map_err(|name| StartError::Invalid(self.serves_no(&name)))
    }

    fn lane(&self, model: &str) -> Result<usize, String> {
        self.desk.models().iter().position(|served| served.name == model).ok_or_else(|| model.to_owned())
    }

    /// What the gateway is like right now.
    ///
    /// # Errors
    /// [`ModelError`] when it does not answer.
    pub async fn info(&self) -> Result<GatewayInfo, ModelError> {
        self.desk.agent().ask(self.desk.deadline(), LeafMessage::Info).await.map_err(refused)
    }
}

impl Gateway {
    fn unknown(&self, name: &str) -> ModelError {
        ModelError::NotFound(self.serves_no(name))
    }

    fn serves_no(&self, name: &str) -> String {
        let known: Vec<_> = self.desk.models().iter().map(|model| model.name.as_str()).collect();
        format!("the gateway serves no model {name}; it serves {}", known.join(", "))
    }
}

fn refused(error: AskError) -> ModelError {
    match error {
        AskError::Overloaded => ModelError::Overloaded { retry_after: Duration::from_secs(1) },
        AskError::Timeout => ModelError::Timeout(crate::error::Waiting::Total),
        AskError::Stopped => ModelError::Stopped,
        AskError::Panicked | AskError::Unanswered | AskError::Quarantined | AskError::InsideAsync => {
            ModelError::Provider("its adapter or the gateway panicked; the call may have been made".to_owned())
        }
    }
}
