//! How does an actor of actix's become a member of a team? It stays where it is, in a system and on a thread of its own, and gets a
//! stand-in here: an agent that passes messages on. So it has what actix does not give it: a bound, deadlines, and errors that say
//! what happened.
//!
//! Messages wait in the stand-in and not in actix's mailbox, which ignores its capacity and whose queued messages nobody can count.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix::{Message, Recipient};

use super::ask::Ask;
use super::contain::{Contained, contain};
use super::reply::{Reply, with_cause};
use super::{AgentId, AgentRef, AgentSpec, Carried, DeadLetter, Name};
use crate::agent::{Agent, Turn};
use crate::error::{AskError, StartError, TellError};
use crate::runtime::Runtime;
use crate::supervision::Down;

/// Messages that wait, or are with the actor, when nothing else is said.
const CAPACITY: usize = 256;
/// How often it is looked whether an actor that lost a question has come to its end, a millisecond apart: the answer is lost a
/// moment before the actor is.
const LOOKS: u32 = 250;

/// A message of actix that may be sent to another thread.
pub trait ActixMessage: Message<Result: Send> + Send + 'static {}

impl<M: Message<Result: Send> + Send + 'static> ActixMessage for M {}

/// How to make an actor of actix's a member.
pub struct ActixSpec<M: ActixMessage> {
    name: Name,
    recipient: Recipient<M>,
    capacity: usize,
    at_once: usize,
}

impl<M: ActixMessage> ActixSpec<M> {
    /// A member called `name`, for people, which is this actor: `address.recipient()`. The actor lives as long as the member, unless it
    /// stops by itself; then the member ends as [`ActixRef`] says.
    pub fn new(name: impl Into<Name>, recipient: impl Into<Recipient<M>>) -> Self {
        Self { name: name.into(), recipient: recipient.into(), capacity: CAPACITY, at_once: 1 }
    }

    /// So many messages wait, or are with the actor; one more is refused. At least 1; the default is 256.
    #[must_use]
    pub fn capacity(mut self, messages: usize) -> Self {
        self.capacity = messages;
        self
    }

    /// So many messages are with the actor at the same time: for one whose handlers give futures. At least 1, which is the default.
    #[must_use]
    pub fn at_once(mut self, messages: usize) -> Self {
        self.at_once = messages;
        self
    }

    /// Starts the member.
    ///
    /// # Errors
    /// [`StartError`] for a value that breaks a rule, or when the runtime is stopping.
    pub fn start(self, runtime: &Runtime) -> Result<ActixRef<M>, StartError> {
        let Self { name, recipient, capacity, at_once } = self;
        if at_once == 0 {
            return Err(StartError::Invalid("at_once is 0; it must be at least 1".to_owned()));
        }
        let places = Arc::new(Places { taken: AtomicUsize::new(0), most: capacity });
        let factory = move || StandIn { recipient: recipient.clone(), waiting: VecDeque::new(), passed: 0, at_once };
        let spec = AgentSpec::new(name, factory).capacity(capacity).max_work(at_once);
        Ok(ActixRef { agent: runtime.spawn(spec)?, places })
    }
}

/// A reference to an actor of actix's that is a member. Clones are cheap and share the member's one bound.
///
/// A panic ends an actor of actix's. When the actor has ended, the member ends with its next message, and not before the actor's last
/// futures are over: a `ResponseFuture` goes on without its actor and may answer still. For one that never ends the member waits without
/// a bound; [`stop`](Self::stop) ends the member at once.
pub struct ActixRef<M: ActixMessage> {
    agent: AgentRef<Step<M>>,
    places: Arc<Places>,
}

impl<M: ActixMessage> Clone for ActixRef<M> {
    fn clone(&self) -> Self {
        Self { agent: self.agent.clone(), places: self.places.clone() }
    }
}

impl<M: ActixMessage> std::fmt::Debug for ActixRef<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ActixRef({} `{}`)", self.agent.id(), self.agent.name())
    }
}

