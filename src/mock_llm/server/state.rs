//! What do all connections of a server share? Its configuration, its counters, and where its script is.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::mock_llm::config::MockConfig;
use crate::mock_llm::limits::{Buckets, Rates, Refusal};
use crate::mock_llm::script::Scripted;
use crate::mock_llm::stats::{Counters, MockStats};

/// The shared state.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: MockConfig,
    pub(crate) counters: Counters,
    /// The number of the next call.
    next: AtomicU64,
    /// `None` without limits on rates, which saves a lock.
    buckets: Option<Mutex<Buckets>>,
    /// For each rule of the script how many of its replies were given.
    given: Vec<AtomicUsize>,
    since: Instant,
}

impl State {
    pub(crate) fn new(config: MockConfig) -> Self {
        let limits = &config.limits;
        let has_rates = limits.requests_per_minute.is_some() || limits.tokens_per_minute.is_some();
        let rules = config.script.as_ref().map_or(0, |script| script.rules.len());
        Self {
            counters: Counters::new(),
            next: AtomicU64::new(0),
            buckets: has_rates.then(|| Mutex::new(Buckets::new(limits))),
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
        match &self.buckets {
            None => (Rates::default(), Ok(())),
            Some(buckets) => {
                let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
                buckets.admit(self.since.elapsed(), tokens)
            }
        }
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

    /// Everything begins anew: counters, numbers of calls, the script, the limits on rates.
    pub(crate) fn reset(&self) {
        self.counters.reset();
        self.next.store(0, Relaxed);
        self.given.iter().for_each(|given| given.store(0, Relaxed));
        if let Some(buckets) = &self.buckets {
            let mut buckets = buckets.lock().unwrap_or_else(PoisonError::into_inner);
            // Full at once: they count from the same moment.
            *buckets = Buckets::new(&self.config.limits);
        }
    }
}
