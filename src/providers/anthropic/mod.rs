//! How is a model of Anthropic called? The Messages interface, of Anthropic itself and of whoever serves it.
//!
//! After the vendor's [reference](https://docs.anthropic.com/en/api/messages), version 2023-06-01 of the interface. Of the vendor
//! documented, not recorded: nobody has tried it against its servers yet; llama.cpp's server, which speaks it too, was recorded.

mod errors;
mod native;
mod reply;
mod request;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use callboard_actors::chat::{ChatReply, ChatRequest, Headroom};
use callboard_actors::error::ModelError;
use callboard_actors::ports::{ChatModel, ModelCall, RateKey};
use futures_util::future::BoxFuture;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;

use super::caller::{Caller, Format, Place, Vendor, a_key};
use super::headers::retry_after;
use super::http::ProviderError;
use super::probe::Probe;
use super::refusal::moved;

/// The variable that holds the key.
pub const KEY: &str = "ANTHROPIC_API_KEY";
/// The variable that names another address.
pub const BASE_URL: &str = "ANTHROPIC_BASE_URL";
/// The version of the interface.
const VERSION: &str = "2023-06-01";

/// Anthropic itself.
pub(crate) static ANTHROPIC: Vendor = Vendor {
    name: "anthropic",
    speaks: "Anthropic",
    key: KEY,
    base_url: BASE_URL,
    address: "https://api.anthropic.com/v1",
    domain: "anthropic.com",
};

/// A model of Anthropic, or of a server that speaks as Anthropic does. It is called through a
/// [`Gateway`](callboard_actors::gateway::Gateway).
///
/// A reply of a [form](callboard_actors::chat::ReplyForm) is asked for by `output_config.format`, where the model keeps to schemas by itself
/// (generation 4.5 and later) and the schema [can be said there](https://platform.claude.com/docs/en/build-with-claude/structured-outputs).
/// Otherwise it is asked for as the arguments of a tool that is called by force; the text of the reply is then these arguments.
///
/// # Cancellation
/// Dropping a call closes its connection.
#[derive(Debug, Clone)]
pub struct Anthropic(Arc<Caller<Messages>>);

impl Anthropic {
    /// The model with this name at `base_url`, such as `https://api.anthropic.com/v1`; `None` is that.
    ///
    /// # Errors
    /// [`ProviderError`] when the address is none, the key cannot be sent, or there is none and the address is the vendor's own.
    pub fn new(
        model: impl Into<String>,
        key: Option<SecretString>,
        base_url: Option<&str>,
    ) -> Result<Self, ProviderError> {
        let model = model.into();
        let keeps_to_schemas = native::keeps_to_schemas(&model);
        Self::make(model, key, base_url, keeps_to_schemas)
    }

    /// The same, but a reply of a form is always asked for by a tool: for schemas that Anthropic calls too complex or too large to
    /// compile, which it refuses with 400. Models that think unless told otherwise refuse to be forced to call a tool.
    ///
    /// # Errors
    /// As [`Anthropic::new`].
    pub fn with_forms_by_tool(
        model: impl Into<String>,
        key: Option<SecretString>,
        base_url: Option<&str>,
    ) -> Result<Self, ProviderError> {
        Self::make(model.into(), key, base_url, false)
    }

    fn make(
        model: String,
        key: Option<SecretString>,
        base_url: Option<&str>,
        keeps_to_schemas: bool,
    ) -> Result<Self, ProviderError> {
        let (place, key) = (Place::of(&ANTHROPIC, base_url, "/messages")?, a_key(key));
        let mut headers = vec![(HeaderName::from_static("anthropic-version"), HeaderValue::from_static(VERSION))];
        if let Some(key) = &key {
            headers.push((HeaderName::from_static("x-api-key"), ANTHROPIC.key_header("", key)?));
        }
        let format = Messages { model: model.clone(), keeps_to_schemas };
        Ok(Self(Arc::new(Caller::new(&ANTHROPIC, format, model, place, key, headers)?)))
    }

    /// Asks for the list of models, to see whether the provider answers, takes the key and knows `model`.
    pub(crate) async fn probe(&self, model: &str, within: Duration) -> Probe {
        self.0.probe(model, within).await
    }
}

impl ChatModel for Anthropic {
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        self.0.clone().complete(call)
    }

    fn rate_key(&self) -> Option<RateKey> {
        Some(self.0.rate_key())
    }
}

/// The format.
struct Messages {
    model: String,
    /// Whether the model does so by itself.
    keeps_to_schemas: bool,
}

impl Format for Messages {
    type Growing = reply::Growing;

    fn body(&self, request: &ChatRequest, is_streamed: bool) -> Result<Vec<u8>, serde_json::Error> {
        request::body(request, &self.model, self.keeps_to_schemas, is_streamed)
    }

    fn whole(json: &[u8]) -> Result<ChatReply, ModelError> {
        reply::whole(json)
    }

    fn headroom(headers: &HeaderMap) -> Headroom {
        let left = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse().ok();
        // Their resets are times of day in a form of their own; what is left is enough to go by.
        Headroom {
            requests: left("anthropic-ratelimit-requests-remaining"),
            tokens: left("anthropic-ratelimit-tokens-remaining"),
            ..Headroom::default()
        }
    }

    fn refused(status: u16, headers: &HeaderMap, said: &[u8]) -> ModelError {
        moved(status, headers)
            .unwrap_or_else(|| errors::of_status(status, said, retry_after(headers, SystemTime::now())))
    }
}
