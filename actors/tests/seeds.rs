//! Do the promises of the core hold under a thousand interleavings? Crashes, time-outs, cancellations and overload on
//! virtual time.
//!
//! A failing seed is printed with the command that runs it alone.

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callboard_actors::agent::{Agent, Turn};
use callboard_actors::error::AskError;
use callboard_actors::event::CancelReason;
use callboard_actors::mailbox::{AgentRef, AgentSpec, Reply};
use callboard_actors::runtime::Runtime;
use callboard_actors::scope::Scope;
use callboard_actors::supervision::{Backoff, RestartPolicy};
use callboard_actors::testkit::{Log, explore};
use common::chance::{Dice, seeds};

/// Notes what it gets, crashes on some of it, and answers some of it late.
struct Clerk {
    number: usize,
    incarnation: u64,
    log: Log,
    /// The last number of each sender that this incarnation has seen.
    seen: BTreeMap<u64, u64>,
}

enum Paper {
    /// From a sender, with its number, to be answered after so many milliseconds; the last one never is.
    Form {
        sender: u64,
        number: u64,
        reply: Reply<u64>,
        late: Option<u64>,
    },
    Note {
        sender: u64,
        number: u64,
        burns: bool,
    },
    Over,
}

impl Clerk {
    fn in_order(&mut self, sender: u64, number: u64) {
        let before = self.seen.insert(sender, number);
        assert!(before.is_none_or(|before| before < number), "{before:?} before {number} from {sender}");
        self.log.note(format!("clerk {} life {} reads {sender}:{number}", self.number, self.incarnation));
    }
}

impl Agent for Clerk {
    type Message = Paper;

    fn handle(&mut self, paper: Paper, turn: &mut Turn<'_, Paper>) {
        match paper {
            Paper::Form { sender, number, reply, late } => {
                self.in_order(sender, number);
                match late {
                    Some(0) => reply.send(number),
                    Some(late) => {
                        let work = async move {
                            tokio::time::sleep(Duration::from_millis(late)).await;
                            reply.send(number);
                        };
                        let _refused_with_its_reply = turn.start(work, |_| Paper::Over);
                    }
                    None => drop(reply),
                }
            }
            Paper::Note { sender, number, burns } => {
                self.in_order(sender, number);
                if burns {
                    // Without the panic hook, which would print each of them.
                    std::panic::resume_unwind(Box::new("burnt on purpose"));
                }
            }
            Paper::Over => {}
        }
    }
}

/// What a scenario counts.
#[derive(Default)]
struct Tally {
    asked: u64,
    answers: BTreeMap<&'static str, u64>,
    /// The incarnations whose end was announced, by clerk.
    ends: BTreeMap<usize, Vec<u32>>,
}

fn clerk(number: usize, log: &Log) -> AgentSpec<Clerk> {
    let (log, lives) = (log.clone(), Arc::new(Mutex::new(0)));
    let factory = move || {
        let mut lives = lives.lock().unwrap();
        *lives += 1;
        Clerk { number, incarnation: *lives, log: log.clone(), seen: BTreeMap::new() }
    };
    let backoff = Backoff { first: Duration::from_millis(2), longest: Duration::from_millis(20), ..Backoff::default() };
    let policy = RestartPolicy { max_restarts: 3, within: Duration::from_millis(200), backoff };
    AgentSpec::new(format!("clerk-{number}"), factory).capacity(3).max_work(2).restart(policy)
}

/// Sends papers to all clerks for a while; every question must come to an end in its time.
async fn sender(sender: u64, clerks: Vec<AgentRef<Paper>>, mut dice: Dice, tally: Arc<Mutex<Tally>>) {
    for number in 0..12 {
        let clerk = &clerks[usize::try_from(dice.roll(clerks.len() as u64)).unwrap()];
        if dice.roll(3) == 0 {
            let burns = dice.roll(4) == 0;
            let _refused = clerk.tell(Paper::Note { sender, number, burns });
        } else {
            let late = Some(dice.roll(30)).filter(|late| *late < 25);
            let within = Duration::from_millis(1 + dice.roll(20));
            let answer = clerk.ask(within, |reply| Paper::Form { sender, number, reply, late });
            tally.lock().unwrap().asked += 1;
            let left = dice.roll(5) == 0;
            let answer = if left {
                drop(answer);
                Err(AskError::Timeout)
            } else {
                let began = tokio::time::Instant::now();
                let answer = answer.await;
                // A millisecond is the grain of the timers.
                assert!(began.elapsed() <= within + Duration::from_millis(1));
                assert!(answer.is_err() || answer == Ok(number));
                answer
            };
            *tally.lock().unwrap().answers.entry(answer.map_or_else(|error| error.code(), |_| "ok")).or_default() += 1;
        }
        if dice.roll(2) == 0 {
            tokio::time::sleep(Duration::from_millis(dice.roll(6))).await;
        }
    }
}

