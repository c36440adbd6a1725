//! How does a program get agents with a model in two lines? A runtime with its gateway, out of the configuration.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use callboard_actors::chat_agent::ChatAgentSpec;
use callboard_actors::error::StartError;
use callboard_actors::gateway::{Budget, BudgetLimits, Gateway, Price, ServedModel};
use callboard_actors::ports::ChatModel;
use callboard_actors::runtime::{self, RuntimeConfig, StopReport};
use callboard_actors::supervisor::CrewModel;

use crate::choice::{Kept, ModelChoice};
use crate::compose;
use crate::config::{Config, Surroundings, load};
use crate::error::Result;
use crate::providers::builtin;

/// The threads that agents live on, and the gateway to their model. It is started from anywhere: a plain `main`, inside
/// tokio of either flavour, inside a handler of axum or actix-web. What is not here is the [core's runtime](runtime::Runtime), to
/// which it dereferences.
///
/// Dropping it without [`Runtime::stop`] ends its threads without waiting for anything.
pub struct Runtime {
    core: runtime::Runtime,
    model: OnceLock<Model>,
    /// Where replies of its model are kept.
    kept: Kept,
}

/// What the budget of all agents together is called in errors.
const TOTAL: &str = "runtime";

/// The model of its agents.
struct Model {
    /// Or why there is none.
    gateway: Result<Gateway, StartError>,
    name: String,
    fallbacks: Vec<String>,
    /// What all agents together may spend.
    budget: Budget,
    /// How long a reply may be, in tokens; `None` for the model that is built in.
    output_tokens: Option<u32>,
}

impl std::fmt::Debug for Runtime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.core.fmt(f)
    }
}

impl Deref for Runtime {
    type Target = runtime::Runtime;

    fn deref(&self) -> &runtime::Runtime {
        &self.core
    }
}

impl Runtime {
    /// With the model that the configuration names: its files, and variables such as `CALLBOARD_MODEL_NAME`, `OPENAI_API_KEY` and
    /// `OPENAI_BASE_URL`. When it names none, agents get [`builtin/extractive`](builtin::Extractive), which only quotes and says so.
    /// A key in the environment alone chooses nothing.
    ///
    /// # Errors
    /// [`Error`](crate::Error) for a configuration that cannot be used, as `callboard doctor` would say it.
    pub fn from_env() -> Result<Self> {
        Self::of(&load(&Surroundings::of_process(), Vec::new())?.config)
    }

    /// With the model of this configuration.
    ///
    /// # Errors
    /// [`Error`](crate::Error) for a configuration that cannot be used.
    pub fn of(config: &Config) -> Result<Self> {
        match compose::model(config)? {
            Some(choice) => Self::with(choice),
            None => Ok(Self::start(RuntimeConfig::default())?),
        }
    }

    /// With this model, its limits, and a budget for all agents together. An agent's [own amounts](ChatAgentSpec::budget) are a part of it; a
    /// [`Budget`] that a question or an agent is given is outside of it, unless it was made below [`Runtime::budget`].
    ///
    /// # Errors
    /// [`Error::Start`](crate::Error::Start) when a limit breaks a rule, or the system gives no thread.
    pub fn with(choice: ModelChoice) -> Result<Self> {
        Self::on(runtime::Runtime::start(RuntimeConfig::default())?, choice)
    }

    /// On threads, or on a virtual time, that are there.
    pub(crate) fn on(core: runtime::Runtime, choice: ModelChoice) -> Result<Self> {
        let kept = Kept::of(&choice);
        let CrewModel { gateway, name, fallbacks, budget, output_tokens, .. } = choice.start(&core)?;
        let budget = budget.named(TOTAL);
        let output_tokens = Some(output_tokens);
        let model = Model { gateway: Ok(gateway), name, fallbacks, budget, output_tokens };
        Ok(Self { core, model: model.into(), kept })
    }

    /// With this model and nothing said about it: one of your own, or one of the [test kit](crate::testkit).
    ///
    /// # Errors
    /// [`Error::Start`](crate::Error::Start) when the system gives no thread.
    pub fn with_model(name: impl Into<String>, model: impl ChatModel) -> Result<Self> {
        Self::with(ModelChoice::new(ServedModel::new(name, Arc::new(model))))
    }

    /// Without a model: for agents that need none. One that is started by [`Runtime::agent`] all the same gets
    /// [`builtin/extractive`](builtin::Extractive).
    ///
    /// # Errors
    /// [`StartError`] for an invalid configuration, or when the system gives no thread.
    pub fn start(config: RuntimeConfig) -> Result<Self, StartError> {
        Ok(Self { core: runtime::Runtime::start(config)?, model: OnceLock::new(), kept: Kept::default() })
    }

    /// Describes an agent called `name`, which answers with the runtime's model: give it instructions and tools, then
    /// [`start`](ChatAgentSpec::start) it.
    pub fn agent(&self, name: impl Into<Arc<str>>) -> ChatAgentSpec {
        let Model { gateway, name: model, fallbacks, budget, output_tokens } = self.model();
        let spec = ChatAgentSpec::of(name, gateway.clone(), model.as_str()).budget(budget);
        let spec = match output_tokens {
            Some(tokens) => spec.output_tokens(*tokens),
            None => spec,
        };
        fallbacks.iter().fold(spec, |spec, other| spec.fallback(other.as_str()))
    }

    /// What its agents have spent together, and may. What else the program pays for from the same amount it takes from a budget below:
    /// [`Budget::child`] for a cap, [`Budget::split`] for a part that is set aside.
    pub fn budget(&self) -> &Budget {
        &self.model().budget
    }

    /// The gateway to its model.
    ///
    /// # Errors
    /// [`StartError`] when it could not be started.
    pub fn gateway(&self) -> Result<&Gateway, StartError> {
        self.model().gateway.as_ref().map_err(Clone::clone)
    }

    fn model(&self) -> &Model {
        self.model.get_or_init(|| {
            let free = Some(Price { input: 0, output: 0 });
            let served = ServedModel { price: free, ..ServedModel::new(builtin::NAME, Arc::new(builtin::Extractive)) };
            let gateway = Gateway::start(&self.core, vec![served], Default::default());
            let (name, budget) = (builtin::NAME.to_owned(), Budget::new(BudgetLimits::default()).named(TOTAL));
            Model { gateway, name, fallbacks: Vec::new(), budget, output_tokens: None }
        })
    }

    /// Stops in order: no new agents; each handles what it has and stops. What is not done `within` this time is abandoned and
    /// reported. Dropping the future ends what is left without waiting.
    pub async fn stop(self, within: Duration) -> StopReport {
        let until = Instant::now() + within;
        let report = self.core.stop(within).await;
        self.kept.close_within(left(until)).await;
        report
    }

    /// The same for programs without an async runtime; see [`stop_blocking`](runtime::Runtime::stop_blocking) of the core.
    pub fn stop_blocking(self, within: Duration) -> StopReport {
        let until = Instant::now() + within;
        let report = self.core.stop_blocking(within);
        self.kept.close_blocking(left(until));
        report
    }
}

/// What is left of the time of a stop; a disk has a second all the same.
fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now()).max(Duration::from_secs(1))
}
