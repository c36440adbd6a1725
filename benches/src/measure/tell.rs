//! How many messages are told in a second? One sender and one agent on one thread.
//!
//! The sender tells 1,000 numbers and then asks once, which waits until they are handled; so no mailbox is ever full,
//! nobody measures only the sending, and the ask's cost is shared by a thousand.

use super::millions_a_second;
use crate::each_peer;
use crate::options::Options;
use crate::peer::Peer;
use crate::rounds::Measure;

/// The measurement.
pub const MEASURE: Measure =
    Measure { name: "tell", titles: &["tell on one thread, millions/s"], subjects: each_peer!(P => sample::<P>) };

const BURST: u64 = 1_000;

fn sample<P: Peer>(options: &Options) -> Vec<f64> {
    let (bursts, clock) = (options.sized(1_000), options.clock);
    P::run(1, move |homes| async move {
        let agent = P::spawn(&homes[0]).await;
        let warm = bursts / 10;
        tell::<P>(&agent, warm).await;
        let begin = clock.start();
        let sum = tell::<P>(&agent, bursts).await;
        let took = begin.elapsed();
        assert_eq!(sum, (warm + bursts) * BURST, "nothing was lost");
        vec![millions_a_second(took, bursts * BURST)]
    })
}

async fn tell<P: Peer>(agent: &P::Agent, bursts: u64) -> u64 {
    let mut sum = 0;
    for _ in 0..bursts {
        for _ in 0..BURST {
            P::tell(agent, 1);
        }
        sum = P::ask(agent, 0).await;
    }
    sum
}
