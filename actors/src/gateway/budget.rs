//! How much may a run still spend? Tokens and money, reserved before a call by its upper bound and settled after it.
//!
//! What a call used and nobody knows stays reserved for good. So the budget is never exceeded, as long as a call uses no
//! more than its upper bound; if some do, by what those that are in flight at the time use beyond it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::prices::Price;
use crate::chat::TokenUsage;
use crate::error::ModelError;
use crate::mailbox::with_contained_waker;

/// What a run may spend. `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BudgetLimits {
    /// Tokens of requests and replies together.
    pub tokens: Option<u64>,
    /// Money, in millionths of a US dollar.
    pub micros: Option<u64>,
}

/// What was spent, and what is reserved for calls that are not over.
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
    /// Tokens that are reserved.
    pub reserved_tokens: u64,
    /// Money that is reserved.
    pub reserved_micros: u64,
}

/// The budget of one run. Clones are the same budget.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    limits: BudgetLimits,
    spent: Arc<Mutex<Spent>>,
    /// Wakes who waits for what others reserved.
    settled: Arc<Notify>,
}

/// A reservation: settled with what was used, or kept as spent when it is dropped.
#[derive(Debug)]
pub(super) struct Reservation {
    budget: Budget,
    most: TokenUsage,
    price: Option<Price>,
    is_settled: bool,
}

impl Budget {
    /// Nothing is spent yet.
    pub fn new(limits: BudgetLimits) -> Self {
        Self { limits, spent: Arc::default(), settled: Arc::default() }
    }

    /// Ends when a reservation is settled from now on, whether it is polled before or not.
    pub(crate) fn settled(&self) -> impl Future<Output = ()> + use<> {
        let settled = self.settled.clone().notified_owned();
        async move { with_contained_waker(settled).await }
    }

    /// Whether this is the same budget.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.spent, &other.spent)
    }

    /// What was spent so far.
    pub fn spent(&self) -> Spent {
        *self.lock()
    }

    /// Reserves what a call can use at most.
    pub(super) fn reserve(
        &self,
        model: &str,
        most: TokenUsage,
        price: Option<Price>,
    ) -> Result<Reservation, ModelError> {
        let mut spent = self.lock();
        let exhausted = |what: String| Err(ModelError::BudgetExhausted(what));
        let tokens = most.total();
        if let Some(limit) = self.limits.tokens {
            let left = limit.saturating_sub(spent.tokens).saturating_sub(spent.reserved_tokens);
            if tokens > left {
                let what =
                    format!("the run has {left} of its {limit} tokens left, and a call of {model} may use {tokens}");
                return exhausted(format!("{what}; raise the budget of tokens"));
            }
        }
        let micros = price.map_or(0, |price| price.of(most));
        if let Some(limit) = self.limits.micros {
            if price.is_none() {
                let what = format!("nobody knows what {model} costs, and the run has a budget of money");
                return exhausted(format!("{what}; add its price to the configuration, or drop that budget"));
            }
            let left = limit.saturating_sub(spent.micros).saturating_sub(spent.reserved_micros);
            if micros > left {
                let [left, limit, most] = [left, limit, micros].map(dollars);
                let what = format!("the run has {left} of its {limit} left, and a call of {model} may cost {most}");
                return exhausted(format!("{what}; raise the budget of money"));
            }
        }
        spent.calls += 1;
        spent.open += 1;
        spent.reserved_tokens = spent.reserved_tokens.saturating_add(tokens);
        spent.reserved_micros = spent.reserved_micros.saturating_add(micros);
        drop(spent);
        Ok(Reservation { budget: self.clone(), most, price, is_settled: false })
    }

    fn lock(&self) -> MutexGuard<'_, Spent> {
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reservation {
    /// The call was made and used so much.
    pub(super) fn settle(mut self, usage: Option<TokenUsage>) {
        self.end(Some(usage));
    }

    /// The call was not made, or the provider refused it before it used anything.
    pub(super) fn take_back(mut self) {
        self.end(None);
    }

    fn end(&mut self, made: Option<Option<TokenUsage>>) {
        self.is_settled = true;
        let settled = self.budget.settled.clone();
        // After the lock is free again, on every way out.
        let _wake = Wake(settled);
        let mut spent = self.budget.lock();
        spent.open = spent.open.saturating_sub(1);
        spent.reserved_tokens = spent.reserved_tokens.saturating_sub(self.most.total());
        spent.reserved_micros = spent.reserved_micros.saturating_sub(self.price.map_or(0, |price| price.of(self.most)));
        let Some(usage) = made else { return };
        let (used, counted) = (usage.unwrap_or(self.most), usage.unwrap_or_default());
        spent.input_tokens = spent.input_tokens.saturating_add(counted.input);
        spent.output_tokens = spent.output_tokens.saturating_add(counted.output);
        spent.tokens = spent.tokens.saturating_add(used.total());
        spent.micros = spent.micros.saturating_add(self.price.map_or(0, |price| price.of(used)));
        spent.unknown_usage += u64::from(usage.is_none());
        spent.unknown_price += u64::from(self.price.is_none());
    }
}

