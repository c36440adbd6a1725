//! Does the gateway fall back, break its circuit and bound its retries as it says, on virtual time?

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use callboard_actors::chat::ChatChunk;
use callboard_actors::error::{Limited, ModelError};
use callboard_actors::gateway::{
    BreakerPolicy, BreakerState, Budget, BudgetLimits, Gateway, GatewayLimits, ModelLimits, Price, RetryBudgetPolicy,
    RetryPolicy, ServedModel,
};
use callboard_actors::runtime::simulated;
use common::model::{MODEL, SECOND, Scripted, limits, request, served};
use common::provider::{ONE, Provider, TWO, first, places, soon, two, unavailable};
use futures_util::future::join_all;
use tokio::time::Instant;

fn text() -> String {
    "no".to_owned()
}

fn limited(limited: Limited, seconds: u64) -> ModelError {
    ModelError::RateLimited { limited, retry_after: Some(Duration::from_secs(seconds)), message: text() }
}

/// A failure that says nothing about how many calls are held.
fn broken_down() -> ModelError {
    ModelError::Unavailable { status: 500, retry_after: None, message: text() }
}

/// Three attempts, and no breaker that opens meanwhile.
fn patient() -> GatewayLimits {
    GatewayLimits { breaker: BreakerPolicy { enabled: false, ..BreakerPolicy::default() }, ..limits(1_000) }
}

#[test]
fn the_next_model_answers_when_it_may_do_better_and_not_when_the_call_is_at_fault() {
    simulated(1, |runtime| async move {
        let table = [
            (unavailable(), 3, true),
            (limited(Limited::Rate, 100), 1, true),
            (ModelError::Unauthorized { status: 401, message: text() }, 1, true),
            (ModelError::NotFound(text()), 1, true),
            (ModelError::ContextTooLong(text()), 1, true),
            (ModelError::ContentRefused(text()), 1, false),
            (ModelError::Rejected { status: 400, message: text() }, 1, false),
        ];
        for (error, attempts, falls_back) in table {
            let (one, other) = (Provider::new(SECOND), Provider::new(SECOND));
            one.fails(error.clone());
            let gateway = two(&runtime, &one, &other, patient());
            let answer = gateway.call(ONE, request("x")).or(TWO).send().await;
            assert_eq!((one.attempts(), other.attempts()), (attempts, usize::from(falls_back)), "{error:?}");
            match answer {
                Ok(completed) => {
                    assert_eq!((&*completed.model, completed.reply.text.as_str()), (TWO, "x"), "{error:?}");
                    assert_eq!(completed.times.attempts as usize, attempts + 1, "all that were made");
                    assert_eq!(completed.times.overhead, Duration::ZERO, "every second is counted once");
                }
                Err(told) => assert_eq!((told, falls_back), (error.clone(), false)),
            }
            let info = first(&gateway).await;
            assert_eq!((info.fell_back, info.failed), (u64::from(falls_back), u64::from(!falls_back)), "{error:?}");
            one.fails(None);
            let first = gateway.call(ONE, request("x")).or(TWO).send().await;
            if !matches!(error, ModelError::RateLimited { .. }) {
                assert_eq!(&*first.unwrap().model, ONE, "the first is asked first, and after {error:?} again");
            }
        }
    });
}

#[test]
fn when_all_fail_the_last_error_is_told_and_the_deadline_is_one_for_all() {
    simulated(1, |runtime| async move {
        let (one, other) = (Provider::new(SECOND), Provider::new(6 * SECOND));
        let gateway = two(&runtime, &one, &other, patient());
        one.fails(unavailable());
        let unpaid = ModelError::Unauthorized { status: 402, message: text() };
        other.fails(unpaid.clone());
        assert_eq!(gateway.call(ONE, request("x")).or(TWO).send().await, Err(unpaid));
        assert_eq!((one.attempts(), other.attempts()), (3, 1));
        other.fails(unavailable());
        let answer = gateway.call(ONE, request("x")).or(TWO).send().await;
        assert_eq!((answer, one.attempts(), other.attempts()), (Err(unavailable()), 6, 4), "each has its own retries");
        let unknown = gateway.call(ONE, request("x")).or("provider/three").send().await;
        assert!(matches!(unknown, Err(ModelError::NotFound(_))) && one.attempts() == 6, "a name is a mistake at once");

        one.fails(ModelError::NotFound(text()));
        other.fails(None);
        let began = Instant::now();
        let late = gateway.call(ONE, request("x")).or(TWO).within(5 * SECOND).send().await;
        assert!(matches!(late, Err(ModelError::Timeout(_))), "{late:?}");
        assert_eq!(began.elapsed(), 5 * SECOND);
    });
}

