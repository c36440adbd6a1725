//! What becomes of calls when a server holds 16 at the same time and refuses the rest? Told so, told too much, and told nothing.
//!
//! 128 calls of 100 ms take 0.8 s at least. Each round has a server and a gateway of its own, which know nothing yet: neither
//! connections nor what the server holds.

use std::time::{Duration, Instant};

use super::crowd::{LATENCY, Watch, closed_loop, ended};
use super::options::Options;
use super::ours::Ours;
use super::row::Row;
use super::server::Server;

/// The server holds so many calls.
const HELD: u32 = 16;
/// So many are made at once.
const CALLS: usize = 128;
/// So many callers make one call after the other.
const CALLERS: usize = 32;
/// What is possible, in seconds.
const POSSIBLE: f64 = 0.8;

/// Measures it all.
pub async fn measure(options: &Options) -> Vec<Row> {
    let mut rows = Vec::new();
    let cases = [(Some(16), "limit 16"), (Some(32), "limit 32"), (None, "no limit")];
    let length = if options.divisor > 1 { Duration::from_secs(3) } else { Duration::from_secs(10) };
    for (limit, said) in cases {
        let is_right = limit == Some(16);
        let title = |what: &str| format!("a server that holds {HELD}, {said}: {what}");
        let mut once = [
            Row::new(
                title(&format!("{CALLS} calls, wall time of {POSSIBLE} s")),
                if is_right { "at most 1.05" } else { "" },
            ),
            Row::new(title("the same, refused"), if is_right { "0" } else { "" }),
            Row::new(title("the same, failed"), "0"),
        ];
        let mut again = [
            Row::new(
                title(&format!("{CALLERS} callers for {} s, refused after 1 s, %", length.as_secs())),
                if is_right { "0" } else { "at most 3" },
            ),
            Row::new(title("the same, refused in the first second"), ""),
            Row::new(title("the same, calls/s after 1 s of 160"), ""),
            Row::new(title("the same, failed"), "0"),
        ];
        for _ in 0..options.rounds.min(3) {
            at_once(limit, &mut once).await;
            one_after_the_other(limit, length, &mut again).await;
        }
        rows.extend(once);
        rows.extend(again);
    }
    rows
}

/// All calls at once, behind a gateway that is new.
async fn at_once(limit: Option<usize>, rows: &mut [Row; 3]) {
    let server = Server::with(LATENCY, HELD);
    let watch = Watch::of(&server);
    let side = Ours::with(server.base_url(), limit, 64);
    let began = Instant::now();
    let calls: Vec<_> = (0..CALLS)
        .map(|_| {
            let side = side.clone();
            tokio::spawn(async move { side.try_call().await })
        })
        .collect();
    let mut failed = 0;
    for call in calls {
        if let Err(error) = call.await.expect("no caller panics") {
            eprintln!("a call failed: {error}");
            failed += 1;
        }
    }
    rows[0].push_ours(began.elapsed().as_secs_f64() / POSSIBLE);
    rows[1].push_ours(watch.answers().await.refused);
    rows[2].push_ours(f64::from(failed));
}

/// Callers in a closed loop, behind another one.
async fn one_after_the_other(limit: Option<usize>, length: Duration, rows: &mut [Row; 4]) {
    let server = Server::with(LATENCY, HELD);
    let watch = Watch::of(&server);
    let side = Ours::with(server.base_url(), limit, 64);
    let callers = closed_loop(&side, CALLERS, Instant::now() + length);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let first = watch.answers().await;
    let since = Instant::now();
    tokio::time::sleep(length.saturating_sub(Duration::from_secs(1))).await;
    let later = watch.answers().await - first;
    let seconds = since.elapsed().as_secs_f64();
    rows[0].push_ours(later.refused_percent());
    rows[1].push_ours(first.refused);
    rows[2].push_ours(later.fine / seconds / (f64::from(HELD) / LATENCY.as_secs_f64()));
    let failed: usize = ended(callers).await.iter().map(|got| got.failed).sum();
    rows[3].push_ours(failed as f64);
}
