//! How does a request reach a provider, and its reply come back within bounds? One pool of connections for each provider.

use std::error::Error;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use callboard_actors::error::{ModelError, Waiting};
use futures_util::poll;
use reqwest::{Client, Response, Url, redirect};
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt;
use thiserror::Error;
use tokio::runtime::{Handle, Id};
use tokio::time::{Instant, timeout, timeout_at};

use super::proxy::Proxy;
use crate::network::{self, Blocked, Loopback, Reach, reach};

/// The longest reply in one piece, in bytes.
const LONGEST: usize = 64 * 1024 * 1024;

/// As much of a refusal is read, in bytes.
const MOST_WORDS: usize = 64 * 1024;

/// A provider cannot be used as it is configured.
#[derive(Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProviderError {
    /// Its address is none.
    #[error("the provider's address is `{address}`: {what}; it looks like https://HOST/v1")]
    Address {
        /// The variable that names it, when it is not given in code.
        variable: String,
        /// The address.
        address: String,
        /// What is wrong with it.
        what: String,
    },
    /// The model has no name.
    #[error("the name of a model of {provider} is empty")]
    Model {
        /// Whose.
        provider: String,
    },
    /// There is no key, and the address is the vendor's own, which wants one.
    #[error("{provider} wants a key at {host}, and none was given")]
    NoKey {
        /// Whose.
        provider: String,
        /// The host that is to be called.
        host: String,
        /// The variable that would hold the key, when it is not given in code.
        variable: String,
    },
    /// The key cannot be sent as a header.
    #[error("the provider's key cannot be sent: it holds a line break or another sign that no header may have")]
    Key {
        /// The variable that holds it, when it is not given in code.
        variable: String,
    },
    /// The proxy that the environment names for its address cannot be used.
    #[error("the proxy that {variable} names cannot be used: {what}")]
    Proxy {
        /// The variable that names it.
        variable: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The certificates of this machine cannot be read.
    #[error("no secure connection is possible: {0}")]
    Tls(String),
}

impl ProviderError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Address { .. } => "provider_address",
            Self::Model { .. } => "provider_model",
            Self::NoKey { .. } => "provider_key_missing",
            Self::Key { .. } => "provider_key",
            Self::Proxy { .. } => "provider_proxy",
            Self::Tls(_) => "provider_tls",
        }
    }

    /// Whether the same provider may be made later. It may not, before somebody mends what is named.
    pub fn is_retryable(&self) -> bool {
        false
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Address { variable, .. } => {
                let provider = variable.trim_end_matches("_BASE_URL").to_lowercase();
                format!(
                    "mend the address: it stands in {variable} or in providers.{provider}.base_url; in code, it is the `base_url` that the \
                     provider is made with, and `None` is the provider's own"
                )
            }
            Self::Model { provider } => format!("name the model as {provider} calls it"),
            Self::NoKey { variable, .. } => format!(
                "give the key when the provider is made (it stands in {variable}), or name the `base_url` of a server that wants none, such as \
                 http://localhost:8080/v1"
            ),
            Self::Key { variable } => {
                format!(
                    "copy the key as one line: it stands in {variable}, or is given in code when the provider is made"
                )
            }
            Self::Proxy { variable, .. } => format!(
                "write it into {variable} as http://HOST:PORT, take the variable away, or name the provider's host in NO_PROXY"
            ),
            Self::Tls(_) => "install the certificates of your system (ca-certificates)".to_owned(),
        }
    }
}

callboard_actors::shown_to_people!(ProviderError);

/// Runtimes whose pools are kept: those of the shards, of which there is one for each core, and some of callers. Beyond, the one goes
/// that was not used for longest; it is made anew in a moment, without its connections.
fn most_pools() -> usize {
    64 + 2 * std::thread::available_parallelism().map_or(1, usize::from)
}

/// The connections to one provider: a pool for each runtime of tokio from which it is called, because a connection lives and
/// dies with the runtime on which it was opened.
#[derive(Debug)]
pub(super) struct Http {
    pools: Mutex<Pools>,
    tls: ClientConfig,
    is_secure: bool,
    proxy: Option<Proxy>,
}

