//! How long does a question take when the agent lives on another thread? One after the other, with 64 on their way, and
//! in batches of 64.
//!
//! The asking task is on the first of two single-threaded runtimes (Callboard: two shards of one runtime), the agent on
//! the second. A batch is one message with 64 numbers and one reply with 64 sums, the next batch after the reply.

use std::collections::VecDeque;
use std::time::Instant;

use super::{millions_a_second, nanoseconds_each};
use crate::each_peer;
use crate::options::Options;
use crate::peer::Peer;
use crate::rounds::Measure;

/// The measurement.
pub const MEASURE: Measure = Measure {
    name: "across",
    titles: &[
        "ask across threads, one after the other, us",
        "ask across threads, 64 in flight, millions/s",
        "ask across threads, batches of 64, millions/s",
    ],
    subjects: each_peer!(P => sample::<P>),
};

const WINDOW: usize = 64;

fn sample<P: Peer>(options: &Options) -> Vec<f64> {
    let (serial, window, batches) = (options.sized(20_000), options.sized(300_000), options.sized(20_000));
    P::run(2, move |homes| async move {
        let agent = P::spawn(&homes[1]).await;
        in_flight::<P>(&agent, serial).await;
        vec![
            one_by_one::<P>(&agent, serial).await,
            in_flight::<P>(&agent, window).await,
            in_batches::<P>(&agent, batches).await,
        ]
    })
}

async fn one_by_one<P: Peer>(agent: &P::Agent, asks: u64) -> f64 {
    let first = P::ask(agent, 0).await;
    let begin = Instant::now();
    let mut sum = 0;
    for _ in 0..asks {
        sum = P::ask(agent, 1).await;
    }
    let took = begin.elapsed();
    assert_eq!(sum, first + asks, "nothing was lost");
    nanoseconds_each(took, asks) / 1e3
}

async fn in_flight<P: Peer>(agent: &P::Agent, asks: u64) -> f64 {
    let first = P::ask(agent, 0).await;
    let begin = Instant::now();
    let mut window = VecDeque::with_capacity(WINDOW);
    let mut sum = 0;
    for _ in 0..asks {
        if window.len() == WINDOW
            && let Some(oldest) = window.pop_front()
        {
            sum = oldest.await;
        }
        window.push_back(P::begin(agent, 1));
    }
    for answer in window {
        sum = answer.await;
    }
    let took = begin.elapsed();
    assert_eq!(sum, first + asks, "nothing was lost");
    millions_a_second(took, asks)
}

async fn in_batches<P: Peer>(agent: &P::Agent, batches: u64) -> f64 {
    let first = P::ask(agent, 0).await;
    let begin = Instant::now();
    let mut sum = 0;
    for _ in 0..batches {
        let sums = P::ask_batch(agent, vec![1; WINDOW]).await;
        sum = sums[WINDOW - 1];
    }
    let took = begin.elapsed();
    let asks = batches * WINDOW as u64;
    assert_eq!(sum, first + asks, "nothing was lost");
    millions_a_second(took, asks)
}
