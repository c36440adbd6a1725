//! How is a call made, whatever the vendor's format? One request and its reply, whole or as a stream, over one pool of connections.
//!
//! What a request and a reply look like a [`Format`] says, which is pure.

use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use callboard_actors::chat::{ChatChunk, ChatReply, ChatRequest, Finish, Headroom};
use callboard_actors::error::{Limited, ModelError, Waiting};
use callboard_actors::gateway::{Chunks, Timeouts};
use callboard_actors::ports::{ModelCall, RateKey};
use futures_util::future::BoxFuture;
use reqwest::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use reqwest::{Method, Request, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, timeout_at};

use super::http::{Http, ProviderError, beginning, body, host};
use super::ids;
use super::key::{self, Sieve};
use super::probe::{Answer, Probe};
use super::refusal::{names_model, naming, short};
use super::stream::{Clocks, streamed};
use crate::network::is_local;

/// What calls, for the logs of a provider.
const AGENT: &str = concat!("callboard/", env!("CARGO_PKG_VERSION"));

/// What a vendor's requests and replies look like. Pure.
pub(super) trait Format: Send + Sync + 'static {
    /// A reply that comes in pieces.
    type Growing: Growing;

    /// The body of a request.
    fn body(&self, request: &ChatRequest, is_streamed: bool) -> Result<Vec<u8>, serde_json::Error>;

    /// A reply in one piece.
    fn whole(json: &[u8]) -> Result<ChatReply, ModelError>;

    /// What the headers of a reply say is left.
    fn headroom(headers: &HeaderMap) -> Headroom;

    /// What a status other than success means.
    fn refused(status: u16, headers: &HeaderMap, said: &[u8]) -> ModelError;
}

/// Whose models they are.
#[derive(Debug)]
pub(crate) struct Vendor {
    /// As it is written before the `/` of a model.
    pub(crate) name: &'static str,
    /// Whose format it is, for people.
    pub(crate) speaks: &'static str,
    /// The variable that holds the key.
    pub(crate) key: &'static str,
    /// The variable that names another address.
    pub(crate) base_url: &'static str,
    /// Where it is.
    pub(crate) address: &'static str,
    /// What its hosts end with; they want a key. Empty for servers of one's own.
    pub(crate) domain: &'static str,
}

impl Vendor {
    /// Whether this base URL, or its own address, leads to the vendor itself, which wants a key.
    pub(crate) fn is_at(&self, base: Option<&str>) -> bool {
        !self.domain.is_empty() && endpoint(base.unwrap_or(self.address), "").is_ok_and(|url| self.owns(&url))
    }

    /// The key as the value of a header, behind the name of a `scheme` if there is one.
    pub(super) fn key_header(&self, scheme: &str, key: &SecretString) -> Result<HeaderValue, ProviderError> {
        let value = HeaderValue::from_str(&format!("{scheme}{}", key.expose_secret().trim()));
        let mut value = value.map_err(|_| ProviderError::Key { variable: self.key.to_owned() })?;
        // So that nothing that prints headers prints it.
        value.set_sensitive(true);
        Ok(value)
    }

    pub(super) fn owns(&self, url: &Url) -> bool {
        let below =
            |host: &str| host.strip_suffix(self.domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        !self.domain.is_empty() && url.host_str().is_some_and(below)
    }
}

/// A reply that grows.
pub(super) trait Growing: Default + Send {
    /// Takes in an event of the stream. Gives what is new in it.
    fn take(&mut self, event: &[u8]) -> Result<Vec<ChatChunk>, ModelError>;

    /// Whether the server has said that nothing more comes.
    fn is_over(&self) -> bool;

    /// Whether the model has said why it ends: what comes after it is about the call, and not of the reply.
    fn is_finished(&self) -> bool;

    /// Whether the model has begun: with its reply, or with what it thinks before.
    fn has_begun(&self) -> bool;

    /// Whether the model has begun, or what was used was told: what goes wrong from then on has used something.
    fn has_worked(&self) -> bool;

    /// How much has come: bytes of text, and of the names and arguments of tool calls.
    fn received(&self) -> usize;

