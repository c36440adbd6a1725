//! Plain actix: what Callboard is built on, used without it. Actors of a `System`, or of its arbiters.
//!
//! The capacity is set while the actor is made; set later, or left at 16, every ask above it takes a slow path.
//! `do_send` is what people use to tell. A panic ends an actor for good: it does not take part in restarts.

use std::future::Future;

use actix::{Actor, Addr, Arbiter, ArbiterHandle, Context, Handler, Message, MessageResult, System};
use tokio::sync::oneshot;

use crate::peer::{Baton, CAPACITY, Peer, Sum};

/// The subject.
#[derive(Debug)]
pub struct PlainActix;

/// The actor.
#[derive(Debug, Default)]
pub struct Adder {
    sum: Sum,
    next: Option<Addr<Adder>>,
}

impl Adder {
    fn begin() -> Addr<Self> {
        Self::create(|context| {
            context.set_mailbox_capacity(CAPACITY);
            Self::default()
        })
    }
}

impl Actor for Adder {
    type Context = Context<Self>;
}

struct Tell(u64);
struct Ask(u64);
struct Batch(Vec<u64>);
struct Meet(Addr<Adder>);

impl Message for Tell {
    type Result = ();
}

impl Message for Ask {
    type Result = u64;
}

impl Message for Batch {
    type Result = Vec<u64>;
}

impl Message for Meet {
    type Result = ();
}

impl Message for Baton {
    type Result = ();
}

impl Handler<Tell> for Adder {
    type Result = ();

    fn handle(&mut self, Tell(number): Tell, _context: &mut Context<Self>) {
        self.sum.add(number);
    }
}

impl Handler<Ask> for Adder {
    type Result = u64;

    fn handle(&mut self, Ask(number): Ask, _context: &mut Context<Self>) -> u64 {
        self.sum.add(number)
    }
}

impl Handler<Batch> for Adder {
    type Result = MessageResult<Batch>;

    fn handle(&mut self, Batch(numbers): Batch, _context: &mut Context<Self>) -> MessageResult<Batch> {
        MessageResult(self.sum.add_all(numbers))
    }
}

impl Handler<Meet> for Adder {
    type Result = ();

    fn handle(&mut self, Meet(next): Meet, _context: &mut Context<Self>) {
        self.next = Some(next);
    }
}

impl Handler<Baton> for Adder {
    type Result = ();

    fn handle(&mut self, baton: Baton, _context: &mut Context<Self>) {
        if let (Some(baton), Some(next)) = (baton.handed_on(), &self.next) {
            send(next, baton);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this measures actix as its users use it")]
fn send<M>(actor: &Addr<Adder>, message: M)
where
    M: Message<Result = ()> + Send + 'static,
    Adder: Handler<M>,
{
    actor.do_send(message);
}

/// The thread of the system (`None`), where the measurement runs, or that of another arbiter.
pub(super) type Home = Option<ArbiterHandle>;

impl Peer for PlainActix {
    const NAME: &'static str = "plain actix";
    const PACKAGE: &'static str = "actix";

    type Home = Home;
    type Agent = Addr<Adder>;

    fn run<T, F>(threads: usize, body: impl FnOnce(Vec<Home>) -> F + Send + 'static) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        // A thread of its own, as with all others: the main thread's heap is another kind.
        let main = std::thread::spawn(move || {
            System::new().block_on(async move {
                let arbiters: Vec<_> = (1..threads).map(|_| arbiter()).collect();
                let homes = std::iter::once(None).chain(arbiters.iter().map(|arbiter| Some(arbiter.handle())));
                let value = actix::spawn(body(homes.collect())).await.expect("the driver does not panic");
                for arbiter in arbiters {
                    arbiter.stop();
                    arbiter.join().expect("an arbiter ends without a panic");
                }
                value
            })
        });
        main.join().expect("the driver does not panic")
    }

    async fn spawn(home: &Home) -> Addr<Adder> {
        let Some(arbiter) = home else {
            return Adder::begin();
        };
        let (sender, address) = oneshot::channel();
        arbiter.spawn_fn(move || {
            let _somebody_waits = sender.send(Adder::begin());
        });
        address.await.expect("the arbiter runs")
    }

    fn tell(agent: &Addr<Adder>, number: u64) {
        send(agent, Tell(number));
    }

    async fn ask(agent: &Addr<Adder>, number: u64) -> u64 {
        agent.send(Ask(number)).await.expect("the actor answers")
    }

    fn begin(agent: &Addr<Adder>, number: u64) -> impl Future<Output = u64> + Send {
        let request = agent.send(Ask(number));
        async move { request.await.expect("the actor answers") }
    }

    async fn ask_batch(agent: &Addr<Adder>, numbers: Vec<u64>) -> Vec<u64> {
        agent.send(Batch(numbers)).await.expect("the actor answers")
    }

    fn meet(agent: &Addr<Adder>, next: &Addr<Adder>) {
        send(agent, Meet(next.clone()));
    }

    fn pass(agent: &Addr<Adder>, baton: Baton) {
        send(agent, baton);
    }
}

#[expect(clippy::disallowed_methods, reason = "this measures actix as its users use it; the arbiters are joined")]
fn arbiter() -> Arbiter {
    Arbiter::new()
}
