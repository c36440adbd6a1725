//! Where is decided who may call a model now? At one desk, under one lock, by whoever has something to decide: a leaf, or a
//! caller's own thread. So a call that may be made at once crosses no thread.
//!
//! What was decided is done after the lock is released: no waker, no drop of a caller's values and no start of a call happens
//! under it.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::admission::{RETRY_AFTER, Ticket};
use super::attempt::Attempt;
use super::call::{Call, Home, Told};
use super::leaf::{Here, LeafDoor, LeafMessage};
use super::limits::{GatewayLimits, ModelLimits};
use super::notices::{Cursor, Heard, ModelChange};
use super::place::{AtHome, Ended, Place};
use super::saving::{FlightId, Key, WaiterId};
use super::sharing::Answered;
use super::state::{After, Came, Rules, State, Steps};
use super::values::Completed;
use super::watch::Listeners;
use super::{GatewayInfo, ServedModel};
use crate::chat::ChatReply;
use crate::error::{ModelError, StartError, TellError};
use crate::mailbox::{AgentRef, contain, drop_contained};
use crate::ports::StoredReply;
use crate::runtime::Shared;

/// What all who use one gateway share.
pub(super) struct Desk {
    models: Arc<[ServedModel]>,
    /// Of the models, to be given away.
    names: Box<[Arc<str>]>,
    /// What the leaves are sized for.
    largest: GatewayLimits,
    /// The longest that a call may take, in nanoseconds. Every call reads it, and few ever write it.
    deadline: AtomicU64,
    shared: Arc<Shared>,
    /// One on each shard. Set before anybody calls.
    leaves: OnceLock<Box<[LeafDoor]>>,
    waiters: AtomicU64,
    /// Whether the first leaf was asked to look by the end of a call at home, and has not yet.
    looks: AtomicBool,
    /// Who is told what happens to the models.
    listeners: Listeners,
    state: Mutex<State>,
}

/// How long a store is waited for: it is there to save time.
const STORE_PATIENCE: Duration = Duration::from_millis(250);

/// An attempt that its caller makes.
pub(super) type Inline = BoxFuture<'static, ()>;

/// A call that may be made.
pub(super) struct Begun {
    pub(super) place: Place,
    pub(super) attempt: Attempt,
}

impl Desk {
    pub(super) fn new(models: Arc<[ServedModel]>, limits: GatewayLimits, shared: &Arc<Shared>) -> Self {
        let state = State::new(&models, &limits, shared.shards(), Instant::now());
        let names = models.iter().map(|model| model.name.as_str().into()).collect();
        let (deadline, shared) = (AtomicU64::new(nanos(limits.deadline)), shared.clone());
        let (leaves, state, waiters) = (OnceLock::new(), Mutex::new(state), AtomicU64::new(1));
        let (looks, listeners) = (AtomicBool::new(false), Listeners::default());
        Self { models, names, largest: limits, deadline, shared, leaves, waiters, looks, listeners, state }
    }

    /// Whose desk it is.
    pub(super) fn is_of(&self, leaves: Vec<AgentRef<LeafMessage>>) {
        let door = |agent| LeafDoor { agent, busy: AtomicUsize::new(0) };
        let _it_is_set_once = self.leaves.set(leaves.into_iter().map(door).collect());
    }

    fn leaves(&self) -> &[LeafDoor] {
        self.leaves.get().expect("a gateway is handed out when it has its leaves")
    }

    /// The first leaf, which is the last to end: it stands for all of them.
    pub(super) fn agent(&self) -> &AgentRef<LeafMessage> {
        &self.leaves()[0].agent
    }

    /// The leaf that a call is brought to: that of the caller's own shard, and elsewhere the least busy one.
    pub(super) fn nearest(&self) -> &AgentRef<LeafMessage> {
        &self.leaves()[self.shared.here().unwrap_or_else(|| self.least_busy())].agent
    }

    fn least_busy(&self) -> usize {
        let busy = self.leaves().iter().map(LeafDoor::busy).enumerate();
        busy.min_by_key(|(_, busy)| *busy).map_or(0, |(number, _)| number)
    }