    /// The whole reply.
    fn end(self) -> Result<ChatReply, ModelError>;
}

/// A model at an address, with its key.
pub(super) struct Caller<F> {
    vendor: &'static Vendor,
    format: F,
    model: String,
    url: Url,
    /// Where the models are listed.
    models: Url,
    key: Option<SecretString>,
    /// What is sent with each call: a copy is made in one go, and nothing that the client adds by itself makes it grow.
    headers: HeaderMap,
    http: Http,
}

impl<F> std::fmt::Debug for Caller<F> {
    /// Never the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} at {}", self.model, host(&self.url))
    }
}

/// The key, if there is more to it than spaces: a variable may be set to nothing.
pub(super) fn a_key(key: Option<SecretString>) -> Option<SecretString> {
    key.filter(|key| !key.expose_secret().trim().is_empty())
}

/// Where a model is called, and where the models are listed.
pub(super) struct Place {
    pub(super) url: Url,
    pub(super) models: Url,
}

impl Place {
    /// Below a base URL.
    pub(super) fn of(vendor: &Vendor, base: Option<&str>, path: &str) -> Result<Self, ProviderError> {
        let base = base.unwrap_or(vendor.address);
        let url = endpoint(base, path).map_err(|what| ProviderError::Address {
            variable: vendor.base_url.to_owned(),
            address: without_secrets(base),
            what,
        })?;
        let models = endpoint(base, "/models").unwrap_or_else(|_| url.clone());
        Ok(Self { url, models })
    }
}

impl<F: Format> Caller<F> {
    /// `headers` are sent with each request, the key among them.
    pub(super) fn new(
        vendor: &'static Vendor,
        format: F,
        model: String,
        Place { url, models }: Place,
        key: Option<SecretString>,
        headers: Vec<(HeaderName, HeaderValue)>,
    ) -> Result<Self, ProviderError> {
        if model.trim().is_empty() {
            return Err(ProviderError::Model { provider: vendor.name.to_owned() });
        }
        if key.is_none() && vendor.owns(&url) {
            let variable = vendor.key.to_owned();
            return Err(ProviderError::NoKey { provider: vendor.name.to_owned(), host: host(&url), variable });
        }
        let http = Http::new(Timeouts::default().connect, &url)?;
        let always = [(CONTENT_TYPE, "application/json"), (ACCEPT, "*/*"), (USER_AGENT, AGENT)];
        let always = always.map(|(name, value)| (name, HeaderValue::from_static(value)));
        let headers = headers.into_iter().chain(always).collect();
        Ok(Self { vendor, format, model, url, models, key, headers, http })
    }

    /// Whose rate its calls count against: that of its key at this server.
    pub(super) fn rate_key(&self) -> RateKey {
        RateKey::of(&self.url.origin().ascii_serialization(), self.key())
    }

    /// Asks for the list of models, to see whether the provider answers, takes the key and knows `model`.
    pub(super) async fn probe(&self, model: &str, within: Duration) -> Probe {
        let is_key_exposed = self.key.is_some() && self.url.scheme() == "http" && !is_local(&self.url);
        let start = Instant::now();
        let asked = timeout_at(start + within, self.models(within)).await;
        let answer = match asked.unwrap_or(Err(ModelError::Timeout(Waiting::Total))) {
            Ok(Listed::As(status, said)) => Answer::of(status, &said, model, start.elapsed()),
            Ok(Listed::Encoded(encoding)) => Answer::Encoded { encoding, latency: start.elapsed() },
            Err(error) => Answer::Unreachable(error),
        };
        Probe { host: host(&self.models), is_key_exposed, answer }
    }

