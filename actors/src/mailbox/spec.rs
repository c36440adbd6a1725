//! What does it take to start an agent? Its factory, its bounds and its parent's policy, as one value.

use std::sync::Arc;

use actix::dev::channel;

use super::door::{Control, Door, DoorPlan, Queue};
use super::envelope::Envelope;
use super::guard::Guard;
use super::shell::Shell;
use super::{AgentId, AgentRef};
use crate::agent::Agent;
use crate::runtime::Shared;
use crate::scope::Scope;
use crate::supervision::{ExitReason, RestartPolicy};

/// The most messages that wait in a mailbox when nothing else is said.
const DEFAULT_CAPACITY: usize = 256;
/// The most futures that an agent may have in flight when nothing else is said.
const DEFAULT_MAX_WORK: usize = 4096;

/// How to start an agent, and to start it again.
pub struct AgentSpec<A: Agent> {
    pub(crate) name: Arc<str>,
    pub(crate) factory: Arc<dyn Fn() -> A + Send + Sync>,
    pub(crate) capacity: usize,
    pub(crate) max_work: usize,
    pub(crate) policy: RestartPolicy,
    pub(crate) scope: Option<Scope>,
}

impl<A: Agent> AgentSpec<A> {
    /// An agent called `name`, for people. `factory` makes its state, on its shard, at the start and at each restart.
    pub fn new(name: impl Into<Arc<str>>, factory: impl Fn() -> A + Send + Sync + 'static) -> Self {
        Self {
            name: name.into(),
            factory: Arc::new(factory),
            capacity: DEFAULT_CAPACITY,
            max_work: DEFAULT_MAX_WORK,
            policy: RestartPolicy::default(),
            scope: None,
        }
    }

    /// At most this many messages wait in the mailbox; at least 1. The default is 256.
    #[must_use]
    pub fn capacity(mut self, messages: usize) -> Self {
        self.capacity = messages.max(1);
        self
    }

    /// At most this many futures are in flight at a time; at least 1. The default is 4,096.
    #[must_use]
    pub fn max_work(mut self, futures: usize) -> Self {
        self.max_work = futures.max(1);
        self
    }

    /// What happens when it dies. The default is OTP's: one restart within 5 seconds.
    #[must_use]
    pub fn restart(mut self, policy: RestartPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Stops the agent when this scope is cancelled. Without it the agent ends with the agent that spawned it.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }
}

impl<A: Agent> Queue<A::Message> for channel::AddressSender<Shell<A>> {
    fn push(&self, envelope: Envelope<A::Message>) -> Result<(), Envelope<A::Message>> {
        self.do_send(envelope).map_err(|refused| match refused {
            actix::prelude::SendError::Full(envelope) | actix::prelude::SendError::Closed(envelope) => envelope,
        })
    }
}

/// An agent that is listed but not yet running: [`Birth::run`] must be called on its shard. Dropped before that, the
/// agent is gone, and everybody who waits for it learns it.
pub(crate) struct Birth<A: Agent> {
    receiver: Option<channel::AddressReceiver<Shell<A>>>,
    door: Arc<Door<A::Message>>,
    factory: Arc<dyn Fn() -> A + Send + Sync>,
    policy: RestartPolicy,
}

/// Opens the agent's front door and lists it. Messages are accepted from here on.
pub(crate) fn prepare<A: Agent>(
    shared: &Arc<Shared>,
    id: AgentId,
    shard: usize,
    scope: Scope,
    spec: AgentSpec<A>,
) -> (AgentRef<A::Message>, Birth<A>) {
    // Capacity 0 is actix's "unbounded": the bound is the door's.
    let (sender, receiver) = channel::channel::<Shell<A>>(0);
    let AgentSpec { name, factory, capacity, max_work, policy, .. } = spec;
    let plan = DoorPlan { id, name, scope, shared: shared.clone(), shard, capacity, max_work };
    let door = Arc::new(Door::new(plan, Box::new(sender)));
    shared.directory().insert(id, door.clone());
    (AgentRef { door: door.clone() }, Birth { receiver: Some(receiver), door, factory, policy })
}

impl<A: Agent> Birth<A> {
    /// Runs the agent on the current thread until it is gone.
    pub(crate) fn run(mut self) {
        let Some(receiver) = self.receiver.take() else { return };
        let shell = Shell::new(self.factory.clone(), self.door.clone());
        let life = actix::Context::with_receiver(receiver).into_future(shell);
        tokio::task::spawn_local(Guard::new(life, self.door.clone(), self.policy.clone()));
    }
}

impl<A: Agent> Drop for Birth<A> {
    fn drop(&mut self) {
        let Some(receiver) = self.receiver.take() else { return };
        self.door.raise(Control::Stop);
        drop(receiver);
        self.door.depart(ExitReason::Abandoned);
    }
}
