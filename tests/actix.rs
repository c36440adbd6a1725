//! Is an actor of actix's a good member of a team? In order, within its bound, with deadlines, and with errors that say what became of
//! a question when the actor is slow, full, stops or panics.

use std::future::ready;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, ActorContext, Addr, Context, Handler, Message, ResponseFuture, System};
use callboard::actors::mailbox::{ActixRef, ActixSpec, AgentInfo};
use callboard::prelude::{Agent, AgentSpec, AskError, DeadLetter, Reply, Runtime, RuntimeConfig, TellError, Turn};
use callboard::testkit::ScriptedModel;
use callboard::tools::ActixTool;
use futures_util::FutureExt;
use futures_util::future::{join, join_all};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;

/// A deadline that is only reached when something is broken.
const LONG: Duration = Duration::from_secs(20);

/// What a worker is to do. The answer is the number.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
enum Job {
    Note(u32),
    /// It answers when the gate lets it.
    Hold(u32),
    Stop,
    Panic(u32),
    PanicInFuture,
}

impl Message for Job {
    type Result = u32;
}

/// An actor of actix's, as one has it.
struct Worker {
    seen: Arc<Mutex<Vec<u32>>>,
    gate: Arc<Semaphore>,
}

impl Actor for Worker {
    type Context = Context<Self>;
}

impl Handler<Job> for Worker {
    type Result = ResponseFuture<u32>;

    fn handle(&mut self, job: Job, context: &mut Self::Context) -> Self::Result {
        match job {
            Job::Note(number) => {
                self.seen.lock().unwrap().push(number);
                ready(number).boxed()
            }
            Job::Hold(number) => {
                self.seen.lock().unwrap().push(number);
                let gate = self.gate.clone();
                Box::pin(async move {
                    gate.acquire().await.unwrap().forget();
                    number
                })
            }
            Job::Stop => {
                context.stop();
                ready(0).boxed()
            }
            Job::Panic(_) => panic!("this panic is meant"),
            Job::PanicInFuture => async { panic!("this panic is meant, too") }.boxed(),
        }
    }
}

/// A worker with what can be seen of it, and a runtime in which it is a member.
struct Team {
    runtime: Runtime,
    worker: Addr<Worker>,
    seen: Arc<Mutex<Vec<u32>>>,
    gate: Arc<Semaphore>,
}

impl Team {
    fn new() -> Self {
        let (seen, gate) = (Arc::default(), Arc::new(Semaphore::new(0)));
        let worker = Worker { seen: Arc::clone(&seen), gate: gate.clone() }.start();
        let runtime = Runtime::start(RuntimeConfig { shards: 2, ..RuntimeConfig::default() }).unwrap();
        Self { runtime, worker, seen, gate }
    }

    fn member(&self, spec: impl FnOnce(ActixSpec<Job>) -> ActixSpec<Job>) -> ActixRef<Job> {
        spec(ActixSpec::new("worker", self.worker.clone())).start(&self.runtime).unwrap()
    }

