//! Do runs and users take turns, do urgent calls go first, and how many calls at a time does the gateway find that a provider
//! holds? On virtual time.

mod common;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use callboard_actors::error::{Limited, ModelError};
use callboard_actors::gateway::{
    BreakerState, Budget, BudgetLimits, ChatCall, Completed, FIRST_IN_FLIGHT, Gateway, GatewayLimits, ModelLimits,
    Priority, RetryPolicy,
};
use callboard_actors::runtime::{Runtime, simulated};
use common::model::{SECOND, limits, request};
use common::provider::{ONE, Provider, first, places, soon, unavailable};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use tokio::time::Instant;

const MOMENT: Duration = Duration::from_millis(10);

type Answer = BoxFuture<'static, Result<Completed, ModelError>>;

/// Sends so many of these calls; they stand in line in this order.
fn send<'a>(
    gateway: &'a Gateway,
    count: usize,
    text: &str,
    change: impl Fn(ChatCall<'a>) -> ChatCall<'a>,
) -> Vec<Answer> {
    (0..count).map(|_| change(gateway.call(ONE, request(text))).send().boxed()).collect()
}

fn one_place(runtime: &Runtime, takes: Duration) -> (Arc<Provider>, Gateway) {
    let provider = Provider::new(takes);
    let bounds = GatewayLimits { deadline: 60 * SECOND, ..limits(1_000) };
    let gateway = Gateway::start(runtime, vec![provider.served(ONE, places(1))], bounds).unwrap();
    (provider, gateway)
}

#[test]
fn a_run_with_one_call_is_next_but_one_whatever_many_calls_another_run_has() {
    simulated(1, |runtime| async move {
        let (provider, gateway) = one_place(&runtime, MOMENT);
        let many = send(&gateway, 401, "many", |call| call.run("many"));
        while gateway.info().await.unwrap().waiting < 400 {}
        tokio::time::sleep(MOMENT * 21 / 2).await;
        let before = provider.attempts();
        let began = Instant::now();
        let one = gateway.call(ONE, request("one")).run("one").send().await.unwrap();
        assert_eq!(provider.asked(before), ["many", "one"]);
        assert!(began.elapsed() <= 3 * MOMENT && one.times.queue <= 2 * MOMENT, "{:?}", began.elapsed());
        assert!(join_all(many).await.iter().all(Result::is_ok), "and nobody is forgotten");
    });
}

#[test]
fn users_take_turns_however_many_runs_they_have() {
    simulated(1, |runtime| async move {
        let (provider, gateway) = one_place(&runtime, MOMENT);
        let mut calls = Vec::new();
        for run in 0..10 {
            calls.extend(send(&gateway, 5, "busy", |call| call.user("busy").run(&run.to_string())));
        }
        calls.extend(send(&gateway, 10, "modest", |call| call.user("modest").run("0")));
        assert!(join_all(calls).await.iter().all(Result::is_ok));
        let asked = provider.asked(1);
        let modest = asked[..20].iter().filter(|text| *text == "modest").count();
        assert_eq!(modest, 10, "every second one: {asked:?}");
    });
}

#[test]
fn urgent_calls_go_first_in_their_run_and_take_nothing_from_others() {
    simulated(1, |runtime| async move {
        let (provider, gateway) = one_place(&runtime, MOMENT);
        let mut calls = send(&gateway, 1, "first", |call| call.run("a"));
        for (text, priority) in
            [("background", Priority::Background), ("normal", Priority::Normal), ("urgent", Priority::Urgent)]
        {
            calls.extend(send(&gateway, 3, text, |call| call.run("a").priority(priority)));
        }
        assert!(join_all(calls).await.iter().all(Result::is_ok));
        let expected = ["first", "urgent", "urgent", "urgent", "normal", "normal", "normal"];
        assert_eq!(provider.asked(0)[..7], expected);

        let before = provider.attempts();
        let mut calls = send(&gateway, 8, "urgent", |call| call.run("a").priority(Priority::Urgent));
        calls.extend(send(&gateway, 4, "other", |call| call.run("b").priority(Priority::Background)));
        assert!(join_all(calls).await.iter().all(Result::is_ok));
        let others = provider.asked(before)[1..9].iter().filter(|text| *text == "other").count();
        assert_eq!(others, 4, "another run's share does not depend on it");
    });
}

