//! How is a model called that speaks OpenAI's Responses? The second format of OpenAI, beside Chat Completions.
//!
//! After the vendor's [reference](https://platform.openai.com/docs/api-reference/responses). Nothing is kept at the vendor: each
//! request holds the whole conversation, asks for it not to be stored, and refers to no earlier one. So what a model thought is
//! not handed back to it.

mod reply;
mod request;
mod wire;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use callboard_actors::chat::{ChatReply, ChatRequest, Headroom};
use callboard_actors::error::ModelError;
use callboard_actors::ports::{ChatModel, ModelCall, RateKey};
use futures_util::future::BoxFuture;
use reqwest::header::HeaderMap;
use secrecy::SecretString;

use super::{OPENAI, caller, refused};
use crate::providers::body;
use crate::providers::caller::{Caller, Format};
use crate::providers::headers::headroom;
use crate::providers::http::ProviderError;
use crate::providers::probe::Probe;

/// A model of OpenAI, or of a server that speaks as OpenAI does, called by its Responses. It is called through a
/// [`Gateway`](callboard_actors::gateway::Gateway).
///
/// # Cancellation
/// Dropping a call closes its connection.
#[derive(Debug, Clone)]
pub struct OpenAiResponses(Arc<Caller<Responses>>);

impl OpenAiResponses {
    /// The model with this name at `base_url`, such as `https://api.openai.com/v1`; `None` is that. Without a key none is
    /// sent, which servers on one's own machine accept.
    ///
    /// # Errors
    /// [`ProviderError`] when the address is none, the key cannot be sent, or there is none and the address is the vendor's own.
    pub fn new(
        model: impl Into<String>,
        key: Option<SecretString>,
        base_url: Option<&str>,
    ) -> Result<Self, ProviderError> {
        let model = model.into();
        let format = |_is_openai| Responses { model: model.clone() };
        Ok(Self(Arc::new(caller(&OPENAI, format, model.clone(), key, base_url, "/responses")?)))
    }

    /// Asks for the list of models, to see whether the provider answers, takes the key and knows `model`.
    pub(crate) async fn probe(&self, model: &str, within: Duration) -> Probe {
        self.0.probe(model, within).await
    }
}

impl ChatModel for OpenAiResponses {
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        self.0.clone().complete(call)
    }

    fn rate_key(&self) -> Option<RateKey> {
        Some(self.0.rate_key())
    }
}

/// The format.
struct Responses {
    model: String,
}

impl Format for Responses {
    type Growing = reply::Growing;

    fn body(&self, request: &ChatRequest, is_streamed: bool) -> Result<Vec<u8>, serde_json::Error> {
        body::json(&request::written(request, &self.model, is_streamed))
    }

    fn whole(json: &[u8]) -> Result<ChatReply, ModelError> {
        reply::whole(json)
    }

    fn headroom(headers: &HeaderMap) -> Headroom {
        headroom(headers, SystemTime::now())
    }

    fn refused(status: u16, headers: &HeaderMap, said: &[u8]) -> ModelError {
        refused(status, headers, said)
    }
}
