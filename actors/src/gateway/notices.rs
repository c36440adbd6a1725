//! What is there to tell of a model to everybody who uses it, and who has heard how much of it? Pure.
//!
//! Four things concern all of them: its circuit breaker, a pause that its provider asked for, how many calls it holds, and that calls
//! fail and are made again.
//! They are noted in one bounded list in the order in which they were decided; whoever listens has a [`Cursor`] in it, and
//! learns how many he missed when he was too slow.
//!
//! What moves all the time is told in steps ([`LastTold`]): a limit when it has doubled, or lost a quarter, since it was told
//! last; a pause when it begins, or when what is left of it becomes at least twice as long; one retry in a second.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::breaker::BreakerState;

/// Changes that are kept for those who have not heard them yet, of all models of a gateway together.
const KEPT: usize = 256;

/// What changed about a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ModelChange {
    /// Its circuit breaker; with the time for which it is open, if it is.
    Breaker { state: BreakerState, open_for: Option<Duration> },
    /// Nobody calls it for so long: its provider asked for that when it refused a call of this model, or of another one with its key.
    Paused { pause: Duration, refused_model: Arc<str> },
    /// So many calls of it may be in flight, and so many when it was told last.
    Limit { limit: usize, before: usize },
    /// A call failed for the reason of this code, after so many attempts, and is made again after this time.
    Retried { error_code: &'static str, attempt: u32, wait: Duration },
}

/// What was told last of one model.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastTold {
    breaker: BreakerState,
    limit: usize,
    /// When a retry was told.
    retry: Option<Instant>,
}

/// Of the retries of a model one is told in this time: in an outage there are many, and they all say the same.
const RETRY_TOLD_EACH: Duration = Duration::from_secs(1);

impl LastTold {
    /// Of a model that works, and of which so many calls may be in flight.
    pub(super) fn new(limit: usize) -> Self {
        Self { breaker: BreakerState::Closed, limit, retry: None }
    }

    /// Whether this is what was told of its breaker.
    pub(super) fn is(&self, state: BreakerState) -> bool {
        self.breaker == state
    }

    /// Whether its breaker is another one than was told.
    pub(super) fn breaker(&mut self, state: BreakerState) -> bool {
        std::mem::replace(&mut self.breaker, state) != state
    }

    /// Whether a retry is told now.
    pub(super) fn retry(&mut self, now: Instant) -> bool {
        let is_told = self.retry.is_none_or(|last| now.saturating_duration_since(last) >= RETRY_TOLD_EACH);
        if is_told {
            self.retry = Some(now);
        }
        is_told
    }

    /// Everybody knows of this limit.
    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// The limit that was told last, if this one is far enough from it.
    pub(super) fn limit(&mut self, limit: usize) -> Option<usize> {
        let before = self.limit;
        let is_far = limit >= 2 * before || 4 * limit <= 3 * before;
        is_far.then(|| std::mem::replace(&mut self.limit, limit))
    }
}

/// Whether a pause of this length is told when so much is left of the one before it.
pub(super) fn is_told(pause: Duration, left: Duration) -> bool {
    !pause.is_zero() && pause >= left.saturating_mul(2)
}

/// How far somebody has heard the changes of his models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    /// Of all models.
    next: u64,
    /// Changes of his models, heard or missed.
    of_mine: u64,
}

/// What somebody hears of his models.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Heard {
    /// With the numbers of the models, in the order in which it was decided.
    pub(super) changes: Vec<(usize, ModelChange)>,
    /// So many before them are not kept any more.
    pub(super) missed: u64,
}

/// The changes of all models of a gateway.
#[derive(Debug)]
pub(super) struct Notices {
    kept: VecDeque<(usize, ModelChange)>,
    /// How many there ever were.
    all: u64,
    of_models: Vec<u64>,
}

impl Notices {
    pub(super) fn new(models: usize) -> Self {
        Self { kept: VecDeque::new(), all: 0, of_models: vec![0; models] }
    }

    /// Notes one more; the oldest one goes when there is no room.
    pub(super) fn push(&mut self, lane: usize, change: ModelChange) {
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back((lane, change));
        self.all += 1;
        self.of_models[lane] += 1;
    }

    /// Where somebody stands who begins to listen for these models.
    pub(super) fn cursor(&self, lanes: &[usize]) -> Cursor {
        Cursor { next: self.all, of_mine: lanes.iter().map(|lane| self.of_models[*lane]).sum() }
    }

