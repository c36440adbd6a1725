//! How is a model called that speaks OpenAI's Chat Completions? OpenAI itself, and every server that follows it.
//!
//! After the vendor's [reference](https://platform.openai.com/docs/api-reference/chat). What is read is read tolerantly:
//! servers that follow it leave fields out and invent values.

mod content;
mod errors;
mod first;
mod reply;
mod request;

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use callboard_actors::chat::ChatReply;
use callboard_actors::error::{ModelError, Waiting};
use callboard_actors::gateway::{Chunks, Timeouts};
use callboard_actors::ports::{ChatModel, ModelCall};
use futures_util::future::BoxFuture;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Response, Url};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, timeout_at};

use super::headers::{headroom, retry_after};
use super::http::{Http, ProviderError, body, failed, host};
use super::probe::{Answer, Probe};
use super::sse::Events;
use reply::{Growing, whole};

/// Where OpenAI itself is.
const OPENAI: &str = "https://api.openai.com/v1";
/// The variable that holds the key.
pub const KEY: &str = "OPENAI_API_KEY";
/// The variable that names another address.
pub const BASE_URL: &str = "OPENAI_BASE_URL";

/// How long the end of a body may take after its last word: most servers send both at once.
const MOMENT: Duration = Duration::from_millis(50);

/// The longest streamed reply, in bytes.
const LONGEST: usize = 64 * 1024 * 1024;

/// A model of OpenAI, or of a server that speaks as OpenAI does. It is called through a
/// [`Gateway`](callboard_actors::gateway::Gateway).
///
/// # Cancellation
/// Dropping a call closes its connection.
#[derive(Debug, Clone)]
pub struct OpenAi(Arc<Shared>);

struct Shared {
    model: String,
    url: Url,
    /// Where the models are listed.
    models: Url,
    is_openai: bool,
    key: Option<SecretString>,
    authorization: Option<HeaderValue>,
    http: Http,
}

impl std::fmt::Debug for Shared {
    /// Never the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.model, host(&self.url))
    }
}

impl OpenAi {
    /// The model with this name at `base_url`, such as `https://api.openai.com/v1`; `None` is that. Without a key none is
    /// sent, which servers on one's own machine accept.
    ///
    /// # Errors
    /// [`ProviderError`] when the address is none, or the key cannot be sent.
    pub fn new(
        model: impl Into<String>,
        key: Option<SecretString>,
        base_url: Option<&str>,
    ) -> Result<Self, ProviderError> {
        let base = base_url.unwrap_or(OPENAI);
        let url = endpoint(base, "/chat/completions").map_err(|what| ProviderError::Address {
            variable: BASE_URL.to_owned(),
            address: without_secrets(base),
            what,
        })?;
        let models = endpoint(base, "/models").unwrap_or_else(|_| url.clone());
        let authorization = key.as_ref().map(authorization).transpose()?;
        let is_openai = is_openai(&url);
        let http = Http::new(Timeouts::default().connect, url.scheme() == "https")?;
        Ok(Self(Arc::new(Shared { model: model.into(), url, models, is_openai, key, authorization, http })))
    }
}

impl OpenAi {
    /// Asks for the list of models, to see whether the provider answers, takes the key and knows `model`.
    pub(crate) async fn probe(&self, model: &str, within: Duration) -> Probe {
        let shared = &self.0;
        let is_key_exposed = shared.key.is_some() && shared.url.scheme() == "http" && !is_local(&shared.url);
        let start = Instant::now();
        let asked = timeout_at(start + within, shared.models(within)).await;
        let answer = match asked.unwrap_or(Err(ModelError::Timeout(Waiting::Total))) {
            Ok((status, said)) => Answer::of(status, &said, model, start.elapsed()),
            Err(error) => Answer::Unreachable(error),
        };
        Probe { host: host(&shared.models), is_key_exposed, answer }
    }
}

/// Whether an address is on this machine.
fn is_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.ends_with(".localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether a base URL leads to OpenAI itself, which wants a key; `None` does.
pub(crate) fn is_vendor(base: Option<&str>) -> bool {
    base.is_none_or(|base| endpoint(base, "").is_ok_and(|url| is_openai(&url)))
}

fn is_openai(url: &Url) -> bool {
    url.host_str().is_some_and(|host| host == "openai.com" || host.ends_with(".openai.com"))
}

/// The address of a part of the interface, such as `/models`, below a base URL.
///
/// # Errors
/// What is wrong with the base URL; nothing that stands in it.
pub(crate) fn endpoint(base: &str, part: &str) -> Result<Url, String> {
    if !base.contains("://") {
        return Err("it must begin with http:// or https://".to_owned());
    }
    let url = Url::parse(&format!("{}{part}", base.trim_end_matches('/'))).map_err(|error| error.to_string())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it must begin with http:// or https://".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a name or a password; hand the key over instead".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it holds a `?` or a `#`, and more is appended to it".to_owned());
    }
    Ok(url)
}

