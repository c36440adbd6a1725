//! Does it hurt others when somebody's waker panics, as it is woken or as it is dropped?

mod common;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, mpsc};
use std::task::{Context, Wake, Waker};

use callboard_actors::agent::{Agent, Turn};
use callboard_actors::mailbox::{AgentRef, AgentSpec, Ask, Reply};
use callboard_actors::scope::Scope;
use callboard_actors::supervision::tree::{GroupSpec, Lifetime};
use common::{Count, LONG, counter, hold, runtime, wait};

/// A waker that panics when it is woken.
struct Screams;

impl Wake for Screams {
    fn wake(self: Arc<Self>) {
        std::panic::resume_unwind(Box::new("woken"));
    }
}

/// A waker that panics when it is dropped.
struct Clings;

impl Wake for Clings {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Clings {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::panic::resume_unwind(Box::new("dropped"));
        }
    }
}

/// Waits for `future` with a waker that panics; it is kept waiting.
fn wait_badly<F: Future + 'static>(future: F) -> Pin<Box<F>> {
    let mut future = Box::pin(future);
    let waker = Waker::from(Arc::new(Screams));
    assert!(future.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    future
}

/// Waits for `future` on another thread, from here on, and says when it is there.
fn wait_well<F: Future + Send + 'static>(future: F) -> mpsc::Receiver<()> {
    let (done, is_done) = mpsc::channel();
    let (begun, has_begun) = mpsc::channel();
    std::thread::spawn(move || {
        let mut future = Box::pin(future);
        wait(std::future::poll_fn(|cx| {
            let polled = future.as_mut().poll(cx);
            let _the_first_time = begun.send(());
            polled.map(drop)
        }));
        let _nobody_asks = done.send(());
    });
    has_begun.recv_timeout(LONG).unwrap();
    is_done
}

#[test]
fn others_who_wait_for_the_end_of_a_group_hear_of_it() {
    let runtime = runtime(1);
    let group = runtime.group(GroupSpec::default());
    let agent = group.spawn(counter(), Lifetime::Permanent).unwrap();
    wait(agent.ask(LONG, Count::Get)).unwrap();
    let (bad, good) = (group.clone(), group.clone());
    let _waits = wait_badly(async move { bad.ended().await });
    let is_done = wait_well(async move { good.ended().await });
    group.stop();
    is_done.recv_timeout(LONG).unwrap();
    assert!(runtime.spawn(counter()).is_ok(), "the shard lives");
}

#[test]
fn others_who_wait_for_the_end_of_the_runtime_hear_of_it_and_the_stop_reports() {
    let runtime = runtime(1);
    let (bad, good) = (runtime.handle(), runtime.handle());
    let _waits = wait_badly(async move { bad.stopped().await });
    let is_done = wait_well(async move { good.stopped().await });
    assert!(runtime.stop_blocking(LONG).is_clean());
    is_done.recv_timeout(LONG).unwrap();
}

/// Shows its scope.
struct Open(mpsc::Sender<Scope>);

impl Agent for Open {
    type Message = ();

    fn started(&mut self, turn: &mut Turn<'_, ()>) {
        self.0.send(turn.scope().clone()).unwrap();
    }

    fn handle(&mut self, (): (), _turn: &mut Turn<'_, ()>) {}
}

#[test]
fn a_group_hears_of_an_end_although_somebody_waits_badly_for_its_scope() {
    let runtime = runtime(1);
    let group = runtime.group(GroupSpec::default());
    let (shows, scope) = mpsc::channel();
    let spec = AgentSpec::new("open", move || Open(shows.clone())).stop_within(3 * LONG);
    let agent = group.spawn(spec, Lifetime::Permanent).unwrap();
    let (scope, other) = (scope.recv_timeout(LONG).unwrap(), group.clone());
    let _waits = wait_badly(async move { scope.run(std::future::pending::<()>()).await });
    agent.stop();
    wait(agent.gone());
    let is_done = wait_well(async move { other.ended().await });
    group.stop();
    // Without having heard of it, the group would wait for three times as long.
    is_done.recv_timeout(LONG).unwrap();
}

/// Keeps each question where the test finds it.
struct HandsOn(mpsc::Sender<Reply<()>>);

impl Agent for HandsOn {
    type Message = Reply<()>;

    fn handle(&mut self, reply: Reply<()>, _turn: &mut Turn<'_, Reply<()>>) {
        self.0.send(reply).unwrap();
    }
}

/// Asks on its own shard, and gives the future away.
struct Gives;

type Given = (AgentRef<Reply<()>>, mpsc::Sender<Ask<()>>);

impl Agent for Gives {
    type Message = Given;

    fn handle(&mut self, (asked, to): Given, _turn: &mut Turn<'_, Given>) {
        to.send(asked.ask(LONG, |reply| reply)).unwrap();
    }
}

#[test]
fn a_shard_survives_what_is_dropped_with_a_deadline_that_it_kept() {
    let runtime = runtime(1);
    let (kept, keeps) = mpsc::channel();
    let asked = runtime.spawn(AgentSpec::new("hands on", move || HandsOn(kept.clone()))).unwrap();
    let gives = runtime.spawn(AgentSpec::new("gives", || Gives)).unwrap();
    let bystander = runtime.spawn(counter()).unwrap();
    let (to, asks) = mpsc::channel();
    gives.tell((asked, to)).unwrap();
    let mut ask = Box::pin(asks.recv_timeout(LONG).unwrap());
    let mut reply = keeps.recv_timeout(LONG).unwrap();
    // While the shard is held, its wheel is the last to hold what the question left behind.
    let release = hold(&bystander);
    {
        let waker = Waker::from(Arc::new(Clings));
        let mut abandoned = Box::pin(reply.abandoned());
        assert!(abandoned.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    reply.send(());
    assert_eq!(wait(ask.as_mut()), Ok(()));
    drop(ask);
    drop(release);
    assert!(wait(bystander.ask(LONG, Count::Get)).is_ok());
    let other = runtime.spawn(counter()).unwrap();
    assert!(wait(other.ask(LONG, Count::Get)).is_ok(), "the shard takes new agents");
    assert!(!bystander.info().gone);
}

#[test]
fn dropped_questions_take_no_place_from_those_who_start() {
    const MANY: usize = 70_000;
    let runtime = runtime(1);
    let (kept, _keeps) = mpsc::channel();
    let asked = runtime.spawn(AgentSpec::new("hands on", move || HandsOn(kept.clone())).capacity(MANY)).unwrap();
    let gives = runtime.spawn(AgentSpec::new("gives", || Gives).capacity(MANY)).unwrap();
    let (to, asks) = mpsc::channel();
    for _ in 0..MANY {
        gives.tell((asked.clone(), to.clone())).unwrap();
    }
    let asks: Vec<_> = (0..MANY).map(|_| asks.recv_timeout(LONG).unwrap()).collect();
    let blocker = runtime.spawn(counter()).unwrap();
    let release = hold(&blocker);
    drop(asks);
    let started = runtime.spawn(counter()).unwrap();
    drop(release);
    assert!(wait(started.ask(LONG, Count::Get)).is_ok());
}
