//! What happens when stop, death, birth and watching meet at the worst moment?

mod common;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use callboard_actors::agent::{Agent, Turn};
use callboard_actors::error::{AskError, TellError};
use callboard_actors::mailbox::{AgentRef, AgentSpec, DeadLetter, Reply};
use callboard_actors::runtime::simulated;
use callboard_actors::scope::Scope;
use callboard_actors::supervision::RestartPolicy;
use common::{Count, LONG, counter, hold, runtime, tenacious, wait};

/// Starts work that never ends.
struct Endless;

impl Agent for Endless {
    type Message = ();

    fn handle(&mut self, (): (), turn: &mut Turn<'_, ()>) {
        assert!(turn.start(std::future::pending::<()>(), |_| ()).is_ok());
    }
}

#[test]
fn a_stop_whose_future_is_dropped_ends_what_is_left() {
    let runtime = runtime(1);
    let agent = runtime.spawn(AgentSpec::new("endless", || Endless)).unwrap();
    let neighbour = runtime.spawn(counter()).unwrap();
    agent.tell(()).unwrap();
    wait(neighbour.ask(LONG, Count::Get)).unwrap();
    let (sender, gone) = mpsc::channel();
    agent.watch(move |_| sender.send(()).unwrap_or_default());
    let mut stop = Box::pin(runtime.stop(LONG));
    let waker = std::task::Waker::noop();
    assert!(stop.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
    drop(stop);
    assert!(gone.recv_timeout(Duration::from_secs(5)).is_ok(), "the agent and its thread live for ever");
}

#[test]
fn a_stop_between_death_and_restart_makes_dead_letters_and_tells_who_asked() {
    simulated(1, |runtime| async move {
        let agent = runtime.spawn(counter().restart(tenacious())).unwrap();
        let stops = agent.clone();
        agent.watch(move |_down| stops.stop());
        agent.tell(Count::Panic).unwrap();
        let question = agent.ask(LONG, Count::Get);
        agent.tell(Count::Add).unwrap();
        assert_eq!(question.await, Err(AskError::Stopped));
        agent.gone().await;
        let ledger = runtime.ledger();
        assert_eq!((ledger.handled, ledger.dead(DeadLetter::Stopped)), (0, 2), "{ledger:?}");
    });
}

/// Watches itself, again and again.
struct Narcissus;

impl Agent for Narcissus {
    type Message = Reply<()>;

    fn started(&mut self, turn: &mut Turn<'_, Self::Message>) {
        let me = turn.me();
        for _ in 0..20 {
            turn.watch(&me, |_down| unreachable!("it hears nothing of its own end"));
        }
    }

    fn handle(&mut self, message: Reply<()>, _turn: &mut Turn<'_, Self::Message>) {
        message.send(());
    }
}

#[test]
fn an_agent_that_watches_itself_does_not_block_its_shard() {
    let runtime = runtime(1);
    let agent = runtime.spawn(AgentSpec::new("narcissus", || Narcissus)).unwrap();
    assert_eq!(wait(agent.ask(Duration::from_secs(5), |reply| reply)), Ok(()));
}

/// Watches each of its peers, and a peer again at each message.
struct Peer;

enum Peering {
    Meet(Vec<AgentRef<Peering>>),
    Down,
    Ping(Reply<()>),
}

impl Agent for Peer {
    type Message = Peering;

    fn handle(&mut self, message: Peering, turn: &mut Turn<'_, Peering>) {
        match message {
            Peering::Meet(peers) => {
                // As often as a long life with many restarts of others would bring about.
                for peer in peers.iter().cycle().take(1000) {
                    turn.watch(peer, |_down| Peering::Down);
                }
            }
            Peering::Down => {}
            Peering::Ping(reply) => reply.send(()),
        }
    }
}

#[test]
fn agents_that_watch_each_other_do_not_block_each_other() {
    for round in 0..20 {
        let runtime = runtime(2);
        let peers: Vec<_> = (0..8).map(|_| runtime.spawn(AgentSpec::new("peer", || Peer)).unwrap()).collect();
        for peer in &peers {
            let others = peers.iter().filter(|other| other.id() != peer.id()).cloned().collect();
            peer.tell(Peering::Meet(others)).unwrap();
        }
        for peer in &peers {
            assert_eq!(wait(peer.ask(Duration::from_secs(5), Peering::Ping)), Ok(()), "in round {round}");
        }
        runtime.stop_blocking(LONG);
    }
}

/// Tells itself to go on, and panics, for ever.
struct Phoenix;

impl Agent for Phoenix {
    type Message = ();

    fn handle(&mut self, (): (), turn: &mut Turn<'_, ()>) {
        let _ = turn.me().tell(());
        // Without the panic hook, which would print each of them.
        std::panic::resume_unwind(Box::new("on purpose"));
    }
}

#[test]
fn a_flood_of_panics_starves_no_neighbour_and_ends_with_its_scope() {
    let runtime = runtime(1);
    let scope = Scope::root();
    let policy = RestartPolicy { max_restarts: u32::MAX, ..tenacious() };
    let flood = runtime.spawn(AgentSpec::new("phoenix", || Phoenix).scope(scope.clone()).restart(policy)).unwrap();
    let neighbour = runtime.spawn(counter()).unwrap();
    flood.tell(()).unwrap();
    let answer = wait(neighbour.ask(Duration::from_secs(3), Count::Get));
    flood.stop();
    assert_eq!(answer, Ok((0, 0)));
}

#[test]
fn a_stop_that_loses_messages_is_not_clean() {
    let runtime = runtime(1);
    let agent = runtime.spawn(counter().restart(RestartPolicy::never())).unwrap();
    let release = hold(&agent);
    agent.tell(Count::Panic).unwrap();
    for _ in 0..5 {
        agent.tell(Count::Add).unwrap();
    }
    let handle = runtime.handle();
    let releases = std::thread::spawn(move || {
        while !matches!(agent.tell(Count::Add), Err(TellError::Stopped(_))) {
            std::thread::yield_now();
        }
        drop(release);
    });
    let report = runtime.stop_blocking(LONG);
    releases.join().unwrap();
    assert!(handle.ledger().dead(DeadLetter::Stopped) >= 5);
    assert!(!report.is_clean(), "messages were cut short: {report:?}");
}

#[test]
fn the_ledger_balances_after_a_storm_on_real_threads() {
    for round in 0..300u64 {
        let runtime = runtime(2);
        let agents: Vec<_> =
            (0..4).map(|_| runtime.spawn(counter().capacity(16).restart(tenacious())).unwrap()).collect();
        let go = Arc::new(AtomicBool::new(true));
        let senders: Vec<_> = (0..3usize)
            .map(|sender| {
                let (agents, go) = (agents.clone(), go.clone());
                std::thread::spawn(move || {
                    let (mut sent, mut number) = (0u64, sender);
                    while go.load(Ordering::Relaxed) {
                        number += 1;
                        let agent = &agents[number % 4];
                        match number % 7 {
                            0 => sent += u64::from(agent.tell(Count::Quiet).is_ok()),
                            1 => drop(agent.ask(LONG, Count::Get)),
                            2 if number % 5 == 0 => drop(wait(agent.ask(LONG, Count::Get))),
                            _ => sent += u64::from(agent.tell(Count::Add).is_ok()),
                        }
                    }
                    sent
                })
            })
            .collect();
        let handle = runtime.handle();
        std::thread::yield_now();
        match round % 3 {
            0 => agents.iter().for_each(AgentRef::stop),
            1 => agents.iter().for_each(AgentRef::drain),
            _ => {}
        }
        if round % 2 == 0 {
            runtime.stop_blocking(Duration::ZERO);
        } else {
            drop(runtime);
        }
        agents.iter().for_each(|agent| drop(wait(agent.gone())));
        go.store(false, Ordering::Relaxed);
        let sent: u64 = senders.into_iter().map(|sender| sender.join().unwrap()).sum();
        let ledger = handle.ledger();
        assert!(ledger.balances() && ledger.pending == 0, "round {round}: {ledger:?}");
        assert!(ledger.accepted >= sent);
        assert!(agents.iter().all(|agent| agent.info().depth == 0 && agent.info().pending == 0));
    }
}

#[test]
fn a_question_to_an_agent_that_is_stopped_at_its_birth_says_so() {
    let runtime = runtime(1);
    for round in 0..100_000 {
        let agent = runtime.spawn(counter()).unwrap();
        let question = agent.ask(LONG, Count::Get);
        for _ in 0..round % 97 {
            std::hint::spin_loop();
        }
        agent.stop();
        let answer = wait(question);
        assert!(matches!(answer, Ok((0, 0)) | Err(AskError::Stopped)), "{answer:?} in round {round}");
    }
}

#[test]
fn an_agent_that_is_started_while_the_runtime_ends_is_gone_all_the_same() {
    for round in 0..3000 {
        let runtime = runtime(1);
        let spawners: Vec<_> = (0..3)
            .map(|_| {
                let handle = runtime.handle();
                std::thread::spawn(move || {
                    let mut last = None;
                    while let Ok(agent) = handle.spawn(counter()) {
                        last = Some(agent);
                        std::thread::yield_now();
                    }
                    last
                })
            })
            .collect();
        let handle = runtime.handle();
        std::thread::yield_now();
        drop(runtime);
        for last in spawners.into_iter().filter_map(|spawner| spawner.join().unwrap()) {
            let (sender, gone) = mpsc::channel();
            last.watch(move |_| sender.send(()).unwrap_or_default());
            assert!(gone.recv_timeout(Duration::from_secs(5)).is_ok(), "never gone, in round {round}");
        }
        let began = tokio::time::Instant::now();
        while !handle.directory().is_empty() {
            assert!(began.elapsed() < Duration::from_secs(5), "still listed, in round {round}");
            std::thread::yield_now();
        }
    }
}
