//! Does an ask always come to its end, wherever it is made and waited for?

mod common;

use std::future::Future;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use callboard_actors::agent::{Agent, Turn};
use callboard_actors::error::AskError;
use callboard_actors::mailbox::{AgentRef, AgentSpec, DeadLetter, Reply};
use callboard_actors::runtime::simulated;
use common::{Count, LONG, counter, hold, runtime, wait};

/// Waits in its handler for an answer of somebody on the same shard.
struct Blocks {
    other: AgentRef<Count>,
}

impl Agent for Blocks {
    type Message = mpsc::Sender<Result<(u64, u64), AskError>>;

    fn handle(&mut self, said: Self::Message, _turn: &mut Turn<'_, Self::Message>) {
        let _ = said.send(wait(self.other.ask(Duration::from_millis(100), Count::Get)));
    }
}

#[test]
fn an_ask_that_is_waited_for_in_a_handler_ends_at_its_deadline() {
    let runtime = runtime(1);
    let other = runtime.spawn(counter()).unwrap();
    let agent = runtime.spawn(AgentSpec::new("blocks", move || Blocks { other: other.clone() })).unwrap();
    let (sender, said) = mpsc::channel();
    agent.tell(sender).unwrap();
    assert_eq!(said.recv_timeout(Duration::from_secs(5)), Ok(Err(AskError::Timeout)));
}

#[test]
fn an_asker_whose_deadline_passed_has_left_although_its_future_is_kept() {
    let runtime = runtime(1);
    let agent = runtime.spawn(counter()).unwrap();
    let release = hold(&agent);
    let mut question = Box::pin(agent.ask(Duration::from_millis(1), Count::Get));
    assert_eq!(wait(question.as_mut()), Err(AskError::Timeout));
    drop(release);
    wait(agent.ask(LONG, Count::Get)).unwrap();
    assert_eq!(runtime.ledger().dead(DeadLetter::CallerLeft), 1);
    drop(question);
}

/// Asks when it is dropped.
struct LastWords {
    other: Option<AgentRef<Count>>,
    said: mpsc::Sender<()>,
}

impl Agent for LastWords {
    type Message = (AgentRef<Count>, Reply<()>);

    fn handle(&mut self, (other, reply): Self::Message, _turn: &mut Turn<'_, Self::Message>) {
        self.other = Some(other);
        reply.send(());
    }
}

impl Drop for LastWords {
    fn drop(&mut self) {
        if let Some(other) = &self.other {
            drop(other.ask(LONG, Count::Get));
            let _ = self.said.send(());
        }
    }
}

#[test]
fn an_ask_from_a_drop_at_the_end_of_the_shard_does_not_panic() {
    let runtime = runtime(1);
    let (sender, said) = mpsc::channel();
    let factory = move || LastWords { other: None, said: sender.clone() };
    // One is older than the other that it asks, and one is younger.
    let old = runtime.spawn(AgentSpec::new("last", factory.clone())).unwrap();
    let other = runtime.spawn(counter()).unwrap();
    let young = runtime.spawn(AgentSpec::new("last", factory)).unwrap();
    for agent in [old, young] {
        wait(agent.ask(LONG, |reply| (other.clone(), reply))).unwrap();
    }
    drop(runtime);
    for _ in 0..2 {
        assert!(said.recv_timeout(LONG).is_ok());
    }
}

#[test]
fn an_ask_ends_with_the_runtime_also_on_virtual_time() {
    simulated(1, |runtime| async move {
        let agent = runtime.spawn(AgentSpec::new("keeper", || Keeper(Vec::new()))).unwrap();
        let question = agent.ask(LONG, |reply: Reply<()>| reply);
        tokio::task::yield_now().await;
        drop(runtime);
        assert_eq!(question.await, Err(AskError::Stopped));
    });
}

/// Keeps questions unanswered.
struct Keeper(Vec<Reply<()>>);

impl Agent for Keeper {
    type Message = Reply<()>;

    fn handle(&mut self, reply: Reply<()>, _turn: &mut Turn<'_, Self::Message>) {
        self.0.push(reply);
    }
}

/// A waker that owns a task, as the wakers of many executors do; and the task owns the question.
struct Owner(#[expect(dead_code, reason = "it is dropped")] Mutex<Option<Box<dyn Send>>>);

impl Wake for Owner {
    fn wake(self: Arc<Self>) {}
}

#[test]
fn a_waker_that_is_dropped_runs_outside_the_lock_of_the_slot() {
    let runtime = runtime(1);
    let agent = runtime.spawn(AgentSpec::new("giver", || Giver)).unwrap();
    let (sender, over) = mpsc::channel();
    std::thread::spawn(move || {
        let (gives, given) = mpsc::channel();
        let question = agent.ask(LONG, |reply| (reply, gives));
        let mut reply = given.recv().unwrap();
        let first = Waker::from(Arc::new(Owner(Mutex::new(Some(Box::new(question))))));
        let mut abandoned = Box::pin(reply.abandoned());
        assert!(abandoned.as_mut().poll(&mut Context::from_waker(&first)).is_pending());
        drop(first);
        // It has moved to another task; the first one's waker was the last that kept the first task.
        let _polled = abandoned.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        let _ = sender.send(());
    });
    assert!(over.recv_timeout(Duration::from_secs(5)).is_ok(), "the answerer waits for its own lock");
}

/// Gives the reply away.
struct Giver;

impl Agent for Giver {
    type Message = (Reply<()>, mpsc::Sender<Reply<()>>);

    fn handle(&mut self, (reply, gives): Self::Message, _turn: &mut Turn<'_, Self::Message>) {
        let _ = gives.send(reply);
    }
}

#[test]
fn a_kept_reply_does_not_keep_the_task_of_an_asker_that_left() {
    let runtime = runtime(1);
    let agent = runtime.spawn(AgentSpec::new("giver", || Giver)).unwrap();
    let (gives, given) = mpsc::channel();
    let mut question = Box::pin(agent.ask(LONG, |reply| (reply, gives)));
    let reply = given.recv_timeout(LONG).unwrap();
    let task = Arc::new(Owner(Mutex::new(None)));
    assert!(question.as_mut().poll(&mut Context::from_waker(&Waker::from(task.clone()))).is_pending());
    drop(question);
    assert_eq!(Arc::strong_count(&task), 1);
    drop(reply);
}
