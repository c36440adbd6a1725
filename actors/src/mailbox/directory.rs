//! Which agents live in this runtime? From id to reference, and what each is like right now.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use super::door::Door;
use super::idle::Leave;
use super::orders::Order;
use super::quarantine::Quarantine;
use super::queue::Control;
use super::watch::DownSink;
use super::{AgentId, AgentRef};
use crate::supervision::Down;
use crate::text::count;

/// What one agent is like at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentInfo {
    /// Its id.
    pub id: AgentId,
    /// Its name, for people.
    pub name: String,
    /// The number of the shard that it lives on, from 0.
    pub shard: usize,
    /// Messages that wait in its mailbox.
    pub depth: usize,
    /// How long the oldest message has waited, results and notices of its own included; to within 50 milliseconds. `None`
    /// when none waits.
    pub oldest: Option<Duration>,
    /// Accepted messages that are not settled yet: waiting, in its handler's hands, or taken on for an actor of actix's that is not
    /// done with them.
    pub pending: u64,
    /// Futures that it started and that are not over.
    pub work: usize,
    /// Messages whose handler returned. What it took on for an actor of actix's is handled when the actor is done with it.
    pub handled: u64,
    /// Accepted messages that were not handled, for whatever [reason](super::DeadLetter).
    pub dead_letters: u64,
    /// Fingerprints of messages that are held back; see [`AgentSpec::quarantine`](super::AgentSpec::quarantine).
    pub quarantined: usize,
    /// How often it was restarted.
    pub restarts: u32,
    /// How often it was put away because it was idle.
    pub put_away: u32,
    /// Whether it is put away right now, until its next message.
    pub is_away: bool,
    /// Whether it has stopped for good.
    pub gone: bool,
}

impl AgentInfo {
    pub(super) fn of<M: Send + 'static>(door: &Door<M>) -> Self {
        let put_away = door.known_leave().map_or(0, Leave::times);
        Self {
            id: door.id,
            name: door.name.to_string(),
            shard: usize::from(door.shard),
            depth: door.depth(),
            oldest: door.oldest(),
            pending: door.pending() + door.carried(),
            work: door.work(),
            handled: door.handled(),
            dead_letters: door.dead(),
            quarantined: door.quarantine().map_or(0, Quarantine::len),
            restarts: (door.incarnation() - 1).saturating_sub(put_away),
            put_away,
            is_away: door.known_leave().is_some_and(Leave::is_away),
            gone: door.is_gone(),
        }
    }
}

/// An agent whose message type is not known here.
pub(crate) trait AnyAgent: Any + Send + Sync {
    fn info(&self) -> AgentInfo;
    /// But for what it took on for somebody else, which is counted also when it is gone.
    fn pending(&self) -> u64;
    fn left(&self) -> u64;
    /// Whether it is gone, and everybody has heard of it.
    fn has_told(&self) -> bool;
    fn is_at_rest(&self) -> bool;
    fn is_unwatched(&self) -> bool;
    fn raise(&self, control: Control);
    fn order(&self, order: Order);
    /// `notice` is called when all who watch it have heard the same.
    fn watch(&self, notice: Box<dyn FnMut(&Down) + Send>);
}

impl<M: Send + 'static> AnyAgent for Door<M> {
    fn info(&self) -> AgentInfo {
        AgentInfo::of(self)
    }

    fn pending(&self) -> u64 {
        Door::pending(self)
    }

    fn left(&self) -> u64 {
        Door::left(self)
    }

    fn has_told(&self) -> bool {
        Door::has_told(self)
    }

    fn is_at_rest(&self) -> bool {
        Door::is_at_rest(self)
    }

    fn is_unwatched(&self) -> bool {
        Door::is_unwatched(self)
    }

    fn raise(&self, control: Control) {
        Door::raise(self, control);
    }

    fn order(&self, order: Order) {
        Door::order(self, order);
    }

    fn watch(&self, mut notice: Box<dyn FnMut(&Down) + Send>) {
        let notify = Box::new(move |down: &Down| {
            notice(down);
            true
        });
        Door::watch(self, DownSink { notify, is_alive: Box::new(|| true), is_last: true });
    }
}

impl dyn AnyAgent {
    pub(crate) fn drain(&self) {
        self.raise(Control::Drain);
    }

    pub(crate) fn stop(&self) {
        self.raise(Control::Stop);
    }
}

/// The live agents of one runtime. An agent is listed from its start until it is gone.
#[derive(Default)]
#[expect(clippy::disallowed_types, reason = "it is private here, and whoever goes through it sorts or sums")]
pub struct Directory {
    agents: dashmap::DashMap<AgentId, Arc<dyn AnyAgent>>,
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Directory({})", count(self.agents.len(), "agent"))
    }
}

impl Directory {
    /// The agent with this id, if it lives and takes messages of type `M`.
    pub fn find<M: Send + 'static>(&self, id: AgentId) -> Option<AgentRef<M>> {
        let agent = self.agents.get(&id)?.value().clone();
        let agent: Arc<dyn Any + Send + Sync> = agent;
        Some(AgentRef { door: agent.downcast::<Door<M>>().ok()? })
    }

    /// Stops the agent with this id, whatever its messages are; see [`AgentRef::stop`]. `false` when no such agent lives.
    pub fn stop(&self, id: AgentId) -> bool {
        let agent = self.agents.get(&id).map(|agent| agent.value().clone());
        agent.inspect(|agent| agent.stop()).is_some()
    }

    /// How many agents live.
    pub fn len(&self) -> usize {
        self.agents.len()
    }

    /// Whether no agent lives.
    pub fn is_empty(&self) -> bool {
        self.agents.is_empty()
    }

    /// Every live agent, in the order of their ids, which is the order in which they were started.
    pub fn list(&self) -> Vec<AgentInfo> {
        self.in_order().iter().map(|(_, agent)| agent.info()).collect()
    }

    /// Shows `see` every live agent, in the same order as [`Directory::list`], without holding them all at once.
    pub fn visit(&self, mut see: impl FnMut(AgentInfo)) {
        self.in_order().iter().for_each(|(_, agent)| see(agent.info()));
    }

    pub(crate) fn in_order(&self) -> Vec<(AgentId, Arc<dyn AnyAgent>)> {
        let mut agents: Vec<_> = self.agents.iter().map(|entry| (*entry.key(), entry.value().clone())).collect();
        agents.sort_by_key(|(id, _)| *id);
        agents
    }

    /// What the agent is called; empty when no such agent lives.
    pub(crate) fn name_of(&self, id: AgentId) -> String {
        self.agents.get(&id).map(|agent| agent.info().name).unwrap_or_default()
    }

    pub(crate) fn pending(&self) -> u64 {
        self.agents.iter().map(|entry| entry.value().pending()).sum()
    }

    pub(super) fn insert(&self, id: AgentId, agent: Arc<dyn AnyAgent>) {
        self.agents.insert(id, agent);
    }

    pub(crate) fn remove(&self, id: AgentId) {
        self.agents.remove(&id);
    }
}
