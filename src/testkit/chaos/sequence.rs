//! Which fault does call number n get? Shares, bursts that last, and one seed; pure. Neither time nor who asks plays a part.

use std::ops::RangeInclusive;

use super::fault::ChaosFault;
use crate::testkit::chance;

/// What a draw is for.
const WHICH: u64 = 1;
const HOW_LONG: u64 = 2;
const HOW_FAR: u64 = 3;

/// Shares may be added up with this much of an error.
const ROUNDING: f64 = 1e-9;

/// What happens to a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fate {
    pub(super) fault: Option<ChaosFault>,
    /// How far its reply gets, in `0.0..1.0`.
    pub(super) far: f64,
}

/// The fates of all calls, in the order in which they are made.
#[derive(Debug)]
pub(super) struct Sequence {
    seed: u64,
    calls: u64,
    kinds: Vec<Kind>,
    /// The fault that goes on, and for how many calls.
    goes_on: Option<(ChaosFault, u64)>,
}

#[derive(Debug)]
struct Kind {
    fault: ChaosFault,
    /// Of the calls that are not in a burst already: with how many does it begin?
    share: f64,
    lasts: RangeInclusive<u64>,
}

impl Sequence {
    pub(super) fn new(seed: u64) -> Self {
        Self { seed, calls: 0, kinds: Vec::new(), goes_on: None }
    }

    /// Says what is wrong with it.
    pub(super) fn add(&mut self, fault: ChaosFault, share: f64, lasts: RangeInclusive<u64>) -> Result<(), String> {
        if !(0.0..=1.0).contains(&share) {
            return Err(format!("the share of {fault:?} is {share}; it must be between 0 and 1"));
        }
        let all = self.kinds.iter().map(|kind| kind.share).sum::<f64>() + share;
        if all > 1.0 + ROUNDING {
            return Err(format!("with {fault:?} the shares are {all} together; they must be 1 at most"));
        }
        if *lasts.start() == 0 || lasts.is_empty() {
            return Err(format!(
                "a burst of {fault:?} lasts {lasts:?} calls; it must be 1 at least, the larger number last"
            ));
        }
        self.kinds.push(Kind { fault, share, lasts });
        Ok(())
    }

    /// That of the next call.
    pub(super) fn next(&mut self) -> Fate {
        self.calls += 1;
        let far = self.draw(HOW_FAR);
        let (fault, left) = match self.goes_on.take() {
            Some((fault, left)) => (Some(fault), left),
            None => self.begins().map_or((None, 0), |(fault, lasts)| (Some(fault), lasts)),
        };
        self.goes_on = fault.filter(|_| left > 1).map(|fault| (fault, left - 1));
        Fate { fault, far }
    }

    /// A fault that begins with this call, and how many calls have it.
    fn begins(&self) -> Option<(ChaosFault, u64)> {
        let mut drawn = self.draw(WHICH);
        let kind = self.kinds.iter().find(|kind| {
            drawn -= kind.share;
            drawn < 0.0
        })?;
        let (least, most) = (*kind.lasts.start(), *kind.lasts.end());
        let more = self.draw(HOW_LONG) * (most - least).saturating_add(1) as f64;
        Some((kind.fault, least.saturating_add(more as u64).min(most)))
    }

    fn draw(&self, purpose: u64) -> f64 {
        chance::share(self.seed, self.calls, purpose)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(seed: u64, calls: usize, kinds: &[(ChaosFault, f64, RangeInclusive<u64>)]) -> Vec<Option<ChaosFault>> {
        let mut sequence = Sequence::new(seed);
        for (fault, share, lasts) in kinds {
            sequence.add(*fault, *share, lasts.clone()).unwrap();
        }
        (0..calls).map(|_| sequence.next().fault).collect()
    }

    #[test]
    fn a_seed_is_a_sequence_and_shares_are_kept() {
        let kinds = [(ChaosFault::Cut, 0.1, 1..=1), (ChaosFault::NoUsage, 0.3, 1..=1)];
        let faults = drawn(7, 20_000, &kinds);
        assert_eq!(faults, drawn(7, 20_000, &kinds));
        assert_ne!(faults, drawn(8, 20_000, &kinds));
        let share = |fault| faults.iter().filter(|one| **one == fault).count() as f64 / 20_000.0;
        assert!((share(Some(ChaosFault::Cut)) - 0.1).abs() < 0.01);
        assert!((share(Some(ChaosFault::NoUsage)) - 0.3).abs() < 0.01);
        assert!((share(None) - 0.6).abs() < 0.01);
        assert_eq!(drawn(7, 3, &[(ChaosFault::Cut, 1.0, 1..=1)]), [Some(ChaosFault::Cut); 3]);
        assert_eq!(drawn(7, 3, &[(ChaosFault::Cut, 0.0, 1..=1)]), [None; 3]);
        assert_eq!(drawn(7, 3, &[]), [None; 3]);
    }

    #[test]
    fn bursts_last_as_long_as_they_may() {
        let faults = drawn(3, 20_000, &[(ChaosFault::Silence, 0.01, 3..=6)]);
        let bursts = faults.chunk_by(|one, other| one == other).filter(|run| run[0].is_some());
        let mut lengths: Vec<_> = bursts.map(<[_]>::len).collect();
        assert!(lengths.len() > 100, "{lengths:?}");
        assert!(lengths.iter().all(|length| *length >= 3), "{lengths:?}");
        lengths.sort_unstable();
        // Two of them may follow each other at once.
        let median = lengths[lengths.len() / 2];
        assert!((3..=6).contains(&median) && lengths.contains(&3) && lengths.contains(&6), "{lengths:?}");
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_to_change() {
        let mut sequence = Sequence::new(0);
        for (share, lasts, says) in [
            (1.5, 1..=1, "the share of Cut is 1.5; it must be between 0 and 1"),
            (f64::NAN, 1..=1, "the share of Cut is NaN"),
            (0.5, 0..=1, "lasts 0..=1 calls; it must be 1 at least"),
            #[expect(clippy::reversed_empty_ranges, reason = "that is what is refused")]
            (0.5, 3..=2, "lasts 3..=2 calls"),
        ] {
            let error = sequence.add(ChaosFault::Cut, share, lasts).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        for _ in 0..10 {
            sequence.add(ChaosFault::Cut, 0.1, 1..=1).unwrap();
        }
        let error = sequence.add(ChaosFault::Empty, 0.1, 1..=1).unwrap_err();
        assert!(error.starts_with("with Empty the shares are 1.0999999999999999 together"), "{error}");
    }
}
