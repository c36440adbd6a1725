//! How does a test of a minute take a millisecond? One shard on the current thread, on a clock that jumps.

use std::future::Future;

use tokio::runtime::Builder;

use super::chance::Chance;
use super::clock::ClockHandle;
use super::{Runtime, Shared, shard};

/// Runs `body` with a runtime on virtual time: one shard, no other threads, ids and jitter drawn from `seed`. Whenever
/// everything waits, the clock jumps to the next timer. A coin that falls by the seed decides now and then that an agent,
/// or a piece of its work, waits for another turn: each seed explores an interleaving of its own, and repeats it.
/// This way of finding races comes from deterministic simulation testing (FoundationDB, 2014). What touches real time, sockets or threads does not belong here.
///
/// # Panics
/// Panics when called inside an async runtime, and when `body` panics.
pub fn simulated<Body, Fut>(seed: u64, body: Body) -> Fut::Output
where
    Body: FnOnce(Runtime) -> Fut,
    Fut: Future,
{
    assert!(
        tokio::runtime::Handle::try_current().is_err(),
        "virtual time needs a thread of its own: call it from a plain function, such as one with #[test] and not #[tokio::test]"
    );
    let paused = || {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a current-thread runtime without sockets needs nothing that can be missing")
    };
    actix::System::with_tokio_rt(paused).block_on(async move {
        let (door, _presence) = shard::on_this_thread();
        let shared = Shared::new(vec![door], ClockHandle::current(), Chance::seeded(seed), Some(Chance::seeded(!seed)));
        body(Runtime::on_this_thread(shared)).await
    })
}
