//! What does a panic take down? Its own incarnation, and nothing else.

mod common;

use std::sync::mpsc;
use std::time::Duration;

use callboard_actors::agent::{Agent, Turn};
use callboard_actors::error::AskError;
use callboard_actors::mailbox::{AgentRef, AgentSpec, DeadLetter, Reply};
use callboard_actors::supervision::{ExitReason, Next, RestartPolicy};
use common::{Count, LONG, counter, runtime, tenacious, wait};

#[test]
fn the_caller_learns_it_and_queue_address_and_neighbours_survive() {
    let runtime = runtime(1);
    let agent = runtime.spawn(counter().restart(tenacious())).unwrap();
    let neighbour = runtime.spawn(counter()).unwrap();
    neighbour.tell(Count::Add).unwrap();

    // Hold the agent, so that everything below is queued before the panic.
    let (entered, is_held) = mpsc::channel();
    let (release, until) = mpsc::channel::<()>();
    agent.tell(Count::Hold { entered, release: until }).unwrap();
    is_held.recv_timeout(LONG).unwrap();
    let broken = agent.ask(LONG, Count::Break);
    for _ in 0..3 {
        agent.tell(Count::Add).unwrap();
    }
    let after = agent.ask(LONG, Count::Get);
    drop(release);

    assert_eq!(wait(broken), Err(AskError::Panicked));
    assert_eq!(wait(after), Ok((3, 3)), "what was queued is handled by the next incarnation, on a fresh state");
    assert_eq!(wait(agent.ask(LONG, Count::Get)), Ok((3, 3)), "the same reference still works");
    assert_eq!(wait(neighbour.ask(LONG, Count::Get)), Ok((1, 1)));
    assert_eq!(agent.info().restarts, 1);
    assert_eq!(runtime.ledger().dead(DeadLetter::Panicked), 1);
    assert!(runtime.stop_blocking(LONG).is_clean());
}

#[test]
fn no_half_changed_state_is_left_behind() {
    let runtime = runtime(1);
    let agent = runtime.spawn(counter().restart(tenacious())).unwrap();
    agent.tell(Count::Add).unwrap();
    assert_eq!(wait(agent.ask(LONG, Count::Break)), Err(AskError::Panicked));
    assert_eq!(wait(agent.ask(LONG, Count::Get)), Ok((0, 0)), "the state comes from the factory, not from the wreck");
    runtime.stop_blocking(LONG);
}

#[test]
fn watchers_get_one_notice_for_each_incarnation() {
    let runtime = runtime(1);
    let policy = RestartPolicy::at_most(2, Duration::from_secs(3600));
    let agent = runtime.spawn(counter().restart(policy)).unwrap();
    let (sender, notices) = mpsc::channel();
    let late = sender.clone();
    agent.watch(move |down| sender.send(down.clone()).unwrap());
    for _ in 0..3 {
        agent.tell(Count::Panic).unwrap();
    }
    let gone = wait(agent.gone());
    assert_eq!((gone.incarnation, gone.next), (3, Next::Gone));
    let seen: Vec<_> = (0..3).map(|_| notices.recv_timeout(LONG).unwrap()).collect();
    let lives: Vec<_> = seen.iter().map(|down| (down.incarnation, down.next)).collect();
    assert_eq!(lives, [(1, Next::Restarts), (2, Next::Restarts), (3, Next::Gone)]);
    assert!(seen.iter().all(|down| down.reason == ExitReason::Panicked("broken on purpose".to_owned())));

    agent.watch(move |down| late.send(down.clone()).unwrap());
    assert_eq!(notices.try_recv().unwrap(), gone, "who comes late is told at once");
    assert!(notices.try_recv().is_err(), "and nobody is told twice");
    assert_eq!(wait(agent.ask(LONG, Count::Get)), Err(AskError::Stopped));
    runtime.stop_blocking(LONG);
}

