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
}

impl ModelChoice {
    /// A model with the default bounds, and no limit to what it may spend.
    pub fn new(model: ServedModel) -> Self {
        Self { model, gateway: GatewayLimits::default(), budget: BudgetLimits::default() }
    }

    pub(super) fn start(self, runtime: &Runtime) -> Result<CrewModel> {
        let name = self.model.name.clone();
        let gateway = Gateway::start(runtime, vec![self.model], self.gateway)?;
        Ok(CrewModel::new(gateway, name, Budget::new(self.budget)))
    }
}