    /// One attempt. Those that wait for the head of their reply are many, and hold no room for what is done with it.
    pub(super) fn complete(self: Arc<Self>, call: ModelCall) -> BoxFuture<'static, Result<ChatReply, ModelError>> {
        let asked = match self.ask(&call) {
            Ok(asked) => asked,
            Err(error) => return Box::pin(ready(Err(error))),
        };
        let ModelCall { request, timeouts: Timeouts { first_token, between_tokens, total, .. }, chunks } = call;
        Box::pin(async move {
            // A reply in one piece has no first token: its head comes when the model has said everything.
            let begun = Instant::now();
            let clocks = Clocks { between: between_tokens, end: begun.checked_add(total) };
            let pieces = chunks.map(|chunks| (chunks, begun + first_token));
            let response = match &pieces {
                Some((_, first)) => Box::pin(timeout_at(*first, asked)).await.map_err(|_| no_first_token())?,
                None => asked.await,
            };
            let response = response.map_err(|error| self.http.failed(&self.url, &error))?;
            let mut reply = Box::pin(self.read(response, pieces, clocks)).await;
            if let Ok(reply) = &mut reply {
                ids::give(&mut reply.tool_calls, &request.turns);
            }
            // Some refuse in a reply that began well.
            reply.map_err(|error| self.for_people(error))
        })
    }

    /// The error with the variable of the key, if it is about that, and without the key.
    fn for_people(&self, error: ModelError) -> ModelError {
        if let ModelError::WithUsage { error, usage } = error {
            return self.for_people(*error).with_usage(usage);
        }
        let mut error = self.of_model(error, "");
        if let Some(key) = self.key() {
            key::from_error(&mut error, key);
        }
        naming(error, (self.vendor.key, self.key.is_some()))
    }

    /// The reply after its head; its `pieces` go to whoever reads them as they come, the first one until then.
    async fn read(
        &self,
        mut response: Response,
        pieces: Option<(Chunks, Instant)>,
        clocks: Clocks,
    ) -> Result<ChatReply, ModelError> {
        let (is_success, room) = (response.status().is_success(), F::headroom(response.headers()));
        if let Some(encoding) = encoding(&response).filter(|_| is_success) {
            let words = format!("it is encoded (content-encoding: {encoding}), which nobody asked for");
            return Err(ModelError::Malformed(words));
        }
        match (Kind::of(&response), &pieces) {
            _ if !is_success => {}
            (Kind::Stream, Some((chunks, first))) => {
                let sieve = Sieve::new(self.secret());
                let reply = Box::pin(streamed::<F::Growing>(response, chunks, *first, clocks, sieve)).await;
                return Ok(self.cleaned(ChatReply { headroom: room, ..reply.map_err(in_a_reply)? }));
            }
            // Some servers do not stream, whatever they are asked.
            (Kind::Json, _) => {}
            _ => return Err(self.of_another_kind(&response)),
        }
        if !is_success {
            let said = beginning(&mut response, clocks.briefly()).await;
            // What cannot be read is no words.
            let said = if encoding(&response).is_some() { &[] } else { without_mark(&said) };
            return Err(self.refused(&response, said));
        }
        let said = body(&mut response, clocks.between).await;
        let reply = self.cleaned(ChatReply { headroom: room, ..F::whole(without_mark(&said?)).map_err(in_a_reply)? });
        if let Some((chunks, _)) = &pieces {
            send(chunks, &reply).await;
        }
        Ok(reply)
    }

    /// What a status other than success means.
    fn refused(&self, response: &Response, said: &[u8]) -> ModelError {
        let error = F::refused(response.status().as_u16(), response.headers(), said);
        self.of_model(error, &String::from_utf8_lossy(said))
    }

    /// A refusal for a rate is about this model if the provider names it in what it `said`.
    fn of_model(&self, mut error: ModelError, said: &str) -> ModelError {
        if let ModelError::RateLimited { limited: limited @ Limited::Rate, message, .. } = &mut error
            && (names_model(said, &self.model) || names_model(message, &self.model))
        {
            *limited = Limited::ModelRate;
        }
        error
    }

    fn of_another_kind(&self, response: &Response) -> ModelError {
        let kind = short(content_type(response));
        let what = if kind.is_empty() { "of no type".to_owned() } else { format!("of the type {kind}") };
        ModelError::Malformed(format!(
            "it is {what}, and {} should speak as {} does",
            host(&self.url),
            self.vendor.speaks
        ))
    }

    /// Sends the request; the future ends with the head of the reply. It is made here, where nothing waits, so that a call
    /// that waits does not hold the room in which its request was put together.
    fn ask(
        &self,
        call: &ModelCall,
    ) -> Result<impl Future<Output = Result<Response, reqwest::Error>> + Send + use<F>, ModelError> {
        let body = self.format.body(&call.request, call.chunks.is_some());
        let body = body.map_err(|error| ModelError::Provider(error.to_string()))?;
        let client = self.http.client(&self.url, call.timeouts.connect)?;
        let mut request = Request::new(Method::POST, self.url.clone());
        (*request.headers_mut(), *request.body_mut()) = (self.headers.clone(), Some(body.into()));
        Ok(client.execute(request))
    }

    /// The list of models.
    async fn models(&self, within: Duration) -> Result<Listed, ModelError> {
        let client = self.http.client(&self.models, Timeouts::default().connect)?;
        let mut request = Request::new(Method::GET, self.models.clone());
        *request.headers_mut() = self.headers.clone();
        request.headers_mut().remove(CONTENT_TYPE);
        let mut response = client.execute(request).await.map_err(|error| self.http.failed(&self.models, &error))?;
        let said = match (response.status().is_success(), encoding(&response)) {
            (true, Some(encoding)) => return Ok(Listed::Encoded(encoding)),
            (true, None) => body(&mut response, within).await?,
            // Nobody reads it.
            (false, _) => Vec::new(),
        };
        Ok(Listed::As(response.status().as_u16(), said))
    }

    /// The key as it is sent.
    fn key(&self) -> Option<&str> {
        self.key.as_ref().map(|key| key.expose_secret().trim())
    }

    /// The key, if it is one that is struck from replies.
    fn secret(&self) -> Option<&str> {
        self.key().filter(|key| key::is_secret(key))
    }

    /// A provider may repeat the key in what it says. Why a reply ended is shown to people as it is.
    fn cleaned(&self, mut reply: ChatReply) -> ChatReply {
        if let Finish::Other(why) = &mut reply.finish {
            *why = short(why);
        }
        if let Some(key) = self.secret() {
            key::from_reply(&mut reply, key);
        }
        reply
    }
}

