//! Does every model call pass the gateway's limits, and does its place come back on every path?

mod common;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use callboard_actors::chat::ChatRequest;
use callboard_actors::error::{ModelError, StartError, Waiting};
use callboard_actors::gateway::{CacheMode, Gateway, GatewayLimits, ModelLimits, ServedModel};
use callboard_actors::runtime::simulated;
use common::model::{MODEL, SECOND, Scripted, assert_idle, gateway, limits, request, served};
use futures_util::future::join_all;
use tokio::time::Instant;

#[test]
fn never_more_in_flight_than_the_limit_and_the_rest_waits_in_order() {
    simulated(1, |runtime| async move {
        let model = Arc::new(Scripted::default());
        let gateway = gateway(&runtime, &model, 3, 100);
        let began = Instant::now();
        let calls = (0..10).map(|number| gateway.call(MODEL, request(&number.to_string())).send());
        let answers = join_all(calls.collect::<Vec<_>>()).await;
        let texts: Vec<_> = answers.iter().map(|answer| answer.as_ref().unwrap().reply.text.clone()).collect();
        assert_eq!(texts, (0..10).map(|number| number.to_string()).collect::<Vec<_>>());
        assert_eq!(began.elapsed(), Duration::from_secs(4), "ten calls of a second, three at a time");
        assert_eq!(model.peak.load(Ordering::SeqCst), 3);
        assert_eq!(gateway.info().await.unwrap().peak_in_flight, 3);
        let times = answers[9].as_ref().unwrap().times;
        assert_eq!((times.queue, times.provider, times.overhead), (3 * SECOND, SECOND, Duration::ZERO));
        assert_idle(&gateway, &model).await;
    });
}

#[test]
fn what_no_model_takes_is_refused_before_anything_is_sent() {
    simulated(1, |runtime| async move {
        let model = Arc::new(Scripted::default());
        let gateway = gateway(&runtime, &model, 3, 100);
        for temperature in [f32::NAN, -1.0, 3.0] {
            let request = ChatRequest { temperature: Some(temperature), ..request("x") };
            let whole = gateway.call(MODEL, request.clone()).cache(CacheMode::On).send().await.unwrap_err();
            let (call, mut pieces) = gateway.call(MODEL, request).streamed();
            let streamed = call.send().await.unwrap_err();
            for error in [whole, streamed] {
                assert!(matches!(error, ModelError::Rejected { status: 400, .. }), "{temperature}: {error:?}");
            }
            assert_eq!(pieces.next().await, None, "nobody waits for what does not come");
        }
        assert_eq!(model.attempts.load(Ordering::SeqCst), 0);
        let warm = ChatRequest { temperature: Some(2.0), ..request("x") };
        assert_eq!(gateway.call(MODEL, warm).send().await.unwrap().reply.text, "x");
        assert_idle(&gateway, &model).await;
    });
}

#[test]
fn models_have_places_of_their_own_below_those_of_all() {
    simulated(1, |runtime| async move {
        let (one, two) = (Arc::new(Scripted::default()), Arc::new(Scripted::default()));
        let places = |places| ModelLimits { max_in_flight: Some(places), ..ModelLimits::default() };
        let second = ServedModel { name: "scripted/two".to_owned(), ..served(&two, places(5)) };
        let all = GatewayLimits { max_in_flight: 4, ..limits(100) };
        let gateway = Gateway::start(&runtime, vec![served(&one, places(3)), second], all).unwrap();
        let names = [MODEL, "scripted/two"];
        let calls = (0..24).map(|number| gateway.call(names[number % 2], request("x")).send());
        let answers = join_all(calls.collect::<Vec<_>>()).await;
        assert!(answers.iter().all(Result::is_ok));
        assert!(one.peak.load(Ordering::SeqCst) <= 3 && two.peak.load(Ordering::SeqCst) <= 4);
        assert_eq!(gateway.info().await.unwrap().peak_in_flight, 4);
        assert_idle(&gateway, &one).await;
        let unknown = gateway.call("scripted/three", request("x")).send().await.unwrap_err();
        assert_eq!(
            unknown,
            ModelError::NotFound(
                "the gateway serves no model scripted/three; it serves scripted/one, scripted/two".to_owned()
            )
        );
    });
}

