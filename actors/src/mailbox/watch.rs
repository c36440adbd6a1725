//! Who wants to know when an agent dies? Each watcher hears of each incarnation's end exactly once.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::supervision::{Down, Next};

/// Somebody who watches. Called on the shard of the agent that died: it must not block.
pub(super) trait DownSink: Send {
    /// Takes the notice; `false` when nobody is left to hear it.
    fn notify(&mut self, down: &Down) -> bool;
}

impl<F: FnMut(&Down) -> bool + Send> DownSink for F {
    fn notify(&mut self, down: &Down) -> bool {
        self(down)
    }
}

/// The watchers of one agent, and its last notice once it is gone.
#[derive(Default)]
pub(super) struct Watchers {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    sinks: Vec<Box<dyn DownSink>>,
    gone: Option<Down>,
}

impl Watchers {
    /// Adds a watcher. For an agent that is gone it is called at once, with the last notice.
    pub(super) fn add(&self, mut sink: Box<dyn DownSink>) {
        let mut inner = self.lock();
        match inner.gone.clone() {
            None => inner.sinks.push(sink),
            Some(down) => {
                drop(inner);
                sink.notify(&down);
            }
        }
    }

    /// Tells everybody. After a notice with [`Next::Gone`] nothing follows.
    pub(super) fn tell(&self, down: &Down) {
        let mut inner = self.lock();
        if inner.gone.is_some() {
            return;
        }
        let mut sinks = std::mem::take(&mut inner.sinks);
        if down.next == Next::Gone {
            inner.gone = Some(down.clone());
        }
        drop(inner);
        // Outside the lock: a sink may watch, or stop, this very agent.
        sinks.retain_mut(|sink| sink.notify(down));
        if down.next == Next::Restarts {
            self.lock().sinks.append(&mut sinks);
        }
    }

    /// Whether the last notice was given.
    pub(super) fn is_gone(&self) -> bool {
        self.lock().gone.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