/// What a pool is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Kind {
    /// The time-out for a connection.
    connect: Duration,
    /// How far its connections may go.
    reach: Reach,
}

#[derive(Debug)]
struct Pool {
    runtime: Id,
    kind: Kind,
    client: Client,
    /// The number of the call that used it last.
    used: u64,
}

#[derive(Debug)]
struct Pools {
    most: usize,
    pools: Vec<Pool>,
    calls: u64,
}

impl Pools {
    fn new(most: usize) -> Self {
        Self { most, pools: Vec::new(), calls: 0 }
    }

    fn get(&mut self, runtime: Id, kind: Kind) -> Option<Client> {
        self.calls += 1;
        let pool = self.pools.iter_mut().find(|pool| pool.runtime == runtime && pool.kind == kind)?;
        pool.used = self.calls;
        Some(pool.client.clone())
    }

    /// What it takes the place of is dropped by the caller.
    fn put(&mut self, runtime: Id, kind: Kind, client: Client) -> Option<Pool> {
        let pool = Pool { runtime, kind, client, used: self.calls };
        if let Some(former) = self.pools.iter_mut().find(|pool| pool.runtime == runtime) {
            return Some(std::mem::replace(former, pool));
        }
        self.pools.push(pool);
        let oldest = self.pools.iter().enumerate().min_by_key(|(_, pool)| pool.used)?.0;
        (self.pools.len() > self.most).then(|| self.pools.swap_remove(oldest))
    }
}

impl Http {
    /// For the host of this address. Proxies of the environment are for secure connections only: through others they could read key
    /// and text.
    pub(super) fn new(connect: Duration, url: &Url) -> Result<Self, ProviderError> {
        let (tls, is_secure) = (tls()?, url.scheme() == "https");
        let proxy = if is_secure && reach() == Reach::Any { Proxy::of(url)? } else { None };
        // What could be wrong with it is known now, and not with the first call.
        client(&tls, Kind { connect, reach: reach() }, is_secure)?;
        Ok(Self { pools: Mutex::new(Pools::new(most_pools())), tls, is_secure, proxy })
    }

    /// The pool of this runtime, if this address may be called. Another time-out for connections makes another one.
    pub(super) fn client(&self, url: &Url, connect: Duration) -> Result<Client, ModelError> {
        network::check(url).map_err(|blocked| ModelError::NetworkBlocked(blocked.to_string()))?;
        let (runtime, kind) = (Handle::current().id(), Kind { connect, reach: reach() });
        let pools = || self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = pools().get(runtime, kind) {
            return Ok(client);
        }
        let client = client(&self.tls, kind, self.is_secure);
        let client = client.map_err(|error| ModelError::Provider(error.to_string()))?;
        let mut pools = pools();
        // Another call of this runtime may have been faster.
        if let Some(faster) = pools.get(runtime, kind) {
            return Ok(faster);
        }
        let former = pools.put(runtime, kind, client.clone());
        drop(pools);
        drop(former);
        Ok(client)
    }

    /// What a reply could not be had for, in words that name where it was asked for, and by which proxy.
    pub(super) fn failed(&self, url: &Url, error: &reqwest::Error) -> ModelError {
        failed_by(self.proxy.as_ref().filter(|_| reach() == Reach::Any), url, error)
    }
}

