//! Which call may start, which waits, which is refused? Pure: time is an argument.

use std::collections::VecDeque;

use tokio::time::Instant;

/// What becomes of a call that arrives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict<C> {
    /// It may start; a place is taken.
    Start(C),
    /// It waits.
    Wait,
    /// The queue is full.
    Refuse(C),
}

/// The places and the queue. Whoever gets a place gives it back with [`Admission::release`].
#[derive(Debug)]
pub(super) struct Admission<C> {
    max_in_flight: usize,
    max_waiting: usize,
    in_flight: usize,
    waiting: VecDeque<(Instant, C)>,
}

impl<C> Admission<C> {
    pub(super) fn new(max_in_flight: usize, max_waiting: usize) -> Self {
        Self { max_in_flight, max_waiting, in_flight: 0, waiting: VecDeque::new() }
    }

    /// A call arrives that must be over by `deadline`.
    pub(super) fn arrive(&mut self, call: C, deadline: Instant) -> Verdict<C> {
        if self.in_flight < self.max_in_flight && self.waiting.is_empty() {
            self.in_flight += 1;
            return Verdict::Start(call);
        }
        if self.waiting.len() >= self.max_waiting {
            return Verdict::Refuse(call);
        }
        self.waiting.push_back((deadline, call));
        Verdict::Wait
    }

    /// Gives a place back.
    pub(super) fn release(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// The next call that may start, in the order of arrival; a place is taken.
    pub(super) fn next(&mut self) -> Option<(Instant, C)> {
        if self.in_flight >= self.max_in_flight {
            return None;
        }
        let next = self.waiting.pop_front()?;
        self.in_flight += 1;
        Some(next)
    }

    /// Takes out the waiting calls that are over at `now`, or that nobody waits for.
    pub(super) fn expire(&mut self, now: Instant, is_abandoned: impl Fn(&C) -> bool) -> Vec<C> {
        let is_over = |(deadline, call): &(Instant, C)| *deadline <= now || is_abandoned(call);
        let (over, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(is_over);
        self.waiting = waiting;
        let over: VecDeque<_> = over;
        over.into_iter().map(|(_, call)| call).collect()
    }

    /// When the next waiting call is over.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.waiting.iter().map(|(deadline, _)| *deadline).min()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn calls_start_wait_and_are_refused_in_order() {
        let soon = Instant::now() + Duration::from_secs(1);
        let mut admission = Admission::new(1, 2);
        assert_eq!(admission.arrive('a', soon), Verdict::Start('a'));
        assert_eq!(admission.arrive('b', soon), Verdict::Wait);
        assert_eq!(admission.arrive('c', soon), Verdict::Wait);
        assert_eq!(admission.arrive('d', soon), Verdict::Refuse('d'));
        assert_eq!(admission.next(), None);
        admission.release();
        assert_eq!(admission.next().map(|(_, call)| call), Some('b'));
        assert_eq!(admission.expire(soon, |_| false), ['c']);
    }

    proptest! {
        #[test]
        fn the_limits_hold_for_any_order(steps in proptest::collection::vec(0..4u8, 0..300), limit in 1..5usize) {
            let now = Instant::now();
            let mut admission = Admission::new(limit, 3);
            let mut running = 0usize;
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    0 | 1 => {
                        let verdict = admission.arrive(number, now + Duration::from_secs(number as u64));
                        running += usize::from(verdict == Verdict::Start(number));
                    }
                    2 if running > 0 => {
                        admission.release();
                        running -= 1;
                        running += usize::from(admission.next().is_some());
                    }
                    _ => drop(admission.expire(now, |call| call % 3 == 0)),
                }
                prop_assert_eq!(admission.in_flight(), running);
                prop_assert!(running <= limit && admission.waiting() <= 3);
                prop_assert!(admission.waiting() == 0 || running == limit, "nobody waits beside a free place");
            }
        }
    }
}
