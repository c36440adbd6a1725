//! Whom does a provider's refusal concern: a call, a model, or all that is called with one key? And what of one that refuses, or is
//! silent, for ever? On virtual time.

mod common;

use std::sync::Arc;
use std::time::Duration;

use callboard_actors::chat::TokenUsage;
use callboard_actors::error::{Limited, ModelError, Waiting};
use callboard_actors::gateway::{
    BreakerState, Budget, BudgetLimits, CallTimes, Gateway, GatewayLimits, Price, RetryPolicy, ServedModel, Timeouts,
};
use callboard_actors::ports::RateKey;
use callboard_actors::runtime::{Runtime, simulated};
use common::model::{SECOND, limits, request};
use common::provider::{ONE, Provider, TWO, first, places, soon, two};
use futures_util::future::join_all;
use tokio::time::Instant;

const THREE: &str = "provider/three";

fn limited(limited: Limited, seconds: Option<u64>) -> ModelError {
    ModelError::RateLimited { limited, retry_after: seconds.map(Duration::from_secs), message: "slower".to_owned() }
}

/// Two models with one key, and one with another.
fn three(runtime: &Runtime, limits: GatewayLimits) -> ([Arc<Provider>; 3], Gateway) {
    let providers = [(); 3].map(|()| Provider::new(SECOND));
    let key = |text| Some(RateKey::of("https://here", Some(text)));
    let served = [(ONE, key("a")), (TWO, key("a")), (THREE, key("b"))].into_iter().zip(&providers);
    let served =
        served.map(|((name, rate_key), provider)| ServedModel { rate_key, ..provider.served(name, places(8)) });
    let gateway = Gateway::start(runtime, served.collect(), limits).unwrap();
    (providers, gateway)
}

/// Ten seconds for a call, and no second attempt.
fn once() -> GatewayLimits {
    GatewayLimits { retry: RetryPolicy { attempts: 1, ..RetryPolicy::default() }, ..limits(100) }
}

#[test]
fn keys_are_the_same_at_one_address_only() {
    let keys = [("https://a", None), ("https://a", Some("x")), ("https://a", Some("y")), ("https://b", Some("x"))];
    let keys = keys.map(|(address, key)| RateKey::of(address, key));
    for (number, key) in keys.iter().enumerate() {
        let same: Vec<_> = (0..keys.len()).filter(|other| keys[*other] == *key).collect();
        assert_eq!(same, [number]);
    }
    assert_eq!(RateKey::of("https://a", Some("x")), keys[1]);
    assert_ne!(RateKey::of("ab", Some("c")), RateKey::of("a", Some("bc")));
}

#[test]
fn a_429_about_a_rate_pauses_its_key_once_and_nobody_elses() {
    // Whom it is about, and who waits for how long.
    let table = [(Limited::Rate, [5, 5, 0]), (Limited::ModelRate, [5, 0, 0]), (Limited::Concurrency, [0, 0, 0])];
    for (about, waits) in table {
        simulated(1, move |runtime| async move {
            let ([one, ..], gateway) = three(&runtime, once());
            one.fails(limited(about, Some(5)));
            gateway.call(ONE, request("x")).send().await.unwrap_err();
            one.fails(None);
            let began = Instant::now();
            let calls = [ONE, TWO, THREE].map(|model| gateway.call(model, request("x")).send());
            let queues = join_all(calls).await.into_iter().map(|answer| answer.unwrap().times.queue.as_secs());
            assert_eq!(queues.collect::<Vec<_>>(), waits, "{about:?}");
            assert_eq!(began.elapsed().as_secs(), waits[0] + 1, "all wait at the same time");
            let info = gateway.info().await.unwrap();
            let pauses: Vec<_> = info.models.iter().map(|model| model.pauses).collect();
            assert_eq!(pauses, waits.map(|wait| u64::from(wait > 0)), "{about:?}");
            let limited: Vec<_> =
                info.models.iter().map(|model| (model.limited_by_rate, model.limited_by_places)).collect();
            let of_one = if about == Limited::Concurrency { (0, 1) } else { (1, 0) };
            assert_eq!(limited, [of_one, (0, 0), (0, 0)], "{about:?}: once, of the model that was called");
            let served = one.attempts();
            assert_eq!(served, 2, "nobody was sent to be refused");
        });
    }
}

