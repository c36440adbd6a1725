//! What becomes of 500 callers when a server that holds 20 calls holds 5 for a while, and then 20 again? Nobody is told.
//!
//! Each round has a server and a gateway of its own.
//! How soon the return is noticed depends on where between two tries of the gateway it comes: a drop of another length gives
//! another figure.

use std::time::{Duration, Instant};

use super::crowd::{Answers, LATENCY, Watch, closed_loop, ended};
use super::options::Options;
use super::ours::Ours;
use super::row::Row;
use super::server::Server;

/// Who call.
const CALLERS: usize = 500;
/// What the server holds in each third.
const HELD: [u32; 3] = [20, 5, 20];
/// What is said of each third.
const THIRDS: [&str; 3] = ["at first", "after the drop", "after the return"];

/// What was seen of one third.
struct Third {
    /// Until things have settled: a second at first, half of the third after the drop, all of it after the return.
    settling: Answers,
    /// After that.
    settled: Answers,
    /// For the whole.
    rate: f64,
    /// At its end.
    limit: usize,
    /// How long it took until the limit was that of the server to stay, up to one call or a tenth; all of the third if it never was.
    found: Duration,
}

/// Measures it all.
pub async fn measure(options: &Options) -> Vec<Row> {
    let third = if options.divisor > 1 { Duration::from_secs(3) } else { Duration::from_secs(10) };
    let seconds = third.as_secs();
    let title = |what: &str| format!("{CALLERS} callers, a server that holds 20, 5, 20, {seconds} s each: {what}");
    let mut failed = Row::new(title("failed"), "0");
    let mut refused = Row::new(title("refused when it has settled, %"), "at most 3");
    let mut settling = THIRDS.map(|when| Row::new(title(&format!("refused until then, {when}")), ""));
    let mut rates = THIRDS.map(|when| Row::new(title(&format!("calls/s of what it holds, {when}")), ""));
    let mut limits = THIRDS.map(|when| Row::new(title(&format!("limit that is found, {when}")), ""));
    let found_by = |(when, aim)| Row::new(title(&format!("s until it is found to stay, {when}")), aim);
    let mut found = [(THIRDS[0], "at most 1"), (THIRDS[1], "at most 5"), (THIRDS[2], "at most 10")].map(found_by);
    let mut shares = ["fewest", "most"].map(|which| Row::new(title(&format!("{which} calls that a caller got")), ""));
    for _ in 0..options.rounds.min(3) {
        let server = Server::with(LATENCY, HELD[0]);
        let watch = Watch::of(&server);
        let side = Ours::with(server.base_url(), None, 64);
        let callers = closed_loop(&side, CALLERS, Instant::now() + 3 * third);
        let (mut fine, mut no) = (0.0, 0.0);
        let settle = [Duration::from_secs(1), third / 2, third];
        for (number, settle) in settle.into_iter().enumerate() {
            let seen = watched(&side, &watch, (HELD[number], third, settle)).await;
            (fine, no) = (fine + seen.settled.fine, no + seen.settled.refused);
            settling[number].push_ours(seen.settling.refused);
            rates[number].push_ours(seen.rate / (f64::from(HELD[number]) / LATENCY.as_secs_f64()));
            limits[number].push_ours(seen.limit as f64);
            found[number].push_ours(seen.found.as_secs_f64());
        }
        refused.push_ours(Answers { fine, refused: no }.refused_percent());
        let got = ended(callers).await;
        failed.push_ours(got.iter().map(|got| got.failed).sum::<usize>() as f64);
        let done = || got.iter().map(|got| got.done);
        shares[0].push_ours(done().min().unwrap_or(0) as f64);
        shares[1].push_ours(done().max().unwrap_or(0) as f64);
    }
    let [first, rest @ ..] = [settling, rates, limits, found];
    let mut rows = vec![failed, refused];
    rows.extend(first);
    rows.extend(rest.into_iter().flatten());
    rows.extend(shares);
    rows
}

/// Watches a third that begins now.
async fn watched(side: &Ours, watch: &Watch, (held, third, settle): (u32, Duration, Duration)) -> Third {
    watch.allow(held).await;
    let (began, before) = (Instant::now(), watch.answers().await);
    let mut middle = None;
    let mut found = None;
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    while began.elapsed() < third {
        ticks.tick().await;
        if began.elapsed() >= settle && middle.is_none() {
            middle = Some(watch.answers().await);
        }
        let away = (side.info().await.limit as f64 - f64::from(held)).abs();
        found = (away <= (f64::from(held) / 10.0).max(1.0)).then(|| found.unwrap_or_else(|| began.elapsed()));
    }
    let after = watch.answers().await;
    let (middle, found) = (middle.unwrap_or(after), found.unwrap_or(third));
    let rate = (after - before).fine / began.elapsed().as_secs_f64();
    Third { settling: middle - before, settled: after - middle, rate, limit: side.info().await.limit, found }
}
