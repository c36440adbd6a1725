//! In which order do agents end with their runtime, and who hears of it?

mod common;

use std::sync::mpsc::{Sender, channel};

use callboard_actors::agent::{Agent, Turn};
use callboard_actors::mailbox::{AgentRef, AgentSpec};
use callboard_actors::runtime::simulated;
use callboard_actors::supervision::Down;
use common::{Count, LONG, counter, runtime, wait};

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