impl<M: ActixMessage> ActixRef<M> {
    /// Sends without waiting. Messages of one sender reach the actor in the order in which they were accepted.
    ///
    /// # Errors
    /// [`TellError`] hands the message back.
    pub fn tell(&self, message: M) -> Result<(), TellError<M>> {
        let Some(place) = self.places.take() else { return Err(TellError::Overloaded(message)) };
        let told = self.agent.tell(Step::Pass(Passing { message: Contained::new(message), reply: None, place }));
        told.map_err(|refused| match refused {
            TellError::Overloaded(step) => TellError::Overloaded(step.into_message()),
            TellError::Stopped(step) => TellError::Stopped(step.into_message()),
            TellError::InsideAsync(step) => TellError::InsideAsync(step.into_message()),
        })
    }

    /// Sends a question and waits for its answer, at most `within`. It is sent when this returns. Dropping the future leaves: a
    /// question that still waits is then not handled, and one that the actor has keeps its place until the actor is done with it.
    /// The future can be polled on any executor.
    ///
    /// # Errors
    /// [`AskError`] says what became of the question. actix does not tell a panic from a stop: both are [`AskError::Stopped`]. One that was
    /// lost although the actor goes on, because its future panicked, is [`AskError::Unanswered`].
    pub fn ask(&self, within: Duration, message: M) -> Ask<M::Result> {
        let Some(place) = self.places.take() else { return Ask::refused(AskError::Overloaded) };
        self.agent
            .ask(within, |reply| Step::Pass(Passing { message: Contained::new(message), reply: Some(reply), place }))
    }

    /// The member's id.
    pub fn id(&self) -> AgentId {
        self.agent.id()
    }

    /// The member's name, for people.
    pub fn name(&self) -> &str {
        self.agent.name()
    }

    /// Closes the member's front door: what was accepted still reaches the actor, and when the actor is done with it the member ends.
    pub fn drain(&self) {
        self.agent.drain();
    }

    /// Ends the member; what waits does not reach the actor, and its askers learn it. The actor goes on if somebody else has its address.
    pub fn stop(&self) {
        self.agent.stop();
    }

    /// Ends with the member.
    pub fn gone(&self) -> impl Future<Output = Down> + Send + 'static + use<M> {
        self.agent.gone()
    }
}

/// What clones have in common: how many messages are on their way.
struct Places {
    taken: AtomicUsize,
    most: usize,
}

impl Places {
    fn take(self: &Arc<Self>) -> Option<Place> {
        let more = |taken| (taken < self.most).then_some(taken + 1);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok()?;
        Some(Place(self.clone()))
    }
}

