//! Does a stop that blocks its thread end wherever it is called?

mod common;

use std::sync::mpsc;
use std::time::Duration;

use callboard_actors::agent::Turn;
use callboard_actors::runtime::{StopReport, simulated};
use common::obeys::{Told, obeys};
use common::{Count, LONG, counter, runtime, wait};

const SHORT: Duration = Duration::from_millis(1);

async fn stop_blocking_in_a_task() {
    let idle = runtime(2);
    idle.spawn(counter()).unwrap();
    assert!(idle.stop_blocking(LONG).is_clean());
    // An agent that needs the thread which waits for it: the wait ends at its limit.
    let needy = runtime(1);
    let (never, needs) = tokio::sync::oneshot::channel::<()>();
    let waits = |turn: &mut Turn<'_, Told>| assert!(turn.start(needs, |_| Told::to(|_| ())).is_ok());
    assert!(needy.spawn(obeys()).unwrap().tell(Told::to(waits)).is_ok());
    let report = needy.stop_blocking(SHORT);
    assert_eq!((report.abandoned.len(), report.stuck_threads), (1, 0), "{report:?}");
    drop(never);
}

#[tokio::test]
async fn a_blocking_stop_ends_inside_a_current_thread_runtime() {
    stop_blocking_in_a_task().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_blocking_stop_ends_inside_a_multi_thread_runtime() {
    tokio::spawn(stop_blocking_in_a_task()).await.unwrap();
}

/// The report of a stop on the runtime's own shard, in a handler or in work.
fn stop_from_inside(in_work: bool) -> StopReport {
    let runtime = runtime(2);
    let agent = runtime.spawn(obeys()).unwrap();
    let (sender, said) = mpsc::channel();
    let stop = move || {
        let _ = sender.send(runtime.stop_blocking(SHORT));
    };
    let told = Told::to(move |turn| {
        if !in_work {
            return stop();
        }
        assert!(turn.start(async move { stop() }, |_| Told::to(|_| ())).is_ok());
    });
    assert!(agent.tell(told).is_ok());
    let report = said.recv_timeout(LONG).expect("it does not wait for itself");
    wait(agent.gone());
    report
}

#[test]
fn a_blocking_stop_on_its_own_shard_reports_the_thread_that_it_is() {
    for in_work in [false, true] {
        let report = stop_from_inside(in_work);
        assert_eq!((report.abandoned.len(), report.stuck_threads), (1, 1), "{report:?}");
    }
}

#[test]
fn a_blocking_stop_on_virtual_time_does_not_wait() {
    let agents = simulated(1, |runtime| async move {
        let (idle, busy) = (runtime.spawn(counter()).unwrap(), runtime.spawn(counter()).unwrap());
        busy.tell(Count::Add).unwrap();
        let report = runtime.stop_blocking(LONG);
        assert_eq!((report.drained, report.abandoned.len(), report.stuck_threads), (1, 1, 0));
        assert_eq!((report.abandoned[0].id, report.abandoned[0].pending), (busy.id(), 1));
        [idle.gone().await.id == idle.id(), busy.gone().await.id == busy.id()]
    });
    assert_eq!(agents, [true, true]);
}
