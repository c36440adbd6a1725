//! Where do an agent's bound, its state and its counters live? In the one door that all its references share.
//!
//! actix's mailbox is not used: its `do_send` ignores the capacity, every clone of an address adds a slot, and order
//! can break at the limit. The [`Queue`](super::queue) behind the door's lock has none of that.

mod counts;
mod life;

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use super::AgentId;
use super::carried::CarriedCounts;
use super::contain::{drop_contained, wake_contained};
use super::idle::Leave;
use super::ledger::DeadLetter;
use super::name::Name;
use super::orders::{Order, Orders};
use super::overflow::Overflow;
use super::quarantine::Quarantine;
use super::queue::{Accepted, Admitted, Closing, Control, Lane, Letter, LinedUp, Next, Queue, Refused};
use super::reply::{Asker, with_cause};
use super::watch::Watchers;
use crate::error::{AskError, TellError};
use crate::runtime::Shared;
use crate::scope::Scope;
use crate::supervision::Next as Fate;

/// How many notices may wait beside the results and timers that an agent may have in flight.
const NOTICES: u32 = 64;

/// Everything that the clones of an agent's reference share.
pub(crate) struct Door<M: Send + 'static> {
    pub(super) id: AgentId,
    pub(super) name: Name,
    pub(crate) shared: Arc<Shared>,
    pub(super) shard: u16,
    capacity: u32,
    pub(super) max_work: u32,
    incarnation: AtomicU32,
    /// Futures that the agent started and that are not over.
    work: AtomicU32,
    /// Timers that it set and that have not gone off.
    timers: AtomicU32,
    /// Whether a group decides what follows its ends.
    pub(super) is_kept: bool,
    /// The queue's control, to be read without the lock. Written under it.
    control: AtomicU8,
    queue: Mutex<Queue<M>>,
    /// Whether a letter is in the agent's hand, and is not settled. Only its shard writes it, and `handled`.
    in_hand: AtomicBool,
    /// Whether the present incarnation has started, or is put away and starts when a message comes.
    has_begun: AtomicBool,
    /// Whether the agent has asked for its own scope, which ends it from then on.
    heeds_scope: AtomicBool,
    handled: AtomicU64,
    /// Ends with the agent, once anybody has asked for it.
    scope: OnceLock<Scope>,
    rare: OnceLock<Box<Rare<M>>>,
}

/// What most agents never need.
struct Rare<M> {
    watchers: Watchers,
    quarantine: OnceLock<Quarantine<M>>,
    leave: Leave,
    /// Which of its last 32 incarnations ended by a panic: a bit for each.
    panicked: AtomicU32,
    /// What came through the front door and still waited at the end.
    left: AtomicU64,
    /// What it took on for somebody else.
    carried: CarriedCounts,
}

impl<M> Default for Rare<M> {
    fn default() -> Self {
        Self {
            watchers: Watchers::default(),
            quarantine: OnceLock::new(),
            leave: Leave::default(),
            panicked: AtomicU32::new(0),
            left: AtomicU64::new(0),
            carried: CarriedCounts::default(),
        }
    }
}

pub(super) struct DoorPlan<M> {
    pub(super) id: AgentId,
    pub(super) name: Name,
    /// The agent's own, if it hangs below another one than the runtime's.
    pub(super) scope: Option<Scope>,
    pub(super) quarantine: Option<Quarantine<M>>,
    pub(super) shared: Arc<Shared>,
    pub(super) shard: u16,
    pub(super) capacity: u32,
    pub(super) max_work: u32,
    pub(super) overflow: Overflow,
    pub(super) is_kept: bool,
}

