//! In which order do agents end with their runtime, and who hears of it?

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use callboard_actors::agent::{Agent, Turn};
use callboard_actors::error::TellError;
use callboard_actors::mailbox::{AgentRef, AgentSpec};
use callboard_actors::runtime::simulated;
use callboard_actors::supervision::{Backoff, Down, ExitReason, RestartPolicy};
use common::{Count, LONG, counter, hold, runtime, until, wait};

/// Has children that rest, and hears of their ends and of greetings.
struct Elder {
    children: usize,
    heard: Sender<Heard>,
}

#[derive(Debug, PartialEq, Eq)]
enum Heard {
    End,
    Hello,
}

impl Agent for Elder {
    type Message = Heard;

    fn started(&mut self, turn: &mut Turn<'_, Heard>) {
        for _ in 0..self.children {
            let child = turn.spawn(counter()).unwrap();
            turn.watch(&child, |_: Down| Heard::End);
        }
    }

    fn handle(&mut self, heard: Heard, _turn: &mut Turn<'_, Heard>) {
        self.heard.send(heard).unwrap();
    }
}

fn elder(children: usize, heard: Sender<Heard>) -> AgentSpec<Elder> {
    AgentSpec::new("elder", move || Elder { children, heard: heard.clone() })
}

/// Greets an elder when it starts.
struct Polite(AgentRef<Heard>);

impl Agent for Polite {
    type Message = ();

    fn started(&mut self, _turn: &mut Turn<'_, ()>) {
        self.0.tell(Heard::Hello).unwrap();
    }

    fn handle(&mut self, (): (), _turn: &mut Turn<'_, ()>) {}
}

#[test]
fn who_watches_younger_agents_hears_of_their_ends_before_its_own() {
    for seed in 0..20 {
        simulated(seed, |runtime| async move {
            let (heard, log) = channel();
            drop(runtime.spawn(elder(3, heard)).unwrap());
            while runtime.directory().len() < 4 {
                tokio::task::yield_now().await;
            }
            let report = runtime.stop(LONG).await;
            assert_eq!((report.drained, report.is_clean()), (4, true));
            assert_eq!(log.try_iter().collect::<Vec<_>>(), [Heard::End, Heard::End, Heard::End]);
        });
    }
}

#[test]
fn what_an_agent_says_when_it_starts_is_heard_although_the_runtime_stops() {
    for seed in 0..20 {
        simulated(seed, |runtime| async move {
            let (heard, log) = channel();
            let elder = runtime.spawn(elder(0, heard)).unwrap();
            drop(runtime.spawn(AgentSpec::new("polite", move || Polite(elder.clone()))).unwrap());
            let report = runtime.stop(LONG).await;
            assert_eq!((report.drained, report.is_clean()), (2, true));
            assert_eq!(log.try_iter().collect::<Vec<_>>(), [Heard::Hello]);
        });
    }
}

#[test]
fn thousands_that_rest_are_all_drained_and_those_that_do_not_are_too() {
    let runtime = runtime(2);
    let agents: Vec<_> = (0..3_000).map(|_| runtime.spawn(counter()).unwrap()).collect();
    for agent in &agents {
        wait(agent.ask(LONG, Count::Get)).unwrap();
    }
    for agent in agents.iter().step_by(7) {
        agent.tell(Count::Add).unwrap();
    }
    let report = wait(runtime.stop(LONG));
    assert_eq!((report.drained, report.is_clean()), (agents.len(), true));
}

#[test]
fn every_agent_is_in_the_report_when_the_time_is_over_halfway() {
    for round in 0..8 {
        let runtime = runtime(2);
        let agents: Vec<_> = (0..2_000).map(|_| runtime.spawn(counter()).unwrap()).collect();
        for agent in agents.iter().rev().take(4) {
            wait(agent.ask(LONG, Count::Get)).unwrap();
        }
        let report = runtime.stop_blocking(Duration::from_micros(200 << round));
        assert_eq!(report.drained + report.abandoned.len(), agents.len(), "{} were drained", report.drained);
    }
}

#[test]
fn what_is_handled_after_the_time_is_over_is_not_left_behind() {
    let runtime = runtime(1);
    let agent = runtime.spawn(counter()).unwrap();
    let handle = runtime.handle();
    let release = hold(&agent);
    agent.tell(Count::Add).unwrap();
    let told = agent.clone();
    let releases = std::thread::spawn(move || {
        until(|| matches!(agent.tell(Count::Add), Err(TellError::Stopped(_))));
        drop(release);
    });
    let report = runtime.stop_blocking(Duration::ZERO);
    releases.join().unwrap();
    let left: u64 = report.abandoned.iter().map(|abandoned| abandoned.pending).sum();
    assert_eq!(left, handle.ledger().dead_letters(), "{report:?}");
    assert!(told.info().gone);
}

#[test]
fn an_agent_in_its_backoff_that_has_nothing_to_do_does_not_come_back_for_it() {
    simulated(1, |runtime| async move {
        let backoff = Backoff { first: LONG, longest: LONG, ..Backoff::default() };
        let born = Arc::new(AtomicUsize::new(0));
        let count = born.clone();
        let spec = AgentSpec::new("counter", move || {
            count.fetch_add(1, Ordering::SeqCst);
            common::Counter::default()
        });
        let agent = runtime.spawn(spec.restart(RestartPolicy { backoff, ..RestartPolicy::default() })).unwrap();
        agent.tell(Count::Quiet).unwrap();
        while agent.info().restarts == 0 {
            tokio::task::yield_now().await;
        }
        let began = tokio::time::Instant::now();
        assert!(runtime.stop(LONG).await.is_clean());
        assert_eq!((began.elapsed(), born.load(Ordering::SeqCst)), (Duration::ZERO, 1));
    });
}

/// Watches whom it is told to.
struct Watcher {
    heard: Sender<Down>,
}

enum Watch {
    Other(AgentRef<Count>, Sender<()>),
    Heard(Down),
}

impl Agent for Watcher {
    type Message = Watch;

