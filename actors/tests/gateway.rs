//! Does every model call pass the gateway's limits, and does its place come back on every path?

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use callboard_actors::chat::{ChatReply, ChatRequest, Turn};
use callboard_actors::error::ModelError;
use callboard_actors::gateway::{Gateway, GatewayLimits};
use callboard_actors::ports::ChatModel;
use callboard_actors::runtime::simulated;
use futures_util::future::{BoxFuture, join_all};
use tokio::time::Instant;

/// Answers by script, and counts how many calls it has at a time.
#[derive(Default)]
struct Scripted {
    now: Arc<AtomicUsize>,
    peak: Arc<AtomicUsize>,
}

/// Counts a call as long as it lives, also when it is dropped halfway.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl ChatModel for Scripted {
    fn complete(&self, request: ChatRequest) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        let script = request.turns.last().map(|turn| turn.text.clone()).unwrap_or_default();
        assert_ne!(script, "panic at once", "on purpose");
        let count = Counted(self.now.clone());
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(now, Ordering::SeqCst);
        Box::pin(async move {
            let _count = count;
            match script.as_str() {
                "hang" => std::future::pending().await,
                "fail" => Err(ModelError::Provider("on purpose".to_owned())),
                "panic" => panic!("the model panics on purpose"),
                text => {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    Ok(ChatReply { text: text.to_owned(), usage: None })
                }
            }
        })
    }
}

fn request(text: &str) -> ChatRequest {
    ChatRequest { turns: vec![Turn::user(text)], max_output_tokens: 16 }
}

fn limits(max_in_flight: usize, max_waiting: usize) -> GatewayLimits {
    GatewayLimits { max_in_flight, max_waiting, deadline: Duration::from_secs(10) }
}

async fn assert_idle(gateway: &Gateway, model: &Scripted) {
    let info = gateway.info().await.unwrap();
    assert_eq!((info.in_flight, info.waiting), (0, 0), "every place came back");
    assert_eq!(model.now.load(Ordering::SeqCst), 0, "no call goes on");
}

#[test]
fn never_more_in_flight_than_the_limit_and_the_rest_waits_in_order() {
    simulated(1, |runtime| async move {
        let model = Arc::new(Scripted::default());
        let gateway = Gateway::start(&runtime, model.clone(), limits(3, 100)).unwrap();
        let began = Instant::now();
        let calls = (0..10).map(|number| gateway.complete(request(&number.to_string())));
        let answers = join_all(calls.collect::<Vec<_>>()).await;
        let texts: Vec<_> = answers.into_iter().map(|answer| answer.unwrap().text).collect();
        assert_eq!(texts, (0..10).map(|number| number.to_string()).collect::<Vec<_>>());
        assert_eq!(began.elapsed(), Duration::from_secs(4), "ten calls of a second, three at a time");
        assert_eq!(model.peak.load(Ordering::SeqCst), 3);
        assert_eq!(gateway.info().await.unwrap().peak_in_flight, 3);
        assert_idle(&gateway, &model).await;
    });
}

#[test]
fn beyond_the_queue_a_call_is_refused_at_once() {
    simulated(1, |runtime| async move {
        let model = Arc::new(Scripted::default());
        let gateway = Gateway::start(&runtime, model.clone(), limits(1, 2)).unwrap();
        let calls: Vec<_> = (0..5).map(|_| gateway.complete(request("x"))).collect();
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
        let gateway = Gateway::start(&runtime, model.clone(), limits(1, 10)).unwrap();
        let failed = gateway.complete(request("fail")).await;
        assert_eq!(failed, Err(ModelError::Provider("on purpose".to_owned())));
        for script in ["panic", "panic at once"] {
            let panicked = gateway.complete(request(script)).await;
            assert!(matches!(panicked, Err(ModelError::Provider(_))), "{panicked:?}");
        }
        let began = Instant::now();
        let (hung, waited) = tokio::join!(gateway.complete(request("hang")), gateway.complete(request("x")));
        assert_eq!((hung, waited), (Err(ModelError::Timeout), Err(ModelError::Timeout)));
        assert_eq!(began.elapsed(), Duration::from_secs(10), "queued or in flight, the deadline holds");
        assert!(gateway.complete(request("x")).await.is_ok());
        assert_idle(&gateway, &model).await;
    });
}

#[test]
fn a_caller_that_leaves_cancels_its_call_wherever_it_is() {
    simulated(1, |runtime| async move {
        let model = Arc::new(Scripted::default());
        let gateway = Gateway::start(&runtime, model.clone(), limits(1, 10)).unwrap();
        let in_flight = gateway.complete(request("hang"));
        let waiting = gateway.complete(request("never made"));
        while gateway.info().await.unwrap().waiting == 0 {}
        drop(waiting);
        drop(in_flight);
        assert!(gateway.complete(request("x")).await.is_ok());
        assert_eq!(gateway.info().await.unwrap().started, 2, "the one that was dropped while it waited was not made");
        assert_idle(&gateway, &model).await;
    });
}
