//! How much memory does a waiting call hold? Resident bytes for each of ten thousand calls, in a process of its own for each
//! side, so that nobody inherits another's heap.
//!
//! In flight, they wait for the provider. Behind a limit, they wait for a place: in the gateway's line, or at the semaphore.

use std::mem::ManuallyDrop;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use super::direct::Direct;
use super::loops::Loop;
use super::ours::Ours;
use super::plain::{MADE_BY_ACTIX, made_by_actix};
use super::runs::{Agents, MADE, made};
use super::server::Server;
use super::{Answered, Side};
use crate::measure::memory::resident_bytes;

/// The first argument of a process that measures itself; side, limit and number of calls follow.
pub const CHILD: &str = "--waiting";

/// Calls that wait before the first look, so that pages and pools that one needs anyway do not count.
const WARM_UP: usize = 1_000;

/// What stands before a side's name when its runs are looked at while they wait for their second call.
const SECOND: &str = "second-";

/// How long a call takes then: so that all have begun before the first is answered, and are seen when all wait once more.
const TURN: Duration = Duration::from_secs(16);

/// Nobody is answered before the measurement is over.
const EVER: Duration = Duration::from_secs(3_600);

/// Resident bytes of each of `calls` calls, of which `limit` are in flight; `None` for all.
///
/// # Panics
/// Panics when the process does not come to its end.
pub fn bytes<S: Side>(calls: usize, limit: Option<usize>) -> f64 {
    let limit = limit.unwrap_or(calls + WARM_UP);
    figures(&[S::NAME, &limit.to_string(), &calls.to_string()])[0]
}

/// Resident bytes of each of `runs` runs that have called a tool and wait for their second call: between a process with so many and a
/// thousand more, and one with a thousand.
///
/// # Panics
/// Panics when a process does not come to its end.
pub(super) fn bytes_of_second<S: Side>(runs: usize) -> f64 {
    let of = |runs: usize| {
        let side = format!("{SECOND}{}", S::NAME);
        figures(&[&side, &runs.to_string(), &runs.to_string()])[0]
    };
    (of(runs + WARM_UP) - of(WARM_UP)) / runs as f64
}

/// What a process of its own finds out: side, limit and number follow.
///
/// # Panics
/// Panics when the process does not come to its end.
pub(super) fn figures(arguments: &[&str]) -> Vec<f64> {
    let this = std::env::current_exe().expect("the path of a running program is known");
    let output = Command::new(this).arg(CHILD).args(arguments).stderr(Stdio::inherit()).output();
    let output = output.expect("this program can be started again");
    assert!(output.status.success(), "{arguments:?} did not come to its end: {}", output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace().map(|figure| figure.parse().expect("the child prints numbers")).collect()
}

/// Measures this process: prints what it finds, and ends the process.
///
/// # Panics
/// Panics when the arguments are not those that this file passes.
#[tokio::main(worker_threads = 2)]
pub async fn child(mut arguments: impl Iterator<Item = String>) {
    let side = arguments.next().expect("a side follows");
    let mut number = || arguments.next().and_then(|text| text.parse().ok()).expect("two numbers follow");
    let (limit, calls) = (number(), number());
    let figures = match side.as_str() {
        Ours::NAME => vec![resident::<Ours>(limit, calls).await],
        Direct::NAME => vec![resident::<Direct>(limit, calls).await],
        Agents::NAME => vec![resident::<Agents>(limit, calls).await],
        Loop::NAME => vec![resident::<Loop>(limit, calls).await],
        side if side == format!("{SECOND}{}", Agents::NAME) => vec![resident_in_second::<Agents>(calls).await],
        side if side == format!("{SECOND}{}", Loop::NAME) => vec![resident_in_second::<Loop>(calls).await],
        MADE => made(calls).await.into(),
        MADE_BY_ACTIX => std::thread::spawn(move || made_by_actix(calls)).join().expect("it does not panic").into(),
        _ => panic!("there is no side called {side}"),
    };
    for figure in figures {
        println!("{figure}");
    }
    // Nobody waits for those who wait.
    std::process::exit(0);
}

async fn resident<S: Side>(limit: usize, calls: usize) -> f64 {
    // It stays for as long as this process: whoever waits would be told of its end.
    let mut server = ManuallyDrop::new(Server::start(EVER));
    let side = S::open(server.base_url(), limit);
    let begun = Arc::new(AtomicUsize::new(0));
    wait::<S>(&side, &mut server, &begun, WARM_UP, limit).await;
    let before = resident_bytes();
    wait::<S>(&side, &mut server, &begun, calls, limit).await;
    (resident_bytes() - before) / calls as f64
}

/// Resident bytes of this process while so many runs wait for their second call.
async fn resident_in_second<S: Side>(runs: usize) -> f64 {
    let mut server = ManuallyDrop::new(Server::start(TURN));
    let side = S::open(server.base_url(), runs);
    let began = tokio::time::Instant::now();
    for _ in 0..runs {
        let side = side.clone();
        tokio::spawn(async move { side.call().await });
    }
    tokio::time::sleep_until(began + TURN + TURN / 2).await;
    assert_eq!(server.in_flight(), runs, "all of them wait");
    resident_bytes()
}

/// Lets so many more calls wait; comes back when all of them do.
async fn wait<S: Side>(side: &S, server: &mut Server, begun: &Arc<AtomicUsize>, more: usize, limit: usize) {
    let all = begun.load(Relaxed) + more;
    for _ in 0..more {
        let (side, begun) = (side.clone(), begun.clone());
        tokio::spawn(async move {
            begun.fetch_add(1, Relaxed);
            let Answered { .. } = side.call().await;
            unreachable!("nobody is answered");
        });
    }
    while begun.load(Relaxed) < all || server.in_flight() < all.min(limit) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The last of them are on their way into the line.
    tokio::time::sleep(Duration::from_millis(300)).await;
}
