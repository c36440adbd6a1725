//! How is a model called that speaks as OpenAI does? By Chat Completions, which OpenAI and every server that follows it speak, or by
//! `responses`.
//!
//! After the vendor's [reference](https://platform.openai.com/docs/api-reference/chat). What is read is read tolerantly:
//! servers that follow it leave fields out and invent values.

mod calls;
mod content;
mod errors;
mod first;
mod reply;
mod request;
mod responses;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use callboard_actors::chat::{ChatReply, ChatRequest, Headroom};
use callboard_actors::error::ModelError;
use callboard_actors::ports::{ChatModel, ModelCall, RateKey};
use futures_util::future::BoxFuture;
use reqwest::header::{AUTHORIZATION, HeaderMap};
use secrecy::SecretString;

use super::caller::{Caller, Format, Place, Vendor, a_key};
use super::headers::{headroom, retry_after};
use super::http::ProviderError;
use super::probe::Probe;
use super::refusal::moved;
use reply::{Growing, whole};
pub use responses::OpenAiResponses;

/// The variable that holds the key.
pub const KEY: &str = "OPENAI_API_KEY";
/// The variable that names another address.
pub const BASE_URL: &str = "OPENAI_BASE_URL";

/// OpenAI itself.
pub(crate) static OPENAI: Vendor = Vendor {
    name: "openai",
    speaks: "OpenAI",
    key: KEY,
    base_url: BASE_URL,
    address: "https://api.openai.com/v1",
    domain: "openai.com",
};

/// By which of its two interfaces OpenAI is called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OpenAiApi {
    /// Chat Completions, which all servers speak that follow OpenAI.
    #[default]
    Chat,
    /// Responses, which fewer speak.
    Responses,
}

/// A model of OpenAI, or of a server that speaks as OpenAI does. It is called through a
/// [`Gateway`](callboard_actors::gateway::Gateway).
///
/// # Cancellation
/// Dropping a call closes its connection.
#[derive(Debug, Clone)]
pub struct OpenAi(Arc<Caller<ChatCompletions>>);

impl OpenAi {
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
        Self::of(&OPENAI, model.into(), key, base_url)
    }

    /// The same of another vendor that speaks so.
    pub(crate) fn of(
        vendor: &'static Vendor,
        model: String,
        key: Option<SecretString>,
        base_url: Option<&str>,
    ) -> Result<Self, ProviderError> {
        let format = |is_openai| ChatCompletions { model: model.clone(), is_openai };
        Ok(Self(Arc::new(caller(vendor, format, model.clone(), key, base_url, "/chat/completions")?)))
    }

    /// Asks for the list of models, to see whether the provider answers, takes the key and knows `model`.
    pub(crate) async fn probe(&self, model: &str, within: Duration) -> Probe {
        self.0.probe(model, within).await
    }
}

/// A model at this path below the address. `format` is told whether that is OpenAI's own.
fn caller<F: Format>(
    vendor: &'static Vendor,
    format: impl FnOnce(bool) -> F,
    model: String,
    key: Option<SecretString>,
    base_url: Option<&str>,
    path: &str,
) -> Result<Caller<F>, ProviderError> {
    let (place, key) = (Place::of(vendor, base_url, path)?, a_key(key));
    let format = format(OPENAI.owns(&place.url));
    let authorization = key.as_ref().map(|key| vendor.key_header("Bearer ", key)).transpose()?;
    let headers = authorization.into_iter().map(|value| (AUTHORIZATION, value)).collect();
    Caller::new(vendor, format, model, place, key, headers)
}

impl ChatModel for OpenAi {
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        self.0.clone().complete(call)
    }

    fn rate_key(&self) -> Option<RateKey> {
        Some(self.0.rate_key())
    }
}

/// The format.
struct ChatCompletions {
    model: String,
    is_openai: bool,
}

impl Format for ChatCompletions {
    type Growing = Growing;

    fn body(&self, request: &ChatRequest, is_streamed: bool) -> Result<Vec<u8>, serde_json::Error> {
        request::body(request, &self.model, self.is_openai, is_streamed)
    }

