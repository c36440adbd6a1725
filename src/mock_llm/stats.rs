//! What happened so far? Counters that all connections share, and their picture for `/stats`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use serde::Serialize;

use super::fault::Fault;

/// The counters of a server at one moment. `in_flight` and `connections.open` are levels, the rest counts since the
/// start or the last reset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MockStats {
    /// Requests with a complete head, those for `/stats`, `/reset` and `/limits` not counted.
    pub requests: u64,
    /// Connections.
    pub connections: ConnectionStats,
    /// Model calls that are being answered. A call ends just before the last byte of its reply is sent.
    pub in_flight: u64,
    /// The most there were at once.
    pub peak_in_flight: u64,
    /// Replies that were not complete when their client left.
    pub aborted: u64,
    /// Replies that began, by status.
    pub by_status: BTreeMap<u16, u64>,
    /// Faults that were chosen, by name, also where they change nothing.
    pub by_fault: BTreeMap<&'static str, u64>,
    /// Tokens of the prompts of all calls that were let in and not answered with another status than 200.
    pub prompt_tokens: u64,
    /// Tokens of the replies that were made for them, whether or not they were sent to their end.
    pub completion_tokens: u64,
}

/// Connections, all and open ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ConnectionStats {
    /// Accepted since the start or the last reset.
    pub total: u64,
    /// Open now.
    pub open: u64,
}

/// Statuses below this are counted.
const STATUSES: usize = 600;

/// The counters.
#[derive(Debug)]
pub(super) struct Counters {
    pub(super) requests: AtomicU64,
    pub(super) connections: AtomicU64,
    pub(super) open: AtomicU64,
    in_flight: AtomicU64,
    peak: AtomicU64,
    pub(super) aborted: AtomicU64,
    statuses: Box<[AtomicU64]>,
    faults: [AtomicU64; Fault::ALL.len()],
    prompt_tokens: AtomicU64,
    completion_tokens: AtomicU64,
}

/// A call in flight. It ends when this is dropped.
#[derive(Debug)]
pub(super) struct InFlight<'a>(&'a Counters);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        // Whoever sees the last byte must see this too: the kernel orders it before what is sent afterwards.
        self.0.in_flight.fetch_sub(1, std::sync::atomic::Ordering::AcqRel);
    }
}

impl Counters {
    pub(super) fn new() -> Self {
        Self {
            requests: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            open: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            aborted: AtomicU64::new(0),
            statuses: (0..STATUSES).map(|_| AtomicU64::new(0)).collect(),
            faults: std::array::from_fn(|_| AtomicU64::new(0)),
            prompt_tokens: AtomicU64::new(0),
            completion_tokens: AtomicU64::new(0),
        }
    }

    /// A place for one more call; `None` when `most` are in flight.
    pub(super) fn enter(&self, most: Option<u32>) -> Option<InFlight<'_>> {
        let now = match most {
            None => self.in_flight.fetch_add(1, Relaxed) + 1,
            Some(most) => {
                let more = |now| (now < u64::from(most)).then_some(now + 1);
                self.in_flight.fetch_update(std::sync::atomic::Ordering::AcqRel, Relaxed, more).ok()? + 1
            }
        };
        // Reading first keeps the line shared between the threads.
        if self.peak.load(Relaxed) < now {
            self.peak.fetch_max(now, Relaxed);
        }
        Some(InFlight(self))
    }

    pub(super) fn status(&self, status: u16) {
        if let Some(counter) = self.statuses.get(usize::from(status)) {
            counter.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn fault(&self, fault: Fault) {
        self.faults[fault.index()].fetch_add(1, Relaxed);
    }

    pub(super) fn tokens(&self, prompt: u64, completion: u64) {
        self.prompt_tokens.fetch_add(prompt, Relaxed);
        self.completion_tokens.fetch_add(completion, Relaxed);
    }

    /// Everything counts from zero; levels stay what they are.
    pub(super) fn reset(&self) {
        let counts = [&self.requests, &self.connections, &self.aborted, &self.prompt_tokens, &self.completion_tokens];
        for counter in counts.into_iter().chain(self.statuses.iter()).chain(&self.faults) {
            counter.store(0, Relaxed);
        }
        self.peak.store(self.in_flight.load(Relaxed), Relaxed);
    }

    pub(super) fn picture(&self) -> MockStats {
        let of = |counter: &AtomicU64| counter.load(Relaxed);
        let statuses = (0u16..).zip(self.statuses.iter().map(of)).filter(|(_, count)| *count > 0);
        let faults = Fault::ALL.into_iter().map(|fault| (fault.name(), of(&self.faults[fault.index()])));
        MockStats {
            requests: of(&self.requests),
            connections: ConnectionStats { total: of(&self.connections), open: of(&self.open) },
            in_flight: of(&self.in_flight),
            peak_in_flight: of(&self.peak),
            aborted: of(&self.aborted),
            by_status: statuses.collect(),
            by_fault: faults.filter(|(_, count)| *count > 0).collect(),
            prompt_tokens: of(&self.prompt_tokens),
            completion_tokens: of(&self.completion_tokens),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_keeps_levels_and_forgets_counts() {
        let counters = Counters::new();
        let (first, second) = (counters.enter(Some(2)), counters.enter(Some(2)));
        assert!(first.is_some() && counters.enter(Some(2)).is_none());
        drop(second);
        counters.status(200);
        counters.fault(Fault::Cut);
        counters.tokens(3, 4);
        let picture = counters.picture();
        assert_eq!((picture.in_flight, picture.peak_in_flight), (1, 2));
        assert_eq!((picture.by_status[&200], picture.by_fault["cut"]), (1, 1));
        counters.reset();
        let picture = counters.picture();
        assert_eq!((picture.in_flight, picture.peak_in_flight, picture.prompt_tokens), (1, 1, 0));
        assert!(picture.by_status.is_empty() && picture.by_fault.is_empty());
    }
}
