//! What becomes of the queues and the work of a group's agents when it restarts, gives up or is stopped, or the runtime is?

mod common;

use std::time::Duration;

use callboard_actors::agent::{Agent, Turn};
use callboard_actors::mailbox::{AgentRef, AgentSpec, DeadLetter, Reply};
use callboard_actors::runtime::{Runtime, StopReport, simulated};
use callboard_actors::supervision::tree::{GroupSpec, Lifetime, Strategy};
use callboard_actors::supervision::{Backoff, ExitReason, RestartPolicy};
use common::LONG;
use tokio::time::Instant;

const BACKOFF: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

struct Actor;

enum Cue {
    Note,
    Die,
    Leave,
    Work(Duration),
    Ping(Reply<()>),
}

impl Agent for Actor {
    type Message = Cue;

    fn handle(&mut self, cue: Cue, turn: &mut Turn<'_, Cue>) {
        match cue {
            Cue::Note => {}
            // Without the panic hook, which would print each of them.
            Cue::Die => std::panic::resume_unwind(Box::new("on purpose")),
            Cue::Leave => turn.stop(),
            Cue::Work(time) => assert!(turn.start(tokio::time::sleep(time), |_| Cue::Note).is_ok()),
            Cue::Ping(reply) => reply.send(()),
        }
    }
}

fn actor() -> AgentSpec<Actor> {
    AgentSpec::new("actor", || Actor)
}

fn policy(max_restarts: u32) -> RestartPolicy {
    let backoff = Backoff { first: BACKOFF, longest: BACKOFF, ..Backoff::default() };
    RestartPolicy { max_restarts, within: HOUR, backoff }
}

fn spec(strategy: Strategy, max_restarts: u32) -> GroupSpec {
    GroupSpec { strategy, policy: policy(max_restarts), ..GroupSpec::default() }
}

/// Four agents of one group, all up.
async fn four(runtime: &Runtime, strategy: Strategy, max_restarts: u32) -> Vec<AgentRef<Cue>> {
    let group = runtime.group(spec(strategy, max_restarts));
    let agents: Vec<_> = (0..4).map(|_| group.spawn(actor(), Lifetime::Permanent).unwrap()).collect();
    up(&agents[3]).await;
    agents
}

async fn up(agent: &AgentRef<Cue>) {
    assert_eq!(agent.ask(LONG, Cue::Ping).await, Ok(()));
}

fn notes(agent: &AgentRef<Cue>, number: usize) {
    (0..number).for_each(|_| agent.tell(Cue::Note).unwrap());
}

fn restarts(agents: &[AgentRef<Cue>]) -> Vec<u32> {
    agents.iter().map(|agent| agent.info().restarts).collect()
}

/// Stops; the dead letters of the stop must be those that the report names.
async fn stop(runtime: Runtime, within: Duration) -> StopReport {
    let handle = runtime.handle();
    let report = runtime.stop(within).await;
    assert!(handle.ledger().balances());
    let left: u64 = report.abandoned.iter().map(|agent| agent.pending).sum();
    assert_eq!(handle.ledger().dead(DeadLetter::Stopped), left, "{report:?}");
    report
}

#[test]
fn a_stop_lets_an_agent_in_its_backoff_handle_its_queue_in_a_group_as_without_one() {
    for grouped in [true, false] {
        simulated(1, |runtime| async move {
            let agent = match grouped {
                true => runtime.group(spec(Strategy::OneForOne, 3)).spawn(actor(), Lifetime::Permanent).unwrap(),
                false => runtime.spawn(actor().restart(policy(3))).unwrap(),
            };
            up(&agent).await;
            agent.tell(Cue::Die).unwrap();
            tokio::time::sleep(BACKOFF / 10).await;
            notes(&agent, 3);
            let report = stop(runtime, HOUR).await;
            assert!(report.is_clean() && report.drained == 1, "{report:?}");
            assert_eq!((agent.info().handled, agent.info().restarts), (4, 1));
        });
    }
}

#[test]
fn a_stop_lets_agents_that_are_halted_for_a_sibling_handle_their_queues() {
    simulated(1, |runtime| async move {
        let agents = four(&runtime, Strategy::OneForAll, 3).await;
        agents[2].tell(Cue::Die).unwrap();
        tokio::time::sleep(BACKOFF / 10).await;
        agents.iter().for_each(|agent| notes(agent, 10));
        let report = stop(runtime, HOUR).await;
        assert!(report.is_clean() && report.drained == 4, "{report:?}");
        assert_eq!(restarts(&agents), [1, 1, 1, 1]);
    });
}

