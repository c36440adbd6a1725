//! How soon may the next call start of a model whose provider has a rate that nobody has told us? Pure: time is an argument.
//!
//! A 429 about a rate says how long to wait, and not how many may come then: let in together, all but the first would be refused again, and
//! each would have used up an attempt. So calls start one after the other from then on, a quarter of a second apart at first. Each start
//! that no refusal follows makes the next a tenth sooner; after a second refusal the rate grows by a sixth in a second, or with each start
//! if that is longer. A further refusal makes it seven tenths of what it was, and half if it comes soon. A minute without one lifts it.
//! What began before the first start after a refusal says nothing new when it is refused, too. After the adaptive mode of retries in the
//! AWS SDKs (2020), whose factor this is.

use std::time::Duration;

use tokio::time::Instant;

/// After one refusal, which may be about tokens or somebody else's calls, calls start so far apart.
const FIRST: Duration = Duration::from_millis(250);
/// What is slower than this is no rate that calls can wait for.
const SLOWEST: Duration = Duration::from_secs(30);
/// What is faster than this is no rate.
const FASTEST: Duration = Duration::from_millis(5);
/// A refusal that comes after fewer starts comes soon.
const SOON: u32 = 3;
/// After that time without a refusal calls start as they come.
const MEMORY: Duration = Duration::from_secs(60);

/// The pace of one model's calls.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// The time between two starts; `None` while nothing is known of a rate.
    between: Option<Duration>,
    /// It was refused more than once: there is such a rate, about there.
    is_sure: bool,
    /// The last start, and the next one.
    last: Option<Instant>,
    next: Option<Instant>,
    /// The last refusal, or the first start after it.
    refused_at: Option<Instant>,
    /// Nobody has started since the last refusal.
    is_new: bool,
    /// Starts since then, the first one among them.
    starts: u32,
}

impl Pace {
    /// How long the next call has to wait.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.next.map_or(Duration::ZERO, |next| next.saturating_duration_since(now))
    }

    /// A call starts.
    pub(super) fn starts(&mut self, now: Instant) {
        if self.refused_at.is_none() {
            return;
        }
        self.between = if self.is_new {
            self.is_sure = self.between.is_some();
            let slower = if self.starts < SOON { 2.0 } else { 1.0 / 0.7 };
            // The pause may have been longer than what is remembered.
            (self.is_new, self.starts, self.refused_at) = (false, 0, Some(now));
            Some(self.between.map_or(FIRST, |before| before.mul_f64(slower).min(SLOWEST)))
        } else {
            let passed = self.last.map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
            let share = if self.is_sure { 0.15 * passed.as_secs_f64().min(1.0) } else { 0.1 };
            self.between.map(|between| between.mul_f64(1.0 - share)).filter(|between| *between > FASTEST)
        };
        if self.refused_at.is_some_and(|at| now.saturating_duration_since(at) > MEMORY) {
            (self.between, self.refused_at) = (None, None);
        }
        self.starts = self.starts.saturating_add(1);
        (self.last, self.next) = (Some(now), self.between.map(|between| now + between));
    }

    /// A call was refused for a rate, which began then.
    pub(super) fn refused(&mut self, began: Instant, now: Instant) {
        if self.is_new || self.refused_at.is_none_or(|first| began >= first) {
            (self.refused_at, self.is_new) = (Some(now), true);
        }
    }

    /// The start at that time was none: nobody waits for it, if it was the last one.
    pub(super) fn takes_back(&mut self, began: Instant) {
        if self.last == Some(began) {
            self.next = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A provider that accepts so many a second, and `burst` at once.
    struct Provider {
        rate: f64,
        burst: f64,
        left: f64,
        at: Instant,
    }

    impl Provider {
        fn accepts(&mut self, now: Instant) -> bool {
            let flowed = now.saturating_duration_since(self.at).as_secs_f64() * self.rate;
            (self.left, self.at) = ((self.left + flowed).min(self.burst), now);
            let accepts = self.left >= 1.0;
            self.left -= f64::from(u8::from(accepts));
            accepts
        }
    }

    /// Starts calls as the pace lets them, after a pause of a second for each refusal; how long, and how many were refused.
    fn carried_out(calls: u32, rate: f64, burst: f64) -> (Duration, u32) {
        let began = Instant::now();
        let mut provider = Provider { rate, burst, left: burst, at: began };
        let (mut pace, mut now, mut done, mut refused) = (Pace::default(), began, 0, 0);
        while done < calls {
            now += pace.wait(now);
            pace.starts(now);
            if provider.accepts(now) {
                done += 1;
            } else {
                pace.refused(now, now);
                (refused, now) = (refused + 1, now + SECOND);
            }
        }
        (now - began, refused)
    }

    #[test]
    fn a_rate_that_nobody_told_is_found_and_few_are_refused() {
        for (calls, rate, burst) in
            [(60, 1.0, 1.0), (200, 5.0, 1.0), (200, 5.0, 20.0), (180, 1.0, 60.0), (500, 20.0, 4.0)]
        {
            let (took, refused) = carried_out(calls, rate, burst);
            let possible = (f64::from(calls) - burst) / rate;
            assert!(took.as_secs_f64() < 2.0 * possible + 5.0, "{rate} {burst}: {took:?} of {possible} s");
            assert!(refused < calls / 2, "{rate} {burst}: {refused} of {calls}");
        }
    }

    #[test]
    fn nothing_is_known_at_first_and_a_refusal_is_forgotten_after_a_minute() {
        let now = Instant::now();
        let mut pace = Pace::default();
        let mut starts = |second: u32| {
            pace.starts(now + second * SECOND);
            pace.wait(now + second * SECOND)
        };
        assert!((0..100).all(|_| starts(0).is_zero()));
        pace.refused(now, now);
        let mut starts = |second: u32| {
            pace.starts(now + second * SECOND);
            pace.wait(now + second * SECOND)
        };
        assert_eq!([starts(90), starts(91)], [FIRST, FIRST.mul_f64(0.9)], "however long the pause was");
        pace.refused(now + 89 * SECOND, now + 92 * SECOND);
        let mut starts = |second: u32| {
            pace.starts(now + second * SECOND);
            pace.wait(now + second * SECOND)
        };
        assert_eq!(starts(93), FIRST.mul_f64(0.9 * 0.9), "that one began before the pause was over");
        assert_eq!(starts(151), Duration::ZERO);
    }
}
