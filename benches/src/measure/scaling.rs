//! Does a second thread double what is done? Rings of agents that hand batons on, each ring on one thread.
//!
//! A ring has 64 agents and 16 batons; an agent that gets a baton tells its neighbour. One ring on one thread, then two
//! rings on two threads (Callboard: shards of one runtime), with the same number of hand-overs in each ring. On a
//! machine with two cores the second figure also shows what else runs there.

use std::time::Instant;

use tokio::sync::oneshot;

use super::millions_a_second;
use crate::each_peer;
use crate::options::Options;
use crate::peer::{Baton, Peer};
use crate::rounds::Measure;

/// The measurement.
pub const MEASURE: Measure = Measure {
    name: "scaling",
    titles: &["hand-overs to neighbours, one thread, millions/s", "two threads, millions/s", "two threads / one"],
    subjects: each_peer!(P => sample::<P>),
};

const AGENTS: usize = 64;
const BATONS: u64 = 16;

fn sample<P: Peer>(options: &Options) -> Vec<f64> {
    let hops = options.sized(100_000);
    let one = hand_over::<P>(1, hops);
    let two = hand_over::<P>(2, hops);
    vec![one, two, two / one]
}

/// Millions of hand-overs in each second, over all threads; each baton is handed on `hops` times.
fn hand_over<P: Peer>(threads: usize, hops: u64) -> f64 {
    P::run(threads, move |homes| async move {
        let mut rings = Vec::new();
        for home in &homes {
            rings.push(ring::<P>(home).await);
        }
        race::<P>(&rings, hops / 10).await;
        let begin = Instant::now();
        race::<P>(&rings, hops).await;
        let batons = BATONS * rings.len() as u64;
        millions_a_second(begin.elapsed(), hops * batons)
    })
}

async fn ring<P: Peer>(home: &P::Home) -> Vec<P::Agent> {
    let mut agents = Vec::with_capacity(AGENTS);
    for _ in 0..AGENTS {
        agents.push(P::spawn(home).await);
    }
    let neighbours = agents.iter().skip(1).chain(&agents[..1]);
    agents.iter().zip(neighbours).for_each(|(agent, next)| P::meet(agent, next));
    agents
}

/// Gives each ring its batons, and waits until the last hand-over of each.
async fn race<P: Peer>(rings: &[Vec<P::Agent>], hops: u64) {
    let mut ends = Vec::new();
    for ring in rings {
        for agent in ring.iter().step_by(AGENTS / BATONS as usize) {
            let (done, end) = oneshot::channel();
            P::pass(agent, Baton { left: hops, done });
            ends.push(end);
        }
    }
    for end in ends {
        end.await.expect("the baton reaches its end");
    }
}
