//! What does the gateway know at one moment, and what follows from what happens? Time and chance are arguments, and nothing is
//! done here: what follows is a list of [`Steps`].

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::admission::{Admission, Claim, Flow, Ticket, Verdict};
use super::attempt::Attempt;
use super::call::Call;
use super::lane::Lane;
use super::limits::GatewayLimits;
use super::retry::RetryPolicy;
use super::{GatewayInfo, ModelInfo, ServedModel};
use crate::chat::Headroom;
use crate::error::{Limited, ModelError, Waiting};

/// A call that ends with an error, which its caller has yet to learn.
pub(super) type Told = (Box<Call>, ModelError);

/// A pause that a provider asks for without saying how long.
const PAUSE: Duration = Duration::from_secs(1);

/// What is decided about.
pub(super) struct State {
    pub(super) admission: Admission<Box<Call>>,
    /// The timers that are set and have not gone off.
    /// With the number of the leaf that keeps each.
    pub(super) timers: BTreeSet<(Instant, usize)>,
    counts: Vec<ModelInfo>,
    peak: usize,
    /// Whether there is each of the leaves.
    pub(super) leaves: Vec<bool>,
}

/// What was decided, and is to be done without the lock.
#[derive(Default)]
#[expect(clippy::vec_box, reason = "they come out of the line in their boxes")]
pub(super) struct Steps {
    pub(super) begin: Vec<(Ticket, Attempt, Came)>,
    pub(super) tell: Vec<Told>,
    /// Nobody waits for them.
    pub(super) gone: Vec<Box<Call>>,
    pub(super) timer: Option<Instant>,
}

/// How an attempt ended, as far as it matters to others.
pub(super) struct After {
    /// Tokens; `None` when nobody knows.
    pub(super) used: Option<u64>,
    pub(super) headroom: Headroom,
    /// A call that failed, why, and a share in `0.0..1.0` by chance for its wait.
    pub(super) call: Option<(Box<Call>, ModelError, f64)>,
}

/// How a call comes to its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    /// It has just arrived.
    JustNow,
    /// It waited.
    FromTheLine,
}

#[expect(clippy::borrowed_box, reason = "the admission hands out references to what it keeps, and it keeps boxes")]
fn is_abandoned(call: &Box<Call>) -> bool {
    call.reply.is_abandoned()
}

impl State {
    pub(super) fn new(models: &[ServedModel], limits: &GatewayLimits, leaves: usize, now: Instant) -> Self {
        let lanes = models.iter().map(|model| Lane::new(&model.limits, now)).collect();
        let counts = models.iter().map(|model| ModelInfo::of(&model.name)).collect();
        let admission = Admission::new(limits.max_in_flight, limits.max_waiting, lanes);
        Self { admission, timers: BTreeSet::new(), counts, peak: 0, leaves: vec![true; leaves] }
    }

    /// Whether there is anybody to make calls.
    pub(super) fn is_open(&self) -> bool {
        self.leaves.contains(&true)
    }

    /// A call comes: it stands in line, or learns at once why not.
    pub(super) fn arrive(
        &mut self,
        call: Box<Call>,
        now: Instant,
        models: &[ServedModel],
        steps: &mut Steps,
    ) -> Option<Told> {
        if !self.is_open() {
            return Some((call, ModelError::Stopped));
        }
        if now >= call.deadline {
            self.counts[call.lane].failed += 1;
            return Some((call, ModelError::Timeout(Waiting::Queue)));
        }
        let claim =
            Claim { lane: call.lane, flow: Flow::default(), deadline: call.deadline, tokens: call.most.total() };
        match self.admission.arrive(call, claim, now, is_abandoned) {
            Verdict::Start(ticket, call) => {
                self.begin(ticket, call, now, models, steps);
                None
            }
            Verdict::Wait => None,
            Verdict::Refuse(call, retry_after) => {
                self.counts[call.lane].refused += 1;
                Some((call, ModelError::Overloaded { retry_after }))
            }
        }
    }

