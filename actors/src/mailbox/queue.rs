//! What waits in a mailbox, and may one more come in? Plain values: [`Door`](super::Door) holds one behind its lock.
//!
//! The bound, the order, the close and what is in hand are decided here under one lock, so that a message is accepted
//! or refused at one moment, and an agent that goes leaves no message behind that nobody counted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use super::orders::{Order, Orders};
use super::overflow::{Line, Overflow};
use super::reply::Asker;
use super::working::Working;

/// An agent that has taken as many messages keeps the memory for a few letters while it waits.
const BUSY: u8 = 64;
/// That many letters, which is what its first one takes memory for; that of others takes it for one.
const ROOM: usize = 4;

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
    /// Takes nothing any more, not even what it asked for itself.
    Gone = 3,
}

impl Control {
    pub(super) fn from_u8(number: u8) -> Self {
        match number {
            0 => Self::Run,
            1 => Self::Drain,
            2 => Self::Stop,
            _ => Self::Gone,
        }
    }
}

/// Where a message came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Through the front door: counts against the capacity.
    User,
    /// A result, a timer or a notice that the agent itself asked for, in this incarnation. Bounded by what it may have
    /// in flight, not by the capacity, so that a full mailbox cannot lose the result of work that was paid for.
    Own {
        /// Which life of the agent asked for it.
        incarnation: u32,
    },
}

/// One message with what is needed to account for it.
pub(super) struct Letter<M: Send + 'static> {
    pub(super) message: M,
    pub(super) lane: Lane,
    /// Who waits for the reply in it, if it is a question.
    pub(super) asker: Option<Arc<dyn Asker>>,
    /// When it came: a [moment](crate::runtime::Shared::moment).
    pub(super) since: u32,
    /// The place that the work took whose result this is: free once the letter is opened.
    pub(super) place: Option<Working<M>>,
}

impl<M: Send + 'static> Letter<M> {
    /// A message from outside.
    pub(super) fn user(message: M, asker: Option<Arc<dyn Asker>>) -> Self {
        Self { message, lane: Lane::User, asker, since: 0, place: None }
    }

    /// What this incarnation of the agent asked for.
    pub(super) fn own(message: M, incarnation: u32, place: Option<Working<M>>) -> Self {
        Self { message, lane: Lane::Own { incarnation }, asker: None, since: 0, place }
    }
}

/// Why a letter was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    Full,
    Closed,
}

/// What an agent does next.
pub(super) enum Next<M: Send + 'static> {
    /// Handle this.
    Letter(Letter<M>),
    /// Handle this, then wait: the waker is remembered.
    Last(Letter<M>),
    /// Wait: the waker is remembered.
    Wait,
    /// Handle nothing more.
    Stop,
}

/// A letter has left the line and is accepted; its sender is to be told.
pub(super) struct Admitted(pub(super) Option<Waker>);

/// What an accepted letter brought about.
pub(super) struct Accepted<M: Send + 'static> {
    /// Whether the agent waits and is to be woken.
    pub(super) wakes: bool,
    /// The letter whose place it took.
    pub(super) displaced: Option<Box<Letter<M>>>,
}

/// What became of a letter that may wait.
pub(super) enum LinedUp<M: Send + 'static> {
    Accepted(Accepted<M>),
    Waits {
        ticket: u64,
        /// Questions that nobody waits for any more.
        left: Vec<Letter<M>>,
    },
}

/// Who is to learn that a door closes.
pub(super) struct Closing<M: Send + 'static> {
    pub(super) wakers: Vec<Waker>,
    /// Questions that were never accepted.
    pub(super) questions: Vec<Letter<M>>,
}

/// The letters of one agent in the order in which they were accepted.
pub(super) struct Queue<M: Send + 'static> {
    letters: VecDeque<Letter<M>>,
    /// Wakes the agent; kept as long as it lives, because it is nearly always the same.
    waker: Option<Waker>,
    /// Whether the agent waits for something, and nobody has woken it yet.
    parked: bool,
    /// Letters of [`Lane::User`] that wait.
    users: u32,
    control: Control,
    /// Of its group; `None` when none is pending.
    orders: Option<Box<Orders>>,
    /// How many letters the agent took out; counted up to [`BUSY`].
    taken: u8,
    /// How many became dead ones.
    dead: u32,
    /// `None` when a full mailbox refuses.
    line: Option<Box<Line<M>>>,
}

