//! What happens to the models of a crew, as events of its run? Whoever's calls it comes from: a model's breaker, its pauses and
//! its limit are those of everybody who uses it.

use std::sync::Arc;

use super::Crew;
use super::caller::milliseconds;
use crate::event::Event;
use crate::gateway::{Gateway, ModelChange, ModelNews, ModelWatch};

/// Hears of the models of a crew, one watch for each gateway. The default hears nothing.
#[derive(Default)]
pub(in crate::supervisor) struct CrewWatch(Vec<ModelWatch>);

impl Crew {
    /// Listens for what happens to its models, from now on; `wake` is called when there is something new.
    pub(in crate::supervisor) fn watch(&self, wake: impl Fn() + Clone + Send + Sync + 'static) -> CrewWatch {
        let models: Vec<_> = self.models().collect();
        let mut gateways: Vec<&Gateway> = Vec::new();
        for model in &models {
            if !gateways.iter().any(|gateway| gateway.is(&model.gateway)) {
                gateways.push(&model.gateway);
            }
        }
        let watch = |gateway: &Gateway| {
            let here = models.iter().filter(|model| model.gateway.is(gateway));
            let names = here.flat_map(|model| std::iter::once(&model.name).chain(&model.fallbacks));
            gateway.watch(names.map(String::as_str), wake.clone())
        };
        CrewWatch(gateways.into_iter().map(watch).collect())
    }
}

impl CrewWatch {
    /// What is new, in the order in which it happened.
    pub(in crate::supervisor) fn news(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        for watch in &mut self.0 {
            let ModelNews { missed, changes } = watch.news();
            events.extend((missed > 0).then_some(Event::ModelChangesMissed { changes: missed }));
            events.extend(changes.into_iter().map(|(model, change)| told(&model, change)));
        }
        events
    }
}

fn told(model: &Arc<str>, change: ModelChange) -> Event {
    let model = model.to_string();
    match change {
        ModelChange::Breaker { state, open_for } => {
            Event::ModelBreakerChanged { model, breaker: state, open_ms: open_for.map(milliseconds) }
        }
        ModelChange::Paused { pause, refused_model } => {
            Event::ModelPaused { model, refused_model: refused_model.to_string(), pause_ms: milliseconds(pause) }
        }
        ModelChange::Retried { error_code, attempt, wait } => {
            let (error_code, delay_ms) = (error_code.to_owned(), milliseconds(wait));
            Event::ModelCallRetried { model, error_code, attempt, delay_ms }
        }
        ModelChange::Limit { limit, before } => Event::ModelLimitChanged { model, limit, before },
    }
}
