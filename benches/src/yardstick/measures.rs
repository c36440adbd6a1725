//! What is measured, how is it made fair, and what is aimed at?

use std::time::Duration;

use super::direct::Direct;
use super::load::{Took, closed, open, quantile};
use super::options::Options;
use super::ours::Ours;
use super::row::{Row, head};
use super::server::Server;
use super::{Side, limits, runs, same, storm, waiting};

/// The latency of the mock where it is not zero.
const LATENCY: Duration = Duration::from_millis(200);

/// Measures what is wanted, and prints the table; the progress goes to standard error.
pub async fn all(options: &Options) {
    same::check().await;
    if options.names("profile") {
        return profile::<Ours>(options).await;
    }
    if options.names("profile-yardstick") {
        return profile::<Direct>(options).await;
    }
    if options.names("profile-run") || options.names("profile-tool") {
        return runs::profile(options, options.names("profile-tool")).await;
    }
    if options.names("profile-loop") || options.names("profile-loop-tool") {
        return runs::profile_loop(options, options.names("profile-loop-tool")).await;
    }
    println!("{}", head());
    if options.wants("cpu") {
        cpu(options).await;
    }
    if options.wants("wall") {
        wall(options).await;
    }
    if options.wants("open") {
        open_loop(options).await;
    }
    if options.wants("memory") {
        memory(options);
    }
    if options.wants("limits") {
        print(&limits::measure(options).await);
    }
    if options.wants("storm") {
        print(&storm::measure(options).await);
    }
    if options.wants("runs") {
        runs::check();
        print(&runs::measure(options).await);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let rounds = options.rounds;
    println!("\nMedian and quartiles of {rounds} interleaved rounds on {cores} cores; at most 3 of what takes long.");
}

fn print(rows: &[Row]) {
    rows.iter().for_each(|row| println!("{}", row.line()));
}

/// Both sides once, whoever is first in turns.
async fn both<A: Side, B: Side>((ours, theirs): (&A, &B), round: usize, calls: usize) -> (Took, Took) {
    if round.is_multiple_of(2) {
        let ours = closed(ours, calls).await;
        (ours, closed(theirs, calls).await)
    } else {
        let theirs = closed(theirs, calls).await;
        (closed(ours, calls).await, theirs)
    }
}

/// What a call costs when the model answers at once, 64 in flight.
async fn cpu(options: &Options) {
    let server = Server::start(Duration::ZERO);
    let sides = (&Ours::open(server.base_url(), 64), &Direct::open(server.base_url(), 64));
    let mut rows = [
        Row::new("processor time of a call, 64 in flight, us", "at most 1.15"),
        Row::new("calls/s, 64 in flight", "at least 0.9"),
    ];
    for round in 0..=options.rounds {
        let (ours, theirs) = both(sides, round, options.calls).await;
        if round > 0 {
            let each = |took: &Took| took.processor.as_secs_f64() * 1e6 / options.calls as f64;
            let rate = |took: &Took| options.calls as f64 / took.wall.as_secs_f64();
            rows[0].push(each(&ours), each(&theirs));
            rows[1].push(rate(&ours), rate(&theirs));
        }
    }
    print(&rows);
}

/// The calls of [`cpu`], on one side only.
async fn profile<S: Side>(options: &Options) {
    let server = Server::start(Duration::ZERO);
    let side = S::open(server.base_url(), 64);
    for _ in 0..options.rounds {
        let took = closed(&side, options.calls).await;
        let calls = u32::try_from(options.calls).unwrap_or(1);
        eprintln!("{}: {:?} of processor time for each call", S::NAME, took.processor / calls);
    }
}

/// How long a thousand calls take of a model that needs 200 ms, beside what is possible.
async fn wall(options: &Options) {
    let server = Server::start(LATENCY);
    let calls = 1_000 / options.divisor;
    for limit in [10, 50, 100, 1_000] {
        let aim = if limit < calls { "at most 1.02 of what is possible" } else { "at most 1" };
        let title = format!("{calls} calls of 200 ms, {} at a time, of what is possible", limit.min(calls));
        let mut rows = [Row::new(title, aim)];
        let sides = (&Ours::open(server.base_url(), limit), &Direct::open(server.base_url(), limit));
        // The connections are there before the first round.
        both(sides, 0, limit).await;
        let possible = LATENCY.as_secs_f64() * calls.div_ceil(limit) as f64;
        let rounds = if limit < calls { options.rounds.min(3) } else { options.rounds };
        for round in 1..=rounds {
            let (ours, theirs) = both(sides, round, calls).await;
            rows[0].push(ours.wall.as_secs_f64() / possible, theirs.wall.as_secs_f64() / possible);
        }
        print(&rows);
    }
}

/// What the gateway adds to a call when 1,000 begin in each second, 200 of them in flight, whatever becomes of them.
async fn open_loop(options: &Options) {
    let server = Server::start(LATENCY);
    let (ours, direct) = (Ours::open(server.base_url(), 1_000), Direct::open(server.base_url(), 1_000));
    let calls = 5_000 / options.divisor;
    let micros = |sorted: &[Duration], share| quantile(sorted, share).as_secs_f64() * 1e6;
    let shares = [("p50", 0.5, "at most 50"), ("p99", 0.99, "at most 500")];
    let mut rows: Vec<_> = shares
        .iter()
        .flat_map(|(name, _, aim)| {
            [
                Row::new(format!("1,000 calls/s, caller waits beyond 200 ms, {name}, us"), ""),
                Row::new(format!("the difference, {name}, us"), aim),
                Row::new(format!("own overhead as the gateway tells it, {name}, us"), aim),
            ]
        })
        .collect();
    for round in 0..=options.rounds {
        let every = Duration::from_millis(1);
        let (ours, theirs) = if round.is_multiple_of(2) {
            let ours = open(&ours, calls, every).await;
            (ours, open(&direct, calls, every).await)
        } else {
            let theirs = open(&direct, calls, every).await;
            (open(&ours, calls, every).await, theirs)
        };
        if round == 0 {
            continue;
        }
        for ((_, share, _), rows) in shares.iter().zip(rows.chunks_mut(3)) {
            let beyond = |took: &[Duration]| micros(took, *share) - LATENCY.as_secs_f64() * 1e6;
            rows[0].push(beyond(&ours.took), beyond(&theirs.took));
            rows[1].push_ours(beyond(&ours.took) - beyond(&theirs.took));
            rows[2].push_ours(micros(&ours.overhead, *share));
        }
    }
    print(&rows);
}

/// What a call holds while it waits.
fn memory(options: &Options) {
    let calls = 10_000 / options.divisor;
    let kinds = [(None, "in flight", "at most 4,096 more"), (Some(64), "in line, 64 in flight", "")];
    for (limit, what, aim) in kinds {
        let mut rows = [Row::new(format!("{calls} waiting calls {what}, resident bytes of each"), aim)];
        for _ in 0..options.rounds.min(3) {
            rows[0].push(waiting::bytes::<Ours>(calls, limit), waiting::bytes::<Direct>(calls, limit));
        }
        print(&rows);
    }
}
