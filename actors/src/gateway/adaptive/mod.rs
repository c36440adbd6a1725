//! How many calls does a provider hold at the same time? Found from how calls end, between 1 and a ceiling. Pure: time is an
//! argument.
//!
//! Additive increase and multiplicative decrease (Chiu and Jain, "Analysis of the increase and decrease algorithms for
//! congestion avoidance", 1989), with the doubling start and the one decrease for each round of Van Jacobson, "Congestion
//! avoidance and control" (1988), and the plateau of Ha, Rhee and Xu, "CUBIC" (2008): after a refusal it stays where the
//! provider was content, looks seldom whether there is more, and goes up ever faster once there is.
//!
//! - A **refusal** (a 429 about calls at the same time, 503, 529) of a call that began when no more were in flight than calls
//!   have lately been answered with is noise, unless there are several in a row. Any other one says how many the provider
//!   holds: those that are still in flight. The limit becomes that, but in one round no less than half.
//! - **Growth**: while the limit is used, calls that end well make room for one more, in the doubling start at once, later
//!   after 50 of them. A refusal of that one doubles the number, up to 100; after a minute it is 50 again. An answer to it
//!   makes the steps longer: a round of answers for each, by a quarter of the limit.
//! - **Latency** (after Brakmo and Peterson, "TCP Vegas", 1994): when calls take twice as long as they once did, and 20 ms at
//!   least, while the limit is used, it goes down by a tenth in each round. If half of the calls are no faster, it was not their number: what
//!   they take now is the new measure. From one and a half times on it grows by one after 100 answers only. Calls differ in length
//!   tenfold, so both averages are of logarithms.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Answers at the limit before one more call is tried.
const PATIENCE: u32 = 50;
/// The same when that has been refused again and again: one refusal in 100 calls.
const MOST_PATIENCE: u32 = 100;
/// After that time without a refusal, patience is what it was.
const MEMORY: Duration = Duration::from_secs(60);
/// So many refusals in a row, less half of the answers between them, are no noise.
const NOISE: u32 = 8;
/// How fast the average of the latency follows: a 32nd; what is usual is lowered by a 512th, and raised by a 32,768th: a
/// load that grows so slowly is not seen.
const FOLLOWS: f64 = 1.0 / 32.0;
const FALLS: f64 = 1.0 / 512.0;
const RISES: f64 = 1.0 / 32_768.0;
/// What takes less than this is as fast as any: so late are busy threads of this machine, whatever the provider does.
const NOTICEABLE: Duration = Duration::from_millis(10);
/// Answers before latency means anything.
const KNOWN: u32 = 16;
/// Refusals that are remembered.
const REMEMBERED: usize = 128;

/// What the end of a call says about how many its provider holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It was answered.
    Fine,
    /// It was one too many.
    Refused,
    /// Nothing.
    Other,
}

/// How it stood when a call began. It comes back with the call's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    round: u64,
    number: u64,
    /// Calls in flight, this one included.
    at: usize,
    began: Instant,
}

/// The limit of one model.
#[derive(Debug, Clone)]
pub(super) struct AdaptiveLimit {
    ceiling: usize,
    limit: usize,
    /// Calls that began.
    begun: u64,
    /// Goes up with each decrease: calls of the round before say nothing new.
    round: u64,
    /// The lowest that this round's decrease may come to.
    floor: usize,
    /// The limit doubles with each round until the first refusal.
    is_starting: bool,
    /// Answers at the limit since it changed.
    fine: u32,
    /// So many are needed for growth.
    patience: u32,
    /// The last growth was answered: the next is larger.
    is_growing: bool,
    refused_at: Option<Instant>,
    held: Held,
    /// Of those refused lately, which call it was and when it ended; the oldest first.
    refusals: VecDeque<(u64, Instant)>,
    /// Refusals that look like noise, each 2, less 1 for each answer.
    doubt: u32,
    latency: Latency,
}

/// With how many in flight calls were answered lately: the most of two windows.
#[derive(Debug, Clone, Copy, Default)]
struct Held {
    before: usize,
    now: usize,
    ended: usize,
}