    /// The leaf has one call more to make.
    pub(super) fn keep_busy(&self, leaf: Option<usize>) {
        if let Some(leaf) = leaf {
            self.leaves()[leaf].busy.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The leaf has one call less to make.
    pub(super) fn free(&self, leaf: Option<usize>) {
        if let Some(leaf) = leaf {
            self.leaves()[leaf].busy.fetch_sub(1, Ordering::Relaxed);
        }
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    pub(super) fn models(&self) -> &[ServedModel] {
        &self.models
    }

    pub(super) fn name(&self, lane: usize) -> Arc<str> {
        self.names[lane].clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is this leaf from here on.
    pub(super) fn open(&self, leaf: usize) {
        self.state().leaves[leaf] = true;
    }

    /// There is this leaf no more, and none of its timers. When it was the last, those who wait learn why, as everybody who waits
    /// for an agent that ends.
    pub(super) fn close(&self, leaf: usize) {
        let mut state = self.state();
        state.leaves[leaf] = false;
        state.timers.retain(|(_, keeper)| *keeper != leaf);
        let other = state.leaves.iter().position(|is_there| *is_there);
        let mut waiting = Vec::new();
        if other.is_none() {
            waiting = state.admission.clear();
            waiting.extend(state.flights.clear());
            waiting.append(&mut state.again);
            state.tokens.clear();
        }
        drop(state);
        drop(waiting);
        if let Some((other, leaves)) = other.zip(self.leaves.get()) {
            // It sets the timers that are gone.
            drop(leaves[other].agent.tell(LeafMessage::Look));
        }
    }

    /// A call comes. If it may start at once and its caller makes it himself, he gets the attempt.
    pub(super) fn arrive(self: &Arc<Self>, mut call: Box<Call>, here: Option<Here<'_, '_>>) -> Option<Inline> {
        let now = Instant::now();
        // The way here is no wait in line.
        call.times.lined_up = now;
        self.decide(now, here, |state, steps| state.come(call, now, &self.rules(), steps))
    }

    /// Somebody has left, or a place has become free.
    pub(super) fn look(self: &Arc<Self>, here: Option<Here<'_, '_>>) {
        self.decide(Instant::now(), here, |_, _| {});
    }

    /// Attempts are over, one after the other, and a leaf has its turn.
    pub(super) fn over(self: &Arc<Self>, over: impl Iterator<Item = (Place, After)>, here: Here<'_, '_>) {
        let (now, rules) = (Instant::now(), self.rules());
        // Not under the lock, which a place takes that is dropped.
        let over: Vec<_> = over.filter_map(|(place, after)| Some((place.over()?, after))).collect();
        self.decide(now, Some(here), |state, steps| {
            for (ticket, after) in over {
                // In the place of the one before, if there was one: how many are in flight says whether the limit is used.
                state.start(now, &rules, steps);
                state.over(ticket, after, now, &rules, steps);
            }
        });
    }

    /// An attempt is over on a thread that looks for nobody else; whether a leaf has to look who is next. Those that turn to other models
    /// because of it are handed to leaves.
    pub(super) fn over_at_home(self: &Arc<Self>, ticket: Ticket, ended: Box<Ended>) -> bool {
        let now = Instant::now();
        let (after, answer) = self.sort(ended);
        let mut steps = Steps::default();
        let mut state = self.state();
        state.over(ticket, after, now, &self.rules(), &mut steps);
        let is_waited = state.waiting() > 0;
        drop(state);
        self.perform(steps, None);
        answer.into_iter().for_each(Ended::tell);
        is_waited
    }

    /// Whether the first leaf is to be asked to look: `false` when it was, and has not yet.
    pub(super) fn begins_to_look(&self) -> bool {
        !self.looks.swap(true, Ordering::AcqRel)
    }

    /// What happens from here on it is to be asked for once more.
    pub(super) fn is_about_to_look(&self) {
        self.looks.swap(false, Ordering::AcqRel);
    }

    /// What the desk decides about, and what the caller is told whatever it decides.
    pub(super) fn sort(&self, mut ended: Box<Ended>) -> (After, Option<Told>) {
        let (used, headroom, flight) = (ended.used, std::mem::take(&mut ended.headroom), ended.flight);
        let after = |made| After { used, headroom, is_answered: false, answered: None, flight: None, made, call: None };
        match &mut ended.outcome {
            Some((call, Ok(completed))) => {
                let answered = call.saving.take().map(|saving| {
                    let (request, completed, lane) = (call.request.clone(), completed.clone(), call.lane);
                    Answered { saving, request, completed, lane }
                });
                (After { is_answered: true, answered, ..after(call.tries) }, Some(ended))
            }
            outcome => match outcome.take() {
                Some((call, Err(error))) => {
                    let chance = self.shared.chance();
                    (After { call: Some((call, error, chance)), ..after(0) }, None)
                }
                _ => (After { flight, ..after(0) }, None),
            },
        }
    }

    fn rules(&self) -> Rules<'_> {
        Rules { models: &self.models, names: &self.names }
    }

    /// A call that had a place was not made.
    pub(super) fn not_made(&self, ticket: Ticket, flight: Option<FlightId>, tries: u32, why: &ModelError) {
        let mut state = self.state();
        state.unmade(ticket, flight, tries, why, Instant::now());
        self.have_looked(state);
    }

    /// Nobody knows what became of an attempt. A leaf with a full mailbox looks soon, and one that is gone need not.
    pub(super) fn lost(&self, ticket: Ticket, flight: Option<FlightId>) {
        let mut state = self.state();
        state.lost(ticket, flight, Instant::now());
        self.have_looked(state);
    }

    /// A leaf looks who is next, if anybody waits.
    fn have_looked(&self, state: MutexGuard<'_, State>) {
        let is_waited = state.waiting() > 0;
        drop(state);
        if is_waited {
            drop(self.agent().tell(LeafMessage::Look));
        }
    }

    /// A caller who may lead or follow a flight has left.
    pub(super) fn leave(self: &Arc<Self>, waiter: WaiterId) {
        self.decide(Instant::now(), None, |state, steps| state.leave(waiter, steps));
    }

    /// The same of one who asked for this model, as his time is over.
    pub(super) fn leave_late(self: &Arc<Self>, waiter: WaiterId, lane: usize) {
        self.decide(Instant::now(), None, |state, steps| state.leave_late(waiter, lane, steps));
    }

    /// A number for one more caller.
    pub(super) fn next_waiter(&self) -> WaiterId {
        self.waiters.fetch_add(1, Ordering::Relaxed)
    }

    /// The kept reply to this request, if there is one in memory.
    pub(super) fn kept(&self, lane: usize, key: &Key) -> Option<Completed> {
        let mut state = self.state();
        let reply = state.caches[lane].get(key, Instant::now())?;
        state.counts[lane].cached += 1;
        drop(state);
        Some(Completed::kept(reply, self.name(lane)))
    }

    /// The kept reply to this request, if there is one in the store. A store that does not answer in time, nor by the deadline, is gone
    /// without.
    pub(super) async fn stored(&self, lane: usize, key: Key, deadline: Instant) -> Option<Completed> {
        let read = self.models[lane].store.as_ref()?.read(key.bytes().clone());
        let patience = STORE_PATIENCE.min(deadline.saturating_duration_since(Instant::now()));
        let stored = tokio::select! {
            biased;
            stored = read => stored,
            () = self.shared.sleep(patience) => return None,
        };
        let max_age = self.models[lane].cache.max_age;
        let StoredReply { reply, age } = match stored {
            // Another program may have kept it, which had more patience.
            Ok(stored) => stored.filter(|stored| stored.age < max_age)?,
            Err(error) => {
                tracing::warn!(%error, "a kept reply cannot be read; the model is asked");
                return None;
            }
        };
        let mut state = self.state();
        state.counts[lane].cached += 1;
        state.caches[lane].put(key, reply.clone(), age, Instant::now());
        drop(state);
        Some(Completed::kept(reply, self.name(lane)))
    }

    /// Sets a timer. It cannot be taken back; looking early does no harm.
    pub(super) fn set(&self, at: Instant, here: &mut Here<'_, '_>) {
        if here.turn.after(at.saturating_duration_since(Instant::now()), LeafMessage::Wake(at)).is_err() {
            self.state().timers.remove(&(at, here.number));
        }
    }

    pub(super) fn wake(self: &Arc<Self>, at: Instant, here: Here<'_, '_>) {
        self.state().timers.remove(&(at, here.number));
        self.look(Some(here));
    }

    pub(super) fn listeners(&self) -> &Listeners {
        &self.listeners
    }

    /// Where somebody stands who begins to listen for these models, and what he has to know before.
    pub(super) fn listen(&self, lanes: &[usize]) -> (Cursor, Vec<(usize, ModelChange)>) {
        self.state().listen(lanes, Instant::now())
    }

    /// What he has not heard yet.
    pub(super) fn hear(&self, cursor: &mut Cursor, lanes: &[usize]) -> Heard {
        self.state().hear(cursor, lanes)
    }

    pub(super) fn info(&self) -> GatewayInfo {
        self.state().info(Instant::now())
    }

    /// Decides under the lock, then who may start because of it; and does it all when the lock is released, but for the call that
    /// has come in it, if its caller makes it.
    fn decide(
        self: &Arc<Self>,
        now: Instant,
        here: Option<Here<'_, '_>>,
        first: impl FnOnce(&mut State, &mut Steps),
    ) -> Option<Inline> {
        let mut steps = Steps::default();
        let mut state = self.state();
        first(&mut state, &mut steps);
        state.advance(now, &self.rules(), here.as_ref().map_or(0, |here| here.number), &mut steps);
        drop(state);
        self.perform(steps, here)
    }

    /// Somebody else's code is contained: it takes nobody's place with it.
    fn perform(self: &Arc<Self>, steps: Steps, mut here: Option<Here<'_, '_>>) -> Option<Inline> {
        let Steps { begin, begin_too, tell, answer, keep, cancel, gone, timer, notes, changed, told, arrived: _ } =
            steps;
        // Before what follows from it.
        self.listeners.wake(&changed);
        told.into_iter().for_each(|(on_news, news)| on_news.tell(&news));
        gone.into_iter().for_each(drop_contained);
        cancel.iter().for_each(CancellationToken::cancel);
        for (lane, key, reply) in keep {
            self.keep(lane, key, reply);
        }
        for (call, completed) in answer {
            call.answer(Ok(completed));
        }
        for (call, error) in tell {
            call.answer(Err(error));
        }
        // Not chained: each step of an iterator would copy them.
        let mut by_its_caller = None;
        if let Some((ticket, attempt, came)) = begin {
            by_its_caller = self.begin(ticket, attempt, came, here.as_mut());
        }
        for (ticket, attempt, came) in begin_too {
            by_its_caller = by_its_caller.or(self.begin(ticket, attempt, came, here.as_mut()));
        }
        notes.into_iter().for_each(|note| note.log(&self.names));
        match (timer, &mut here) {
            (Some(at), Some(here)) => self.set(at, here),
            (Some(at), None) if self.agent().tell(LeafMessage::Set(at)).is_err() => {
                self.state().timers.remove(&(at, 0));
            }
            _ => {}
        }
        by_its_caller
    }

    /// Has a reply stored. It is under way when this returns; whether it worked the store says to whoever asks it.
    fn keep(&self, lane: usize, key: Arc<[u8]>, reply: ChatReply) {
        let Some(store) = &self.models[lane].store else { return };
        let write = || drop_contained(store.write(key, reply));
        if let Err(panic) = contain(write) {
            tracing::warn!(%panic, "a reply is not stored");
        }
    }

    /// Has a call made: where its caller is, if it has just come from there; otherwise by this leaf, unless another one has less to
    /// do. A call that waited has no place where it belongs.
    fn begin(
        self: &Arc<Self>,
        ticket: Ticket,
        attempt: Attempt,
        came: Came,
        here: Option<&mut Here<'_, '_>>,
    ) -> Option<Inline> {
        let flight = attempt.call.flight();
        let home = attempt.call.home.clone().filter(|_| came == Came::JustNow);
        let place = |leaf| Place::new(self.clone(), ticket, leaf, flight);
        // The first leaf may have more to do than it gets done.
        if let Some((home, working)) = home.and_then(|home| Some((home, self.agent().begin_work()?))) {
            let at_home = AtHome { begun: Begun { place: place(None), attempt }, working };
            match home {
                Home::Caller => return Some(Box::pin(at_home.make(self))),
                Home::Runtime(runtime) => drop(runtime.spawn(at_home.make(self))),
            }
            return None;
        }
        let (leaves, least) = (self.leaves(), self.least_busy());
        match here {
            Some(here) if leaves[here.number].busy() <= leaves[least].busy() + 1 => {
                here.begin(self, Begun { place: place(Some(here.number)), attempt });
            }
            here => self.hand_over(Begun { place: place(None), attempt }, least, here),
        }
        None
    }

    /// This leaf makes a call; if it drains or is gone, the one that is here.
    fn hand_over(self: &Arc<Self>, mut begun: Begun, leaf: usize, here: Option<&mut Here<'_, '_>>) {
        begun.place.moves_to(leaf);
        let Err(refused) = self.leaves()[leaf].agent.tell(LeafMessage::Begin(Box::new(begun))) else { return };
        let why = match &refused {
            TellError::Overloaded(_) => ModelError::Overloaded { retry_after: RETRY_AFTER },
            _ => ModelError::Stopped,
        };
        let LeafMessage::Begin(begun) = refused.into_message() else { return };
        let Begun { mut place, attempt } = *begun;
        match here {
            Some(here) => {
                place.moves_to(here.number);
                here.begin(self, Begun { place, attempt });
            }
            None => place.not_made(attempt, why),
        }
    }

    /// The longest that a new call may take.
    pub(super) fn deadline(&self) -> Duration {
        Duration::from_nanos(self.deadline.load(Ordering::Relaxed))
    }

    /// Whether there is anybody to make calls.
    pub(super) fn is_open(&self) -> bool {
        self.state().is_open()
    }

    pub(super) fn limits(&self) -> GatewayLimits {
        self.state().limits.clone()
    }

    /// From now on these limits hold, which are valid. A leaf looks who may start by them.
    pub(super) fn set_limits(&self, limits: GatewayLimits) -> Result<(), StartError> {
        limits.is_within(&self.largest)?;
        let mut state = self.state();
        self.deadline.store(nanos(limits.deadline), Ordering::Relaxed);
        state.set_limits(limits, Instant::now());
        self.have_looked(state);
        Ok(())
    }

    /// The same for one model.
    pub(super) fn set_model_limits(&self, lane: usize, limits: ModelLimits) {
        let mut state = self.state();
        state.set_model_limits(lane, limits, Instant::now());
        self.have_looked(state);
    }
}

/// A deadline is a day at most.
fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
