//! What may come in, in which order, and what became of it?

mod common;

use std::sync::{Arc, Barrier};
use std::time::Duration;

use callboard_actors::error::{AskError, TellError};
use callboard_actors::mailbox::{AgentRef, DeadLetter};
use callboard_actors::runtime::simulated;
use common::{Count, LONG, counter, hold, runtime, tenacious, wait};
use proptest::prelude::*;

/// What the agent noted, asked as soon as its mailbox has a place.
fn seen_by(agent: &AgentRef<Count>) -> Vec<u64> {
    loop {
        match wait(agent.ask(LONG, Count::Seen)) {
            Err(AskError::Overloaded) => std::thread::yield_now(),
            seen => break seen.unwrap(),
        }
    }
}

#[test]
fn exactly_the_capacity_is_accepted_from_a_thousand_clones() {
    let runtime = runtime(2);
    let agent = runtime.spawn(counter().capacity(64)).unwrap();
    let release = hold(&agent);
    let clones: Vec<_> = (0..1000).map(|_| agent.clone()).collect();
    let start = Arc::new(Barrier::new(8));
    let threads: Vec<_> = clones
        .chunks(125)
        .enumerate()
        .map(|(thread, clones)| {
            let (clones, start) = (clones.to_vec(), start.clone());
            std::thread::spawn(move || {
                start.wait();
                let send = |(number, clone): (usize, &AgentRef<Count>)| {
                    let number = (thread * 1000 + number) as u64;
                    (number, clone.tell(Count::Note(number)))
                };
                clones.iter().enumerate().map(send).collect::<Vec<_>>()
            })
        })
        .collect();
    let results: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    let mut accepted = Vec::new();
    let mut refused = 0;
    for (number, result) in results {
        match result {
            Ok(()) => accepted.push(number),
            Err(TellError::Overloaded(Count::Note(back))) => {
                assert_eq!(back, number, "the message itself is handed back");
                refused += 1;
            }
            Err(other) => panic!("unexpected {other:?}"),
        }
    }
    assert_eq!((accepted.len(), refused), (64, 936));
    assert_eq!(agent.info().depth, 64);
    drop(release);
    let mut seen = seen_by(&agent);
    seen.sort_unstable();
    accepted.sort_unstable();
    assert_eq!(seen, accepted, "what was accepted is what was handled");
    assert!(runtime.stop_blocking(LONG).is_clean());
}

#[test]
fn order_per_sender_holds_at_and_beyond_the_limit() {
    let runtime = runtime(1);
    let agent = runtime.spawn(counter().capacity(4)).unwrap();
    let senders: Vec<_> = (0..4u64)
        .map(|sender| {
            let agent = agent.clone();
            std::thread::spawn(move || {
                let accepted = |number: &u64| agent.tell(Count::Note(sender * 100_000 + number)).is_ok();
                (0..20_000).filter(accepted).count()
            })
        })
        .collect();
    let accepted: usize = senders.into_iter().map(|sender| sender.join().unwrap()).sum();
    let seen = seen_by(&agent);
    assert_eq!(seen.len(), accepted);
    assert!(accepted < 80_000, "the limit was reached, or this shows nothing");
    for sender in 0..4 {
        let of_sender: Vec<_> = seen.iter().filter(|number| *number / 100_000 == sender).collect();
        assert!(of_sender.is_sorted(), "sender {sender} was reordered");
    }
    runtime.stop_blocking(LONG);
}

#[test]
fn an_ask_and_a_tell_from_one_sender_keep_their_order() {
    let runtime = runtime(1);
    let agent = runtime.spawn(counter()).unwrap();
    let release = hold(&agent);
    let before = agent.ask(LONG, Count::Get);
    agent.tell(Count::Add).unwrap();
    let after = agent.ask(LONG, Count::Get);
    drop(release);
    assert_eq!((wait(before), wait(after)), (Ok((0, 0)), Ok((1, 1))));
    runtime.stop_blocking(LONG);
}