#[test]
fn behind_an_open_breaker_the_next_model_is_asked_at_once_and_who_has_none_waits() {
    simulated(1, |runtime| async move {
        let (one, other) = (Provider::new(SECOND), Provider::new(SECOND));
        let retry = RetryPolicy { attempts: 1, ..RetryPolicy::default() };
        let gateway = two(&runtime, &one, &other, GatewayLimits { retry, ..limits(1_000) });
        one.fails(unavailable());
        for _ in 0..10 {
            gateway.call(ONE, request("x")).send().await.unwrap_err();
        }
        assert_eq!(first(&gateway).await.breaker, BreakerState::Open);
        one.fails(None);
        let began = Instant::now();
        let waits = gateway.call(ONE, request("patient")).send();
        let instead = gateway.call(ONE, request("x")).or(TWO).send().await.unwrap();
        assert_eq!((&*instead.model, instead.times.attempts), (TWO, 1));
        assert_eq!((began.elapsed(), instead.times.queue, one.attempts()), (SECOND, Duration::ZERO, 10));
        let waited = waits.await.unwrap();
        assert_eq!((&*waited.model, waited.times.queue), (ONE, 2 * SECOND), "the cool-down is two seconds");
    });
}

#[test]
fn a_breaker_opens_lets_one_call_try_and_closes() {
    simulated(1, |runtime| async move {
        let (one, other) = (Provider::new(SECOND), Provider::new(SECOND));
        let retry = RetryPolicy { attempts: 1, ..RetryPolicy::default() };
        let mut bounds = GatewayLimits { retry, ..limits(1_000) };
        bounds.deadline = 60 * SECOND;
        let gateway = two(&runtime, &one, &other, bounds);
        one.fails(broken_down());
        for _ in 0..9 {
            gateway.call(ONE, request("x")).send().await.unwrap_err();
        }
        assert_eq!(first(&gateway).await.breaker, BreakerState::Closed, "nine are no measure");
        gateway.call(ONE, request("x")).send().await.unwrap_err();
        assert_eq!(first(&gateway).await.breaker, BreakerState::Open);

        let opened = Instant::now();
        let calls: Vec<_> = (0..6).map(|_| gateway.call(ONE, request("x")).send()).collect();
        let hopeless = gateway.call(ONE, request("x")).within(SECOND).send().await;
        assert_eq!(
            hopeless,
            Err(ModelError::BreakerOpen {
                retry_after: 2 * SECOND,
                last: Box::new(ModelError::Unavailable { status: 500, retry_after: None, message: String::new() })
            }),
            "at once, as it would be too late"
        );
        assert_eq!(opened.elapsed(), Duration::ZERO);
        tokio::time::sleep(SECOND * 5 / 2).await;
        assert_eq!(one.begun(10, opened), [2_000], "one tries, fails, and it is open for twice as long");
        assert_eq!(first(&gateway).await.breaker, BreakerState::Open);
        one.fails(None);
        tokio::time::sleep(SECOND * 4).await;
        assert_eq!(one.begun(11, opened), [6_000], "one tries, and the others wait for what it says");
        assert_eq!(first(&gateway).await.breaker, BreakerState::HalfOpen);
        let answers = join_all(calls).await;
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 5, "{answers:?}");
        assert_eq!(one.begun(12, opened), [7_000; 4], "it closes, and all go through");
        assert_eq!(first(&gateway).await.breaker, BreakerState::Closed);
    });
}

