//! What waits in a mailbox, and may one more come in? Plain values: [`Door`](super::Door) holds one behind its lock.
//!
//! The bound, the order, the close and what is in hand are decided here under one lock, so that a message is accepted
//! or refused at one moment, and an agent that goes leaves no message behind that nobody counted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use super::door::Working;
use super::reply::Asker;

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
    /// The place that the work took whose result this is: free once the letter is opened.
    pub(super) place: Option<Working<M>>,
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
    /// Wait: the waker is remembered.
    Wait,
    /// Handle nothing more.
    Stop,
}

/// The letters of one agent in the order in which they were accepted.
pub(super) struct Queue<M: Send + 'static> {
    letters: VecDeque<Letter<M>>,
    /// Wakes the agent; taken by whoever has something for it.
    waker: Option<Waker>,
    /// Letters of [`Lane::User`] that wait.
    users: u32,
    control: Control,
    /// Whether the agent handles one right now.
    in_hand: bool,
}

impl<M: Send + 'static> Default for Queue<M> {
    fn default() -> Self {
        Self { letters: VecDeque::new(), waker: None, users: 0, control: Control::Run, in_hand: false }
    }
}

impl<M: Send + 'static> Queue<M> {
    /// Takes a letter if there is room for it, and gives back who is to be woken.
    pub(super) fn offer(&mut self, letter: Letter<M>, capacity: u32) -> Result<Option<Waker>, (Refused, Letter<M>)> {
        let refused = match letter.lane {
            Lane::User if self.control != Control::Run => Some(Refused::Closed),
            Lane::User if self.users >= capacity => Some(Refused::Full),
            Lane::Own { .. } if self.control == Control::Gone => Some(Refused::Closed),
            Lane::User | Lane::Own { .. } => None,
        };
        if let Some(refused) = refused {
            return Err((refused, letter));
        }
        self.users += u32::from(letter.lane == Lane::User);
        self.letters.push_back(letter);
        Ok(self.waker.take())
    }

    /// The next letter, which is in hand until it is [settled](Self::settle).
    pub(super) fn next(&mut self, waker: &Waker) -> Next<M> {
        if self.control >= Control::Stop {
            return Next::Stop;
        }
        let Some(letter) = self.letters.pop_front() else {
            // An agent that waits holds no memory for letters.
            self.letters = VecDeque::new();
            self.park(waker);
            return Next::Wait;
        };
        self.users -= u32::from(letter.lane == Lane::User);
        self.in_hand = true;
        Next::Letter(letter)
    }

    /// Remembers whom to wake.
    pub(super) fn park(&mut self, waker: &Waker) {
        match &mut self.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
    }

    /// The letter in hand is accounted for.
    pub(super) fn settle(&mut self) {
        self.in_hand = false;
    }

    /// Raises the control, and gives back who is to be woken.
    pub(super) fn raise(&mut self, control: Control) -> Option<Waker> {
        self.control = self.control.max(control);
        self.waker.take()
    }

    /// Takes nothing from here on, and gives back what waits.
    pub(super) fn close(&mut self) -> VecDeque<Letter<M>> {
        let _nobody_to_wake = self.raise(Control::Gone);
        self.users = 0;
        std::mem::take(&mut self.letters)
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

    /// Accepted letters that are not settled: waiting, or in hand.
    pub(super) fn pending(&self) -> u64 {
        self.letters.len() as u64 + u64::from(self.in_hand)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::task::noop_waker;

    use super::*;

    fn user(message: u32) -> Letter<u32> {
        Letter { message, lane: Lane::User, asker: None, place: None }
    }

    fn own(message: u32) -> Letter<u32> {
        Letter { message, lane: Lane::Own { incarnation: 1 }, asker: None, place: None }
    }

    fn refusal(outcome: Result<Option<Waker>, (Refused, Letter<u32>)>) -> Option<(Refused, u32)> {
        outcome.err().map(|(refused, letter)| (refused, letter.message))
    }

    #[test]
    fn the_capacity_bounds_the_front_door_only() {
        let mut queue = Queue::default();
        assert_eq!(refusal(queue.offer(user(1), 2)), None);
        assert_eq!(refusal(queue.offer(user(2), 2)), None);
        assert_eq!(refusal(queue.offer(user(3), 2)), Some((Refused::Full, 3)));
        assert_eq!(refusal(queue.offer(own(4), 2)), None);
        assert_eq!((queue.depth(), queue.pending()), (2, 3));
    }

    #[test]
    fn letters_come_in_their_order_and_count_until_they_are_settled() {
        let mut queue = Queue::default();
        for message in 1..=3 {
            assert!(queue.offer(if message == 2 { own(message) } else { user(message) }, 9).is_ok());
        }
        let waker = noop_waker();
        for message in 1..=3 {
            assert!(matches!(queue.next(&waker), Next::Letter(letter) if letter.message == message));
            assert_eq!(queue.pending(), u64::from(4 - message));
            queue.settle();
        }
        assert!(matches!(queue.next(&waker), Next::Wait));
        assert_eq!((queue.depth(), queue.pending()), (0, 0));
    }

    #[test]
    fn a_waiting_agent_is_woken_once_for_each_wait() {
        let mut queue = Queue::default();
        assert!(matches!(queue.next(&noop_waker()), Next::Wait));
        assert!(queue.offer(user(1), 9).is_ok_and(|waker| waker.is_some()));
        assert!(queue.offer(user(2), 9).is_ok_and(|waker| waker.is_none()));
    }

    #[test]
    fn each_step_towards_the_end_closes_one_more_door() {
        let mut queue = Queue::default();
        let waker = noop_waker();
        queue.raise(Control::Drain);
        assert_eq!(refusal(queue.offer(user(1), 9)), Some((Refused::Closed, 1)));
        assert_eq!(refusal(queue.offer(own(2), 9)), None);
        queue.raise(Control::Stop);
        queue.raise(Control::Drain);
        assert!(matches!(queue.next(&waker), Next::Stop), "control never falls");
        assert_eq!(refusal(queue.offer(own(3), 9)), None);
        assert_eq!(queue.close().len(), 2);
        assert_eq!(refusal(queue.offer(own(4), 9)), Some((Refused::Closed, 4)));
        assert_eq!(queue.pending(), 0);
    }
}
