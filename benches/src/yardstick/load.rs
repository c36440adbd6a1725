//! How are calls made? All at once behind a limit, or so many in a second whatever becomes of them; one task for each.

use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use super::Side;
use crate::clock::process_time;

/// What many calls took.
#[derive(Debug)]
pub struct Took {
    /// From the first call to the last answer.
    pub wall: Duration,
    /// Of this process.
    pub processor: Duration,
}

/// Makes `calls` calls, all at once; the side lets as many through as its limit says.
///
/// # Panics
/// Panics when one is not answered as the others are.
pub async fn closed<S: Side>(side: &S, calls: usize) -> Took {
    let (began, before) = (Instant::now(), process_time());
    let make = |_| {
        let side = side.clone();
        tokio::spawn(async move { side.call().await })
    };
    let tasks: Vec<_> = (0..calls).map(make).collect();
    for task in tasks {
        let answered = task.await.expect("it is answered");
        assert!(answered.bytes > 0 && answered.tokens > 0, "a whole reply: {answered:?}");
    }
    Took { wall: began.elapsed(), processor: process_time() - before }
}

/// What the callers of an open loop saw, sorted.
#[derive(Debug, Default)]
pub struct Seen {
    /// From the call to its answer.
    pub took: Vec<Duration>,
    /// What the gateway says that it took itself.
    pub overhead: Vec<Duration>,
}

/// Makes a call each `every`, `calls` times, whether those before it are answered or not.
///
/// # Panics
/// Panics when one is not answered.
pub async fn open<S: Side>(side: &S, calls: usize, every: Duration) -> Seen {
    let mut ticks = interval(every);
    // Whoever was late comes all the same.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut tasks = Vec::with_capacity(calls);
    for _ in 0..calls {
        // Its time runs from when it was due, not from when somebody came to it.
        let due = ticks.tick().await;
        let side = side.clone();
        tasks.push(tokio::spawn(async move {
            let answered = side.call().await;
            (due.elapsed(), answered.overhead)
        }));
    }
    let mut seen = Seen::default();
    for task in tasks {
        let (took, overhead) = task.await.expect("it is answered");
        seen.took.push(took);
        seen.overhead.extend(overhead);
    }
    seen.took.sort_unstable();
    seen.overhead.sort_unstable();
    seen
}

/// The value below which `share` of all are; zero of none.
pub fn quantile(sorted: &[Duration], share: f64) -> Duration {
    let place = (sorted.len().saturating_sub(1) as f64 * share) as usize;
    sorted.get(place).copied().unwrap_or_default()
}
