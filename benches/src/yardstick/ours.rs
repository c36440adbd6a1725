//! How does a program make the same call through Callboard? A gateway in front of the provider for OpenAI.

use std::sync::Arc;
use std::time::Duration;

use callboard::actors::chat::{ChatRequest, Turn};
use callboard::actors::gateway::{Gateway, GatewayLimits, ModelLimits, ServedModel};
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

impl Side for Ours {
    const NAME: &'static str = "Callboard";

    fn open(base_url: &str, in_flight: usize) -> Self {
        let runtime = Runtime::start(RuntimeConfig::default()).expect("the runtime starts");
        let model = OpenAi::new("mock", Some(KEY.into()), Some(base_url)).expect("the address is one");
        let mut model = ServedModel::new("openai/mock", Arc::new(model));
        model.limits = ModelLimits { max_in_flight: Some(in_flight), ..ModelLimits::default() };
        let day = Duration::from_hours(24);
        let mut limits = GatewayLimits { max_in_flight: in_flight, max_waiting: WAITING, ..GatewayLimits::default() };
        limits.deadline = day;
        limits.timeouts.total = day;
        let gateway = Gateway::start(&runtime, vec![model], limits).expect("the gateway starts");
        Self { gateway, _runtime: Arc::new(runtime) }
    }

    async fn call(&self) -> Answered {
        let request = ChatRequest::new(vec![Turn::system(SYSTEM), Turn::user(QUESTION)], MOST);
        let completed = self.gateway.call("openai/mock", request).send().await.expect("the mock answers");
        let (reply, times) = (completed.reply, completed.times);
        assert_eq!(times.attempts, 1, "nothing is made again here");
        let tokens = reply.usage.map_or(0, callboard::actors::chat::TokenUsage::total);
        Answered { bytes: reply.text.len(), tokens, overhead: Some(times.overhead) }
    }
}
