//! What happened in a run, in order? One bounded log that every watcher reads from its beginning.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::time::Instant;

use crate::event::{CancelReason, Event, RunEvent};
use crate::research::{Outcome, SCHEMA_VERSION, Status};

/// The most events that a run keeps. Beyond it, notes on progress are left out; what is decided is always kept, and is
/// bounded by the number of tasks.
const MAX_EVENTS: usize = 100_000;

/// The events of one run. Nothing follows its [`Event::RunFinished`].
#[derive(Debug)]
pub(crate) struct EventLog {
    run_id: Arc<str>,
    started: Instant,
    log: Mutex<Log>,
    /// The number of events, and whether the last one is the end.
    grown: watch::Sender<(usize, bool)>,
}

#[derive(Debug, Default)]
struct Log {
    events: Vec<RunEvent>,
    outcome: Option<Outcome>,
}

impl Log {
    fn has_ended(&self) -> bool {
        self.events.last().is_some_and(|last| matches!(last.event, Event::RunFinished { .. }))
    }
}

impl EventLog {
    pub(crate) fn new(run_id: Arc<str>, started: Instant) -> Self {
        Self { run_id, started, log: Mutex::default(), grown: watch::Sender::new((0, false)) }
    }

    /// Adds an event, unless the run has ended already.
    pub(crate) fn append(&self, event: Event) {
        let mut log = self.lock();
        let ended = log.has_ended();
        let is_full = log.events.len() >= MAX_EVENTS && matches!(event, Event::TaskProgress { .. });
        if ended || is_full {
            return;
        }
        let grown = self.write(&mut log, event);
        drop(log);
        self.tell(grown);
    }

    /// Tells the readers, without the lock: a reader's waker may read at once.
    fn tell(&self, grown: (usize, bool)) {
        self.grown.send_if_modified(|known| {
            let more = grown.0 > known.0;
            *known = if more { grown } else { *known };
            more
        });
    }

    fn write(&self, log: &mut Log, event: Event) -> (usize, bool) {
        let is_end = matches!(event, Event::RunFinished { .. });
        let seq = log.events.len() as u64 + 1;
        let at_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let run_id = self.run_id.to_string();
        log.events.push(RunEvent { schema_version: SCHEMA_VERSION, run_id, seq, at_ms, event });
        (log.events.len(), is_end)
    }

    /// Ends the log with the run's outcome, unless it has ended: the first end counts, and no other outcome is kept.
    pub(crate) fn close(&self, status: Status, cancelled: Option<CancelReason>, outcome: Option<Outcome>) {
        let mut log = self.lock();
        if log.has_ended() {
            return;
        }
        log.outcome = outcome;
        let grown = self.write(&mut log, Event::RunFinished { status, cancelled });
        drop(log);
        self.tell(grown);
    }

    /// Why the run was ended early, if it was; `None` also while it goes on.
    pub(crate) fn cancelled_because(&self) -> Option<CancelReason> {
        match self.lock().events.last()?.event {
            Event::RunFinished { cancelled, .. } => cancelled,
            _ => None,
        }
    }

    /// The outcome, once: it is there when the log has ended, if the supervisor ended it.
    pub(crate) fn take_outcome(&self) -> Option<Outcome> {
        self.lock().outcome.take()
    }

    /// Ends when the log has ended.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut grown = self.grown.subscribe();
        async move {
            // An error means that the log itself is gone.
            let _ended = grown.wait_for(|(_, ended)| *ended).await;
        }
    }

    pub(crate) fn all(&self) -> Vec<RunEvent> {
        self.lock().events.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
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
                let event = self.log.lock().events.get(self.next).cloned();
                self.next += 1;
                return event;
            }
            if ended || self.grown.changed().await.is_err() {
                return None;
            }
        }
    }
}
