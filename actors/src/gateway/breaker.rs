//! Does a model fail so much that nobody should call it now? Pure: time is an argument.
//!
//! The circuit breaker of Michael T. Nygard, Release It! (2007), chapter 5.2: closed while all is well; open for a short time
//! after too many failures; then half-open, where one call at a time tries whether the model works again.
//!
//! Whoever has no other model to turn to waits behind an open breaker, so that an outage of a provider that answers, however badly, is ridden
//! out. Where nobody answers at all, he waits for the first try only, [`Breaker::has_no_try_soon`]: nobody knows whether a server will be started.
//!
//! A share of many attempts says nothing of a server that takes a minute to say nothing, nor of one that refuses every call for its
//! rate: there a few in a row do ([`BreakerPolicy::silent_in_a_row`], [`BreakerPolicy::limited_in_a_row`]).
//!
//! What counts is how attempts end, see [`Outcome::of`]. Attempts that began before the breaker opened or closed last do not
//! count any more: a crowd that fails late says nothing about the model that answers again.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::error::{ModelError, StartError, Waiting};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// When a model is not called for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// Whether there is a breaker. The default is yes.
    pub enabled: bool,
    /// It opens when at least this many attempts ended within the window: 1 to 100,000. The default is 10.
    pub attempts: u32,
    /// And at least so many of 100 of them failed: 1 to 100. The default is 50.
    pub failed_percent: u32,
    /// How far back attempts count: 10 milliseconds to 24 hours. The default is 10 seconds.
    pub window: Duration,
    /// It opens, too, when so many attempts had no connection or no token in time since one was answered last, whenever that was: 1 to
    /// 100,000. Those that began before that answer do not count. The default is 3.
    pub silent_in_a_row: u32,
    /// And when so many calls ended with a 429 about a rate since a call was answered last: 1 to 100,000. Of those that were made at the
    /// same time one counts. The default is 3.
    pub limited_in_a_row: u32,
    /// How long it is open; doubled each time when the model still fails. Above zero. The default is 2 seconds.
    pub cool_down: Duration,
    /// The longest that it is open: at most 24 hours. The default is 30 seconds.
    pub longest: Duration,
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        let [window, cool_down, longest] = [10, 2, 30].map(Duration::from_secs);
        Self {
            enabled: true,
            attempts: 10,
            failed_percent: 50,
            window,
            silent_in_a_row: 3,
            limited_in_a_row: 3,
            cool_down,
            longest,
        }
    }
}

impl BreakerPolicy {
    /// Checks every rule.
    ///
    /// # Errors
    /// [`StartError::Invalid`] names the value and its range.
    pub fn validate(&self) -> Result<(), StartError> {
        let Self { attempts, failed_percent, window, silent_in_a_row, limited_in_a_row, cool_down, longest, .. } = self;
        let broken = if !(1..=100_000).contains(attempts) {
            format!("breaker.attempts is {attempts}; it must be between 1 and 100000")
        } else if !(1..=100).contains(failed_percent) {
            format!("breaker.failed_percent is {failed_percent}; it must be between 1 and 100")
        } else if !(1..=100_000).contains(silent_in_a_row) {
            format!("breaker.silent_in_a_row is {silent_in_a_row}; it must be between 1 and 100000")
        } else if !(1..=100_000).contains(limited_in_a_row) {
            format!("breaker.limited_in_a_row is {limited_in_a_row}; it must be between 1 and 100000")
        } else if !(Duration::from_millis(10)..=DAY).contains(window) {
            format!("breaker.window is {window:?}; it must be between 10 milliseconds and 24 hours")
        } else if longest.is_zero() || *longest > DAY {
            format!("breaker.longest is {longest:?}; it must be above zero and at most 24 hours")
        } else if cool_down.is_zero() || cool_down > longest {
            format!(
                "breaker.cool_down is {cool_down:?}; it must be above zero and at most breaker.longest, {longest:?}"
            )
        } else {
            return Ok(());
        };
        Err(StartError::Invalid(broken))
    }
}

/// What an attempt says about its model when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It works.
    Answered,
    /// It is there: it said what it has against the call.
    Alive,
    /// It does not.
    Failed,
    /// It does not, and takes its time to say nothing.
    Silent,
    /// Nothing.
    Neutral,
}

impl Outcome {
    /// What this end of an attempt says. One that panicked, or whose caller left, is [`Outcome::Neutral`].
    pub(super) fn of(error: Option<&ModelError>) -> Self {
        match error {
            None => Self::Answered,
            Some(error) => Self::of_error(error),
        }
    }

