//! A bare tokio task that owns a bounded channel: the least that an actor can be, and what people write by hand.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use super::threads::{self, Home};
use crate::peer::{Baton, CAPACITY, CRASH, Peer, Reviving, Sum};

/// The subject.
#[derive(Debug)]
pub struct PlainTokio;

/// What a task understands.
#[derive(Debug)]
pub enum Message {
    /// A number.
    Tell(u64),
    /// A number, and who wants the sum.
    Ask(u64, oneshot::Sender<u64>),
    /// Many numbers, and who wants the sums.
    Batch(Vec<u64>, oneshot::Sender<Vec<u64>>),
    /// The next one in the ring.
    Meet(mpsc::Sender<Message>),
    /// The baton.
    Pass(Baton),
}

#[derive(Default)]
struct Adder {
    sum: Sum,
    next: Option<mpsc::Sender<Message>>,
}

impl Adder {
    fn handle(&mut self, message: Message) {
        match message {
            Message::Tell(number) => {
                self.sum.add(number);
            }
            Message::Ask(number, reply) => {
                let _asker_waits = reply.send(self.sum.add(number));
            }
            Message::Batch(numbers, reply) => {
                let _asker_waits = reply.send(self.sum.add_all(numbers));
            }
            Message::Meet(next) => self.next = Some(next),
            Message::Pass(baton) => {
                if let (Some(baton), Some(next)) = (baton.handed_on(), &self.next) {
                    send(next, Message::Pass(baton));
                }
            }
        }
    }
}

async fn serve(inbox: &mut mpsc::Receiver<Message>) {
    let mut adder = Adder::default();
    while let Some(message) = inbox.recv().await {
        adder.handle(message);
    }
}

/// The least that brings a task back: the same task and the same channel with a fresh state.
async fn serve_for_ever(mut inbox: mpsc::Receiver<Message>) {
    while AssertUnwindSafe(serve(&mut inbox)).catch_unwind().await.is_err() {}
}

fn send(agent: &mpsc::Sender<Message>, message: Message) {
    agent.try_send(message).expect("no more is sent than a mailbox holds");
}

impl Peer for PlainTokio {
    const NAME: &'static str = "tokio task and channel";
    const PACKAGE: &'static str = "tokio";

    type Home = Home;
    type Agent = mpsc::Sender<Message>;

    fn run<T, F>(threads: usize, body: impl FnOnce(Vec<Home>) -> F + Send + 'static) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        threads::run(threads, body)
    }

    async fn spawn(home: &Home) -> mpsc::Sender<Message> {
        let (agent, mut inbox) = mpsc::channel(CAPACITY);
        let task = async move { serve(&mut inbox).await };
        match home {
            Some(other) => other.spawn(task),
            None => tokio::spawn(task),
        };
        agent
    }

    fn tell(agent: &mpsc::Sender<Message>, number: u64) {
        send(agent, Message::Tell(number));
    }

    async fn ask(agent: &mpsc::Sender<Message>, number: u64) -> u64 {
        Self::begin(agent, number).await
    }

    fn begin(agent: &mpsc::Sender<Message>, number: u64) -> impl Future<Output = u64> + Send {
        let (reply, answer) = oneshot::channel();
        send(agent, Message::Ask(number, reply));
        async move { answer.await.expect("the task answers") }
    }

    async fn ask_batch(agent: &mpsc::Sender<Message>, numbers: Vec<u64>) -> Vec<u64> {
        let (reply, answer) = oneshot::channel();
        send(agent, Message::Batch(numbers, reply));
        answer.await.expect("the task answers")
    }

    fn meet(agent: &mpsc::Sender<Message>, next: &mpsc::Sender<Message>) {
        send(agent, Message::Meet(next.clone()));
    }

    fn pass(agent: &mpsc::Sender<Message>, baton: Baton) {
        send(agent, Message::Pass(baton));
    }
}

impl Reviving for PlainTokio {
    type Supervised = mpsc::Sender<Message>;

    async fn supervised(_home: &Home) -> mpsc::Sender<Message> {
        let (agent, inbox) = mpsc::channel(CAPACITY);
        tokio::spawn(serve_for_ever(inbox));
        agent
    }

    async fn crash_and_ask(agent: &mut mpsc::Sender<Message>, number: u64) -> u64 {
        Self::tell(agent, CRASH);
        Self::ask(agent, number).await
    }
}
