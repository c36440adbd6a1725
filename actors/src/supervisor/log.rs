//! What happened in a run, in order? One bounded log that every watcher reads from its beginning.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::event::{CancelReason, Event, RunEvent};
use crate::mailbox::with_contained_waker;
use crate::research::{Outcome, SCHEMA_VERSION, Status};

/// The most events that a run keeps. Beyond it, notes on progress, on calls and on models are left out and counted; what is decided
/// is always kept, and is bounded by the number of tasks.
const MAX_EVENTS: usize = 100_000;

/// The events of one run. Nothing follows its [`Event::RunFinished`].
#[derive(Debug)]
pub(crate) struct EventLog {
    run_id: Arc<str>,
    started: Instant,
    log: Mutex<Log>,
    /// Wakes the readers in the order in which they came.
    grown: Notify,
}

#[derive(Debug, Default)]
struct Log {
    events: Vec<RunEvent>,
    /// Notes for which there was no room.
    left_out: u64,
    outcome: Option<Outcome>,
}

impl Log {
    fn has_ended(&self) -> bool {
        self.events.last().is_some_and(|last| matches!(last.event, Event::RunFinished { .. }))
    }
}

/// Whether nothing follows from it.
fn is_on_the_way(event: &Event) -> bool {
    matches!(
        event,
        Event::TaskProgress { .. }
            | Event::AnswerText { .. }
            | Event::ModelCalled { .. }
            | Event::ModelCallFailed { .. }
            | Event::ModelCallPaused { .. }
            | Event::ModelCallResumed { .. }
            | Event::ModelCallRetried { .. }
            | Event::ModelFellBack { .. }
            | Event::ModelBreakerChanged { .. }
            | Event::ModelPaused { .. }
            | Event::ModelLimitChanged { .. }
            | Event::ModelChangesMissed { .. }
    )
}

impl EventLog {
    pub(crate) fn new(run_id: Arc<str>, started: Instant) -> Self {
        Self { run_id, started, log: Mutex::default(), grown: Notify::new() }
    }

    /// Adds an event, unless the run has ended already.
    pub(crate) fn append(&self, event: Event) {
        let mut log = self.lock();
        if log.has_ended() {
            return;
        }
        if log.events.len() >= MAX_EVENTS && is_on_the_way(&event) {
            log.left_out += 1;
            return;
        }
        self.write(log, event);
    }

    fn write(&self, mut log: MutexGuard<'_, Log>, event: Event) {
        let seq = log.events.len() as u64 + 1;
        let at_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let run_id = self.run_id.to_string();
        log.events.push(RunEvent { schema_version: SCHEMA_VERSION, run_id, seq, at_ms, event });
        // A reader's waker may read at once.
        drop(log);
        self.grown.notify_waiters();
    }

    /// Ends the log with the run's outcome, unless it has ended: the first end counts, and no other outcome is kept.
    pub(crate) fn close(&self, status: Status, cancelled: Option<CancelReason>, outcome: Option<Outcome>) {
        let mut log = self.lock();
        if log.has_ended() {
            return;
        }
        log.outcome = outcome;
        let left_out = log.left_out;
        self.write(log, Event::RunFinished { status, cancelled });
        if left_out > 0 {
            tracing::warn!(run_id = %self.run_id, left_out, "notes on the way are not among the events of a run, which are too many");
        }
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
    pub(crate) async fn ended(&self) {
        loop {
            let grown = self.grown.notified();
            if self.lock().has_ended() {
                return;
            }
            grown.await;
        }
    }

    /// The event at this place, counted from 0, if there is one yet, and whether the log has ended.
    fn at(&self, place: usize) -> (Option<RunEvent>, bool) {
        let log = self.lock();
        (log.events.get(place).cloned(), log.has_ended())
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
    next: usize,
}

impl RunEvents {
    pub(crate) fn of(log: &Arc<EventLog>) -> Self {
        Self { log: log.clone(), next: 0 }
    }

    /// The next event; `None` after the end of the run. Can be dropped and called again without losing an event.
    pub async fn next(&mut self) -> Option<RunEvent> {
        loop {
            // What is written from here on wakes it, also before it waits.
            let grown = self.log.grown.notified();
            match self.log.at(self.next) {
                (None, true) => return None,
                (None, false) => with_contained_waker(grown).await,
                (event, _) => {
                    self.next += 1;
                    return event;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is decided is kept also then, and bounded by the number of tasks.
    #[test]
    fn beyond_so_many_events_what_is_on_the_way_is_left_out_and_counted() {
        let log = EventLog::new("r".into(), Instant::now());
        let note = || Event::ModelChangesMissed { changes: 1 };
        for _ in 0..MAX_EVENTS + 5 {
            log.append(note());
        }
        let kept = |log: &EventLog| {
            let log = log.lock();
            (log.events.len(), log.left_out)
        };
        assert_eq!(kept(&log), (MAX_EVENTS, 5));
        log.append(Event::RunStarted { question: "x".to_owned() });
        log.append(note());
        log.close(Status::Complete, None, None);
        assert_eq!(kept(&log), (MAX_EVENTS + 2, 6));
        let log = log.lock();
        assert_eq!(log.events.last().unwrap().seq, MAX_EVENTS as u64 + 2);
        assert!(log.has_ended());
    }
}
