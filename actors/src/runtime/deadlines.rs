//! Who keeps the deadlines of thousands of asks? Each shard those of its own thread, the clock those of all others; each
//! in one wheel with one timer.
//!
//! A timer of tokio for each ask costs a block on the heap, two readings of the clock, locks and a call to its driver,
//! which wakes the clock's thread. Here a deadline that does not pass costs a few writes: the clock is read once in a
//! millisecond, and only while there are new ones. A deadline never passes too early, and at most three milliseconds late
//! while nobody blocks the thread that keeps it.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Shared;
use super::registry::runtime_of;
use super::shard::this_shard;
use super::wheel::{Key, Wheel};
use crate::mailbox::{contain, drop_contained};

/// Nanoseconds of a millisecond, the wheel's tick.
const TICK: u32 = 1_000_000;

/// As many that pass at the same time are told without taking memory again.
const ROOM: usize = 256;

/// What is told that its deadline has passed, or that nobody keeps it any more.
pub(crate) trait Expires: Send + Sync {
    /// Called once, by whoever keeps the deadline. Must not block.
    fn expire(&self, end: Expiry);
}

/// How a deadline ends that nobody takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// It has passed.
    Passed,
    /// The shard, or the runtime, has ended.
    Ended,
}

/// The deadlines of one thread.
struct Deadlines {
    wheel: Wheel<Arc<dyn Expires>>,
    /// Whether the keeper looks at the wheel within a tick, without being woken.
    soon: bool,
    /// Whether a deadline was entered since the last look.
    entered: bool,
    keeper: Option<Waker>,
}

impl Deadlines {
    #[inline]
    fn new() -> Self {
        Self { wheel: Wheel::new(), soon: false, entered: false, keeper: None }
    }

    /// Enters a deadline; whom to wake for it to be kept.
    #[inline]
    fn enter(&mut self, ticks: u64, whom: Arc<dyn Expires>) -> (Key, Option<Waker>) {
        self.entered = true;
        let key = self.wheel.insert(ticks, whom);
        let comes_anyway = std::mem::replace(&mut self.soon, true);
        (key, if comes_anyway { None } else { self.keeper.take() })
    }

    /// What the keeper has to do at this time: tell those whose time is up, and come back at that tick.
    fn look(&mut self, now: u64, passed: &mut Vec<Arc<dyn Expires>>) -> Option<u64> {
        self.wheel.advance(now, passed);
        self.soon = std::mem::take(&mut self.entered);
        let soon = self.soon.then_some(now + 1);
        soon.into_iter().chain(self.wheel.next()).min()
    }
}

/// Looks at deadlines when it is time; `with` gives them, `None` when they are gone.
async fn look_in_time(with: impl Fn(&mut dyn FnMut(&mut Deadlines))) {
    let began = Instant::now();
    let mut timer = pin!(sleep_until(began));
    let mut passed = Vec::new();
    poll_fn(|cx| {
        loop {
            let now = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            let mut next = None;
            with(&mut |deadlines| {
                deadlines.keeper = Some(cx.waker().clone());
                next = deadlines.look(now, &mut passed);
            });
            // Not while the wheel is in use: whoever is told may enter another deadline.
            tell(passed.drain(..), Expiry::Passed);
            passed.shrink_to(ROOM);
            let Some(next) = next else { return Poll::<()>::Pending };
            timer.as_mut().reset(began + Duration::from_millis(next));
            std::task::ready!(timer.as_mut().poll(cx));
        }
    })
    .await;
}

fn end(deadlines: Option<Deadlines>) {
    let Some(mut deadlines) = deadlines else { return };
    tell(deadlines.wheel.drain(), Expiry::Ended);
}

/// A waker is somebody's own code: one that panics keeps nothing from the others.
fn tell(those: impl Iterator<Item = Arc<dyn Expires>>, end: Expiry) {
    for one in those {
        if let Err(panic) = contain(|| one.expire(end)) {
            tracing::warn!(%panic, "waking an asker whose time is up panicked");
        }
        drop_contained(one);
    }
}

/// Those of all threads that are no shards of this runtime. `None` before it runs, and after its end.
#[derive(Default)]
pub(super) struct ClockDeadlines(Mutex<Option<Deadlines>>);

impl ClockDeadlines {
    fn with<T>(&self, act: impl FnOnce(&mut Deadlines) -> T) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(act)
    }

    fn take(&self) -> Option<Deadlines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Keeps the clock's deadlines of a runtime for as long as what this gives is polled.
pub(super) fn keep_on_clock(shared: Arc<Shared>) -> impl Future<Output = ()> + Send {
    struct End(Arc<Shared>);
    impl Drop for End {
        fn drop(&mut self) {
            end(self.0.deadlines().take());
        }
    }
    *shared.deadlines().0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Deadlines::new());
    let kept = End(shared);
    async move {
        look_in_time(|act| kept.0.deadlines().with(act).unwrap_or_default()).await;
    }
}

