//! How does one reach an agent? The only way is an [`AgentRef`].

use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex};
use std::task::{Poll, ready};
use std::time::Duration;

use tokio::sync::oneshot;

use super::ask::{Ask, Patience};
use super::door::Door;
use super::queue::Control;
use super::reply::Reply;
use super::watch::DownSink;
use super::working::{Errand, Working};
use super::{AgentId, AgentInfo, AnyAgent};
use crate::error::{AskError, TellError};
use crate::scope::Scope;
use crate::supervision::{Down, ExitReason, Next};

/// A reference to an agent that takes messages of type `M`. Clones are cheap and share the agent's one bound.
///
/// An agent lives until it is stopped, also when no reference to it is left.
pub struct AgentRef<M: Send + 'static> {
    pub(super) door: Arc<Door<M>>,
}

impl<M: Send + 'static> Clone for AgentRef<M> {
    fn clone(&self) -> Self {
        Self { door: self.door.clone() }
    }
}

impl<M: Send + 'static> std::fmt::Debug for AgentRef<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AgentRef({} `{}`)", self.door.id, self.door.name)
    }
}

impl<M: Send + 'static> AgentRef<M> {
    pub(crate) fn to(door: &Arc<Door<M>>) -> Self {
        Self { door: door.clone() }
    }

    pub(crate) fn any(&self) -> Arc<dyn AnyAgent> {
        self.door.clone()
    }

    /// The agent's id.
    pub fn id(&self) -> AgentId {
        self.door.id
    }

    /// The agent's name, for people.
    pub fn name(&self) -> &str {
        &self.door.name
    }

    /// Sends without waiting. Messages of one sender are handled in the order in which they were accepted.
    ///
    /// # Errors
    /// [`TellError`] hands the message back.
    #[inline]
    pub fn tell(&self, message: M) -> Result<(), TellError<M>> {
        self.door.accept(message)
    }

    /// Sends, and waits for room if the mailbox is full and its policy is [`Overflow::Wait`](super::Overflow::Wait);
    /// otherwise like [`AgentRef::tell`]. Dropping the future takes the message back, unless it was accepted.
    ///
    /// # Errors
    /// [`TellError`] hands the message back.
    pub async fn send(&self, message: M) -> Result<(), TellError<M>> {
        let Some(ticket) = self.door.line_up(message, None)? else { return Ok(()) };
        InLine { door: &self.door, ticket }.wait().await
    }

    /// Sends a question and waits for its answer, at most `within`. The question is sent when `ask` is called, not when
    /// the future is first polled. Dropping the future leaves: a question that is still queued is then not handled.
    /// The future can be polled on any executor.
    ///
    /// # Errors
    /// [`AskError`] says what became of the question.
    #[inline]
    pub fn ask<T: Send + 'static>(&self, within: Duration, question: impl FnOnce(Reply<T>) -> M) -> Ask<T> {
        let (reply, slot) = Reply::new();
        let shared = &self.door.shared;
        match self.door.line_up(question(reply), Some(slot.clone())) {
            Ok(_in_the_mailbox_or_in_line) => Ask::waiting(slot, shared, within),
            Err(TellError::Overloaded(_)) => Ask::refused(AskError::Overloaded),
            Err(TellError::Stopped(_)) => Ask::refused(AskError::Stopped),
            Err(TellError::InsideAsync(_)) => Ask::refused(AskError::InsideAsync),
        }
    }

    /// A question that is not sent: `question` sees to it that it is answered. Otherwise like [`AgentRef::ask`].
    #[inline]
    pub(crate) fn ask_beside<T: Send + 'static>(&self, within: Duration, question: impl FnOnce(Reply<T>)) -> Ask<T> {
        if self.door.control() != Control::Run {
            return Ask::refused(AskError::Stopped);
        }
        let (reply, slot) = Reply::new();
        question(reply);
        Ask::waiting(slot, &self.door.shared, within)
    }

    /// The place of a piece of work that is done on the agent's behalf, though not on its shard; if there is one.
    pub(crate) fn begin_work(&self) -> Option<Working<M>> {
        Working::begin(&self.door, Errand::Work)
    }

    /// Ends with the agent.
    pub(crate) fn scope(&self) -> &Scope {
        self.door.scope()
    }

    /// Calls `notice` once for each incarnation that ends from now on; at once if the agent is already gone. It runs on
    /// the agent's shard, or on this thread if the agent is already gone, and must not block. It is kept until the agent is
    /// gone; [`Turn::watch`](crate::agent::Turn::watch) ends with the agent that watches.
    pub fn watch(&self, mut notice: impl FnMut(&Down) + Send + 'static) {
        let forever = || true;
        self.watch_while(forever, move |down| {
            notice(down);
            true
        });
    }

    /// Like [`AgentRef::watch`], until `notice` answers `false` or `is_alive` does.
    pub(crate) fn watch_while(
        &self,
        is_alive: impl Fn() -> bool + Send + 'static,
        notice: impl FnMut(&Down) -> bool + Send + 'static,
    ) {
        self.door.watch(DownSink { notify: Box::new(notice), is_alive: Box::new(is_alive), is_last: false });
    }

    /// Ends with the agent's last [`Down`]; at once if it is already gone.
    pub fn gone(&self) -> impl Future<Output = Down> + Send + 'static + use<M> {
        let door = self.door.clone();
        let (sender, receiver) = oneshot::channel();
        let sender = Arc::new(Mutex::new(Some(sender)));
        let waits = sender.clone();
        let take =
            |sender: &Mutex<Option<oneshot::Sender<Down>>>| sender.lock().ok().and_then(|mut sender| sender.take());
        let is_alive =
            move || waits.lock().is_ok_and(|sender| sender.as_ref().is_some_and(|sender| !sender.is_closed()));
        self.watch_while(is_alive, move |down| {
            if down.next == Next::Restarts {
                return true;
            }
            if let Some(sender) = take(&sender) {
                let _nobody_waits = sender.send(down.clone());
            }
            false
        });
        async move {
            let lost =
                Down { id: door.id, incarnation: door.incarnation(), reason: ExitReason::Abandoned, next: Next::Gone };
            receiver.await.unwrap_or(lost)
        }
    }

    /// Closes the front door; the agent handles what is queued and in flight, and stops.
    pub fn drain(&self) {
        self.door.raise(Control::Drain);
    }

    /// Stops the agent after the message in hand; what is queued becomes dead letters, work in flight is dropped.
    pub fn stop(&self) {
        self.door.raise(Control::Stop);
    }

    /// What the agent is like right now.
    pub fn info(&self) -> AgentInfo {
        AgentInfo::of(&self.door)
    }
}

/// A message that waits for room. Dropped, it is taken back.
struct InLine<'a, M: Send + 'static> {
    door: &'a Door<M>,
    ticket: u64,
}

impl<M: Send + 'static> InLine<'_, M> {
    async fn wait(self) -> Result<(), TellError<M>> {
        let mut patience = Patience::new(&self.door.shared, self.door.patience().unwrap_or_default());
        poll_fn(|cx| {
            if let Poll::Ready(outcome) = self.door.poll_line(self.ticket, cx) {
                return Poll::Ready(outcome);
            }
            let cause = ready!(patience.poll(cx));
            // It may have come in at the last moment.
            Poll::Ready(self.door.leave_line(self.ticket).map_or(Ok(()), |message| match cause {
                AskError::Stopped => Err(TellError::Stopped(message)),
                _ => Err(TellError::Overloaded(message)),
            }))
        })
        .await
    }
}

impl<M: Send + 'static> Drop for InLine<'_, M> {
    fn drop(&mut self) {
        drop(self.door.leave_line(self.ticket));
    }
}
