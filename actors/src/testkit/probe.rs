//! What does an agent send, and to whom? A probe is a test's own agent: others know it by its reference, the test reads what it gets.
//!
//! ```
//! use std::time::Duration;
//! use callboard_actors::agent::{Agent, Turn};
//! use callboard_actors::mailbox::{AgentRef, AgentSpec};
//! use callboard_actors::runtime::simulated;
//! use callboard_actors::testkit::Probe;
//!
//! /// Tells somebody else, a minute later.
//! struct Clerk(AgentRef<u64>);
//!
//! enum Told {
//!     Number(u64),
//!     Later(u64),
//! }
//!
//! impl Agent for Clerk {
//!     type Message = Told;
//!
//!     fn handle(&mut self, message: Told, turn: &mut Turn<'_, Told>) {
//!         match message {
//!             Told::Number(number) => turn.after(Duration::from_secs(60), Told::Later(number)).unwrap(),
//!             Told::Later(number) => self.0.tell(number).unwrap(),
//!         }
//!     }
//! }
//!
//! simulated(1, |runtime| async move {
//!     let probe = Probe::start(&runtime, "boss").unwrap();
//!     let boss = probe.agent();
//!     let clerk = runtime.spawn(AgentSpec::new("clerk", move || Clerk(boss.clone()))).unwrap();
//!     clerk.tell(Told::Number(7)).unwrap();
//!     probe.nothing(Duration::from_secs(59)).await.unwrap();
//!     assert_eq!(probe.next(Duration::from_secs(2)).await, Ok(7));
//! });
//! ```

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use thiserror::Error;
use tokio::sync::Notify;

use crate::agent::{Agent, Turn};
use crate::error::StartError;
use crate::mailbox::{AgentRef, AgentSpec, Name, with_contained_waker};
use crate::runtime::{Runtime, RuntimeHandle};
use crate::supervision::Down;
use crate::text::count;

/// Messages, and notices of ends, that a probe keeps for its test.
const ROOM: usize = 4096;

/// An agent that keeps its messages for the test. It takes part in everything as an agent does; messages of all senders come in the
/// order in which they were handled. It stops when it is dropped.
///
/// Waits end after the time that is given, on the runtime's clock: in a simulation none of them takes any. They can be awaited on
/// any executor.
pub struct Probe<M: Send + 'static> {
    agent: AgentRef<M>,
    runtime: RuntimeHandle,
    inbox: Arc<Inbox<M>>,
}

/// What a probe did not get, or got and should not have.
#[derive(Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProbeError {
    /// No message came.
    #[error("no message came to the probe `{probe}` within {within:?}")]
    NoMessage {
        /// Whose.
        probe: String,
        /// How long it waited.
        within: Duration,
    },
    /// A message came where none was expected. It is still there.
    #[error(
        "{} came to the probe `{probe}`, where none was to come within {within:?}; `next` gives the first",
        count(*waiting, "message")
    )]
    Message {
        /// Whose.
        probe: String,
        /// How many there are.
        waiting: usize,
        /// How long none was to come.
        within: Duration,
    },
    /// None of those who are watched has ended.
    #[error("nobody whom the probe `{probe}` watches has ended within {within:?}")]
    NoEnd {
        /// Whose.
        probe: String,
        /// How long it waited.
        within: Duration,
    },
    /// More came than a probe keeps.
    #[error("the probe `{probe}` had no room for {}: read what comes as it comes, or let it answer", count(*lost, "message"))]
    Overflow {
        /// Whose.
        probe: String,
        /// How many it did not keep.
        lost: u64,
    },
    /// The runtime has stopped.
    #[error("the runtime of the probe `{probe}` has stopped")]
    Stopped {
        /// Whose.
        probe: String,
    },
}

impl ProbeError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoMessage { .. } => "probe_no_message",
            Self::Message { .. } => "probe_message",
            Self::NoEnd { .. } => "probe_no_end",
            Self::Overflow { .. } => "probe_overflow",
            Self::Stopped { .. } => "probe_stopped",
        }
    }

    /// Whether what was waited for may come later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::NoMessage { .. } | Self::NoEnd { .. })
    }

    /// What to do about it. It says to try again where [`is_retryable`](Self::is_retryable) says that this may help.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoMessage { .. } => "try again, or allow more time; see whether anybody sends to the probe",
            Self::Message { .. } => "look at the message that came",
            Self::NoEnd { .. } => "try again, or allow more time; see whether the agent is told to stop",
            Self::Overflow { .. } => "read what comes as it comes, or let the probe answer",
            Self::Stopped { .. } => "stop the runtime after the probe was read",
        }
    }
}

crate::shown_to_people!(ProbeError);

/// What came, in order.
struct Inbox<M> {
    state: Mutex<State<M>>,
    grown: Notify,
}

struct State<M> {
    messages: VecDeque<M>,
    ends: VecDeque<Down>,
    lost: u64,
}

impl<M> Inbox<M> {
    fn state(&self) -> MutexGuard<'_, State<M>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what came, if there is room.
    fn put<T>(&self, what: T, line: fn(&mut State<M>) -> &mut VecDeque<T>) {
        let mut state = self.state();
        let has_room = line(&mut state).len() < ROOM;
        let rest = match has_room {
            true => {
                line(&mut state).push_back(what);
                None
            }
            false => {
                state.lost += 1;
                Some(what)
            }
        };
        drop(state);
        // Not under the lock: whoever waits for its answer is woken.
        drop(rest);
        self.grown.notify_waiters();
    }
}

