//! How many calls of tools are at work? A call keeps its places until its work is over, which may be long after its time: a function on a
//! thread of its own goes on though nobody waits for it any more. Whoever waits for a place in vain is told so when his own time is over.

use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

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
    _of_the_turn: OwnedSemaphorePermit,
    _order: Option<Ordered>,
    _of_the_tool: Option<OwnedSemaphorePermit>,
    _thread: Option<Thread>,
}

#[derive(Debug)]
enum Ordered {
    Beside { _others: OwnedRwLockReadGuard<()> },
    Alone { _others: OwnedRwLockWriteGuard<()> },
}

/// What the agent has of a call: until it drops this, the call is waited for.
pub(super) struct Taken {
    held: Arc<Held>,
    _waited_for: Option<Waited>,
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

/// The calls of one tool, of all turns of an agent.
pub(super) struct ToolPlaces {
    most: usize,
    free: Arc<Semaphore>,
    /// Calls that an agent waits for; what holds a place beside them went over its time.
    waited_for: Arc<AtomicUsize>,
}

struct Waited(Arc<AtomicUsize>);

impl Drop for Waited {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl ToolPlaces {
    pub(super) fn new(most: usize) -> Self {
        Self { most, free: Arc::new(Semaphore::new(most)), waited_for: Arc::default() }
    }

    /// Calls that are waited for come to an end, and their places are worth waiting for; those of the others are not, beyond the time
    /// of a call.
    async fn take(&self, limit: Limit) -> Option<(OwnedSemaphorePermit, Waited)> {
        let mut permit = pin!(self.free.clone().acquire_owned());
        loop {
            match timeout_at(limit.until(), permit.as_mut()).await {
                Ok(permit) => {
                    self.waited_for.fetch_add(1, Ordering::AcqRel);
                    return permit.ok().map(|permit| (permit, Waited(self.waited_for.clone())));
                }
                Err(_late) if self.waited_for.load(Ordering::Acquire) > 0 && Instant::now() < limit.ask => {}
                Err(_late) => return None,
            }
        }
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
}

/// Whether a call that must be alone still works, of those that an agent has made.
#[derive(Debug, Default)]
pub(super) struct Order(Mutex<Option<Arc<RwLock<()>>>>);

impl Order {
    /// For the calls of a new turn. Of those before, it waits for one that is to be alone, and for no others.
    fn of_turn(&self) -> Arc<RwLock<()>> {
        let mut order = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*order {
            Some(order) if order.try_read().is_err() => order.clone(),
            _ => order.insert(Arc::default()).clone(),
        }
    }
}

/// The calls of one turn.
pub(super) struct TurnPlaces {
    most: usize,
    free: Arc<Semaphore>,
    /// `None` when no tool of the agent has to be alone.
    order: Option<Arc<RwLock<()>>>,
}

impl TurnPlaces {
    pub(super) fn new(most: usize, order: Option<&Order>) -> Self {
        Self { most, free: Arc::new(Semaphore::new(most)), order: order.map(Order::of_turn) }
    }

    /// All that a call needs before it is made, at the end of `ask` at the latest.
    pub(super) async fn take(
        &self,
        spec: &Arc<ToolSpec>,
        policy: &ToolPolicy,
        tool: Option<&ToolPlaces>,
        ask: Instant,
    ) -> Result<Taken, ToolError> {
        let (limit, name) = (Limit { timeout: policy.timeout, ask }, &spec.name);
        let busy =
            |what: String| ToolError::Busy(format!("{name} waited {:?} {what}; go on without it", policy.timeout));
        let until = limit.until();
        let of_the_turn = timeout_at(until, self.free.clone().acquire_owned()).await.ok().and_then(Result::ok);
        let of_the_turn = of_the_turn.ok_or_else(|| {
            busy(format!(
                "for its turn: {} calls may be made at the same time, and some went over their time and do not end",
                self.most
            ))
        })?;
        let order = match &self.order {
            Some(order) => Some(in_order(order.clone(), policy.sequential, until).await.ok_or_else(|| {
                busy(
                    "for its turn: it must not run beside an earlier call, which went over its time and does not end"
                        .to_owned(),
                )
            })?),
            None => None,
        };
        let (of_the_tool, waited_for) = match tool {
            Some(tool) => tool.take(limit).await.map(|(permit, waited)| (Some(permit), Some(waited))).ok_or_else(|| {
                busy(format!("for a place: {} of its calls may run at the same time, and those went over their time and do not end", tool.most))
            })?,
            None => (None, None),
        };
        let thread =
            match policy.blocks {
                true => Some(timeout_at(limit.until(), threads::take(spec)).await.map_err(|_late| {
                    busy("for a thread: too many calls of plain functions have not ended".to_owned())
                })?),
                false => None,
            };
        let held = Held { _of_the_turn: of_the_turn, _order: order, _of_the_tool: of_the_tool, _thread: thread };
        Ok(Taken { held: Arc::new(held), _waited_for: waited_for })
    }
}

async fn in_order(order: Arc<RwLock<()>>, is_alone: bool, until: Instant) -> Option<Ordered> {
    match is_alone {
        true => timeout_at(until, order.write_owned()).await.ok().map(|others| Ordered::Alone { _others: others }),
        false => timeout_at(until, order.read_owned()).await.ok().map(|others| Ordered::Beside { _others: others }),
    }
}