/// Its drop panics, its handler panics, and it holds a question meanwhile.
struct Mine {
    armed: bool,
    held: Vec<Reply<()>>,
}

enum Step {
    Arm(Reply<()>),
    Hold(Reply<()>),
    Blow,
    Ping(Reply<()>),
}

impl Drop for Mine {
    fn drop(&mut self) {
        assert!(!self.armed, "the drop panics on purpose");
    }
}

impl Agent for Mine {
    type Message = Step;

    fn handle(&mut self, message: Step, turn: &mut Turn<'_, Step>) {
        match message {
            Step::Arm(reply) => {
                self.armed = true;
                reply.send(());
            }
            Step::Hold(reply) => self.held.push(reply),
            Step::Blow => {
                // Work in flight panics too, and so does its drop.
                assert!(turn.start(std::future::pending::<()>(), |_| Step::Blow).is_ok());
                panic!("the handler panics on purpose");
            }
            Step::Ping(reply) => reply.send(()),
        }
    }
}

#[test]
fn a_panic_while_another_unwinds_never_aborts_the_process() {
    let runtime = runtime(1);
    let spec = AgentSpec::new("mine", || Mine { armed: false, held: Vec::new() }).restart(tenacious());
    let agent = runtime.spawn(spec).unwrap();
    for _ in 0..3 {
        let held = agent.ask(LONG, Step::Hold);
        wait(agent.ask(LONG, Step::Arm)).unwrap();
        // Two in a row: the second is queued while the first one's wreck is dropped, which panics as well.
        agent.tell(Step::Blow).unwrap();
        agent.tell(Step::Blow).unwrap();
        assert_eq!(wait(held), Err(AskError::Panicked), "a question that the wreck held is answered");
        wait(agent.ask(LONG, Step::Ping)).unwrap();
    }
    wait(agent.ask(LONG, Step::Arm)).unwrap();
    agent.stop();
    assert_eq!(wait(agent.gone()).reason, ExitReason::Stopped);
    // And at the end of the runtime, without a stop, in the middle of things.
    let agent = runtime.spawn(AgentSpec::new("mine", || Mine { armed: true, held: Vec::new() })).unwrap();
    wait(agent.ask(LONG, Step::Ping)).unwrap();
    drop(runtime);
    assert_eq!(wait(agent.gone()).reason, ExitReason::Abandoned);
}

#[test]
fn a_factory_that_panics_is_given_up_by_the_policy() {
    let runtime = runtime(1);
    let spec = AgentSpec::<common::Counter>::new("stillborn", || panic!("no state today"));
    let agent = runtime.spawn(spec.restart(RestartPolicy::never())).unwrap();
    assert_eq!(wait(agent.gone()).reason, ExitReason::Panicked("no state today".to_owned()));
    runtime.stop_blocking(LONG);
}

#[test]
fn a_question_that_is_dropped_says_so() {
    let runtime = runtime(1);
    let agent = runtime.spawn(counter()).unwrap();
    assert_eq!(wait(agent.ask(LONG, Count::Ignore)), Err(AskError::Unanswered));
    runtime.stop_blocking(LONG);
}

#[test]
fn a_question_that_the_dead_or_stopped_state_held_says_which() {
    let runtime = runtime(1);
    let spec = AgentSpec::new("mine", || Mine { armed: false, held: Vec::new() }).restart(tenacious());
    let agent = runtime.spawn(spec).unwrap();
    let held = agent.ask(LONG, Step::Hold);
    agent.tell(Step::Blow).unwrap();
    assert_eq!(wait(held), Err(AskError::Panicked));
    let held = agent.ask(LONG, Step::Hold);
    wait(agent.ask(LONG, Step::Ping)).unwrap();
    agent.stop();
    assert_eq!(wait(held), Err(AskError::Stopped));
    runtime.stop_blocking(LONG);
}

/// Watches a counter, can be held, and counts the notices it handled in this incarnation.
struct Watcher {
    watched: AgentRef<Count>,
    notices: u32,
}