#[test]
fn where_nobody_is_who_has_no_other_model_waits_for_the_first_try_only() {
    simulated(1, |runtime| async move {
        let (one, other) = (Provider::new(Duration::ZERO), Provider::new(SECOND));
        let bounds = || GatewayLimits { deadline: 600 * SECOND, ..limits(1_000) };
        let once = RetryPolicy { attempts: 1, ..RetryPolicy::default() };
        let gateway = two(&runtime, &one, &other, GatewayLimits { retry: once, ..bounds() });
        let nobody = ModelError::Network { sent: false, message: "no connection to http://h:1: refused".to_owned() };
        one.fails(nobody.clone());
        for _ in 0..10 {
            assert_eq!(gateway.call(ONE, request("x")).send().await, Err(nobody.clone()));
        }
        assert_eq!(first(&gateway).await.breaker, BreakerState::Open);
        gateway.set_limits(bounds()).unwrap();
        let opened = Instant::now();
        let calls: Vec<_> = (0..3).map(|_| gateway.call(ONE, request("x")).send()).collect();
        let answers = join_all(calls).await;
        assert_eq!(opened.elapsed(), 2 * SECOND, "none waits for longer than until the first try");
        let open = |retry_after| Err(ModelError::BreakerOpen { retry_after, last: Box::new(nobody.clone()) });
        let tried = answers.iter().filter(|answer| **answer == Err(nobody.clone())).count();
        let others = answers.iter().filter(|answer| **answer == open(4 * SECOND)).count();
        assert_eq!((tried, others), (1, 2), "one has tried, and is not made again: {answers:?}");

        let at_once = gateway.call(ONE, request("x")).send().await;
        assert_eq!((at_once, opened.elapsed()), (open(4 * SECOND), 2 * SECOND));
        tokio::time::sleep(SECOND * 5 / 2).await;
        one.fails(None);
        let soon = gateway.call(ONE, request("x")).send().await;
        assert_eq!((soon.is_ok(), opened.elapsed()), (true, 6 * SECOND), "what is tried soon is waited for");
    });
}

#[test]
fn a_try_that_has_failed_is_enough_however_long_the_breaker_is_open() {
    simulated(1, |runtime| async move {
        let (one, other) = (Provider::new(Duration::ZERO), Provider::new(SECOND));
        let breaker = BreakerPolicy { cool_down: 30 * SECOND, longest: 30 * SECOND, ..BreakerPolicy::default() };
        let retry = RetryPolicy { attempts: 1, ..RetryPolicy::default() };
        let bounds = GatewayLimits { deadline: 600 * SECOND, breaker, retry, ..limits(1_000) };
        let gateway = two(&runtime, &one, &other, bounds);
        let nobody = ModelError::Network { sent: false, message: "no connection to http://h:1: refused".to_owned() };
        one.fails(nobody.clone());
        for _ in 0..10 {
            assert_eq!(gateway.call(ONE, request("x")).send().await, Err(nobody.clone()));
        }
        let opened = Instant::now();
        assert_eq!(gateway.call(ONE, request("x")).send().await, Err(nobody.clone()), "the first try");
        assert_eq!(opened.elapsed(), 30 * SECOND);
        let at_once = gateway.call(ONE, request("x")).send().await;
        assert!(matches!(at_once, Err(ModelError::BreakerOpen { .. })), "{at_once:?}");
        assert_eq!(opened.elapsed(), 30 * SECOND);
    });
}

#[test]
fn what_its_reader_has_seen_is_not_made_by_another_model() {
    simulated(1, |runtime| async move {
        let (model, other) = (Arc::new(Scripted::default()), Provider::new(SECOND));
        let models = vec![served(&model, ModelLimits::default()), other.served(TWO, places(8))];
        let gateway = Gateway::start(&runtime, models, limits(100)).unwrap();
        let (call, mut pieces) = gateway.call(MODEL, request("cut ab")).or(TWO).streamed();
        assert!(matches!(call.send().await, Err(ModelError::Broken { received: 2, .. })));
        assert_eq!(pieces.next().await, Some(ChatChunk::Text("ab".to_owned())));
        assert_eq!((model.attempts.load(Ordering::SeqCst), other.attempts()), (1, 0));
        let (call, _pieces) = gateway.call(MODEL, request("cut")).or(TWO).streamed();
        assert_eq!(&*call.send().await.unwrap().model, TWO, "and what nobody has seen is");
    });
}

#[test]
fn a_budget_pays_the_price_of_the_model_that_answered() {
    simulated(1, |runtime| async move {
        let (one, other) = (Provider::new(SECOND), Provider::new(SECOND));
        let at = |model: ServedModel, input, output| ServedModel { price: Some(Price { input, output }), ..model };
        let models = vec![
            at(one.served(ONE, places(8)), 9_000_000, 9_000_000),
            at(other.served(TWO, places(8)), 1_000_000, 2_000_000),
        ];
        let gateway = Gateway::start(&runtime, models, patient()).unwrap();
        one.fails(unavailable());
        let budget = Budget::new(BudgetLimits { tokens: None, micros: Some(1_000) });
        gateway.call(ONE, request("x")).or(TWO).budget(&budget).send().await.unwrap();
        let spent = budget.spent();
        assert_eq!((spent.micros, spent.tokens, spent.calls), (3 + 2 * 2, 5, 4), "what was refused cost nothing");
        assert_eq!((spent.reserved_micros, spent.reserved_tokens), (0, 0));
        let little = Budget::new(BudgetLimits { tokens: None, micros: Some(100) });
        let dear = gateway.call(ONE, request("x")).or(TWO).budget(&little).send().await;
        assert!(matches!(dear, Err(ModelError::BudgetExhausted(_))), "{dear:?}");
        assert_eq!(other.attempts(), 1, "a cheaper model is not asked behind the back of a budget");
    });
}