impl<M: Send + 'static> Queue<M> {
    pub(super) fn new(overflow: Overflow) -> Self {
        let line = (overflow != Overflow::Refuse).then(|| Box::new(Line::new(overflow)));
        Self {
            letters: VecDeque::new(),
            waker: None,
            parked: false,
            users: 0,
            control: Control::Run,
            orders: None,
            taken: 0,
            dead: 0,
            line,
        }
    }

    /// Takes a letter if there is room for it now, or if the policy makes room.
    #[inline]
    pub(super) fn offer(&mut self, letter: Letter<M>, capacity: u32) -> Result<Accepted<M>, (Refused, Letter<M>)> {
        let displaced = match letter.lane {
            Lane::User if self.control != Control::Run => return Err((Refused::Closed, letter)),
            Lane::User if self.has_room(capacity) => None,
            Lane::User => match self.oldest_to_drop() {
                Some(oldest) => Some(Box::new(oldest)),
                None => return Err((Refused::Full, letter)),
            },
            Lane::Own { .. } if self.control == Control::Gone => return Err((Refused::Closed, letter)),
            Lane::Own { .. } => None,
        };
        self.push(letter);
        Ok(Accepted { wakes: std::mem::take(&mut self.parked), displaced })
    }

    /// Takes a letter, or gives it a ticket for its place in line.
    #[inline]
    pub(super) fn line_up(&mut self, letter: Letter<M>, capacity: u32) -> Result<LinedUp<M>, (Refused, Letter<M>)> {
        match (self.offer(letter, capacity), &mut self.line) {
            (Err((Refused::Full, letter)), Some(line)) => match line.join(letter, capacity) {
                Ok((ticket, left)) => Ok(LinedUp::Waits { ticket, left }),
                Err(letter) => Err((Refused::Full, letter)),
            },
            (offered, _) => offered.map(LinedUp::Accepted),
        }
    }

    /// Nobody overtakes those who wait in line.
    #[inline]
    fn has_room(&self, capacity: u32) -> bool {
        self.users < capacity && self.line.as_ref().is_none_or(|line| line.is_empty())
    }

    fn oldest_to_drop(&mut self) -> Option<Letter<M>> {
        self.line.as_ref().filter(|line| line.policy == Overflow::DropOldest)?;
        let at = self.letters.iter().position(|letter| letter.lane == Lane::User)?;
        self.users -= 1;
        self.letters.remove(at)
    }

    fn push(&mut self, letter: Letter<M>) {
        self.users += u32::from(letter.lane == Lane::User);
        // Most agents that wait for their first message get one.
        if self.letters.capacity() == 0 && self.taken < BUSY {
            self.letters.reserve_exact(1);
        }
        self.letters.push_back(letter);
    }

    /// The line, for who has a ticket.
    pub(super) fn line(&mut self) -> Option<&mut Line<M>> {
        self.line.as_deref_mut()
    }

    /// The next letter; and who came in from the line for it. Whoever takes the last one is woken for the next: it need
    /// not come back to be told that there is none.
    #[inline]
    pub(super) fn next(&mut self, waker: &Waker) -> (Next<M>, Option<Admitted>) {
        if self.control >= Control::Stop || self.orders.as_ref().is_some_and(|orders| orders.interrupt()) {
            return (Next::Stop, None);
        }
        let Some(letter) = self.letters.pop_front() else {
            self.give_memory_back();
            self.park(waker);
            return (Next::Wait, None);
        };
        self.taken = self.taken.saturating_add(1);
        let admitted = if letter.lane == Lane::User { self.leave_room() } else { None };
        if !self.letters.is_empty() {
            return (Next::Letter(letter), admitted);
        }
        self.give_memory_back();
        self.park(waker);
        (Next::Last(letter), admitted)
    }

    /// An agent that waits holds no memory for letters, or little if it is a busy one.
    fn give_memory_back(&mut self) {
        if self.taken < BUSY || self.letters.capacity() > ROOM {
            self.letters = VecDeque::new();
        }
    }

    pub(super) fn rest_for_long(&mut self) {
        self.taken = 0;
        if self.letters.is_empty() {
            self.letters = VecDeque::new();
        }
    }

    /// A letter of the front door is gone: the first in line comes in.
    fn leave_room(&mut self) -> Option<Admitted> {
        self.users -= 1;
        let line = self.line.as_mut().filter(|_| self.control == Control::Run)?;
        let (waiting, waker) = line.advance()?;
        self.push(waiting);
        Some(Admitted(waker))
    }

    /// Wakes the agent under the lock: only on the agent's own thread, where nobody waits for the lock meanwhile.
    #[inline]
    pub(super) fn wake_here(&self) {
        if let Some(waker) = &self.waker {
            waker.wake_by_ref();
        }
    }

    /// Wakes the agent, where the lock is not held.
    pub(super) fn waker(&self) -> Option<Waker> {
        self.waker.clone()
    }

    /// Who is to be woken, if anybody waits.
    fn unpark(&mut self) -> Option<Waker> {
        if std::mem::take(&mut self.parked) { self.waker() } else { None }
    }

    /// Remembers whom to wake.
    #[inline]
    pub(super) fn park(&mut self, waker: &Waker) {
        self.parked = true;
        match &mut self.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// Raises the control, and says who is to learn it.
    pub(super) fn raise(&mut self, control: Control) -> Closing<M> {
        self.control = self.control.max(control);
        let closed = self.line.as_mut().filter(|_| self.control > Control::Run).map(|line| line.close());
        let (questions, mut wakers) = closed.unwrap_or_default();
        wakers.extend(self.unpark());
        Closing { wakers, questions }
    }

    /// Takes nothing from here on, and gives back what waits.
    pub(super) fn close(&mut self) -> (VecDeque<Letter<M>>, Closing<M>) {
        let mut closing = self.raise(Control::Gone);
        // The task holds the door: the door holds the task no longer.
        closing.wakers.extend(self.waker.take());
        self.users = 0;
        (std::mem::take(&mut self.letters), closing)
    }

    /// Adds to the orders, and gives back who is to be woken.
    pub(super) fn order(&mut self, order: Order) -> Option<Waker> {
        self.orders.get_or_insert_default().add(order);
        self.unpark()
    }

    pub(super) fn take_orders(&mut self) -> Orders {
        self.orders.take().map_or_else(Orders::default, |orders| *orders)
    }

    pub(super) fn control(&self) -> Control {
        self.control
    }

    /// Letters of the front door that wait.
    pub(super) fn depth(&self) -> usize {
        self.users as usize
    }

    /// Letters of the agent's own lane that wait.
    pub(super) fn own(&self) -> u64 {
        self.letters.len() as u64 - u64::from(self.users)
    }

    /// When the letter came that waits longest.
    pub(super) fn oldest(&self) -> Option<u32> {
        self.letters.front().map(|letter| letter.since)
    }

    /// A letter of the agent became a dead one.
    pub(super) fn bury(&mut self, letters: usize) {
        self.dead = self.dead.saturating_add(u32::try_from(letters).unwrap_or(u32::MAX));
    }

    pub(super) fn dead(&self) -> u64 {
        u64::from(self.dead)
    }

    /// Letters that wait, of either lane.
    pub(super) fn len(&self) -> usize {
        self.letters.len()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::task::noop_waker;

    use super::*;

    fn user(message: u32) -> Letter<u32> {
        Letter::user(message, None)
    }

    fn own(message: u32) -> Letter<u32> {
        Letter::own(message, 1, None)
    }

    fn refusal(outcome: Result<Accepted<u32>, (Refused, Letter<u32>)>) -> Option<(Refused, u32)> {
        outcome.err().map(|(refused, letter)| (refused, letter.message))
    }

    #[test]
    fn the_capacity_bounds_the_front_door_only() {
        let mut queue = Queue::new(Overflow::Refuse);
        assert_eq!(refusal(queue.offer(user(1), 2)), None);
        assert_eq!(refusal(queue.offer(user(2), 2)), None);
        assert_eq!(refusal(queue.offer(user(3), 2)), Some((Refused::Full, 3)));
        assert_eq!(refusal(queue.offer(own(4), 2)), None);
        assert_eq!((queue.depth(), queue.len()), (2, 3));
    }

    #[test]
    fn letters_come_in_their_order_and_the_last_one_says_so() {
        let mut queue = Queue::new(Overflow::Refuse);
        for message in 1..=3 {
            assert!(queue.offer(if message == 2 { own(message) } else { user(message) }, 9).is_ok());
        }
        let waker = noop_waker();
        assert!(matches!(queue.next(&waker).0, Next::Letter(letter) if letter.message == 1));
        assert!(matches!(queue.next(&waker).0, Next::Letter(letter) if letter.message == 2));
        assert_eq!(queue.len(), 1);
        assert!(matches!(queue.next(&waker).0, Next::Last(letter) if letter.message == 3));
        assert!(queue.offer(user(4), 9).is_ok_and(|accepted| accepted.wakes), "it is woken for the next");
        assert!(matches!(queue.next(&waker).0, Next::Last(letter) if letter.message == 4));
        assert!(matches!(queue.next(&waker).0, Next::Wait));
        assert_eq!((queue.depth(), queue.len()), (0, 0));
    }

    #[test]
    fn a_waiting_agent_is_woken_once_for_each_wait() {
        let mut queue = Queue::new(Overflow::Refuse);
        assert!(matches!(queue.next(&noop_waker()).0, Next::Wait));
        assert!(queue.offer(user(1), 9).is_ok_and(|accepted| accepted.wakes));
        assert!(queue.offer(user(2), 9).is_ok_and(|accepted| !accepted.wakes));
    }

    #[test]
    fn each_step_towards_the_end_closes_one_more_door() {
        let mut queue = Queue::new(Overflow::Refuse);
        let waker = noop_waker();
        queue.raise(Control::Drain);
        assert_eq!(refusal(queue.offer(user(1), 9)), Some((Refused::Closed, 1)));
        assert_eq!(refusal(queue.offer(own(2), 9)), None);
        queue.raise(Control::Stop);
        queue.raise(Control::Drain);
        assert!(matches!(queue.next(&waker).0, Next::Stop), "control never falls");
        assert_eq!(refusal(queue.offer(own(3), 9)), None);
        assert_eq!(queue.close().0.len(), 2);
        assert_eq!(refusal(queue.offer(own(4), 9)), Some((Refused::Closed, 4)));
        assert_eq!(queue.len(), 0);
    }

    #[test]
    fn the_oldest_of_the_front_door_makes_room_when_the_policy_says_so() {
        let mut queue = Queue::new(Overflow::DropOldest);
        assert!(queue.offer(own(1), 2).is_ok() && queue.offer(user(2), 2).is_ok() && queue.offer(user(3), 2).is_ok());
        let displaced = queue.offer(user(4), 2).ok().and_then(|accepted| accepted.displaced);
        assert_eq!(displaced.map(|letter| letter.message), Some(2));
        assert_eq!((queue.depth(), queue.len()), (2, 3));
        assert!(
            queue.line_up(user(5), 2).is_ok_and(|lined_up| matches!(lined_up, LinedUp::Accepted(_))),
            "nobody waits in line"
        );
    }

    #[test]
    fn the_line_is_served_in_order_and_nobody_overtakes_it() {
        let waker = noop_waker();
        let mut queue = Queue::new(Overflow::Wait(std::time::Duration::from_secs(1)));
        assert!(queue.line_up(user(1), 1).is_ok_and(|lined_up| matches!(lined_up, LinedUp::Accepted(_))));
        assert!(queue.line_up(user(2), 1).is_ok_and(|lined_up| matches!(lined_up, LinedUp::Waits { ticket: 0, .. })));
        assert!(queue.line_up(user(3), 1).is_err_and(|(refused, _)| refused == Refused::Full), "the line has an end");
        let (Next::Letter(first), Some(_)) = queue.next(&waker) else { panic!("the second comes in for the first") };
        assert_eq!((first.message, queue.depth()), (1, 1));
        assert!(matches!(queue.next(&waker), (Next::Last(letter), None) if letter.message == 2));
        assert!(queue.line().and_then(|line| line.leave(0)).is_none());
    }
}
