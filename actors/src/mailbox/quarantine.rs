//! Which messages have killed their agent too often? They are recognised by a fingerprint, and handled no more.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// As many fingerprints are remembered for one agent; the one that was struck longest ago is forgotten for a new one.
const REMEMBERED: usize = 64;

/// What two messages have in common that ask for the same thing; `None` for a message that is never held back.
pub(super) type Fingerprint<M> = Box<dyn Fn(&M) -> Option<u64> + Send + Sync>;

/// Counts the panics behind each fingerprint, through all incarnations of one agent.
pub(super) struct Quarantine<M> {
    fingerprint: Fingerprint<M>,
    after: u32,
    strikes: Mutex<VecDeque<Strikes>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Strikes {
    fingerprint: u64,
    panics: u32,
}

impl<M> Quarantine<M> {
    pub(super) fn new(after: u32, fingerprint: Fingerprint<M>) -> Self {
        Self { fingerprint, after, strikes: Mutex::default() }
    }

    /// So many panics are too many.
    pub(super) fn after(&self) -> u32 {
        self.after
    }

    pub(super) fn fingerprint(&self, message: &M) -> Option<u64> {
        (self.fingerprint)(message)
    }

    /// Whether messages with this fingerprint are held back.
    pub(super) fn holds(&self, fingerprint: u64) -> bool {
        self.strikes().iter().any(|known| known.fingerprint == fingerprint && known.panics >= self.after)
    }

    /// A message with this fingerprint made its agent panic; `true` when that was once too often.
    pub(super) fn strike(&self, fingerprint: u64) -> bool {
        let mut strikes = self.strikes();
        let known = strikes.iter().position(|known| known.fingerprint == fingerprint).and_then(|at| strikes.remove(at));
        let panics = known.map_or(0, |known| known.panics) + 1;
        if strikes.len() >= REMEMBERED {
            strikes.pop_front();
        }
        strikes.push_back(Strikes { fingerprint, panics });
        panics == self.after
    }

    /// How many fingerprints are held back.
    pub(super) fn len(&self) -> usize {
        self.strikes().iter().filter(|known| known.panics >= self.after).count()
    }

    fn strikes(&self) -> MutexGuard<'_, VecDeque<Strikes>> {
        self.strikes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_held_back_after_so_many_panics_and_no_other_is() {
        let quarantine = Quarantine::new(2, Box::new(|message: &u64| Some(*message)));
        assert!(!quarantine.strike(7) && !quarantine.holds(7));
        assert!(!quarantine.strike(8));
        assert!(quarantine.strike(7) && quarantine.holds(7) && !quarantine.holds(8));
        assert_eq!(quarantine.len(), 1);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let quarantine = Quarantine::new(1, Box::new(|message: &u64| Some(*message)));
        for fingerprint in 0..1000 {
            quarantine.strike(fingerprint);
        }
        assert_eq!(quarantine.len(), REMEMBERED);
        assert!(quarantine.holds(999) && !quarantine.holds(0));
    }
}