#[test]
fn budgets_of_a_tree_end_with_the_level_that_is_exhausted_and_the_rest_comes_back() {
    simulated(1, |runtime| async move {
        let one = Provider::new(SECOND);
        let gateway = Gateway::start(&runtime, vec![one.served(ONE, places(8))], limits(100)).unwrap();
        let most = request("x").most_tokens().total();
        let tokens = |tokens| BudgetLimits { tokens: Some(tokens), micros: None };
        let total = Budget::new(tokens(2 * most + 30)).named("whole program");
        let agent = total.child(tokens(most + 5)).named("agent");
        let call = |budget: &Budget| gateway.call(ONE, request("x")).budget(budget).send();
        let exhausted = |answer: Result<_, ModelError>| match answer {
            Err(ModelError::BudgetExhausted(what)) => what,
            other => panic!("{other:?}"),
        };
        call(&agent).await.unwrap();
        call(&agent).await.unwrap();
        assert!(exhausted(call(&agent).await).contains("the agent has"), "five of its five are left over the second");
        assert_eq!((agent.spent().tokens, total.spent().tokens), (10, 10), "five each, and both levels know");

        let part = total.split(tokens(most)).unwrap().named("part");
        assert_eq!(total.spent().reserved_tokens, most);
        call(&part).await.unwrap();
        assert!(exhausted(call(&part).await).contains("the part has"));
        let (left, right) = tokio::join!(call(&total), call(&total));
        assert!(left.is_ok(), "{left:?}");
        assert!(exhausted(right).contains("the whole program has"), "what is set aside is not there for others");
        drop(part);
        assert_eq!((total.spent().reserved_tokens, total.spent().tokens), (0, 20));
        let (left, right) = tokio::join!(call(&total), gateway.call(ONE, request("")).budget(&total).send());
        assert!(left.is_ok() && right.is_ok(), "what came back is there: {left:?}, {right:?}");
    });
}

#[test]
fn in_an_outage_there_are_no_more_retries_than_the_budget_allows() {
    simulated(1, |runtime| async move {
        let (one, other) = (Provider::new(SECOND), Provider::new(SECOND));
        let mut bounds = patient();
        (bounds.deadline, bounds.retry) = (60 * SECOND, RetryPolicy::default());
        bounds.retry_budget = RetryBudgetPolicy { enabled: true, percent: 20, floor_per_second: 1 };
        let gateway = two(&runtime, &one, &other, bounds);
        one.fails(unavailable());
        let (began, mut calls) = (Instant::now(), Vec::new());
        for _ in 0..600 {
            calls.push(gateway.call(ONE, request("x")).send());
            tokio::time::sleep(SECOND / 20).await;
        }
        let answers = join_all(calls).await;
        assert!(answers.iter().all(|answer| *answer == Err(unavailable())), "their own error, whatever the reason");
        // A fifth of the calls, one in each second, and ten seconds' worth that was there at the begin.
        let floor = began.elapsed().as_secs() as usize + 1 + 10;
        let (attempts, info) = (one.attempts(), first(&gateway).await);
        assert!(attempts <= 600 + 600 / 5 + floor, "{attempts} attempts in {:?}", began.elapsed());
        assert!(attempts >= 600 + 600 / 5, "and what is allowed is made: {attempts}");
        assert_eq!(info.retries as usize, attempts - 600);
        assert!(info.retries_refused >= 300, "{info:?}");
        let healthy = gateway.call(TWO, request("x")).send().await;
        assert!(healthy.is_ok(), "another model's outage does not matter");
    });
}

