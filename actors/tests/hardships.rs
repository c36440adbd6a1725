//! What do agents do to each other and to the runtime when they misbehave? Nothing that its owner did not ask for.

mod common;

use std::sync::{Arc, mpsc};
use std::time::Duration;

use callboard_actors::agent::{Agent, Turn, WorkError};
use callboard_actors::error::AskError;
use callboard_actors::event::CancelReason;
use callboard_actors::mailbox::{AgentRef, AgentSpec, Reply};
use callboard_actors::runtime::simulated;
use callboard_actors::scope::Scope;
use callboard_actors::supervision::{ExitReason, RestartPolicy};
use common::{Count, LONG, counter, hold, runtime, tenacious, wait};

/// Tells itself to go on, for ever.
struct Loop;

impl Agent for Loop {
    type Message = ();

    fn handle(&mut self, (): (), turn: &mut Turn<'_, ()>) {
        let _ = turn.me().tell(());
    }
}

#[test]
fn a_flood_starves_no_neighbour_and_ends_with_its_scope() {
    let runtime = runtime(1);
    let scope = Scope::root();
    let flood = runtime.spawn(AgentSpec::new("flood", || Loop).scope(scope.clone())).unwrap();
    flood.tell(()).unwrap();
    let neighbour = runtime.spawn(counter()).unwrap();
    assert_eq!(wait(neighbour.ask(LONG, Count::Get)), Ok((0, 0)));
    scope.cancel(CancelReason::Interrupted);
    assert_eq!(wait(flood.gone()).reason, ExitReason::Stopped);
    runtime.stop_blocking(LONG);
}

/// Starts two pieces of work where it may have one, and starts again what was refused.
struct Stubborn;

enum Stubbornly {
    Begin,
    Done(Result<(), WorkError>),
}

impl Agent for Stubborn {
    type Message = Stubbornly;

    fn handle(&mut self, message: Stubbornly, turn: &mut Turn<'_, Stubbornly>) {
        let begins = match message {
            Stubbornly::Begin => 2,
            Stubbornly::Done(Err(_)) => 1,
            Stubbornly::Done(Ok(())) => 0,
        };
        for _ in 0..begins {
            assert!(turn.start(tokio::time::sleep(Duration::from_millis(1)), Stubbornly::Done).is_ok());
        }
    }
}

#[test]
fn work_that_is_refused_and_started_again_blocks_nobody() {
    let runtime = runtime(1);
    let agent = runtime.spawn(AgentSpec::new("stubborn", || Stubborn).max_work(1)).unwrap();
    let neighbour = runtime.spawn(counter()).unwrap();
    agent.tell(Stubbornly::Begin).unwrap();
    assert_eq!(wait(neighbour.ask(LONG, Count::Get)), Ok((0, 0)));
    assert!(runtime.stop_blocking(LONG).is_clean());
}

#[test]
fn a_watcher_that_panics_hurts_neither_the_watched_nor_other_watchers() {
    let runtime = runtime(1);
    let agent = runtime.spawn(counter().restart(tenacious())).unwrap();
    let (sender, notices) = mpsc::channel();
    agent.watch(|_down| panic!("the watcher panics on purpose"));
    agent.watch(move |down| drop(sender.send(down.clone())));
    agent.tell(Count::Panic).unwrap();
    assert_eq!(notices.recv_timeout(LONG).unwrap().incarnation, 1);
    assert_eq!(wait(agent.ask(LONG, Count::Get)), Ok((0, 0)));
    runtime.stop_blocking(LONG);
}

#[test]
fn an_agent_that_was_never_born_is_gone_all_the_same() {
    let runtime = runtime(1);
    let blocks = runtime.spawn(counter()).unwrap();
    let release = hold(&blocks);
    let unborn = runtime.spawn(counter()).unwrap();
    let question = unborn.ask(LONG, Count::Get);
    let handle = runtime.handle();
    drop(runtime);
    drop(release);
    assert_eq!(wait(unborn.gone()).reason, ExitReason::Abandoned);
    assert_eq!(wait(question), Err(AskError::Stopped));
    wait(blocks.gone());
    assert!(handle.directory().is_empty());
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the drop panics on purpose");
    }
}

