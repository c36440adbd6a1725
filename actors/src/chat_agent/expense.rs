//! At whose expense does an agent work? At that of a budget that it is given, or of a part of it that is its own.

use crate::error::{ModelError, StartError};
use crate::gateway::{Budget, BudgetLimits};

/// What an agent may spend; see [`ChatAgentSpec::budget`](super::ChatAgentSpec::budget).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum AgentBudget {
    /// So much of the budget that it would have otherwise: a part of it, which is set aside when the agent starts.
    Part(BudgetLimits),
    /// This budget in place of the one that it would have otherwise.
    Given(Budget),
}

impl From<BudgetLimits> for AgentBudget {
    fn from(limits: BudgetLimits) -> Self {
        Self::Part(limits)
    }
}

impl From<&Budget> for AgentBudget {
    fn from(budget: &Budget) -> Self {
        Self::Given(budget.clone())
    }
}

impl From<Budget> for AgentBudget {
    fn from(budget: Budget) -> Self {
        Self::Given(budget)
    }
}

/// What was said of an agent's budget.
#[derive(Clone, Default)]
pub(super) struct Expense {
    given: Option<Budget>,
    part: Option<BudgetLimits>,
}

impl Expense {
    /// What is said last holds; a part is one of what was given before.
    pub(super) fn say(&mut self, budget: AgentBudget) {
        match budget {
            AgentBudget::Part(limits) => self.part = Some(limits),
            AgentBudget::Given(budget) => *self = Self { given: Some(budget), part: None },
        }
    }

    /// The budget of the agent of this name that starts now.
    pub(super) fn begin(self, agent: &str) -> Result<Option<Budget>, StartError> {
        let Some(limits) = self.part else { return Ok(self.given) };
        limits.validate()?;
        let part = match &self.given {
            Some(above) => above.split(limits).map_err(|error| match error {
                ModelError::BudgetExhausted(what) => StartError::Budget(what),
                error => StartError::Budget(error.to_string()),
            })?,
            None => Budget::new(limits),
        };
        Ok(Some(part.named(format!("agent {agent}"))))
    }
}
