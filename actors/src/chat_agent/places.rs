//! How many calls of tools are at work? A call keeps its places until its work is over, which may be long after its time: a function on a
//! thread of its own goes on though nobody waits for it any more. Whoever waits for a place waits until those who have it went over their
//! time, all of them, and the time of one call longer; then he is told.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, OwnedSemaphorePermit, RwLock, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::threads::{self, Thread};
use crate::chat::ToolSpec;
use crate::error::ToolError;
use crate::ports::ToolPolicy;

/// What a call of a tool takes up: of the calls that may be made side by side, and of the threads for plain functions. They come back
/// when the agent has ended the call. Work that goes on after that, on a thread of its own, [holds](Self::hold) them.
#[derive(Debug, Clone, Default)]
pub struct ToolPlace(Weak<Held>);

impl ToolPlace {
    /// Keeps them until what this gives is dropped: it goes with the work. Say it before the work begins.
    pub fn hold(&self) -> HeldPlace {
        HeldPlace(self.0.upgrade())
    }
}

/// Places of a call that are kept for its work.
#[derive(Debug)]
#[must_use = "dropped, it keeps nothing"]
pub struct HeldPlace(#[expect(dead_code, reason = "it is there to be dropped")] Option<Arc<Held>>);

#[derive(Debug)]
struct Held {
    _of_the_turn: Place,
    _order: Option<Ordered>,
    _of_the_tool: Option<Place>,
    _thread: Option<Thread>,
}

/// What the agent has of a call.
pub(super) struct Taken {
    held: Arc<Held>,
    /// When the call is over by its own time.
    pub(super) until: Instant,
}

impl Taken {
    pub(super) fn place(&self) -> ToolPlace {
        ToolPlace(Arc::downgrade(&self.held))
    }

    /// Whether somebody works on it beside the agent.
    pub(super) fn is_held(&self) -> bool {
        Arc::strong_count(&self.held) > 1
    }
}

/// So many calls at the same time: of a tool in all turns of an agent, or of all tools in one turn.
pub(super) struct Places {
    most: usize,
    free: Arc<Semaphore>,
    times: Arc<Times>,
}

#[derive(Debug)]
struct Place {
    _permit: OwnedSemaphorePermit,
    time: Time,
}

impl Places {
    pub(super) fn new(most: usize) -> Self {
        Self { most, free: Arc::new(Semaphore::new(most)), times: Arc::default() }
    }

    async fn take(&self, limit: Limit) -> Option<Place> {
        let permit = limit.wait(|now| self.times.has_any(now), self.free.clone().acquire_owned()).await?.ok()?;
        Some(Place { _permit: permit, time: Times::begin(&self.times, limit.ask) })
    }
}

/// When the calls that have a place are over by their own time.
#[derive(Debug, Default)]
struct Times(Mutex<BTreeMap<Instant, usize>>);

/// The time of one of them, until its work is over.
#[derive(Debug)]
struct Time {
    times: Arc<Times>,
    until: Instant,
}

impl Times {
    /// It has a place until then, or until its call [begins](Time::begin_call), which says when it is over.
    fn begin(times: &Arc<Self>, until: Instant) -> Time {
        *times.lock().entry(until).or_default() += 1;
        Time { times: times.clone(), until }
    }

    /// Whether one of them is within its time.
    fn has_any(&self, now: Instant) -> bool {
        self.lock().last_key_value().is_some_and(|(until, _)| *until > now)
    }

    fn end(&self, until: Instant) {
        let mut times = self.lock();
        match times.get_mut(&until) {
            Some(calls) if *calls > 1 => *calls -= 1,
            _ => drop(times.remove(&until)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Instant, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Time {
    /// Now the call begins, and is over by its own time then.
    fn begin_call(&mut self, until: Instant) {
        *self = Times::begin(&self.times, until);
    }
}

impl Drop for Time {
    fn drop(&mut self) {
        self.times.end(self.until);
    }
}

/// How long a call may wait for its places.
#[derive(Clone, Copy)]
struct Limit {
    timeout: std::time::Duration,
    /// When the time of the ask is over.
    ask: Instant,
}

impl Limit {
    /// From now on.
    fn until(self) -> Instant {
        Instant::now().checked_add(self.timeout).map_or(self.ask, |until| until.min(self.ask))
    }

    /// Waits as long as those who have what it waits for may end `in_time`. What is over its time at this moment may be about to be
    /// dropped, so that it has one `timeout` more. Looked at once in each, so that what goes over its time meanwhile has two.
    async fn wait<T>(self, in_time: impl Fn(Instant) -> bool, free: impl Future<Output = T>) -> Option<T> {
        let mut free = pin!(free);
        loop {
            let may_end = in_time(Instant::now());
            match timeout_at(self.until(), free.as_mut()).await {
                Ok(free) => return Some(free),
                Err(_late) if may_end && Instant::now() < self.ask => {}
                Err(_late) => return None,
            }
        }
    }
}

/// Whether a call that must be alone still works, of those that an agent has made.
#[derive(Debug, Default)]
pub(super) struct Order(Mutex<Option<Arc<Alone>>>);

/// Who must be alone has it whole.
#[derive(Debug, Default)]
struct Alone {
    lock: Arc<RwLock<()>>,
    times: Arc<Times>,
}

#[derive(Debug)]
struct Ordered {
    _others: Others,
    time: Time,
}

#[derive(Debug)]
enum Others {
    Beside { _others: OwnedRwLockReadGuard<()> },
    Alone { _others: OwnedRwLockWriteGuard<()> },
}

impl Order {
    /// For the calls of a new turn. Of those before, it waits for one that is to be alone, and for no others.
    fn of_turn(&self) -> Arc<Alone> {
        let mut order = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*order {
            Some(order) if order.lock.try_read().is_err() => order.clone(),
            _ => order.insert(Arc::default()).clone(),
        }
    }
}

impl Alone {
    async fn take(&self, is_alone: bool, limit: Limit) -> Option<Ordered> {
        let lock = self.lock.clone();
        let free = async {
            match is_alone {
                true => Others::Alone { _others: lock.write_owned().await },
                false => Others::Beside { _others: lock.read_owned().await },
            }
        };
        let others = limit.wait(|now| self.times.has_any(now), free).await?;
        Some(Ordered { _others: others, time: Times::begin(&self.times, limit.ask) })
    }
}

/// The calls of one turn.
pub(super) struct TurnPlaces {
    places: Places,
    /// `None` when no tool of the agent has to be alone.
    order: Option<Arc<Alone>>,
}

impl TurnPlaces {
    pub(super) fn new(most: usize, order: Option<&Order>) -> Self {
        Self { places: Places::new(most), order: order.map(Order::of_turn) }
    }

    /// All that a call needs before it is made, at the end of `ask` at the latest.
    pub(super) async fn take(
        &self,
        spec: &Arc<ToolSpec>,
        policy: &ToolPolicy,
        tool: Option<&Places>,
        ask: Instant,
    ) -> Result<Taken, ToolError> {
        let (limit, name) = (Limit { timeout: policy.timeout, ask }, &spec.name);
        let busy = |what: String| {
            ToolError::Busy(format!("{name} waited {:?} or longer {what}; go on without it", policy.timeout))
        };
        let mut of_the_turn = self.places.take(limit).await.ok_or_else(|| {
            busy(format!(
                "for its turn: {} calls may be made at the same time, and some went over their time and do not end",
                self.places.most
            ))
        })?;
        let mut order = match &self.order {
            Some(order) => Some(order.take(policy.sequential, limit).await.ok_or_else(|| {
                busy(
                    "for its turn: it must not run beside an earlier call, which went over its time and does not end"
                        .to_owned(),
                )
            })?),
            None => None,
        };
        let mut of_the_tool = match tool {
            Some(tool) => Some(tool.take(limit).await.ok_or_else(|| {
                busy(format!("for a place: {} of its calls may run at the same time, and those went over their time and do not end", tool.most))
            })?),
            None => None,
        };
        let mut thread =
            match policy.blocks {
                true => Some(limit.wait(|now| threads::may_come(spec, now), threads::take(spec)).await.ok_or_else(
                    || busy("for a thread: too many calls of plain functions have not ended".to_owned()),
                )?),
                false => None,
            };
        let until = limit.until();
        let times = [Some(&mut of_the_turn), of_the_tool.as_mut()].into_iter().flatten().map(|place| &mut place.time);
        times.chain(order.as_mut().map(|order| &mut order.time)).for_each(|time| time.begin_call(until));
        if let Some(thread) = &mut thread {
            thread.begin(until);
        }
        let held = Held { _of_the_turn: of_the_turn, _order: order, _of_the_tool: of_the_tool, _thread: thread };
        Ok(Taken { held: Arc::new(held), until })
    }
}