/// Wakes who waits when it is dropped.
struct Wake(Arc<Notify>);

impl Drop for Wake {
    fn drop(&mut self) {
        self.0.notify_waiters();
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

fn dollars(micros: u64) -> String {
    format!("${}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST: TokenUsage = TokenUsage { input: 60, output: 40 };

    fn tokens(limit: u64) -> Budget {
        Budget::new(BudgetLimits { tokens: Some(limit), micros: None })
    }

    #[test]
    fn a_call_that_may_exceed_the_budget_is_not_made_and_says_what_to_do() {
        let budget = tokens(150);
        let first = budget.reserve("m", MOST, None).unwrap();
        let refused = budget.reserve("m", MOST, None).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the run has 50 of its 150 tokens left, and a call of m may use 100; raise the budget of tokens"
        );
        first.settle(Some(TokenUsage { input: 20, output: 5 }));
        budget.reserve("m", MOST, None).unwrap().take_back();
        let spent = Spent { calls: 2, tokens: 25, input_tokens: 20, output_tokens: 5, ..Spent::default() };
        assert_eq!(budget.spent(), Spent { unknown_price: 1, ..spent });
    }

    #[test]
    fn unknown_usage_stays_reserved_and_unknown_prices_are_no_zero() {
        let budget = tokens(1_000);
        budget.reserve("m", MOST, None).unwrap().settle(None);
        drop(budget.reserve("m", MOST, None).unwrap());
        let spent = Spent { calls: 2, tokens: 200, unknown_usage: 2, unknown_price: 2, ..Spent::default() };
        assert_eq!(budget.spent(), spent);
        let money = Budget::new(BudgetLimits { tokens: None, micros: Some(1_000_000) });
        let refused = money.reserve("m", MOST, None).unwrap_err().to_string();
        assert!(refused.starts_with("nobody knows what m costs"), "{refused}");
        let price = Price { input: 1_000_000, output: 5_000_000 };
        let refused = money.reserve("m", TokenUsage { input: 500_000, output: 500_000 }, Some(price)).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the run has $1.000000 of its $1.000000 left, and a call of m may cost $3.000000; raise the budget of money"
        );
    }

    proptest! {
        /// Whatever is reserved, settled, taken back or lost, in whatever order: as long as a call uses no more than its
        /// bound, no more is spent than the budget.
        #[test]
        fn no_more_is_spent_than_the_budget(
            steps in proptest::collection::vec((0..5u8, 0..200u64, 0..200u64), 0..100),
            limit in 0..2_000u64,
        ) {
            let price = Price { input: 1_000_000, output: 1_000_000 };
            let budget = Budget::new(BudgetLimits { tokens: Some(limit), micros: Some(limit) });
            let mut open = Vec::new();
            for (step, input, output) in steps {
                let most = TokenUsage { input, output };
                match step {
                    0 | 1 => open.extend(budget.reserve("m", most, Some(price)).ok()),
                    2 => open.pop().into_iter().for_each(|call: Reservation| {
                        let used = TokenUsage { input: call.most.input.min(input), output: call.most.output.min(output) };
                        call.settle(Some(used));
                    }),
                    3 => open.pop().into_iter().for_each(Reservation::take_back),
                    _ => drop(open.pop()),
                }
                let spent = budget.spent();
                prop_assert!(spent.tokens + spent.reserved_tokens <= limit);
                prop_assert!(spent.micros + spent.reserved_micros <= limit);
                prop_assert_eq!(spent.reserved_tokens, open.iter().map(|call| call.most.total()).sum::<u64>());
            }
        }
    }
}
