//! What does a full mailbox do with one more message? Refuses it, lets it wait in line, or drops the oldest.

use std::collections::VecDeque;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::queue::Letter;

/// What happens to a message that comes to a full mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Overflow {
    /// It is refused, and handed back.
    #[default]
    Refuse,
    /// [`AgentRef::send`](super::AgentRef::send) and [`AgentRef::ask`](super::AgentRef::ask) wait in line for room: a
    /// message at most this long, a question at most as long as its own deadline. The line is served in order, and is as
    /// long as the capacity at most. [`AgentRef::tell`](super::AgentRef::tell) never waits, and overtakes nobody.
    Wait(Duration),
    /// It takes the place of the message that has waited longest, which becomes a dead letter.
    DropOldest,
}

/// Those who wait for room in one mailbox.
pub(super) struct Line<M: Send + 'static> {
    pub(super) policy: Overflow,
    waiting: VecDeque<Waiting<M>>,
    next_ticket: u64,
}

struct Waiting<M: Send + 'static> {
    ticket: u64,
    letter: Letter<M>,
    /// Of the sender; a question has none, its asker waits for the answer.
    waker: Option<Waker>,
}

impl<M: Send + 'static> Line<M> {
    pub(super) fn new(policy: Overflow) -> Self {
        Self { policy, waiting: VecDeque::new(), next_ticket: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Puts a letter at the end, and gives it a ticket; gives it back when as many as `most` wait already. Questions
    /// that nobody waits for any more make room: they come back to be dropped.
    pub(super) fn join(&mut self, letter: Letter<M>, most: u32) -> Result<(u64, Vec<Letter<M>>), Letter<M>> {
        if self.policy == Overflow::DropOldest {
            return Err(letter);
        }
        let mut left = Vec::new();
        if self.waiting.len() >= most as usize {
            let has_left = |waiting: &Waiting<M>| waiting.letter.asker.as_ref().is_some_and(|asker| asker.has_left());
            let (gone, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut self.waiting).into_iter().partition(has_left);
            self.waiting = waiting.into();
            left.extend(gone.into_iter().map(|waiting| waiting.letter));
        }
        if self.waiting.len() >= most as usize {
            return Err(letter);
        }
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.waiting.push_back(Waiting { ticket, letter, waker: None });
        Ok((ticket, left))
    }

    /// Takes the first letter out, with whom to tell.
    pub(super) fn advance(&mut self) -> Option<(Letter<M>, Option<Waker>)> {
        let Waiting { letter, waker, .. } = self.waiting.pop_front()?;
        Some((letter, waker))
    }

    /// Takes a letter out, if it is still in line, with its waker: to be dropped where no lock is held.
    pub(super) fn leave(&mut self, ticket: u64) -> Option<(Letter<M>, Option<Waker>)> {
        let at = self.place_of(ticket)?;
        self.waiting.remove(at).map(|waiting| (waiting.letter, waiting.waker))
    }

    /// Tickets ascend.
    fn place_of(&self, ticket: u64) -> Option<usize> {
        self.waiting.binary_search_by_key(&ticket, |waiting| waiting.ticket).ok()
    }

    /// Remembers whom to tell, and gives back whom it was told before; ready when the letter is not in line any more.
    pub(super) fn poll(&mut self, ticket: u64, waker: Waker) -> (Poll<()>, Option<Waker>) {
        match self.place_of(ticket).and_then(|at| self.waiting.get_mut(at)) {
            Some(waiting) => (Poll::Pending, waiting.waker.replace(waker)),
            None => (Poll::Ready(()), Some(waker)),
        }
    }

    /// Nobody is served any more: gives back the questions, and whom to tell. A message stays until its sender takes it
    /// back.
    pub(super) fn close(&mut self) -> (Vec<Letter<M>>, Vec<Waker>) {
        let (questions, messages): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|waiting| waiting.letter.asker.is_some());
        self.waiting = messages.into();
        let wakers = self.waiting.iter_mut().filter_map(|waiting| waiting.waker.take()).collect();
        (questions.into_iter().map(|waiting| waiting.letter).collect(), wakers)
    }
}
