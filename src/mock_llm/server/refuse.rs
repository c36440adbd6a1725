//! How is a call refused? Bodies and headers of 429 and of the faults that are statuses.

use std::fmt::Write;
use std::time::Duration;

use crate::mock_llm::api::error::ApiError;
use crate::mock_llm::fault::Fault;
use crate::mock_llm::limits::{Rates, Refusal, written};

/// What a client waits for that came while too many others were in flight. It is about one call's time, not a minute.
const CROWDED: Duration = Duration::from_millis(50);

/// Too many calls in flight.
pub(super) fn crowded(most: u32, headers: &mut String) -> ApiError {
    retry_after(CROWDED, headers);
    let message = format!("Too many concurrent requests: at most {most} may be in flight. Try again shortly.");
    ApiError::server(429, "concurrency", &message).coded("concurrency_limit_exceeded")
}

/// A rate is exhausted.
pub(super) fn limited(refusal: Refusal, rates: &Rates, tokens: u64, headers: &mut String) -> ApiError {
    let of = |state: Option<crate::mock_llm::limits::RateState>| state.map_or(0, |state| state.limit);
    let (kind, message) = match refusal {
        Refusal::Requests(wait) => {
            retry_after(wait, headers);
            let limit = of(rates.requests);
            (
                "requests",
                format!(
                    "Rate limit reached on requests per min (RPM): Limit {limit}. Please try again in {}.",
                    written(wait)
                ),
            )
        }
        Refusal::Tokens(wait) => {
            retry_after(wait, headers);
            let limit = of(rates.tokens);
            (
                "tokens",
                format!(
                    "Rate limit reached on tokens per min (TPM): Limit {limit}, Requested {tokens}. Please try again in {}.",
                    written(wait)
                ),
            )
        }
        Refusal::TooLarge => {
            let limit = of(rates.tokens);
            (
                "tokens",
                format!(
                    "Request too large on tokens per min (TPM): Limit {limit}, Requested {tokens}. It never fits: ask for fewer tokens."
                ),
            )
        }
    };
    ApiError::server(429, kind, &message).coded("rate_limit_exceeded")
}

/// The headers about rates; none without limits.
pub(super) fn rate_headers(rates: &Rates, headers: &mut String) {
    for (name, state) in [("requests", rates.requests), ("tokens", rates.tokens)] {
        if let Some(state) = state {
            // A string takes everything.
            let _ = write!(
                headers,
                "x-ratelimit-limit-{name}: {}\r\nx-ratelimit-remaining-{name}: {}\r\nx-ratelimit-reset-{name}: {}\r\n",
                state.limit,
                state.remaining,
                written(state.reset)
            );
        }
    }
}

/// The error of a fault that is a status.
pub(super) fn status(fault: Fault, headers: &mut String) -> Option<ApiError> {
    let error = match fault {
        Fault::Status500 => {
            ApiError::server(500, "server_error", "The server had an error while processing your request.")
        }
        Fault::Status503 => ApiError::server(503, "service_unavailable", "The service is temporarily unavailable."),
        Fault::Status529 => ApiError::server(529, "overloaded_error", "Overloaded."),
        _ => return None,
    };
    if fault != Fault::Status500 {
        retry_after(Duration::from_secs(1), headers);
    }
    Some(error)
}

/// Whole seconds for those who read the standard, milliseconds for those who know OpenAI's; both rounded up.
fn retry_after(wait: Duration, headers: &mut String) {
    let millis = wait.as_nanos().div_ceil(1_000_000).max(1);
    let _ = write!(headers, "retry-after: {}\r\nretry-after-ms: {millis}\r\n", millis.div_ceil(1000));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_said_in_seconds_and_milliseconds_rounded_up() {
        for (wait, said) in [
            (Duration::from_micros(1), "retry-after: 1\r\nretry-after-ms: 1\r\n"),
            (Duration::from_millis(1000), "retry-after: 1\r\nretry-after-ms: 1000\r\n"),
            (Duration::from_micros(1_000_001), "retry-after: 2\r\nretry-after-ms: 1001\r\n"),
        ] {
            let mut headers = String::new();
            retry_after(wait, &mut headers);
            assert_eq!(headers, said);
        }
    }

    #[test]
    fn crowds_and_rates_are_told_apart() {
        let mut headers = String::new();
        let crowd = crowded(3, &mut headers);
        let rate = limited(Refusal::Requests(Duration::from_secs(9)), &Rates::default(), 1, &mut headers);
        assert_ne!((crowd.kind, crowd.code), (rate.kind, rate.code));
        assert!(headers.starts_with("retry-after: 1\r\nretry-after-ms: 50\r\nretry-after: 9\r\n"), "{headers}");
    }
}