    /// What he has not heard yet.
    pub(super) fn hear(&self, cursor: &mut Cursor, lanes: &[usize]) -> Heard {
        let before = std::mem::replace(cursor, self.cursor(lanes));
        let new = usize::try_from(self.all - before.next).unwrap_or(usize::MAX);
        let kept = self.kept.iter().skip(self.kept.len().saturating_sub(new));
        let changes: Vec<_> = kept.filter(|(lane, _)| lanes.contains(lane)).cloned().collect();
        let missed = cursor.of_mine - before.of_mine - changes.len() as u64;
        Heard { changes, missed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_told_when_it_has_doubled_or_lost_a_quarter() {
        let mut told = LastTold::new(8);
        let table = [
            (9, None),
            (15, None),
            (16, Some(8)),
            (13, None),
            (12, Some(16)),
            (10, None),
            (9, Some(12)),
            (4, Some(9)),
            (3, Some(4)),
            (2, Some(3)),
            (1, Some(2)),
            (1, None),
            (2, Some(1)),
        ];
        for (limit, before) in table {
            assert_eq!(told.limit(limit), before, "{limit}");
        }
    }

    #[test]
    fn a_limit_that_goes_up_and_down_by_less_is_not_told_each_time() {
        let mut told = LastTold::new(8);
        let moves = (0..1_000).flat_map(|_| [8, 9, 10, 9, 8, 7]);
        assert_eq!(moves.filter_map(|limit| told.limit(limit)).count(), 0);
    }

    #[test]
    fn a_breaker_is_told_when_it_changes() {
        use BreakerState::{Closed, HalfOpen, Open};
        let mut told = LastTold::new(1);
        let states = [Closed, Open, Open, HalfOpen, Open, HalfOpen, Closed, Closed];
        let changes = [false, true, false, true, true, true, true, false];
        assert_eq!(states.map(|state| told.breaker(state)), changes);
    }

    #[test]
    fn one_retry_is_told_in_a_second() {
        let (mut told, now) = (LastTold::new(1), Instant::now());
        let at = [0, 1, 999, 1_000, 1_999, 5_000].map(|ms| now + Duration::from_millis(ms));
        assert_eq!(at.map(|at| told.retry(at)), [true, false, false, true, false, true]);
    }

    #[test]
    fn a_pause_is_told_when_it_begins_or_becomes_much_longer() {
        for (pause, left, told) in [(0, 0, false), (1, 0, true), (10, 9, false), (10, 6, false), (10, 5, true)] {
            assert_eq!(is_told(Duration::from_secs(pause), Duration::from_secs(left)), told, "{pause} {left}");
        }
    }

    fn paused(seconds: u64) -> ModelChange {
        ModelChange::Paused { pause: Duration::from_secs(seconds), refused_model: "one".into() }
    }

    #[test]
    fn each_hears_what_is_new_of_his_models_in_order_and_once() {
        let mut notices = Notices::new(3);
        notices.push(0, paused(1));
        let (mut both, mut last) = (notices.cursor(&[0, 1]), notices.cursor(&[2]));
        notices.push(1, paused(2));
        notices.push(2, paused(3));
        notices.push(0, paused(4));
        let heard = |changes| Heard { changes, missed: 0 };
        assert_eq!(notices.hear(&mut both, &[0, 1]), heard(vec![(1, paused(2)), (0, paused(4))]));
        assert_eq!(notices.hear(&mut both, &[0, 1]), heard(Vec::new()));
        assert_eq!(notices.hear(&mut last, &[2]), heard(vec![(2, paused(3))]));
    }

    #[test]
    fn whoever_is_too_slow_learns_how_many_of_his_he_missed() {
        let mut notices = Notices::new(2);
        let mut cursor = notices.cursor(&[0]);
        let pushed = 3 * KEPT as u64;
        (0..pushed).for_each(|number| notices.push(usize::from(number % 4 == 3), paused(number)));
        assert_eq!(notices.kept.len(), KEPT, "the list is bounded");
        let Heard { changes, missed } = notices.hear(&mut cursor, &[0]);
        assert_eq!((changes.len(), missed), (KEPT * 3 / 4, KEPT as u64 * 2 * 3 / 4));
        assert_eq!(changes.last(), Some(&(0, paused(pushed - 2))));
        assert_eq!(notices.hear(&mut cursor, &[0]), Heard { changes: Vec::new(), missed: 0 });
    }
}
