//! Who wants to know when an agent dies? Each watcher hears of each incarnation's end exactly once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::contain::{contain, drop_contained};
use crate::supervision::{Down, Next};

/// Somebody who watches. Called on the shard of the agent that died: it must not block.
pub(super) struct DownSink {
    /// Takes the notice; `false` when nobody is left to hear another.
    pub(super) notify: Box<dyn FnMut(&Down) -> bool + Send>,
    /// Whether anybody is left to hear one.
    pub(super) is_alive: Box<dyn Fn() -> bool + Send>,
    /// Whether it hears when all others have: whoever goes on with their ends only then.
    pub(super) is_last: bool,
}

impl DownSink {
    /// Notifies; a sink that panics hears nothing more, and takes nobody with it.
    fn notify(&mut self, down: &Down) -> bool {
        contain(|| (self.notify)(down)).unwrap_or_else(|panic| {
            tracing::warn!(%panic, agent = %down.id, "a watcher panicked; it is told nothing more");
            false
        })
    }
}

impl Inner {
    /// Takes out the watchers that are gone; looks only when the number has doubled since the last time.
    fn prune(&mut self) -> Vec<DownSink> {
        if self.sinks.len() < self.prune_at.max(8) {
            return Vec::new();
        }
        let (alive, dead) =
            std::mem::take(&mut self.sinks).into_iter().partition(|sink| contain(&sink.is_alive).unwrap_or(false));
        self.sinks = alive;
        self.prune_at = self.sinks.len() * 2;
        dead
    }
}

/// The watchers of one agent, and its last notice once it is gone.
#[derive(Default)]
pub(super) struct Watchers {
    inner: Mutex<Inner>,
    /// Readable without the lock: whether a watcher is alive is asked under the lock of another agent's watchers.
    is_gone: AtomicBool,
    /// Whether everybody has heard of it.
    has_told: AtomicBool,
}

#[derive(Default)]
struct Inner {
    sinks: Vec<DownSink>,
    /// Look for dead watchers when there are this many.
    prune_at: usize,
    gone: Option<Down>,
    is_telling: bool,
}

impl Watchers {
    /// Adds a watcher. For an agent that is gone it is called at once, with the last notice.
    pub(super) fn add(&self, mut sink: DownSink) {
        let mut inner = self.lock();
        match inner.gone.clone() {
            None => {
                let dead = inner.prune();
                inner.sinks.push(sink);
                drop(inner);
                dead.into_iter().for_each(drop_contained);
            }
            Some(down) => {
                drop(inner);
                sink.notify(&down);
                drop_contained(sink);
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        let inner = self.lock();
        inner.sinks.is_empty() && !inner.is_telling
    }

    /// Tells everybody. After a notice with [`Next::Gone`] nothing follows.
    pub(super) fn tell(&self, down: &Down) {
        let mut inner = self.lock();
        if inner.gone.is_some() {
            return;
        }
        let mut sinks = std::mem::take(&mut inner.sinks);
        sinks.sort_by_key(|sink| sink.is_last);
        inner.is_telling = true;
        if down.next == Next::Gone {
            inner.gone = Some(down.clone());
            self.is_gone.store(true, Ordering::Release);
        }
        drop(inner);
        // Outside the lock: a sink may watch, or stop, this very agent.
        let (alive, dead): (Vec<_>, Vec<_>) =
            sinks.into_iter().map(|mut sink| (sink.notify(down), sink)).partition(|(alive, _)| *alive);
        for (_, sink) in dead {
            drop_contained(sink);
        }
        let alive = alive.into_iter().map(|(_, sink)| sink);
        match down.next {
            Next::Restarts => {
                let mut inner = self.lock();
                // Before those that came meanwhile.
                let came = std::mem::take(&mut inner.sinks);
                inner.sinks.extend(alive.chain(came));
                inner.is_telling = false;
            }
            Next::Gone => {
                self.has_told.store(true, Ordering::Release);
                alive.for_each(drop_contained);
            }
        }
    }

    /// Whether the last notice was given.
    pub(super) fn is_gone(&self) -> bool {
        self.is_gone.load(Ordering::Acquire)
    }

    pub(super) fn has_told(&self) -> bool {
        self.has_told.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::mailbox::AgentId;
    use crate::supervision::ExitReason;

    type Heard = Arc<Mutex<Vec<&'static str>>>;

    fn sink(name: &'static str, heard: &Heard, is_last: bool) -> DownSink {
        let heard = heard.clone();
        let notify = move |_: &Down| {
            heard.lock().unwrap().push(name);
            true
        };
        DownSink { notify: Box::new(notify), is_alive: Box::new(|| true), is_last }
    }

    #[test]
    fn watchers_hear_in_the_order_in_which_they_came_and_some_when_all_others_have() {
        let (watchers, heard) = (Arc::new(Watchers::default()), Heard::default());
        watchers.add(sink("last", &heard, true));
        let (again, late) = (watchers.clone(), heard.clone());
        let mut adds = sink("first", &heard, false);
        let mut notify = adds.notify;
        let mut once = Some(());
        adds.notify = Box::new(move |down| {
            if once.take().is_some() {
                again.add(sink("meanwhile", &late, false));
            }
            notify(down)
        });
        watchers.add(adds);
        watchers.add(sink("second", &heard, false));
        for next in [Next::Restarts, Next::Gone] {
            watchers.tell(&Down { id: AgentId(1), incarnation: 1, reason: ExitReason::Stopped, next });
        }
        let all = ["first", "second", "last", "first", "second", "meanwhile", "last"];
        assert_eq!(*heard.lock().unwrap(), all);
        assert!(watchers.has_told() && watchers.is_gone());
    }
}
