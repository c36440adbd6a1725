//! A model that answers by script: each call says in its last turn what is to become of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use callboard_actors::chat::{ChatChunk, ChatReply, ChatRequest, TokenUsage, Turn};
use callboard_actors::error::{Limited, ModelError};
use callboard_actors::gateway::{Gateway, GatewayLimits, ModelLimits, RetryPolicy, ServedModel};
use callboard_actors::ports::{ChatModel, ModelCall};
use callboard_actors::runtime::Runtime;
use futures_util::future::BoxFuture;

/// The script of a call is a list of steps, of which the number of attempts so far, over all calls, chooses one; the last one
/// is for all further attempts. Scripts of several steps are for tests with one call at a time.
#[derive(Default)]
pub(crate) struct Scripted {
    pub(crate) now: Arc<AtomicUsize>,
    pub(crate) peak: Arc<AtomicUsize>,
    pub(crate) attempts: Arc<AtomicUsize>,
}

/// Counts a call as long as it lives, also when it is dropped halfway.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// What each successful call of the scripted model used.
pub(crate) const USED: TokenUsage = TokenUsage { input: 3, output: 2 };

impl ChatModel for Scripted {
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        let script = call.request.turns.last().map(|turn| turn.text.clone()).unwrap_or_default();
        assert_ne!(script, "panic at once", "on purpose");
        let count = Counted(self.now.clone());
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(now, Ordering::SeqCst);
        let attempt = self.attempts.fetch_add(1, Ordering::SeqCst);
        let steps: Vec<_> = script.split(", ").collect();
        let step = steps[attempt.min(steps.len() - 1)].to_owned();
        Box::pin(async move {
            let _count = count;
            step_of(&step, &call).await
        })
    }
}

async fn step_of(step: &str, call: &ModelCall) -> Result<ChatReply, ModelError> {
    let message = || step.to_owned();
    let after = |text: &str| text.parse().ok().map(Duration::from_secs);
    match step.split_once(' ').unwrap_or((step, "")) {
        ("hang", _) => std::future::pending().await,
        ("refused", _) => Err(ModelError::ContentRefused(message())),
        ("reject", _) => Err(ModelError::Rejected { status: 400, message: message() }),
        ("down", seconds) => {
            Err(ModelError::Unavailable { status: 503, retry_after: after(seconds), message: message() })
        }
        ("rate", seconds) => {
            let (limited, retry_after) = (Limited::Rate, after(seconds));
            Err(ModelError::RateLimited { limited, retry_after, message: message() })
        }
        ("busy", "after ab") => {
            if let Some(chunks) = &call.chunks {
                assert!(chunks.send(ChatChunk::Text("ab".to_owned())).await);
            }
            Err(ModelError::Unavailable { status: 503, retry_after: None, message: message() })
        }
        ("busy", seconds) => {
            let (limited, retry_after) = (Limited::Concurrency, after(seconds));
            Err(ModelError::RateLimited { limited, retry_after, message: message() })
        }
        ("cut", text) => {
            if let Some(chunks) = call.chunks.as_ref().filter(|_| !text.is_empty()) {
                assert!(chunks.send(ChatChunk::Text(text.to_owned())).await);
            }
            Err(ModelError::Network { sent: true, message: message() })
        }
        ("panic", _) => panic!("the model panics on purpose"),
        ("silent", text) => {
            tokio::time::sleep(SECOND).await;
            Ok(ChatReply::text(text))
        }
        (text, _) => {
            tokio::time::sleep(SECOND).await;
            if let Some(chunks) = &call.chunks {
                for piece in text.split_inclusive('-') {
                    assert!(chunks.send(ChatChunk::Text(piece.to_owned())).await);
                    tokio::time::sleep(SECOND).await;
                }
            }
            Ok(ChatReply { usage: Some(USED), ..ChatReply::text(text) })
        }
    }
}

pub(crate) fn request(script: &str) -> ChatRequest {
    ChatRequest::new(vec![Turn::user(script)], 16)
}

/// The name of the scripted model.
pub(crate) const MODEL: &str = "scripted/one";

pub(crate) fn limits(max_waiting: usize) -> GatewayLimits {
    let retry = RetryPolicy { attempts: 3, ..RetryPolicy::default() };
    GatewayLimits { max_waiting, deadline: Duration::from_secs(10), retry, ..GatewayLimits::default() }
}

pub(crate) fn served(model: &Arc<Scripted>, limits: ModelLimits) -> ServedModel {
    ServedModel { limits, ..ServedModel::new(MODEL, model.clone()) }
}

/// A gateway in front of one scripted model with so many places.
pub(crate) fn gateway(runtime: &Runtime, model: &Arc<Scripted>, max_in_flight: usize, max_waiting: usize) -> Gateway {
    let served = served(model, ModelLimits { max_in_flight: Some(max_in_flight), ..ModelLimits::default() });
    Gateway::start(runtime, vec![served], limits(max_waiting)).unwrap()
}

pub(crate) async fn assert_idle(gateway: &Gateway, model: &Scripted) {
    let info = gateway.info().await.unwrap();
    assert_eq!((info.in_flight, info.waiting), (0, 0), "every place came back");
    assert_eq!(info.models.iter().map(|model| model.in_flight).sum::<usize>(), 0);
    assert_eq!(model.now.load(Ordering::SeqCst), 0, "no call goes on");
}