impl Held {
    fn most(self) -> usize {
        self.before.max(self.now)
    }

    fn ended(&mut self, at: Option<usize>, window: usize) {
        self.now = self.now.max(at.unwrap_or(0));
        self.ended += 1;
        if self.ended >= window {
            *self = Self { before: self.now, now: 0, ended: 0 };
        }
    }
}

impl AdaptiveLimit {
    /// Begins at `first` and never exceeds `ceiling`; both at least 1.
    pub(super) fn new(first: usize, ceiling: usize) -> Self {
        let ceiling = ceiling.max(1);
        let limit = first.clamp(1, ceiling);
        Self {
            ceiling,
            limit,
            begun: 0,
            round: 0,
            floor: 1,
            is_starting: true,
            fine: 0,
            patience: PATIENCE,
            is_growing: false,
            refused_at: None,
            held: Held::default(),
            refusals: VecDeque::new(),
            doubt: 0,
            latency: Latency::default(),
        }
    }

    /// So many calls may be in flight.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// From now on there may never be more. A limit that was at the ceiling, and never refused, is where it would `first` begin now, if
    /// that is more; below a ceiling that is raised it grows as in the beginning.
    pub(super) fn set_ceiling(&mut self, first: usize, ceiling: usize) {
        let ceiling = ceiling.max(1);
        if self.limit == self.ceiling && self.refused_at.is_none() {
            self.limit = self.limit.max(first);
        }
        if ceiling > self.ceiling {
            self.start_again();
        }
        self.ceiling = ceiling;
        self.limit = self.limit.min(ceiling);
    }

    /// What was refused says nothing any more: after an outage, or when somebody who knows better raises the ceiling. The
    /// limit stays and grows as in the beginning.
    pub(super) fn start_again(&mut self) {
        self.is_starting = true;
        self.is_growing = false;
        self.patience = PATIENCE;
        self.refused_at = None;
        self.doubt = 0;
    }

    /// A call begins, with so many in flight, itself included.
    pub(super) fn began(&mut self, in_flight: usize, now: Instant) -> Stamp {
        self.begun += 1;
        Stamp { round: self.round, number: self.begun, at: in_flight, began: now }
    }

    /// A call is over after `took`, and so many are still in flight.
    pub(super) fn ended(&mut self, stamp: Stamp, answer: Answer, in_flight: usize, took: Duration, now: Instant) {
        let window = 2 * self.limit + 16;
        match answer {
            Answer::Fine => {
                self.held.ended(self.held_beside(stamp), window);
                self.doubt = self.doubt.saturating_sub(1);
                self.answered(stamp, in_flight, took, now);
            }
            Answer::Refused => {
                self.held.ended(None, window);
                if self.refusals.len() == REMEMBERED {
                    self.refusals.pop_front();
                }
                self.refusals.push_back((stamp.number, now));
                self.refused(stamp, in_flight, now);
            }
            Answer::Other => {}
        }
    }

    /// How many calls were held when this one, which was answered, began: without those that were on their way to be refused.
    /// `None` when that is forgotten.
    fn held_beside(&self, stamp: Stamp) -> Option<usize> {
        let after = self.refusals.iter().rev().take_while(|(_, ended)| *ended >= stamp.began);
        let (all, refused) =
            after.fold((0, 0), |(all, refused), (number, _)| (all + 1, refused + usize::from(*number < stamp.number)));
        (all < REMEMBERED).then(|| stamp.at.saturating_sub(refused))
    }

