//! Does nothing that an agent may do end the whole process?

mod common;

use callboard_actors::agent::{Agent, Turn};
use callboard_actors::mailbox::{AgentSpec, DeadLetter, Reply};
use callboard_actors::scope::Scope;
use common::{LONG, runtime, wait};

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the drop panics on purpose");
    }
}

/// Has work whose future and whose message both panic when they are dropped.
struct Minefield;

enum Mine {
    Works(std::sync::mpsc::Sender<()>),
    Lies(Bomb),
    Ask(Reply<()>),
}

impl Agent for Minefield {
    type Message = Mine;

    fn handle(&mut self, message: Mine, turn: &mut Turn<'_, Mine>) {
        match message {
            Mine::Works(sentinel) => {
                let (work, also) = (Bomb, Bomb);
                let pending = async move {
                    let _work = work;
                    std::future::pending::<()>().await;
                };
                let done = move |_| {
                    drop(sentinel);
                    Mine::Lies(also)
                };
                assert!(turn.start(pending, done).is_ok());
            }
            Mine::Lies(bomb) => std::mem::forget(bomb),
            Mine::Ask(reply) => reply.send(()),
        }
    }
}

#[test]
fn drops_that_panic_at_the_end_of_the_runtime_never_abort_the_process() {
    let runtime = runtime(1);
    let agent = runtime.spawn(AgentSpec::new("minefield", || Minefield)).unwrap();
    let (sentinel, dropped) = std::sync::mpsc::channel();
    agent.tell(Mine::Works(sentinel)).unwrap();
    wait(agent.ask(LONG, Mine::Ask)).unwrap();
    drop(runtime);
    wait(agent.gone());
    assert!(dropped.recv_timeout(LONG).is_err(), "the work is dropped");
    drop(common::runtime(1));
}

/// Gets nothing but bombs.
struct Ground;

impl Agent for Ground {
    type Message = Bomb;

    fn handle(&mut self, bomb: Bomb, _turn: &mut Turn<'_, Bomb>) {
        std::mem::forget(bomb);
    }
}

#[test]
fn a_fingerprint_that_panics_over_a_message_whose_drop_panics_never_aborts_the_process() {
    let runtime = runtime(1);
    let spec = AgentSpec::new("ground", || Ground).quarantine(3, |_| panic!("the fingerprint panics on purpose"));
    let agent = runtime.spawn(spec).unwrap();
    agent.tell(Bomb).unwrap();
    agent.drain();
    wait(agent.gone());
    let ledger = runtime.ledger();
    assert_eq!((ledger.accepted, ledger.dead(DeadLetter::Panicked)), (1, 1));
}

#[test]
fn a_scope_may_be_as_deep_as_it_likes() {
    let mut scope = Scope::root();
    for _ in 0..200_000 {
        scope = scope.child();
    }
    drop(scope);
}

#[test]
fn factories_that_panic_when_they_are_dropped_unused_never_abort_the_process() {
    let runtime = runtime(1);
    let blocks = runtime.spawn(common::counter()).unwrap();
    let release = common::hold(&blocks);
    let unborn: Vec<_> = (0..2)
        .map(|_| {
            let bomb = Bomb;
            let factory = move || {
                let _keeps = &bomb;
                Minefield
            };
            runtime.spawn(AgentSpec::new("unborn", factory)).unwrap()
        })
        .collect();
    drop(runtime);
    drop(release);
    for agent in unborn {
        wait(agent.gone());
    }
    wait(blocks.gone());
    drop(common::runtime(1));
}

/// Watches with a closure that panics when it is dropped, and stops at its first message.
struct Watcher {
    watched: callboard_actors::mailbox::AgentRef<common::Count>,
}

impl Agent for Watcher {
    type Message = ();

    fn started(&mut self, turn: &mut Turn<'_, ()>) {
        let bomb = Bomb;
        turn.watch(&self.watched, move |_down| {
            let _keeps = &bomb;
        });
    }

    fn handle(&mut self, (): (), turn: &mut Turn<'_, ()>) {
        turn.stop();
    }
}

#[test]
fn watchers_that_panic_when_they_are_dropped_never_abort_the_process() {
    let runtime = runtime(1);
    let watched = runtime.spawn(common::counter()).unwrap();
    for _ in 0..20 {
        let watches = watched.clone();
        let factory = move || Watcher { watched: watches.clone() };
        let watcher = runtime.spawn(AgentSpec::new("watcher", factory)).unwrap();
        watcher.tell(()).unwrap();
        wait(watcher.gone());
    }
    runtime.stop_blocking(LONG);
}

#[test]
fn watchers_of_the_program_that_panic_when_they_are_dropped_never_abort_the_process() {
    let runtime = runtime(1);
    let watched = runtime.spawn(common::counter()).unwrap();
    for _ in 0..2 {
        let bomb = Bomb;
        watched.watch(move |_down| {
            let _keeps = &bomb;
        });
    }
    watched.stop();
    wait(watched.gone());
    runtime.stop_blocking(LONG);
}
