//! Callboard, through its public interface only: agents of a `Runtime`, asked under a deadline that never passes.
//!
//! Whoever asks is work that an agent of the same shard started with `Turn::start`. The runtime's own directory lists
//! the agents.

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ThreadId;
use std::time::Duration;

use callboard_actors::agent::{Agent, Turn};
use callboard_actors::mailbox::{AgentId, AgentRef, AgentSpec, Reply};
use callboard_actors::runtime::{Runtime, RuntimeConfig, RuntimeHandle};
use callboard_actors::supervision::{Backoff, RestartPolicy};
use tokio::sync::mpsc;

use crate::peer::{Baton, CAPACITY, CRASH, Directory, Peer, Reviving, Sum};

/// The deadline of every ask: every ask has one.
const WITHIN: Duration = Duration::from_secs(60);

/// The subject.
#[derive(Debug)]
pub struct Callboard;

/// What an agent understands.
#[derive(Debug)]
pub enum Message {
    /// A number.
    Tell(u64),
    /// A number, and who wants the sum.
    Ask(u64, Reply<u64>),
    /// Many numbers, and who wants the sums.
    Batch(Vec<u64>, Reply<Vec<u64>>),
    /// The next one in the ring.
    Meet(AgentRef<Message>),
    /// The baton.
    Pass(Baton),
}

#[derive(Default)]
struct Adder {
    sum: Sum,
    next: Option<AgentRef<Message>>,
}

impl Agent for Adder {
    type Message = Message;

    fn handle(&mut self, message: Message, _turn: &mut Turn<'_, Message>) {
        match message {
            Message::Tell(number) => {
                self.sum.add(number);
            }
            Message::Ask(number, reply) => reply.send(self.sum.add(number)),
            Message::Batch(numbers, reply) => reply.send(self.sum.add_all(numbers)),
            Message::Meet(next) => self.next = Some(next),
            Message::Pass(baton) => {
                if let (Some(baton), Some(next)) = (baton.handed_on(), &self.next) {
                    next.tell(Message::Pass(baton)).expect("the ring is shorter than a mailbox");
                }
            }
        }
    }
}

fn adder() -> AgentSpec<Adder> {
    AgentSpec::new("adder", Adder::default).capacity(CAPACITY)
}

/// One shard of a runtime.
#[derive(Clone)]
pub struct Home {
    runtime: RuntimeHandle,
    place: Place,
}

/// Which of the runtime's threads; ids choose the shard, so that one starts agents until one lands there.
#[derive(Clone, Copy)]
enum Place {
    Only,
    On(ThreadId),
    NotOn(ThreadId),
}

impl Place {
    fn is(self, thread: ThreadId) -> bool {
        match self {
            Self::Only => true,
            Self::On(ours) => thread == ours,
            Self::NotOn(theirs) => thread != theirs,
        }
    }
}

impl Peer for Callboard {
    const NAME: &'static str = "Callboard";
    const PACKAGE: &'static str = "";

    type Home = Home;
    type Agent = AgentRef<Message>;

    fn run<T, F>(threads: usize, body: impl FnOnce(Vec<Home>) -> F + Send + 'static) -> T
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let runtime = Runtime::start(RuntimeConfig { shards: threads, ..RuntimeConfig::default() })
            .expect("threads can be started");
        let handle = runtime.handle();
        let (sender, receiver) = sync_channel(1);
        let work = async move {
            let here = std::thread::current().id();
            let places = if threads == 1 { vec![Place::Only] } else { vec![Place::On(here), Place::NotOn(here)] };
            let home = |place| Home { runtime: handle.clone(), place };
            let value = body(places.into_iter().map(home).collect()).await;
            let _main_waits = sender.send(value);
        };
        runtime.spawn(Driver::spec(work)).expect("the runtime was just started");
        let value = receiver.recv().expect("the driver does not panic");
        runtime.stop_blocking(Duration::ZERO);
        value
    }

    async fn spawn(home: &Home) -> AgentRef<Message> {
        if matches!(home.place, Place::Only) {
            return home.runtime.spawn(adder()).expect("the runtime runs");
        }
        loop {
            let (told, mut place) = mpsc::channel(1);
            let factory = move || {
                let _first_start_counts = told.try_send(std::thread::current().id());
                Adder::default()
            };
            let spec = AgentSpec::new("adder", factory).capacity(CAPACITY);
            let agent = home.runtime.spawn(spec).expect("the runtime runs");
            let thread = place.recv().await.expect("an agent that is started runs its factory");
            if home.place.is(thread) {
                return agent;
            }
            agent.stop();
        }
    }

    fn enlist(_directory: &Directory<Self>, agent: AgentRef<Message>) -> u64 {
        agent.id().0
    }

    fn find(home: &Home, _directory: &Directory<Self>, id: u64) -> Option<AgentRef<Message>> {
        home.runtime.directory().find(AgentId(id))
    }

    fn tell(agent: &AgentRef<Message>, number: u64) {
        agent.tell(Message::Tell(number)).expect("no more is sent than a mailbox holds");
    }

    async fn ask(agent: &AgentRef<Message>, number: u64) -> u64 {
        agent.ask(WITHIN, |reply| Message::Ask(number, reply)).await.expect("the agent answers")
    }

    fn begin(agent: &AgentRef<Message>, number: u64) -> impl Future<Output = u64> + Send {
        let answer = agent.ask(WITHIN, |reply| Message::Ask(number, reply));
        async move { answer.await.expect("the agent answers") }
    }

    async fn ask_batch(agent: &AgentRef<Message>, numbers: Vec<u64>) -> Vec<u64> {
        agent.ask(WITHIN, |reply| Message::Batch(numbers, reply)).await.expect("the agent answers")
    }

    fn meet(agent: &AgentRef<Message>, next: &AgentRef<Message>) {
        agent.tell(Message::Meet(next.clone())).expect("no more is sent than a mailbox holds");
    }

    fn pass(agent: &AgentRef<Message>, baton: Baton) {
        agent.tell(Message::Pass(baton)).expect("no more is sent than a mailbox holds");
    }
}

impl Reviving for Callboard {
    type Supervised = AgentRef<Message>;

    async fn supervised(home: &Home) -> AgentRef<Message> {
        let mut policy = RestartPolicy::at_most(1_000_000, Duration::from_millis(1));
        policy.backoff = Backoff { first: Duration::ZERO, longest: Duration::ZERO, ..Backoff::default() };
        home.runtime.spawn(adder().restart(policy)).expect("the runtime runs")
    }

    async fn crash_and_ask(agent: &mut AgentRef<Message>, number: u64) -> u64 {
        Self::tell(agent, CRASH);
        Self::ask(agent, number).await
    }
}

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The agent on whose shard the measurement runs.
struct Driver {
    work: Option<Work>,
}

impl Driver {
    fn spec(work: impl Future<Output = ()> + Send + 'static) -> AgentSpec<Self> {
        let work: Arc<Mutex<Option<Work>>> = Arc::new(Mutex::new(Some(Box::pin(work))));
        AgentSpec::new("driver", move || Self { work: work.lock().unwrap_or_else(PoisonError::into_inner).take() })
    }
}

impl Agent for Driver {
    type Message = ();

    fn started(&mut self, turn: &mut Turn<'_, ()>) {
        if let Some(work) = self.work.take() {
            assert!(turn.start(work, |_ended| ()).is_ok(), "one piece of work is below every bound");
        }
    }

    fn handle(&mut self, _ended: (), turn: &mut Turn<'_, ()>) {
        turn.stop();
    }
}
