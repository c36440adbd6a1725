//! How long is an agent away after a panic? From the message that panics it until the next incarnation has answered,
//! without backoff, on one thread.
//!
//! Callboard and kameo keep the mailbox: the question already waits in it. With ractor the parent starts a new actor,
//! and the question goes to the new address once it is known. The tokio task catches the panic and goes on with a
//! fresh state, without any supervisor. In plain actix a panic ends an actor for good. The panic hook prints nothing,
//! and unwinding itself is part of each figure.

use super::nanoseconds_each;
use crate::options::Options;
use crate::peer::Reviving;
use crate::peers::{Callboard, Kameo, PlainTokio, Ractor};
use crate::rounds::Measure;

/// The measurement.
pub const MEASURE: Measure = Measure {
    name: "restart",
    titles: &["restart after a panic, until the next answer, us"],
    subjects: [
        Some(sample::<Callboard>),
        None,
        Some(sample::<PlainTokio>),
        Some(sample::<Ractor>),
        Some(sample::<Kameo>),
    ],
};

fn sample<P: Reviving>(options: &Options) -> Vec<f64> {
    let (crashes, clock) = (options.sized(10_000), options.clock);
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let figures = P::run(1, move |homes| async move {
        let mut agent = P::supervised(&homes[0]).await;
        crash::<P>(&mut agent, crashes / 10).await;
        let begin = clock.start();
        crash::<P>(&mut agent, crashes).await;
        vec![nanoseconds_each(begin.elapsed(), crashes) / 1e3]
    });
    std::panic::set_hook(hook);
    figures
}

async fn crash<P: Reviving>(agent: &mut P::Supervised, crashes: u64) {
    for number in 0..crashes {
        assert_eq!(P::crash_and_ask(agent, number).await, number, "the state is fresh");
    }
}