impl<M: Send + 'static> Door<M> {
    pub(super) fn new(plan: DoorPlan<M>) -> Self {
        let DoorPlan { id, name, scope, quarantine, shared, shard, capacity, max_work, overflow, is_kept } = plan;
        let door = Self {
            id,
            name,
            shared,
            shard,
            capacity,
            max_work,
            incarnation: AtomicU32::new(1),
            work: AtomicU32::new(0),
            timers: AtomicU32::new(0),
            is_kept,
            control: AtomicU8::new(Control::Run as u8),
            queue: Mutex::new(Queue::new(overflow)),
            in_hand: AtomicBool::new(false),
            has_begun: AtomicBool::new(false),
            heeds_scope: AtomicBool::new(false),
            handled: AtomicU64::new(0),
            scope: scope.map_or_else(OnceLock::new, OnceLock::from),
            rare: OnceLock::new(),
        };
        if let Some(quarantine) = quarantine {
            let _it_is_new = door.rare().quarantine.set(quarantine);
        }
        door
    }

    /// Takes a message from outside, or hands it back.
    #[inline]
    pub(super) fn accept(&self, message: M) -> Result<(), TellError<M>> {
        self.push(Letter::user(message, None)).map_err(|(refused, letter)| match refused {
            Refused::Full => TellError::Overloaded(letter.message),
            Refused::Closed => TellError::Stopped(letter.message),
        })
    }

    /// Brings the agent a notice that it asked for; `false` when it takes none any more. Of an agent that comes back,
    /// notices beyond [`NOTICES`] waiting letters are dead ones; the last notice of an agent is never left out.
    pub(crate) fn deliver_notice(&self, message: M, incarnation: u32, fate: Fate) -> bool {
        let most = self.max_work.saturating_mul(2).saturating_add(NOTICES);
        if fate == Fate::Restarts && self.queue().own() >= u64::from(most) {
            self.shared.accept(self.shard);
            self.shared.ledger(self.shard).dead(DeadLetter::Overflowed);
            self.queue().bury(1);
            self.trace_dead(DeadLetter::Overflowed);
            drop_contained(message);
            return true;
        }
        self.deliver_own(Letter::own(message, incarnation, None))
    }

    /// Brings the agent what it asked for itself. What comes after its end is dropped, and was never accepted.
    pub(super) fn deliver_own(&self, letter: Letter<M>) -> bool {
        let refused = self.push(letter).err();
        let taken = refused.is_none();
        if let Some((_, letter)) = refused {
            with_cause(AskError::Stopped, || drop_contained(letter.message));
        }
        taken
    }

    #[inline]
    fn push(&self, mut letter: Letter<M>) -> Result<(), (Refused, Letter<M>)> {
        letter.since = self.shared.moment();
        let mut queue = self.queue();
        let accepted = queue.offer(letter, self.capacity)?;
        self.count_accepted(queue, accepted);
        Ok(())
    }

    /// Takes a message or a question, now or when it is its turn in line; the ticket is for [`Door::poll_line`].
    #[inline]
    pub(super) fn line_up(&self, message: M, asker: Option<Arc<dyn Asker>>) -> Result<Option<u64>, TellError<M>> {
        let mut letter = Letter::user(message, asker);
        letter.since = self.shared.moment();
        let mut queue = self.queue();
        match queue.line_up(letter, self.capacity) {
            Ok(LinedUp::Accepted(accepted)) => {
                self.count_accepted(queue, accepted);
                Ok(None)
            }
            Ok(LinedUp::Waits { ticket, left }) => {
                drop(queue);
                left.into_iter().for_each(|question| drop_contained(question.message));
                Ok(Some(ticket))
            }
            Err((Refused::Full, letter)) => Err(TellError::Overloaded(letter.message)),
            Err((Refused::Closed, letter)) => Err(TellError::Stopped(letter.message)),
        }
    }

    /// Counted under the lock, so that no message is settled before it is counted.
    #[inline]
    fn count_accepted(&self, mut queue: MutexGuard<'_, Queue<M>>, accepted: Accepted<M>) {
        let is_here = self.shared.accept(self.shard);
        if accepted.displaced.is_some() {
            queue.bury(1);
            self.shared.ledger(self.shard).dead(DeadLetter::Overflowed);
        }
        let waker = match accepted.wakes {
            true if is_here => {
                queue.wake_here();
                None
            }
            true => queue.waker(),
            false => None,
        };
        drop(queue);
        waker.into_iter().for_each(wake_contained);
        if let Some(displaced) = accepted.displaced {
            self.trace_dead(DeadLetter::Overflowed);
            with_cause(AskError::Overloaded, || drop_contained(displaced.message));
        }
    }

    /// Ready with `Ok` when the message has been accepted, with the message when the door has closed.
    pub(super) fn poll_line(&self, ticket: u64, cx: &Context<'_>) -> Poll<Result<(), TellError<M>>> {
        let waker = cx.waker().clone();
        let mut queue = self.queue();
        if queue.control() != Control::Run {
            drop(queue);
            return Poll::Ready(self.leave_line(ticket).map_or(Ok(()), |message| Err(TellError::Stopped(message))));
        }
        // Under the same lock: whoever closes the line finds the waker in it.
        let polled = queue.line().map(|line| line.poll(ticket, waker));
        drop(queue);
        // The waker of before is dropped here, where no lock is held.
        polled.map_or(Poll::Ready(Ok(())), |(poll, _before)| poll.map(Ok))
    }

    /// Takes a message out of the line, if it still waits there.
    pub(super) fn leave_line(&self, ticket: u64) -> Option<M> {
        let left = self.queue().line().and_then(|line| line.leave(ticket));
        left.map(|(letter, _waker)| letter.message)
    }

    /// How long a message may wait in line.
    pub(super) fn patience(&self) -> Option<Duration> {
        match self.queue().line()?.policy {
            Overflow::Wait(within) => Some(within),
            _ => None,
        }
    }

    /// It is the agent's turn on its shard while this runs.
    #[inline]
    pub(super) fn turn<T>(&self, act: impl FnOnce() -> T) -> T {
        struct End<'a>(&'a Shared, u16);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                self.0.end_turn(self.1);
            }
        }
        self.begin_turn();
        let _end = End(&self.shared, self.shard);
        act()
    }

    /// It is the agent's turn until [`Door::end_turn`], for who cannot use [`Door::turn`].
    #[inline]
    pub(super) fn begin_turn(&self) {
        self.shared.begin_turn(self.id, self.shard);
    }

    #[inline]
    pub(super) fn end_turn(&self) {
        self.shared.end_turn(self.shard);
    }

    /// What the agent does next; see [`Queue::next`]. A letter is in hand until it is settled.
    #[inline]
    pub(super) fn next(&self, waker: &Waker) -> Next<M> {
        let mut queue = self.queue();
        let (next, admitted) = queue.next(waker);
        if matches!(next, Next::Letter(_) | Next::Last(_)) {
            self.in_hand.store(true, Ordering::Relaxed);
        }
        if let Some(Admitted(sender)) = admitted {
            self.shared.accept(self.shard);
            drop(queue);
            sender.into_iter().for_each(wake_contained);
        }
        next
    }

    /// Wakes `waker` at the next change, without looking at the letters.
    pub(super) fn park(&self, waker: &Waker) {
        self.queue().park(waker);
    }

    /// The letter in hand is handled.
    #[inline]
    pub(super) fn settle_handled(&self) {
        self.handled.store(self.handled.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        self.shared.ledger(self.shard).handled();
        self.in_hand.store(false, Ordering::Release);
    }

    /// The letter in hand is a dead one.
    pub(super) fn settle_dead(&self, reason: DeadLetter) {
        self.shared.ledger(self.shard).dead(reason);
        self.queue().bury(1);
        self.in_hand.store(false, Ordering::Release);
        self.trace_dead(reason);
    }

    /// Whether the letter in hand is neither handled nor dead, and is in the agent's hand alone.
    #[inline]
    pub(super) fn is_in_hand(&self) -> bool {
        self.in_hand.load(Ordering::Relaxed)
    }

    /// The letter in hand is taken on for somebody else: it is in hand no longer, and [settled](Self::settle_carried) later.
    pub(super) fn carry(&self) {
        self.rare().carried.begin();
        self.shared.ledger(self.shard).carried.begin();
        self.in_hand.store(false, Ordering::Release);
    }

    /// A letter that was taken on for somebody else is a dead one for this reason, or handled.
    pub(super) fn settle_carried(&self, dead: Option<DeadLetter>) {
        if let Some(reason) = dead {
            self.shared.ledger(self.shard).dead(reason);
            self.queue().bury(1);
        }
        self.rare().carried.end(dead.is_none());
        self.shared.ledger(self.shard).carried.end(dead.is_none());
        if let Some(reason) = dead {
            self.trace_dead(reason);
        }
    }

    /// Never under the lock: whoever listens may send to this very agent.
    fn trace_dead(&self, reason: DeadLetter) {
        tracing::debug!(agent = %self.id, name = %self.name, reason = reason.code(), "dead letter");
    }

    #[inline]
    pub(super) fn control(&self) -> Control {
        Control::from_u8(self.control.load(Ordering::SeqCst))
    }

    pub(super) fn raise(&self, control: Control) {
        let closing = {
            let mut queue = self.queue();
            let closing = queue.raise(control);
            self.control.store(queue.control() as u8, Ordering::SeqCst);
            closing
        };
        Self::tell_closing(closing, AskError::Stopped);
    }

    pub(super) fn order(&self, order: Order) {
        let waker = self.queue().order(order);
        waker.into_iter().for_each(wake_contained);
    }

    pub(super) fn take_orders(&self) -> Orders {
        self.queue().take_orders()
    }

    fn tell_closing(closing: Closing<M>, cause: AskError) {
        closing.wakers.into_iter().for_each(wake_contained);
        for question in closing.questions {
            with_cause(cause, || drop_contained(question.message));
        }
    }

    /// Closes the door for good; what waited becomes dead letters.
    pub(super) fn close(&self, cause: AskError) {
        let (left, closing) = {
            let mut queue = self.queue();
            let (left, closing) = queue.close();
            self.control.store(queue.control() as u8, Ordering::SeqCst);
            queue.bury(left.len());
            for _ in &left {
                self.shared.ledger(self.shard).dead(DeadLetter::Stopped);
            }
            (left, closing)
        };
        let messages = left.iter().filter(|letter| letter.lane == Lane::User).count();
        if messages > 0 {
            self.rare().left.store(messages as u64, Ordering::Release);
        }
        Self::tell_closing(closing, cause);
        with_cause(cause, || {
            for letter in left {
                self.trace_dead(DeadLetter::Stopped);
                drop_contained(letter.message);
            }
        });
    }

    fn rare(&self) -> &Rare<M> {
        self.rare.get_or_init(Box::default)
    }

    /// Nothing that belongs to somebody else runs under this lock, so it is never poisoned for a reason.
    #[inline]
    fn queue(&self) -> MutexGuard<'_, Queue<M>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
