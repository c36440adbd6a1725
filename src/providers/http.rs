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
use tokio::time::timeout;

/// The longest reply in one piece, in bytes.
const LONGEST: usize = 64 * 1024 * 1024;

/// A provider cannot be used as it is configured.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProviderError {
    /// Its address is none.
    #[error("{variable} is `{address}`: {what}; it looks like https://HOST/v1")]
    Address {
        /// Where the address comes from.
        variable: String,
        /// The address.
        address: String,
        /// What is wrong with it.
        what: String,
    },
    /// The key cannot be sent as a header.
    #[error("{variable} cannot be sent: it holds a line break or another sign that no header may have")]
    Key {
        /// Where the key comes from.
        variable: String,
    },
    /// The certificates of this machine cannot be read.
    #[error("no secure connection is possible: {0}")]
    Tls(String),
}

/// Runtimes whose pools are kept. A pool is made anew in a moment, without its connections.
const POOLS: usize = 8;

/// The connections to one provider: a pool for each runtime of tokio from which it is called, because a connection lives and
/// dies with the runtime on which it was opened.
#[derive(Debug)]
pub(super) struct Http {
    pools: Mutex<Vec<Pool>>,
    tls: ClientConfig,
    is_secure: bool,
}

#[derive(Debug)]
struct Pool {
    runtime: Id,
    /// The time-out for a connection that it was made for.
    connect: Duration,
    client: Client,
}

impl Http {
    /// Proxies of the environment are for secure connections only: through others they could read key and text.
    pub(super) fn new(connect: Duration, is_secure: bool) -> Result<Self, ProviderError> {
        let tls = tls()?;
        // What could be wrong with it is known now, and not with the first call.
        client(&tls, connect, is_secure)?;
        Ok(Self { pools: Mutex::default(), tls, is_secure })
    }

    /// The pool of this runtime. Another time-out for connections makes another one.
    pub(super) fn client(&self, connect: Duration) -> Result<Client, ModelError> {
        let runtime = Handle::current().id();
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pool) = pools.iter().find(|pool| pool.runtime == runtime && pool.connect == connect) {
            return Ok(pool.client.clone());
        }
        let client = client(&self.tls, connect, self.is_secure);
        let client = client.map_err(|error| ModelError::Provider(error.to_string()))?;
        pools.retain(|pool| pool.runtime != runtime);
        if pools.len() == POOLS {
            pools.remove(0);
        }
        pools.push(Pool { runtime, connect, client: client.clone() });
        Ok(client)
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

fn client(tls: &ClientConfig, connect: Duration, is_secure: bool) -> Result<Client, ProviderError> {
    let client = Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .connect_timeout(connect)
        // Calls are made again by the gateway and nobody else; without this a copy of each request is kept for it.
        .retry(reqwest::retry::never().max_retries_per_request(0))
        // A key is never handed on to where a reply points.
        .redirect(redirect::Policy::none())
        .user_agent(concat!("callboard/", env!("CARGO_PKG_VERSION")));
    let client = if is_secure { client } else { client.no_proxy() };
    client.build().map_err(|error| no_tls(&error))
}

/// What a reply could not be had for, in words that name where it was asked for.
pub(super) fn failed(url: &Url, error: &reqwest::Error) -> ModelError {
    if error.is_connect() && error.is_timeout() {
        return ModelError::Timeout(Waiting::Connection);
    }
    let (host, cause) = (host(url), root(error));
    // Nobody but a person can put that right.
    if causes(error).any(is_about_a_certificate) {
        return ModelError::Untrusted(format!("{host}: {cause}"));
    }
    match error.is_connect() {
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

/// The next piece. Nearly always it is there, and there is nothing to set a timer for.
async fn in_time<F: Future>(piece: F, within: Duration) -> Result<F::Output, ModelError> {
    let mut piece = pin!(piece);
    match poll!(piece.as_mut()) {
        Poll::Ready(piece) => Ok(piece),
        Poll::Pending => timeout(within, piece).await.map_err(|_| ModelError::Timeout(Waiting::NextToken)),
    }
}