/// The place of one message. It comes back when this is dropped, wherever that is.
struct Place(Arc<Places>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A message on its way to the actor.
struct Passing<M: ActixMessage> {
    /// Dropped first: what the message does in its own drop is no news for the asker.
    reply: Option<Reply<M::Result>>,
    place: Place,
    /// It may panic when it is dropped, wherever that is.
    message: Contained<M>,
}

/// What the stand-in understands.
enum Step<M: ActixMessage> {
    /// This is for the actor.
    Pass(Passing<M>),
    /// The actor is done with one.
    Done,
}

impl<M: ActixMessage> Step<M> {
    /// Of a message that was refused.
    fn into_message(self) -> M {
        match self {
            Self::Pass(mut passing) => passing.message.take().expect("a message is there until it is passed on"),
            Self::Done => unreachable!("only messages from outside are refused"),
        }
    }
}

/// The agent in the actor's place.
struct StandIn<M: ActixMessage> {
    recipient: Recipient<M>,
    /// No more than there are places. What is lost is counted before its asker learns it.
    waiting: VecDeque<(Carried<Step<M>>, Passing<M>)>,
    /// Messages that the actor has.
    passed: usize,
    at_once: usize,
}

impl<M: ActixMessage> Agent for StandIn<M> {
    type Message = Step<M>;

    fn handle(&mut self, step: Step<M>, turn: &mut Turn<'_, Step<M>>) {
        match step {
            Step::Pass(passing) => self.waiting.push_back((turn.carries(), passing)),
            Step::Done => self.passed -= 1,
        }
        if !self.recipient.connected() {
            // The actor is gone: whoever waits learns it.
            let (name, lost) = (turn.me().name().to_owned(), self.waiting.len());
            if lost > 0 {
                tracing::warn!(%name, lost, "an actor of actix's has ended, and messages for it are lost");
            }
            with_cause(AskError::Stopped, || self.waiting.clear());
            // What it had is judged first: an answer may be on its way still.
            if self.passed == 0 {
                turn.stop();
            }
            return;
        }
        while self.passed < self.at_once
            && let Some((carried, next)) = self.waiting.pop_front()
        {
            if next.reply.as_ref().is_some_and(Reply::is_abandoned) {
                carried.lose(DeadLetter::CallerLeft);
            } else {
                self.pass(next, carried, turn);
            }
        }
    }
}

impl<M: ActixMessage> StandIn<M> {
    fn pass(&mut self, passing: Passing<M>, mut carried: Carried<Step<M>>, turn: &mut Turn<'_, Step<M>>) {
        let Passing { mut message, reply, place } = passing;
        let Some(message) = message.take() else { return };
        // A fresh sender takes the message at once. One that has met a full mailbox would wait, and nobody would wake it.
        let Ok(answer) = contain(|| self.recipient.clone().send(message)) else {
            // The actor has just closed, and the message panicked when it was dropped.
            carried.lose(DeadLetter::Stopped);
            return with_cause(AskError::Stopped, || drop(reply));
        };
        let recipient = self.recipient.clone();
        carried.pass_on();
        let work = async move {
            let Ok(answer) = answer.await else { return lost(&recipient, reply, carried).await };
            // Who has the answer finds the question handled, and room for the next one.
            drop((carried, place));
            if let Some(reply) = reply {
                reply.send(answer);
            }
        };
        self.passed += 1;
        // There is room for as much work as is passed on.
        let _never_refused = turn.start(work, |_done| Step::Done);
    }
}

/// The answer is lost. When the actor is, too, its end follows within moments; when the member ends meanwhile, the message is lost all
/// the same.
async fn lost<M: ActixMessage>(
    recipient: &Recipient<M>,
    reply: Option<Reply<M::Result>>,
    mut carried: Carried<Step<M>>,
) {
    carried.take_back();
    for _ in 0..LOOKS {
        if !recipient.connected() {
            carried.lose(DeadLetter::Stopped);
            return with_cause(AskError::Stopped, || drop(reply));
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // The actor goes on: it was a future of its own that panicked.
    carried.lose(DeadLetter::Panicked);
}

#[cfg(test)]
mod tests {
    use actix::{Actor, Context, Handler, System};
    use futures_util::FutureExt;

    use super::*;
    use crate::runtime::RuntimeConfig;

    struct Worker;

    impl Actor for Worker {
        type Context = Context<Self>;
    }

    struct Job;

    impl Message for Job {
        type Result = ();
    }

    impl Handler<Job> for Worker {
        type Result = ();

        fn handle(&mut self, _job: Job, _context: &mut Self::Context) {}
    }

    #[test]
    fn what_is_known_to_be_lost_is_a_dead_letter_also_when_the_member_ends_meanwhile() {
        System::new().block_on(async {
            let runtime = Runtime::start(RuntimeConfig { shards: 1, ..RuntimeConfig::default() }).unwrap();
            let recipient = Worker.start().recipient::<Job>();
            let member = ActixSpec::new("worker", recipient.clone()).start(&runtime).unwrap();
            let mut carried = Carried::new(&member.agent.door);
            carried.pass_on();
            assert_eq!(runtime.ledger().pending, 1);
            assert!(lost(&recipient, None, carried).now_or_never().is_none(), "the actor is looked at, and goes on");
            let ledger = runtime.ledger();
            assert_eq!((ledger.pending, ledger.handled, ledger.dead(DeadLetter::Stopped)), (0, 0, 1), "{ledger:?}");
            drop(runtime);
        });
    }
}