fn no_tls(error: &(dyn Error + 'static)) -> ProviderError {
    ProviderError::Tls(root(error))
}

fn tls() -> Result<ClientConfig, ProviderError> {
    // The provider of cryptography is named here: a library does not choose one for its whole process.
    let crypto = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(crypto)
        .with_safe_default_protocol_versions()
        .map_err(|error| no_tls(&error))?
        .with_platform_verifier()
        .map_err(|error| no_tls(&error))?;
    Ok(config.with_no_client_auth())
}

fn client(tls: &ClientConfig, kind: Kind, is_secure: bool) -> Result<Client, ProviderError> {
    let client = Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .connect_timeout(kind.connect)
        // Calls are made again by the gateway and nobody else; without this a copy of each request is kept for it.
        .retry(reqwest::retry::never().max_retries_per_request(0))
        // A key is never handed on to where a reply points.
        .redirect(redirect::Policy::none());
    let client = if is_secure { client } else { client.no_proxy() };
    let client = match kind.reach {
        Reach::Any => client,
        // A proxy is somebody else, too.
        Reach::Loopback => client.no_proxy().dns_resolver(Arc::new(Loopback)),
    };
    client.build().map_err(|error| no_tls(&error))
}

/// What the rest of a reply could not be had for.
pub(super) fn failed(url: &Url, error: &reqwest::Error) -> ModelError {
    failed_by(None, url, error)
}

fn failed_by(proxy: Option<&Proxy>, url: &Url, error: &reqwest::Error) -> ModelError {
    if error.is_connect() && error.is_timeout() {
        return ModelError::Timeout(Waiting::Connection);
    }
    if let Some(blocked) = causes(error).find_map(|cause| cause.downcast_ref::<Blocked>()) {
        return ModelError::NetworkBlocked(blocked.to_string());
    }
    let (host, cause) = (host(url), root(error));
    let host = proxy.map_or_else(|| host.clone(), |proxy| format!("{host} through {proxy}"));
    // Nobody but a person can put that right.
    if causes(error).any(is_about_a_certificate) {
        return ModelError::Untrusted(format!("{host}: {cause}"));
    }
    // The client has no other sign of it, and of other refusals not even the status.
    if proxy.is_some() && cause.ends_with("proxy authorization required") {
        return ModelError::Unauthorized { status: 407, message: format!("no connection to {host}") };
    }
    match error.is_connect() {
        true if cause.contains("InvalidContentType") => ModelError::Network {
            sent: false,
            message: format!("no connection to {host}: the server there does not speak https; try http://"),
        },
        true => ModelError::Network { sent: false, message: format!("no connection to {host}: {cause}") },
        false => ModelError::Network { sent: true, message: format!("the connection to {host} broke: {cause}") },
    }
}

/// Scheme, host and port: nothing that could hold a secret.
pub(super) fn host(url: &Url) -> String {
    url.origin().ascii_serialization()
}

/// The innermost cause: what the system, the name server or the certificate said.
fn root(error: &(dyn Error + 'static)) -> String {
    causes(error).last().map_or_else(String::new, ToString::to_string)
}

/// An error, what caused it, and what caused that.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error: &&'a (dyn Error + 'static)| match error.downcast_ref::<io::Error>() {
        // It speaks for what it wraps, and gives only the cause of that.
        Some(wrapper) => wrapper.get_ref().map(|inner| inner as _),
        None => error.source(),
    })
}