enum Watched {
    Hold { entered: mpsc::Sender<()>, release: mpsc::Receiver<()> },
    Panic,
    Down,
    Notices(Reply<u32>),
}

impl Agent for Watcher {
    type Message = Watched;

    fn started(&mut self, turn: &mut Turn<'_, Watched>) {
        turn.watch(&self.watched, |_down| Watched::Down);
    }

    fn handle(&mut self, message: Watched, _turn: &mut Turn<'_, Watched>) {
        match message {
            Watched::Hold { entered, release } => {
                let _ = entered.send(());
                let _ = release.recv();
            }
            Watched::Panic => panic!("on purpose"),
            Watched::Down => self.notices += 1,
            Watched::Notices(reply) => reply.send(self.notices),
        }
    }
}

#[test]
fn what_was_queued_for_a_dead_incarnation_is_not_handled_by_the_next() {
    let runtime = runtime(8);
    // Ids are spread over the shards; this finds two agents that do not share one.
    let (watcher, release, watched) = loop {
        let watched = runtime.spawn(counter()).unwrap();
        let watches = watched.clone();
        let factory = move || Watcher { watched: watches.clone(), notices: 0 };
        let watcher = runtime.spawn(AgentSpec::new("watcher", factory).restart(tenacious())).unwrap();
        let (entered, is_held) = mpsc::channel();
        let (release, until) = mpsc::channel::<()>();
        watcher.tell(Watched::Hold { entered, release: until }).unwrap();
        is_held.recv_timeout(LONG).unwrap();
        if watched.info().shard != watcher.info().shard {
            break (watcher, release, watched);
        }
    };
    watcher.tell(Watched::Panic).unwrap();
    watched.stop();
    wait(watched.gone());
    // The notice of the first incarnation's watch now stands behind the message that ends that incarnation.
    drop(release);
    // The first question may stand before the next incarnation's notice; the second one stands behind it.
    wait(watcher.ask(LONG, Watched::Notices)).unwrap();
    assert_eq!(wait(watcher.ask(LONG, Watched::Notices)), Ok(1), "only the next incarnation's own watch counts");
    assert_eq!(runtime.ledger().dead(DeadLetter::StaleIncarnation), 1);
    runtime.stop_blocking(LONG);
}

/// Dies of every message that is not even.
struct Fragile;

impl Agent for Fragile {
    type Message = (u64, Reply<u64>);

    fn handle(&mut self, (number, reply): Self::Message, _turn: &mut Turn<'_, Self::Message>) {
        if number % 2 == 1 {
            // Without the panic hook, which would print each of them.
            std::panic::resume_unwind(Box::new("odd"));
        }
        reply.send(number);
    }
}

#[test]
fn messages_that_kill_their_agent_again_and_again_are_quarantined() {
    let runtime = runtime(1);
    let spec = AgentSpec::new("fragile", || Fragile).restart(tenacious());
    let agent = runtime.spawn(spec.quarantine(3, |(number, _)| Some(*number).filter(|number| *number != 9))).unwrap();
    let ask = |number| wait(agent.ask(LONG, |reply| (number, reply)));
    for _ in 0..3 {
        assert_eq!(ask(7), Err(AskError::Panicked));
    }
    for _ in 0..2 {
        assert_eq!(ask(7), Err(AskError::Quarantined));
        assert_eq!(ask(8), Ok(8));
    }
    for _ in 0..5 {
        assert_eq!(ask(9), Err(AskError::Panicked), "a message without a fingerprint is never held back");
    }
    agent.drain();
    wait(agent.gone());
    let info = agent.info();
    assert_eq!((info.restarts, info.quarantined, info.handled), (8, 1, 2));
    let ledger = runtime.ledger();
    assert!(ledger.dead(DeadLetter::Quarantined) == 2 && ledger.balances(), "{ledger:?}");
}
