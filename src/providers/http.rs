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
}

#[derive(Debug)]
struct Pool {
    runtime: Id,
    /// The time-out for a connection that it was made for.
    connect: Duration,
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

    fn get(&mut self, runtime: Id, connect: Duration) -> Option<Client> {
        self.calls += 1;
        let pool = self.pools.iter_mut().find(|pool| pool.runtime == runtime && pool.connect == connect)?;
        pool.used = self.calls;
        Some(pool.client.clone())
    }

    /// What it takes the place of is dropped by the caller.
    fn put(&mut self, runtime: Id, connect: Duration, client: Client) -> Option<Pool> {
        let pool = Pool { runtime, connect, client, used: self.calls };
        if let Some(former) = self.pools.iter_mut().find(|pool| pool.runtime == runtime) {
            return Some(std::mem::replace(former, pool));
        }
        self.pools.push(pool);
        let oldest = self.pools.iter().enumerate().min_by_key(|(_, pool)| pool.used)?.0;
        (self.pools.len() > self.most).then(|| self.pools.swap_remove(oldest))
    }
}

impl Http {
    /// Proxies of the environment are for secure connections only: through others they could read key and text.
    pub(super) fn new(connect: Duration, is_secure: bool) -> Result<Self, ProviderError> {
        let tls = tls()?;
        // What could be wrong with it is known now, and not with the first call.
        client(&tls, connect, is_secure)?;
        Ok(Self { pools: Mutex::new(Pools::new(most_pools())), tls, is_secure })
    }

    /// The pool of this runtime. Another time-out for connections makes another one.
    pub(super) fn client(&self, connect: Duration) -> Result<Client, ModelError> {
        let runtime = Handle::current().id();
        let pools = || self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = pools().get(runtime, connect) {
            return Ok(client);
        }
        let client = client(&self.tls, connect, self.is_secure);
        let client = client.map_err(|error| ModelError::Provider(error.to_string()))?;
        let mut pools = pools();
        // Another call of this runtime may have been faster.
        if let Some(faster) = pools.get(runtime, connect) {
            return Ok(faster);
        }
        let former = pools.put(runtime, connect, client.clone());
        drop(pools);
        drop(former);
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::runtime::Builder;

    const POOLS: usize = 3;

    #[test]
    fn the_pool_goes_that_was_not_used_for_longest() {
        let tls = tls().unwrap();
        let one = client(&tls, Duration::from_secs(1), false).unwrap();
        let runtimes: Vec<_> = (0..=POOLS).map(|_| Builder::new_current_thread().build().unwrap()).collect();
        let ids: Vec<_> = runtimes.iter().map(|runtime| runtime.handle().id()).collect();
        let (mut pools, second) = (Pools::new(POOLS), Duration::from_secs(1));
        for id in &ids[..POOLS] {
            assert!(pools.get(*id, second).is_none() && pools.put(*id, second, one.clone()).is_none());
        }
        assert!(pools.get(ids[0], second).is_some());
        let gone = pools.put(ids[POOLS], second, one.clone()).map(|pool| pool.runtime);
        assert_eq!(gone, Some(ids[1]), "the first one was used since");
        assert!(pools.get(ids[0], 2 * second).is_none(), "another time-out is another pool");
        assert_eq!(pools.put(ids[0], 2 * second, one).map(|pool| pool.runtime), Some(ids[0]));
        assert_eq!(pools.pools.len(), POOLS);
    }
}
