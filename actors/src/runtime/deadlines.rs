//! How does a shard keep the deadlines of thousands of asks? In one wheel with one timer, on the shard's own thread.
//!
//! A timer of tokio for each ask costs a block on the heap, two readings of the clock, two locks and a call to its driver.
//! Here a deadline that does not pass costs a few writes: the clock is read once in a millisecond, and only while there
//! are new ones. A deadline never passes too early, and at most three milliseconds late while nobody blocks the shard.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Weak};
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
    /// Called once, on the thread of the shard that keeps the deadline. Must not block.
    fn expire(&self, end: Expiry);
}

/// How a deadline ends that nobody takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// It has passed.
    Passed,
    /// Its shard has ended.
    ShardEnded,
}

thread_local! {
    /// Of the shard that this thread is.
    static DEADLINES: RefCell<Option<Deadlines>> = const { RefCell::new(None) };
}

struct Deadlines {
    shared: Weak<Shared>,
    wheel: Wheel<Arc<dyn Expires>>,
    /// Whether the keeper looks at the wheel within a tick, without being woken.
    soon: bool,
    /// Whether a deadline was entered since the last look.
    entered: bool,
    keeper: Option<Waker>,
}

impl Deadlines {
    /// What the keeper has to do at this time: tell those whose time is up, and come back at that tick.
    fn look(&mut self, now: u64, passed: &mut Vec<Arc<dyn Expires>>) -> Option<u64> {
        self.wheel.advance(now, passed);
        self.soon = std::mem::take(&mut self.entered);
        let soon = self.soon.then_some(now + 1);
        soon.into_iter().chain(self.wheel.next()).min()
    }
}

/// This thread is a shard from here on, which takes deadlines. They are kept for as long as what this gives is polled.
pub(super) fn keep() -> impl Future<Output = ()> {
    let (shared, wheel) = (Weak::new(), Wheel::new());
    DEADLINES.set(Some(Deadlines { shared, wheel, soon: false, entered: false, keeper: None }));
    look_in_time(End)
}

async fn look_in_time(_end: End) {
    let began = Instant::now();
    let mut timer = pin!(sleep_until(began));
    let mut passed = Vec::new();
    poll_fn(|cx| {
        loop {
            let now = u64::try_from(began.elapsed().as_nanos() / TICK).unwrap_or(u64::MAX);
            let next = DEADLINES.with_borrow_mut(|deadlines| {
                let deadlines = deadlines.as_mut()?;
                deadlines.keeper = Some(cx.waker().clone());
                deadlines.look(now, &mut passed)
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

/// No deadline is kept on a thread whose keeper is gone.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        let Ok(Some(mut deadlines)) = DEADLINES.try_with(RefCell::take) else { return };
        deadlines.wheel.drain().for_each(|one| one.expire(Expiry::ShardEnded));
    }
}

/// Says to which runtime this thread's shard belongs.
pub(super) fn belongs_to(shared: Weak<Shared>) {
    DEADLINES.with_borrow_mut(|deadlines| {
        if let Some(deadlines) = deadlines {
            deadlines.shared = shared;
        }
    });
}

/// The runtime to which the shard of this thread belongs.
pub(crate) fn runtime_here() -> Option<Arc<Shared>> {
    DEADLINES.with_borrow(|deadlines| deadlines.as_ref()?.shared.upgrade())
}

/// A deadline that the shard of this thread keeps. Dropped on that thread, it is taken back; dropped elsewhere, what it
/// would have told stays in memory until its time.
#[derive(Debug)]
pub(crate) struct Deadline {
    shard: u64,
    key: Key,
}

impl Deadline {
    /// Lets `whom` be told `within` this time, if this thread is a shard that keeps deadlines.
    pub(crate) fn here(within: Duration, whom: impl FnOnce() -> Arc<dyn Expires>) -> Option<Self> {
        let shard = this_shard()?;
        let (key, keeper) = DEADLINES.with_borrow_mut(|deadlines| {
            let deadlines = deadlines.as_mut()?;
            deadlines.entered = true;
            let ticks = u64::try_from(within.as_nanos().div_ceil(TICK)).unwrap_or(u64::MAX);
            let key = deadlines.wheel.insert(ticks, whom());
            let is_due = !std::mem::replace(&mut deadlines.soon, true);
            Some((key, is_due.then(|| deadlines.keeper.take())))
        })?;
        if let Some(keeper) = keeper.flatten() {
            keeper.wake();
        }
        Some(Self { shard, key })
    }

    /// Whether the current thread is the shard that keeps it.
    #[inline]
    pub(crate) fn is_here(&self) -> bool {
        this_shard() == Some(self.shard)
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        if !self.is_here() {
            return;
        }
        // What comes out is dropped where the wheel is not in use.
        let _taken_back =
            DEADLINES.try_with(|deadlines| deadlines.try_borrow_mut().ok()?.as_mut()?.wheel.remove(self.key));
    }
}
