//! kameo as published, without default features. Its restarts keep the mailbox, as Callboard's do.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use kameo::actor::{Actor, ActorRef, Spawn};
use kameo::mailbox;
use kameo::message::{Context, Message};
use kameo::supervision::RestartPolicy;

use super::threads::{self, Home};
use crate::peer::{Baton, CAPACITY, CRASH, Peer, Reviving, Sum};

/// The subject.
#[derive(Debug)]
pub struct Kameo;

/// The actor.
#[derive(Debug, Default)]
pub struct Adder {
    sum: Sum,
    next: Option<ActorRef<Adder>>,
}

impl Actor for Adder {
    type Args = ();
    type Error = Infallible;

    async fn on_start((): (), _me: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self::default())
    }
}

struct Tell(u64);
struct Ask(u64);
struct Batch(Vec<u64>);
struct Meet(ActorRef<Adder>);

impl Message<Tell> for Adder {
    type Reply = ();

    async fn handle(&mut self, Tell(number): Tell, _context: &mut Context<Self, ()>) {
        self.sum.add(number);
    }
}

impl Message<Ask> for Adder {
    type Reply = u64;

    async fn handle(&mut self, Ask(number): Ask, _context: &mut Context<Self, u64>) -> u64 {
        self.sum.add(number)
    }
}

impl Message<Batch> for Adder {
    type Reply = Vec<u64>;

    async fn handle(&mut self, Batch(numbers): Batch, _context: &mut Context<Self, Vec<u64>>) -> Vec<u64> {
        self.sum.add_all(numbers)
    }
}

impl Message<Meet> for Adder {
    type Reply = ();

    async fn handle(&mut self, Meet(next): Meet, _context: &mut Context<Self, ()>) {
        self.next = Some(next);
    }
}

impl Message<Baton> for Adder {
    type Reply = ();

    async fn handle(&mut self, baton: Baton, _context: &mut Context<Self, ()>) {
        if let (Some(baton), Some(next)) = (baton.handed_on(), &self.next) {
            send(next, baton);
        }
    }
}

fn send<M: Send + 'static>(agent: &ActorRef<Adder>, message: M)
where
    Adder: Message<M>,
{
    assert!(agent.tell(message).try_send().is_ok(), "no more is sent than a mailbox holds");
}

impl Peer for Kameo {
    const NAME: &'static str = "kameo";
    const PACKAGE: &'static str = "kameo";

    type Home = Home;
    type Agent = ActorRef<Adder>;

    fn run<T, F>(threads: usize, body: impl FnOnce(Vec<Home>) -> F + Send + 'static) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        threads::run(threads, body)
    }

    async fn spawn(home: &Home) -> ActorRef<Adder> {
        let _there = home.as_ref().map(|other| other.enter());
        Adder::spawn_with_mailbox((), mailbox::bounded(CAPACITY))
    }

    fn tell(agent: &ActorRef<Adder>, number: u64) {
        send(agent, Tell(number));
    }

    async fn ask(agent: &ActorRef<Adder>, number: u64) -> u64 {
        agent.ask(Ask(number)).send().await.expect("the actor answers")
    }

    fn begin(agent: &ActorRef<Adder>, number: u64) -> impl Future<Output = u64> + Send {
        let answer = agent.ask(Ask(number)).try_enqueue().expect("no more is sent than a mailbox holds");
        async move { answer.await.expect("the actor answers") }
    }

    async fn ask_batch(agent: &ActorRef<Adder>, numbers: Vec<u64>) -> Vec<u64> {
        agent.ask(Batch(numbers)).send().await.expect("the actor answers")
    }

    fn meet(agent: &ActorRef<Adder>, next: &ActorRef<Adder>) {
        send(agent, Meet(next.clone()));
    }

    fn pass(agent: &ActorRef<Adder>, baton: Baton) {
        send(agent, baton);
    }
}

/// Does nothing but being a parent.
struct Parent;

impl Actor for Parent {
    type Args = ();
    type Error = Infallible;

    async fn on_start((): (), _me: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

/// A child, and the parent that brings it back.
pub struct Supervised {
    child: ActorRef<Adder>,
    _parent: ActorRef<Parent>,
}

impl Reviving for Kameo {
    type Supervised = Supervised;

    async fn supervised(_home: &Home) -> Supervised {
        let parent = Parent::spawn(());
        let child = Adder::supervise(&parent, ())
            .restart_policy(RestartPolicy::Permanent)
            .restart_limit(u32::MAX, Duration::from_secs(1))
            .spawn_with_mailbox(mailbox::bounded(CAPACITY))
            .await;
        // What arrives earlier is lost if the agent panics.
        child.wait_for_startup().await;
        Supervised { child, _parent: parent }
    }

    async fn crash_and_ask(agent: &mut Supervised, number: u64) -> u64 {
        Self::tell(&agent.child, CRASH);
        Self::ask(&agent.child, number).await
    }
}
