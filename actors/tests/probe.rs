//! Does a probe show a test what an agent sends? On virtual time, and once on a runtime with threads.

use std::time::Duration;

use callboard_actors::agent::{Agent, Turn};
use callboard_actors::error::AskError;
use callboard_actors::mailbox::{AgentRef, AgentSpec, Reply};
use callboard_actors::runtime::{Runtime, RuntimeConfig, simulated};
use callboard_actors::supervision::{ExitReason, Next};
use callboard_actors::testkit::{Probe, ProbeError};

const SECOND: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(20);

/// What the probe is told, and asked.
enum Letter {
    Note(u64),
    Price(&'static str, Reply<u64>),
}

/// Asks the prices of what it is told, and sends the sum.
struct Buyer {
    shop: AgentRef<Letter>,
    sum: u64,
}

enum Order {
    Buy(&'static str),
    Priced(Result<u64, AskError>),
    Break,
}

impl Agent for Buyer {
    type Message = Order;

    fn handle(&mut self, message: Order, turn: &mut Turn<'_, Order>) {
        match message {
            Order::Buy(what) => {
                let price = self.shop.ask(LONG, |reply| Letter::Price(what, reply));
                let told = turn.start(price, |price| Order::Priced(price.expect("the ask does not panic")));
                assert!(told.is_ok(), "there is room");
            }
            Order::Priced(Ok(price)) => {
                self.sum += price;
                let _full = self.shop.tell(Letter::Note(self.sum));
            }
            Order::Priced(Err(error)) => panic!("{error}"),
            Order::Break => panic!("on purpose"),
        }
    }
}

fn buyer(runtime: &Runtime, shop: AgentRef<Letter>) -> AgentRef<Order> {
    runtime.spawn(AgentSpec::new("buyer", move || Buyer { shop: shop.clone(), sum: 0 })).unwrap()
}

/// The number of a note.
fn noted(letter: Result<Letter, ProbeError>) -> u64 {
    match letter.unwrap() {
        Letter::Note(number) => number,
        Letter::Price(what, _) => panic!("asked the price of {what}"),
    }
}

#[test]
fn a_test_reads_what_an_agent_sends_and_answers_what_it_asks() {
    simulated(1, |runtime| async move {
        let probe = Probe::start(&runtime, "shop").unwrap();
        let buyer = buyer(&runtime, probe.agent());
        probe.nothing(Duration::from_secs(3600)).await.unwrap();
        buyer.tell(Order::Buy("bread")).unwrap_or_else(|_| panic!("there is room"));
        let Letter::Price(what, reply) = probe.next(SECOND).await.unwrap() else { panic!("a note") };
        assert_eq!(what, "bread");
        // It waits for its answer, and says nothing.
        probe.nothing(SECOND).await.unwrap();
        reply.send(7);
        assert_eq!(noted(probe.next(SECOND).await), 7);
        let error = probe.next(SECOND).await.err().unwrap();
        assert_eq!(error, ProbeError::NoMessage { probe: "shop".to_owned(), within: SECOND });
    });
}

#[test]
fn what_should_not_have_come_is_told_at_once_and_stays() {
    simulated(1, |runtime| async move {
        let probe = Probe::start(&runtime, "shop").unwrap();
        let began = tokio::time::Instant::now();
        for number in 1..3 {
            assert!(probe.agent().tell(Letter::Note(number)).is_ok());
        }
        let error = probe.nothing(LONG).await.unwrap_err();
        assert!(matches!(error, ProbeError::Message { waiting: 1..=2, .. }), "{error}");
        assert!(began.elapsed() < SECOND);
        assert_eq!([noted(probe.next(SECOND).await), noted(probe.next(SECOND).await)], [1, 2], "in their order");
    });
}

#[test]
fn a_probe_may_answer_by_itself_and_keep_the_rest() {
    simulated(1, |runtime| async move {
        let answers = |letter| match letter {
            Letter::Price(what, reply) => {
                reply.send(what.len() as u64);
                None
            }
            note => Some(note),
        };
        let probe = Probe::answering(&runtime, "shop", answers).unwrap();
        let buyer = buyer(&runtime, probe.agent());
        for what in ["bread", "salt"] {
            assert!(buyer.tell(Order::Buy(what)).is_ok());
        }
        let sums = [noted(probe.next(SECOND).await), noted(probe.next(SECOND).await)];
        assert!([[5, 9], [4, 9]].contains(&sums), "{sums:?}");
    });
}

#[test]
fn a_probe_hears_of_each_end_and_ends_with_its_test() {
    simulated(1, |runtime| async move {
        let probe = Probe::<Letter>::start(&runtime, "watch").unwrap();
        let buyer = buyer(&runtime, probe.agent());
        probe.watch(&buyer);
        let error = probe.ended(SECOND).await.unwrap_err();
        assert_eq!(error, ProbeError::NoEnd { probe: "watch".to_owned(), within: SECOND });
        assert!(buyer.tell(Order::Break).is_ok());
        let down = probe.ended(LONG).await.unwrap();
        let panicked = ExitReason::Panicked("on purpose".to_owned());
        assert_eq!((down.id, down.reason, down.next), (buyer.id(), panicked, Next::Restarts));
        buyer.stop();
        let down = probe.ended(LONG).await.unwrap();
        assert_eq!((down.incarnation, down.reason, down.next), (2, ExitReason::Stopped, Next::Gone));
        probe.watch(&buyer);
        assert!(probe.ended(SECOND).await.is_ok(), "it is gone already");
        let agent = probe.agent();
        drop(probe);
        assert_eq!(agent.gone().await.reason, ExitReason::Stopped);
    });
}

#[test]
fn more_than_a_probe_keeps_is_an_error_and_no_loss_in_silence() {
    simulated(1, |runtime| async move {
        let probe = Probe::start(&runtime, "small").unwrap();
        for number in 0..5000 {
            assert!(probe.agent().send(number).await.is_ok());
            tokio::task::yield_now().await;
        }
        let error = loop {
            match probe.next(SECOND).await {
                Ok(_before_all_have_come) => {}
                Err(error) => break error,
            }
        };
        assert!(matches!(error, ProbeError::Overflow { lost: 1.., .. }), "{error}");
    });
}

#[tokio::test]
async fn it_works_on_threads_and_learns_that_the_runtime_has_stopped() {
    let runtime = Runtime::start(RuntimeConfig { shards: 2, ..RuntimeConfig::default() }).unwrap();
    let probe = Probe::start(&runtime, "shop").unwrap();
    let buyer = buyer(&runtime, probe.agent());
    assert!(buyer.tell(Order::Buy("bread")).is_ok());
    let Letter::Price(_, reply) = probe.next(LONG).await.unwrap() else { panic!("a note") };
    reply.send(3);
    assert_eq!(noted(probe.next(LONG).await), 3);
    assert!(runtime.stop(LONG).await.is_clean());
    assert_eq!(probe.next(LONG).await.err(), Some(ProbeError::Stopped { probe: "shop".to_owned() }));
}
