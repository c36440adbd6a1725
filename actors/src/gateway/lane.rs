//! May another call of this model start now, and if not, when? One lane for each model: its places, its rates, its pauses,
//! how many its provider holds, and whether it works at all. Pure: time is an argument.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::adaptive::{AdaptiveLimit, Answer, Stamp};
use super::breaker::{Breaker, BreakerState, Outcome, Pass};
use super::bucket::Bucket;
use super::limits::{FIRST_IN_FLIGHT, GatewayLimits, ModelLimits};
use super::pace::Pace;
use super::retry_budget::RetryBudget;
use crate::chat::Headroom;
use crate::error::{Limited, ModelError, Waiting};

/// What one model allows, and what is used of it.
#[derive(Debug)]
pub(super) struct Lane {
    /// How many calls the provider holds, under the limit that is configured.
    adaptive: AdaptiveLimit,
    breaker: Breaker,
    /// The failure that counted last, since it worked.
    last_failure: Option<ModelError>,
    retries: RetryBudget,
    in_flight: usize,
    /// What those in flight have reserved, whether there is a limit or not.
    reserved: u64,
    requests: Option<Bucket>,
    tokens: Option<Bucket>,
    /// What is found of a rate that nobody has told.
    pace: Pace,
    /// Nobody starts before: the provider asked for that, or nothing was left as far as it can be guessed.
    paused_until: Option<Instant>,
    /// The part of it that the provider asked for.
    asked_until: Option<Instant>,
    /// The whole name of the model whose refusal that was: this one, or another one with its key.
    asked_by: Option<Arc<str>>,
}

impl Lane {
    pub(super) fn new(limits: &ModelLimits, common: &GatewayLimits, now: Instant) -> Self {
        let ceiling = ceiling(limits, common.max_in_flight);
        Self {
            adaptive: AdaptiveLimit::new(limits.max_in_flight.unwrap_or(FIRST_IN_FLIGHT), ceiling),
            breaker: Breaker::new(common.breaker, now),
            last_failure: None,
            retries: RetryBudget::new(common.retry_budget, now),
            in_flight: 0,
            reserved: 0,
            requests: limits.requests_per_minute.map(|limit| Bucket::new(limit, now)),
            tokens: limits.tokens_per_minute.map(|limit| Bucket::new(limit, now)),
            pace: Pace::default(),
            paused_until: None,
            asked_until: None,
            asked_by: None,
        }
    }

    /// From now on these limits hold. Who is in flight stays, and so does a pause. A rate that changes keeps what is left of it
    /// in proportion; one that is new begins without what those in flight have reserved, which they give back.
    pub(super) fn set_limits(&mut self, limits: &ModelLimits, in_all: usize, now: Instant) {
        self.adaptive.set_ceiling(limits.max_in_flight.unwrap_or(FIRST_IN_FLIGHT), ceiling(limits, in_all));
        let in_flight = u64::try_from(self.in_flight).unwrap_or(u64::MAX);
        self.requests = Bucket::changed(self.requests.take(), limits.requests_per_minute, in_flight, now);
        self.tokens = Bucket::changed(self.tokens.take(), limits.tokens_per_minute, self.reserved, now);
    }

    /// From now on retries and the breaker go by these.
    pub(super) fn set_policies(&mut self, common: &GatewayLimits, now: Instant) {
        self.breaker.set_policy(common.breaker, now);
        self.retries.set_policy(common.retry_budget, now);
    }

    pub(super) fn max_in_flight(&self) -> usize {
        self.adaptive.limit()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) fn has_place(&self) -> bool {
        self.in_flight < self.adaptive.limit()
    }

    /// How long a call of so many tokens has to wait for the rates and the pause, if nobody starts before it.
    pub(super) fn wait(&mut self, tokens: u64, now: Instant) -> Duration {
        let pause = left_until(self.paused_until, now);
        let requests = self.requests.as_mut().map_or(Duration::ZERO, |bucket| bucket.wait(1, now));
        let of_tokens = self.tokens.as_mut().map_or(Duration::ZERO, |bucket| bucket.wait(tokens, now));
        pause.max(requests).max(of_tokens).max(self.breaker.wait(now)).max(self.pace.wait(now))
    }

    /// How long so many calls take to start at the rate that is configured, however fast they are; zero where there is none.
    pub(super) fn time_to_start(&mut self, calls: usize, now: Instant) -> Duration {
        self.requests.as_mut().map_or(Duration::ZERO, |bucket| bucket.time_of(calls, now))
    }

