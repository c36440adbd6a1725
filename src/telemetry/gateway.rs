//! What are the model calls of a program like? What its gateway counts, in all and of each model.

use std::time::Duration;

use callboard_actors::error::ModelError;
use callboard_actors::gateway::{BreakerState, Budget, Gateway, GatewayInfo, ModelInfo};
use metrics::{Label, counter, gauge};

use super::with;

/// Publishes the metrics of one gateway.
#[derive(Debug, Clone)]
pub struct GatewayMetrics {
    gateway: Gateway,
    labels: Vec<Label>,
    budgets: Vec<(String, Budget)>,
}

impl GatewayMetrics {
    /// Of this gateway, which ends with its runtime and not with the last who knows it.
    pub fn new(gateway: Gateway) -> Self {
        Self { gateway, labels: Vec::new(), budgets: Vec::new() }
    }

    /// The same, with the label `gateway` on every metric.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.labels = vec![Label::new("gateway", name.into())];
        self
    }

    /// The same, with what is spent and reserved of this budget, whose label `budget` is this name. A recorder keeps each name that it
    /// has seen: give one to budgets that last, such as that of all runs, and not to those of single runs.
    #[must_use]
    pub fn budget(mut self, name: impl Into<String>, budget: &Budget) -> Self {
        self.budgets.push((name.into(), budget.clone()));
        self
    }

    /// Publishes what everything is like right now: one question to the gateway, and a few metrics for each model. Dropping
    /// the future before its end publishes nothing.
    ///
    /// # Errors
    /// [`ModelError`] when the gateway does not answer; [`ModelError::Stopped`] when its runtime has stopped.
    pub async fn publish(&self) -> Result<(), ModelError> {
        let GatewayInfo { in_flight, peak_in_flight, waiting, models } = self.gateway.info().await?;
        let set = |metric: &'static str, value: usize| gauge!(metric, self.labels.clone()).set(value as f64);
        set("callboard_gateway_in_flight", in_flight);
        set("callboard_gateway_peak_in_flight", peak_in_flight);
        set("callboard_gateway_waiting", waiting);
        models.iter().for_each(|model| publish_model(&self.labels, model));
        self.budgets.iter().for_each(|(name, budget)| publish_budget(&with(&self.labels, "budget", name), budget));
        Ok(())
    }

    /// [Publishes](Self::publish) now and every `period` (at least a millisecond) until the gateway has stopped. A moment at
    /// which it does not answer is left out. Dropping the future ends it, too.
    ///
    /// # Panics
    /// Panics outside a tokio runtime with timers.
    pub async fn publish_every(self, period: Duration) {
        let mut ticks = tokio::time::interval(period.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            match self.publish().await {
                Err(ModelError::Stopped) => return,
                Err(error) => tracing::debug!(%error, "the gateway's metrics were not published"),
                Ok(()) => {}
            }
        }
    }
}

fn publish_model(labels: &[Label], info: &ModelInfo) {
    let labels = with(labels, "model", &info.name);
    let set = |metric: &'static str, value: f64| gauge!(metric, labels.clone()).set(value);
    set("callboard_model_in_flight", info.in_flight as f64);
    set("callboard_model_limit", info.limit as f64);
    set("callboard_model_breaker", number_of(info.breaker));
    set("callboard_model_paused_seconds", info.paused_for.as_secs_f64());
    let count = |metric: &'static str, value: u64| counter!(metric, labels.clone()).absolute(value);
    count("callboard_model_attempts_total", info.attempts);
    count("callboard_model_retries_total", info.retries);
    count("callboard_model_retries_refused_total", info.retries_refused);
    count("callboard_model_failed_total", info.failed);
    count("callboard_model_refused_total", info.refused);
    count("callboard_model_pauses_total", info.pauses);
    count("callboard_model_fell_back_total", info.fell_back);
    count("callboard_model_cached_total", info.cached);
    count("callboard_model_shared_total", info.shared);
    count("callboard_model_breaker_opened_total", info.breaker_opened);
    count("callboard_model_limited_by_rate_total", info.limited_by_rate);
    count("callboard_model_limited_by_places_total", info.limited_by_places);
    count("callboard_model_out_of_budget_total", info.out_of_budget);
    count("callboard_model_input_tokens_total", info.input_tokens);
    count("callboard_model_output_tokens_total", info.output_tokens);
    count("callboard_model_without_usage_total", info.without_usage);
    info.micros.into_iter().for_each(|micros| count("callboard_model_cost_microdollars_total", micros));
    count("callboard_model_queue_seconds_total", info.queue.as_secs());
    count("callboard_model_provider_seconds_total", info.provider.as_secs());
}

fn publish_budget(labels: &[Label], budget: &Budget) {
    let (limits, spent) = (budget.limits(), budget.spent());
    let set = |metric: &'static str, value: f64| gauge!(metric, labels.to_vec()).set(value);
    counter!("callboard_budget_calls_total", labels.to_vec()).absolute(spent.calls);
    set("callboard_budget_spent_tokens", spent.tokens as f64);
    set("callboard_budget_reserved_tokens", spent.reserved_tokens as f64);
    limits.tokens.into_iter().for_each(|tokens| set("callboard_budget_limit_tokens", tokens as f64));
    set("callboard_budget_spent_microdollars", spent.micros as f64);
    set("callboard_budget_reserved_microdollars", spent.reserved_micros as f64);
    limits.micros.into_iter().for_each(|micros| set("callboard_budget_limit_microdollars", micros as f64));
}

/// The worse, the higher: an alarm on more than 0 rings for both.
fn number_of(breaker: BreakerState) -> f64 {
    match breaker {
        BreakerState::Closed => 0.0,
        BreakerState::HalfOpen => 1.0,
        BreakerState::Open => 2.0,
    }
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;

    #[test]
    fn time_is_in_seconds_and_the_rest_of_a_second_is_not_lost() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let millis = Duration::from_millis;
        for (queue, provider, expected) in [(1_900, 61_200, [1, 61]), (2_100, 61_300, [2, 61])] {
            let paused_for = millis(1_500);
            let info =
                ModelInfo { paused_for, queue: millis(queue), provider: millis(provider), ..ModelInfo::default() };
            metrics::with_local_recorder(&recorder, || publish_model(&[], &info));
            let page = recorder.handle().render();
            let [queue, provider] = expected;
            for line in [
                format!("callboard_model_queue_seconds_total{{model=\"\"}} {queue}"),
                format!("callboard_model_provider_seconds_total{{model=\"\"}} {provider}"),
                "callboard_model_paused_seconds{model=\"\"} 1.5".to_owned(),
            ] {
                assert!(page.lines().any(|found| found == line), "no line `{line}` in\n{page}");
            }
        }
    }

    #[test]
    fn an_open_breaker_is_the_highest_number() {
        let states = [BreakerState::Closed, BreakerState::HalfOpen, BreakerState::Open];
        assert_eq!(states.map(number_of), [0.0, 1.0, 2.0]);
    }
}