#[test]
fn a_call_that_cannot_make_its_deadline_is_refused_at_once() {
    simulated(1, |runtime| async move {
        let (provider, gateway) = one_place(&runtime, SECOND);
        let unknown = send(&gateway, 4, "x", |call| call.within(2 * SECOND));
        let late = join_all(unknown).await.iter().filter(|answer| answer.is_err()).count();
        assert_eq!(late, 2, "before any call was over nobody knows better than to wait");
        soon(&gateway, || true).await;

        let before = provider.attempts();
        let line = send(&gateway, 7, "x", |call| call);
        while gateway.info().await.unwrap().waiting < 6 {}
        let began = Instant::now();
        let hopeless = gateway.call(ONE, request("hopeless")).within(3 * SECOND).send().await;
        assert!(matches!(hopeless, Err(ModelError::Overloaded { .. })), "{hopeless:?}");
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert_eq!(first(&gateway).await.refused, 1);
        let urgent = gateway.call(ONE, request("urgent")).within(3 * SECOND).priority(Priority::Urgent).send();
        let patient = gateway.call(ONE, request("patient")).within(20 * SECOND).send();
        assert!(urgent.await.is_ok(), "before it is only who is in flight");
        assert!(patient.await.is_ok());
        assert!(join_all(line).await.iter().all(Result::is_ok));
        assert!(!provider.asked(before).contains(&"hopeless".to_owned()));
    });
}

#[test]
fn the_gateway_finds_how_many_calls_a_provider_holds() {
    simulated(1, |runtime| async move {
        let provider = Provider::new(SECOND / 5);
        provider.holds(16);
        let bounds = GatewayLimits { deadline: 60 * SECOND, ..limits(1_000) };
        let gateway = Gateway::start(&runtime, vec![provider.served(ONE, ModelLimits::default())], bounds).unwrap();
        let calls = send(&gateway, 128, "x", |call| call);
        while gateway.info().await.unwrap().waiting < 128 - FIRST_IN_FLIGHT {}
        assert_eq!((first(&gateway).await.limit, provider.attempts()), (FIRST_IN_FLIGHT, FIRST_IN_FLIGHT));
        let answers = join_all(calls).await;
        assert!(answers.iter().all(Result::is_ok), "whoever was one too many is made again");
        assert_eq!(provider.peak(), 16, "all that it holds are used");
        let (refused, limit) = (provider.refused(), first(&gateway).await.limit);
        assert!(refused <= 16, "{refused} were refused");
        assert!((12..=18).contains(&limit), "{limit}");

        let answers = join_all(send(&gateway, 1_000, "x", |call| call)).await;
        assert!(answers.iter().all(Result::is_ok));
        let refused = provider.refused() - refused;
        assert!(refused <= 20, "{refused} of 1,000 more were refused");
        let limit = first(&gateway).await.limit;
        assert!((14..=18).contains(&limit), "{limit}");
    });
}

#[test]
fn a_limit_that_is_configured_is_never_exceeded_and_goes_down_when_the_provider_holds_less() {
    simulated(1, |runtime| async move {
        let provider = Provider::new(SECOND / 5);
        provider.holds(4);
        let bounds = GatewayLimits { deadline: 60 * SECOND, ..limits(1_000) };
        let gateway = Gateway::start(&runtime, vec![provider.served(ONE, places(12))], bounds).unwrap();
        let calls = send(&gateway, 200, "x", |call| call);
        let answers = join_all(calls).await;
        assert!(answers.iter().filter(|answer| answer.is_ok()).count() >= 195, "{answers:?}");
        let info = gateway.info().await.unwrap();
        assert!(info.peak_in_flight == 12 && (3..=6).contains(&info.models[0].limit), "{info:?}");
    });
}

#[test]
fn after_an_outage_the_limit_grows_as_in_the_beginning() {
    simulated(1, |runtime| async move {
        let provider = Provider::new(SECOND);
        let mut bounds = limits(1_000);
        (bounds.deadline, bounds.retry) = (600 * SECOND, RetryPolicy { attempts: 1, ..RetryPolicy::default() });
        let gateway = Gateway::start(&runtime, vec![provider.served(ONE, places(8))], bounds).unwrap();
        provider.fails(unavailable());
        for _ in 0..10 {
            gateway.call(ONE, request("x")).send().await.unwrap_err();
        }
        let down = first(&gateway).await;
        assert_eq!((down.limit, down.breaker), (1, BreakerState::Open), "503 may also mean too many");
        provider.fails(None);
        let began = Instant::now();
        let answers = join_all(send(&gateway, 40, "x", |call| call)).await;
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(first(&gateway).await.limit, 8);
        assert!(began.elapsed() <= 12 * SECOND, "two of cool-down, four to grow, and the rest eight at a time");
    });
}

