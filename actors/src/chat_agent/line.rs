//! Whose turn is it with an agent? One ask at a time, in the order in which they came; the others wait. Pure: the host holds the lock.

use std::collections::VecDeque;

/// Those who ask.
#[derive(Debug)]
pub(super) struct Line<A> {
    capacity: usize,
    /// Whether one is carried out.
    is_busy: bool,
    is_closed: bool,
    /// Whether it stays closed.
    is_over: bool,
    /// Whether the agent was told to end: it takes over from no other one, and no copy of it is asked.
    is_leaving: bool,
    waiting: VecDeque<A>,
}

/// What becomes of an ask that comes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came<A> {
    /// It is carried out.
    Begins(A),
    /// It waits. Those in whose place it may wait have left: to be dropped without the lock.
    Waits(Vec<A>),
    /// So many wait already.
    Full(A),
    /// The agent has ended.
    Closed(A),
}

impl<A> Line<A> {
    /// Nobody yet; at most so many wait.
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, is_busy: false, is_closed: false, is_over: false, is_leaving: false, waiting: VecDeque::new() }
    }

    /// One comes. Of those who wait, `has_left` says who need not be kept.
    pub(super) fn arrive(&mut self, ask: A, has_left: impl Fn(&A) -> bool) -> Came<A> {
        if self.is_closed {
            return Came::Closed(ask);
        }
        if !self.is_busy {
            self.is_busy = true;
            return Came::Begins(ask);
        }
        let mut gone = Vec::new();
        if self.waiting.len() >= self.capacity {
            let waiting: Vec<_>;
            (gone, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(has_left);
            self.waiting = waiting.into();
        }
        if self.waiting.len() >= self.capacity {
            return Came::Full(ask);
        }
        self.waiting.push_back(ask);
        Came::Waits(gone)
    }

    /// The one that was carried out is over: the next one, and those before it who have left.
    pub(super) fn next(&mut self, has_left: impl Fn(&A) -> bool) -> (Option<A>, Vec<A>) {
        let mut gone = Vec::new();
        while let Some(next) = self.waiting.pop_front() {
            if !has_left(&next) {
                return (Some(next), gone);
            }
            gone.push(next);
        }
        self.is_busy = false;
        // An agent that waits holds no memory for its line.
        self.waiting = VecDeque::new();
        (None, gone)
    }

    /// Nobody comes in any more: all that wait.
    pub(super) fn close(&mut self) -> VecDeque<A> {
        self.is_closed = true;
        std::mem::take(&mut self.waiting)
    }

    /// The same for good: no new incarnation opens it.
    pub(super) fn end(&mut self) -> VecDeque<A> {
        self.is_over = true;
        self.close()
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// It ends; whoever is in line has his turn all the same.
    pub(super) fn leave(&mut self) {
        self.is_leaving = true;
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.is_leaving || self.is_over
    }

    /// There is a new incarnation.
    pub(super) fn open(&mut self) {
        self.is_closed = self.is_over;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_in_order_and_those_who_left_make_room() {
        let mut line = Line::new(2);
        let stays = |_: &u8| false;
        assert_eq!(line.arrive(1, stays), Came::Begins(1));
        assert_eq!((line.arrive(2, stays), line.arrive(3, stays)), (Came::Waits(vec![]), Came::Waits(vec![])));
        assert_eq!(line.arrive(4, stays), Came::Full(4));
        assert_eq!(line.arrive(5, |ask| *ask == 2), Came::Waits(vec![2]));
        assert_eq!(line.next(stays), (Some(3), vec![]));
        assert_eq!(line.next(|ask| *ask == 5), (None, vec![5]));
        assert_eq!(line.arrive(6, stays), Came::Begins(6), "it is free again");
        assert_eq!(line.arrive(7, stays), Came::Waits(vec![]));
        assert_eq!(line.close(), [7]);
        assert_eq!(line.arrive(8, stays), Came::Closed(8));
        line.open();
        assert_eq!(line.arrive(9, stays), Came::Waits(vec![]), "the next incarnation goes on");
        assert_eq!(line.end(), [9]);
        line.open();
        assert_eq!(line.arrive(10, stays), Came::Closed(10));
    }
}
