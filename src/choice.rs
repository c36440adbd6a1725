//! Which language models do agents, or the crew of a research, ask, and what may they use?

use std::sync::Arc;
use std::time::Duration;

use callboard_actors::gateway::{Budget, BudgetLimits, Gateway, GatewayLimits, ServedModel};
use callboard_actors::ports::ReplyStore;
#[cfg(feature = "store")]
use callboard_actors::runtime;
use callboard_actors::runtime::Runtime;
use callboard_actors::supervisor::CrewModel;

use crate::error::Result;
#[cfg(feature = "store")]
use crate::store::Replies;

/// A language model for the crew of a research, and what it may use.
#[derive(Debug, Clone)]
pub struct ModelChoice {
    /// The model, its limits and its price.
    pub model: ServedModel,
    /// Models that are asked, in this order, when those before cannot answer.
    pub fallbacks: Vec<ServedModel>,
    /// Where replies are kept, of the models that have no store of their own and whose cache is on. It is closed at the end of the
    /// research.
    #[cfg(feature = "store")]
    pub replies: Option<Replies>,
    /// The gateway in front of them.
    pub gateway: GatewayLimits,
    /// What the research may spend.
    pub budget: BudgetLimits,
    /// How long a request may be, in tokens, roughly; longer evidence is reduced in steps. At least 1; 16,000 by default.
    pub input_tokens: u64,
    /// How long a reply may be, in tokens; a model that thinks first needs more. At least 1; 2,048 by default.
    pub output_tokens: u32,
}

impl ModelChoice {
    /// A model with the default bounds, without another one, and no limit to what it may spend.
    pub fn new(model: ServedModel) -> Self {
        Self {
            model,
            fallbacks: Vec::new(),
            #[cfg(feature = "store")]
            replies: None,
            gateway: GatewayLimits::default(),
            budget: BudgetLimits::default(),
            input_tokens: 16_000,
            output_tokens: 2_048,
        }
    }

    pub(crate) fn start(self, runtime: &Runtime) -> Result<CrewModel> {
        #[cfg(feature = "store")]
        let store = self.replies.map(|replies| Arc::new(replies) as Arc<dyn ReplyStore>);
        #[cfg(not(feature = "store"))]
        let store: Option<Arc<dyn ReplyStore>> = None;
        let Self { model, fallbacks, gateway, budget, input_tokens, output_tokens, .. } = self;
        budget.validate()?;
        let (name, others) = (model.name.clone(), fallbacks.iter().map(|model| model.name.clone()).collect());
        let models = std::iter::once(model).chain(fallbacks);
        let models = models.map(|model| ServedModel { store: model.store.or_else(|| store.clone()), ..model });
        let gateway = Gateway::start(runtime, models.collect(), gateway)?;
        let mut crew = CrewModel::new(gateway, name, Budget::new(budget).named("run"));
        (crew.fallbacks, crew.input_tokens, crew.output_tokens) = (others, input_tokens, output_tokens);
        crew.validate()?;
        Ok(crew)
    }
}

/// Where replies are kept, for whoever waits at the end until all of them are.
#[derive(Default)]
pub(crate) struct Kept {
    #[cfg(feature = "store")]
    replies: Option<Replies>,
}

#[cfg(feature = "store")]
impl Kept {
    pub(crate) fn of(choice: &ModelChoice) -> Self {
        Self { replies: choice.replies.clone() }
    }

    /// Has what waits written, within this time.
    pub(crate) async fn close_within(self, within: Duration) {
        if let Some(replies) = self.replies {
            replies.close_within(within).await;
        }
    }

    /// The same for a thread that may block. Elsewhere its own thread writes what waits all the same.
    pub(crate) fn close_blocking(self, within: Duration) {
        let Some(replies) = self.replies.filter(|_| runtime::may_block().is_ok()) else { return };
        match tokio::runtime::Builder::new_current_thread().enable_time().build() {
            Ok(clock) => clock.block_on(replies.close_within(within)),
            Err(error) => tracing::warn!(%error, "the last replies may not be kept"),
        }
    }
}

/// Nothing is kept.
#[cfg(not(feature = "store"))]
impl Kept {
    pub(crate) fn of(_choice: &ModelChoice) -> Self {
        Self::default()
    }

    pub(crate) async fn close_within(self, _within: Duration) {}

    pub(crate) fn close_blocking(self, _within: Duration) {}
}