#[test]
fn what_may_mean_one_too_many_lowers_the_limit_and_other_failures_do_not() {
    let status = |status| ModelError::Unavailable { status, retry_after: None, message: String::new() };
    let limited =
        |limited| ModelError::RateLimited { limited, retry_after: Some(Duration::ZERO), message: String::new() };
    let rows = [
        (status(503), true),
        (status(529), true),
        (limited(Limited::Concurrency), true),
        (status(500), false),
        (status(502), false),
        (limited(Limited::Rate), false),
        (ModelError::Rejected { status: 400, message: String::new() }, false),
        (ModelError::Network { sent: true, message: String::new() }, false),
    ];
    for (error, lowers) in rows {
        simulated(1, |runtime| async move {
            let provider = Provider::new(SECOND);
            provider.fails(error.clone());
            let retry = RetryPolicy { attempts: 1, ..RetryPolicy::default() };
            let bounds = GatewayLimits { retry, ..limits(1_000) };
            let gateway = Gateway::start(&runtime, vec![provider.served(ONE, places(8))], bounds).unwrap();
            for _ in 0..2 {
                gateway.call(ONE, request("x")).send().await.unwrap_err();
            }
            let limit = first(&gateway).await.limit;
            assert_eq!(limit < 8, lowers, "{error:?}: {limit}");
        });
    }
}

/// One call is sent, and refused for a rate, for a second; the next ones are not.
async fn refused_once(provider: &Provider, gateway: &Gateway) -> Vec<Answer> {
    provider.fails(ModelError::RateLimited {
        limited: Limited::Rate,
        retry_after: Some(SECOND),
        message: "too many".to_owned(),
    });
    let calls = send(gateway, 1, "refused", |call| call.run("refused"));
    while provider.attempts() == 0 {
        tokio::time::sleep(MOMENT).await;
    }
    provider.fails(None);
    calls
}

#[test]
fn a_call_that_is_not_made_is_none_for_the_rate_that_was_found() {
    for without_budget in [0, 60] {
        simulated(1, |runtime| async move {
            let (provider, gateway) = one_place(&runtime, MOMENT);
            let refused = refused_once(&provider, &gateway).await;
            let began = Instant::now();
            let nothing = Budget::new(BudgetLimits { tokens: Some(0), micros: None });
            let mut calls = send(&gateway, without_budget, "nothing", |call| call.run("nothing").budget(&nothing));
            calls.extend(send(&gateway, 6, "x", |call| call.run("x")));
            let exhausted = join_all(calls).await.iter().filter(|answer| answer.is_err()).count();
            assert_eq!(exhausted, without_budget);
            assert!(join_all(refused).await.iter().all(Result::is_ok));
            let begun = provider.begun(1, began);
            let between: Vec<_> = begun.windows(2).map(|two| two[1] - two[0]).collect();
            assert_eq!(between.len(), 6);
            assert!(between.iter().all(|between| (140..=260).contains(between)), "{without_budget}: {between:?}");
        });
    }
}

#[test]
fn a_call_that_was_refused_for_a_rate_has_its_turn_again() {
    simulated(1, |runtime| async move {
        let (provider, gateway) = one_place(&runtime, MOMENT);
        let mut calls = refused_once(&provider, &gateway).await;
        for run in 0..20 {
            calls.extend(send(&gateway, 1, "other", |call| call.run(&run.to_string())));
        }
        assert!(join_all(calls).await.iter().all(Result::is_ok));
        let asked = provider.asked(1);
        let again = asked.iter().position(|text| text == "refused").unwrap();
        assert!(again < 5, "within half a second after the pause, and not behind twenty runs: {asked:?}");
    });
}

#[test]
fn ends_that_come_together_are_told_whatever_else_is_in_the_mailbox() {
    for seed in 0..64 {
        simulated(seed, move |runtime| async move {
            let provider = Provider::new(SECOND);
            let gateway = Gateway::start(&runtime, vec![provider.served(ONE, places(2))], limits(100)).unwrap();
            let began = Instant::now();
            let calls: Vec<_> = (0..4).map(|_| gateway.call(ONE, request("x")).send()).collect();
            // At the same moment as the second two somebody asks and leaves, whose question is never handled.
            let asks = gateway.clone();
            let left = tokio::task::spawn_local(async move {
                tokio::time::sleep_until(began + 2 * SECOND).await;
                // As late as may be before the leaf has its turn.
                for _ in 0..seed % 8 {
                    let mut is_next = false;
                    poll_fn(|cx| {
                        cx.waker().wake_by_ref();
                        if std::mem::replace(&mut is_next, true) { Poll::Ready(()) } else { Poll::Pending }
                    })
                    .await;
                }
                assert!(asks.info().now_or_never().is_none());
            });
            assert!(join_all(calls).await.iter().all(Result::is_ok), "seed {seed}");
            assert_eq!(began.elapsed(), 2 * SECOND, "seed {seed}: nobody waits for a further message");
            left.await.unwrap();
        });
    }
}