/// The address of a part of the interface, such as `/models`, below a base URL. What an address is, here and in the configuration.
///
/// # Errors
/// What is wrong with the base URL; nothing that stands in it.
pub(crate) fn endpoint(base: &str, part: &str) -> Result<Url, String> {
    let base = base.trim();
    let (scheme, rest) = base.split_once("://").unwrap_or_default();
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err("it must begin with http:// or https://".to_owned());
    }
    // In the text: a parser drops line breaks, and takes `http:///v1` for the host `v1`.
    if base.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("it holds a space or a line break".to_owned());
    }
    let host = rest.split(['/', '\\', '?', '#']).next().unwrap_or_default().rsplit('@').next().unwrap_or_default();
    if host.is_empty() || host.starts_with(':') {
        return Err("it names no host".to_owned());
    }
    let url = Url::parse(&format!("{}{part}", base.trim_end_matches('/'))).map_err(|error| error.to_string())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a name or a password; hand the key over instead".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it holds a `?` or a `#`, and more is appended to it".to_owned());
    }
    Ok(url)
}

/// An address that can be shown: what stands before an `@` or after a `?` may be a secret. Of one with an `@` after a `?` nobody knows
/// which of both it is.
fn without_secrets(address: &str) -> String {
    let (shown, hidden) = address.split_at(address.find(['?', '#']).unwrap_or(address.len()));
    match hidden.contains('@') {
        true => shown.split_once("://").map_or_else(|| "…".to_owned(), |(scheme, _)| format!("{scheme}://…")),
        false => shown.rsplit('@').next().unwrap_or_default().to_owned(),
    }
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

/// What came of asking for the list of models.
enum Listed {
    /// Its status and its body, of a list read to its end or not at all.
    As(u16, Vec<u8>),
    /// A list that is encoded so.
    Encoded(String),
}

/// How a body is encoded, if it is: nobody asked for that.
fn encoding(response: &Response) -> Option<String> {
    let encoding = response.headers().get(CONTENT_ENCODING)?.to_str().unwrap_or("that nobody knows").trim();
    (!encoding.is_empty() && !encoding.eq_ignore_ascii_case("identity")).then(|| short(encoding))
}

/// A text without the mark of its encoding, which some servers begin with.
pub(super) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(text)
}

/// An error that came with status 200. A provider that fails then had begun, whatever number it gives; what it used it may not have told.
fn in_a_reply(error: ModelError) -> ModelError {
    match error {
        ModelError::Unavailable { .. } => error.with_usage(None),
        error => error,
    }
}

fn no_first_token() -> ModelError {
    ModelError::Timeout(Waiting::FirstToken)
}

/// Whoever reads may have left; the caller still waits for the whole.
async fn send(chunks: &Chunks, reply: &ChatReply) {
    for chunk in reply.chunks() {
        let _nobody_reads = chunks.send(chunk).await;
    }
}
