//! How many agents are started in a second? On one thread, by a task on that thread.
//!
//! The clock runs from the first start until the last agent has answered a question, which says that all have started.
//! Being listed in a directory is included, as in `memory.rs`; stopping is not.

use super::millions_a_second;
use crate::each_peer;
use crate::options::Options;
use crate::peer::{Directory, Peer};
use crate::rounds::Measure;

/// The measurement.
pub const MEASURE: Measure =
    Measure { name: "spawn", titles: &["start agents, millions/s"], subjects: each_peer!(P => sample::<P>) };

fn sample<P: Peer>(options: &Options) -> Vec<f64> {
    let (agents, clock) = (options.sized(100_000), options.clock);
    P::run(1, move |homes| async move {
        let directory = Directory::<P>::new();
        let begin = clock.start();
        let mut last = 0;
        for _ in 0..agents {
            last = P::enlist(&directory, P::spawn(&homes[0]).await);
        }
        let agent = P::find(&homes[0], &directory, last).expect("the agent lives");
        assert_eq!(P::ask(&agent, 1).await, 1);
        vec![millions_a_second(begin.elapsed(), agents)]
    })
}