async fn office(seed: u64, runtime: Runtime, log: Log) {
    let mut dice = Dice(seed);
    let tally = Arc::new(Mutex::new(Tally::default()));
    let scope = Scope::root();
    let clerks: Vec<_> = (0..3)
        .map(|number| {
            let spec = if number == 0 { clerk(number, &log).scope(scope.clone()) } else { clerk(number, &log) };
            let agent = runtime.spawn(spec).unwrap();
            let (tally, log) = (tally.clone(), log.clone());
            agent.watch(move |down| {
                log.note(format!("clerk {number} down {} {:?} {:?}", down.incarnation, down.reason, down.next));
                tally.lock().unwrap().ends.entry(number).or_default().push(down.incarnation);
            });
            agent
        })
        .collect();
    let senders: Vec<_> = (0..4)
        .map(|number| {
            let dice = Dice(seed ^ (number << 32) ^ 1);
            tokio::task::spawn_local(sender(number, clerks.clone(), dice, tally.clone()))
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(dice.roll(40))).await;
    match dice.roll(4) {
        0 => scope.cancel(CancelReason::Redundant),
        1 => clerks[1].stop(),
        2 => clerks[2].drain(),
        _ => {}
    }
    let early = dice.roll(4) == 0;
    if !early {
        for sender in senders {
            sender.await.expect("no sender panics");
        }
    }
    let handle = runtime.handle();
    let within = Duration::from_millis(dice.roll(50));
    let began = tokio::time::Instant::now();
    runtime.stop(within).await;
    assert!(began.elapsed() <= within + Duration::from_secs(2), "the stop took {:?}", began.elapsed());
    for clerk in &clerks {
        let down = clerk.gone().await;
        assert_eq!((clerk.info().depth, clerk.info().pending), (0, 0));
        log.note(format!("gone {down:?}"));
    }
    let ledger = handle.ledger();
    log.note(format!("{ledger:?}"));
    assert!(ledger.balances() && ledger.pending == 0, "{ledger:?}");
    let tally = tally.lock().unwrap();
    log.note(format!("{:?} {:?}", tally.answers, tally.ends));
    if !early {
        assert_eq!(tally.asked, tally.answers.values().sum::<u64>(), "each question has one answer");
    }
    for ends in tally.ends.values() {
        let lives: Vec<u32> = (1..=u32::try_from(ends.len()).unwrap()).collect();
        assert_eq!(*ends, lives, "one notice for each incarnation");
    }
}

#[test]
fn a_thousand_interleavings_keep_every_promise_of_the_core() {
    explore(seeds(1000), office);
}

#[test]
fn seeds_explore_different_interleavings_of_one_program() {
    let stories = Mutex::new(std::collections::BTreeSet::new());
    explore(0..200, |_, runtime, log| {
        let stories = &stories;
        async move {
            let clerks: Vec<_> = (0..8).map(|number| runtime.spawn(clerk(number, &log)).unwrap()).collect();
            for number in 0..3 {
                for agent in &clerks {
                    agent.tell(Paper::Note { sender: 0, number, burns: false }).unwrap();
                }
            }
            runtime.stop(common::LONG).await;
            stories.lock().unwrap().insert(log.all());
        }
    });
    let different = stories.lock().unwrap().len();
    assert!(different > 100, "{different} of 200 seeds had an interleaving of their own");
}

#[test]
fn a_failing_seed_is_printed_with_the_command_that_shows_it_again() {
    let explored =
        std::panic::catch_unwind(|| explore(0..9, |seed, _, _| async move { assert_ne!(seed, 7, "unlucky") }));
    let panic = explored.expect_err("seed 7 fails");
    let text = panic.downcast_ref::<String>().expect("a panic with a text");
    assert!(text.starts_with("seed 7 fails: ") && text.contains("unlucky"), "{text}");
    let test = "a_failing_seed_is_printed_with_the_command_that_shows_it_again";
    assert_eq!(text.lines().last(), Some(&*format!("to see it again: CALLBOARD_SEED=7 cargo test {test}")), "{text}");
}

#[test]
fn a_scenario_that_does_not_repeat_itself_is_found() {
    let outside = Mutex::new(0);
    let explored = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        explore(0..1, |_, _runtime, log| {
            let mut outside = outside.lock().unwrap();
            *outside += 1;
            log.note(*outside);
            async {}
        });
    }));
    let panic = explored.expect_err("the second run differs");
    let text = panic.downcast_ref::<String>().expect("a panic with a text");
    assert!(text.starts_with("seed 0 does not repeat itself."), "{text}");
    assert!(text.ends_with("CALLBOARD_SEED=0 cargo test a_scenario_that_does_not_repeat_itself_is_found"), "{text}");
}
