//! What becomes of what a call reserved? It is settled with what was used, taken back, or spent when it is dropped.

use super::node::Amount;
use super::{Budget, Spent};
use crate::chat::TokenUsage;
use crate::gateway::prices::Price;

/// A reservation: settled with what was used, or kept as spent when it is dropped.
#[derive(Debug)]
pub(in crate::gateway) struct Reservation {
    budget: Budget,
    pub(super) most: TokenUsage,
    price: Option<Price>,
    is_settled: bool,
}

impl Reservation {
    /// It was taken from this budget before.
    pub(super) fn new(budget: Budget, most: TokenUsage, price: Option<Price>) -> Self {
        Self { budget, most, price, is_settled: false }
    }

    /// The call was made and used so much.
    pub(in crate::gateway) fn settle(mut self, usage: Option<TokenUsage>) {
        self.end(Some(usage));
    }

    /// The call was not made, or the provider refused it before it used anything.
    pub(in crate::gateway) fn take_back(mut self) {
        self.end(None);
    }

    fn end(&mut self, made: Option<Option<TokenUsage>>) {
        self.is_settled = true;
        let price = self.price;
        let cost = |usage| price.map_or(0, |price| price.of(usage));
        let most = self.most;
        let taken = Amount::of(most, price);
        self.budget.node.release(taken, |spent: &mut Spent| {
            spent.open = spent.open.saturating_sub(1);
            let Some(usage) = made else { return };
            let (used, counted) = (usage.unwrap_or(most), usage.unwrap_or_default());
            spent.input_tokens = spent.input_tokens.saturating_add(counted.input);
            spent.output_tokens = spent.output_tokens.saturating_add(counted.output);
            spent.tokens = spent.tokens.saturating_add(used.total());
            spent.micros = spent.micros.saturating_add(cost(used));
            spent.unknown_usage += u64::from(usage.is_none());
            spent.unknown_price += u64::from(price.is_none());
        });
    }
}

impl Drop for Reservation {
    /// Nobody knows what became of the call: what it can have used counts as spent.
    fn drop(&mut self) {
        if !self.is_settled {
            self.end(Some(None));
        }
    }
}
