//! Which language model does the crew of a research ask, and what may it use?

use callboard_actors::gateway::{Budget, BudgetLimits, Gateway, GatewayLimits, ServedModel};
use callboard_actors::runtime::Runtime;
use callboard_actors::supervisor::CrewModel;

use crate::error::Result;

/// A language model for the crew of a research, and what it may use.
#[derive(Debug, Clone)]
pub struct ModelChoice {
    /// The model, its limits and its price.
    pub model: ServedModel,
    /// The gateway in front of it.
    pub gateway: GatewayLimits,
    /// What the research may spend.
    pub budget: BudgetLimits,
    /// How long a request may be, in tokens, roughly; longer evidence is reduced in steps. 16,000 by default.
    pub input_tokens: u64,
    /// How long a reply may be, in tokens; a model that thinks first needs more. 2,048 by default.
    pub output_tokens: u32,
}

impl ModelChoice {
    /// A model with the default bounds, and no limit to what it may spend.
    pub fn new(model: ServedModel) -> Self {
        let (gateway, budget) = (GatewayLimits::default(), BudgetLimits::default());
        Self { model, gateway, budget, input_tokens: 16_000, output_tokens: 2_048 }
    }

    pub(super) fn start(self, runtime: &Runtime) -> Result<CrewModel> {
        let name = self.model.name.clone();
        let gateway = Gateway::start(runtime, vec![self.model], self.gateway)?;
        let mut model = CrewModel::new(gateway, name, Budget::new(self.budget));
        (model.input_tokens, model.output_tokens) = (self.input_tokens, self.output_tokens);
        Ok(model)
    }
}