    fn whole(json: &[u8]) -> Result<ChatReply, ModelError> {
        whole(json)
    }

    fn headroom(headers: &HeaderMap) -> Headroom {
        headroom(headers, SystemTime::now())
    }

    fn refused(status: u16, headers: &HeaderMap, said: &[u8]) -> ModelError {
        refused(status, headers, said)
    }
}

/// What a status other than success means, in both formats.
fn refused(status: u16, headers: &HeaderMap, said: &[u8]) -> ModelError {
    let now = SystemTime::now();
    let (room, wait) = (headroom(headers, now), retry_after(headers, now));
    // Their reset is better than nothing.
    let used_up = [(room.requests, room.requests_reset), (room.tokens, room.tokens_reset)];
    let reset = || used_up.into_iter().filter(|(left, _)| *left == Some(0)).filter_map(|(_, reset)| reset).max();
    let wait = wait.or_else(|| (status == 429).then(reset).flatten());
    moved(status, headers).unwrap_or_else(|| errors::of_status(status, said, wait))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::anthropic::Anthropic;
    use crate::providers::endpoint;
    use crate::providers::gemini::gemini;
    use crate::providers::ollama::ollama;

    #[test]
    fn an_address_that_cannot_be_used_is_refused_without_its_secrets() {
        let refused = |base| OpenAi::new("m", None, Some(base)).unwrap_err().to_string();
        for base in [
            "https://me:secret@host:99999/v1",
            "ftp://me:secret@host/v1",
            "https://me:secret@host/v1",
            "https://host/v1?api-key=secret",
            "https://host/v1#secret",
            "https://host/v1?api-key=ab@secret",
            "https://host/v1#ab@secret",
            "https://me:secret?ab@host/v1",
            "https://me:ab#secret@host/v1",
            "ab?secret@host://v1",
            "not an address",
        ] {
            let message = refused(base);
            assert!(message.starts_with("the provider's address is `") && !message.contains("secret"), "{message}");
        }
        for base in [
            "http://",
            "https:///",
            "http:///v1",
            "http:////v1",
            "HTTP://:8080/v1",
            "http://\\v1",
            "http://me:secret@/v1",
        ] {
            assert!(refused(base).contains("it names no host") && !refused(base).contains("secret"), "{base}");
            let others = [
                OpenAiResponses::new("m", None, Some(base)).map(drop),
                Anthropic::new("m", None, Some(base)).map(drop),
                gemini("m", None, Some(base)).map(drop),
                ollama("m", None, Some(base)).map(drop),
            ];
            assert_eq!(others.map(|made| made.unwrap_err().code()), ["provider_address"; 4], "{base}");
        }
        for base in [
            "",
            "  ",
            "http:",
            "http:v1",
            "http:/v1",
            "localhost:8080/v1",
            "//localhost/v1",
            "file:///v1",
            "x http://h",
        ] {
            assert!(refused(base).contains("it must begin with http:// or https://"), "{base}");
        }
        for base in ["http:// localhost/v1", "http://\n/v1", "http://localhost/v1 http://localhost/v2"] {
            assert!(refused(base).contains("it holds a space or a line break"), "{base}");
        }
        for base in [" http://localhost/v1\n", "HTTP://localhost/v1", "http://localhost/v1//"] {
            assert_eq!(endpoint(base, "/models").unwrap().as_str(), "http://localhost/v1/models");
        }
        let key = OpenAi::new("m", Some("a\nb".into()), None).unwrap_err().to_string();
        assert!(key.starts_with("the provider's key cannot be sent"), "{key}");
        let hint = OpenAi::new("m", None, Some("x")).unwrap_err().hint();
        assert!(hint.contains("OPENAI_BASE_URL") && hint.contains("in code, it is the `base_url`"), "{hint}");
        let shown = format!("{:?}", OpenAi::new("m", Some("sk-secret".into()), Some("http://localhost:1/v1")).unwrap());
        assert_eq!(shown, "OpenAi(m at http://localhost:1)");
    }
}