/// Its state, its messages and its work all panic when they are dropped.
struct Minefield {
    _state: Bomb,
}

enum Mine {
    Hold(mpsc::Sender<()>, mpsc::Receiver<()>),
    Lies(Bomb),
    Works,
    Ask(Reply<()>),
    Payload,
}

impl Agent for Minefield {
    type Message = Mine;

    fn handle(&mut self, message: Mine, turn: &mut Turn<'_, Mine>) {
        match message {
            Mine::Hold(entered, release) => {
                let _ = entered.send(());
                let _ = release.recv();
            }
            Mine::Lies(bomb) => std::mem::forget(bomb),
            Mine::Works => {
                let (work, also) = (Bomb, Bomb);
                let pending = async move {
                    let _work = work;
                    std::future::pending::<()>().await;
                };
                assert!(turn.start(pending, move |_| Mine::Lies(also)).is_ok());
            }
            Mine::Ask(reply) => reply.send(()),
            Mine::Payload => std::panic::panic_any(Bomb),
        }
    }
}

#[test]
fn drops_that_panic_one_inside_the_other_are_contained_and_accounted_for() {
    let runtime = runtime(1);
    let spec = AgentSpec::new("minefield", || Minefield { _state: Bomb }).restart(tenacious());
    let agent = runtime.spawn(spec).unwrap();
    agent.tell(Mine::Payload).unwrap();
    assert_eq!(wait(agent.ask(LONG, Mine::Ask)), Ok(()), "the payload's own drop panics, and the agent restarts");
    agent.tell(Mine::Works).unwrap();
    let (entered, is_held) = mpsc::channel();
    let (release, until) = mpsc::channel();
    agent.tell(Mine::Hold(entered, until)).unwrap();
    is_held.recv_timeout(LONG).unwrap();
    agent.tell(Mine::Lies(Bomb)).unwrap();
    agent.tell(Mine::Lies(Bomb)).unwrap();
    let question = agent.ask(LONG, Mine::Ask);
    agent.stop();
    drop(release);
    assert_eq!(wait(question), Err(AskError::Stopped));
    wait(agent.gone());
    let ledger = runtime.ledger();
    assert!(ledger.balances() && ledger.pending == 0, "{ledger:?}");
    assert_eq!(wait(runtime.spawn(counter()).unwrap().ask(LONG, Count::Get)), Ok((0, 0)), "the shard lives");
    runtime.stop_blocking(LONG);
}

#[test]
fn asking_while_the_runtime_ends_never_panics_the_asker() {
    for round in 0..150 {
        let runtime = runtime(1);
        let agent = runtime.spawn(counter().capacity(100_000)).unwrap();
        let askers: Vec<_> = (0..4)
            .map(|_| {
                let agent = agent.clone();
                std::thread::spawn(
                    move || {
                        while !matches!(wait(agent.ask(LONG, Count::Get)), Err(AskError::Stopped)) {}
                    },
                )
            })
            .collect();
        if round % 2 == 0 {
            drop(runtime);
        } else {
            runtime.stop_blocking(Duration::ZERO);
        }
        for asker in askers {
            assert!(asker.join().is_ok(), "an asker panicked in round {round}");
        }
    }
}

#[test]
fn a_simulated_runtime_leaves_nothing_on_its_thread() {
    for _ in 0..50 {
        simulated(1, |runtime| async move { drop(runtime.spawn(counter()).unwrap()) });
        let runtime = runtime(1);
        let agent = runtime.spawn(counter()).unwrap();
        assert_eq!(wait(agent.ask(LONG, Count::Get)), Ok((0, 0)));
        runtime.stop_blocking(LONG);
    }
}

/// Spawns a child at each start, sets a timer for ever, and panics at each message.
struct Parent;

impl Agent for Parent {
    type Message = ();

    fn started(&mut self, turn: &mut Turn<'_, ()>) {
        turn.spawn(counter()).unwrap();
        turn.after(Duration::from_secs(3600), ()).unwrap();
    }