    fn of_error(error: &ModelError) -> Self {
        match error {
            ModelError::WithUsage { error, .. } => Self::of_error(error),
            // Whoever rejects, limits or refuses a call is there.
            ModelError::Rejected { .. }
            | ModelError::Unauthorized { .. }
            | ModelError::NotFound(_)
            | ModelError::ContextTooLong(_)
            | ModelError::ContentRefused(_)
            | ModelError::RateLimited { .. } => Self::Alive,
            // Below 500 are the codes that ask to come back: 408, 409, 425.
            ModelError::Unavailable { status, .. } if *status < 500 => Self::Alive,
            ModelError::Unavailable { .. }
            | ModelError::Network { .. }
            | ModelError::Malformed(_)
            | ModelError::Broken { .. } => Self::Failed,
            ModelError::Timeout(Waiting::Connection | Waiting::FirstToken | Waiting::NextToken) => Self::Silent,
            // A caller with little time, or a long answer.
            ModelError::Timeout(Waiting::Total | Waiting::Queue) => Self::Neutral,
            // Not sent, or our own fault. A certificate that is not accepted is told at once, to everybody.
            ModelError::Untrusted(_)
            | ModelError::Provider(_)
            | ModelError::Overloaded { .. }
            | ModelError::BreakerOpen { .. }
            | ModelError::Paused { .. }
            | ModelError::Stopped
            | ModelError::NoLanguageModel(_)
            | ModelError::NotRecorded(_)
            | ModelError::NetworkBlocked(_)
            | ModelError::BudgetExhausted(_) => Self::Neutral,
        }
    }
}

/// So long a probe is waited for after one that failed.
const SOON: Duration = Duration::from_secs(2);

/// What a breaker is like, in the words of the field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Calls go through.
    #[default]
    Closed,
    /// None does for a while.
    Open,
    /// One at a time does, to try.
    HalfOpen,
}

/// An attempt that was let through. To be handed back with its end, whichever way it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a probe that is not handed back keeps everybody out"]
pub(super) struct Pass {
    /// How often the breaker had opened or closed, or had let a probe through.
    era: u64,
    /// How many attempts had been answered, of whatever kind the answer was.
    answers: u64,
    /// How many calls had been counted that ended with a 429 about a rate.
    limited: u32,
}

#[derive(Debug, Clone)]
enum State {
    Closed(Window),
    /// Half-open from this time on.
    Open(Instant),
    /// Half-open, and a probe is on its way.
    Probing,
}

/// The breaker of one model.
#[derive(Debug, Clone)]
pub(super) struct Breaker {
    policy: BreakerPolicy,
    state: State,
    era: u64,
    /// How long it was open last.
    cool_down: Duration,
    /// Whether a probe has failed since it was closed.
    has_failed_probe: bool,
    /// How many attempts were answered.
    answers: u64,
    /// Attempts that ended in silence since one was answered.
    silent: u32,
    /// Calls that ended with a 429 about a rate since one was answered well.
    limited: u32,
}

impl Breaker {
    /// Closed.
    pub(super) fn new(policy: BreakerPolicy, now: Instant) -> Self {
        let state = State::Closed(Window::new(&policy, now));
        let cool_down = Duration::ZERO;
        Self { policy, state, era: 0, cool_down, has_failed_probe: false, answers: 0, silent: 0, limited: 0 }
    }

