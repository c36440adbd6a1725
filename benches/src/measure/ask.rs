//! How long does a question take? One task asks one agent on the same thread, the next question after the answer.
//!
//! Callboard's questions have a deadline, as they always do; those of the others have none, because that is what their
//! users write.

use super::nanoseconds_each;
use crate::each_peer;
use crate::options::Options;
use crate::peer::Peer;
use crate::rounds::Measure;

/// The measurement.
pub const MEASURE: Measure =
    Measure { name: "ask", titles: &["ask on one thread, ns"], subjects: each_peer!(P => sample::<P>) };

fn sample<P: Peer>(options: &Options) -> Vec<f64> {
    let (asks, clock) = (options.sized(300_000), options.clock);
    P::run(1, move |homes| async move {
        let agent = P::spawn(&homes[0]).await;
        let warm = asks / 10;
        ask::<P>(&agent, warm).await;
        let begin = clock.start();
        let sum = ask::<P>(&agent, asks).await;
        let took = begin.elapsed();
        assert_eq!(sum, warm + asks, "nothing was lost");
        vec![nanoseconds_each(took, asks)]
    })
}

async fn ask<P: Peer>(agent: &P::Agent, asks: u64) -> u64 {
    let mut sum = 0;
    for _ in 0..asks {
        sum = P::ask(agent, 1).await;
    }
    sum
}
