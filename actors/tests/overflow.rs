//! What happens to messages that come to a full mailbox, under each policy?

mod common;

use std::time::Duration;

use callboard_actors::agent::{Agent, Turn};
use callboard_actors::error::{AskError, TellError};
use callboard_actors::mailbox::{AgentRef, AgentSpec, DeadLetter, Overflow, Reply};
use callboard_actors::runtime::simulated;
use callboard_actors::supervision::{Backoff, RestartPolicy};
use common::{Count, LONG};
use tokio::time::Instant;

/// Handles one number each time it is let go on, in virtual time.
#[derive(Default)]
struct Slow {
    seen: Vec<u32>,
}

enum Work {
    Number(u32),
    Question(u32, Reply<u32>),
    Seen(Reply<Vec<u32>>),
}

impl Agent for Slow {
    type Message = Work;

    fn handle(&mut self, message: Work, _turn: &mut Turn<'_, Work>) {
        match message {
            Work::Number(number) => self.seen.push(number),
            Work::Question(number, reply) => {
                self.seen.push(number);
                reply.send(number);
            }
            Work::Seen(reply) => reply.send(self.seen.clone()),
        }
    }
}

fn slow(capacity: usize, overflow: Overflow) -> AgentSpec<Slow> {
    AgentSpec::new("slow", Slow::default).capacity(capacity).overflow(overflow)
}

async fn seen(agent: &AgentRef<Work>) -> Vec<u32> {
    agent.ask(LONG, Work::Seen).await.expect("it lives")
}

#[test]
fn dropping_the_oldest_keeps_the_newest_and_counts_what_it_drops() {
    simulated(1, |runtime| async move {
        let agent = runtime.spawn(slow(3, Overflow::DropOldest)).unwrap();
        let question = agent.ask(LONG, |reply| Work::Question(0, reply));
        for number in 1..=9 {
            agent.tell(Work::Number(number)).expect("there is always room");
        }
        assert_eq!(agent.info().depth, 3);
        assert_eq!(question.await, Err(AskError::Overloaded), "the question was the oldest");
        while agent.info().depth > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(seen(&agent).await, [7, 8, 9]);
        let ledger = runtime.ledger();
        assert!(ledger.dead(DeadLetter::Overflowed) == 7 && ledger.balances(), "{ledger:?}");
    });
}

#[test]
fn who_waits_in_line_comes_in_in_order_and_a_tell_overtakes_nobody() {
    simulated(2, |runtime| async move {
        let agent = runtime.spawn(slow(2, Overflow::Wait(Duration::from_secs(5)))).unwrap();
        agent.tell(Work::Number(1)).unwrap();
        agent.tell(Work::Number(2)).unwrap();
        assert!(matches!(agent.tell(Work::Number(9)), Err(TellError::Overloaded(Work::Number(9)))));
        let question = agent.ask(LONG, |reply| Work::Question(3, reply));
        let (third, waits) = (agent.clone(), agent.clone());
        let sent = tokio::task::spawn_local(async move { third.send(Work::Number(4)).await.is_ok() });
        assert!(matches!(waits.tell(Work::Number(9)), Err(TellError::Overloaded(_))));
        assert_eq!(question.await, Ok(3));
        assert!(sent.await.unwrap());
        assert_eq!(seen(&agent).await, [1, 2, 3, 4]);
        assert!(runtime.ledger().balances());
    });
}

#[test]
fn a_wait_ends_at_the_policys_deadline_with_the_message_in_hand() {
    simulated(5, |runtime| async move {
        let backoff = Backoff { first: LONG, longest: LONG, ..Backoff::default() };
        let policy = RestartPolicy { backoff, ..RestartPolicy::default() };
        let limit = Duration::from_millis(30);
        let spec = common::counter().capacity(1).overflow(Overflow::Wait(limit)).restart(policy);
        let agent = runtime.spawn(spec).unwrap();
        agent.tell(Count::Quiet).unwrap();
        while agent.info().restarts == 0 {
            tokio::task::yield_now().await;
        }
        // It is away for a while, and its mailbox is full.
        agent.tell(Count::Note(1)).unwrap();
        let began = Instant::now();
        let refused = agent.send(Count::Note(2)).await;
        assert!(matches!(refused, Err(TellError::Overloaded(Count::Note(2)))));
        assert!(began.elapsed() >= limit && began.elapsed() < LONG / 2, "{:?}", began.elapsed());
        assert_eq!(agent.ask(limit, Count::Seen).await, Err(AskError::Timeout));
        assert_eq!(agent.ask(LONG * 2, Count::Seen).await, Ok(vec![1]), "what left the line is not handled");
    });
}

#[test]
fn a_stop_sends_the_line_away_and_a_dropped_send_leaves_it() {
    simulated(3, |runtime| async move {
        let agent = runtime.spawn(slow(1, Overflow::Wait(LONG))).unwrap();
        agent.tell(Work::Number(1)).unwrap();
        {
            // Polled once, so that it is in line, and dropped.
            let mut left = std::pin::pin!(agent.send(Work::Number(2)));
            assert!(futures_util::poll!(left.as_mut()).is_pending());
        }
        let mut waits = std::pin::pin!(agent.send(Work::Number(3)));
        assert!(futures_util::poll!(waits.as_mut()).is_pending());
        agent.stop();
        assert!(matches!(waits.await, Err(TellError::Stopped(Work::Number(3)))));
        agent.gone().await;
        let ledger = runtime.ledger();
        assert!(ledger.accepted == 1 && ledger.balances(), "{ledger:?}");
    });
}

#[test]
fn a_question_in_line_learns_that_the_agent_stopped() {
    simulated(4, |runtime| async move {
        let agent = runtime.spawn(slow(1, Overflow::Wait(LONG))).unwrap();
        agent.tell(Work::Number(1)).unwrap();
        let question = agent.ask(LONG, |reply| Work::Question(2, reply));
        agent.drain();
        assert_eq!(question.await, Err(AskError::Stopped));
        agent.gone().await;
        assert_eq!(agent.info().handled, 1);
    });
}