#[test]
fn a_question_whose_asker_has_left_is_not_handled() {
    let runtime = runtime(1);
    let agent = runtime.spawn(counter()).unwrap();
    let release = hold(&agent);
    drop(agent.ask(LONG, Count::Break));
    drop(release);
    assert_eq!(wait(agent.ask(LONG, Count::Get)), Ok((0, 0)));
    assert_eq!(agent.info().restarts, 0);
    assert_eq!(runtime.ledger().dead(DeadLetter::CallerLeft), 1);
    runtime.stop_blocking(LONG);
}

#[test]
fn an_ask_ends_at_its_deadline_even_when_the_agent_blocks_its_shard() {
    let runtime = runtime(1);
    let agent = runtime.spawn(counter()).unwrap();
    let release = hold(&agent);
    let answer = wait(agent.ask(Duration::from_millis(1), Count::Get));
    assert_eq!(answer, Err(AskError::Timeout));
    drop(release);
    runtime.stop_blocking(LONG);
}

#[test]
fn a_stop_makes_dead_letters_of_what_is_queued_and_tells_who_asked() {
    let runtime = runtime(1);
    let agent = runtime.spawn(counter()).unwrap();
    let release = hold(&agent);
    for _ in 0..5 {
        agent.tell(Count::Add).unwrap();
    }
    let question = agent.ask(LONG, Count::Get);
    agent.stop();
    assert!(matches!(agent.tell(Count::Add), Err(TellError::Stopped(Count::Add))));
    drop(release);
    assert_eq!(wait(question), Err(AskError::Stopped));
    wait(agent.gone());
    let ledger = runtime.ledger();
    assert_eq!((ledger.handled, ledger.dead(DeadLetter::Stopped), ledger.pending), (1, 6, 0));
    assert!(ledger.balances(), "{ledger:?}");
    runtime.stop_blocking(LONG);
}

#[derive(Debug, Clone, Copy)]
enum Traffic {
    Add,
    Panic,
    AskAndLeave,
    StopOne,
    Drain,
}

fn traffic() -> impl Strategy<Value = Vec<(usize, Traffic)>> {
    let kind = prop_oneof![
        12 => Just(Traffic::Add),
        2 => Just(Traffic::Panic),
        2 => Just(Traffic::AskAndLeave),
        1 => Just(Traffic::StopOne),
        1 => Just(Traffic::Drain),
    ];
    proptest::collection::vec((0..4usize, kind), 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn accepted_is_handled_pending_or_dead(traffic in traffic(), stop_after in 0..200usize, yields in 1..20usize) {
        let (sent, ledger) = simulated(1, |runtime| async move {
            let spawn = |_| runtime.spawn(counter().capacity(8).restart(tenacious())).unwrap();
            let agents: Vec<_> = (0..4).map(spawn).collect();
            let mut sent = 0;
            for (step, (to, kind)) in traffic.into_iter().enumerate() {
                let agent = &agents[to];
                match kind {
                    Traffic::Add => sent += u64::from(agent.tell(Count::Add).is_ok()),
                    Traffic::Panic => sent += u64::from(agent.tell(Count::Panic).is_ok()),
                    Traffic::AskAndLeave => drop(agent.ask(LONG, Count::Get)),
                    Traffic::StopOne if step > stop_after => agent.stop(),
                    Traffic::Drain if step > stop_after => agent.drain(),
                    Traffic::StopOne | Traffic::Drain => {}
                }
                let ledger = runtime.ledger();
                prop_assert!(ledger.balances(), "between turns: {ledger:?}");
                if step % yields == 0 {
                    tokio::task::yield_now().await;
                    let ledger = runtime.ledger();
                    prop_assert!(ledger.balances(), "after turns: {ledger:?}");
                }
            }
            // Half of the agents by the runtime's stop, which drains them.
            agents[0].stop();
            let watch: Vec<_> = agents.iter().map(AgentRef::gone).collect();
            let before = runtime.ledger();
            let handle = runtime.handle();
            runtime.stop(Duration::from_secs(1)).await;
            for gone in watch {
                gone.await;
            }
            let after = handle.ledger();
            prop_assert_eq!(before.accepted, after.accepted);
            prop_assert_eq!(after.pending, 0);
            Ok((sent, after))
        })?;
        prop_assert!(ledger.balances(), "after the stop: {ledger:?}");
        prop_assert!(ledger.accepted >= sent);
    }
}