    /// Takes a place and reserves, if all of it is there.
    pub(super) fn enter(&mut self, tokens: u64, now: Instant) -> Option<Entry> {
        if !self.has_place() || !self.wait(tokens, now).is_zero() {
            return None;
        }
        let pass = self.breaker.enter(now)?;
        let _both_are_there = self.requests.as_mut().is_none_or(|bucket| bucket.reserve(1, now))
            && self.tokens.as_mut().is_none_or(|bucket| bucket.reserve(tokens, now));
        (self.paused_until, self.asked_until, self.asked_by) = (None, None, None);
        self.in_flight += 1;
        self.reserved = self.reserved.saturating_add(tokens);
        Some(Entry { pass, stamp: self.adaptive.began(self.in_flight, now) })
    }

    /// A call that has entered is made now.
    pub(super) fn starts(&mut self, now: Instant) {
        self.pace.starts(now);
    }

    /// The one that was to be made at that time was not made after all.
    pub(super) fn did_not_start(&mut self, began: Instant) {
        self.pace.takes_back(began);
    }

    /// Gives the place back. `used` is what the call used of its reservation; `None` when nobody knows.
    pub(super) fn leave(&mut self, reserved: u64, used: Option<u64>) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.reserved = self.reserved.saturating_sub(reserved);
        if let (Some(bucket), Some(used)) = (&mut self.tokens, used) {
            bucket.settle(reserved, used);
        }
    }

    /// Gives back all that was taken: nothing was made.
    pub(super) fn take_back(&mut self, reserved: u64) {
        self.leave(reserved, Some(0));
        if let Some(requests) = &mut self.requests {
            requests.settle(1, 0);
        }
    }

    /// How an attempt ended that has given its place back, after it had it for so long. `how` is `None` when that says nothing: it was
    /// not made, or its caller left. `is_silent` is one that had nothing of an answer when its own time was over.
    pub(super) fn ended(
        &mut self,
        entry: Entry,
        (how, is_silent): (Option<Result<(), &ModelError>>, bool),
        held: Duration,
        now: Instant,
    ) {
        if how.is_some_and(|how| how.is_err_and(is_about_a_rate)) {
            self.pace.refused(now.checked_sub(held).unwrap_or(now), now);
        }
        let was = self.breaker.state(now);
        let outcome = match how {
            Some(Err(error)) if is_about_a_rate(error) && self.breaker.refuses_all() => Outcome::Failed,
            // Its whole time has passed, and not its caller's.
            Some(Err(ModelError::Timeout(Waiting::Total))) if is_silent => Outcome::Silent,
            // Beside others it was one too many, and fewer are tried; alone it was not, and a probe never is.
            Some(Err(ModelError::Unavailable { .. }))
                if answer(how) == Answer::Refused && self.in_flight > 0 && was == BreakerState::Closed =>
            {
                Outcome::Neutral
            }
            how => how.map_or(Outcome::Neutral, |how| Outcome::of(how.err())),
        };
        let counts = self.breaker.ended(entry.pass, outcome, now);
        match (outcome, how) {
            (Outcome::Failed | Outcome::Silent, Some(Err(error))) if counts => {
                self.last_failure = Some(error.without_words())
            }
            (Outcome::Alive, _) if counts => self.last_failure = None,
            _ => {}
        }
        if counts && self.breaker.refuses_all() {
            self.asked_until.into_iter().for_each(|until| self.breaker.not_before(until));
        }
        if was != BreakerState::Closed && self.breaker.state(now) == BreakerState::Closed {
            self.adaptive.start_again();
        }
        self.adaptive.ended(entry.stamp, answer(how), self.in_flight, held, now);
    }

    /// A call ended with this error, whose last attempt was this one. Whether that was one 429 about a rate too many, and nobody is let
    /// in for a while.
    pub(super) fn call_ended(&mut self, entry: Entry, error: &ModelError, now: Instant) -> bool {
        let opens = is_about_a_rate(error) && self.breaker.call_was_limited(entry.pass, now);
        if opens {
            self.last_failure = Some(error.without_words());
            self.asked_until.into_iter().for_each(|until| self.breaker.not_before(until));
        }
        opens
    }

    /// The first attempt of a call is over: others may be made again.
    pub(super) fn first_is_over(&mut self, now: Instant) {
        self.retries.call(now);
    }

    /// Whether there is room for another retry; if there is, it is taken.
    pub(super) fn may_retry(&mut self, error: &ModelError, now: Instant) -> bool {
        self.retries.retry(error, now)
    }

    /// Whether it fails so much that nobody is let in for a while.
    pub(super) fn is_broken(&self, now: Instant) -> bool {
        !self.broken_for(now).is_zero()
    }

    /// How long nobody is let in for that reason; zero when it works.
    pub(super) fn broken_for(&self, now: Instant) -> Duration {
        self.breaker.wait(now)
    }

    /// Whether a call without another model does not wait until this one is tried again: that is not soon, and nobody is there, or
    /// its caller has something else to do.
    pub(super) fn is_given_up(&self, fails_fast: bool, now: Instant) -> bool {
        let is_out_of_reach = || self.last_failure.as_ref().is_some_and(ModelError::is_unreachable);
        self.breaker.has_no_try_soon(now) && (fails_fast || is_out_of_reach())
    }

    /// What a call learns that has to wait and does not, whose time is over at `deadline`.
    pub(super) fn refusal(&self, retry_after: Duration, deadline: Instant, now: Instant) -> ModelError {
        match (&self.last_failure, &self.asked_by) {
            // Not what keeps it for longer, such as a pause.
            (Some(last), _) if self.is_broken(now) && self.broken_for(now).max(self.pace.wait(now)) >= retry_after => {
                ModelError::BreakerOpen { retry_after, last: last.clone().into() }
            }
            // Nor is it a full line when the pause alone is too long.
            (_, Some(by)) if self.asked_until >= Some(deadline) => {
                ModelError::Paused { retry_after: self.paused_for(now), refused_model: by.clone() }
            }
            _ => ModelError::Overloaded { retry_after },
        }
    }

    pub(super) fn breaker(&self, now: Instant) -> BreakerState {
        self.breaker.state(now)
    }

    /// Nobody starts before `until`, as the provider asked when it refused a call of the model `by`. A shorter pause does not end a longer
    /// one; whether it is longer than any that was asked for.
    pub(super) fn pause(&mut self, until: Instant, by: &Arc<str>) -> bool {
        let is_longer = self.asked_until < Some(until);
        if is_longer {
            self.asked_by = Some(by.clone());
        }
        self.asked_until = self.asked_until.max(Some(until));
        self.paused_until = self.paused_until.max(Some(until));
        is_longer
    }

    /// For how long the provider has asked everybody to wait; zero when it has not. A guess is not counted.
    pub(super) fn paused_for(&self, now: Instant) -> Duration {
        left_until(self.asked_until, now)
    }

    /// The same with the whole name of the model whose refusal it was; `None` when the provider has not asked for that.
    pub(super) fn paused(&self, now: Instant) -> Option<(Duration, &Arc<str>)> {
        let pause = self.paused_for(now);
        self.asked_by.as_ref().filter(|_| !pause.is_zero()).map(|by| (pause, by))
    }

    /// The provider says what is left: nobody is sent to be refused.
    pub(super) fn heed(&mut self, headroom: &Headroom, now: Instant) {
        let left = [(headroom.requests, &mut self.requests), (headroom.tokens, &mut self.tokens)];
        for (left, bucket) in left {
            if let (Some(left), Some(bucket)) = (left, bucket) {
                bucket.at_most(left, now);
            }
        }
        // Without a limit of our own there is nothing but the provider's word, and that only when nothing is left.
        let used_up = [
            (headroom.requests, headroom.requests_reset, self.requests.is_none()),
            (headroom.tokens, headroom.tokens_reset, self.tokens.is_none()),
        ];
        for (left, reset, is_all_we_know) in used_up {
            if let (Some(0), Some(reset), true) = (left, reset, is_all_we_know) {
                // The reset is when all is there again, and some of it flows in before.
                self.paused_until = self.paused_until.max(Some(now + reset.min(LONGEST_GUESS)));
            }
        }
    }
}

