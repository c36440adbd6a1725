//! What becomes of a child that cannot start, is refused, is added at a bad moment or halted before it began?

mod common;

use std::sync::Arc;
use std::time::Duration;

use callboard_actors::agent::{Agent, Turn};
use callboard_actors::error::{AskError, StartError};
use callboard_actors::mailbox::AgentSpec;
use callboard_actors::runtime::simulated;
use callboard_actors::supervision::tree::{Lifetime, Strategy};
use callboard_actors::supervision::{ExitReason, Group};
use common::stage::{Cue, Stage, settled, spec};
use common::{LONG, runtime, wait};

#[test]
fn who_is_halted_before_it_has_begun_holds_up_nobody() {
    for seed in 0..100 {
        simulated(seed, |runtime| async move {
            let stage = Stage { group: runtime.group(spec(Strategy::OneForAll, 5)), story: Arc::default() };
            let [_a, b, c] = ["a", "b", "c"].map(|name| stage.actor(name, Lifetime::Permanent));
            b.tell(Cue::Die).unwrap();
            let before = tokio::time::Instant::now();
            assert_eq!(b.ask(LONG, Cue::Ping).await, Ok("b"), "seed {seed}");
            assert_eq!(c.ask(LONG, Cue::Ping).await, Ok("c"), "seed {seed}");
            assert!(before.elapsed() < Duration::from_secs(1), "seed {seed}: it was given up");
        });
    }
}

#[test]
fn whoever_is_added_while_the_group_restarts_or_stops_starts_or_is_gone() {
    for round in 0..200 {
        let runtime = runtime(2);
        let group = runtime.group(spec(Strategy::OneForAll, 1000));
        let first = group.spawn(common::counter(), Lifetime::Permanent).unwrap();
        let adds = std::thread::spawn({
            let group = group.clone();
            move || -> Vec<_> {
                let add = |_| group.spawn(common::counter(), Lifetime::Permanent);
                (0..20).map_while(|number| add(number).ok()).collect()
            }
        });
        for _ in 0..5 {
            let _refused = first.tell(common::Count::Quiet);
            std::thread::yield_now();
        }
        let children = if round % 2 == 0 {
            let children = adds.join().unwrap();
            for child in &children {
                let answer = wait(child.ask(LONG, common::Count::Get));
                assert!(matches!(answer, Ok(_) | Err(AskError::Panicked | AskError::Stopped)), "{answer:?}");
            }
            group.stop();
            children
        } else {
            group.stop();
            adds.join().unwrap()
        };
        wait(group.ended());
        children.iter().chain([&first]).for_each(|child| drop(wait(child.gone())));
        assert!(runtime.directory().is_empty());
    }
}

struct Owner(Group);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.stop();
    }
}

#[test]
fn what_a_refused_factory_does_when_it_is_dropped_is_nobodys_business() {
    for has_ended in [true, false] {
        let runtime = runtime(1);
        let group = runtime.group(spec(Strategy::OneForOne, 1));
        if has_ended {
            group.stop();
        } else {
            runtime.stop_blocking(LONG);
        }
        let (said, heard) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let owner = Owner(group.clone());
            let factory = move || {
                let _kept = &owner;
                common::Counter::default()
            };
            let refused = group.spawn(AgentSpec::new("late", factory), Lifetime::Permanent);
            let _sent = said.send(refused.unwrap_err());
        });
        let refused = heard.recv_timeout(LONG).expect("it does not wait for itself");
        assert_eq!(refused, if has_ended { StartError::GroupEnded } else { StartError::RuntimeStopped });
    }
}

#[test]
fn a_factory_that_panics_over_and_over_starves_no_neighbour_of_its_group() {
    let runtime = runtime(1);
    let group = runtime.group(spec(Strategy::OneForOne, u32::MAX));
    let neighbour = group.spawn(common::counter(), Lifetime::Permanent).unwrap();
    let starts = std::sync::atomic::AtomicU32::new(0);
    let factory = move || match starts.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0 => common::Counter::default(),
        _ => std::panic::resume_unwind(Box::new("on purpose")),
    };
    let restless = group.spawn(AgentSpec::new("restless", factory), Lifetime::Permanent).unwrap();
    restless.tell(common::Count::Quiet).unwrap();
    for _ in 0..100 {
        assert_eq!(wait(neighbour.ask(LONG, common::Count::Get)), Ok((0, 0)));
    }
    group.stop();
    wait(group.ended());
}

struct Starter {
    panics: bool,
}

impl Agent for Starter {
    type Message = ();

    fn started(&mut self, _turn: &mut Turn<'_, ()>) {
        if self.panics {
            std::panic::resume_unwind(Box::new("at its start"));
        }
    }

    fn handle(&mut self, (): (), _turn: &mut Turn<'_, ()>) {
        std::panic::resume_unwind(Box::new("at its first message"));
    }
}

#[test]
fn a_child_whose_first_start_fails_is_gone_alone() {
    for strategy in [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne] {
        simulated(1, |runtime| async move {
            let stage = Stage { group: runtime.group(spec(strategy, 0)), story: Arc::default() };
            let elder = stage.actor("a", Lifetime::Permanent);
            let factory = || -> Starter { std::panic::resume_unwind(Box::new("in its factory")) };
            let stillborn = stage.group.spawn(AgentSpec::new("stillborn", factory), Lifetime::Permanent).unwrap();
            let faulty = AgentSpec::new("faulty", || Starter { panics: true });
            let faulty = stage.group.spawn(faulty, Lifetime::Permanent).unwrap();
            let younger = stage.actor("b", Lifetime::Permanent);
            for (agent, text) in [(&stillborn, "in its factory"), (&faulty, "at its start")] {
                let down = agent.gone().await;
                assert_eq!((down.incarnation, down.reason), (1, ExitReason::Panicked(text.to_owned())));
            }
            assert_eq!(younger.ask(LONG, Cue::Ping).await, Ok("b"));
            assert_eq!(elder.ask(LONG, Cue::Ping).await, Ok("a"));
            assert_eq!(stage.told(), "+a +b");
            assert!(!stage.group.gave_up());
        });
    }
}

#[test]
fn what_the_first_message_does_is_no_failed_start() {
    simulated(1, |runtime| async move {
        let group = runtime.group(spec(Strategy::OneForOne, 1));
        let agent = group.spawn(AgentSpec::new("started", || Starter { panics: false }), Lifetime::Permanent).unwrap();
        agent.tell(()).unwrap();
        settled().await;
        assert!(!agent.info().gone, "it comes back");
        assert_eq!(agent.info().restarts, 1);
    });
}
