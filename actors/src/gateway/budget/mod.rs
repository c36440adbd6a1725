//! How much may a run still spend? Tokens and money, reserved before a call by its upper bound and settled after it.
//!
//! What a call used and nobody knows stays reserved for good. So the budget is never exceeded, as long as a call uses no
//! more than its upper bound; if some do, by what those that are in flight at the time use beyond it.
//!
//! Budgets are a tree: in total, of a run, of an agent. What is taken from one is taken from all above it, or from none.

mod node;
mod reservation;
mod shortage;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use self::node::{Amount, Node, Wish};
pub(super) use self::reservation::Reservation;
pub(crate) use self::shortage::Shortage;
use super::prices::Price;
use crate::chat::TokenUsage;
use crate::error::{ModelError, StartError};
use crate::mailbox::with_contained_waker;

/// What a run may spend. `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BudgetLimits {
    /// Tokens of requests and replies together: at least 1 where a runtime or an agent starts with it.
    pub tokens: Option<u64>,
    /// Money, in millionths of a US dollar: as above.
    pub micros: Option<u64>,
}

impl BudgetLimits {
    /// Checks every rule: a limit is at least 1. With 0 nothing could be asked.
    ///
    /// # Errors
    /// [`StartError::Invalid`] names the value.
    pub fn validate(&self) -> Result<(), StartError> {
        let named = [("tokens", self.tokens), ("micros", self.micros)];
        match named.iter().find(|(_, limit)| *limit == Some(0)) {
            None => Ok(()),
            Some((name, _)) => Err(StartError::Invalid(format!("the budget's {name} is 0; it must be at least 1"))),
        }
    }
}

/// What was spent, and what is reserved for calls that are not over. What was spent below a budget is in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spent {
    /// Attempts that were begun.
    pub calls: u64,
    /// Tokens, as the providers count them; the upper bound of calls whose usage is unknown.
    pub tokens: u64,
    /// Tokens of requests that the providers counted.
    pub input_tokens: u64,
    /// Tokens of replies that the providers counted.
    pub output_tokens: u64,
    /// Millionths of a US dollar, of the calls whose price is known.
    pub micros: u64,
    /// Attempts that are not over.
    pub open: u64,
    /// Calls whose usage the provider did not tell.
    pub unknown_usage: u64,
    /// Calls of models whose price is not known: what they cost is not in `micros`.
    pub unknown_price: u64,
    /// Tokens that are reserved for calls, and what is left of those that are set aside for parts.
    pub reserved_tokens: u64,
    /// Money that is reserved for calls, and what is left of that which is set aside for parts.
    pub reserved_micros: u64,
}

/// The budget of one run, or of a part of it. Clones are the same budget.
#[derive(Clone)]
pub struct Budget {
    node: Arc<Node>,
}

impl Default for Budget {
    /// Without limits: it only counts.
    fn default() -> Self {
        Self::new(BudgetLimits::default())
    }
}

impl std::fmt::Debug for Budget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Budget").field("limits", &self.node.limits()).field("spent", &self.spent()).finish()
    }
}

impl Budget {
    /// Nothing is spent yet, and there is none above it.
    pub fn new(limits: BudgetLimits) -> Self {
        Self { node: Arc::new(Node::root(limits)) }
    }

    /// A budget with a cap of its own below this one. Nothing is set aside for it: what it takes it takes from this one
    /// too, and whoever comes first has it.
    pub fn child(&self, limits: BudgetLimits) -> Self {
        Self { node: Arc::new(Node::below(&self.node, limits, false)) }
    }

    /// A part of this budget: so much is set aside for it at once, here and above, and nobody else can use it. A limit that
    /// is `None` sets nothing aside, and the part is a [`child`](Self::child) in that.
    ///
    /// What was not used comes back when the last clone of the part is dropped, together with the last budget below it and
    /// the last call that it pays for; or before, by [`give_back`](Self::give_back).
    ///
    /// # Errors
    /// [`ModelError::BudgetExhausted`] when this budget or one above it has less left; then nothing is set aside.
    pub fn split(&self, limits: BudgetLimits) -> Result<Self, ModelError> {
        let amount = Amount { tokens: limits.tokens.unwrap_or(0), micros: limits.micros.unwrap_or(0) };
        self.node.take(amount, Wish::Part, |_| {})?;
        Ok(Self { node: Arc::new(Node::below(&self.node, limits, true)) })
    }

    /// Gives back what is left of a [part](Self::split). Calls that are not over keep what they reserved, and parts of it
    /// what was set aside for them; what they do not use comes back with their end. Nothing more can be taken from it, not
    /// by clones either. Of a budget that is no part it gives nothing back.
    pub fn give_back(self) {
        self.node.give_back();
    }

    /// What it is called in errors, such as `run` for "the run has 50 of its 150 tokens left"; one without a name is "this budget". Clones
    /// have this name too.
    pub fn named(self, name: impl Into<String>) -> Self {
        self.node.lock().name = Some(name.into());
        self
    }

    /// What may be spent, of this budget alone.
    pub fn limits(&self) -> BudgetLimits {
        self.node.limits()
    }

    /// What was spent so far, here and below.
    pub fn spent(&self) -> Spent {
        self.node.lock().spent
    }

    /// Ends when a reservation anywhere in its tree is settled, or a part comes back, from now on, whether it is polled
    /// before or not. Anywhere: what was missing above can be freed by a budget beside this one.
    pub(crate) fn settled(&self) -> impl Future<Output = ()> + use<> {
        let settled = self.node.freed().clone().notified_owned();
        async move { with_contained_waker(settled).await }
    }

    /// Whether this is the same budget, or lies below it: then what this one has spent is in the other's count.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.node.and_above().any(|node| std::ptr::eq(node, &*other.node))
    }

    /// Reserves what a call can use at most.
    pub(super) fn reserve(
        &self,
        model: &str,
        most: TokenUsage,
        price: Option<Price>,
    ) -> Result<Reservation, ModelError> {
        let amount = Amount::of(most, price);
        let wish = Wish::Call { model, has_price: price.is_some() };
        self.node.take(amount, wish, |spent| {
            spent.calls += 1;
            spent.open += 1;
        })?;
        Ok(Reservation::new(self.clone(), most, price))
    }
}