#[test]
fn a_key_whose_pause_is_too_long_is_left_for_another_one_and_the_pause_is_told() {
    simulated(1, |runtime| async move {
        let ([one, two, three], gateway) = three(&runtime, once());
        // It waits for a place of the second model when the pause begins.
        let filling: Vec<_> = (0..8).map(|_| gateway.call(TWO, request("x")).send()).collect();
        let waits = gateway.call(TWO, request("waits")).or(THREE).send();
        let alone = gateway.call(TWO, request("has no other")).send();
        soon(&gateway, || two.attempts() == 8).await;
        one.fails(limited(Limited::Rate, Some(100)));
        let began = Instant::now();
        let instead = gateway.call(ONE, request("x")).or(TWO).or(THREE).send().await.unwrap();
        assert_eq!((&*instead.model, began.elapsed()), (THREE, SECOND), "the second one has the same key");
        assert_eq!((&*waits.await.unwrap().model, two.attempts(), three.attempts()), (THREE, 8, 2));
        let paused = |seconds: u32| ModelError::Paused { retry_after: seconds * SECOND, refused_model: ONE.into() };
        assert_eq!(alone.await, Err(paused(100)), "it learns at once");
        assert_eq!(began.elapsed(), SECOND);
        let refused = gateway.call(TWO, request("x")).send().await.unwrap_err();
        assert_eq!(refused, paused(99));
        assert_eq!((refused.code(), refused.is_retryable()), ("paused", true));
        let said =
            "all calls wait for another 99 s, as the provider asked to wait when it refused a call of provider/one";
        assert_eq!(refused.to_string(), said);
        let info = gateway.info().await.unwrap();
        assert_eq!((info.models[1].paused_for, info.models[1].paused_by.as_deref()), (99 * SECOND, Some(ONE)));
        assert_eq!((info.models[2].paused_for, info.models[2].paused_by.as_deref()), (Duration::ZERO, None));
        assert!(join_all(filling).await.iter().all(Result::is_ok));
    });
}

#[test]
fn where_every_call_is_refused_for_its_rate_the_breaker_opens_and_closes_with_an_answer() {
    simulated(1, |runtime| async move {
        let ([one, _, three], gateway) = three(&runtime, GatewayLimits { deadline: 60 * SECOND, ..once() });
        one.fails(limited(Limited::ModelRate, None));
        for _ in 0..2 {
            gateway.call(ONE, request("x")).send().await.unwrap_err();
        }
        assert_eq!(first(&gateway).await.breaker, BreakerState::Closed);
        gateway.call(ONE, request("x")).send().await.unwrap_err();
        assert_eq!((first(&gateway).await.breaker, one.attempts()), (BreakerState::Open, 3));
        let instead = gateway.call(ONE, request("x")).or(THREE).send().await.unwrap();
        assert_eq!((&*instead.model, one.attempts(), three.attempts()), (THREE, 3, 1), "nobody asks the first one");
        let late = gateway.call(ONE, request("x")).within(SECOND / 2).send().await.unwrap_err();
        let ModelError::BreakerOpen { last, .. } = late else { panic!("{late:?}") };
        assert_eq!(last.to_string(), "the provider's limit is reached (429)", "without its words");
        gateway.call(ONE, request("x")).send().await.unwrap_err();
        assert_eq!((first(&gateway).await.breaker, one.attempts()), (BreakerState::Open, 4), "it was tried once");
        one.fails(None);
        gateway.call(ONE, request("x")).send().await.unwrap();
        assert_eq!(first(&gateway).await.breaker, BreakerState::Closed);
    });
}

#[test]
fn a_breaker_that_opened_for_refusals_is_open_for_the_pause_and_calls_made_together_count_once() {
    simulated(1, |runtime| async move {
        let ([one, _, three], gateway) = three(&runtime, GatewayLimits { deadline: 600 * SECOND, ..once() });
        one.fails(limited(Limited::ModelRate, Some(60)));
        // After the first, one is tried at a time: the third that is refused in a row is in the second burst.
        for bursts in 1..=2 {
            let calls: Vec<_> = (0..4).map(|_| gateway.call(ONE, request("x")).send()).collect();
            assert!(join_all(calls).await.iter().all(Result::is_err));
            let breaker = first(&gateway).await.breaker;
            assert_eq!(breaker == BreakerState::Open, bursts == 2, "{bursts}");
        }
        let seen = one.attempts();
        // Until the provider may be asked again, the next model is, at once.
        tokio::time::sleep(30 * SECOND).await;
        let instead = gateway.call(ONE, request("x")).or(THREE).send().await.unwrap();
        assert_eq!((&*instead.model, instead.times.queue, one.attempts()), (THREE, Duration::ZERO, seen));
        tokio::time::sleep(30 * SECOND).await;
        // The try is refused, too: the pause is the provider's again.
        gateway.call(ONE, request("x")).send().await.unwrap_err();
        assert_eq!((one.attempts(), first(&gateway).await.breaker), (seen + 1, BreakerState::Open));
        tokio::time::sleep(30 * SECOND).await;
        gateway.call(ONE, request("x")).or(THREE).send().await.unwrap();
        assert_eq!((one.attempts(), three.attempts()), (seen + 1, 2));
    });
}

