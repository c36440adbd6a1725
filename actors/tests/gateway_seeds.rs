//! Do the gateway's promises hold whatever becomes of the calls? Hundreds of interleavings on virtual time, with kept replies,
//! identical calls, next models, users, runs and priorities.

mod common;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callboard_actors::chat::ChatRequest;
use callboard_actors::error::ModelError;
use callboard_actors::gateway::{
    Budget, BudgetLimits, CacheMode, CachePolicy, ChatCall, Completed, Gateway, GatewayLimits, ModelLimits, Priority,
    ServedModel,
};
use callboard_actors::runtime::Runtime;
use callboard_actors::testkit::{Log, explore};
use common::chance::{Dice, seeds};
use common::model::{SECOND, Scripted, limits, request};
use futures_util::future::{Either, join_all, select};
use tokio::time::Instant;

/// What a model does, and how a call may end for that reason.
const STEPS: [(&str, &[&str]); 16] = [
    ("x", &[]),
    ("x", &[]),
    ("y", &[]),
    ("ab-cd", &[]),
    ("silent y", &[]),
    ("down", &["unavailable"]),
    ("down 2", &["unavailable"]),
    ("down, down, down, down, x", &["unavailable"]),
    ("rate 1", &["rate_limited"]),
    ("busy 1", &["rate_limited"]),
    ("cut", &["network"]),
    ("cut ab", &["network", "broken_reply"]),
    ("reject", &["rejected"]),
    ("hang", &[]),
    ("panic", &["provider"]),
    ("panic at once", &["provider"]),
];
/// What the gateway may say of any call.
const OF_THE_GATEWAY: [&str; 4] = ["overloaded", "paused", "breaker_open", "budget_exhausted"];
const MODELS: [&str; 2] = ["one", "two"];
const PLACES: [usize; 2] = [2, 3];
const TOTAL: usize = 4;
const DEADLINE: Duration = Duration::from_secs(20);
/// So much later a caller who may lead others learns that his time is over.
const MOMENT: Duration = Duration::from_millis(10);

/// What callers met, over all seeds: a property of what never happens proves nothing.
type Met = Arc<Mutex<BTreeSet<String>>>;

/// Asks some models for something, and sometimes leaves before there is an answer.
struct Caller {
    gateway: Gateway,
    number: u64,
    dice: Dice,
    budget: Budget,
    log: Log,
    met: Met,
}

impl Caller {
    async fn calls(mut self) {
        for round in 0..4 {
            tokio::time::sleep(Duration::from_millis(self.dice.roll(2_000))).await;
            let (script, may_end) = self.dice.pick(&STEPS);
            let within = match self.dice.roll(2) {
                0 => SECOND * u32::try_from(self.dice.roll(16)).unwrap() / 2,
                _ => DEADLINE,
            };
            let gateway = self.gateway.clone();
            let call = self.wish(&gateway, script).within(within);
            let began = Instant::now();
            let Some(answer) = self.ends(call).await else {
                self.log.note(format!("{}.{round} left", self.number));
                continue;
            };
            let took = began.elapsed();
            self.check(script, may_end, within, took, &answer);
            let told = match answer {
                Ok(done) => format!("{} of {} from {:?}", done.reply.text, done.model, done.source),
                Err(error) => error.code().to_owned(),
            };
            self.log.note(format!("{}.{round} {script}: {told}", self.number));
        }
    }