fn is_about_a_certificate(error: &(dyn Error + 'static)) -> bool {
    matches!(error.downcast_ref(), Some(rustls::Error::InvalidCertificate(_)))
}

/// The whole body, as long as its pieces come in time and it is not endless.
pub(super) async fn body(response: &mut Response, between: Duration) -> Result<Vec<u8>, ModelError> {
    let mut body = Vec::new();
    loop {
        let piece = in_time(response.chunk(), between).await?;
        let Some(piece) = piece.map_err(|error| failed(response.url(), &error))? else { return Ok(body) };
        if body.len() + piece.len() > LONGEST {
            return Err(ModelError::Malformed(format!("it is longer than {} MiB", LONGEST >> 20)));
        }
        body.extend_from_slice(&piece);
    }
}

/// The beginning of what a refusal says. What it is, its status has said: nobody waits for long for words, nor for many.
pub(super) async fn beginning(response: &mut Response, until: Instant) -> Vec<u8> {
    let mut said = Vec::new();
    let read = async {
        while said.len() < MOST_WORDS
            && let Ok(Some(piece)) = response.chunk().await
        {
            said.extend_from_slice(&piece[..piece.len().min(MOST_WORDS - said.len())]);
        }
    };
    let is_late = timeout_at(until, read).await.is_err();
    if is_late || said.len() == MOST_WORDS {
        // Where a key may have been cut, which is looked for there.
        said.extend_from_slice("…".as_bytes());
    }
    said
}

/// The next piece. Nearly always it is there, and there is nothing to set a timer for.
async fn in_time<F: Future>(piece: F, within: Duration) -> Result<F::Output, ModelError> {
    let mut piece = pin!(piece);
    match poll!(piece.as_mut()) {
        Poll::Ready(piece) => Ok(piece),
        Poll::Pending => timeout(within, piece).await.map_err(|_| ModelError::Timeout(Waiting::NextToken)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::runtime::Builder;

    const POOLS: usize = 3;

    #[test]
    fn the_pool_goes_that_was_not_used_for_longest() {
        let tls = tls().unwrap();
        let of = |seconds| Kind { connect: Duration::from_secs(seconds), reach: Reach::Loopback };
        let one = client(&tls, of(1), false).unwrap();
        let runtimes: Vec<_> = (0..=POOLS).map(|_| Builder::new_current_thread().build().unwrap()).collect();
        let ids: Vec<_> = runtimes.iter().map(|runtime| runtime.handle().id()).collect();
        let (mut pools, second) = (Pools::new(POOLS), of(1));
        for id in &ids[..POOLS] {
            assert!(pools.get(*id, second).is_none() && pools.put(*id, second, one.clone()).is_none());
        }
        assert!(pools.get(ids[0], second).is_some());
        let gone = pools.put(ids[POOLS], second, one.clone()).map(|pool| pool.runtime);
        assert_eq!(gone, Some(ids[1]), "the first one was used since");
        assert!(pools.get(ids[0], of(2)).is_none(), "another time-out is another pool");
        assert_eq!(pools.put(ids[0], of(2), one).map(|pool| pool.runtime), Some(ids[0]));
        assert_eq!(pools.pools.len(), POOLS);
    }

    /// A server that refuses with many words; so many bytes of them.
    async fn refuses_at_length(bytes: usize) -> Url {
        let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", server.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = server.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                assert!(stream.read_buf(&mut asked).await.unwrap() > 0, "a whole request");
            }
            let head = format!("HTTP/1.1 401 X\r\ncontent-length: {bytes}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            let _the_client_may_leave = stream.write_all(&vec![b'x'; bytes]).await;
        });
        Url::parse(&url).unwrap()
    }

    #[tokio::test]
    async fn no_more_of_a_refusal_is_read_than_its_beginning() {
        const SAID: usize = 64 * MOST_WORDS;
        let kind = Kind { connect: Duration::from_secs(10), reach: Reach::Loopback };
        let client = client(&tls().unwrap(), kind, false).unwrap();
        let mut response = client.get(refuses_at_length(SAID).await).send().await.unwrap();
        let said = beginning(&mut response, Instant::now() + Duration::from_secs(600)).await;
        assert_eq!(said.len(), MOST_WORDS + "…".len());
        let mut left = 0;
        while let Some(piece) = response.chunk().await.unwrap() {
            left += piece.len();
        }
        // The last piece of it may have been longer than what is kept of it.
        assert!(left >= SAID / 2, "{left} of {SAID} bytes were not read with the beginning");
    }

    /// A client whose address was not looked at beforehand.
    #[tokio::test]
    async fn a_name_that_is_not_local_is_resolved_by_nobody() {
        let kind = Kind { connect: Duration::from_secs(1), reach: Reach::Loopback };
        let client = client(&tls().unwrap(), kind, false).unwrap();
        let url = Url::parse("http://api.example.com/v1").unwrap();
        let error = failed(&url, &client.get(url.clone()).send().await.unwrap_err());
        let ModelError::NetworkBlocked(words) = error else { panic!("{error:?}") };
        assert!(words.starts_with("a call to api.example.com would leave this machine"), "{words}");
    }
}
