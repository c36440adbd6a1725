//! Where is decided who may call a model now? At one desk, under one lock, by whoever has something to decide: the gateway's
//! agent, or a caller's own thread. So a call that is made where its caller is crosses no thread.
//!
//! What was decided is done after the lock is released: no waker, no drop of a caller's values and no start of a call happens
//! under it.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::time::Instant;

use super::actor::{self, GatewayMessage};
use super::admission::Ticket;
use super::attempt::Attempt;
use super::call::Call;
use super::limits::{GatewayLimits, Timeouts};
use super::place::{Ended, Place, begin_at};
use super::state::{State, Steps, Told};
use super::{GatewayInfo, ServedModel};
use crate::agent::Turn;
use crate::mailbox::AgentRef;

/// What all who use one gateway share.
pub(super) struct Desk {
    models: Arc<[ServedModel]>,
    limits: GatewayLimits,
    /// Set before anybody calls.
    agent: OnceLock<AgentRef<GatewayMessage>>,
    state: Mutex<State>,
}

/// A call that may be made.
pub(super) struct Begun {
    pub(super) place: Place,
    pub(super) attempt: Attempt,
}

impl Desk {
    pub(super) fn new(models: Arc<[ServedModel]>, limits: GatewayLimits) -> Self {
        let state = State::new(&models, &limits, Instant::now());
        Self { models, limits, agent: OnceLock::new(), state: Mutex::new(state) }
    }

    /// Whose desk it is.
    pub(super) fn is_of(&self, agent: AgentRef<GatewayMessage>) {
        let _it_is_set_once = self.agent.set(agent);
    }

    pub(super) fn agent(&self) -> &AgentRef<GatewayMessage> {
        self.agent.get().expect("a gateway is handed out when it has its agent")
    }

    pub(super) fn models(&self) -> &[ServedModel] {
        &self.models
    }

    pub(super) fn limits(&self) -> &GatewayLimits {
        &self.limits
    }

    pub(super) fn timeouts(&self) -> Timeouts {
        self.limits.timeouts
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn open(&self) {
        let mut state = self.state();
        state.is_open = true;
        // Those of the agent before are gone with it.
        state.timers.clear();
    }

    /// There is no agent any more. Those who wait learn why, as everybody who waits for an agent that ends.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.is_open = false;
        let waiting = state.admission.clear();
        drop(state);
        drop(waiting);
    }

    /// A call comes.
    pub(super) fn arrive(self: &Arc<Self>, mut call: Box<Call>, turn: Option<&mut Turn<'_, GatewayMessage>>) {
        let now = Instant::now();
        // The way here is no wait in line.
        call.times.lined_up = now;
        self.decide(now, turn, |state| state.arrive(call, now));
    }

    /// Somebody has left, or a place has become free.
    pub(super) fn look(self: &Arc<Self>, turn: Option<&mut Turn<'_, GatewayMessage>>) {
        self.decide(Instant::now(), turn, |_| None);
    }

    /// An attempt is over.
    pub(super) fn over(self: &Arc<Self>, ticket: Ticket, ended: Ended, turn: Option<&mut Turn<'_, GatewayMessage>>) {
        let (now, lane) = (Instant::now(), ticket.claim.lane);
        let Ended { used, headroom, outcome } = ended;
        let mut answer = None;
        let failed = match outcome {
            Some((call, Ok(completed))) => {
                answer = Some((call, completed));
                None
            }
            Some((call, Err(error))) => Some((call, error)),
            None => None,
        };
        let chance = failed.as_ref().map_or(0.0, |_| self.agent().chance());
        self.decide(now, turn, |state| {
            state.admission.over(ticket, used);
            state.admission.heed(lane, &headroom, now);
            let (call, error) = failed?;
            state.failed(ticket, call, error, (&self.limits.retry, chance), now)
        });
        if let Some((call, completed)) = answer {
            call.reply.send(Ok(completed));
        }
    }

    /// A call that had a place was not made.
    pub(super) fn not_made(&self, ticket: Ticket) {
        self.state().admission.not_made(ticket);
        drop(self.agent().tell(GatewayMessage::Look));
    }

    /// Nobody knows what became of an attempt. An agent with a full mailbox looks soon, and one that is gone need not.
    pub(super) fn lost(&self, ticket: Ticket) {
        self.state().admission.over(ticket, None);
        drop(self.agent().tell(GatewayMessage::Look));
    }

    /// Sets a timer. It cannot be taken back; looking early does no harm.
    pub(super) fn set(&self, at: Instant, turn: &mut Turn<'_, GatewayMessage>) {
        if turn.after(at.saturating_duration_since(Instant::now()), GatewayMessage::Wake(at)).is_err() {
            self.state().timers.remove(&at);
        }
    }

    pub(super) fn wake(self: &Arc<Self>, at: Instant, turn: &mut Turn<'_, GatewayMessage>) {
        self.state().timers.remove(&at);
        self.look(Some(turn));
    }

    pub(super) fn info(&self) -> GatewayInfo {
        self.state().info()
    }

    /// Decides under the lock, then who may start because of it; and does it all when the lock is released.
    fn decide(
        self: &Arc<Self>,
        now: Instant,
        turn: Option<&mut Turn<'_, GatewayMessage>>,
        first: impl FnOnce(&mut State) -> Option<Told>,
    ) {
        let mut steps = Steps::default();
        let mut state = self.state();
        steps.tell.extend(first(&mut state));
        state.advance(now, &self.models, &mut steps);
        drop(state);
        self.perform(steps, turn);
    }

    fn perform(self: &Arc<Self>, steps: Steps, mut turn: Option<&mut Turn<'_, GatewayMessage>>) {
        let Steps { begin, tell, gone, timer } = steps;
        drop(gone);
        for (call, error) in tell {
            call.reply.send(Err(error));
        }
        for (ticket, attempt) in begin {
            let place = Place::new(self.clone(), ticket);
            match (&attempt.call.home.clone(), &mut turn) {
                (Some(home), _) => begin_at(home, self, place, attempt),
                (None, Some(turn)) => actor::begin(self, Begun { place, attempt }, turn),
                (None, None) => {
                    // One that takes no more drops the call, which gives the place back and tells its caller.
                    drop(self.agent().tell(GatewayMessage::Begin(Box::new(Begun { place, attempt }))));
                }
            }
        }
        let Some(at) = timer else { return };
        match turn {
            Some(turn) => self.set(at, turn),
            None => {
                if self.agent().tell(GatewayMessage::Set(at)).is_err() {
                    self.state().timers.remove(&at);
                }
            }
        }
    }
}