    fn handle(&mut self, (): (), _turn: &mut Turn<'_, ()>) {
        panic!("the parent panics on purpose");
    }
}

#[test]
fn children_end_with_the_incarnation_that_spawned_them_and_no_drain_waits_for_a_timer() {
    simulated(1, |runtime| async move {
        let parent = runtime.spawn(AgentSpec::new("parent", || Parent).restart(tenacious())).unwrap();
        for _ in 0..50 {
            parent.tell(()).unwrap();
        }
        while parent.info().pending > 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        assert_eq!(runtime.directory().len(), 2, "the parent and its newest child");
        let began = tokio::time::Instant::now();
        assert!(runtime.stop(LONG).await.is_clean());
        assert_eq!(began.elapsed(), Duration::ZERO);
    });
}

/// Sets three timers where one is allowed.
struct Timers {
    set: Vec<bool>,
}

impl Agent for Timers {
    type Message = Option<Reply<Vec<bool>>>;

    fn handle(&mut self, message: Self::Message, turn: &mut Turn<'_, Self::Message>) {
        match message {
            None => self.set = (0..3).map(|_| turn.after(Duration::from_secs(60), None).is_ok()).collect(),
            Some(reply) => reply.send(self.set.clone()),
        }
    }
}

#[test]
fn a_timer_too_many_is_refused_and_does_not_go_off_early() {
    simulated(1, |runtime| async move {
        let agent = runtime.spawn(AgentSpec::new("timers", || Timers { set: Vec::new() }).max_work(1)).unwrap();
        agent.tell(None).unwrap();
        assert_eq!(agent.ask(LONG, Some).await, Ok(vec![true, false, false]));
    });
}

/// Keeps questions in its work.
struct Holder;

impl Agent for Holder {
    type Message = Option<Reply<()>>;

    fn handle(&mut self, message: Self::Message, turn: &mut Turn<'_, Self::Message>) {
        match message {
            Some(reply) => {
                assert!(turn.start(std::future::pending::<()>(), move |_never| Some(reply)).is_ok());
            }
            None => panic!("the holder panics on purpose"),
        }
    }
}

#[test]
fn a_question_in_the_work_of_an_agent_that_was_given_up_says_so() {
    simulated(1, |runtime| async move {
        let agent = runtime.spawn(AgentSpec::new("holder", || Holder).restart(RestartPolicy::never())).unwrap();
        let question = agent.ask(LONG, Some);
        agent.tell(None).unwrap();
        assert_eq!(question.await, Err(AskError::Panicked));
    });
}

/// Watches, and stops at its first message.
struct Watcher {
    watched: AgentRef<Count>,
    token: Arc<()>,
}

impl Agent for Watcher {
    type Message = ();

    fn started(&mut self, turn: &mut Turn<'_, ()>) {
        let token = self.token.clone();
        turn.watch(&self.watched, move |_down| drop(token.clone()));
    }

    fn handle(&mut self, (): (), turn: &mut Turn<'_, ()>) {
        turn.stop();
    }
}

#[test]
fn watchers_that_are_gone_do_not_pile_up() {
    simulated(1, |runtime| async move {
        let watched = runtime.spawn(counter()).unwrap();
        let token = Arc::new(());
        for _ in 0..200 {
            let (who, kept) = (watched.clone(), token.clone());
            let factory = move || Watcher { watched: who.clone(), token: kept.clone() };
            let watcher = runtime.spawn(AgentSpec::new("watcher", factory)).unwrap();
            watcher.tell(()).unwrap();
            watcher.gone().await;
            drop(watched.gone());
        }
        assert!(Arc::strong_count(&token) < 20, "{} closures are kept", Arc::strong_count(&token));
    });
}

#[test]
fn the_first_reason_of_a_scope_stays() {
    let root = Scope::root();
    let child = root.child();
    root.cancel(CancelReason::Interrupted);
    child.cancel(CancelReason::Parent);
    assert_eq!(child.ended(tokio::time::Instant::now()), Some(CancelReason::Interrupted));
}
