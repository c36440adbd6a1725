//! ractor as published, without default features but for the tokio runtime. Its mailboxes have no bound.
//!
//! A restart is what its documentation shows: the supervisor hears of the failure and starts a new actor, whose new
//! address everybody has to learn.

use std::future::Future;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use tokio::sync::{mpsc, oneshot};

use super::threads::{self, Home};
use crate::peer::{Baton, CRASH, Peer, Reviving, Sum};

/// The subject.
#[derive(Debug)]
pub struct Ractor;

/// What an actor understands.
#[derive(Debug)]
pub enum Message {
    /// A number.
    Tell(u64),
    /// A number, and who wants the sum.
    Ask(u64, RpcReplyPort<u64>),
    /// Many numbers, and who wants the sums.
    Batch(Vec<u64>, RpcReplyPort<Vec<u64>>),
    /// The next one in the ring.
    Meet(ActorRef<Message>),
    /// The baton.
    Pass(Baton),
}

struct Adder;

#[derive(Default)]
struct State {
    sum: Sum,
    next: Option<ActorRef<Message>>,
}

impl Actor for Adder {
    type Msg = Message;
    type State = State;
    type Arguments = ();

    async fn pre_start(&self, _me: ActorRef<Message>, (): ()) -> Result<State, ActorProcessingErr> {
        Ok(State::default())
    }

    async fn handle(
        &self,
        _me: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Tell(number) => {
                state.sum.add(number);
            }
            Message::Ask(number, reply) => reply.send(state.sum.add(number))?,
            Message::Batch(numbers, reply) => reply.send(state.sum.add_all(numbers))?,
            Message::Meet(next) => state.next = Some(next),
            Message::Pass(baton) => {
                if let (Some(baton), Some(next)) = (baton.handed_on(), &state.next) {
                    send(next, Message::Pass(baton));
                }
            }
        }
        Ok(())
    }
}

fn send(agent: &ActorRef<Message>, message: Message) {
    assert!(agent.cast(message).is_ok(), "the actor lives");
}

async fn start() -> ActorRef<Message> {
    Adder::spawn(None, Adder, ()).await.expect("an actor can be started").0
}

impl Peer for Ractor {
    const NAME: &'static str = "ractor";
    const PACKAGE: &'static str = "ractor";

    type Home = Home;
    type Agent = ActorRef<Message>;

    fn run<T, F>(threads: usize, body: impl FnOnce(Vec<Home>) -> F + Send + 'static) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        threads::run(threads, body)
    }

    async fn spawn(home: &Home) -> ActorRef<Message> {
        match home {
            Some(other) => other.spawn(start()).await.expect("starting does not panic"),
            None => start().await,
        }
    }

    fn tell(agent: &ActorRef<Message>, number: u64) {
        send(agent, Message::Tell(number));
    }

    async fn ask(agent: &ActorRef<Message>, number: u64) -> u64 {
        agent.call(|reply| Message::Ask(number, reply), None).await.expect("the actor lives").unwrap()
    }

    fn begin(agent: &ActorRef<Message>, number: u64) -> impl Future<Output = u64> + Send {
        // What `call` does, which however sends only when it is polled.
        let (reply, answer) = oneshot::channel();
        send(agent, Message::Ask(number, reply.into()));
        async move { answer.await.expect("the actor answers") }
    }

    async fn ask_batch(agent: &ActorRef<Message>, numbers: Vec<u64>) -> Vec<u64> {
        agent.call(|reply| Message::Batch(numbers, reply), None).await.expect("the actor lives").unwrap()
    }

    fn meet(agent: &ActorRef<Message>, next: &ActorRef<Message>) {
        send(agent, Message::Meet(next.clone()));
    }

    fn pass(agent: &ActorRef<Message>, baton: Baton) {
        send(agent, Message::Pass(baton));
    }
}

/// Starts a new child whenever one fails, and says where it is.
struct Parent;

impl Actor for Parent {
    type Msg = ();
    type State = mpsc::Sender<ActorRef<Message>>;
    type Arguments = mpsc::Sender<ActorRef<Message>>;

    async fn pre_start(
        &self,
        me: ActorRef<()>,
        children: mpsc::Sender<ActorRef<Message>>,
    ) -> Result<Self::State, ActorProcessingErr> {
        start_below(&me, &children).await?;
        Ok(children)
    }

    async fn handle_supervisor_evt(
        &self,
        me: ActorRef<()>,
        event: SupervisionEvent,
        children: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        if matches!(event, SupervisionEvent::ActorFailed(..)) {
            start_below(&me, children).await?;
        }
        Ok(())
    }
}

async fn start_below(
    parent: &ActorRef<()>,
    children: &mpsc::Sender<ActorRef<Message>>,
) -> Result<(), ActorProcessingErr> {
    let (child, _ends) = Adder::spawn_linked(None, Adder, (), parent.get_cell()).await?;
    Ok(children.try_send(child)?)
}

/// A child that may be replaced at any time.
pub struct Supervised {
    child: ActorRef<Message>,
    children: mpsc::Receiver<ActorRef<Message>>,
}

impl Reviving for Ractor {
    type Supervised = Supervised;

    async fn supervised(_home: &Home) -> Supervised {
        let (sender, mut children) = mpsc::channel(8);
        Parent::spawn(None, Parent, sender).await.expect("an actor can be started");
        let child = children.recv().await.expect("the parent starts a child");
        Supervised { child, children }
    }

    async fn crash_and_ask(agent: &mut Supervised, number: u64) -> u64 {
        Self::tell(&agent.child, CRASH);
        agent.child = agent.children.recv().await.expect("the parent starts another child");
        Self::ask(&agent.child, number).await
    }
}
