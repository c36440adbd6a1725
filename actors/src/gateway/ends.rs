//! Which attempts have ended since the desk was last told? A leaf tells it of all that are in its mailbox at once: the desk is locked once for
//! them, and their callers, on other threads, are woken one right after the other, so that those threads wake and sleep less often.

use std::sync::Arc;

use super::call::Told;
use super::desk::Desk;
use super::leaf::Here;
use super::place::{Ended, Place};
use super::state::After;

/// As many are told together at most.
const MOST: usize = 32;

/// The ends of attempts, in their order.
#[derive(Default)]
pub(super) struct Ends {
    over: Vec<(Place, After)>,
    answers: Vec<Told>,
}

impl Ends {
    /// One more, of an attempt that had this place.
    pub(super) fn add(&mut self, desk: &Desk, place: Place, mut ended: Box<Ended>) {
        ended.flight = place.flight();
        let (after, answer) = desk.sort(ended);
        self.over.push((place, after));
        self.answers.extend(answer);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.over.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.over.len() >= MOST
    }

    /// The desk is told, then those who asked.
    pub(super) fn tell(&mut self, desk: &Arc<Desk>, here: Here<'_, '_>) {
        desk.over(self.over.drain(..), here);
        self.answers.drain(..).for_each(Ended::tell);
    }
}

impl Drop for Ends {
    /// Whoever is answered has his answer, also from a leaf that ends.
    fn drop(&mut self) {
        self.answers.drain(..).for_each(Ended::tell);
    }
}