thread_local! {
    /// Of the shard that this thread is.
    static HERE: RefCell<Option<Deadlines>> = const { RefCell::new(None) };
    /// What the waker of the task points at that is polled on this shard; 0 outside such tasks.
    static TASK: Cell<usize> = const { Cell::new(0) };
}

/// Lets a task of this shard have its turn: what is polled in it with the task's own waker waits without blocking.
#[inline]
pub(crate) fn in_task<T>(task: &Waker, act: impl FnOnce() -> T) -> T {
    struct Reset(usize);
    impl Drop for Reset {
        fn drop(&mut self) {
            TASK.set(self.0);
        }
    }
    let _reset = Reset(TASK.replace(task.data() as usize));
    act()
}

/// This thread is a shard from here on, which takes deadlines. They are kept for as long as what this gives is polled.
pub(super) fn keep_here() -> impl Future<Output = ()> {
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            end(HERE.try_with(RefCell::take).ok().flatten());
        }
    }
    HERE.set(Some(Deadlines::new()));
    let kept = End;
    async move {
        let _kept = kept;
        look_in_time(|act| HERE.with_borrow_mut(|deadlines| deadlines.as_mut().map_or((), act))).await;
    }
}

/// A deadline of a runtime. Dropped, it is taken back.
pub(crate) struct Deadline {
    keeper: Keeper,
    key: Key,
    /// In ticks.
    within: u64,
    /// When it was made: a [moment](Shared::moment).
    since: u32,
}

enum Keeper {
    Shard(u64),
    Clock(Arc<Shared>),
}

impl Deadline {
    /// Lets `whom` be told `within` this time. `None` when the runtime has ended.
    #[inline]
    pub(crate) fn new(shared: &Arc<Shared>, within: Duration, whom: Arc<dyn Expires>) -> Option<Self> {
        if !shared.is_here() {
            return Self::on_clock(shared.clone(), ticks(within), whom);
        }
        let within = ticks(within);
        let (key, keeper) = HERE.with_borrow_mut(|deadlines| Some(deadlines.as_mut()?.enter(within, whom)))?;
        wake(keeper);
        Some(Self { keeper: Keeper::Shard(this_shard()?), key, within, since: shared.moment() })
    }

    fn on_clock(shared: Arc<Shared>, within: u64, whom: Arc<dyn Expires>) -> Option<Self> {
        let (key, keeper) = shared.deadlines().with(|deadlines| deadlines.enter(within, whom))?;
        wake(keeper);
        let since = shared.moment();
        Some(Self { keeper: Keeper::Clock(shared), key, within, since })
    }

    /// Whether it passes in time for whoever waits with this waker. A shard keeps it only for its own tasks: who waits in
    /// another way may block the shard, or is on another thread, which a blocked shard must not hold up.
    #[inline]
    pub(crate) fn serves(&self, waker: &Waker) -> bool {
        match self.keeper {
            Keeper::Clock(_) => true,
            Keeper::Shard(shard) => this_shard() == Some(shard) && TASK.get() == waker.data() as usize,
        }
    }

    /// The same deadline, kept by the clock. It may pass as late as the clock's thread was ever
    /// held up, usually a tenth of a second. `None` when the runtime has ended.
    pub(crate) fn moved(&self, whom: Arc<dyn Expires>) -> Option<Self> {
        let Keeper::Shard(shard) = self.keeper else { return None };
        let shared = runtime_of(shard)?;
        let left = self.within.saturating_sub(shared.surely_passed(self.since));
        Self::on_clock(shared, left, whom)
    }
}

/// So long in ticks, none of them begun only.
#[inline]
fn ticks(time: Duration) -> u64 {
    time.as_secs().saturating_mul(1_000).saturating_add(u64::from(time.subsec_nanos().div_ceil(TICK)))
}

#[inline]
fn wake(keeper: Option<Waker>) {
    if let Some(keeper) = keeper {
        keeper.wake();
    }
}

/// Takes a deadline out of this thread's wheel; what comes out is to be dropped where the wheel is not in use.
#[inline]
fn take_back(key: Key) -> Option<Arc<dyn Expires>> {
    HERE.try_with(|deadlines| deadlines.try_borrow_mut().ok()?.as_mut()?.wheel.remove(key)).ok().flatten()
}

impl Drop for Deadline {
    fn drop(&mut self) {
        let key = self.key;
        match &self.keeper {
            Keeper::Clock(shared) => {
                drop_contained(shared.deadlines().with(|deadlines| deadlines.wheel.remove(key)));
            }
            Keeper::Shard(shard) if this_shard() == Some(*shard) => drop_contained(take_back(key)),
            Keeper::Shard(shard) => {
                if let Some(shared) = runtime_of(*shard) {
                    shared.run_on(*shard, Box::new(move || drop_contained(take_back(key))));
                }
            }
        }
    }
}
