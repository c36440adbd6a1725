//! What does it take to start an agent? Its factory, its bounds and its parent's policy, as one value.

use std::sync::Arc;
use std::time::Duration;

use super::door::{Door, DoorPlan};
use super::guard::{Bonds, Factory, Guard, Restarts};
use super::name::Name;
use super::overflow::Overflow;
use super::quarantine::Quarantine;
use super::{AgentId, AgentRef};
use crate::agent::Agent;
use crate::error::{AskError, StartError};
use crate::runtime::Shared;
use crate::scope::Scope;
use crate::supervision::{ExitReason, Kept, RestartPolicy};

/// The most messages that wait in a mailbox when nothing else is said.
const DEFAULT_CAPACITY: u32 = 256;
/// The most futures that an agent may have in flight when nothing else is said.
const DEFAULT_MAX_WORK: u32 = 4096;
/// How long an agent of a group may take to end. OTP's default for a worker.
const DEFAULT_STOP_WITHIN: Duration = Duration::from_secs(5);

/// How to start an agent, and to start it again.
pub struct AgentSpec<A: Agent> {
    pub(super) name: Name,
    pub(super) factory: Factory<A>,
    pub(super) capacity: u32,
    pub(super) max_work: u32,
    pub(super) overflow: Overflow,
    pub(super) restarts: Option<Box<Restarts>>,
    pub(super) quarantine: Option<Quarantine<A::Message>>,
    pub(super) idle: Option<Duration>,
    pub(crate) stop_within: Duration,
    pub(crate) scope: Option<Scope>,
    pub(crate) shard: Option<u16>,
}

impl<A: Agent> AgentSpec<A> {
    /// An agent called `name`, for people; no empty one. `factory` makes its state, on its shard, at the start and at each restart.
    pub fn new(name: impl Into<Name>, factory: impl Fn() -> A + Send + Sync + 'static) -> Self {
        Self {
            name: name.into(),
            factory: Box::new(factory),
            capacity: DEFAULT_CAPACITY,
            max_work: DEFAULT_MAX_WORK,
            overflow: Overflow::Refuse,
            restarts: None,
            quarantine: None,
            idle: None,
            stop_within: DEFAULT_STOP_WITHIN,
            scope: None,
            shard: None,
        }
    }

    /// At most this many messages wait in the mailbox: 1 to 4 billion; more is 4 billion. The default is 256.
    #[must_use]
    pub fn capacity(mut self, messages: usize) -> Self {
        self.capacity = bound(messages);
        self
    }

    /// At most this many futures are in flight at a time: 1 to 4 billion; more is 4 billion. The default is 4,096.
    #[must_use]
    pub fn max_work(mut self, futures: usize) -> Self {
        self.max_work = bound(futures);
        self
    }

    /// What happens to a message that comes when the mailbox is full. The default is [`Overflow::Refuse`].
    #[must_use]
    pub fn overflow(mut self, policy: Overflow) -> Self {
        self.overflow = policy;
        self
    }

    /// What happens when it dies. The default is OTP's: one restart within 5 seconds.
    #[must_use]
    pub fn restart(mut self, policy: RestartPolicy) -> Self {
        self.restarts = Some(Box::new(policy.into()));
        self
    }

    /// Handles no more messages that ask for what made the agent panic `panics` times, at least 1: they become dead letters, and
    /// whoever asks answers `Quarantined`. `fingerprint` says what two messages have in common that ask for the same;
    /// `None` for a message that is never held back. It runs before each message from outside. 64 fingerprints are
    /// remembered. The default is no quarantine.
    #[must_use]
    pub fn quarantine(
        mut self,
        panics: u32,
        fingerprint: impl Fn(&A::Message) -> Option<u64> + Send + Sync + 'static,
    ) -> Self {
        self.quarantine = Some(Quarantine::new(panics, Box::new(fingerprint)));
        self
    }

    /// Puts the agent away when it has done nothing for this long, or up to twice as long: its state is dropped, and the
    /// factory makes a new one for the next message. Its references, its id and what is sent meanwhile are kept, in their
    /// order. It stays while it has work, a timer or a child, while somebody lives whom it watches, and while
    /// [`Agent::put_away`] says so. A [`Reply`](super::Reply) in its state answers `Unanswered`. Whoever watches it hears [`Idle`](crate::supervision::ExitReason::Idle). An agent of a group is never put away: the group
    /// counts on it. The default is never.
    #[must_use]
    pub fn idle_after(mut self, rest: Duration) -> Self {
        self.idle = Some(rest);
        self
    }