    /// An attempt is over. If it did not succeed, its call is made again, or its caller is to be told why not.
    pub(super) fn over(&mut self, ticket: Ticket, ended: After, policy: &RetryPolicy, now: Instant) -> Option<Told> {
        let lane = ticket.claim.lane;
        self.admission.over(ticket, ended.used, Some(ticket.held(now)));
        self.admission.heed(lane, &ended.headroom, now);
        let (mut call, error, chance) = ended.call?;
        if let ModelError::RateLimited { limited: Limited::Rate, retry_after, .. } = &error {
            self.counts[lane].pauses += 1;
            let pause = retry_after.unwrap_or(PAUSE).min(super::lane::LONGEST_PAUSE);
            self.admission.pause(lane, now + pause);
        }
        let left = call.deadline.saturating_duration_since(now);
        let wait = policy.next(&error, call.times.attempts, chance, left).filter(|_| self.is_open());
        let Some(wait) = wait else {
            self.counts[lane].failed += 1;
            return Some((call, error));
        };
        tracing::debug!(%error, ?wait, attempt = call.times.attempts, "a model call is made again");
        call.times.lined_up = now;
        self.admission.again(ticket, call, now + wait);
        None
    }

    pub(super) fn info(&self) -> GatewayInfo {
        let mut models = self.counts.clone();
        for (lane, info) in models.iter_mut().enumerate() {
            info.in_flight = self.admission.in_flight_of(lane);
        }
        GatewayInfo {
            in_flight: self.admission.in_flight(),
            peak_in_flight: self.peak,
            waiting: self.admission.waiting(),
            models,
        }
    }

    /// Whose time is over, who may start, and when the leaf with this number has to look again.
    pub(super) fn advance(&mut self, now: Instant, models: &[ServedModel], leaf: usize, steps: &mut Steps) {
        for call in self.admission.expire(now) {
            self.counts[call.lane].failed += 1;
            steps.tell.push((call, ModelError::Timeout(Waiting::Queue)));
        }
        while let Some((ticket, call)) = self.admission.next(now, is_abandoned) {
            self.begin(ticket, call, now, models, steps);
        }
        steps.gone = self.admission.take_gone();
        steps.timer = self.next_timer(now, leaf);
    }

    fn begin(&mut self, ticket: Ticket, mut call: Box<Call>, now: Instant, models: &[ServedModel], steps: &mut Steps) {
        let model = &models[call.lane];
        let reserved =
            call.budget.as_ref().map(|budget| budget.reserve(&model.name, call.most, model.price)).transpose();
        let reservation = match reserved {
            Ok(reservation) => reservation,
            Err(exhausted) => {
                self.admission.not_made(ticket);
                self.counts[call.lane].failed += 1;
                return steps.tell.push((call, exhausted));
            }
        };
        let came = if call.times.lined_up == now { Came::JustNow } else { Came::FromTheLine };
        call.times.queued += now.saturating_duration_since(call.times.lined_up);
        call.times.attempts += 1;
        let counts = &mut self.counts[call.lane];
        counts.attempts += 1;
        counts.retries += u64::from(call.times.attempts > 1);
        self.peak = self.peak.max(self.admission.in_flight());
        steps.begin.push((ticket, Attempt { call, reservation }, came));
    }

    /// A timer that is to be set, if those that are set come too late. Each new one is at most half as far away as the next
    /// one that is set, so that there are never more than some dozens.
    fn next_timer(&mut self, now: Instant, leaf: usize) -> Option<Instant> {
        let next = self.admission.wake_at(now)?;
        let mut delay = next.saturating_duration_since(now);
        if let Some((first, _)) = self.timers.first() {
            if *first <= next {
                return None;
            }
            delay = delay.min(first.saturating_duration_since(now) / 2);
        }
        let at = now + delay;
        self.timers.insert((at, leaf)).then_some(at)
    }
}