type Answers<M> = dyn Fn(M) -> Option<M> + Send + Sync;

/// The actor of a probe.
struct Keeper<M> {
    inbox: Weak<Inbox<M>>,
    answers: Arc<Answers<M>>,
}

impl<M: Send + 'static> Agent for Keeper<M> {
    type Message = M;

    fn handle(&mut self, message: M, _turn: &mut Turn<'_, M>) {
        if let Some((message, inbox)) = (self.answers)(message).zip(self.inbox.upgrade()) {
            inbox.put(message, |state| &mut state.messages);
        }
    }
}

impl<M: Send + 'static> Probe<M> {
    /// A probe that keeps every message.
    ///
    /// # Errors
    /// [`StartError`] when the runtime is stopping.
    pub fn start(runtime: &Runtime, name: impl Into<Name>) -> Result<Self, StartError> {
        Self::answering(runtime, name, Some)
    }

    /// A probe that deals with messages itself, on its shard, and keeps those that `answers` gives back.
    ///
    /// # Errors
    /// [`StartError`] when the runtime is stopping.
    pub fn answering(
        runtime: &Runtime,
        name: impl Into<Name>,
        answers: impl Fn(M) -> Option<M> + Send + Sync + 'static,
    ) -> Result<Self, StartError> {
        let state = State { messages: VecDeque::new(), ends: VecDeque::new(), lost: 0 };
        let inbox = Arc::new(Inbox { state: Mutex::new(state), grown: Notify::new() });
        let (keeps, answers): (_, Arc<Answers<M>>) = (Arc::downgrade(&inbox), Arc::new(answers));
        let spec = AgentSpec::new(name, move || Keeper { inbox: keeps.clone(), answers: answers.clone() });
        let agent = runtime.spawn(spec.capacity(ROOM))?;
        Ok(Self { agent, runtime: runtime.handle(), inbox })
    }

    /// By this others reach it.
    pub fn agent(&self) -> AgentRef<M> {
        self.agent.clone()
    }

    /// The next message, which is waited for. One that holds a [`Reply`](crate::mailbox::Reply) is answered by the test when it likes.
    ///
    /// # Errors
    /// [`ProbeError`] when none comes in time.
    pub async fn next(&self, within: Duration) -> Result<M, ProbeError> {
        let none = |probe| ProbeError::NoMessage { probe, within };
        self.wait(within, |state| state.messages.pop_front()).await?.ok_or_else(|| none(self.name()))
    }

    /// Waits for so long, and no message comes.
    ///
    /// # Errors
    /// [`ProbeError::Message`] as soon as one is there; it stays for [`Probe::next`].
    pub async fn nothing(&self, within: Duration) -> Result<(), ProbeError> {
        let waiting = |state: &mut State<M>| Some(state.messages.len()).filter(|waiting| *waiting > 0);
        match self.wait(within, waiting).await? {
            Some(waiting) => Err(ProbeError::Message { probe: self.name(), waiting, within }),
            None => Ok(()),
        }
    }

    /// From now on [`Probe::ended`] tells each end of this agent; at once if it is gone already.
    pub fn watch<N: Send + 'static>(&self, agent: &AgentRef<N>) {
        let (inbox, waits) = (Arc::downgrade(&self.inbox), Arc::downgrade(&self.inbox));
        agent.watch_while(
            move || waits.strong_count() > 0,
            move |down| {
                let Some(inbox) = inbox.upgrade() else { return false };
                inbox.put(down.clone(), |state| &mut state.ends);
                true
            },
        );
    }

    /// The next end of an agent that is watched, which is waited for.
    ///
    /// # Errors
    /// [`ProbeError`] when none ends in time.
    pub async fn ended(&self, within: Duration) -> Result<Down, ProbeError> {
        let none = |probe| ProbeError::NoEnd { probe, within };
        self.wait(within, |state| state.ends.pop_front()).await?.ok_or_else(|| none(self.name()))
    }

    fn name(&self) -> String {
        self.agent.name().to_owned()
    }

    /// Waits until `take` finds something; `None` when the time is over.
    async fn wait<T>(
        &self,
        within: Duration,
        take: impl Fn(&mut State<M>) -> Option<T>,
    ) -> Result<Option<T>, ProbeError> {
        let look = || {
            let mut state = self.inbox.state();
            match state.lost {
                0 => Ok(take(&mut state)),
                lost => Err(ProbeError::Overflow { probe: self.name(), lost }),
            }
        };
        let (mut over, mut closed) = (pin!(self.runtime.sleep(within)), pin!(self.runtime.closed()));
        loop {
            let grown = self.inbox.grown.notified();
            if let Some(found) = look()? {
                return Ok(Some(found));
            }
            tokio::select! {
                biased;
                () = with_contained_waker(grown) => {}
                () = &mut closed => return look()?.map_or_else(|| Err(ProbeError::Stopped { probe: self.name() }), |found| Ok(Some(found))),
                // What came at the last moment counts.
                () = &mut over => return look(),
            }
        }
    }
}

impl<M: Send + 'static> Drop for Probe<M> {
    fn drop(&mut self) {
        self.agent.stop();
    }
}
