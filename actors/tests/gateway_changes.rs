//! Do changed limits hold, at once where they can, on virtual time?

mod common;

use std::sync::Arc;
use std::time::Duration;

use callboard_actors::error::{ModelError, StartError, Waiting};
use callboard_actors::gateway::{
    BreakerPolicy, BreakerState, Gateway, GatewayLimits, ModelLimits, RetryBudgetPolicy, RetryPolicy, Timeouts,
};
use callboard_actors::runtime::{Runtime, simulated};
use common::model::{SECOND, limits, request};
use common::provider::{ONE, Provider, TWO, first, places, soon, unavailable};
use futures_util::future::join_all;
use tokio::time::Instant;

fn bounds() -> GatewayLimits {
    GatewayLimits { max_in_flight: 6, deadline: 60 * SECOND, ..limits(20) }
}

fn start(runtime: &Runtime, model: ModelLimits) -> (Arc<Provider>, Gateway) {
    let provider = Provider::new(10 * SECOND);
    let gateway = Gateway::start(runtime, vec![provider.served(ONE, model)], bounds()).unwrap();
    (provider, gateway)
}

#[test]
fn more_places_are_taken_at_once_and_fewer_when_calls_end() {
    simulated(1, |runtime| async move {
        for (is_in_all, fewer, more) in [(true, 2, 5), (false, 2, 5)] {
            let (provider, gateway) = start(&runtime, places(6));
            let set = |places_now: usize| match is_in_all {
                true => gateway.set_limits(GatewayLimits { max_in_flight: places_now, ..gateway.limits() }),
                false => gateway.set_model_limits(ONE, places(places_now)),
            };
            let began = Instant::now();
            let calls: Vec<_> = (0..18).map(|_| gateway.call(ONE, request("x")).send()).collect();
            soon(&gateway, || provider.attempts() == 6).await;
            set(fewer).unwrap();
            assert_eq!(first(&gateway).await.limit, fewer);
            tokio::time::sleep(SECOND * 15).await;
            let info = gateway.info().await.unwrap();
            assert_eq!((info.in_flight, info.waiting), (2, 10), "who is in flight stays, and two follow");
            set(more).unwrap();
            soon(&gateway, || provider.attempts() == 11).await;
            assert!(join_all(calls).await.iter().all(Result::is_ok));
            let expected: Vec<_> = [(0, 6), (10_000, 2), (15_000, 3), (20_000, 2), (25_000, 3), (30_000, 2)]
                .into_iter()
                .flat_map(|(at, calls)| std::iter::repeat_n(at, calls))
                .collect();
            assert_eq!(provider.begun(0, began), expected, "in all: {is_in_all}");
        }
    });
}

#[test]
fn a_model_without_a_limit_of_its_own_goes_with_the_limit_of_all() {
    simulated(1, |runtime| async move {
        let (provider, gateway) = start(&runtime, ModelLimits::default());
        assert_eq!(first(&gateway).await.limit, 6);
        gateway.set_limits(GatewayLimits { max_in_flight: 2, ..bounds() }).unwrap();
        let calls: Vec<_> = (0..6).map(|_| gateway.call(ONE, request("x")).send()).collect();
        soon(&gateway, || provider.attempts() == 2).await;
        gateway.set_limits(bounds()).unwrap();
        soon(&gateway, || provider.attempts() == 6).await;
        assert_eq!(first(&gateway).await.limit, 6);
        assert!(join_all(calls).await.iter().all(Result::is_ok));

        gateway.set_limits(GatewayLimits { max_in_flight: 2, ..bounds() }).unwrap();
        gateway.set_model_limits(ONE, places(3)).unwrap();
        gateway.set_model_limits(ONE, ModelLimits::default()).unwrap();
        gateway.set_limits(bounds()).unwrap();
        assert_eq!(first(&gateway).await.limit, 6, "it is told of each new limit");
        gateway.set_model_limits(ONE, places(3)).unwrap();
        gateway.set_limits(bounds()).unwrap();
        assert_eq!(first(&gateway).await.limit, 3, "and keeps its own");
    });
}

#[test]
fn after_a_refusal_a_higher_limit_is_found_as_in_the_beginning() {
    simulated(1, |runtime| async move {
        let provider = Provider::new(SECOND / 5);
        provider.holds(3);
        let many = GatewayLimits { deadline: 60 * SECOND, ..limits(1_000) };
        let gateway = Gateway::start(&runtime, vec![provider.served(ONE, places(8))], many).unwrap();
        let send = |calls| join_all((0..calls).map(|_| gateway.call(ONE, request("x")).send()).collect::<Vec<_>>());
        send(40).await;
        let limit = first(&gateway).await.limit;
        assert!((2..=4).contains(&limit), "{limit}");
        provider.holds(100);
        gateway.set_model_limits(ONE, places(16)).unwrap();
        assert_eq!(first(&gateway).await.limit, limit, "the provider has not said that it holds more");
        send(40).await;
        assert_eq!(first(&gateway).await.limit, 16);
    });
}

