//! Is an agent that nobody needs put away, and brought back by its next message, without losing or reordering any?

mod common;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callboard_actors::agent::{Agent, Turn};
use callboard_actors::event::CancelReason;
use callboard_actors::mailbox::{AgentRef, AgentSpec, Reply};
use callboard_actors::runtime::simulated;
use callboard_actors::scope::Scope;
use callboard_actors::supervision::{Down, ExitReason, Next};
use callboard_actors::testkit::explore;
use common::{Count, Counter, LONG, counter, runtime, until, wait};
use tokio::time::Instant;

const REST: Duration = Duration::from_secs(10);

/// What a shopkeeper has sold, by customer: in its hands while it is there, on the shelf while it is away.
type Shelf = Arc<Mutex<BTreeMap<u64, Vec<u64>>>>;

struct Keeper {
    sold: BTreeMap<u64, Vec<u64>>,
    shelf: Shelf,
    stays: bool,
}

enum Trade {
    Buy { customer: u64, number: u64 },
    Sold(Reply<BTreeMap<u64, Vec<u64>>>),
    Stay(bool),
    Work(Duration),
    Timer(Duration),
    Child,
    Over,
}

impl Agent for Keeper {
    type Message = Trade;

    fn put_away(&mut self) -> bool {
        if !self.stays {
            *self.shelf.lock().unwrap() = std::mem::take(&mut self.sold);
        }
        !self.stays
    }

    fn handle(&mut self, trade: Trade, turn: &mut Turn<'_, Trade>) {
        match trade {
            Trade::Buy { customer, number } => self.sold.entry(customer).or_default().push(number),
            Trade::Sold(reply) => reply.send(self.sold.clone()),
            Trade::Stay(stays) => self.stays = stays,
            Trade::Work(long) => assert!(turn.start(tokio::time::sleep(long), |_| Trade::Over).is_ok()),
            Trade::Timer(long) => turn.after(long, Trade::Over).unwrap(),
            Trade::Child => drop(turn.spawn(counter()).unwrap()),
            Trade::Over => {}
        }
    }
}

fn keeper() -> (AgentSpec<Keeper>, Shelf) {
    let shelf = Shelf::default();
    let ours = shelf.clone();
    let factory = move || Keeper { sold: ours.lock().unwrap().clone(), shelf: ours.clone(), stays: false };
    (AgentSpec::new("keeper", factory).idle_after(REST).capacity(10_000), shelf)
}

fn buy(agent: &AgentRef<Trade>, number: u64) {
    agent.tell(Trade::Buy { customer: 0, number }).unwrap();
}

#[test]
fn an_idle_agent_is_put_away_and_comes_back_with_what_it_saved() {
    simulated(1, |runtime| async move {
        let (spec, shelf) = keeper();
        let agent = runtime.spawn(spec).unwrap();
        let downs = Arc::new(Mutex::new(Vec::new()));
        let heard = downs.clone();
        agent.watch(move |down| heard.lock().unwrap().push((down.incarnation, down.reason.clone(), down.next)));
        buy(&agent, 1);
        tokio::time::sleep(REST).await;
        assert!(!agent.info().is_away && shelf.lock().unwrap().is_empty(), "it is given time");
        tokio::time::sleep(2 * REST).await;
        assert!(agent.info().is_away);
        assert_eq!(shelf.lock().unwrap()[&0], [1]);
        assert_eq!(*downs.lock().unwrap(), [(1, ExitReason::Idle, Next::Restarts)]);
        let found = runtime.directory().find::<Trade>(agent.id()).unwrap();
        buy(&found, 2);
        assert_eq!(agent.ask(LONG, Trade::Sold).await.unwrap()[&0], [1, 2]);
        let info = agent.info();
        assert_eq!((info.is_away, info.put_away, info.restarts, info.dead_letters), (false, 1, 0, 0));
        tokio::time::sleep(3 * REST).await;
        assert_eq!(agent.info().put_away, 2, "and is put away again");
        assert!(runtime.stop(LONG).await.is_clean());
        assert_eq!(agent.gone().await.reason, ExitReason::Stopped);
    });
}

