//! Does an agent end with its scope and with its parent, and does one that cannot start leave its shard to others?

mod common;

use std::sync::mpsc;
use std::time::Duration;

use callboard_actors::agent::{Agent, Turn};
use callboard_actors::error::AskError;
use callboard_actors::event::CancelReason;
use callboard_actors::mailbox::{AgentRef, AgentSpec, Reply};
use callboard_actors::runtime::simulated;
use callboard_actors::scope::Scope;
use callboard_actors::supervision::RestartPolicy;
use common::{Count, Counter, LONG, counter, runtime, tenacious, wait};

/// Spawns a child without a scope of its own, and can be held.
struct Parent;

enum Parenting {
    Spawn(Reply<AgentRef<Count>>),
    Hold(mpsc::Sender<()>, mpsc::Receiver<()>),
}

impl Agent for Parent {
    type Message = Parenting;

    fn handle(&mut self, message: Parenting, turn: &mut Turn<'_, Parenting>) {
        match message {
            Parenting::Spawn(reply) => reply.send(turn.spawn(counter()).unwrap()),
            Parenting::Hold(entered, release) => {
                let _ = entered.send(());
                let _ = release.recv();
            }
        }
    }
}

#[test]
fn a_child_ends_with_its_parents_scope_although_its_parent_is_blocked() {
    let runtime = runtime(8);
    let scope = Scope::root();
    let parent = runtime.spawn(AgentSpec::new("parent", || Parent).scope(scope.clone())).unwrap();
    let children: Vec<_> = (0..16).map(|_| wait(parent.ask(LONG, Parenting::Spawn)).unwrap()).collect();
    let (entered, is_held) = mpsc::channel();
    let (release, until) = mpsc::channel();
    parent.tell(Parenting::Hold(entered, until)).unwrap();
    is_held.recv_timeout(LONG).unwrap();
    let elsewhere = |child: &AgentRef<Count>| child.info().shard != parent.info().shard;
    let child = children.into_iter().find(elsewhere).expect("one lives on another shard");
    let (sender, gone) = mpsc::channel();
    child.watch(move |_| sender.send(()).unwrap_or_default());
    scope.cancel(CancelReason::Interrupted);
    let ended = gone.recv_timeout(Duration::from_secs(3));
    drop(release);
    assert!(ended.is_ok(), "its scope is cancelled, and it lives on");
}

/// Cancels its own scope.
struct Quitter;

impl Agent for Quitter {
    type Message = ();

    fn handle(&mut self, (): (), turn: &mut Turn<'_, ()>) {
        turn.scope().cancel(CancelReason::Redundant);
    }
}

#[test]
fn an_agent_whose_scope_is_cancelled_is_stopped() {
    simulated(1, |runtime| async move {
        let agent = runtime.spawn(AgentSpec::new("quitter", || Quitter)).unwrap();
        agent.tell(()).unwrap();
        let gone = tokio::time::timeout(LONG, agent.gone()).await;
        assert!(gone.is_ok(), "its scope is cancelled, and it lives on");
    });
}

#[test]
fn a_factory_that_panics_over_and_over_starves_no_neighbour() {
    let runtime = runtime(1);
    let policy = RestartPolicy { max_restarts: u32::MAX, ..tenacious() };
    let factory = || -> Counter { std::panic::resume_unwind(Box::new("on purpose")) };
    let flood = runtime.spawn(AgentSpec::new("stillborn", factory).restart(policy)).unwrap();
    let neighbour = runtime.spawn(counter()).unwrap();
    let answer = wait(neighbour.ask(Duration::from_secs(3), Count::Get));
    flood.stop();
    assert_eq!(answer, Ok((0, 0)));
}

/// Keeps a question in work, and dies.
struct Asked;

enum Question {
    /// Answers when the work ends, in a hundred seconds or at once.
    InWork {
        is_long: bool,
        reply: Reply<()>,
    },
    Result(Option<Reply<()>>),
    Nothing,
    Die,
}

impl Agent for Asked {
    type Message = Question;

    fn handle(&mut self, question: Question, turn: &mut Turn<'_, Question>) {
        match question {
            Question::InWork { is_long, reply } => {
                let time = Duration::from_secs(if is_long { 100 } else { 0 });
                let work = tokio::time::sleep(time);
                assert!(turn.start(work, move |_ended| Question::Result(Some(reply))).is_ok());
            }
            Question::Result(reply) => reply.into_iter().for_each(|reply| reply.send(())),
            Question::Nothing => {}
            Question::Die => std::panic::resume_unwind(Box::new("on purpose")),
        }
    }
}

#[test]
fn who_waits_for_work_that_ends_with_its_scope_is_told_nothing_of_an_earlier_life() {
    for seed in 0..20 {
        for has_died_before in [false, true] {
            simulated(seed, |runtime| async move {
                let scope = Scope::root();
                let spec = AgentSpec::new("asked", || Asked).scope(scope.clone()).restart(tenacious());
                let agent = runtime.spawn(spec).unwrap();
                if has_died_before {
                    agent.tell(Question::Die).unwrap();
                }
                let asked = agent.ask(LONG, |reply| Question::InWork { is_long: true, reply });
                tokio::time::sleep(Duration::from_millis(10)).await;
                scope.cancel(CancelReason::Interrupted);
                assert_eq!(asked.await, Err(AskError::Stopped), "seed {seed}");
            });
        }
    }
}

#[test]
fn who_waits_for_a_result_of_an_earlier_life_is_told_how_that_one_ended() {
    for seed in 0..20 {
        simulated(seed, |runtime| async move {
            let agent = runtime.spawn(AgentSpec::new("asked", || Asked).restart(tenacious())).unwrap();
            let asked = agent.ask(LONG, |reply| Question::InWork { is_long: false, reply });
            // The result comes in behind all of these.
            (0..100).for_each(|_| agent.tell(Question::Nothing).unwrap());
            (0..2).for_each(|_| agent.tell(Question::Die).unwrap());
            assert_eq!(asked.await, Err(AskError::Panicked), "seed {seed}");
            assert_eq!(agent.info().restarts, 2);
        });
    }
}