#[test]
fn a_429_about_places_delays_that_call_alone_and_one_about_a_rate_everybody_once() {
    simulated(1, |runtime| async move {
        let (one, other) = (Provider::new(SECOND), Provider::new(SECOND));
        let gateway = two(&runtime, &one, &other, GatewayLimits { deadline: 60 * SECOND, ..patient() });
        let began = Instant::now();
        one.fails(limited(Limited::Concurrency, 7));
        let refused = gateway.call(ONE, request("refused")).send();
        soon(&gateway, || one.attempts() == 1).await;
        one.fails(None);
        gateway.call(ONE, request("x")).send().await.unwrap();
        assert_eq!(began.elapsed(), SECOND, "nobody else waits");
        assert!(refused.await.unwrap().times.queue >= 7 * SECOND);
        assert_eq!(first(&gateway).await.pauses, 0);

        let (began, before) = (Instant::now(), one.attempts());
        one.fails(limited(Limited::Rate, 7));
        let all: Vec<_> = (0..4).map(|_| gateway.call(ONE, request("refused")).send()).collect();
        soon(&gateway, || one.attempts() == before + 4).await;
        while gateway.info().await.unwrap().waiting < 4 {}
        one.fails(None);
        let others: Vec<_> = (0..3).map(|_| gateway.call(ONE, request("x")).send()).collect();
        let elsewhere = gateway.call(TWO, request("x")).send().await.unwrap();
        assert_eq!(elsewhere.times.queue, Duration::ZERO, "the other model is another matter");
        assert!(join_all(others).await.iter().all(Result::is_ok));
        let begun = one.begun(before + 4, began);
        assert_eq!(begun[..3], [7_000, 7_250, 7_475], "one after the other when the pause is over, ever faster");
        assert!(join_all(all).await.iter().all(Result::is_ok));
        assert_eq!(one.attempts(), before + 4 + 3 + 4, "nobody is refused again");
        assert_eq!(first(&gateway).await.pauses, 1, "four answers that say the same are one pause");
    });
}

#[test]
fn who_waits_when_a_breaker_opens_or_a_long_pause_begins_turns_to_the_next_model() {
    // Eight have a place at a time: the breaker opens at the tenth failure, the pause begins at the first one.
    for (error, most) in [(broken_down(), 18), (limited(Limited::Rate, 60), 9)] {
        simulated(1, |runtime| async move {
            let (one, other) = (Provider::new(SECOND), Provider::new(SECOND));
            let retry = RetryPolicy { attempts: 3, first: 2 * SECOND, longest: 2 * SECOND };
            let gateway = two(&runtime, &one, &other, GatewayLimits { retry, ..limits(1_000) });
            one.fails(error.clone());
            let began = Instant::now();
            let calls = (0..20).map(|_| gateway.call(ONE, request("x")).or(TWO).send());
            let patient = gateway.call(ONE, request("patient")).within(Duration::from_secs(5)).send();
            let (answers, patient) = tokio::join!(join_all(calls), patient);
            for answer in answers {
                assert_eq!(&*answer.unwrap().model, TWO, "{error:?}");
            }
            assert!(one.attempts() <= most, "{} for {error:?}", one.attempts());
            assert!(began.elapsed() <= 6 * SECOND, "{:?} for {error:?}", began.elapsed());
            assert!(patient.is_err(), "it has no other model");
            assert_eq!(gateway.info().await.unwrap().waiting, 0);
        });
    }
}

#[test]
fn who_waits_behind_a_pause_that_becomes_longer_than_his_time_turns_to_the_next_model() {
    simulated(1, |runtime| async move {
        let (one, other) = (Provider::new(SECOND), Provider::new(SECOND));
        let limits = GatewayLimits { deadline: 60 * SECOND, ..patient() };
        let gateway = two(&runtime, &one, &other, limits);
        one.fails(limited(Limited::Rate, 2));
        let first = gateway.call(ONE, request("x")).within(SECOND).send().await;
        assert!(first.is_err(), "it has no time for a pause of two seconds");
        let began = Instant::now();
        // It waits for the short pause, and learns then that there is a long one.
        let waits = gateway.call(ONE, request("patient")).within(30 * SECOND).or(TWO).send();
        let asks = gateway.call(ONE, request("x")).send();
        one.fails(limited(Limited::Rate, 50));
        let (waits, ()) = tokio::join!(waits, async {
            let asks = tokio::time::timeout(5 * SECOND, asks).await;
            assert!(asks.is_err(), "it waits for the long pause");
        });
        let waited = waits.unwrap();
        assert_eq!((&*waited.model, began.elapsed()), (TWO, 5 * SECOND));
        assert_eq!(waited.times.queue, 2 * SECOND, "what it waited for the first one is no overhead");
        assert_eq!(waited.times.overhead, Duration::ZERO);
    });
}
