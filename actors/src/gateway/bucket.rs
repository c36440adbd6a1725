//! How many requests or tokens may be used in a minute? A bucket that is reserved from and settled with what was really
//! used. Pure: time is an argument.
//!
//! After the token bucket of ATM's generic cell rate algorithm, with one addition: a reservation is an upper bound, and
//! what was not used of it comes back. Whole numbers only, so nothing is lost to rounding.

use std::time::Duration;

use tokio::time::Instant;

/// Nanoseconds of a minute: one token in the bucket's own units.
const MINUTE: i128 = 60_000_000_000;

/// A limit of so many in a minute, of which a whole minute's worth may be used at once.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    per_minute: u64,
    /// Tokens times nanoseconds of a minute; below zero after a reservation that is larger than the whole bucket, or when
    /// more was used than was reserved.
    credit: i128,
    since: Instant,
}

impl Bucket {
    /// That of a rate whose limit was set: one that was there keeps what is left of it in proportion.
    pub(super) fn changed(bucket: Option<Self>, limit: Option<u64>, in_flight: u64, now: Instant) -> Option<Self> {
        limit.map(|limit| match bucket {
            Some(mut bucket) => {
                bucket.set_limit(limit, now);
                bucket
            }
            None => Self::without(limit, in_flight, now),
        })
    }

    /// Full.
    pub(super) fn new(per_minute: u64, now: Instant) -> Self {
        let per_minute = per_minute.max(1);
        Self { per_minute, credit: i128::from(per_minute) * MINUTE, since: now }
    }

    /// Full, but for what was taken before there was a limit.
    pub(super) fn without(per_minute: u64, taken: u64, now: Instant) -> Self {
        let mut bucket = Self::new(per_minute, now);
        bucket.credit -= i128::from(taken) * MINUTE;
        bucket
    }

    /// From now on so many in a minute. What is there stays in proportion; what is owed stays as it is.
    pub(super) fn set_limit(&mut self, per_minute: u64, now: Instant) {
        self.refill(now);
        let (old, new) = (i128::from(self.per_minute), i128::from(per_minute.max(1)));
        self.per_minute = per_minute.max(1);
        if self.credit > 0 {
            // In two parts, neither of which overflows: at most a minute, and less than `old`.
            let (whole, rest) = (self.credit / old, self.credit % old);
            let rest = rest.unsigned_abs() * new.unsigned_abs() / old.unsigned_abs();
            self.credit = (whole * new + i128::try_from(rest).unwrap_or(i128::MAX)).min(self.full());
        }
    }

    /// Takes `amount` out if it is there. One that is larger than the bucket needs a full one.
    pub(super) fn reserve(&mut self, amount: u64, now: Instant) -> bool {
        self.refill(now);
        let there = self.credit >= self.needed(amount);
        if there {
            self.credit -= i128::from(amount) * MINUTE;
        }
        there
    }

    /// How long it takes until `amount` is there, if nobody takes anything meanwhile.
    pub(super) fn wait(&mut self, amount: u64, now: Instant) -> Duration {
        self.refill(now);
        self.time_to_flow(self.needed(amount) - self.credit)
    }

    /// How long it takes until so many have been taken one by one, the next of them first. Unlike [`wait`](Self::wait) it knows no bucket
    /// that is full.
    pub(super) fn time_of(&mut self, ones: usize, now: Instant) -> Duration {
        self.refill(now);
        let missing = i128::try_from(ones).unwrap_or(i128::MAX).saturating_mul(MINUTE).saturating_sub(self.credit);
        self.time_to_flow(missing)
    }

