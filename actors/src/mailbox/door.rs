//! May this message come in? The one place where an agent's bound, its state and its counters live.
//!
//! actix's own capacity is switched off (`do_send` ignores it, every clone of an address adds a slot): all clones of an
//! [`AgentRef`](super::AgentRef) share the one depth counter here.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::Waker;

use futures_util::task::AtomicWaker;

use super::AgentId;
use super::contain::drop_contained;
use super::envelope::{Envelope, Lane};
use super::ledger::DeadLetter;
use super::reply::with_cause;
use super::watch::{DownSink, Watchers};
use crate::error::{AskError, TellError};
use crate::event::CancelReason;
use crate::runtime::Shared;
use crate::scope::Scope;
use crate::supervision::{Down, ExitReason, Next};

/// What the agent is asked to do about its life; a lane of its own without a queue. It only ever rises.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Control {
    /// Accepts and handles.
    Run = 0,
    /// Accepts nothing more, handles what is queued and in flight, then stops.
    Drain = 1,
    /// Stops after the message in hand; what is queued becomes dead letters.
    Stop = 2,
}

/// The queue behind the door: an actix channel whose actor type is hidden.
pub(super) trait Queue<M: Send + 'static>: Send + Sync {
    /// Enqueues, or hands the envelope back when the queue is closed.
    fn push(&self, envelope: Envelope<M>) -> Result<(), Envelope<M>>;
}

/// Everything that the clones of an agent's reference share.
pub(crate) struct Door<M: Send + 'static> {
    pub(super) id: AgentId,
    pub(super) name: Arc<str>,
    pub(crate) scope: Scope,
    pub(crate) shared: Arc<Shared>,
    pub(super) shard: usize,
    pub(super) max_work: usize,
    capacity: usize,
    queue: Box<dyn Queue<M>>,
    /// Messages of the user lane that wait.
    depth: AtomicUsize,
    /// Accepted messages of both lanes that are not settled yet.
    pending: AtomicU64,
    /// Futures that the agent started and that are not over.
    work: AtomicUsize,
    /// Timers that it set and that have not gone off.
    timers: AtomicUsize,
    handled: AtomicU64,
    incarnation: AtomicU32,
    control: AtomicU8,
    /// Whether its last incarnation panicked.
    panicked: AtomicBool,
    waker: AtomicWaker,
    watchers: Watchers,
}

pub(super) struct DoorPlan {
    pub(super) id: AgentId,
    pub(super) name: Arc<str>,
    pub(super) scope: Scope,
    pub(super) shared: Arc<Shared>,
    pub(super) shard: usize,
    pub(super) capacity: usize,
    pub(super) max_work: usize,
}

