//! Who keeps the deadlines of thousands of asks? Each shard those of its own thread, the clock those of all others; each
//! in one wheel with one timer.
//!
//! A timer of tokio for each ask costs a block on the heap, two readings of the clock, locks and a call to its driver,
//! which wakes the clock's thread. Here a deadline that does not pass costs a few writes: the clock is read once in a
//! millisecond, and only while there are new ones. A deadline never passes too early, and at most three milliseconds late
//! while nobody blocks the thread that keeps it.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::Shared;
use super::shard::this_shard;
use super::wheel::{Key, Wheel};

/// Nanoseconds of a millisecond, the wheel's tick.
const TICK: u128 = 1_000_000;

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
    fn new() -> Self {
        Self { wheel: Wheel::new(), soon: false, entered: false, keeper: None }
    }

    /// Enters a deadline; whom to wake for it to be kept.
    fn enter(&mut self, within: Duration, whom: Arc<dyn Expires>) -> (Key, Option<Waker>) {
        self.entered = true;
        let ticks = u64::try_from(within.as_nanos().div_ceil(TICK)).unwrap_or(u64::MAX);
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
            let now = u64::try_from(began.elapsed().as_nanos() / TICK).unwrap_or(u64::MAX);
            let mut next = None;
            with(&mut |deadlines| {
                deadlines.keeper = Some(cx.waker().clone());
                next = deadlines.look(now, &mut passed);
            });
            // Not while the wheel is in use: whoever is told may enter another deadline.
            passed.drain(..).for_each(|one| one.expire(Expiry::Passed));
            let Some(next) = next else { return Poll::<()>::Pending };
            timer.as_mut().reset(began + Duration::from_millis(next));
            std::task::ready!(timer.as_mut().poll(cx));
        }
    })
    .await;
}

fn end(deadlines: Option<Deadlines>) {
    let Some(mut deadlines) = deadlines else { return };
    deadlines.wheel.drain().for_each(|one| one.expire(Expiry::Ended));
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
    /// The runtime of that shard.
    static RUNTIME: RefCell<Weak<Shared>> = const { RefCell::new(Weak::new()) };
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

/// Says to which runtime this thread's shard belongs.
pub(super) fn belongs_to(shared: Weak<Shared>) {
    RUNTIME.set(shared);
}

/// A deadline of this runtime. Dropped, it is taken back; one that a shard keeps only on that shard's thread: else what it
/// would have told stays in memory until its time.
pub(crate) struct Deadline {
    keeper: Keeper,
    key: Key,
}

enum Keeper {
    Shard(u64),
    Clock(Arc<Shared>),
}

impl Deadline {
    /// Lets `whom` be told `within` this time. `None` when the runtime has ended.
    pub(crate) fn new(shared: &Arc<Shared>, within: Duration, whom: Arc<dyn Expires>) -> Option<Self> {
        if !shared.is_here() {
            return Self::on_clock(shared, within, whom);
        }
        let entered = HERE.with_borrow_mut(|deadlines| Some(deadlines.as_mut()?.enter(within, whom)));
        Self::kept(entered?, Keeper::Shard(this_shard()?))
    }

    fn on_clock(shared: &Arc<Shared>, within: Duration, whom: Arc<dyn Expires>) -> Option<Self> {
        let entered = shared.deadlines().with(|deadlines| deadlines.enter(within, whom));
        Self::kept(entered?, Keeper::Clock(shared.clone()))
    }

    fn kept((key, waker): (Key, Option<Waker>), keeper: Keeper) -> Option<Self> {
        if let Some(waker) = waker {
            waker.wake();
        }
        Some(Self { keeper, key })
    }

    /// Whether this thread keeps it, so that it does not pass while the thread waits for it.
    #[inline]
    pub(crate) fn is_kept_here(&self) -> bool {
        matches!(self.keeper, Keeper::Shard(shard) if this_shard() == Some(shard))
    }

    /// The same on the clock, for a thread that waits.
    pub(crate) fn elsewhere(within: Duration, whom: Arc<dyn Expires>) -> Option<Self> {
        let shared = RUNTIME.with_borrow(Weak::upgrade)?;
        Self::on_clock(&shared, within, whom)
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        // What comes out is dropped where the wheel is not in use.
        let _taken_back = match &self.keeper {
            Keeper::Clock(shared) => shared.deadlines().with(|deadlines| deadlines.wheel.remove(self.key)).flatten(),
            Keeper::Shard(shard) if this_shard() == Some(*shard) => HERE
                .try_with(|deadlines| deadlines.try_borrow_mut().ok()?.as_mut()?.wheel.remove(self.key))
                .ok()
                .flatten(),
            Keeper::Shard(_) => None,
        };
    }
}
