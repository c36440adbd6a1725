//! Do the blocking calls answer plain threads, and never block a thread that others wait for?

mod common;

use std::sync::mpsc;
use std::time::Duration;

use callboard_actors::error::{AskError, TellError};
use callboard_actors::mailbox::{AgentRef, Overflow, Reply};
use callboard_actors::runtime::simulated;
use common::obeys::{Told, obeys};
use common::{Count, LONG, counter, hold, runtime, wait};

const SHORT: Duration = Duration::from_millis(1);

/// What `act` says, once in a handler of `agent` and once in its work.
fn in_turn_and_in_work<T: Send + 'static>(
    agent: &AgentRef<Told>,
    act: impl Fn() -> T + Clone + Send + 'static,
) -> mpsc::Receiver<T> {
    let (sender, said) = mpsc::channel();
    let handled = Told::to(move |turn| {
        let _ = sender.send(act());
        let work = async move {
            let _ = sender.send(act());
        };
        assert!(turn.start(work, |_| Told::to(|_| ())).is_ok());
    });
    assert!(agent.tell(handled).is_ok());
    said
}

/// Whether both calls are refused on this thread, with nothing asked and the message handed back.
fn is_refused(agent: &AgentRef<Count>) -> bool {
    let asked = agent.ask_blocking(SHORT, |_: Reply<()>| panic!("a question that is refused is not made"));
    let sent = agent.send_blocking(Count::Note(7));
    asked == Err(AskError::InsideAsync) && matches!(sent, Err(TellError::InsideAsync(Count::Note(7))))
}

#[test]
fn plain_threads_ask_and_learn_what_became_of_the_question() {
    let runtime = runtime(2);
    let agent = runtime.spawn(counter().capacity(1)).unwrap();
    assert_eq!(agent.ask_blocking(LONG, Count::Get), Ok((0, 0)));
    assert_eq!(agent.ask_blocking(LONG, Count::Ignore), Err(AskError::Unanswered));
    let release = hold(&agent);
    assert_eq!(agent.ask_blocking(SHORT, Count::Get), Err(AskError::Timeout));
    // Whoever has left still takes a place.
    assert_eq!(agent.ask_blocking(LONG, Count::Get), Err(AskError::Overloaded));
    assert!(matches!(agent.send_blocking(Count::Note(7)), Err(TellError::Overloaded(Count::Note(7)))));
    drop(release);
    assert!(runtime.stop_blocking(LONG).is_clean());
    assert_eq!(agent.ask_blocking(LONG, Count::Get), Err(AskError::Stopped));
    assert!(matches!(agent.send_blocking(Count::Note(7)), Err(TellError::Stopped(Count::Note(7)))));
}

#[test]
fn a_blocking_send_waits_for_room_as_long_as_the_policy_says() {
    let runtime = runtime(1);
    let patient = runtime.spawn(counter().capacity(4).overflow(Overflow::Wait(LONG))).unwrap();
    let hasty = runtime.spawn(counter().capacity(1).overflow(Overflow::Wait(SHORT))).unwrap();
    let release = hold(&patient);
    hasty.tell(Count::Add).unwrap();
    assert!(matches!(hasty.send_blocking(Count::Note(7)), Err(TellError::Overloaded(Count::Note(7)))));
    // Four that send all the time: there is seldom room, and a place in line for each of them.
    let sends_all = |_| {
        let agent = patient.clone();
        std::thread::spawn(move || (0..500).all(|_| agent.send_blocking(Count::Add).is_ok()))
    };
    let senders: Vec<_> = (0..4).map(sends_all).collect();
    drop(release);
    assert!(senders.into_iter().all(|sender| sender.join().unwrap()));
    assert_eq!(patient.ask_blocking(LONG, Count::Get), Ok((2_000, 2_000)));
    assert!(runtime.stop_blocking(LONG).is_clean());
}

#[test]
fn nothing_is_sent_from_a_thread_of_tokio() {
    let runtime = runtime(1);
    let agent = runtime.spawn(counter()).unwrap();
    let one = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let many = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
    for tokio in [&one, &many] {
        let (entered, asked) = (tokio.enter(), agent.clone());
        assert!(is_refused(&agent), "whoever has entered it");
        drop(entered);
        assert!(tokio.block_on(async { is_refused(&agent) }), "its main task");
        assert!(tokio.block_on(tokio.spawn(async move { is_refused(&asked) })).unwrap(), "another task");
    }
    let asked = agent.clone();
    let in_the_pool = many.spawn_blocking(move || {
        // What the error advises works there.
        let answer = tokio::runtime::Handle::current().block_on(asked.ask(LONG, Count::Get));
        (is_refused(&asked), answer)
    });
    assert_eq!(many.block_on(in_the_pool).unwrap(), (true, Ok((0, 0))));
    assert_eq!(runtime.ledger().accepted, 1, "only what was awaited in the pool");
    assert_eq!(agent.ask_blocking(LONG, Count::Get), Ok((0, 0)), "a plain thread may block");
}

#[test]
fn nothing_is_sent_from_a_shard_whichever_runtime_it_belongs_to() {
    let (here, there) = (runtime(1), runtime(1));
    let agent = here.spawn(counter()).unwrap();
    for agent_of in [&here, &there] {
        let asked = agent.clone();
        let said = in_turn_and_in_work(&agent_of.spawn(obeys()).unwrap(), move || is_refused(&asked));
        assert_eq!([said.recv_timeout(LONG), said.recv_timeout(LONG)], [Ok(true), Ok(true)]);
    }
    simulated(1, |virtually| async move {
        assert!(is_refused(&virtually.spawn(counter()).unwrap()));
        assert!(is_refused(&agent));
    });
}

/// Asks when it is dropped.
struct LastWords(AgentRef<Count>, mpsc::Sender<bool>);

impl Drop for LastWords {
    fn drop(&mut self) {
        let _ = self.1.send(is_refused(&self.0));
    }
}

#[test]
fn nothing_is_sent_from_a_shard_that_ends() {
    let (here, there) = (runtime(1), runtime(1));
    let other = there.spawn(counter()).unwrap();
    let (sender, said) = mpsc::channel();
    let last_words = LastWords(other, sender);
    let waits = Told::to(move |turn| {
        let work = async move {
            let _kept = last_words;
            std::future::pending::<()>().await;
        };
        assert!(turn.start(work, |_| Told::to(|_| ())).is_ok());
    });
    let agent = here.spawn(obeys()).unwrap();
    assert!(agent.tell(waits).is_ok());
    wait(agent.ask(LONG, |reply| Told::to(move |_| reply.send(())))).unwrap();
    drop(here);
    assert_eq!(said.recv_timeout(LONG), Ok(true));
}
