//! Does an ask that was made on a shard end in time when something else than the shard's own work waits for it?
//!
//! A shard keeps the deadlines of its own work. Whoever blocks it, or has taken the future to another thread, must not wait
//! for it to get round to them.

mod common;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use callboard_actors::agent::{Agent, Turn};
use callboard_actors::error::AskError;
use callboard_actors::mailbox::{AgentRef, AgentSpec, Ask, Overflow, Reply};
use callboard_actors::runtime::Runtime;
use common::{Count, LONG, counter, hold, runtime, wait};

type Answer = Result<(u64, u64), AskError>;

const SHORT: Duration = Duration::from_millis(50);
/// Of a wait that is over long before, or never.
const BOUND: Duration = Duration::from_secs(5);

/// Blocks the shard for an answer that cannot come, because whoever is asked lives on it.
fn block(other: &AgentRef<Count>, said: &mpsc::Sender<Answer>) {
    let _ = said.send(wait(other.ask(SHORT, Count::Get)));
}

/// Blocks in its work.
struct Works {
    other: AgentRef<Count>,
}

impl Agent for Works {
    type Message = Option<mpsc::Sender<Answer>>;

    fn handle(&mut self, said: Self::Message, turn: &mut Turn<'_, Self::Message>) {
        let Some(said) = said else { return };
        let other = self.other.clone();
        assert!(turn.start(async move { block(&other, &said) }, |_| None).is_ok());
    }
}

#[test]
fn whatever_blocks_the_shard_for_an_answer_learns_that_it_does_not_come() {
    type Case = (&'static str, fn(&Runtime, AgentRef<Count>, mpsc::Sender<Answer>));
    let cases: [Case; 4] = [
        ("a factory", |runtime, other, said| {
            let factory = move || {
                block(&other, &said);
                common::Counter::default()
            };
            runtime.spawn(AgentSpec::new("blocks at its birth", factory)).unwrap();
        }),
        ("a watcher", |runtime, other, said| {
            let agent = runtime.spawn(counter()).unwrap();
            agent.watch(move |_| block(&other, &said));
            agent.stop();
        }),
        ("a fingerprint", |runtime, other, said| {
            let said = Mutex::new(said);
            let spec = counter().quarantine(3, move |_| {
                block(&other, &said.lock().unwrap());
                None
            });
            runtime.spawn(spec).unwrap().tell(Count::Add).unwrap();
        }),
        ("work", |runtime, other, said| {
            let spec = AgentSpec::new("works", move || Works { other: other.clone() });
            runtime.spawn(spec).unwrap().tell(Some(said)).unwrap();
        }),
    ];
    for (what, begin) in cases {
        let runtime = runtime(1);
        let other = runtime.spawn(counter()).unwrap();
        let (sender, said) = mpsc::channel();
        begin(&runtime, other, sender);
        assert_eq!(said.recv_timeout(BOUND), Ok(Err(AskError::Timeout)), "{what}");
    }
}

/// Keeps each question, and never answers.
#[derive(Default)]
struct Keeps(Vec<Reply<()>>);

impl Agent for Keeps {
    type Message = Reply<()>;

    fn handle(&mut self, reply: Reply<()>, _turn: &mut Turn<'_, Reply<()>>) {
        self.0.push(reply);
    }
}

/// Asks, and gives the futures away.
struct Gives;

struct Give {
    asked: AgentRef<Reply<()>>,
    within: Vec<Duration>,
    to: mpsc::Sender<Pin<Box<Ask<()>>>>,
}

impl Agent for Gives {
    type Message = Give;

    fn handle(&mut self, Give { asked, within, to }: Give, _turn: &mut Turn<'_, Give>) {
        for within in within {
            let _ = to.send(Box::pin(asked.ask(within, |reply| reply)));
        }
    }
}

/// Futures of asks that were made on the only shard, with these limits.
fn given<const N: usize>(runtime: &Runtime, within: [Duration; N]) -> [Pin<Box<Ask<()>>>; N] {
    let asked = runtime.spawn(AgentSpec::new("keeps", Keeps::default)).unwrap();
    let gives = runtime.spawn(AgentSpec::new("gives", || Gives)).unwrap();
    let (to, asks) = mpsc::channel();
    gives.tell(Give { asked, within: within.to_vec(), to }).unwrap();
    [(); N].map(|()| asks.recv_timeout(LONG).unwrap())
}

/// What comes of a wait on another thread.
fn waited(ask: Pin<Box<Ask<()>>>) -> Result<Result<(), AskError>, mpsc::RecvTimeoutError> {
    let (done, said) = mpsc::channel();
    std::thread::spawn(move || done.send(wait(ask)));
    said.recv_timeout(BOUND)
}

#[test]
fn an_ask_that_was_given_to_another_thread_does_not_wait_for_its_shard() {
    let runtime = runtime(1);
    let [short, long] = given(&runtime, [SHORT, LONG]);
    let blocker = runtime.spawn(counter()).unwrap();
    let release = hold(&blocker);
    assert_eq!(waited(short), Ok(Err(AskError::Timeout)));
    drop(runtime);
    assert_eq!(waited(long), Ok(Err(AskError::Stopped)), "nor for a shard that does not end");
    drop(release);
}

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        std::panic::resume_unwind(Box::new("a waker that panics"));
    }
}

