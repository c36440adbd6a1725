//! What does a program give to a gateway, and what does it get back?

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::budget::Shortage;
use super::call::Progress;
use super::limits::ModelLimits;
use super::prices::Price;
use super::saving::CachePolicy;
use crate::chat::{ChatReply, TokenUsage};
use crate::error::{ModelError, StartError, Waiting};
use crate::ports::{ChatModel, RateKey, ReplyStore};

/// A model behind a gateway.
#[derive(Clone)]
pub struct ServedModel {
    /// Its whole name, such as `openai/NAME`.
    pub name: String,
    /// Who makes its calls.
    pub model: Arc<dyn ChatModel>,
    /// Its bounds.
    pub limits: ModelLimits,
    /// What it costs; `None` when nobody knows.
    pub price: Option<Price>,
    /// Those who have the same one wait together when their provider says that the rate of a key is reached. At first what the
    /// model itself [says](ChatModel::rate_key); `None` waits alone.
    pub rate_key: Option<RateKey>,
    /// What is kept of its replies. The default is nothing.
    pub cache: CachePolicy,
    /// Where replies are kept beyond this process, if anywhere.
    pub store: Option<Arc<dyn ReplyStore>>,
}

impl ServedModel {
    /// A model with the default bounds, whose price nobody knows.
    pub fn new(name: impl Into<String>, model: Arc<dyn ChatModel>) -> Self {
        Self {
            name: name.into(),
            rate_key: model.rate_key(),
            model,
            limits: ModelLimits::default(),
            price: None,
            cache: CachePolicy::default(),
            store: None,
        }
    }

    /// Checks every rule.
    pub(super) fn validate(&self) -> Result<(), StartError> {
        if self.name.trim().is_empty() {
            return Err(StartError::Invalid("a model's name is empty; it looks like openai/NAME".to_owned()));
        }
        let rules = self.limits.validate().and_then(|()| self.cache.validate());
        let rules = rules.and_then(|()| self.price.map_or(Ok(()), Price::validate));
        // There may be several models.
        rules.map_err(|error| match error {
            StartError::Invalid(message) => StartError::Invalid(format!("model {}: {message}", self.name)),
            error => error,
        })
    }
}

impl std::fmt::Debug for ServedModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ServedModel({}, {:?})", self.name, self.limits)
    }
}

/// Where the time of a call went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallTimes {
    /// In line: for a place, for a rate, for the next attempt.
    pub queue: Duration,
    /// At the provider, in all attempts.
    pub provider: Duration,
    /// From the call until the first piece, of a call that is [streamed](super::ChatCall::streamed).
    pub first_token: Option<Duration>,
    /// Everything else: what the gateway itself and the way to it and back took.
    pub overhead: Duration,
    /// How many attempts there were.
    pub attempts: u32,
    /// So many of them failed after they may have used something, and nobody knows what.
    pub without_usage: u32,
    /// What those used that failed, as far as it was told.
    pub failed_usage: TokenUsage,
}

impl From<Progress> for CallTimes {
    fn from(Progress { queued, provider, attempts, without_usage, failed_usage, .. }: Progress) -> Self {
        Self { queue: queued, provider, attempts, without_usage, failed_usage, ..Self::default() }
    }
}

/// A call that was not answered.
#[derive(Debug, Clone)]
pub(crate) struct CallFailed {
    pub(crate) error: ModelError,
    /// What its budget had not enough left for, so that its caller may wait for what others have reserved. In a box: few calls have one.
    pub(crate) short: Option<Box<Shortage>>,
    /// Where the time went; `None` when nobody knows what became of the call, which may have been made.
    pub(crate) times: Option<CallTimes>,
}

impl CallFailed {
    pub(super) fn new(error: ModelError, times: Option<CallTimes>) -> Self {
        Self { error, short: None, times }
    }

    /// Its caller learns it after so long. What ended in line was there until then.
    pub(super) fn seen_after(mut self, total: Duration) -> Self {
        if let (ModelError::Timeout(Waiting::Queue), Some(times)) = (&self.error, &mut self.times) {
            times.queue = total.saturating_sub(times.provider);
        }
        self
    }
}

impl From<ModelError> for CallFailed {
    /// It was not made.
    fn from(error: ModelError) -> Self {
        Self::new(error, Some(CallTimes::default()))
    }
}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Source {
    /// The model: the call was made, and paid for.
    #[default]
    Model,
    /// It was kept from an earlier call. Nothing was sent, and nothing is charged; the usage is that of the earlier call.
    Cache,
    /// An identical call was being made, for somebody else who pays for it. Nothing is charged; the usage is that of that call.
    Shared,
}

/// A call that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completed {
    /// The answer.
    pub reply: ChatReply,
    /// The name of the model that gave it.
    pub model: Arc<str>,
    /// Whether the call was made for it.
    pub source: Source,
    /// Where the time went.
    pub times: CallTimes,
}

impl Completed {
    pub(super) fn new(reply: ChatReply, model: Arc<str>, progress: Progress, first_token: Option<Duration>) -> Self {
        let times = CallTimes { first_token, ..progress.into() };
        Self { reply, model, source: Source::Model, times }
    }

    /// A reply that was kept.
    pub(super) fn kept(reply: ChatReply, model: Arc<str>) -> Self {
        Self { reply, model, source: Source::Cache, times: CallTimes::default() }
    }

    /// The same for who waited for somebody else's call for so long.
    pub(super) fn shared(&self, queue: Duration) -> Self {
        Self { source: Source::Shared, times: CallTimes { queue, ..CallTimes::default() }, ..self.clone() }
    }

    /// Its caller has it after so long.
    pub(super) fn seen_after(mut self, total: Duration) -> Self {
        self.times.overhead = total.saturating_sub(self.times.queue).saturating_sub(self.times.provider);
        self
    }
}
