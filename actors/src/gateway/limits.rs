//! What may be configured of a gateway, and which values make sense?

use std::time::Duration;

use super::breaker::BreakerPolicy;
use super::retry::RetryPolicy;
use super::retry_budget::RetryBudgetPolicy;
use crate::error::StartError;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// So many calls of a model without a limit of its own are in flight at first.
pub const FIRST_IN_FLIGHT: usize = 8;

/// The bounds of one model behind a gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelLimits {
    /// At most this many of its calls are in flight: 1 to 100,000. `None`, the default, begins with [`FIRST_IN_FLIGHT`] and
    /// goes up to the limit of all models together. Below either, the gateway finds by itself how many its provider holds.
    pub max_in_flight: Option<usize>,
    /// So many of its calls start in a minute, as a bucket that is full at first: 1 or more. The default is no limit.
    pub requests_per_minute: Option<u64>,
    /// So many of its tokens are used in a minute, likewise, those of requests and replies together: 1 or more. The
    /// default is no limit.
    pub tokens_per_minute: Option<u64>,
}

/// How long a call waits for what. Each is above zero and at most 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection. The default is 10 seconds.
    pub connect: Duration,
    /// From the begin of an attempt until the first token of a streamed reply. The default is 60 seconds.
    pub first_token: Duration,
    /// Between two pieces of a reply. The default is 30 seconds.
    pub between_tokens: Duration,
    /// For one attempt as a whole. The default is 5 minutes.
    pub total: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let [connect, first_token, between_tokens, total] = [10, 60, 30, 300].map(Duration::from_secs);
        Self { connect, first_token, between_tokens, total }
    }
}

/// The bounds of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayLimits {
    /// At most this many calls are in flight, of all models together: 1 to 100,000. The default is 64.
    pub max_in_flight: usize,
    /// At most this many calls wait for a place, and as many for the answer to an identical one: up to 1,000,000. The default is 1,024.
    pub max_waiting: usize,
    /// How long a call may take, waiting and retries included. The default is 10 minutes.
    pub deadline: Duration,
    /// How long each attempt waits for what.
    pub timeouts: Timeouts,
    /// How often a call is made again that failed, and when.
    pub retry: RetryPolicy,
    /// How many calls of each model are made again at most, beside those that are made.
    pub retry_budget: RetryBudgetPolicy,
    /// When a model that fails is not called for a while.
    pub breaker: BreakerPolicy,
}

impl Default for GatewayLimits {
    fn default() -> Self {
        Self {
            max_in_flight: 64,
            max_waiting: 1024,
            deadline: Duration::from_secs(600),
            timeouts: Timeouts::default(),
            retry: RetryPolicy::default(),
            retry_budget: RetryBudgetPolicy::default(),
            breaker: BreakerPolicy::default(),
        }
    }
}

fn invalid<T>(message: String) -> Result<T, StartError> {
    Err(StartError::Invalid(message))
}

fn is_a_place_count(name: &str, count: usize) -> Result<(), StartError> {
    match (1..=100_000).contains(&count) {
        true => Ok(()),
        false => invalid(format!("{name} is {count}; it must be between 1 and 100000")),
    }
}

fn is_a_time(name: &str, time: Duration) -> Result<(), StartError> {
    match time.is_zero() || time > DAY {
        true => invalid(format!("{name} is {time:?}; it must be above zero and at most 24 hours")),
        false => Ok(()),
    }
}

impl ModelLimits {
    /// Checks every rule.
    ///
    /// # Errors
    /// [`StartError::Invalid`] names the value and its range.
    pub fn validate(&self) -> Result<(), StartError> {
        self.max_in_flight.map_or(Ok(()), |places| is_a_place_count("max_in_flight", places))?;
        let rates = [("requests_per_minute", self.requests_per_minute), ("tokens_per_minute", self.tokens_per_minute)];
        for (name, rate) in rates {
            if rate == Some(0) {
                return invalid(format!("{name} is 0; it must be at least 1, or left out for no limit"));
            }
        }
        Ok(())
    }
}