/// An address that can be shown: what stands before an `@` or after a `?` may be a secret.
fn without_secrets(address: &str) -> String {
    let shown = address.rsplit('@').next().unwrap_or_default();
    shown.split(['?', '#']).next().unwrap_or_default().to_owned()
}

fn authorization(key: &SecretString) -> Result<HeaderValue, ProviderError> {
    let value = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret().trim()));
    let mut value = value.map_err(|_| ProviderError::Key { variable: KEY.to_owned() })?;
    // So that nothing that prints headers prints it.
    value.set_sensitive(true);
    Ok(value)
}

impl ChatModel for OpenAi {
    fn complete(&self, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        let shared = self.0.clone();
        Box::pin(async move { shared.complete(&call).await })
    }
}

impl Shared {
    async fn complete(&self, call: &ModelCall) -> Result<ChatReply, ModelError> {
        let Timeouts { first_token, between_tokens, .. } = call.timeouts;
        // A reply in one piece has no first token: its head comes when the model has said everything.
        let first = call.chunks.is_some().then(|| Instant::now() + first_token);
        let response = match first {
            // In a block of its own: most calls are not streamed, and need not hold the room for it.
            Some(first) => Box::pin(timeout_at(first, self.ask(call)?)).await.map_err(|_| no_first_token())?,
            None => self.ask(call)?.await,
        };
        let mut response = response.map_err(|error| failed(&self.url, &error))?;
        let (is_success, room) = (response.status().is_success(), headroom(response.headers()));
        match (Kind::of(&response), call.chunks.as_ref().zip(first)) {
            _ if !is_success => {}
            (Kind::Stream, Some((chunks, first))) => {
                let reply = Box::pin(self.streamed(response, chunks, first, between_tokens)).await?;
                return Ok(ChatReply { headroom: room, ..reply });
            }
            // Some servers do not stream, whatever they are asked.
            (Kind::Json, _) => {}
            _ => return Err(self.of_another_kind(&response)),
        }
        let said = body(&mut response, between_tokens).await;
        if !is_success {
            return Err(self.refused(&response, &said.unwrap_or_default()));
        }
        let reply = whole(&self.without_key(&said?))?;
        if let Some(chunks) = &call.chunks {
            Box::pin(send(chunks, &reply)).await;
        }
        Ok(ChatReply { headroom: room, ..reply })
    }

    /// What a status other than success means.
    fn refused(&self, response: &Response, said: &[u8]) -> ModelError {
        let (status, room) = (response.status().as_u16(), headroom(response.headers()));
        let wait = retry_after(response.headers(), SystemTime::now());
        // Their reset is better than nothing.
        let used_up = [(room.requests, room.requests_reset), (room.tokens, room.tokens_reset)];
        let reset = || used_up.into_iter().filter(|(left, _)| *left == Some(0)).filter_map(|(_, reset)| reset).max();
        let wait = wait.or_else(|| (status == 429).then(reset).flatten());
        errors::of_status(status, &self.without_key(said), wait, self.key.as_ref().map(|_| KEY))
    }

    fn of_another_kind(&self, response: &Response) -> ModelError {
        let kind = content_type(response);
        let what = if kind.is_empty() { "of no type".to_owned() } else { format!("of the type {kind}") };
        ModelError::Malformed(format!("it is {what}; does {} speak as OpenAI does?", host(&self.url)))
    }

    /// Sends the request; the future ends with the head of the reply. It is made here, where nothing waits, so that a call
    /// that waits does not hold the room in which its request was put together.
    fn ask(
        &self,
        call: &ModelCall,
    ) -> Result<impl Future<Output = Result<Response, reqwest::Error>> + Send + use<>, ModelError> {
        let body = request::body(&call.request, &self.model, self.is_openai, call.chunks.is_some());
        let body = body.map_err(|error| ModelError::Provider(error.to_string()))?;
        let client = self.http.client(call.timeouts.connect)?;
        let mut request = client.post(self.url.clone()).header(CONTENT_TYPE, "application/json").body(body);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        Ok(request.send())
    }

    /// The list of models: its status and its body, read to its end or not at all.
    async fn models(&self, within: Duration) -> Result<(u16, Vec<u8>), ModelError> {
        let mut request = self.http.client(Timeouts::default().connect)?.get(self.models.clone());
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let mut response = request.send().await.map_err(|error| failed(&self.models, &error))?;
        Ok((response.status().as_u16(), body(&mut response, within).await?))
    }