    fn time_to_flow(&self, missing: i128) -> Duration {
        let nanos = missing.max(0).unsigned_abs().div_ceil(u128::from(self.per_minute));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The call is over: what it did not use of its reservation comes back, what it used beyond it is owed, a minute's worth
    /// at most: a provider that says nonsense closes nothing for ever.
    pub(super) fn settle(&mut self, reserved: u64, used: u64) {
        let used = used.min(reserved.saturating_add(self.per_minute));
        self.credit = (self.credit + (i128::from(reserved) - i128::from(used)) * MINUTE).min(self.full());
    }

    /// The provider says how much is left: the smaller of the two is right.
    pub(super) fn at_most(&mut self, left: u64, now: Instant) {
        self.refill(now);
        self.credit = self.credit.min(i128::from(left) * MINUTE);
    }

    fn refill(&mut self, now: Instant) {
        let passed = i128::try_from(now.saturating_duration_since(self.since).as_nanos()).unwrap_or(i128::MAX);
        self.since = self.since.max(now);
        self.credit = self.credit.saturating_add(passed.saturating_mul(i128::from(self.per_minute))).min(self.full());
    }

    fn needed(&self, amount: u64) -> i128 {
        i128::from(amount.min(self.per_minute)) * MINUTE
    }

    fn full(&self) -> i128 {
        i128::from(self.per_minute) * MINUTE
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_minutes_worth_is_there_at_once_and_comes_back_evenly() {
        let now = Instant::now();
        let mut bucket = Bucket::new(60, now);
        assert!(bucket.reserve(60, now));
        assert!(!bucket.reserve(1, now));
        assert_eq!(bucket.wait(3, now), Duration::from_secs(3));
        let later = now + Duration::from_secs(3);
        assert!(bucket.reserve(3, later) && !bucket.reserve(1, later));
    }

    #[test]
    fn what_was_not_used_comes_back_and_what_was_used_beyond_is_owed() {
        let now = Instant::now();
        let mut bucket = Bucket::new(100, now);
        assert!(bucket.reserve(100, now));
        bucket.settle(100, 30);
        assert!(bucket.reserve(70, now) && !bucket.reserve(1, now));
        bucket.settle(70, 75);
        assert_eq!(bucket.wait(1, now), Duration::from_millis(3_600), "five owed and one asked for, at 100 a minute");
    }

    #[test]
    fn nonsense_is_owed_for_a_minute_and_no_longer() {
        let now = Instant::now();
        let mut bucket = Bucket::new(60, now);
        assert!(bucket.reserve(60, now));
        bucket.settle(60, u64::MAX);
        assert_eq!(bucket.wait(60, now), Duration::from_secs(120));
    }

    #[test]
    fn a_call_larger_than_the_bucket_needs_a_full_one_and_is_paid_off() {
        let now = Instant::now();
        let mut bucket = Bucket::new(60, now);
        assert!(bucket.reserve(1, now));
        assert!(!bucket.reserve(600, now));
        let full = now + bucket.wait(600, now);
        assert!(bucket.reserve(600, full));
        assert_eq!(bucket.wait(1, full), Duration::from_secs(541));
    }

    #[test]
    fn a_provider_that_says_less_is_believed() {
        let now = Instant::now();
        let mut bucket = Bucket::new(60, now);
        bucket.at_most(2, now);
        assert!(bucket.reserve(2, now) && !bucket.reserve(1, now));
        bucket.at_most(50, now);
        assert!(!bucket.reserve(1, now), "and one that says more is not");
    }

    #[test]
    fn a_new_limit_keeps_what_is_left_in_proportion_and_debts_as_they_are() {
        let now = Instant::now();
        let mut bucket = Bucket::new(60, now);
        assert!(bucket.reserve(45, now));
        bucket.set_limit(600, now);
        assert!(bucket.reserve(150, now) && !bucket.reserve(1, now), "a quarter of 600");
        assert_eq!(bucket.wait(10, now), Duration::from_secs(1));
        bucket.settle(0, 20);
        bucket.set_limit(60, now);
        assert_eq!(bucket.wait(1, now), Duration::from_secs(21), "20 owed, and one");
        let later = now + Duration::from_secs(20);
        bucket.set_limit(600, later);
        assert_eq!(bucket.wait(1, later), Duration::from_millis(100), "paid off at the old rate");
        let mut full = Bucket::new(u64::MAX, now);
        full.set_limit(u64::MAX - 1, now);
        assert!(full.wait(u64::MAX - 1, now) <= Duration::from_nanos(1), "no overflow");
        assert_eq!(Bucket::without(60, 90, now).wait(1, now), Duration::from_secs(31));
    }

    proptest! {
        /// Whatever is asked for and when: in no stretch of time is more used than a bucket and what flowed in.
        #[test]
        fn no_stretch_of_time_uses_more_than_a_bucket_and_its_inflow(
            steps in proptest::collection::vec((0..20_000u64, 0..40u64, 0..40u64), 1..80),
            per_minute in 1..100u64,
        ) {
            let begin = Instant::now();
            let mut bucket = Bucket::new(per_minute, begin);
            let (mut now, mut used) = (begin, Vec::new());
            for (millis, asked, really) in steps {
                now += Duration::from_millis(millis);
                let amount = asked.min(per_minute);
                if bucket.reserve(amount, now) {
                    let really = really.min(amount);
                    bucket.settle(amount, really);
                    used.push((now, really));
                }
                prop_assert!(bucket.wait(0, now).is_zero(), "never in debt while nobody uses more than was reserved");
            }
            for (first, (from, _)) in used.iter().enumerate() {
                let mut sum = 0;
                for (to, amount) in &used[first..] {
                    sum += amount;
                    let inflow = to.duration_since(*from).as_nanos() * u128::from(per_minute) / MINUTE as u128;
                    prop_assert!(u128::from(sum) <= u128::from(per_minute) + inflow + 1);
                }
            }
        }

        /// Waiting for as long as it says is enough, and a nanosecond less is not.
        #[test]
        fn the_wait_is_exact(per_minute in 1..1_000u64, first in 0..1_000u64, then in 1..2_000u64) {
            let now = Instant::now();
            let mut bucket = Bucket::new(per_minute, now);
            bucket.reserve(first.min(per_minute), now);
            let wait = bucket.wait(then, now);
            let mut early = bucket.clone();
            prop_assert!(wait.is_zero() || !early.reserve(then, now + wait - Duration::from_nanos(1)));
            prop_assert!(bucket.reserve(then, now + wait));
        }
    }
}