    fn answered(&mut self, stamp: Stamp, in_flight: usize, took: Duration, now: Instant) {
        // A limit that nobody comes up to is not known to be too low, and latency not to come from it.
        let is_used = in_flight + 1 >= self.limit || stamp.at >= self.limit;
        self.latency.ended(took);
        if !is_used {
            return;
        }
        if self.latency.is_high() {
            return self.slow(stamp);
        }
        if self.refused_at.is_some_and(|at| now.saturating_duration_since(at) > MEMORY) {
            self.patience = self.patience.min(PATIENCE);
        }
        self.fine += 1;
        if self.limit >= self.ceiling {
            return;
        }
        // Slower than usual, it is not pressed: what is usual changes so slowly that it would be waited for in vain.
        let is_rising = self.latency.is_rising();
        if self.is_starting && !is_rising {
            self.limit += 1;
            return;
        }
        let is_new = self.is_growing && !is_rising && stamp.at >= self.limit;
        let patience = if is_rising { MOST_PATIENCE } else { self.patience };
        let needed = if is_new { self.limit as u32 } else { patience };
        if self.fine < needed.min(patience) {
            return;
        }
        let step = if self.is_growing && !is_rising { (self.limit / 4).max(1) } else { 1 };
        self.limit = (self.limit + step).min(self.ceiling);
        self.fine = 0;
        self.is_growing = true;
    }

    fn refused(&mut self, stamp: Stamp, in_flight: usize, now: Instant) {
        if stamp.at <= self.held.most() {
            self.doubt += 2;
            if self.doubt < 2 * NOISE {
                return;
            }
            // So many calls are not held any more.
            self.held = Held::default();
        }
        if stamp.round == self.round {
            self.round += 1;
            self.floor = (self.limit / 2).max(1);
            let was_tried = self.is_growing || self.is_starting;
            self.patience = if was_tried { (self.patience * 2).min(MOST_PATIENCE) } else { self.patience };
        } else if stamp.round + 1 != self.round {
            return;
        }
        self.limit = self.limit.min(in_flight.max(self.floor));
        self.fine = 0;
        self.is_starting = false;
        self.is_growing = false;
        self.refused_at = Some(now);
        self.doubt = 0;
    }

    /// Calls take longer than they did.
    fn slow(&mut self, stamp: Stamp) {
        if stamp.round < self.round {
            return;
        }
        self.round += 1;
        self.floor = (self.limit / 2).max(1);
        self.is_starting = false;
        self.is_growing = false;
        self.fine = 0;
        if let Some(before) = self.latency.was_in_vain(self.limit) {
            self.limit = before.min(self.ceiling);
            return;
        }
        self.limit = (self.limit - (self.limit / 10).max(1)).max(1);
    }
}

/// How long calls take, as logarithms of nanoseconds.
#[derive(Debug, Clone, Copy, Default)]
struct Latency {
    seen: u32,
    lately: f64,
    usual: f64,
    /// The limit before the first decrease because of it, and the worst since then.
    before: Option<(usize, f64)>,
}

impl Latency {
    fn ended(&mut self, took: Duration) {
        let log = (took.max(NOTICEABLE).as_nanos() as f64).ln();
        self.seen = self.seen.saturating_add(1);
        if self.seen <= KNOWN {
            // The plain mean of the first.
            self.lately += (log - self.lately) / f64::from(self.seen);
            self.usual = self.lately;
            return;
        }
        self.lately += (log - self.lately) * FOLLOWS;
        self.usual += (self.lately - self.usual) * if self.lately < self.usual { FALLS } else { RISES };
        if !self.is_rising() {
            self.before = None;
        }
    }

    fn is_rising(&self) -> bool {
        self.lately - self.usual > 1.5_f64.ln()
    }

    fn is_high(&self) -> bool {
        self.lately - self.usual > 2_f64.ln()
    }

    /// Whether half of the calls are no faster than all of them were: then that is usual from now on, and this was the limit.
    fn was_in_vain(&mut self, limit: usize) -> Option<usize> {
        let (before, worst) = self.before.unwrap_or((limit, self.lately));
        // What is seen lags behind what was begun.
        let worst = worst.max(self.lately);
        self.before = Some((before, worst));
        if limit * 2 > before {
            return None;
        }
        if self.lately < worst - 1.25_f64.ln() {
            self.before = Some((limit, self.lately));
            return None;
        }
        self.usual = self.lately;
        self.before = None;
        Some(before)
    }
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
