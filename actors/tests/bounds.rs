//! Does what an agent asks for itself stay within bounds, too?

mod common;

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use callboard_actors::agent::{Agent, Turn, WorkError};
use callboard_actors::mailbox::{AgentRef, AgentSpec, DeadLetter, Reply};
use callboard_actors::runtime::simulated;
use callboard_actors::supervisor::{Collect, FanOutLimits};
use common::{Count, LONG, counter, runtime, tenacious};

/// Sets its one timer and starts its one piece of work at each start.
struct Listener {
    starts: Arc<Mutex<Vec<Result<(), WorkError>>>>,
}

enum Listen {
    Work(Result<(), WorkError>),
    Timer,
    Panic,
}

impl Agent for Listener {
    type Message = Listen;

    fn started(&mut self, turn: &mut Turn<'_, Listen>) {
        assert!(turn.start(std::future::pending::<()>(), Listen::Work).is_ok());
        self.starts.lock().unwrap().push(turn.after(Duration::from_secs(60), Listen::Timer));
    }

    fn handle(&mut self, message: Listen, _turn: &mut Turn<'_, Listen>) {
        match message {
            Listen::Work(ended) => self.starts.lock().unwrap().push(ended),
            Listen::Timer => {}
            Listen::Panic => panic!("on purpose"),
        }
    }
}

#[test]
fn work_of_a_dead_incarnation_takes_no_place_from_the_next() {
    simulated(1, |runtime| async move {
        let starts = Arc::new(Mutex::default());
        let seen = starts.clone();
        let factory = move || Listener { starts: seen.clone() };
        let spec = AgentSpec::new("listener", factory).max_work(1).restart(tenacious());
        let agent = runtime.spawn(spec).unwrap();
        agent.tell(Listen::Panic).unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(*starts.lock().unwrap(), [Ok(()), Ok(())]);
    });
}

#[test]
fn a_task_deadline_that_is_for_ever_is_no_panic() {
    simulated(1, |runtime| async move {
        let limits = FanOutLimits { task_deadline: Some(Duration::MAX), ..FanOutLimits::default() };
        let mut replies = runtime.fan_out([1], Collect::All, limits, |task, _| async move { Ok::<u64, String>(task) });
        assert_eq!(replies.next().await, Some((0, Ok(1))));
    });
}

#[test]
fn notices_do_not_pile_up_beyond_every_bound() {
    let runtime = runtime(8);
    // Ids are spread over the shards; this finds two agents that do not share one.
    let (watched, watcher, release) = loop {
        let watched = runtime.spawn(counter().restart(tenacious())).unwrap();
        let watches = watched.clone();
        let spec = AgentSpec::new("slow", move || Slow { watched: watches.clone() }).capacity(4).max_work(4);
        let watcher = runtime.spawn(spec).unwrap();
        let (entered, is_held) = mpsc::channel();
        let (release, until) = mpsc::channel::<()>();
        watcher.tell(Some((entered, until))).unwrap();
        is_held.recv_timeout(LONG).unwrap();
        if watched.info().shard != watcher.info().shard {
            break (watched, watcher, release);
        }
    };
    let mut died = 0;
    while died < 5000 {
        died += u32::from(watched.tell(Count::Quiet).is_ok());
    }
    while watched.info().pending > 0 {
        std::thread::yield_now();
    }
    let most = watcher.info().pending;
    drop(release);
    assert!(most <= 100, "{most} messages wait for an agent whose capacity is 4");
    assert!(runtime.ledger().dead(DeadLetter::Overflowed) > 4000);
}

/// Starts far more work than it may, and counts what was refused.
struct Greedy {
    refused: u32,
}

enum Greed {
    Begin,
    Over(Result<(), WorkError>),
    Refused(Reply<u32>),
}

impl Agent for Greedy {
    type Message = Greed;

    fn handle(&mut self, message: Greed, turn: &mut Turn<'_, Greed>) {
        match message {
            Greed::Begin => {
                for _ in 0..20_000 {
                    if let Err(refused) = turn.start(std::future::ready(()), Greed::Over) {
                        self.handle(refused, turn);
                    }
                }
            }
            Greed::Over(ended) => self.refused += u32::from(ended == Err(WorkError::Overloaded)),
            Greed::Refused(reply) => reply.send(self.refused),
        }
    }
}

#[test]
fn work_takes_its_place_until_its_result_is_handled_and_what_is_refused_says_so_at_once() {
    simulated(1, |runtime| async move {
        let spec = AgentSpec::new("greedy", || Greedy { refused: 0 }).capacity(4).max_work(4);
        let agent = runtime.spawn(spec).unwrap();
        let mut most = 0;
        for _ in 0..4 {
            agent.tell(Greed::Begin).unwrap();
        }
        while agent.info().handled < 8 {
            tokio::task::yield_now().await;
            most = most.max(agent.info().pending);
        }
        assert!(most <= 8, "{most} messages wait for an agent that may have 4 and 4");
        // Of the four times 20,000 only four found a place before the first result was handled.
        assert_eq!(agent.ask(LONG, Greed::Refused).await, Ok(80_000 - 4));
    });
}

/// Watches.
struct Slow {
    watched: AgentRef<Count>,
}

impl Agent for Slow {
    type Message = Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>;

    fn started(&mut self, turn: &mut Turn<'_, Self::Message>) {
        turn.watch(&self.watched, |_down| None);
    }

    fn handle(&mut self, message: Self::Message, _turn: &mut Turn<'_, Self::Message>) {
        if let Some((entered, release)) = message {
            let _ = entered.send(());
            let _ = release.recv();
        }
    }
}
