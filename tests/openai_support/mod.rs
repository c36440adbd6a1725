//! What do the tests of the OpenAI provider share? A real gateway in front of a real socket, and a look at what is left.

#![allow(dead_code, reason = "each test program uses what it needs")]

use std::sync::Arc;
use std::time::Duration;

use callboard::actors::chat::{ChatRequest, Turn};
use callboard::actors::error::ModelError;
use callboard::actors::gateway::{ChunkStream, Completed, Gateway, GatewayLimits, RetryPolicy, ServedModel, Timeouts};
use callboard::mock_llm::{MockConfig, MockLlm, Script};
use callboard::prelude::*;
use callboard::providers::openai::OpenAi;
use callboard::testkit::only_loopback;

pub(crate) const LONG: Duration = Duration::from_secs(20);
pub(crate) const SHORT: Duration = Duration::from_millis(300);

pub(crate) struct Stage {
    pub(crate) runtime: Runtime,
    pub(crate) gateway: Gateway,
    pub(crate) server: MockLlm,
}

/// A gateway in front of a server that follows a script. Each call is made `attempts` times at most.
pub(crate) fn stage(script: &str, attempts: u32) -> Stage {
    stage_with(script, attempts, Timeouts { connect: LONG, first_token: LONG, between_tokens: LONG, total: LONG })
}

pub(crate) fn stage_with(script: &str, attempts: u32, timeouts: Timeouts) -> Stage {
    let script = Some(Script::parse(script).unwrap_or_else(|error| panic!("{error}: {script}")));
    let config = MockConfig { script, slow_byte: Duration::from_millis(50), ..MockConfig::default() };
    let server = MockLlm::start(config).unwrap();
    let (runtime, gateway) = front(&server.base_url(), attempts, timeouts);
    Stage { runtime, gateway, server }
}

pub(crate) fn front(base_url: &str, attempts: u32, timeouts: Timeouts) -> (Runtime, Gateway) {
    only_loopback();
    let runtime = Runtime::start(RuntimeConfig { shards: 1, ..RuntimeConfig::default() }).unwrap();
    let model = OpenAi::new("mock", Some("sk-secret-of-the-test".into()), Some(base_url)).unwrap();
    let first = Duration::from_millis(1);
    let retry = RetryPolicy { attempts, first, ..RetryPolicy::default() };
    let limits = GatewayLimits { deadline: LONG, timeouts, retry, ..GatewayLimits::default() };
    let gateway = Gateway::start(&runtime, vec![ServedModel::new("openai/mock", Arc::new(model))], limits).unwrap();
    (runtime, gateway)
}

pub(crate) fn request() -> ChatRequest {
    ChatRequest::new(vec![Turn::user("Say something.")], 200)
}

pub(crate) async fn read(mut pieces: ChunkStream) {
    while pieces.next().await.is_some() {}
}

pub(crate) async fn call(gateway: &Gateway, is_streamed: bool) -> Result<Completed, ModelError> {
    let call = gateway.call("openai/mock", request());
    if !is_streamed {
        return call.send().await;
    }
    let (call, pieces) = call.streamed();
    let (answer, ()) = tokio::join!(call.send(), read(pieces));
    answer
}

/// Nothing is left of any call at the gateway: no place, nobody in line, no task.
pub(crate) async fn nothing_is_left(runtime: Runtime, gateway: Gateway) {
    let deadline = tokio::time::Instant::now() + LONG;
    loop {
        // A caller has its answer before the gateway has its place.
        let info = gateway.info().await.unwrap();
        if (info.in_flight, info.waiting, info.models[0].in_flight) == (0, 0, 0) {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{info:?}");
    }
    assert!(runtime.stop(LONG).await.is_clean());
}

impl Stage {
    /// Nothing is left of any call, here and at the server.
    pub(crate) async fn ends(self) {
        nothing_is_left(self.runtime, self.gateway).await;
        let deadline = tokio::time::Instant::now() + LONG;
        while self.server.stats().in_flight > 0 || self.server.stats().connections.open > 0 {
            assert!(tokio::time::Instant::now() < deadline, "{:?}", self.server.stats());
            tokio::task::yield_now().await;
        }
    }
}