#[test]
fn a_waker_that_panics_keeps_no_other_ask_from_its_end() {
    let runtime = runtime(1);
    let [mut first, second, mut third, fourth] = given(&runtime, [SHORT, SHORT, LONG, LONG]);
    let waker = Waker::from(Arc::new(Panics));
    for bad in [&mut first, &mut third] {
        assert!(bad.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    assert_eq!(waited(second), Ok(Err(AskError::Timeout)), "it passes in the same tick as the first");
    // The end of the runtime wakes the third, too.
    drop(runtime);
    assert_eq!(waited(fourth), Ok(Err(AskError::Stopped)));
}

#[test]
fn a_sender_in_line_whose_waker_panics_costs_the_agent_nothing() {
    let runtime = runtime(1);
    let agent = runtime.spawn(counter().capacity(2).overflow(Overflow::Wait(LONG))).unwrap();
    let release = hold(&agent);
    agent.tell(Count::Add).unwrap();
    agent.tell(Count::Add).unwrap();
    let mut in_line = Box::pin(agent.send(Count::Add));
    assert!(in_line.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::new(Panics)))).is_pending());
    drop(release);
    assert_eq!(wait(agent.ask(LONG, Count::Get)), Ok((3, 3)));
    drop(in_line);
    agent.drain();
    wait(agent.gone());
    let ledger = runtime.ledger();
    assert!(ledger.balances() && ledger.dead_letters() == 0 && agent.info().restarts == 0, "{ledger:?}");
}

/// Holds something until it is dropped.
struct Owns(#[expect(dead_code, reason = "it is only dropped")] Mutex<Option<Reply<()>>>);

impl Wake for Owns {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_waker_that_owns_the_reply_is_dropped_where_no_lock_is_held() {
    let runtime = runtime(1);
    let (kept, keeps) = mpsc::channel();
    let asked = runtime.spawn(AgentSpec::new("hands on", move || HandsOn(kept.clone()))).unwrap();
    let mut ask = Box::pin(asked.ask(LONG, |reply| reply));
    let owner = Owns(Mutex::new(Some(keeps.recv_timeout(LONG).unwrap())));
    assert!(ask.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::new(owner)))).is_pending());
    let (done, over) = mpsc::channel();
    std::thread::spawn(move || {
        let _polled = ask.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        done.send(())
    });
    over.recv_timeout(BOUND).expect("the asker does not wait for its own lock");
}

/// Hands each question on.
struct HandsOn(mpsc::Sender<Reply<()>>);

impl Agent for HandsOn {
    type Message = Reply<()>;

    fn handle(&mut self, reply: Reply<()>, _turn: &mut Turn<'_, Reply<()>>) {
        let _ = self.0.send(reply);
    }
}
