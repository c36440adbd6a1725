//! How long do calls hold their place, and how long does a line take? Pure.
//!
//! The plain mean of the first calls, then the moving average with a gain of one eighth of Van Jacobson, "Congestion
//! avoidance and control" (1988): one slow call does not decide alone, and is soon forgotten.

use std::time::Duration;

/// One over the gain.
const SMOOTHING: u64 = 8;

/// How long calls of one model held their places lately.
#[derive(Debug, Clone, Default)]
pub(super) struct Holds {
    nanos: u64,
    /// How many were seen, up to [`SMOOTHING`].
    seen: u64,
}

impl Holds {
    /// A call held its place for so long.
    pub(super) fn note(&mut self, held: Duration) {
        let held = u64::try_from(held.as_nanos()).unwrap_or(u64::MAX);
        self.seen = (self.seen + 1).min(SMOOTHING);
        match held >= self.nanos {
            true => self.nanos += (held - self.nanos) / self.seen,
            false => self.nanos -= (self.nanos - held) / self.seen,
        }
    }

    /// How long it takes until so many calls have come and gone through so many places. `None` when no call was seen yet.
    ///
    /// The rest of the calls that hold the places now is not counted: it is not known, and a guess is in the caller's favour.
    pub(super) fn time_of(&self, calls: usize, places: usize) -> Option<Duration> {
        let nanos = u128::from(self.nanos) * calls as u128 / places.max(1) as u128;
        (self.seen > 0).then(|| Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(held: &[u64]) -> Option<Duration> {
        let mut holds = Holds::default();
        held.iter().for_each(|seconds| holds.note(Duration::from_secs(*seconds)));
        holds.time_of(1, 1)
    }

    #[test]
    fn the_first_count_alike_and_later_ones_an_eighth() {
        let seconds = |seconds| Some(Duration::from_secs_f64(seconds));
        assert_eq!(after(&[]), None);
        assert_eq!(after(&[8]), seconds(8.0));
        assert_eq!(after(&[8, 4]), seconds(6.0));
        assert_eq!(after(&[8, 8, 8, 8, 8, 8, 8, 8, 16]), seconds(9.0));
        assert_eq!(after(&[8, 8, 8, 8, 8, 8, 8, 8, 0]), seconds(7.0));
        assert_eq!(after(&[u64::MAX, 1]), Some(Duration::from_nanos(u64::MAX - (u64::MAX - 1_000_000_000) / 2)));
    }

    #[test]
    fn a_line_takes_its_calls_times_their_hold_through_all_places() {
        let mut holds = Holds::default();
        holds.note(Duration::from_secs(3));
        assert_eq!(holds.time_of(0, 4), Some(Duration::ZERO));
        assert_eq!(holds.time_of(8, 4), Some(Duration::from_secs(6)));
        assert_eq!(holds.time_of(usize::MAX, 1), Some(Duration::from_nanos(u64::MAX)), "no overflow");
    }
}
