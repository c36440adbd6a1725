//! Which agents wait for a call of a tool, and whom does the one wait for that is asked? An agent that waits for an answer itself is not asked
//! for it, in one chain of questions or over several: each agent carries out one ask at a time, and all of them would wait until their time is
//! over.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::answer::AskMetrics;

/// An agent with its line, among all of the process. (An `AgentId` is one of its runtime.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HostId(u64);

impl HostId {
    pub(super) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// An agent that waits.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) host: HostId,
    pub(super) name: Arc<str>,
    /// Whether whoever asks it waits for that. Not so of one that goes on with what another one was asked: its own line goes on.
    pub(super) is_busy: bool,
}

/// The agents that wait for a call of a tool: the first was asked by the program, the last is the one that calls. An agent as a tool that
/// is told of them is none that waits for them, and counts what it used for the last one.
#[derive(Clone, Default)]
pub struct Callers(Option<Arc<Waiting>>);

struct Waiting {
    chain: Vec<Caller>,
    /// What the agents used that the last one asked.
    used: Mutex<AskMetrics>,
}

impl Callers {
    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.chain().iter().map(|caller| &*caller.name)
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.chain().len()
    }

    /// Whether the program itself calls, and no agent.
    pub fn is_empty(&self) -> bool {
        self.chain().is_empty()
    }

    fn chain(&self) -> &[Caller] {
        self.0.as_ref().map_or(&[], |waiting| &waiting.chain)
    }

    /// They, and this one behind them, for whom nothing was used yet.
    pub(super) fn and(&self, last: Caller) -> Self {
        let chain = self.chain().iter().cloned().chain([last]).collect();
        Self(Some(Arc::new(Waiting { chain, used: Mutex::new(AskMetrics::nothing()) })))
    }

    /// The last of them waits for this agent, until what this gives is dropped; `None`, and it must not, when this one waits for one of them.
    pub(super) fn wait_for(&self, asked: HostId) -> Option<Wait> {
        let last = self.chain().iter().rev().find(|caller| caller.is_busy).map(|caller| caller.host);
        let Some(last) = last else { return Some(Wait(None)) };
        // The lock ends with this line: a `Wait` takes it.
        let may = waits().begin(self.chain(), last, asked);
        may.then(|| Wait(Some((last, asked))))
    }

    /// An agent that the last of them asked used this.
    pub(super) fn count(&self, used: &AskMetrics) {
        if let Some(waiting) = &self.0 {
            waiting.used.lock().unwrap_or_else(PoisonError::into_inner).add_calls(used);
        }
    }

    /// All that was counted.
    pub(super) fn counted(&self) -> AskMetrics {
        let used = |waiting: &Arc<Waiting>| waiting.used.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.0.as_ref().map_or_else(AskMetrics::nothing, used)
    }
}

impl fmt::Debug for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names()).finish()
    }
}

/// One agent waits for another, until this is dropped.
pub(super) struct Wait(Option<(HostId, HostId)>);

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some((from, to)) = self.0 {
            waits().end(from, to);
        }
    }
}

/// Of the process: agents of two runtimes may work for each other. It is held for a look at those who wait, and for nothing else.
static WAITS: Mutex<Waits> = Mutex::new(Waits(BTreeMap::new()));

fn waits() -> MutexGuard<'static, Waits> {
    WAITS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Agents that are looked at before one is asked. Where more wait for each other, the time of their asks ends a circle.
const MOST: usize = 1_000;

/// For whom the ask waits that an agent carries out: one agent for each question, and twice for two. Pure.
struct Waits(BTreeMap<HostId, Vec<HostId>>);

impl Waits {
    /// `last`, the one of the callers whose ask it is, waits for this agent, if that one does not wait for any of them. Looked at and
    /// said under one lock: two who ask each other at the same time would see nothing of each other.
    fn begin(&mut self, callers: &[Caller], last: HostId, asked: HostId) -> bool {
        if callers.iter().any(|caller| caller.host == asked) || self.leads_back(asked, callers) {
            return false;
        }
        self.0.entry(last).or_default().push(asked);
        true
    }

    fn leads_back(&self, from: HostId, callers: &[Caller]) -> bool {
        let (mut next, mut seen) = (vec![from], BTreeSet::new());
        while let Some(host) = next.pop() {
            if callers.iter().any(|caller| caller.is_busy && caller.host == host) {
                return true;
            }
            if seen.len() < MOST && seen.insert(host) {
                next.extend(self.0.get(&host).into_iter().flatten());
            }
        }
        false
    }

    fn end(&mut self, from: HostId, to: HostId) {
        let Some(all) = self.0.get_mut(&from) else { return };
        if let Some(at) = all.iter().position(|one| *one == to) {
            all.swap_remove(at);
        }
        if all.is_empty() {
            self.0.remove(&from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(host: u64, is_busy: bool) -> Caller {
        Caller { host: HostId(host), name: "x".into(), is_busy }
    }

    #[test]
    fn whoever_waits_for_a_caller_is_not_asked_until_it_waits_no_more() {
        let mut waits = Waits(BTreeMap::new());
        let mut asks = |callers: &[Caller], asked| waits.begin(callers, callers.last().unwrap().host, HostId(asked));
        assert!(asks(&[caller(1, true)], 2) && asks(&[caller(1, true)], 2) && asks(&[caller(2, true)], 3));
        assert!(!asks(&[caller(3, true)], 1) && !asks(&[caller(9, true), caller(3, true)], 2));
        assert!(!asks(&[caller(9, true), caller(3, true)], 9), "it is in the same chain");
        assert!(asks(&[caller(3, true)], 4), "it waits for nobody");
        // One that goes on for another one holds up nobody who asks it.
        assert!(waits.leads_back(HostId(1), &[caller(3, true)]) && !waits.leads_back(HostId(1), &[caller(3, false)]));
        waits.end(HostId(1), HostId(2));
        assert!(waits.leads_back(HostId(1), &[caller(3, true)]), "it asked twice");
        waits.end(HostId(1), HostId(2));
        assert!(!waits.leads_back(HostId(1), &[caller(3, true)]));
        waits.end(HostId(2), HostId(3));
        waits.end(HostId(3), HostId(4));
        assert!(waits.0.is_empty());
    }

    #[test]
    fn so_many_are_looked_at_and_no_more() {
        let link = |host: u64| (HostId(host), vec![HostId(host + 1)]);
        let long = Waits((0..MOST as u64 * 2).map(link).collect());
        let leads = |to| long.leads_back(HostId(0), &[caller(to, true)]);
        assert!(leads(MOST as u64) && !leads(MOST as u64 + 1));
    }
}