impl<M: Send + 'static> Door<M> {
    pub(super) fn new(plan: DoorPlan, queue: Box<dyn Queue<M>>) -> Self {
        let DoorPlan { id, name, scope, shared, shard, capacity, max_work } = plan;
        Self {
            id,
            name,
            scope,
            shared,
            shard,
            max_work,
            capacity,
            queue,
            depth: AtomicUsize::new(0),
            pending: AtomicU64::new(0),
            work: AtomicUsize::new(0),
            timers: AtomicUsize::new(0),
            handled: AtomicU64::new(0),
            incarnation: AtomicU32::new(1),
            control: AtomicU8::new(Control::Run as u8),
            panicked: AtomicBool::new(false),
            waker: AtomicWaker::new(),
            watchers: Watchers::default(),
        }
    }

    /// Takes a message from outside, or hands it back.
    pub(super) fn accept(self: &Arc<Self>, message: M, asker: Option<Weak<()>>) -> Result<(), TellError<M>> {
        if self.control() != Control::Run {
            return Err(TellError::Stopped(message));
        }
        let entered = self
            .depth
            .fetch_update(Ordering::AcqRel, Ordering::Relaxed, |depth| (depth < self.capacity).then_some(depth + 1));
        if entered.is_err() {
            return Err(TellError::Overloaded(message));
        }
        self.push(message, Lane::User, asker).map_err(|message| {
            self.leave_queue();
            TellError::Stopped(message)
        })
    }

    /// Brings the agent a result that it asked for itself. A result that comes too late is a dead letter.
    pub(crate) fn deliver_own(self: &Arc<Self>, message: M, incarnation: u32) -> bool {
        match self.push(message, Lane::Own { incarnation }, None) {
            Ok(()) => true,
            Err(message) => {
                with_cause(AskError::Stopped, || drop_contained(message));
                false
            }
        }
    }

    fn push(self: &Arc<Self>, message: M, lane: Lane, asker: Option<Weak<()>>) -> Result<(), M> {
        // Counted before it is visible to the agent, so that it cannot be handled before it was accepted.
        self.pending.fetch_add(1, Ordering::AcqRel);
        self.shared.ledger(self.shard).accept();
        let envelope = Envelope::new(message, self.clone(), lane, asker);
        match self.queue.push(envelope) {
            Ok(()) => Ok(()),
            Err(envelope) => {
                self.pending.fetch_sub(1, Ordering::AcqRel);
                self.shared.ledger(self.shard).take_back();
                let message = envelope.into_message();
                Err(message.expect("an envelope that was not opened holds its message"))
            }
        }
    }

    pub(super) fn leave_queue(&self) {
        self.depth.fetch_sub(1, Ordering::AcqRel);
    }

    pub(super) fn settle_handled(&self) {
        self.handled.fetch_add(1, Ordering::Relaxed);
        self.shared.ledger(self.shard).handled();
        self.pending.fetch_sub(1, Ordering::AcqRel);
    }

    pub(super) fn settle_dead(&self, reason: DeadLetter) {
        tracing::debug!(agent = %self.id, name = %self.name, reason = reason.code(), "dead letter");
        self.shared.ledger(self.shard).dead(reason);
        self.pending.fetch_sub(1, Ordering::AcqRel);
    }

    pub(super) fn control(&self) -> Control {
        match self.control.load(Ordering::Acquire) {
            0 => Control::Run,
            1 => Control::Drain,
            _ => Control::Stop,
        }
    }

    pub(super) fn raise(&self, control: Control) {
        self.control.fetch_max(control as u8, Ordering::AcqRel);
        self.waker.wake();
    }

    pub(super) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Whether nothing is queued, in hand or in flight.
    pub(super) fn is_idle(&self) -> bool {
        self.pending.load(Ordering::Acquire) == 0 && self.work.load(Ordering::Acquire) == 0
    }

    /// Takes a place for one piece of work, or one timer, of this incarnation, if there is one.
    pub(crate) fn begin(self: &Arc<Self>, incarnation: u32, errand: Errand) -> Option<Working<M>> {
        let more = |errands: usize| (errands < self.max_work).then_some(errands + 1);
        self.errands(errand).fetch_update(Ordering::AcqRel, Ordering::Relaxed, more).ok()?;
        Some(Working { door: self.clone(), incarnation, errand })
    }

    fn errands(&self, errand: Errand) -> &AtomicUsize {
        match errand {
            Errand::Work => &self.work,
            Errand::Timer => &self.timers,
        }
    }

    pub(crate) fn incarnation(&self) -> u32 {
        self.incarnation.load(Ordering::Acquire)
    }

    pub(super) fn next_incarnation(&self) {
        self.incarnation.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn watch(&self, sink: DownSink) {
        self.watchers.add(sink);
    }

    pub(super) fn down(&self, reason: ExitReason, next: Next) -> Down {
        Down { id: self.id, incarnation: self.incarnation(), reason, next }
    }

    /// The agent is gone for good: what hangs on it ends, nobody finds it any more, and its watchers learn it.
    pub(super) fn depart(&self, reason: ExitReason) {
        self.scope.cancel(CancelReason::Parent);
        self.shared.directory().remove(self.id);
        self.tell_watchers(&self.down(reason, Next::Gone));
    }

    pub(super) fn mark_panicked(&self) {
        self.panicked.store(true, Ordering::Release);
    }

    pub(super) fn tell_watchers(&self, down: &Down) {
        self.watchers.tell(down);
    }

    pub(crate) fn is_gone(&self) -> bool {
        self.watchers.is_gone()
    }

    pub(super) fn depth(&self) -> usize {
        self.depth.load(Ordering::Acquire)
    }

    pub(super) fn pending(&self) -> u64 {
        self.pending.load(Ordering::Acquire)
    }

    pub(super) fn work(&self) -> usize {
        self.work.load(Ordering::Acquire)
    }

    pub(super) fn handled(&self) -> u64 {
        self.handled.load(Ordering::Relaxed)
    }
}

/// One piece of work in flight; its end may be what a draining agent waits for.
pub(crate) struct Working<M: Send + 'static> {
    door: Arc<Door<M>>,
    incarnation: u32,
    errand: Errand,
}

/// What an agent has in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Errand {
    /// A future whose result matters: a draining agent waits for it.
    Work,
    /// A wake-up call: a draining agent does not wait for it.
    Timer,
}

impl<M: Send + 'static> Working<M> {
    /// Brings the agent the result.
    pub(crate) fn deliver(self, message: M) {
        self.door.deliver_own(message, self.incarnation);
    }

    /// Drops what the work held; whoever waits for a reply in it learns why.
    pub(crate) fn discard<A, B>(self, held: A, also: B) {
        let stopped = self.door.control() == Control::Stop && !self.door.panicked.load(Ordering::Acquire);
        with_cause(if stopped { AskError::Stopped } else { AskError::Panicked }, || {
            drop_contained(held);
            drop_contained(also);
        });
    }
}

impl<M: Send + 'static> Drop for Working<M> {
    fn drop(&mut self) {
        self.door.errands(self.errand).fetch_sub(1, Ordering::AcqRel);
        self.door.waker.wake();
    }
}
