//! What does a gateway know of itself? What it is like at one moment, and what it has counted since it started.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::breaker::BreakerState;
use super::prices::Price;
use super::state::State;
use crate::chat::TokenUsage;

/// What a gateway is like at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayInfo {
    /// Attempts that are being made.
    pub in_flight: usize,
    /// The most that there ever were at a time.
    pub peak_in_flight: usize,
    /// Calls that wait for a place, a rate, their next attempt, or the answer to an identical call.
    pub waiting: usize,
    /// Each model, in the order in which they were given.
    pub models: Vec<ModelInfo>,
}

/// What a gateway knows of one model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelInfo {
    /// Its whole name.
    pub name: String,
    /// Attempts that are being made.
    pub in_flight: usize,
    /// Attempts that were begun.
    pub attempts: u64,
    /// Those of them that were not the first of their call.
    pub retries: u64,
    /// Calls that ended with an error: of an attempt, of their time or budget before one, or of an identical call.
    pub failed: u64,
    /// Those of them that were not made because a budget has not enough left.
    pub out_of_budget: u64,
    /// Calls that were refused without an attempt.
    pub refused: u64,
    /// Attempts that its provider refused for a rate, of the key or of the model.
    pub limited_by_rate: u64,
    /// Attempts that it refused because of how many calls it makes at the same time.
    pub limited_by_places: u64,
    /// How often its provider made its callers wait, for a 429 of its own or of another model with its key.
    pub pauses: u64,
    /// For how long its provider makes them wait from now on; zero when it does not.
    pub paused_for: Duration,
    /// The whole name of the model whose refusal that pause is for: this one, or another one with its key.
    pub paused_by: Option<Arc<str>>,
    /// So many calls may be in flight now: what its provider is found to hold, under what is configured. All models together have no more
    /// than the gateway's [`max_in_flight`](super::GatewayLimits::max_in_flight), whatever the sum of these is.
    pub limit: usize,
    /// Whether it is called at all.
    pub breaker: BreakerState,
    /// How often its breaker has opened, a failed try included.
    pub breaker_opened: u64,
    /// Calls that were not made again because too many were.
    pub retries_refused: u64,
    /// Calls that were made by the next model of their list instead.
    pub fell_back: u64,
    /// Calls that were answered by a kept reply.
    pub cached: u64,
    /// Calls that were answered by an identical one.
    pub shared: u64,
    /// Tokens of requests that its provider counted, of attempts that are over.
    pub input_tokens: u64,
    /// Tokens of replies that it counted.
    pub output_tokens: u64,
    /// Attempts that are over, may have used something, and nobody knows what: they are not in the tokens, nor in the cost.
    pub without_usage: u64,
    /// What those tokens cost, in millionths of a US dollar; `None` when the price is not known.
    pub micros: Option<u64>,
    /// How long calls waited before their attempts: in line, for their next attempt, or for the answer to an identical call before they
    /// took its place. All together; of those that left it is not counted.
    pub queue: Duration,
    /// How long their attempts took that are over, all together.
    pub provider: Duration,
}

impl ModelInfo {
    pub(super) fn of(name: &str, price: Option<Price>) -> Self {
        Self { name: name.to_owned(), micros: price.map(|_| 0), ..Self::default() }
    }

    /// An attempt is over, which had its place for so long. `used` is what it used; `None` when nobody knows.
    pub(super) fn attempt_is_over(&mut self, held: Duration, used: Option<TokenUsage>, price: Option<Price>) {
        self.provider = self.provider.saturating_add(held);
        let Some(used) = used else {
            self.without_usage += 1;
            return;
        };
        self.input_tokens = self.input_tokens.saturating_add(used.input);
        self.output_tokens = self.output_tokens.saturating_add(used.output);
        if let (Some(micros), Some(price)) = (&mut self.micros, price) {
            *micros = micros.saturating_add(price.of(used));
        }
    }
}

impl State {
    pub(super) fn info(&self, now: Instant) -> GatewayInfo {
        let mut models = self.counts.clone();
        for (lane, info) in models.iter_mut().enumerate() {
            info.in_flight = self.admission.in_flight_of(lane);
            if let Some((pause, refused_model)) = self.admission.lane_of(lane).paused(now) {
                (info.paused_for, info.paused_by) = (pause, Some(refused_model.clone()));
            }
            (info.limit, info.breaker) = self.admission.look(lane, now);
        }
        GatewayInfo {
            in_flight: self.admission.in_flight(),
            peak_in_flight: self.peak,
            waiting: self.waiting(),
            models,
        }
    }
}
