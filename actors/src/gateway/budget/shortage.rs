//! How does a call wait for what others have reserved for a moment?

use super::node::{Amount, Check, Wish};
use super::{Budget, Price, TokenUsage};
use crate::error::ModelError;

/// A call that its budget had not enough left for.
#[derive(Debug, Clone)]
pub(crate) struct Shortage {
    budget: Budget,
    model: String,
    most: TokenUsage,
    price: Option<Price>,
}

impl Shortage {
    /// Of a call of this model, which can use so much.
    pub(in crate::gateway) fn new(budget: &Budget, model: &str, most: TokenUsage, price: Option<Price>) -> Self {
        Self { budget: budget.clone(), model: model.to_owned(), most, price }
    }

    /// Waits while calls that are not over hold what is missing. What is set aside for parts is not waited for: it may stay so for good.
    /// It reserves nothing, so that nobody waits for one who waits.
    ///
    /// # Errors
    /// [`ModelError::BudgetExhausted`] when nothing that is under way can make room.
    pub(crate) async fn is_over(&self) -> Result<(), ModelError> {
        loop {
            // From before the look on: what is settled right after it is not missed.
            let settled = self.budget.settled();
            match self.look() {
                Check::Now => return Ok(()),
                Check::Later => settled.await,
                Check::Never(error) => return Err(error),
            }
        }
    }

    fn look(&self) -> Check {
        let Self { budget, model, most, price } = self;
        let wish = Wish::Call { model, has_price: price.is_some() };
        budget.node.look(Amount::of(*most, *price), wish)
    }
}