    fn wish<'a>(&mut self, gateway: &'a Gateway, script: &str) -> ChatCall<'a> {
        let dice = &mut self.dice;
        let model = usize::try_from(dice.roll(2)).unwrap();
        let modes = [CacheMode::Off, CacheMode::On, CacheMode::ReadOnly, CacheMode::ReadOnly, CacheMode::WriteOnly];
        let priorities = [Priority::Urgent, Priority::Normal, Priority::Background];
        let call = gateway.call(MODELS[model], request(script)).budget(&self.budget).cache(dice.pick(&modes));
        let call =
            call.user(dice.pick(&["", "ann", "bob"])).run(dice.pick(&["1", "2"])).priority(dice.pick(&priorities));
        match dice.roll(2) {
            0 => call.or(MODELS[1 - model]),
            _ => call,
        }
    }

    /// `None` when the caller has left.
    async fn ends(&mut self, call: ChatCall<'_>) -> Option<Result<Completed, ModelError>> {
        match self.dice.roll(4) {
            0 => {
                let (call, mut pieces) = call.streamed();
                let reading = async { while pieces.next().await.is_some() {} };
                Some(tokio::join!(call.send(), reading).0)
            }
            1 => {
                let patience = Box::pin(tokio::time::sleep(Duration::from_millis(self.dice.roll(4_000))));
                match select(Box::pin(call.send()), patience).await {
                    Either::Left((answer, _)) => Some(answer),
                    Either::Right(_) => None,
                }
            }
            _ => Some(call.send().await),
        }
    }

    /// A caller who stays has an end within his own time, for a reason of his own call.
    fn check(
        &self,
        script: &str,
        may_end: &[&str],
        within: Duration,
        took: Duration,
        answer: &Result<Completed, ModelError>,
    ) {
        let who = format!("{} with {script} within {within:?} after {took:?}: {answer:?}", self.number);
        assert!(took <= within + MOMENT, "too late: {who}");
        let mut met = self.met.lock().unwrap();
        match answer {
            Ok(done) => {
                met.insert(format!("{:?}", done.source));
                assert!(!["hang", "reject", "panic"].contains(&script), "{who}");
            }
            Err(error) => {
                let code = error.code();
                met.insert(code.to_owned());
                match code {
                    // Another one who asks the same may have had less time.
                    "timeout" => assert!(took >= within, "not its own time: {who}"),
                    code => assert!(may_end.contains(&code) || OF_THE_GATEWAY.contains(&code), "{who}"),
                }
            }
        }
    }
}

async fn scenario(seed: u64, runtime: Runtime, log: Log, met: Met) {
    let models = [Arc::new(Scripted::default()), Arc::new(Scripted::default())];
    let served = MODELS.into_iter().zip(&models).zip(PLACES).map(|((name, model), max_in_flight)| {
        let limits =
            ModelLimits { max_in_flight: Some(max_in_flight), tokens_per_minute: Some(600), ..ModelLimits::default() };
        let cache = CachePolicy { max_age: 3 * SECOND, ..CachePolicy::default() };
        ServedModel { limits, cache, ..ServedModel::new(name, model.clone()) }
    });
    let limits = GatewayLimits { max_in_flight: TOTAL, deadline: DEADLINE, ..limits(5) };
    let gateway = Gateway::start(&runtime, served.collect(), limits).unwrap();
    // Every other time it is used up on the way.
    let most = [1_500, 150][usize::try_from(seed % 2).unwrap()];
    let budget = Budget::new(BudgetLimits { tokens: Some(most), micros: None });
    let callers = (0..10).map(|number| {
        let dice = Dice(seed.wrapping_mul(1_000).wrapping_add(number));
        let (gateway, budget, log, met) = (gateway.clone(), budget.clone(), log.clone(), met.clone());
        Caller { gateway, number, dice, budget, log, met }.calls()
    });
    join_all(callers).await;
    let info = async || gateway.info().await.unwrap();
    // What was left behind ends by itself, and in time.
    tokio::time::sleep(DEADLINE).await;
    let end = info().await;
    assert_eq!((end.in_flight, end.waiting), (0, 0), "every place came back");
    for (model, places) in models.iter().zip(PLACES) {
        let [now, peak] = [&model.now, &model.peak].map(|count| count.load(Ordering::SeqCst));
        assert_eq!(now, 0, "no call goes on");
        assert!(peak <= places, "{peak} at a time");
    }
    assert!(end.peak_in_flight <= TOTAL);
    if end.models.iter().any(|model| model.fell_back > 0) {
        met.lock().unwrap().insert("fell back".to_owned());
    }
    let spent = budget.spent();
    assert!(spent.tokens <= most && spent.reserved_tokens == 0, "{spent:?}");
    // A minute later every rate is full again.
    tokio::time::sleep(60 * SECOND).await;
    assert!(gateway.call("one", ChatRequest::new(Vec::new(), 1)).send().await.is_ok());
}

#[test]
fn places_come_back_and_no_budget_is_exceeded_whatever_becomes_of_the_calls() {
    let (met, all) = (Met::default(), seeds(300));
    let is_whole = all.end - all.start > 1;
    explore(all, |seed, runtime, log| scenario(seed, runtime, log, met.clone()));
    let met = met.lock().unwrap();
    let expected = ["Model", "Cache", "Shared", "fell back", "timeout", "breaker_open"];
    for what in expected.iter().chain(&OF_THE_GATEWAY).filter(|_| is_whole) {
        assert!(met.contains(*what), "nobody met {what}: {met:?}");
    }
}
