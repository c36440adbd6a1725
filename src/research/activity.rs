//! What does the language model of a research do right now, and what has it cost so far?

use callboard_actors::gateway::{Budget, Gateway, GatewayInfo, Spent};
use callboard_actors::supervisor::CrewModel;

/// The numbers of one model at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelActivity {
    /// Its whole name.
    pub model: String,
    /// Attempts that are being made.
    pub in_flight: usize,
    /// How many may be, now.
    pub limit: usize,
    /// Calls that wait at the gateway.
    pub waiting: usize,
    /// Attempts that were begun.
    pub calls: u64,
    /// Tokens of requests and replies, as the provider counted them.
    pub tokens: u64,
    /// Calls that are over and whose tokens the provider did not tell.
    pub calls_without_usage: u64,
    /// What the calls that are over cost, in US dollars; `None` when their price or their usage is not known.
    pub cost_usd: Option<f64>,
}

/// Where the numbers are.
#[derive(Debug)]
pub(super) struct Meter {
    gateway: Gateway,
    budget: Budget,
    model: String,
    has_price: bool,
}

impl Meter {
    /// Of this model of a crew, whose price is known or not.
    pub(super) fn of(model: &CrewModel, has_price: bool) -> Self {
        let CrewModel { gateway, budget, name, .. } = model;
        Self { gateway: gateway.clone(), budget: budget.clone(), model: name.clone(), has_price }
    }

    /// `None` when the gateway does not answer.
    pub(super) async fn read(&self) -> Option<ModelActivity> {
        let info = self.gateway.info().await.ok()?;
        activity(&self.model, &info, self.budget.spent(), self.has_price)
    }
}

fn activity(name: &str, info: &GatewayInfo, spent: Spent, has_price: bool) -> Option<ModelActivity> {
    let model = info.models.iter().find(|model| model.name == name)?;
    let is_known = has_price && spent.unknown_price == 0 && spent.unknown_usage == 0;
    Some(ModelActivity {
        model: name.to_owned(),
        in_flight: model.in_flight,
        limit: model.limit,
        waiting: info.waiting,
        calls: spent.calls,
        tokens: spent.input_tokens.saturating_add(spent.output_tokens),
        calls_without_usage: spent.unknown_usage,
        cost_usd: is_known.then(|| spent.micros as f64 / 1e6),
    })
}

#[cfg(test)]
mod tests {
    use callboard_actors::gateway::ModelInfo;

    use super::*;

    #[test]
    fn a_cost_is_known_when_price_and_usage_of_all_calls_are() {
        let model = ModelInfo { name: "a/b".to_owned(), in_flight: 3, attempts: 50, limit: 8, ..ModelInfo::default() };
        let info = GatewayInfo { in_flight: 3, peak_in_flight: 4, waiting: 2, models: vec![model] };
        // An open call is not counted yet, which makes nothing unknown.
        let spent =
            Spent { calls: 41, input_tokens: 12_000, output_tokens: 300, micros: 30_000, open: 3, ..Spent::default() };
        let expected = ModelActivity {
            model: "a/b".to_owned(),
            in_flight: 3,
            limit: 8,
            waiting: 2,
            calls: 41,
            tokens: 12_300,
            calls_without_usage: 0,
            cost_usd: Some(0.03),
        };
        assert_eq!(activity("a/b", &info, spent, true), Some(expected));
        let cost = |spent, has_price| activity("a/b", &info, spent, has_price).unwrap().cost_usd;
        assert_eq!(cost(Spent::default(), false), None, "also before the first call");
        assert_eq!(cost(Spent { unknown_price: 1, ..spent }, true), None);
        assert_eq!(cost(Spent { unknown_usage: 1, ..spent }, true), None);
        assert_eq!(activity("a/c", &info, spent, true), None);
    }
}