/// What a call got when it entered, and brings back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pass: Pass,
    stamp: Stamp,
}

fn left_until(until: Option<Instant>, now: Instant) -> Duration {
    until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
}

/// The most calls of a model, of all those that may be in flight together.
fn ceiling(limits: &ModelLimits, in_all: usize) -> usize {
    limits.max_in_flight.unwrap_or(in_all)
}

pub(super) fn is_about_a_rate(error: &ModelError) -> bool {
    matches!(error, ModelError::RateLimited { limited, .. } if limited.is_rate())
}

/// Whether a call was refused because of others, how many they are or how soon they came: it has had nothing.
pub(super) fn was_one_too_many(error: &ModelError) -> bool {
    answer(Some(Err(error))) == Answer::Refused || is_about_a_rate(error)
}

/// What the end of a call says about how many its provider holds.
fn answer(how: Option<Result<(), &ModelError>>) -> Answer {
    match how {
        Some(Ok(())) => Answer::Fine,
        Some(Err(
            ModelError::RateLimited { limited: Limited::Concurrency, .. }
            | ModelError::Unavailable { status: 503 | 529, .. },
        )) => Answer::Refused,
        _ => Answer::Other,
    }
}

/// Nobody is kept waiting for longer by a guess.
const LONGEST_GUESS: Duration = Duration::from_secs(5);

/// A provider that asks for a longer pause is asked again after this time.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(300);

#[cfg(test)]
#[path = "lane_tests.rs"]
mod tests;
