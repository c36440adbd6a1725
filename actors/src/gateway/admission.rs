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
    /// Arrivals at a full queue since it was last swept.
    refused: usize,
}

impl<C> Admission<C> {
    pub(super) fn new(max_in_flight: usize, max_waiting: usize) -> Self {
        Self { max_in_flight, max_waiting, in_flight: 0, waiting: VecDeque::new(), refused: 0 }
    }

    /// A call arrives that must be over by `deadline`, which is not before the deadlines of those that wait.
    /// `is_abandoned` says whether anybody still waits for a call.
    pub(super) fn arrive(&mut self, call: C, deadline: Instant, is_abandoned: impl Fn(&C) -> bool) -> Verdict<C> {
        if self.in_flight < self.max_in_flight && self.waiting.is_empty() {
            self.in_flight += 1;
            return Verdict::Start(call);
        }
        if self.waiting.len() >= self.max_waiting {
            self.sweep(is_abandoned);
        }
        if self.waiting.len() >= self.max_waiting {
            return Verdict::Refuse(call);
        }
        self.waiting.push_back((deadline, call));
        Verdict::Wait
    }

    /// Takes out of a full queue what nobody waits for: at most once for each sixteenth of the queue that arrives, so
    /// that a storm of refusals does not read the whole queue each time.
    fn sweep(&mut self, is_abandoned: impl Fn(&C) -> bool) {
        self.refused += 1;
        if self.refused > self.max_waiting / 16 {
            self.refused = 0;
            self.waiting.retain(|(_, call)| !is_abandoned(call));
        }
    }

    /// Gives a place back.
    pub(super) fn release(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// The next call that may start, in the order of arrival; a place is taken. What nobody waits for is passed over.
    pub(super) fn next(&mut self, is_abandoned: impl Fn(&C) -> bool) -> Option<(Instant, C)> {
        if self.in_flight >= self.max_in_flight {
            return None;
        }
        while let Some((deadline, call)) = self.waiting.pop_front() {
            if !is_abandoned(&call) {
                self.in_flight += 1;
                return Some((deadline, call));
            }
        }
        None
    }

    /// Takes out the waiting calls that are over at `now`. The oldest are over first.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<C> {
        let over = self.waiting.iter().take_while(|(deadline, _)| *deadline <= now).count();
        self.waiting.drain(..over).map(|(_, call)| call).collect()
    }

    /// When the next waiting call is over.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.waiting.front().map(|(deadline, _)| *deadline)
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
        let waits = |_: &char| false;
        assert_eq!(admission.arrive('a', soon, waits), Verdict::Start('a'));
        assert_eq!(admission.arrive('b', soon, waits), Verdict::Wait);
        assert_eq!(admission.arrive('c', soon, waits), Verdict::Wait);
        assert_eq!(admission.arrive('d', soon, waits), Verdict::Refuse('d'));
        assert_eq!(admission.next(waits), None);
        admission.release();
        assert_eq!(admission.next(waits).map(|(_, call)| call), Some('b'));
        assert_eq!(admission.expire(soon), ['c']);
    }

    #[test]
    fn what_nobody_waits_for_makes_room() {
        let soon = Instant::now() + Duration::from_secs(1);
        let mut admission = Admission::new(1, 2);
        let left = |call: &char| *call == 'b';
        for call in ['a', 'b', 'c'] {
            admission.arrive(call, soon, left);
        }
        assert_eq!(admission.arrive('d', soon, left), Verdict::Wait);
        assert_eq!(admission.arrive('e', soon, left), Verdict::Refuse('e'));
        admission.release();
        assert_eq!(admission.next(left).map(|(_, call)| call), Some('c'));
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
                        let verdict = admission.arrive(number, now + Duration::from_secs(number as u64), |call| call % 3 == 0);
                        running += usize::from(verdict == Verdict::Start(number));
                    }
                    2 if running > 0 => {
                        admission.release();
                        running -= 1;
                        running += usize::from(admission.next(|call| call % 3 == 0).is_some());
                    }
                    _ => drop(admission.expire(now + Duration::from_secs(number as u64 / 2))),
                }
                prop_assert_eq!(admission.in_flight(), running);
                prop_assert!(running <= limit && admission.waiting() <= 3);
                prop_assert!(admission.waiting() == 0 || running == limit, "nobody waits beside a free place");
            }
        }
    }
}
