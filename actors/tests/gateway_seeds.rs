//! Do the gateway's promises hold whatever becomes of the calls? Hundreds of interleavings on virtual time.

mod common;

use std::sync::Arc;
use std::time::Duration;

use callboard_actors::chat::ChatRequest;
use callboard_actors::gateway::{Budget, BudgetLimits, Gateway, GatewayLimits, ModelLimits, ServedModel};
use callboard_actors::runtime::Runtime;
use callboard_actors::testkit::{Log, explore};
use common::chance::{Dice, seeds};
use common::model::{SECOND, Scripted, limits, request};
use futures_util::future::{Either, join_all, select};

const STEPS: [&str; 12] =
    ["x", "x", "ab-cd", "silent y", "down", "down 2", "rate 1", "busy 1", "cut", "cut ab", "reject", "hang"];
const BUDGET: u64 = 1_500;
const PLACES: [usize; 2] = [2, 3];
const TOTAL: usize = 4;

/// Asks some models for something, and sometimes leaves before there is an answer.
async fn caller(gateway: Gateway, number: u64, mut dice: Dice, budget: Budget, log: Log) {
    for round in 0..3 {
        tokio::time::sleep(Duration::from_millis(dice.roll(3_000))).await;
        let script = match dice.roll(20) {
            0 => "panic",
            1 => "panic at once",
            _ => dice.pick(&STEPS),
        };
        let mut call = gateway.call(dice.pick(&["one", "two"]), request(script)).budget(&budget);
        if dice.roll(3) == 0 {
            call = call.within(SECOND * u32::try_from(dice.roll(8)).unwrap());
        }
        let answer = match dice.roll(3) {
            0 => {
                let (call, mut pieces) = call.streamed();
                let reading = async { while pieces.next().await.is_some() {} };
                tokio::join!(call.send(), reading).0
            }
            1 => {
                let patience = Box::pin(tokio::time::sleep(Duration::from_millis(dice.roll(4_000))));
                match select(Box::pin(call.send()), patience).await {
                    Either::Left((answer, _)) => answer,
                    Either::Right(_) => {
                        log.note(format!("{number}.{round} left"));
                        continue;
                    }
                }
            }
            _ => call.send().await,
        };
        log.note(format!(
            "{number}.{round} {script}: {}",
            answer.map_or_else(|error| error.code().to_owned(), |ok| ok.reply.text)
        ));
    }
}

async fn scenario(seed: u64, runtime: Runtime, log: Log) {
    let models = [Arc::new(Scripted::default()), Arc::new(Scripted::default())];
    let served = ["one", "two"].into_iter().zip(&models).zip(PLACES).map(|((name, model), max_in_flight)| {
        let limits =
            ModelLimits { max_in_flight: Some(max_in_flight), tokens_per_minute: Some(600), ..ModelLimits::default() };
        ServedModel { limits, ..ServedModel::new(name, model.clone()) }
    });
    let limits = GatewayLimits { max_in_flight: TOTAL, deadline: 20 * SECOND, ..limits(5) };
    let gateway = Gateway::start(&runtime, served.collect(), limits).unwrap();
    let budget = Budget::new(BudgetLimits { tokens: Some(BUDGET), micros: None });
    let callers = (0..8).map(|number| {
        let dice = Dice(seed.wrapping_mul(1_000).wrapping_add(number));
        caller(gateway.clone(), number, dice, budget.clone(), log.clone())
    });
    join_all(callers).await;
    let is_idle = async || {
        let info = gateway.info().await.unwrap();
        (info.in_flight, info.waiting) == (0, 0)
    };
    // What was left behind ends by itself, and in time.
    tokio::time::sleep(20 * SECOND).await;
    assert!(is_idle().await, "every place came back");
    for (model, places) in models.iter().zip(PLACES) {
        let [now, peak] = [&model.now, &model.peak].map(|count| count.load(std::sync::atomic::Ordering::SeqCst));
        assert_eq!(now, 0, "no call goes on");
        assert!(peak <= places, "{peak} at a time");
    }
    assert!(gateway.info().await.unwrap().peak_in_flight <= TOTAL);
    let spent = budget.spent();
    assert!(spent.tokens <= BUDGET && spent.reserved_tokens == 0, "{spent:?}");
    // A minute later every rate is full again.
    tokio::time::sleep(60 * SECOND).await;
    assert!(gateway.call("one", ChatRequest::new(Vec::new(), 1)).send().await.is_ok());
}

#[test]
fn places_come_back_and_no_budget_is_exceeded_whatever_becomes_of_the_calls() {
    explore(seeds(300), scenario);
}
