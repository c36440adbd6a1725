//! May this call be answered now? Limits on calls in flight, on requests and on tokens per minute; pure, time is an
//! argument.

use std::time::Duration;

use serde::Serialize;

/// The limits. The default has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Limits {
    /// Calls that may be in flight at once.
    pub max_in_flight: Option<u32>,
    /// Requests per minute. A bucket holds a whole minute's and fills evenly.
    pub requests_per_minute: Option<u32>,
    /// Tokens per minute. A call counts its prompt and the longest reply it may get, before it is answered.
    pub tokens_per_minute: Option<u32>,
}

impl Limits {
    /// The name of the first that is 0, which would refuse everything.
    pub(super) fn zero(&self) -> Option<&'static str> {
        let named = [
            ("max_in_flight", self.max_in_flight),
            ("requests_per_minute", self.requests_per_minute),
            ("tokens_per_minute", self.tokens_per_minute),
        ];
        named.into_iter().find_map(|(name, limit)| (limit == Some(0)).then_some(name))
    }

    pub(super) fn has_rates(&self) -> bool {
        self.requests_per_minute.is_some() || self.tokens_per_minute.is_some()
    }
}

/// Something that fills evenly and is taken from: the state of one rate limit.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Bucket {
    /// What it holds when it is full: a minute's worth.
    capacity: f64,
    level: f64,
    /// When `level` was right.
    at: Duration,
}

impl Bucket {
    fn full(per_minute: u32) -> Self {
        Self { capacity: per_minute.into(), level: per_minute.into(), at: Duration::ZERO }
    }

    fn fill(&mut self, now: Duration) {
        let gained = now.saturating_sub(self.at).as_secs_f64() * self.capacity / 60.0;
        self.level = (self.level + gained).min(self.capacity);
        self.at = now.max(self.at);
    }

    /// How long until it holds `amount`; nothing when it does. A bucket's capacity is the most that it can hold.
    fn until(&self, amount: f64) -> Duration {
        // Half a millionth of a unit is rounding, not a lack.
        let lacking = amount.min(self.capacity) - self.level - 5e-7;
        Duration::from_secs_f64((lacking * 60.0 / self.capacity).max(0.0))
    }

    fn state(&self) -> RateState {
        RateState {
            limit: self.capacity as u64,
            remaining: (self.level + 5e-7) as u64,
            reset: self.until(self.capacity),
        }
    }
}

/// What the headers `x-ratelimit-*` say about one rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RateState {
    /// Per minute.
    pub(super) limit: u64,
    /// What can be taken at once.
    pub(super) remaining: u64,
    /// How long until it is full again.
    pub(super) reset: Duration,
}

/// Both rates as a call found them, after it was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Rates {
    pub(super) requests: Option<RateState>,
    pub(super) tokens: Option<RateState>,
}

/// Which rate refuses a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Too many requests; after that time one more fits.
    Requests(Duration),
    /// Too many tokens; after that time they fit.
    Tokens(Duration),
    /// More tokens than a minute has: it never fits.
    TooLarge,
}

/// The state of the limits on rates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Buckets {
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
}

impl Buckets {
    /// Full ones. Times are counted from any one moment.
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            requests: limits.requests_per_minute.map(Bucket::full),
            tokens: limits.tokens_per_minute.map(Bucket::full),
        }
    }

    /// These limits from now on. A rate that stays keeps what is left of it; one that changes begins with a full bucket.
    pub(super) fn change(&mut self, limits: &Limits) {
        let new = Self::new(limits);
        let keep = |old: &mut Option<Bucket>, new: Option<Bucket>| {
            let capacity = |bucket: Option<Bucket>| bucket.map(|bucket| bucket.capacity);
            if capacity(*old) != capacity(new) {
                *old = new;
            }
        };
        keep(&mut self.requests, new.requests);
        keep(&mut self.tokens, new.tokens);
    }

    /// Counts a call of so many tokens, or refuses it and counts nothing.
    pub(super) fn admit(&mut self, now: Duration, tokens: u64) -> (Rates, Result<(), Refusal>) {
        let decision = self.decide(now, tokens as f64);
        (self.rates(), decision)
    }

    fn decide(&mut self, now: Duration, tokens: f64) -> Result<(), Refusal> {
        self.requests.iter_mut().chain(&mut self.tokens).for_each(|bucket| bucket.fill(now));
        if let Some(wait) = self.requests.map(|bucket| bucket.until(1.0)).filter(|wait| !wait.is_zero()) {
            return Err(Refusal::Requests(wait));
        }
        if self.tokens.is_some_and(|bucket| tokens > bucket.capacity) {
            return Err(Refusal::TooLarge);
        }
        if let Some(wait) = self.tokens.map(|bucket| bucket.until(tokens)).filter(|wait| !wait.is_zero()) {
            return Err(Refusal::Tokens(wait));
        }
        self.requests.iter_mut().for_each(|bucket| bucket.level -= 1.0);
        self.tokens.iter_mut().for_each(|bucket| bucket.level -= tokens);
        Ok(())
    }

    fn rates(&self) -> Rates {
        let state = |bucket: &Option<Bucket>| bucket.as_ref().map(Bucket::state);
        Rates { requests: state(&self.requests), tokens: state(&self.tokens) }
    }
}