    /// A provider may repeat the key in what it says. It is struck before anything is read or cut short.
    fn without_key<'a>(&self, said: &'a [u8]) -> Cow<'a, [u8]> {
        let key = self.key.as_ref().map(|key| key.expose_secret().trim()).filter(|key| key.len() > 3);
        match key {
            Some(key) if holds(said, key.as_bytes()) => {
                String::from_utf8_lossy(said).replace(key, "(key)").into_bytes().into()
            }
            _ => said.into(),
        }
    }

    /// Reads a stream to its end: `[DONE]`, or the end of the connection after the model has said why it ends.
    async fn streamed(
        &self,
        mut response: Response,
        chunks: &Chunks,
        first: Instant,
        between: Duration,
    ) -> Result<ChatReply, ModelError> {
        let url = response.url().clone();
        let (mut events, mut growing, mut bytes) = (Events::default(), Growing::default(), 0);
        let broken = |growing: &Growing, message: String| ModelError::Broken { received: growing.received(), message };
        let mut deadline = first;
        loop {
            let waiting = if growing.has_begun() { Waiting::NextToken } else { Waiting::FirstToken };
            let piece = match timeout_at(deadline, response.chunk()).await {
                Ok(Ok(piece)) => piece,
                // The model has said that this is all; what the connection does afterwards is of no interest.
                _ if growing.is_finished() => None,
                Ok(Err(error)) => return Err(broken(&growing, failed(&url, &error).to_string())),
                Err(_) => return Err(ModelError::Timeout(waiting)),
            };
            let Some(piece) = piece else { break };
            bytes += piece.len();
            let too_long = || ModelError::Malformed(format!("it is longer than {} MiB", LONGEST >> 20));
            if bytes > LONGEST {
                return Err(too_long());
            }
            for event in events.take(&piece).map_err(|_| too_long())? {
                if event == b"[DONE]" {
                    let reply = finish(growing)?;
                    to_its_end(response).await;
                    return Ok(reply);
                }
                take(&mut growing, &self.without_key(&event), chunks).await?;
            }
            if growing.has_begun() {
                deadline = Instant::now() + between;
            }
        }
        if let Some(event) = events.rest().filter(|event| event != b"[DONE]") {
            // A piece that was cut is no piece.
            let _cut = take(&mut growing, &self.without_key(&event), chunks).await;
        }
        match growing.is_finished() {
            true => growing.end(),
            false => Err(broken(&growing, "the stream ended before the model did".to_owned())),
        }
    }
}

/// Whether `part` is in `whole`. Nearly everywhere its first byte decides that it is not.
fn holds(whole: &[u8], part: &[u8]) -> bool {
    whole.windows(part.len()).any(|here| here.first() == part.first() && here == part)
}

/// What a successful reply is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Stream,
    Json,
    Other,
}

impl Kind {
    fn of(response: &Response) -> Self {
        let kind = content_type(response);
        let begins_with = |name: &str| kind.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        match kind {
            "" => Self::Json,
            _ if begins_with("application/json") || kind.to_ascii_lowercase().contains("+json") => Self::Json,
            _ if begins_with("text/event-stream") => Self::Stream,
            _ => Self::Other,
        }
    }
}

fn content_type(response: &Response) -> &str {
    response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("")
}

fn no_first_token() -> ModelError {
    ModelError::Timeout(Waiting::FirstToken)
}

/// Reads what is left of a body after it has said everything, which is its end: a connection is closed when it is left before, and
/// otherwise serves the next call. A server that does not end it, or goes on, is not waited for.
async fn to_its_end(mut response: Response) {
    let end = async { while let Ok(Some(_)) = response.chunk().await {} };
    let _it_is_over = tokio::time::timeout(MOMENT, end).await;
}

/// The server says that this is all.
fn finish(growing: Growing) -> Result<ChatReply, ModelError> {
    if !growing.is_finished() && growing.received() == 0 {
        return Err(ModelError::Malformed("it is empty".to_owned()));
    }
    growing.end()
}

/// Whoever reads may have left; the caller still waits for the whole.
async fn send(chunks: &Chunks, reply: &ChatReply) {
    for chunk in reply.chunks() {
        let _nobody_reads = chunks.send(chunk).await;
    }
}

async fn take(growing: &mut Growing, event: &[u8], chunks: &Chunks) -> Result<(), ModelError> {
    for chunk in growing.take(event)? {
        // Whoever reads may have left; the caller still waits for the whole.
        let _nobody_reads = chunks.send(chunk).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_used_is_refused_without_its_secrets() {
        let refused = |base| OpenAi::new("m", None, Some(base)).unwrap_err().to_string();
        for base in [
            "https://me:secret@host:99999/v1",
            "ftp://me:secret@host/v1",
            "https://me:secret@host/v1",
            "https://host/v1?api-key=secret",
            "https://host/v1#secret",
            "not an address",
        ] {
            let message = refused(base);
            assert!(message.starts_with("OPENAI_BASE_URL is `") && !message.contains("secret"), "{message}");
        }
        let key = OpenAi::new("m", Some("a\nb".into()), None).unwrap_err().to_string();
        assert!(key.starts_with("OPENAI_API_KEY cannot be sent"), "{key}");
        let shown = format!("{:?}", OpenAi::new("m", Some("sk-secret".into()), Some("http://localhost:1/v1")).unwrap());
        assert_eq!(shown, "OpenAi(m at http://localhost:1)");
    }
}