    /// How long its group waits when it ends the agent: for its incarnation to end, or for it to drain. Then the group
    /// goes on without it. Means nothing outside a [`Group`](crate::supervision::Group). The default is 5 seconds.
    #[must_use]
    pub fn stop_within(mut self, limit: Duration) -> Self {
        self.stop_within = limit;
        self
    }

    /// Stops the agent when this scope is cancelled. Without it the agent ends with the agent that spawned it.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// Checks every rule.
    pub(crate) fn validate(&self) -> Result<(), StartError> {
        let quarantine = self.quarantine.as_ref().map_or(1, Quarantine::after);
        let counts = [("capacity", self.capacity), ("max_work", self.max_work), ("quarantine", quarantine)];
        if let Some((what, _)) = counts.iter().find(|(_, count)| *count == 0) {
            return Err(StartError::Invalid(format!("{what} is 0; it must be at least 1")));
        }
        is_a_name(&self.name)
    }

    /// Lives on the shard with this place among the runtime's, counted from 0, and not where its id leads.
    pub(crate) fn on_shard(mut self, shard: u16) -> Self {
        self.shard = Some(shard);
        self
    }
}

fn bound(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Of an agent: something that people can read.
pub(crate) fn is_a_name(name: &str) -> Result<(), StartError> {
    match name.trim().is_empty() {
        true => Err(StartError::Invalid("an agent's name is empty; it must have at least one sign".to_owned())),
        false => Ok(()),
    }
}

/// An agent that is listed but not yet running: [`Birth::run`] must be called on its shard. Dropped before that, the
/// agent is gone, and everybody who waits for it learns it.
pub(crate) struct Birth<A: Agent> {
    /// `None` once it runs.
    unborn: Option<Unborn<A>>,
    door: Arc<Door<A::Message>>,
}

struct Unborn<A> {
    factory: Factory<A>,
    restarts: Option<Box<Restarts>>,
    kept: Option<Box<Kept>>,
    idle: Option<Duration>,
    /// Stops the agent when it is cancelled.
    scope: Option<Scope>,
}

/// Opens the agent's front door and lists it. Messages are accepted from here on.
///
/// `inherited` is the scope of the agent that spawns it, if that has one of its own.
pub(crate) fn prepare<A: Agent>(
    shared: &Arc<Shared>,
    id: AgentId,
    shard: u16,
    inherited: Option<&Scope>,
    kept: Option<Box<Kept>>,
    spec: AgentSpec<A>,
) -> (AgentRef<A::Message>, Birth<A>) {
    let AgentSpec { name, factory, capacity, max_work, overflow, restarts, quarantine, idle, scope, .. } = spec;
    let scope = scope.as_ref().or(inherited).map(Scope::child);
    let own = scope.clone();
    let (shared, is_kept) = (shared.clone(), kept.is_some());
    let plan = DoorPlan { id, name, scope: own, quarantine, shared, shard, capacity, max_work, overflow, is_kept };
    let door = Arc::new(Door::new(plan));
    door.shared.directory().insert(id, door.clone());
    let idle = idle.filter(|_| !is_kept);
    let unborn = Unborn { factory, restarts, kept, idle, scope };
    (AgentRef { door: door.clone() }, Birth { unborn: Some(unborn), door })
}

impl<A: Agent> Birth<A> {
    /// Where the agent is to live.
    pub(crate) fn shard(&self) -> u16 {
        self.door.shard
    }

    /// Runs the agent on the current thread until it is gone.
    pub(crate) fn run(mut self) {
        let Some(Unborn { factory, restarts, kept, idle, scope }) = self.unborn.take() else { return };
        let bonds = Bonds::new(restarts, kept, idle, scope.as_ref());
        tokio::task::spawn_local(Guard::new(self.door.clone(), factory, bonds));
    }
}

impl<A: Agent> Drop for Birth<A> {
    fn drop(&mut self) {
        let Some(unborn) = self.unborn.take() else { return };
        self.door.close(AskError::Stopped);
        self.door.depart(ExitReason::Abandoned);
        if let Some(kept) = &unborn.kept {
            kept.finished();
        }
    }
}
