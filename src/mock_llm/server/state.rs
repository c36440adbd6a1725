//! What do all connections of a server share? Its configuration, its counters, the limits in force, and where its script is.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::mock_llm::config::MockConfig;
use crate::mock_llm::limits::{Buckets, Limits, Rates, Refusal};
use crate::mock_llm::script::Scripted;
use crate::mock_llm::stats::{Counters, MockStats};

/// The shared state.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: MockConfig,
    pub(crate) counters: Counters,
    /// The number of the next call.
    next: AtomicU64,
    /// The limits in force, which may change while calls come.
    limits: Mutex<(Limits, Buckets)>,
    /// Of them, what is needed without a lock: calls that may be in flight, 0 for any number.
    max_in_flight: AtomicU32,
    /// And whether there are rates at all.
    has_rates: AtomicBool,
    /// For each rule of the script how many of its replies were given.
    given: Vec<AtomicUsize>,
    since: Instant,
}

impl State {
    pub(crate) fn new(config: MockConfig) -> Self {
        let limits = config.limits;
        let rules = config.script.as_ref().map_or(0, |script| script.rules.len());
        Self {
            counters: Counters::new(),
            next: AtomicU64::new(0),
            limits: Mutex::new((limits, Buckets::new(&limits))),
            max_in_flight: AtomicU32::new(limits.max_in_flight.unwrap_or(0)),
            has_rates: AtomicBool::new(limits.has_rates()),
            given: (0..rules).map(|_| AtomicUsize::new(0)).collect(),
            since: Instant::now(),
            config,
        }
    }

    /// The number of a call, counted from 0.
    pub(crate) fn number(&self) -> u64 {
        self.next.fetch_add(1, Relaxed)
    }

    /// Counts a call of so many tokens, or refuses it.
    pub(crate) fn admit(&self, tokens: u64) -> (Rates, Result<(), Refusal>) {
        match self.has_rates.load(Relaxed) {
            false => (Rates::default(), Ok(())),
            true => self.in_force().1.admit(self.since.elapsed(), tokens),
        }
    }

    fn in_force(&self) -> MutexGuard<'_, (Limits, Buckets)> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The limits in force.
    pub(crate) fn limits(&self) -> Limits {
        self.in_force().0
    }

    /// How many calls may be in flight.
    pub(crate) fn max_in_flight(&self) -> Option<u32> {
        Some(self.max_in_flight.load(Relaxed)).filter(|most| *most > 0)
    }

    /// These limits hold from now on. Calls in flight go on. None of them is 0.
    pub(crate) fn set_limits(&self, limits: Limits) {
        let mut in_force = self.in_force();
        in_force.0 = limits;
        in_force.1.change(&limits);
        self.max_in_flight.store(limits.max_in_flight.unwrap_or(0), Relaxed);
        self.has_rates.store(limits.has_rates(), Relaxed);
    }

    /// What the script says to a call.
    pub(crate) fn scripted(&self, model: &str, text: &str) -> Option<&Scripted> {
        let script = self.config.script.as_ref()?;
        let rule = script.rule(model, text)?;
        let replies = &script.rules[rule].replies;
        let given = self.given[rule].fetch_add(1, Relaxed);
        replies.get(given).or(replies.last())
    }

    pub(crate) fn stats(&self) -> MockStats {
        self.counters.picture()
    }

    /// Everything begins anew: counters, numbers of calls, the script, the limits and what is used of them.
    pub(crate) fn reset(&self) {
        self.counters.reset();
        self.next.store(0, Relaxed);
        self.given.iter().for_each(|given| given.store(0, Relaxed));
        let limits = self.config.limits;
        self.set_limits(limits);
        // Full at once: they count from the same moment.
        self.in_force().1 = Buckets::new(&limits);
    }
}