#[test]
fn a_death_while_the_runtime_stops_restarts_nobody_else() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        simulated(1, |runtime| async move {
            let agents = four(&runtime, strategy, 3).await;
            agents.iter().for_each(|agent| notes(agent, 10));
            agents[1].tell(Cue::Die).unwrap();
            notes(&agents[1], 10);
            let report = stop(runtime, HOUR).await;
            assert!(report.is_clean() && report.drained == 4, "{report:?}");
            assert_eq!(restarts(&agents), [0, 1, 0, 0]);
        });
    }
}

#[test]
fn what_could_not_be_handled_in_time_is_abandoned() {
    simulated(1, |runtime| async move {
        let agents = four(&runtime, Strategy::OneForAll, 3).await;
        agents[2].tell(Cue::Die).unwrap();
        tokio::time::sleep(BACKOFF / 10).await;
        notes(&agents[0], 5);
        notes(&agents[2], 2);
        let report = stop(runtime, BACKOFF / 10).await;
        let pending: Vec<_> = report.abandoned.iter().map(|agent| (agent.id, agent.pending)).collect();
        assert_eq!(pending, [(agents[2].id(), 2), (agents[0].id(), 5)]);
        assert_eq!(report.drained, 2);
    });
}

#[test]
fn who_dies_too_often_while_the_runtime_stops_is_abandoned_with_what_it_had() {
    simulated(1, |runtime| async move {
        let agents = four(&runtime, Strategy::OneForAll, 1).await;
        agents.iter().for_each(|agent| notes(agent, 10));
        for _ in 0..2 {
            agents[1].tell(Cue::Die).unwrap();
        }
        notes(&agents[1], 7);
        let report = stop(runtime, HOUR).await;
        let pending: Vec<_> = report.abandoned.iter().map(|agent| (agent.id, agent.pending)).collect();
        assert_eq!((pending, report.drained), (vec![(agents[1].id(), 7)], 3));
    });
}

#[test]
fn who_stops_itself_while_it_drains_is_abandoned_with_what_it_had() {
    simulated(1, |runtime| async move {
        let agent = runtime.spawn(actor()).unwrap();
        up(&agent).await;
        agent.tell(Cue::Leave).unwrap();
        notes(&agent, 3);
        let report = stop(runtime, HOUR).await;
        assert_eq!((report.abandoned.len(), report.drained), (1, 0));
    });
}

#[test]
fn who_is_drained_while_it_is_held_handles_its_queue_and_goes_or_goes_with_its_group() {
    for stops in [false, true] {
        simulated(1, |runtime| async move {
            let group = runtime.group(spec(Strategy::OneForOne, 3));
            let agent = group.spawn(actor(), Lifetime::Permanent).unwrap();
            up(&agent).await;
            agent.tell(Cue::Die).unwrap();
            tokio::time::sleep(BACKOFF / 10).await;
            notes(&agent, 3);
            let before = Instant::now();
            agent.drain();
            if stops {
                group.stop();
            }
            let down = agent.gone().await;
            assert_eq!(down.reason, ExitReason::Stopped);
            assert_eq!(before.elapsed() > BACKOFF / 4, !stops);
            assert_eq!(agent.info().handled, if stops { 1 } else { 4 });
        });
    }
}

#[test]
fn a_sibling_that_goes_with_a_restart_or_when_the_group_gives_up_is_not_waited_for_until_it_has_drained() {
    for (lifetime, max_restarts) in [(Lifetime::Permanent, 1), (Lifetime::Temporary, 1), (Lifetime::Permanent, 0)] {
        simulated(1, |runtime| async move {
            let group = runtime.group(spec(Strategy::OneForAll, max_restarts));
            let elder = group.spawn(actor(), Lifetime::Permanent).unwrap();
            let sibling = group.spawn(actor().stop_within(HOUR), lifetime).unwrap();
            up(&sibling).await;
            sibling.tell(Cue::Work(Duration::from_secs(60))).unwrap();
            up(&sibling).await;
            let before = Instant::now();
            elder.tell(Cue::Die).unwrap();
            if max_restarts > 0 {
                up(&elder).await;
                group.stop();
            }
            group.ended().await;
            assert!(before.elapsed() <= 2 * BACKOFF, "{lifetime:?} {max_restarts}: {:?}", before.elapsed());
        });
    }
}

#[test]
fn a_group_that_is_stopped_drains_its_agents_as_long_as_each_may_take() {
    for (stop_within, takes) in [(HOUR, Duration::from_secs(60)), (BACKOFF, BACKOFF)] {
        simulated(1, |runtime| async move {
            let group = runtime.group(spec(Strategy::OneForOne, 1));
            let agent = group.spawn(actor().stop_within(stop_within), Lifetime::Permanent).unwrap();
            agent.tell(Cue::Work(Duration::from_secs(60))).unwrap();
            up(&agent).await;
            let before = Instant::now();
            group.stop();
            agent.gone().await;
            assert!(before.elapsed() - takes < Duration::from_millis(10), "{:?}", before.elapsed());
            group.ended().await;
        });
    }
}