    /// How long a call has to wait; zero when it may start. While a probe is on its way this is a guess: its end is what
    /// opens the way.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        match &self.state {
            State::Closed(_) => Duration::ZERO,
            State::Open(until) => until.saturating_duration_since(now),
            State::Probing => self.policy.cool_down,
        }
    }

    /// Whether a probe has failed since it opened, and the next one does not come soon, or is on its way.
    pub(super) fn has_no_try_soon(&self, now: Instant) -> bool {
        self.has_failed_probe
            && match self.state {
                State::Closed(_) => false,
                State::Open(until) => until.saturating_duration_since(now) > SOON,
                State::Probing => true,
            }
    }

    /// Lets an attempt through, if it may start.
    pub(super) fn enter(&mut self, now: Instant) -> Option<Pass> {
        if !self.wait(now).is_zero() {
            return None;
        }
        if let State::Open(_) = self.state {
            self.change(State::Probing);
        }
        Some(Pass { era: self.era, answers: self.answers, limited: self.limited })
    }

    /// An attempt is over, or was not made after all, which is neutral. Handing a pass back twice does no harm. Whether it counts: not one
    /// that began before the breaker opened or closed last.
    pub(super) fn ended(&mut self, pass: Pass, outcome: Outcome, now: Instant) -> bool {
        if pass.era != self.era || !self.policy.enabled {
            return false;
        }
        match outcome {
            Outcome::Answered | Outcome::Alive => {
                self.answers += 1;
                self.silent = 0;
            }
            // One that began before somebody was answered says nothing of a row: a slow server has more of those than it can serve.
            Outcome::Silent if pass.answers == self.answers => self.silent = self.silent.saturating_add(1),
            Outcome::Silent | Outcome::Failed | Outcome::Neutral => {}
        }
        if outcome == Outcome::Answered {
            self.limited = 0;
        }
        match (&mut self.state, outcome) {
            (State::Closed(window), Outcome::Answered | Outcome::Alive) => window.count(false, now),
            (State::Closed(window), Outcome::Failed | Outcome::Silent) => {
                window.count(true, now);
                if window.is_bad(&self.policy) || self.silent >= self.policy.silent_in_a_row {
                    self.open(self.policy.cool_down, now);
                }
            }
            (State::Probing, Outcome::Answered | Outcome::Alive) => {
                self.change(State::Closed(Window::new(&self.policy, now)))
            }
            (State::Probing, Outcome::Failed | Outcome::Silent) => {
                self.has_failed_probe = true;
                self.open(self.cool_down.saturating_mul(2), now);
            }
            // The next one may try at once.
            (State::Probing, Outcome::Neutral) => self.change(State::Open(now)),
            (State::Closed(_), Outcome::Neutral) | (State::Open(_), _) => {}
        }
        true
    }

    /// A call whose last attempt was this one ended with a 429 about a rate. Whether it opens for that.
    pub(super) fn call_was_limited(&mut self, pass: Pass, now: Instant) -> bool {
        if pass.era != self.era || pass.limited != self.limited || !self.policy.enabled {
            return false;
        }
        self.limited = self.limited.saturating_add(1);
        let opens = self.refuses_all() && matches!(self.state, State::Closed(_));
        if opens {
            self.open(self.policy.cool_down, now);
        }
        opens
    }

    /// Whether as many calls as that were refused for a rate, and none was answered: then a 429 is no sign of life.
    pub(super) fn refuses_all(&self) -> bool {
        self.limited >= self.policy.limited_in_a_row
    }

    /// Open, it stays so until then at least: there is no use in a probe while the provider makes everybody wait.
    pub(super) fn not_before(&mut self, at: Instant) {
        if let State::Open(until) = &mut self.state {
            *until = at.max(*until);
        }
    }

    /// From now on it goes by this. Open, it stays so for its time, unless it is switched off; closed, it counts afresh.
    pub(super) fn set_policy(&mut self, policy: BreakerPolicy, now: Instant) {
        if policy == self.policy {
            return;
        }
        self.policy = policy;
        if !policy.enabled || matches!(self.state, State::Closed(_)) {
            self.change(State::Closed(Window::new(&policy, now)));
        }
    }

    /// What it is like now.
    pub(super) fn state(&self, now: Instant) -> BreakerState {
        match &self.state {
            State::Closed(_) => BreakerState::Closed,
            State::Open(until) if *until > now => BreakerState::Open,
            State::Open(_) | State::Probing => BreakerState::HalfOpen,
        }
    }

    fn open(&mut self, cool_down: Duration, now: Instant) {
        self.cool_down = cool_down.min(self.policy.longest);
        self.change(State::Open(now + self.cool_down));
    }

    fn change(&mut self, state: State) {
        let is_closed = matches!(state, State::Closed(_));
        self.has_failed_probe &= !is_closed;
        if is_closed {
            (self.silent, self.limited) = (0, 0);
        }
        self.state = state;
        self.era += 1;
    }
}

const SLOTS: usize = 10;

/// The attempts that ended lately, counted in slots of a tenth of the window: never older than the window, and the
/// memory does not grow with the traffic.
#[derive(Debug, Clone)]
struct Window {
    begin: Instant,
    slot: Duration,
    /// The number of the newest slot since the begin.
    newest: u128,
    /// Ended and failed, the newest slot at its number modulo their count.
    slots: [(u32, u32); SLOTS],
}

impl Window {
    fn new(policy: &BreakerPolicy, now: Instant) -> Self {
        Self { begin: now, slot: policy.window / 10, newest: 0, slots: [(0, 0); SLOTS] }
    }

    fn count(&mut self, has_failed: bool, now: Instant) {
        let number = now.saturating_duration_since(self.begin).as_nanos() / self.slot.as_nanos().max(1);
        let number = number.max(self.newest);
        let stale = usize::try_from(number - self.newest).unwrap_or(SLOTS).min(SLOTS);
        for back in 0..stale {
            self.slots[at(number - back as u128)] = (0, 0);
        }
        self.newest = number;
        let (ended, failed) = &mut self.slots[at(number)];
        *ended = ended.saturating_add(1);
        *failed = failed.saturating_add(u32::from(has_failed));
    }

    fn is_bad(&self, policy: &BreakerPolicy) -> bool {
        let ended: u64 = self.slots.iter().map(|(ended, _)| u64::from(*ended)).sum();
        let failed: u64 = self.slots.iter().map(|(_, failed)| u64::from(*failed)).sum();
        ended >= u64::from(policy.attempts) && failed * 100 >= ended * u64::from(policy.failed_percent)
    }
}

fn at(number: u128) -> usize {
    usize::try_from(number % SLOTS as u128).unwrap_or(0)
}

#[cfg(test)]
#[path = "breaker_tests.rs"]
mod tests;