impl GatewayLimits {
    /// Checks every rule.
    ///
    /// # Errors
    /// [`StartError::Invalid`] names the value and its range.
    pub fn validate(&self) -> Result<(), StartError> {
        is_a_place_count("max_in_flight", self.max_in_flight)?;
        if self.max_waiting > 1_000_000 {
            return invalid(format!("max_waiting is {}; it must be at most 1000000", self.max_waiting));
        }
        let Timeouts { connect, first_token, between_tokens, total } = self.timeouts;
        is_a_time("deadline", self.deadline)?;
        is_a_time("timeouts.connect", connect)?;
        is_a_time("timeouts.first_token", first_token)?;
        is_a_time("timeouts.between_tokens", between_tokens)?;
        is_a_time("timeouts.total", total)?;
        is_a_time("retry.longest", self.retry.longest)?;
        if !(1..=100).contains(&self.retry.attempts) {
            return invalid(format!("retry.attempts is {}; it must be between 1 and 100", self.retry.attempts));
        }
        if self.retry.first > self.retry.longest {
            let (first, longest) = (self.retry.first, self.retry.longest);
            return invalid(format!("retry.first is {first:?}; it must be at most retry.longest, {longest:?}"));
        }
        self.retry_budget.validate()?;
        self.breaker.validate()
    }

    /// Whether a gateway that was started with the `largest` has room for these.
    pub(super) fn is_within(&self, largest: &Self) -> Result<(), StartError> {
        let sized = [
            ("max_in_flight", self.max_in_flight, largest.max_in_flight),
            ("max_waiting", self.max_waiting, largest.max_waiting),
        ];
        for (name, wanted, most) in sized {
            if wanted > most {
                return invalid(format!("{name} is {wanted}; this gateway was started for at most {most}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_out_of_range_is_named() {
        let gateway = GatewayLimits::default;
        let time = |timeouts| GatewayLimits { timeouts, ..gateway() };
        let retry = |retry| GatewayLimits { retry, ..gateway() };
        let wrong = [
            ("max_in_flight", GatewayLimits { max_in_flight: 0, ..gateway() }),
            ("max_in_flight", GatewayLimits { max_in_flight: 100_001, ..gateway() }),
            ("max_waiting", GatewayLimits { max_waiting: 1_000_001, ..gateway() }),
            ("deadline", GatewayLimits { deadline: Duration::ZERO, ..gateway() }),
            ("timeouts.connect", time(Timeouts { connect: Duration::MAX, ..Timeouts::default() })),
            ("timeouts.first_token", time(Timeouts { first_token: Duration::ZERO, ..Timeouts::default() })),
            ("timeouts.between_tokens", time(Timeouts { between_tokens: Duration::MAX, ..Timeouts::default() })),
            ("timeouts.total", time(Timeouts { total: Duration::ZERO, ..Timeouts::default() })),
            ("retry.attempts", retry(RetryPolicy { attempts: 0, ..RetryPolicy::default() })),
            ("retry.first", retry(RetryPolicy { first: DAY, ..RetryPolicy::default() })),
            ("retry.longest", retry(RetryPolicy { longest: Duration::MAX, ..RetryPolicy::default() })),
        ];
        for (name, limits) in wrong {
            let message = limits.validate().unwrap_err().to_string();
            assert!(message.contains(&format!("{name} is ")), "{name}: {message}");
        }
        assert_eq!(gateway().validate(), Ok(()));
        let model = ModelLimits::default;
        let wrong = [
            ("max_in_flight is 0", ModelLimits { max_in_flight: Some(0), ..model() }),
            ("max_in_flight is 100001", ModelLimits { max_in_flight: Some(100_001), ..model() }),
            ("requests_per_minute is 0", ModelLimits { requests_per_minute: Some(0), ..model() }),
            ("tokens_per_minute is 0", ModelLimits { tokens_per_minute: Some(0), ..model() }),
        ];
        for (expected, limits) in wrong {
            let message = limits.validate().unwrap_err().to_string();
            assert!(message.contains(expected), "{expected}: {message}");
        }
        let largest =
            ModelLimits { max_in_flight: Some(100_000), requests_per_minute: Some(1), tokens_per_minute: Some(1) };
        assert_eq!((model().validate(), largest.validate()), (Ok(()), Ok(())));
    }
}
