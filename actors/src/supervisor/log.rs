//! What happened in a run, in order? One bounded log that every watcher reads from its beginning.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::event::{CancelReason, Event, RunEvent};
use crate::research::{SCHEMA_VERSION, Status};

/// The most events that a run keeps. Beyond it, notes on progress are left out; what is decided is always kept, and is
/// bounded by the number of tasks.
const MAX_EVENTS: usize = 100_000;

/// The events of one run. Nothing follows its [`Event::RunFinished`].
#[derive(Debug)]
pub(crate) struct EventLog {
    run_id: Arc<str>,
    started: Instant,
    events: Mutex<Vec<RunEvent>>,
    /// The number of events, and whether the last one is the end.
    grown: watch::Sender<(usize, bool)>,
}

impl EventLog {
    pub(crate) fn new(run_id: Arc<str>, started: Instant) -> Self {
        Self { run_id, started, events: Mutex::default(), grown: watch::Sender::new((0, false)) }
    }

    /// Adds an event; `false` when the run has ended already, and the event is not taken.
    pub(crate) fn append(&self, event: Event) -> bool {
        let mut events = self.lock();
        if self.grown.borrow().1 {
            return false;
        }
        if events.len() >= MAX_EVENTS && matches!(event, Event::TaskProgress { .. }) {
            return true;
        }
        let is_end = matches!(event, Event::RunFinished { .. });
        let seq = events.len() as u64 + 1;
        let at_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let run_id = self.run_id.to_string();
        events.push(RunEvent { schema_version: SCHEMA_VERSION, run_id, seq, at_ms, event });
        self.grown.send_replace((events.len(), is_end));
        true
    }

    /// Ends the log, unless it has ended.
    pub(crate) fn close(&self, status: Status, cancelled: Option<CancelReason>) {
        self.append(Event::RunFinished { status, cancelled });
    }

    pub(crate) fn all(&self) -> Vec<RunEvent> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<RunEvent>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a run's events from the first on, none left out, as they happen.
#[derive(Debug)]
pub struct RunEvents {
    log: Arc<EventLog>,
    grown: watch::Receiver<(usize, bool)>,
    next: usize,
}

impl RunEvents {
    pub(crate) fn of(log: &Arc<EventLog>) -> Self {
        Self { log: log.clone(), grown: log.grown.subscribe(), next: 0 }
    }

    /// The next event; `None` after the end of the run. Can be dropped and called again without losing an event.
    pub async fn next(&mut self) -> Option<RunEvent> {
        loop {
            let (length, ended) = *self.grown.borrow_and_update();
            if self.next < length {
                let event = self.log.lock().get(self.next).cloned();
                self.next += 1;
                return event;
            }
            if ended || self.grown.changed().await.is_err() {
                return None;
            }
        }
    }
}