#[test]
fn a_call_whose_own_time_passes_without_a_word_is_a_silent_one_and_its_callers_time_is_not() {
    simulated(1, |runtime| async move {
        let (silent, hasty) = (Provider::new(1_000 * SECOND), Provider::new(20 * SECOND));
        let timeouts = Timeouts { total: 30 * SECOND, ..Timeouts::default() };
        let limits = GatewayLimits { timeouts, deadline: 600 * SECOND, ..once() };
        let gateway = two(&runtime, &silent, &hasty, limits);
        for (model, within, opens) in [(ONE, 600 * SECOND, true), (TWO, 10 * SECOND, false)] {
            for _ in 0..3 {
                let late = gateway.call(model, request("x")).within(within).send().await;
                assert_eq!(late, Err(ModelError::Timeout(Waiting::Total)));
            }
            let info = gateway.info().await.unwrap();
            let info = info.models.iter().find(|info| info.name == model).unwrap();
            assert_eq!((info.breaker == BreakerState::Open, info.breaker_opened), (opens, u64::from(opens)), "{model}");
        }
    });
}

#[test]
fn three_in_a_row_that_were_never_answered_open_the_breaker_whenever_that_was() {
    simulated(1, |runtime| async move {
        let ([one, ..], gateway) = three(&runtime, once());
        let silent = ModelError::Timeout(Waiting::FirstToken);
        let ask = async || gateway.call(ONE, request("x")).send().await;
        for (error, breaker) in [
            (Some(silent.clone()), BreakerState::Closed),
            (Some(silent.clone()), BreakerState::Closed),
            (None, BreakerState::Closed),
            (Some(silent.clone()), BreakerState::Closed),
            (Some(silent.clone()), BreakerState::Closed),
            (Some(silent.clone()), BreakerState::Open),
        ] {
            tokio::time::sleep(60 * SECOND).await;
            one.fails(error.clone());
            assert_eq!(ask().await.err(), error);
            assert_eq!(first(&gateway).await.breaker, breaker, "{error:?}");
        }
    });
}

#[test]
fn what_calls_used_and_how_long_they_waited_is_counted() {
    simulated(1, |runtime| async move {
        let provider = Provider::new(2 * SECOND);
        let price = Some(Price { input: 1_000_000, output: 2_000_000 });
        let served = ServedModel { price, ..provider.served(ONE, places(1)) };
        let free = provider.served(TWO, places(1));
        let gateway = Gateway::start(&runtime, vec![served, free], once()).unwrap();
        let calls: Vec<_> = (0..3).map(|_| gateway.call(ONE, request("x")).send()).collect();
        let calls = join_all(calls).await;
        let info = first(&gateway).await;
        assert_eq!((info.input_tokens, info.output_tokens, info.micros), (9, 6, Some(21)));
        assert_eq!((info.queue, info.provider, info.without_usage), (6 * SECOND, 6 * SECOND, 0));
        let sum = |of: fn(&CallTimes) -> Duration| {
            calls.iter().map(|call| of(&call.as_ref().unwrap().times)).sum::<Duration>()
        };
        assert_eq!((info.queue, info.provider), (sum(|times| times.queue), sum(|times| times.provider)));
        provider.fails(ModelError::Malformed("no".to_owned()));
        gateway.call(ONE, request("x")).send().await.unwrap_err();
        provider.fails(limited(Limited::Concurrency, None));
        gateway.call(ONE, request("x")).send().await.unwrap_err();
        let used = TokenUsage { input: 30, output: 4 };
        let refused = ModelError::ContentRefused("no".to_owned());
        provider.fails(refused.clone().with_usage(Some(used)));
        let budget = Budget::new(BudgetLimits::default());
        let error = gateway.call(ONE, request("x")).budget(&budget).send().await.unwrap_err();
        assert_eq!(error, refused, "what was used is not its caller's business");
        let spent = budget.spent();
        assert_eq!((spent.input_tokens, spent.output_tokens, spent.micros), (30, 4, 38));
        assert_eq!((spent.tokens, spent.unknown_usage, spent.reserved_tokens), (34, 0, 0));
        provider.fails(limited(Limited::Concurrency, None).with_usage(None));
        gateway.call(ONE, request("x")).budget(&budget).send().await.unwrap_err();
        assert_eq!((budget.spent().unknown_usage, budget.spent().input_tokens), (1, 30));
        provider.fails(None);
        drop((gateway.call(TWO, request("x")).send().await.unwrap(), calls));
        let info = gateway.info().await.unwrap();
        assert_eq!(
            (info.models[0].input_tokens, info.models[0].output_tokens, info.models[0].micros),
            (39, 10, Some(59))
        );
        assert_eq!(info.models[0].without_usage, 2, "a refusal uses nothing, unless it says that it did");
        assert_eq!((info.models[1].input_tokens, info.models[1].micros), (3, None), "an unknown price is no zero");
        // The line counts for who ends in it, too.
        let (held, late) = (gateway.call(ONE, request("x")).send(), gateway.call(ONE, request("x")).within(SECOND));
        let (held, late) = futures_util::future::join(held, late.send()).await;
        assert!(held.is_ok() && late.is_err());
        assert_eq!(first(&gateway).await.queue, 7 * SECOND);
        let none = Budget::new(BudgetLimits { tokens: Some(1), micros: None });
        gateway.call(ONE, request("x")).budget(&none).send().await.unwrap_err();
        let info = first(&gateway).await;
        assert_eq!((info.out_of_budget, info.attempts), (1, 8));
    });
}