#[test]
fn beyond_the_line_a_call_is_refused_at_once() {
    simulated(1, |runtime| async move {
        let model = Arc::new(Scripted::default());
        let gateway = gateway(&runtime, &model, 1, 2);
        let mut calls = Vec::new();
        for _ in 0..5 {
            calls.push(gateway.call(MODEL, request("x")).send());
            // The gateway takes each call out of its mailbox before the next one comes: its own line is the bound.
            gateway.info().await.unwrap();
        }
        let answers = join_all(calls).await;
        let overloaded = answers.iter().filter(|answer| matches!(answer, Err(ModelError::Overloaded { .. }))).count();
        assert_eq!(overloaded, 2);
        assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3);
        assert_idle(&gateway, &model).await;
    });
}

#[test]
fn a_place_comes_back_after_failure_panic_and_deadline() {
    simulated(1, |runtime| async move {
        let model = Arc::new(Scripted::default());
        let gateway = gateway(&runtime, &model, 1, 10);
        let failed = gateway.call(MODEL, request("reject")).send().await;
        assert_eq!(failed, Err(ModelError::Rejected { status: 400, message: "reject".to_owned() }));
        for script in ["panic", "panic at once"] {
            let panicked = gateway.call(MODEL, request(script)).send().await;
            let said = panicked.expect_err("it answered").to_string();
            assert!(
                said.starts_with("the provider failed: its adapter panicked: ") && said.contains("on purpose"),
                "{said}"
            );
        }
        let began = Instant::now();
        let call = |script| gateway.call(MODEL, request(script)).send();
        let (hung, waited) = tokio::join!(call("hang"), call("x"));
        assert_eq!(hung, Err(ModelError::Timeout(Waiting::Total)));
        assert_eq!(waited, Err(ModelError::Timeout(Waiting::Queue)));
        assert_eq!(began.elapsed(), Duration::from_secs(10), "queued or in flight, the deadline holds");
        let began = Instant::now();
        let short = gateway.call(MODEL, request("hang")).within(SECOND).send().await;
        assert_eq!((short, began.elapsed()), (Err(ModelError::Timeout(Waiting::Total)), SECOND));
        assert!(call("x").await.is_ok());
        assert_idle(&gateway, &model).await;
    });
}

#[test]
fn a_caller_that_leaves_cancels_its_call_wherever_it_is() {
    simulated(1, |runtime| async move {
        let model = Arc::new(Scripted::default());
        let gateway = gateway(&runtime, &model, 1, 10);
        let in_flight = gateway.call(MODEL, request("hang")).send();
        let waiting = gateway.call(MODEL, request("never made")).send();
        while gateway.info().await.unwrap().waiting == 0 {}
        drop(waiting);
        while gateway.info().await.unwrap().waiting > 0 {}
        let next = gateway.call(MODEL, request("x")).send();
        while gateway.info().await.unwrap().waiting == 0 {}
        drop(in_flight);
        assert!(next.await.is_ok());
        let attempts = gateway.info().await.unwrap().models[0].attempts;
        assert_eq!(attempts, 2, "the one that was dropped while it waited was not made");
        assert_idle(&gateway, &model).await;
    });
}

#[test]
fn what_cannot_be_served_is_refused_before_it_starts() {
    simulated(1, |runtime| async move {
        let model = Arc::new(Scripted::default());
        let one = || served(&model, ModelLimits::default());
        let message = |models, limits| match Gateway::start(&runtime, models, limits) {
            Err(StartError::Invalid(message)) => message,
            other => panic!("{other:?}"),
        };
        assert_eq!(message(Vec::new(), limits(1)), "a gateway needs at least one model");
        assert_eq!(message(vec![one(), one()], limits(1)), "two models of a gateway are called scripted/one");
        let none = GatewayLimits { max_in_flight: 0, ..limits(1) };
        assert_eq!(message(vec![one()], none), "max_in_flight is 0; it must be between 1 and 100000");
        let closed = ModelLimits { max_in_flight: Some(0), ..ModelLimits::default() };
        let other = ServedModel { name: "scripted/other".to_owned(), ..served(&model, closed) };
        let expected = "model scripted/other: max_in_flight is 0; it must be between 1 and 100000";
        assert_eq!(message(vec![one(), other], limits(1)), expected);
    });
}