/// A time as OpenAI writes it in `x-ratelimit-reset-*`: `120ms`, `1s`, `7.66s`, `6m0s`, `1h0m0s`. Rounded up to a
/// millisecond.
pub(super) fn written(time: Duration) -> String {
    let millis = time.as_nanos().div_ceil(1_000_000);
    if millis < 1000 {
        return format!("{millis}ms");
    }
    let (hours, minutes, millis) = (millis / 3_600_000, millis / 60_000 % 60, millis % 60_000);
    let seconds = format!("{}.{:03}", millis / 1000, millis % 1000);
    let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn buckets(requests: Option<u32>, tokens: Option<u32>) -> Buckets {
        Buckets::new(&Limits { requests_per_minute: requests, tokens_per_minute: tokens, max_in_flight: None })
    }

    #[test]
    fn times_are_written_as_openai_writes_them() {
        for (millis, text) in [
            (0, "0ms"),
            (17, "17ms"),
            (1000, "1s"),
            (7660, "7.66s"),
            (59_999, "59.999s"),
            (60_000, "1m0s"),
            (360_000, "6m0s"),
            (3_600_000, "1h0m0s"),
            (5_430_500, "1h30m30.5s"),
        ] {
            assert_eq!(written(Duration::from_millis(millis)), text);
        }
        assert_eq!(written(Duration::from_nanos(1)), "1ms");
    }

    #[test]
    fn a_minute_has_as_many_requests_as_its_limit() {
        let mut buckets = buckets(Some(60), None);
        for left in (0..60).rev() {
            let (rates, decision) = buckets.admit(SECOND, 1_000_000);
            assert_eq!((decision, rates.requests.unwrap().remaining), (Ok(()), left));
        }
        let (rates, refused) = buckets.admit(SECOND, 1);
        assert!(matches!(refused, Err(Refusal::Requests(wait)) if (wait.as_secs_f64() - 1.0).abs() < 1e-3));
        assert_eq!((rates.requests.unwrap().limit, rates.tokens), (60, None));
        assert_eq!(rates.requests.unwrap().reset.as_secs(), 59);
        assert_eq!(buckets.admit(2 * SECOND, 1).1, Ok(()), "a second later there is room for one");
        assert!(buckets.admit(2 * SECOND, 1).1.is_err());
    }

    #[test]
    fn a_refused_call_is_not_counted() {
        let mut buckets = buckets(Some(2), Some(100));
        assert_eq!(buckets.admit(SECOND, 101).1, Err(Refusal::TooLarge));
        assert_eq!(buckets.admit(SECOND, 80).1, Ok(()));
        let (rates, refused) = buckets.admit(SECOND, 80);
        assert!(
            matches!(refused, Err(Refusal::Tokens(wait)) if (wait.as_secs_f64() - 36.0).abs() < 1e-3),
            "{refused:?}"
        );
        assert_eq!((rates.requests.unwrap().remaining, rates.tokens.unwrap().remaining), (1, 20));
        assert_eq!(buckets.admit(SECOND, 20).1, Ok(()));
    }

    #[test]
    fn waiting_as_long_as_was_said_is_enough() {
        let mut buckets = buckets(Some(7), Some(1234));
        let mut now = Duration::ZERO;
        let mut admitted = 0;
        for call in 0..200 {
            match buckets.admit(now, 100 + call % 300).1 {
                Ok(()) => admitted += 1,
                Err(Refusal::Requests(wait) | Refusal::Tokens(wait)) => {
                    now += wait;
                    let again = buckets.admit(now, 100 + call % 300).1;
                    match again {
                        Ok(()) => admitted += 1,
                        // The other rate may be the next to refuse; its time is enough then.
                        Err(Refusal::Tokens(wait)) => {
                            now += wait;
                            assert_eq!(buckets.admit(now, 100 + call % 300).1, Ok(()));
                            admitted += 1;
                        }
                        other => panic!("{other:?}"),
                    }
                }
                Err(Refusal::TooLarge) => unreachable!("no call is that large"),
            }
        }
        assert_eq!(admitted, 200);
    }

    #[test]
    fn a_rate_that_changes_begins_full_and_another_keeps_what_is_left() {
        let mut buckets = buckets(Some(2), Some(100));
        assert_eq!(buckets.admit(SECOND, 60).1, Ok(()));
        let limits =
            |requests, tokens| Limits { requests_per_minute: requests, tokens_per_minute: tokens, max_in_flight: None };
        buckets.change(&limits(Some(5), Some(100)));
        let (rates, decision) = buckets.admit(SECOND, 40);
        assert_eq!((decision, rates.requests.unwrap().remaining, rates.tokens.unwrap().remaining), (Ok(()), 4, 0));
        buckets.change(&limits(None, None));
        assert_eq!(buckets.admit(SECOND, 1_000), (Rates::default(), Ok(())));
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let mut buckets = buckets(Some(1), None);
        assert_eq!(buckets.admit(60 * SECOND, 1).1, Ok(()));
        assert!(buckets.admit(SECOND, 1).1.is_err());
        assert!(buckets.admit(61 * SECOND, 1).1.is_err());
    }
}