#[test]
fn an_agent_that_is_needed_stays() {
    type Case = (&'static str, fn() -> Trade, fn() -> Trade);
    let cases: [Case; 4] = [
        ("it says so", || Trade::Stay(true), || Trade::Stay(false)),
        ("work", || Trade::Work(9 * REST), || Trade::Over),
        ("a timer", || Trade::Timer(9 * REST), || Trade::Over),
        ("a child", || Trade::Child, || Trade::Over),
    ];
    for (what, begin, end) in cases {
        simulated(1, |runtime| async move {
            let (spec, _shelf) = keeper();
            let agent = runtime.spawn(spec).unwrap();
            agent.tell(begin()).unwrap();
            tokio::time::sleep(8 * REST).await;
            assert_eq!(agent.info().put_away, 0, "{what}");
            agent.tell(end()).unwrap();
            for other in runtime.directory().list().iter().filter(|other| other.id != agent.id()) {
                assert!(runtime.directory().stop(other.id));
            }
            tokio::time::sleep(4 * REST).await;
            assert_eq!(agent.info().put_away, 1, "{what}");
        });
    }
}

/// Messages to one agent that comes and goes, with pauses of about the time after which it goes.
async fn trade(agent: AgentRef<Trade>, customer: u64, pauses: impl Iterator<Item = u64>) {
    for (number, pause) in (0..).zip(pauses) {
        tokio::time::sleep(Duration::from_millis(pause)).await;
        agent.tell(Trade::Buy { customer, number }).unwrap();
    }
}

#[test]
fn no_message_is_lost_or_overtaken_while_it_comes_and_goes() {
    let gone = Mutex::new(0);
    explore(0..200, |seed, runtime, log| {
        let gone = &gone;
        async move {
            let (spec, _shelf) = keeper();
            let agent = runtime.spawn(spec.idle_after(Duration::from_millis(20))).unwrap();
            let customers: Vec<_> = (0..3)
                .map(|customer| {
                    let pauses = (0..30).map(move |number| (seed * 7 + customer * 5 + number * number) % 61);
                    tokio::task::spawn_local(trade(agent.clone(), customer, pauses))
                })
                .collect();
            for customer in customers {
                customer.await.unwrap();
            }
            let sold = agent.ask(LONG, Trade::Sold).await.unwrap();
            log.note(format!("{sold:?} {:?}", agent.info()));
            for customer in 0..3 {
                assert_eq!(sold[&customer], (0..30).collect::<Vec<_>>());
            }
            *gone.lock().unwrap() += agent.info().put_away;
            let handle = runtime.handle();
            runtime.stop(LONG).await;
            assert!(handle.ledger().balances() && handle.ledger().dead_letters() == 0, "{:?}", handle.ledger());
        }
    });
    let gone = *gone.lock().unwrap();
    assert!(gone > 1000, "it went only {gone} times: the pauses are too short for this test to show anything");
}

#[test]
fn nor_on_real_threads() {
    const MESSAGES: u64 = 40;
    let runtime = runtime(2);
    let (spec, _shelf) = keeper();
    let agent = runtime.spawn(spec.idle_after(Duration::ZERO)).unwrap();
    let customers: Vec<_> = (0..3)
        .map(|customer| {
            let agent = agent.clone();
            std::thread::spawn(move || {
                for number in 0..MESSAGES {
                    agent.tell(Trade::Buy { customer, number }).unwrap();
                    // Until it has gone once more, or somebody else keeps it.
                    let times = agent.info().put_away;
                    let _bound = (0..100_000).find(|_| {
                        std::thread::yield_now();
                        agent.info().put_away > times
                    });
                }
            })
        })
        .collect();
    customers.into_iter().for_each(|customer| customer.join().unwrap());
    assert!(agent.info().put_away > 3, "it went {} times", agent.info().put_away);
    let sold = wait(agent.ask(LONG, Trade::Sold)).unwrap();
    for customer in 0..3 {
        assert_eq!(sold[&customer], (0..MESSAGES).collect::<Vec<_>>());
    }
    let handle = runtime.handle();
    assert!(runtime.stop_blocking(LONG).is_clean());
    assert!(handle.ledger().balances() && handle.ledger().dead_letters() == 0);
}

/// Watches somebody from its start on.
struct Watches {
    other: AgentRef<Count>,
    heard: Arc<Mutex<Vec<ExitReason>>>,
}

impl Agent for Watches {
    type Message = Down;

    fn started(&mut self, turn: &mut Turn<'_, Down>) {
        turn.watch(&self.other, |down| down);
    }

    fn handle(&mut self, down: Down, _turn: &mut Turn<'_, Down>) {
        self.heard.lock().unwrap().push(down.reason);
    }
}

#[test]
fn one_that_watches_somebody_stays_to_hear_of_the_end() {
    simulated(1, |runtime| async move {
        let other = runtime.spawn(counter()).unwrap();
        let (watched, heard) = (other.clone(), Arc::<Mutex<Vec<_>>>::default());
        let hears = heard.clone();
        let factory = move || Watches { other: watched.clone(), heard: hears.clone() };
        let agent = runtime.spawn(AgentSpec::new("watches", factory).idle_after(REST)).unwrap();
        tokio::time::sleep(5 * REST).await;
        assert_eq!(agent.info().put_away, 0);
        other.stop();
        tokio::time::sleep(5 * REST).await;
        assert_eq!((&*heard.lock().unwrap(), agent.info().put_away), (&vec![ExitReason::Stopped], 1));
    });
}

#[test]
fn only_one_that_is_away_is_said_to_be() {
    simulated(1, |runtime| async move {
        let fails = Arc::new(AtomicBool::new(false));
        let failing = fails.clone();
        let factory = move || {
            if failing.load(Ordering::Relaxed) {
                std::panic::resume_unwind(Box::new("not now"));
            }
            Counter::default()
        };
        let agent = runtime.spawn(AgentSpec::new("comes and goes", factory).idle_after(REST)).unwrap();
        tokio::time::sleep(3 * REST).await;
        assert!(agent.info().is_away);
        fails.store(true, Ordering::Relaxed);
        agent.tell(Count::Add).unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(!agent.info().is_away && agent.info().restarts == 1, "it waits for its restart");
        fails.store(false, Ordering::Relaxed);
        assert_eq!(agent.ask(LONG, Count::Get).await, Ok((1, 1)));
        tokio::time::sleep(3 * REST).await;
        assert!(agent.info().is_away);
        agent.stop();
        agent.gone().await;
        assert!(!agent.info().is_away && agent.info().gone);
    });
}

/// Dies of being put away; remembers when it was asked.
struct Frail(Arc<Mutex<Vec<Duration>>>, Instant);

impl Agent for Frail {
    type Message = ();

    fn put_away(&mut self) -> bool {
        self.0.lock().unwrap().push(self.1.elapsed());
        std::panic::resume_unwind(Box::new("cannot let go"))
    }

    fn handle(&mut self, (): (), _turn: &mut Turn<'_, ()>) {}
}

#[test]
fn a_panic_while_it_is_put_away_is_a_death_like_any_other() {
    simulated(1, |runtime| async move {
        let spec = |rest| {
            let (asked, began) = (Arc::<Mutex<Vec<_>>>::default(), Instant::now());
            let times = asked.clone();
            (AgentSpec::new("frail", move || Frail(times.clone(), began)).idle_after(rest), asked)
        };
        let (rarely, asked) = spec(Duration::from_secs(10));
        let rarely = runtime.spawn(rarely).unwrap();
        tokio::time::sleep(Duration::from_secs(35)).await;
        let seconds: Vec<_> = asked.lock().unwrap().iter().map(Duration::as_secs).collect();
        assert_eq!((seconds, rarely.info().gone), (vec![10, 20, 30], false), "each incarnation rests first");
        let agent = runtime.spawn(spec(Duration::from_millis(500)).0).unwrap();
        let down = agent.gone().await;
        assert_eq!((down.incarnation, &down.reason), (2, &ExitReason::Panicked("cannot let go".to_owned())));
        assert_eq!(agent.info().put_away, 0);
    });
}

#[test]
fn one_that_is_away_ends_with_its_runtime_its_scope_and_its_stop() {
    let away = |agent: &AgentRef<Trade>| {
        while !agent.info().is_away {
            std::thread::yield_now();
        }
    };
    let spec = || keeper().0.idle_after(Duration::ZERO);
    let runtime = runtime(1);
    let scope = Scope::root();
    let [dropped, stopped] = [(); 2].map(|()| runtime.spawn(spec()).unwrap());
    let scoped = runtime.spawn(spec().scope(scope.clone())).unwrap();
    [&dropped, &stopped, &scoped].into_iter().for_each(away);
    stopped.stop();
    assert_eq!(wait(stopped.gone()).reason, ExitReason::Stopped);
    scope.cancel(CancelReason::Redundant);
    assert_eq!(wait(scoped.gone()).reason, ExitReason::Stopped);
    drop(runtime);
    assert_eq!(wait(dropped.gone()).reason, ExitReason::Abandoned);
}

/// Watches another agent, and counts its notices.
struct Listens {
    other: Option<AgentRef<Count>>,
    heard: Arc<Mutex<Vec<Down>>>,
    begun: std::sync::mpsc::Sender<()>,
}

impl Agent for Listens {
    type Message = Down;

    fn started(&mut self, turn: &mut Turn<'_, Down>) {
        if let Some(other) = self.other.take() {
            turn.watch(&other, |down| down);
        }
        self.begun.send(()).unwrap();
    }

    fn handle(&mut self, down: Down, _turn: &mut Turn<'_, Down>) {
        self.heard.lock().unwrap().push(down);
    }
}

#[test]
fn one_that_watches_somebody_on_another_shard_is_not_put_away_before_it_has_heard_of_the_end() {
    let runtime = runtime(8);
    let other = runtime.spawn(counter()).unwrap();
    let release = Arc::new(AtomicBool::new(false));
    let is_released = release.clone();
    // It is told first, and keeps those behind it waiting.
    other.watch(move |_| until(|| is_released.load(Ordering::SeqCst)));
    let heard = Arc::<Mutex<Vec<_>>>::default();
    let (begun, has_begun) = std::sync::mpsc::channel();
    let watcher = loop {
        let (heard, begun) = (heard.clone(), begun.clone());
        // Only the first incarnation watches.
        let first = Mutex::new(Some(other.clone()));
        let factory =
            move || Listens { other: first.lock().unwrap().take(), heard: heard.clone(), begun: begun.clone() };
        let watcher = runtime.spawn(AgentSpec::new("watches", factory).idle_after(Duration::from_millis(2))).unwrap();
        has_begun.recv_timeout(LONG).unwrap();
        if watcher.info().shard != other.info().shard {
            break watcher;
        }
        watcher.stop();
    };
    other.stop();
    until(|| other.info().gone);
    // It rests now for many times as long as it takes to be put away.
    let neighbour = runtime.spawn(counter().idle_after(Duration::from_millis(2))).unwrap();
    for times in 1..4 {
        wait(neighbour.ask(LONG, Count::Get)).unwrap();
        until(|| neighbour.info().put_away == times);
    }
    assert_eq!(watcher.info().put_away, 0, "the notice has yet to come");
    release.store(true, Ordering::SeqCst);
    until(|| !heard.lock().unwrap().is_empty());
    until(|| watcher.info().put_away == 1);
    assert_eq!(heard.lock().unwrap().len(), 1);
}