    fn seen(&self) -> Vec<u32> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until nothing is left in the member's mailbox, and so many messages of it are handled, pending and dead letters.
    async fn until(&self, member: &ActixRef<Job>, counts: (u64, u64, u64)) {
        loop {
            let info = self.runtime.directory().list().into_iter().find(|info| info.id == member.id()).unwrap();
            if info.depth == 0 && (info.handled, info.pending, info.dead_letters) == counts {
                return;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn stop(self) {
        // A message that is being handled is in no column yet; the test's own time ends the wait.
        while !self.runtime.ledger().balances() {
            tokio::task::yield_now().await;
        }
        assert!(self.runtime.stop(LONG).await.is_clean());
    }
}

/// Inside a system of actix's, in time.
fn inside<F: Future<Output = ()>>(test: impl FnOnce(Team) -> F) {
    System::new().block_on(async { tokio::time::timeout(LONG, test(Team::new())).await.expect("it ends in time") });
}

#[test]
fn messages_come_in_order_and_a_drain_brings_what_was_accepted() {
    inside(|team| async move {
        let member = team.member(|spec| spec.capacity(1_000));
        for number in 0..500 {
            member.tell(Job::Note(number)).unwrap();
        }
        let last = member.ask(LONG, Job::Note(500));
        member.drain();
        assert_eq!(last.await, Ok(500));
        member.gone().await;
        assert_eq!(team.seen(), (0..=500).collect::<Vec<_>>());
        assert_eq!(member.ask(LONG, Job::Note(1)).await, Err(AskError::Stopped));
        assert_eq!(team.worker.send(Job::Note(501)).await.unwrap(), 501, "the actor goes on without the member");
        team.stop().await;
    });
}

#[test]
fn one_more_than_its_bound_is_refused_and_handed_back() {
    inside(|team| async move {
        let member = team.member(|spec| spec.capacity(4));
        let clone = member.clone();
        let held = member.ask(LONG, Job::Hold(1));
        while team.seen().is_empty() {
            tokio::task::yield_now().await;
        }
        let waits = join_all((2..5).map(|number| clone.ask(LONG, Job::Note(number))));
        assert_eq!(clone.ask(LONG, Job::Note(9)).await, Err(AskError::Overloaded), "clones share the bound");
        let refused = member.tell(Job::Note(9)).unwrap_err();
        assert!(matches!(refused, TellError::Overloaded(Job::Note(9))), "{refused:?}");
        team.gate.add_permits(1);
        assert_eq!(join(held, waits).await, (Ok(1), vec![Ok(2), Ok(3), Ok(4)]));
        assert_eq!(member.ask(LONG, Job::Note(5)).await, Ok(5), "who has an answer finds room");
        assert_eq!(team.seen(), [1, 2, 3, 4, 5]);
        team.stop().await;
    });
}

#[test]
fn a_slow_actor_costs_its_asker_no_more_than_his_time_and_has_one_question_at_once() {
    inside(|team| async move {
        let member = team.member(|spec| spec);
        assert_eq!(member.ask(Duration::from_millis(1), Job::Hold(1)).await, Err(AskError::Timeout));
        let mut waits = member.ask(LONG, Job::Note(2));
        assert!((&mut waits).now_or_never().is_none(), "the actor has the first one still");
        team.gate.add_permits(1);
        assert_eq!(waits.await, Ok(2));
        team.stop().await;
    });
}

#[test]
fn several_are_with_the_actor_at_once_when_it_may_be_so() {
    inside(|team| async move {
        let member = team.member(|spec| spec.at_once(3));
        let held = join_all((1..=3).map(|number| member.ask(LONG, Job::Hold(number))));
        let opens = async {
            while team.seen().len() < 3 {
                tokio::task::yield_now().await;
            }
            team.gate.add_permits(3);
        };
        let (held, ()) = join(held, opens).await;
        assert_eq!(held, [Ok(1), Ok(2), Ok(3)]);
        team.stop().await;
    });
}

#[test]
fn a_question_whose_asker_has_left_does_not_reach_the_actor() {
    inside(|team| async move {
        let member = team.member(|spec| spec);
        let held = member.ask(LONG, Job::Hold(1));
        drop(member.ask(LONG, Job::Note(2)));
        let last = member.ask(LONG, Job::Note(3));
        team.gate.add_permits(1);
        assert_eq!(join(held, last).await, (Ok(1), Ok(3)));
        assert_eq!(team.seen(), [1, 3]);
        team.stop().await;
    });
}

#[test]
fn when_the_actor_stops_whoever_waits_learns_it_and_the_member_stops() {
    inside(|team| async move {
        let member = team.member(|spec| spec);
        let asks = [Job::Stop, Job::Note(1), Job::Note(2)].map(|job| member.ask(LONG, job));
        assert_eq!(join_all(asks).await, [Ok(0), Err(AskError::Stopped), Err(AskError::Stopped)]);
        member.gone().await;
        assert_eq!(member.ask(LONG, Job::Note(3)).await, Err(AskError::Stopped));
        assert!(matches!(member.tell(Job::Note(4)), Err(TellError::Stopped(Job::Note(4)))));
        assert!(team.seen().is_empty());
        team.stop().await;
    });
}

#[test]
fn a_panic_of_the_actor_ends_the_member_and_nobody_else() {
    inside(|team| async move {
        let other = Worker { seen: team.seen.clone(), gate: team.gate.clone() }.start();
        let other = ActixSpec::<Job>::new("other", other).start(&team.runtime).unwrap();
        let member = team.member(|spec| spec);
        let asks = [Job::Panic(0), Job::Note(1)].map(|job| member.ask(LONG, job));
        assert_eq!(join_all(asks).await, [Err(AskError::Stopped), Err(AskError::Stopped)]);
        member.gone().await;
        assert_eq!(other.ask(LONG, Job::Note(2)).await, Ok(2));
        team.stop().await;
    });
}

#[test]
fn a_panic_of_a_future_loses_its_answer_and_no_more() {
    inside(|team| async move {
        let member = team.member(|spec| spec);
        assert_eq!(member.ask(LONG, Job::PanicInFuture).await, Err(AskError::Unanswered));
        assert_eq!(member.ask(LONG, Job::Note(1)).await, Ok(1));
        team.stop().await;
    });
}

#[test]
fn what_an_actor_loses_is_a_dead_letter_with_its_reason() {
    /// Two are dead letters sooner or later, and for this reason.
    async fn lost_for(team: &Team, reason: DeadLetter) {
        while team.runtime.ledger().dead_letters() < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(team.runtime.ledger().dead(reason), 2, "{:?}", team.runtime.ledger());
    }
    inside(|team| async move {
        let member = team.member(|spec| spec);
        let asks = [Job::Panic(0), Job::Note(1)].map(|job| member.ask(LONG, job));
        assert_eq!(join_all(asks).await, [Err(AskError::Stopped), Err(AskError::Stopped)]);
        member.gone().await;
        lost_for(&team, DeadLetter::Stopped).await;
        team.stop().await;
    });
    inside(|team| async move {
        let member = team.member(|spec| spec);
        for _ in 0..2 {
            assert_eq!(member.ask(LONG, Job::PanicInFuture).await, Err(AskError::Unanswered));
        }
        lost_for(&team, DeadLetter::Panicked).await;
        team.stop().await;
    });
    inside(|team| async move {
        let member = team.member(|spec| spec);
        let held = member.ask(LONG, Job::Hold(1));
        while team.seen().is_empty() {
            tokio::task::yield_now().await;
        }
        let waits = [2, 3].map(|number| member.ask(LONG, Job::Note(number)));
        team.until(&member, (0, 3, 0)).await;
        drop(waits);
        team.gate.add_permits(1);
        assert_eq!(held.await, Ok(1));
        assert_eq!(member.ask(LONG, Job::Note(4)).await, Ok(4));
        lost_for(&team, DeadLetter::CallerLeft).await;
        team.stop().await;
    });
    inside(|team| async move {
        let member = team.member(|spec| spec);
        let asks = [Job::Hold(1), Job::Note(2), Job::Note(3)].map(|job| member.ask(LONG, job));
        while team.seen().is_empty() {
            tokio::task::yield_now().await;
        }
        team.until(&member, (0, 3, 0)).await;
        member.stop();
        member.gone().await;
        assert_eq!(join_all(asks).await, [Err(AskError::Stopped); 3]);
        // The actor has the first one.
        lost_for(&team, DeadLetter::Stopped).await;
        team.gate.add_permits(1);
        team.stop().await;
    });
}

#[test]
fn what_the_actor_is_not_done_with_is_pending_and_no_count_falls() {
    inside(|team| async move {
        let member = team.member(|spec| spec);
        let asks = [Job::Hold(1), Job::Note(2), Job::Note(3)].map(|job| member.ask(LONG, job));
        team.until(&member, (0, 3, 0)).await;
        while team.seen().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(team.runtime.ledger().handled, 0);
        member.stop();
        member.gone().await;
        assert_eq!(join_all(asks).await, [Err(AskError::Stopped); 3]);
        while team.runtime.ledger().pending > 0 {
            tokio::task::yield_now().await;
        }
        let ledger = team.runtime.ledger();
        assert_eq!((ledger.handled, ledger.dead_letters()), (1, 2), "the actor has the first one: {ledger:?}");
        team.gate.add_permits(1);
        team.stop().await;
    });
    inside(|team| async move {
        let member = team.member(|spec| spec);
        assert_eq!(member.ask(LONG, Job::PanicInFuture).await, Err(AskError::Unanswered));
        // That the actor is done with it is a message of the member's own.
        team.until(&member, (1, 0, 1)).await;
        team.stop().await;
    });
}

/// A message that panics when it is dropped.
struct Bomb;

impl Message for Bomb {
    type Result = ();
}

impl Drop for Bomb {
    fn drop(&mut self) {
        // Without the panic hook, which would print it.
        std::panic::resume_unwind(Box::new("this panic is meant"));
    }
}

impl Handler<Bomb> for Worker {
    type Result = ();

    fn handle(&mut self, bomb: Bomb, _context: &mut Self::Context) {
        std::mem::forget(bomb);
    }
}

#[test]
fn a_message_that_panics_when_it_is_dropped_is_one_dead_letter_and_harms_nobody() {
    inside(|team| async move {
        let member = ActixSpec::<Bomb>::new("worker", team.worker.clone()).start(&team.runtime).unwrap();
        assert_eq!(team.worker.send(Job::Stop).await.unwrap(), 0);
        while team.worker.connected() {
            tokio::task::yield_now().await;
        }
        let asked = member.ask(LONG, Bomb).await;
        assert_eq!(asked, Err(AskError::Stopped), "not `Panicked`: the member did not");
        member.gone().await;
        let ledger = team.runtime.ledger();
        assert_eq!((ledger.accepted, ledger.dead(DeadLetter::Stopped), ledger.dead_letters()), (1, 1, 1), "{ledger:?}");
        team.stop().await;
    });
}

/// Is never done with anything.
struct Holder;

impl Actor for Holder {
    type Context = Context<Self>;
}

impl Handler<Bomb> for Holder {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, bomb: Bomb, _context: &mut Self::Context) -> Self::Result {
        std::mem::forget(bomb);
        Box::pin(std::future::pending())
    }
}

#[test]
fn messages_that_panic_when_they_are_dropped_may_wait_when_their_member_is_stopped() {
    inside(|team| async move {
        let spec = ActixSpec::<Bomb>::new("holder", Holder.start()).at_once(1);
        let member = spec.start(&team.runtime).unwrap();
        for _ in 0..3 {
            member.tell(Bomb).unwrap();
        }
        let is_taken = |info: &AgentInfo| info.id == member.id() && (info.depth, info.work, info.pending) == (0, 1, 3);
        while !team.runtime.directory().list().iter().any(is_taken) {
            tokio::task::yield_now().await;
        }
        member.stop();
        member.gone().await;
        while team.runtime.ledger().pending > 0 {
            tokio::task::yield_now().await;
        }
        let ledger = team.runtime.ledger();
        assert_eq!((ledger.accepted, ledger.handled, ledger.dead(DeadLetter::Stopped)), (3, 1, 2), "{ledger:?}");
        team.stop().await;
    });
}

/// No object, which is all that a model writes.
#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "no value of it is ever read")]
struct Word(String);

impl Message for Word {
    type Result = ();
}

impl Handler<Word> for Holder {
    type Result = ();

    fn handle(&mut self, _word: Word, _context: &mut Self::Context) {}
}

#[test]
fn as_a_tool_it_tells_the_model_what_it_says_and_what_went_wrong() {
    inside(|team| async move {
        let model = ScriptedModel::new()
            .calls("worker", json!({"Note": 7}))
            .calls("worker", json!({"Note": "seven"}))
            .calls("worker", json!({"Panic": 0}))
            .says("so");
        let runtime = Runtime::with_model("scripted/model", model).unwrap();
        let member = team.member(|spec| spec);
        let tool = ActixTool::new(&member, "worker", "Works.");
        let agent = runtime.agent("boss").tool(tool).start().unwrap();
        let answer = agent.ask("Work!").await.unwrap();
        let told: Vec<_> = answer.turns.iter().filter(|turn| turn.answers.is_some()).map(|turn| &*turn.text).collect();
        assert_eq!(told[0], "7");
        assert!(told[1].contains(r#""seven" is not of type "integer" (at /Note)"#), "{told:?}");
        assert!(told[2].contains("the agent has stopped"), "{told:?}");
        let member = ActixSpec::<Word>::new("holder", Holder.start()).start(&team.runtime).unwrap();
        let refused = runtime.agent("boss").tool(ActixTool::new(&member, "say", "Says it.")).start().unwrap_err();
        assert!(refused.to_string().contains("the arguments of the tool say are no JSON object"), "{refused}");
        assert!(runtime.stop(LONG).await.is_clean());
        team.stop().await;
    });
}

/// An agent that an actor sends to.
struct Counter(u32);

enum Count {
    Add(u32),
    Total(Reply<u32>),
}

impl Agent for Counter {
    type Message = Count;

    fn handle(&mut self, count: Count, _turn: &mut Turn<'_, Count>) {
        match count {
            Count::Add(number) => self.0 += number,
            Count::Total(reply) => reply.send(self.0),
        }
    }
}

/// An actor that sends what it gets to an agent, and asks it.
struct Sender(callboard::prelude::AgentRef<Count>);

impl Actor for Sender {
    type Context = Context<Self>;
}

impl Handler<Job> for Sender {
    type Result = ResponseFuture<u32>;

    fn handle(&mut self, _job: Job, _context: &mut Self::Context) -> Self::Result {
        self.0.tell(Count::Add(2)).unwrap();
        let blocking = self.0.ask_blocking(Duration::ZERO, Count::Total);
        assert_eq!(blocking, Err(AskError::InsideAsync), "an actor must not block its thread");
        let asking = self.0.ask(LONG, Count::Total);
        Box::pin(async move { asking.await.unwrap() })
    }
}

#[test]
fn an_actor_tells_and_asks_agents() {
    inside(|team| async move {
        let counter = team.runtime.spawn(AgentSpec::new("counter", || Counter(0))).unwrap();
        let sender = Sender(counter).start();
        assert_eq!(sender.send(Job::Stop).await.unwrap(), 2);
        assert_eq!(sender.send(Job::Stop).await.unwrap(), 4);
        team.stop().await;
    });
}
