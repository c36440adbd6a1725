//! What can be seen of agents and shards while they work? Who blocks a shard, how old the oldest message is, what died.

mod common;

use std::sync::mpsc;
use std::time::Duration;

use callboard_actors::agent::{Agent, Turn};
use callboard_actors::mailbox::{AgentSpec, DeadLetter};
use callboard_actors::runtime::{Blockage, Runtime, RuntimeConfig, ShardInfo, simulated};
use callboard_actors::supervision::{Backoff, RestartPolicy};
use common::{Count, LONG, counter, hold};

/// Looks until a shard is as it should be, with a bound.
fn look_until(runtime: &Runtime, is_so: impl Fn(&ShardInfo) -> bool) -> ShardInfo {
    let began = tokio::time::Instant::now();
    loop {
        let info = runtime.shards().remove(0);
        if is_so(&info) {
            return info;
        }
        assert!(began.elapsed() < LONG, "{info:?}");
        std::thread::yield_now();
    }
}

fn one_shard() -> Runtime {
    Runtime::start(RuntimeConfig { shards: 1, blocked_after: Duration::from_millis(5) }).unwrap()
}

#[test]
fn an_agent_that_blocks_its_shard_is_named_until_it_does_no_longer() {
    let runtime = one_shard();
    let agent = runtime.spawn(counter()).unwrap();
    let bystander = runtime.spawn(counter()).unwrap();
    common::wait(bystander.ask(LONG, Count::Get)).unwrap();
    assert_eq!(runtime.shards(), [ShardInfo::default()]);
    let release = hold(&agent);
    let Blockage { agent: named, name, lasted } = look_until(&runtime, |info| info.blocked.is_some()).blocked.unwrap();
    assert_eq!((named, &*name), (agent.id(), agent.name()));
    assert!(lasted >= Duration::from_millis(5), "{lasted:?}");
    drop(release);
    let after = look_until(&runtime, |info| info.blocked.is_none());
    assert_eq!(after.blockages, 1);
    let longest = after.longest.unwrap();
    assert!(longest.agent == agent.id() && longest.lasted >= lasted);
}

/// Blocks its shard in work, not in a handler.
struct Digs {
    entered: mpsc::Sender<()>,
}

impl Agent for Digs {
    type Message = Option<mpsc::Receiver<()>>;

    fn handle(&mut self, message: Self::Message, turn: &mut Turn<'_, Self::Message>) {
        let Some(until) = message else { return };
        let entered = self.entered.clone();
        let digs = async move {
            entered.send(()).unwrap();
            let _dropped_to_release = until.recv_timeout(LONG);
        };
        assert!(turn.start(digs, |_| None).is_ok());
    }
}

#[test]
fn work_that_blocks_the_shard_is_named_by_its_agent() {
    let runtime = one_shard();
    let (entered, has_entered) = mpsc::channel();
    let agent = runtime.spawn(AgentSpec::new("digs", move || Digs { entered: entered.clone() })).unwrap();
    let (release, until) = mpsc::channel();
    agent.tell(Some(until)).unwrap();
    has_entered.recv_timeout(LONG).unwrap();
    let blocked = look_until(&runtime, |info| info.blocked.is_some()).blocked.unwrap();
    assert_eq!((blocked.agent, &*blocked.name), (agent.id(), "digs"));
    drop(release);
}

#[test]
fn the_age_of_the_oldest_message_and_the_dead_letters_of_each_agent_can_be_read() {
    simulated(1, |runtime| async move {
        let backoff = Backoff { first: Duration::from_secs(10), ..Backoff::default() };
        let policy = RestartPolicy { backoff, ..RestartPolicy::default() };
        let agent = runtime.spawn(counter().restart(policy)).unwrap();
        assert_eq!((agent.info().oldest, agent.info().dead_letters), (None, 0));
        agent.tell(Count::Quiet).unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        // It waits for its restart, and its messages with it.
        agent.tell(Count::Add).unwrap();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        agent.tell(Count::Add).unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let info = agent.info();
        assert_eq!((info.depth, info.oldest), (2, Some(Duration::from_secs(2))));
        assert_eq!((info.handled, info.dead_letters, info.restarts), (0, 1, 1));
        tokio::time::sleep(Duration::from_secs(10)).await;
        assert_eq!((agent.info().handled, agent.info().oldest), (2, None));
        let bystander = runtime.spawn(counter()).unwrap();
        bystander.tell(Count::Add).unwrap();
        bystander.stop();
        bystander.gone().await;
        assert_eq!((bystander.info().dead_letters, agent.info().dead_letters), (1, 1));
        assert_eq!(runtime.ledger().dead(DeadLetter::Stopped), 1);
    });
}

#[test]
fn a_limit_that_cannot_be_kept_is_refused() {
    let config = RuntimeConfig { blocked_after: Duration::ZERO, ..RuntimeConfig::default() };
    let error = Runtime::start(config).unwrap_err().to_string();
    assert_eq!(error, "invalid configuration: blocked_after is 0ns; it must be between 1ms and 1h");
}
