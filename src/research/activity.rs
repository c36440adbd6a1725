//! What do the language models of a research do right now, and what have they cost so far?

use callboard_actors::gateway::{Budget, Gateway, GatewayInfo, ModelInfo, Spent};
use callboard_actors::supervisor::CrewModel;

/// The numbers of a run's models at one moment: those of the models that are called now, and those of all calls so far.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelActivity {
    /// The whole name of the model that is called now; of several, the first one and how many more: `openai/x and 1 more`. The first of
    /// the list when none is called.
    pub model: String,
    /// Attempts that are being made, of these models.
    pub in_flight: usize,
    /// How many of these models' may be, now: no more than the gateway allows all models together.
    pub limit: usize,
    /// Calls that wait at the gateway, for whichever model.
    pub waiting: usize,
    /// Attempts that were begun, of all models.
    pub calls: u64,
    /// Tokens of requests and replies of all models, as the providers counted them.
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
    /// In the order in which they are asked.
    models: Vec<String>,
}

impl Meter {
    /// Of this model of a crew and those that are asked after it.
    pub(super) fn of(model: &CrewModel) -> Self {
        let CrewModel { gateway, budget, name, fallbacks, .. } = model;
        let models = std::iter::once(name).chain(fallbacks).cloned().collect();
        Self { gateway: gateway.clone(), budget: budget.clone(), models }
    }

    /// `None` when the gateway does not answer.
    pub(super) async fn read(&self) -> Option<ModelActivity> {
        let info = self.gateway.info().await.ok()?;
        let most = self.gateway.limits().max_in_flight;
        activity(&self.models, (&info, most), self.budget.spent())
    }
}

/// `most` attempts of all models may be made at a time.
fn activity(names: &[String], (info, most): (&GatewayInfo, usize), spent: Spent) -> Option<ModelActivity> {
    let models: Vec<&ModelInfo> =
        names.iter().filter_map(|name| info.models.iter().find(|model| model.name == *name)).collect();
    let first = models.first()?;
    let those = |is_one: fn(&ModelInfo) -> bool| -> Vec<&ModelInfo> {
        let found: Vec<_> = models.iter().copied().filter(|model| is_one(model)).collect();
        if found.is_empty() { vec![first] } else { found }
    };
    let (now, ever) = (those(|model| model.in_flight > 0), those(|model| model.attempts > 0));
    // What is under way is not among what was spent: the price of its model is.
    let has_price = ever.iter().all(|model| model.micros.is_some());
    let is_known = has_price && spent.unknown_price == 0 && spent.unknown_usage == 0;
    Some(ModelActivity {
        model: match now.len() - 1 {
            0 => now[0].name.clone(),
            more => format!("{} and {more} more", now[0].name),
        },
        in_flight: now.iter().map(|model| model.in_flight).sum(),
        // Together no more may be than of all models of the gateway.
        limit: now.iter().map(|model| model.limit).sum::<usize>().min(most),
        waiting: info.waiting,
        calls: spent.calls,
        tokens: spent.input_tokens.saturating_add(spent.output_tokens),
        calls_without_usage: spent.unknown_usage,
        cost_usd: is_known.then(|| spent.micros as f64 / 1e6),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn model(name: &str, in_flight: usize, limit: usize, attempts: u64) -> ModelInfo {
        ModelInfo { name: name.to_owned(), in_flight, attempts, limit, micros: Some(0), ..ModelInfo::default() }
    }

    #[test]
    fn the_model_that_is_called_now_is_told_of() {
        let list = names(&["a/b", "c/d", "e/f"]);
        let told = |in_flight: [usize; 3]| {
            let [a, c, e] = in_flight;
            // In the gateway's order, which is another one.
            let models = vec![model("e/f", e, 2, 1), model("a/b", a, 8, 1), model("c/d", c, 4, 1)];
            let info = GatewayInfo { in_flight: a + c + e, peak_in_flight: 9, waiting: 5, models };
            let told = activity(&list, (&info, 13), Spent { calls: 7, ..Spent::default() }).unwrap();
            assert_eq!((told.waiting, told.calls), (5, 7), "these are of all");
            (told.model, told.in_flight, told.limit)
        };
        assert_eq!(told([3, 0, 0]), ("a/b".to_owned(), 3, 8));
        assert_eq!(told([0, 2, 0]), ("c/d".to_owned(), 2, 4), "the first is not called any more");
        assert_eq!(told([1, 2, 0]), ("a/b and 1 more".to_owned(), 3, 12));
        assert_eq!(told([1, 2, 1]), ("a/b and 2 more".to_owned(), 4, 13), "of 14 in all 13 at the most");
        assert_eq!(told([0, 0, 0]), ("a/b".to_owned(), 0, 8));
    }

    #[test]
    fn a_cost_needs_the_price_of_the_models_that_were_called() {
        let cost = |attempts: [u64; 2]| {
            let without = ModelInfo { micros: None, ..model("a/b", 0, 8, attempts[0]) };
            let models = vec![without, model("c/d", 0, 8, attempts[1])];
            let info = GatewayInfo { in_flight: 0, peak_in_flight: 1, waiting: 0, models };
            let spent = Spent { micros: 5_000_000, ..Spent::default() };
            activity(&names(&["a/b", "c/d"]), (&info, 8), spent).unwrap().cost_usd
        };
        assert_eq!((cost([0, 0]), cost([1, 1]), cost([0, 1])), (None, None, Some(5.0)));
    }

    #[test]
    fn a_cost_is_known_when_price_and_usage_of_all_calls_are() {
        let (list, known) = (names(&["a/b"]), model("a/b", 3, 8, 50));
        let of = |model| GatewayInfo { in_flight: 3, peak_in_flight: 4, waiting: 2, models: vec![model] };
        let info = of(known.clone());
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
        assert_eq!(activity(&list, (&info, 64), spent), Some(expected));
        let cost = |info, spent| activity(&list, (info, 64), spent).unwrap().cost_usd;
        let unknown = of(ModelInfo { micros: None, attempts: 0, ..known });
        assert_eq!(cost(&unknown, Spent::default()), None, "also before the first call");
        assert_eq!(cost(&info, Spent { unknown_price: 1, ..spent }), None);
        assert_eq!(cost(&info, Spent { unknown_usage: 1, ..spent }), None);
        assert_eq!(activity(&names(&["a/c"]), (&info, 64), spent), None);
    }
}