    fn handle(&mut self, message: Watch, turn: &mut Turn<'_, Watch>) {
        match message {
            Watch::Other(other, done) => {
                turn.watch(&other, Watch::Heard);
                done.send(()).unwrap();
            }
            Watch::Heard(down) => self.heard.send(down).unwrap(),
        }
    }
}

#[test]
fn who_watches_an_agent_that_is_just_being_put_away_hears_of_its_end_too() {
    let runtime = runtime(8);
    let (heard, log) = channel();
    let elder = runtime.spawn(AgentSpec::new("elder", move || Watcher { heard: heard.clone() })).unwrap();
    let younger = loop {
        let younger = runtime.spawn(counter().idle_after(Duration::from_millis(20))).unwrap();
        if younger.info().shard != elder.info().shard {
            break younger;
        }
        younger.stop();
    };
    let (entered, has_entered) = channel();
    let [armed, release] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let (is_armed, is_released) = (armed.clone(), release.clone());
    younger.watch(move |down| {
        if down.reason == ExitReason::Idle && is_armed.load(Ordering::SeqCst) {
            let _only_once = entered.send(());
            until(|| is_released.load(Ordering::SeqCst));
        }
    });
    let (watches, is_watching) = channel();
    elder.tell(Watch::Other(younger.clone(), watches)).unwrap();
    is_watching.recv_timeout(LONG).unwrap();
    armed.store(true, Ordering::SeqCst);
    // It may be away already: it comes back, and is put away again.
    wait(younger.ask(LONG, Count::Get)).unwrap();
    has_entered.recv_timeout(LONG).unwrap();
    // One watcher is being told, the elder one has yet to be: now the runtime stops.
    let closed = elder.clone();
    let releases = std::thread::spawn(move || {
        until(|| matches!(younger.tell(Count::Add), Err(TellError::Stopped(_))));
        // Time enough for the elder one to end, if it were let.
        let other = common::runtime(1);
        let clock = other.spawn(counter().idle_after(Duration::from_millis(2))).unwrap();
        for times in 1..=20 {
            wait(clock.ask(LONG, Count::Get)).unwrap();
            until(|| closed.info().gone || clock.info().put_away >= times);
        }
        release.store(true, Ordering::SeqCst);
    });
    runtime.stop_blocking(LONG);
    releases.join().unwrap();
    assert!(log.try_iter().any(|down| down.next == callboard_actors::supervision::Next::Gone));
}
