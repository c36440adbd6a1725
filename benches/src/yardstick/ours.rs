//! How does a program make the same call through Callboard? A gateway in front of the provider for OpenAI.

use std::sync::Arc;
use std::time::Duration;

use callboard::actors::chat::{ChatRequest, Turn};
use callboard::actors::error::ModelError;
use callboard::actors::gateway::{Completed, Gateway, GatewayLimits, ModelInfo, ModelLimits, ServedModel};
use callboard::prelude::{Runtime, RuntimeConfig};
use callboard::providers::openai::OpenAi;

use super::{Answered, KEY, MOST, QUESTION, SYSTEM, Side};

/// More calls than any measurement lets wait.
const WAITING: usize = 200_000;

/// Callboard.
#[derive(Clone)]
pub struct Ours {
    gateway: Gateway,
    _runtime: Arc<Runtime>,
}

impl Ours {
    /// With so many calls in flight of the model, or as many as its provider is found to hold, and so many in all.
    ///
    /// # Panics
    /// Panics when it does not start.
    pub fn with(base_url: &str, of_model: Option<usize>, in_all: usize) -> Self {
        let runtime = Runtime::start(RuntimeConfig::default()).expect("the runtime starts");
        let model = OpenAi::new("mock", Some(KEY.into()), Some(base_url)).expect("the address is one");
        let mut model = ServedModel::new("openai/mock", Arc::new(model));
        model.limits = ModelLimits { max_in_flight: of_model, ..ModelLimits::default() };
        let day = Duration::from_hours(24);
        let mut limits = GatewayLimits { max_in_flight: in_all, max_waiting: WAITING, ..GatewayLimits::default() };
        limits.deadline = day;
        limits.timeouts.total = day;
        let gateway = Gateway::start(&runtime, vec![model], limits).expect("the gateway starts");
        Self { gateway, _runtime: Arc::new(runtime) }
    }

    /// Makes one call.
    ///
    /// # Errors
    /// Those of the gateway.
    pub async fn try_call(&self) -> Result<Completed, ModelError> {
        let request = ChatRequest::new(vec![Turn::system(SYSTEM), Turn::user(QUESTION)], MOST);
        self.gateway.call("openai/mock", request).send().await
    }

    /// What the gateway knows of its model.
    ///
    /// # Panics
    /// Panics when it does not answer.
    pub async fn info(&self) -> ModelInfo {
        self.gateway.info().await.expect("the gateway answers").models.swap_remove(0)
    }
}

impl Side for Ours {
    const NAME: &'static str = "Callboard";

    fn open(base_url: &str, in_flight: usize) -> Self {
        Self::with(base_url, Some(in_flight), in_flight)
    }

    async fn call(&self) -> Answered {
        let completed = self.try_call().await.expect("the mock answers");
        let (reply, times) = (completed.reply, completed.times);
        assert_eq!(times.attempts, 1, "nothing is made again here");
        let tokens = reply.usage.map_or(0, callboard::actors::chat::TokenUsage::total);
        Answered { bytes: reply.text.len(), tokens, overhead: Some(times.overhead) }
    }
}
