//! What does a call cost? Prices that the program's configuration knows; one that is unknown is unknown and never 0.

use std::collections::BTreeMap;

use crate::chat::TokenUsage;
use crate::error::StartError;

/// What a million tokens cost, in millionths of a US dollar: at most a million US dollars each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Price {
    /// A million tokens of requests.
    pub input: u64,
    /// A million tokens of replies.
    pub output: u64,
}

/// The highest price that is accepted: a million US dollars. The configuration accepts none above it either.
const HIGHEST: u64 = 1_000_000_000_000;

impl Price {
    /// Checks every rule. A higher price would make the sum of a few calls a number that cannot be told from any other.
    pub(super) fn validate(self) -> Result<(), StartError> {
        match [("price.input", self.input), ("price.output", self.output)].iter().find(|(_, price)| *price > HIGHEST) {
            None => Ok(()),
            Some((what, price)) => {
                let most = "a million US dollars for a million tokens";
                Err(StartError::Invalid(format!("{what} is {price}; it must be at most {HIGHEST}, {most}")))
            }
        }
    }

    /// What so many tokens cost, in millionths of a US dollar, rounded up.
    pub fn of(self, usage: TokenUsage) -> u64 {
        let of = |price: u64, tokens: u64| u128::from(price) * u128::from(tokens);
        let sum = of(self.input, usage.input).saturating_add(of(self.output, usage.output));
        u64::try_from(sum.div_ceil(1_000_000)).unwrap_or(u64::MAX)
    }
}

/// The prices of models, by their whole name such as `openai/NAME`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prices(BTreeMap<String, Price>);

impl Prices {
    /// Of the model with this name; a name that ends with a date (`-2026-01-31`) has the price of the one without.
    pub fn of(&self, model: &str) -> Option<Price> {
        self.0.get(model).or_else(|| self.0.get(undated(model)?)).copied()
    }

    /// Sets the price of a model, over one that is known.
    pub fn set(&mut self, model: impl Into<String>, price: Price) {
        self.0.insert(model.into(), price);
    }
}

fn undated(model: &str) -> Option<&str> {
    let (name, date) = model.split_at_checked(model.len().checked_sub("-2026-01-31".len())?)?;
    let is_date = date.bytes().enumerate().all(|(at, byte)| match at {
        0 | 5 | 8 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    is_date.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_found_with_and_without_a_date_and_rounded_up() {
        let price = Price { input: 150_000, output: 600_000 };
        let mut prices = Prices::default();
        prices.set("openai/small", price);
        assert_eq!(prices.of("openai/small"), Some(price));
        assert_eq!(prices.of("openai/small-2026-01-31"), Some(price));
        for unknown in ["openai/smaller", "openai/small-2026-01-3x", "small", "", "ü-2026-01-31"] {
            assert_eq!(prices.of(unknown), None, "{unknown}");
        }
        assert_eq!(price.of(TokenUsage { input: 1, output: 0 }), 1);
        assert_eq!(price.of(TokenUsage { input: 1_000_000, output: 2_000_000 }), 1_350_000);
    }
}
