//! How long until all have answered? One task asks 1, 100 and 10,000 agents on the same thread at once.
//!
//! The clock runs from the first question until the last answer is there. The answers are awaited in the order of the
//! questions, so that nobody's collection of futures is measured. The agents exist and have answered before.

use super::nanoseconds_each;
use crate::clock::Clock;
use crate::each_peer;
use crate::options::Options;
use crate::peer::Peer;
use crate::rounds::Measure;

/// The measurement.
pub const MEASURE: Measure = Measure {
    name: "fan_out",
    titles: &["fan out to 1 agent and back, us", "to 100 agents, us", "to 10,000 agents, us"],
    subjects: each_peer!(P => sample::<P>),
};

fn sample<P: Peer>(options: &Options) -> Vec<f64> {
    let repeats = [options.sized(50_000), options.sized(2_000), options.sized(30)];
    let clock = options.clock;
    P::run(1, move |homes| async move {
        let mut agents = Vec::new();
        for _ in 0..10_000 {
            agents.push(P::spawn(&homes[0]).await);
        }
        ask_all::<P>(&agents).await;
        vec![
            fan_out::<P>(&agents[..1], repeats[0], clock).await,
            fan_out::<P>(&agents[..100], repeats[1], clock).await,
            fan_out::<P>(&agents, repeats[2], clock).await,
        ]
    })
}

/// Microseconds for each fan-out.
async fn fan_out<P: Peer>(agents: &[P::Agent], repeats: u64, clock: Clock) -> f64 {
    let mut answers = 0;
    let begin = clock.start();
    for _ in 0..repeats {
        answers += ask_all::<P>(agents).await;
    }
    let took = begin.elapsed();
    assert!(answers >= repeats * agents.len() as u64, "everybody answered");
    nanoseconds_each(took, repeats) / 1e3
}

async fn ask_all<P: Peer>(agents: &[P::Agent]) -> u64 {
    let questions: Vec<_> = agents.iter().map(|agent| P::begin(agent, 1)).collect();
    let mut sum = 0;
    for answer in questions {
        sum += answer.await;
    }
    sum
}
