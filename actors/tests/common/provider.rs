//! A provider that takes its time, holds so many calls, and fails while it is told to.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use callboard_actors::chat::ChatReply;
use callboard_actors::error::{Limited, ModelError};
use callboard_actors::gateway::{Gateway, GatewayLimits, ModelInfo, ModelLimits, ServedModel};
use callboard_actors::ports::{ChatModel, ModelCall};
use callboard_actors::runtime::Runtime;
use futures_util::future::BoxFuture;
use tokio::time::Instant;

use super::model::USED;

/// What a provider is like, and what it has seen.
pub(crate) struct Provider {
    /// How long an answer takes.
    pub(crate) takes: Duration,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    holds: Option<usize>,
    fails: Option<ModelError>,
    now: usize,
    peak: usize,
    refused: usize,
    begun: Vec<(String, Instant)>,
}

/// A call that is held until it is over or left.
struct Held(Arc<Provider>);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.seen.lock().unwrap().now -= 1;
    }
}

/// The provider as a port.
struct Door(Arc<Provider>);

impl ChatModel for Door {
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        let provider = self.0.clone();
        let text = call.request.turns.last().map(|turn| turn.text.clone()).unwrap_or_default();
        let mut seen = provider.seen.lock().unwrap();
        seen.begun.push((text.clone(), Instant::now()));
        if let Some(error) = seen.fails.clone() {
            return Box::pin(async { Err(error) });
        }
        if seen.holds.is_some_and(|holds| seen.now >= holds) {
            seen.refused += 1;
            let error = ModelError::RateLimited {
                limited: Limited::Concurrency,
                retry_after: None,
                message: "one too many".to_owned(),
            };
            return Box::pin(async { Err(error) });
        }
        seen.now += 1;
        seen.peak = seen.peak.max(seen.now);
        drop(seen);
        let held = Held(provider);
        Box::pin(async move {
            tokio::time::sleep(held.0.takes).await;
            Ok(ChatReply { usage: Some(USED), ..ChatReply::text(text) })
        })
    }
}

impl Provider {
    pub(crate) fn new(takes: Duration) -> Arc<Self> {
        Arc::new(Self { takes, seen: Mutex::default() })
    }

    /// From now on it holds so many calls at a time, and refuses one more.
    pub(crate) fn holds(&self, calls: usize) {
        self.seen.lock().unwrap().holds = Some(calls);
    }

    /// From now on every call fails so, or none.
    pub(crate) fn fails(&self, error: impl Into<Option<ModelError>>) {
        self.seen.lock().unwrap().fails = error.into();
    }

    /// How many calls it has seen, those included that it refused.
    pub(crate) fn attempts(&self) -> usize {
        self.seen.lock().unwrap().begun.len()
    }

    pub(crate) fn peak(&self) -> usize {
        self.seen.lock().unwrap().peak
    }

    pub(crate) fn refused(&self) -> usize {
        self.seen.lock().unwrap().refused
    }

    /// What was asked from the nth call on, in this order.
    pub(crate) fn asked(&self, from: usize) -> Vec<String> {
        self.seen.lock().unwrap().begun[from..].iter().map(|(text, _)| text.clone()).collect()
    }

    /// When the nth call and those after it were made, in milliseconds since this time.
    pub(crate) fn begun(&self, from: usize, since: Instant) -> Vec<u128> {
        self.seen.lock().unwrap().begun[from..].iter().map(|(_, at)| (*at - since).as_millis()).collect()
    }

    /// It as a model of a gateway.
    pub(crate) fn served(self: &Arc<Self>, name: &str, limits: ModelLimits) -> ServedModel {
        ServedModel { limits, ..ServedModel::new(name, Arc::new(Door(self.clone()))) }
    }
}

/// So many places and no other bound.
pub(crate) fn places(max_in_flight: usize) -> ModelLimits {
    ModelLimits { max_in_flight: Some(max_in_flight), ..ModelLimits::default() }
}

pub(crate) const ONE: &str = "provider/one";
pub(crate) const TWO: &str = "provider/two";

/// A gateway in front of two providers.
pub(crate) fn two(runtime: &Runtime, one: &Arc<Provider>, two: &Arc<Provider>, limits: GatewayLimits) -> Gateway {
    Gateway::start(runtime, vec![one.served(ONE, places(8)), two.served(TWO, places(8))], limits).unwrap()
}

/// What the gateway knows of its first model.
pub(crate) async fn first(gateway: &Gateway) -> ModelInfo {
    gateway.info().await.unwrap().models.swap_remove(0)
}

pub(crate) fn unavailable() -> ModelError {
    ModelError::Unavailable { status: 503, retry_after: None, message: "down".to_owned() }
}

/// Until this is so; it must not need any time.
pub(crate) async fn soon(gateway: &Gateway, holds: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if holds() {
            return;
        }
        gateway.info().await.unwrap();
    }
    panic!("it does not come to hold");
}