#[test]
fn a_line_and_rates_change_at_once() {
    simulated(1, |runtime| async move {
        let (_provider, gateway) = start(&runtime, places(1));
        gateway.set_limits(GatewayLimits { max_waiting: 1, ..bounds() }).unwrap();
        let calls: Vec<_> = (0..2).map(|_| gateway.call(ONE, request("x")).send()).collect();
        let third = gateway.call(ONE, request("x")).send().await;
        assert!(matches!(third, Err(ModelError::Overloaded { .. })), "{third:?}");
        gateway.set_limits(bounds()).unwrap();
        assert!(gateway.call(ONE, request("x")).send().await.is_ok());
        assert!(join_all(calls).await.iter().all(Result::is_ok));

        let rate = |requests| ModelLimits { requests_per_minute: requests, ..places(6) };
        let (provider, gateway) = start(&runtime, rate(Some(2)));
        let began = Instant::now();
        let calls: Vec<_> = (0..4).map(|_| gateway.call(ONE, request("x")).send()).collect();
        tokio::time::sleep(5 * SECOND).await;
        assert_eq!(provider.attempts(), 2);
        gateway.set_model_limits(ONE, rate(Some(60))).unwrap();
        soon(&gateway, || provider.attempts() >= 4).await;
        assert_eq!(provider.begun(2, began), [5_000, 5_000], "a twelfth of a minute's worth came in before");
        gateway.set_model_limits(ONE, rate(None)).unwrap();
        assert!(gateway.call(ONE, request("x")).send().await.unwrap().times.queue.is_zero());
        assert!(join_all(calls).await.iter().all(Result::is_ok));
    });
}

#[test]
fn times_hold_for_what_begins_later() {
    simulated(1, |runtime| async move {
        let (provider, gateway) = start(&runtime, places(6));
        let before = gateway.call(ONE, request("x")).send();
        soon(&gateway, || provider.attempts() == 1).await;
        let timeouts = Timeouts { total: 4 * SECOND, ..Timeouts::default() };
        gateway.set_limits(GatewayLimits { timeouts, ..bounds() }).unwrap();
        let began = Instant::now();
        let short = gateway.call(ONE, request("x")).send().await;
        assert_eq!((short, began.elapsed()), (Err(ModelError::Timeout(Waiting::Total)), 4 * SECOND));
        assert!(before.await.is_ok(), "an attempt keeps the times that it began with");
        gateway.set_limits(GatewayLimits { deadline: 3 * SECOND, ..bounds() }).unwrap();
        let began = Instant::now();
        let call = gateway.call(ONE, request("x")).within(60 * SECOND).send().await;
        assert_eq!((call, began.elapsed()), (Err(ModelError::Timeout(Waiting::Total)), 3 * SECOND));
    });
}

#[test]
fn retries_and_the_breaker_go_by_the_new_policies() {
    simulated(1, |runtime| async move {
        let (provider, gateway) = start(&runtime, places(6));
        provider.fails(unavailable());
        let call = || gateway.call(ONE, request("x")).send();
        call().await.unwrap_err();
        assert_eq!(provider.attempts(), 3);
        let once = RetryPolicy { attempts: 1, ..RetryPolicy::default() };
        gateway.set_limits(GatewayLimits { retry: once.clone(), ..bounds() }).unwrap();
        call().await.unwrap_err();
        assert_eq!(provider.attempts(), 4);

        let retry_budget = RetryBudgetPolicy { enabled: true, percent: 0, floor_per_second: 1 };
        let off = BreakerPolicy { enabled: false, ..BreakerPolicy::default() };
        gateway.set_limits(GatewayLimits { retry_budget, breaker: off, ..bounds() }).unwrap();
        for _ in 0..20 {
            gateway.call(ONE, request("x")).within(SECOND).send().await.unwrap_err();
        }
        assert!(provider.attempts() < 4 + 40, "{}", provider.attempts());
        let info = first(&gateway).await;
        assert!(info.retries_refused > 0 && info.breaker == BreakerState::Closed, "{info:?}");

        gateway.set_limits(GatewayLimits { retry: once.clone(), ..bounds() }).unwrap();
        for _ in 0..10 {
            call().await.unwrap_err();
        }
        assert_eq!(first(&gateway).await.breaker, BreakerState::Open);
        provider.fails(None);
        let (began, waits) = (Instant::now(), call());
        gateway.set_limits(GatewayLimits { retry: once, breaker: off, ..bounds() }).unwrap();
        assert_eq!(first(&gateway).await.breaker, BreakerState::Closed);
        assert!(waits.await.unwrap().times.queue.is_zero(), "whoever waited behind it starts at once");
        assert_eq!(began.elapsed(), 10 * SECOND);
    });
}

#[test]
fn what_makes_no_sense_changes_nothing_and_says_why() {
    simulated(1, |runtime| async move {
        let (_provider, gateway) = start(&runtime, places(6));
        let wrong = [
            (GatewayLimits { max_in_flight: 0, ..bounds() }, "max_in_flight is 0"),
            (
                GatewayLimits { max_in_flight: 7, ..bounds() },
                "max_in_flight is 7; this gateway was started for at most 6",
            ),
            (
                GatewayLimits { max_waiting: 21, ..bounds() },
                "max_waiting is 21; this gateway was started for at most 20",
            ),
            (GatewayLimits { deadline: Duration::ZERO, ..bounds() }, "deadline is 0ns"),
        ];
        for (limits, message) in wrong {
            let told = gateway.set_limits(GatewayLimits { timeouts: Timeouts::default(), ..limits }).unwrap_err();
            assert!(told.to_string().contains(message), "{told}");
            assert_eq!(gateway.limits(), bounds());
        }
        let Err(StartError::Invalid(told)) = gateway.set_model_limits(TWO, places(1)) else { panic!() };
        assert_eq!(told, "the gateway serves no model provider/two; it serves provider/one");
        let told = gateway.set_model_limits(ONE, places(0)).unwrap_err();
        assert!(told.to_string().contains("max_in_flight is 0"));
        assert_eq!(first(&gateway).await.limit, 6);
    });
}
