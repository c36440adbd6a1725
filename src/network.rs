//! May this process call anybody outside its own machine? In a test it may not, and nothing is sent to find that out.
//!
//! Whoever opens a connection asks [`check`] with the address, and resolves names with [`Loopback`] where [`reach`] says so.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

/// The variable that says how far calls may go: `loopback`, or `any`, which is so when it is not set.
pub(crate) const VARIABLE: &str = "CALLBOARD_NETWORK";

/// How far calls may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Everywhere.
    Any,
    /// To servers on this machine.
    Loopback,
}

/// A call was not made, because it would have left this machine.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error(
    "a call to {to} would leave this machine, and calls may not: test with a server on 127.0.0.1 or with a model of \
     callboard::testkit, or allow it with CALLBOARD_NETWORK=any"
)]
pub(crate) struct Blocked {
    to: String,
}

static IS_LOOPBACK: AtomicBool = AtomicBool::new(false);

/// From now on calls of this process stay on its machine, unless the variable says `any`.
pub(crate) fn stay_on_loopback() {
    IS_LOOPBACK.store(true, Ordering::Relaxed);
}

/// How far calls may go now. The variable is read once.
pub(crate) fn reach() -> Reach {
    static NAMED: OnceLock<Option<Reach>> = OnceLock::new();
    let named = NAMED.get_or_init(|| named(std::env::var_os(VARIABLE)?.to_str().unwrap_or("?")));
    // Unit tests of this crate never leave the machine.
    let is_loopback = IS_LOOPBACK.load(Ordering::Relaxed) || cfg!(test);
    named.unwrap_or(if is_loopback { Reach::Loopback } else { Reach::Any })
}

/// What a value of the variable says. One that nobody knows was meant to forbid something.
fn named(value: &str) -> Option<Reach> {
    match value {
        "" => None,
        "any" => Some(Reach::Any),
        _ => Some(Reach::Loopback),
    }
}

/// Whether an address is on this machine.
pub(crate) fn is_local(url: &Url) -> bool {
    is_local_host(url.host_str().unwrap_or_default())
}

fn is_local_host(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).trim_end_matches('.');
    let ip = host.parse::<IpAddr>().map(|ip| ip.to_canonical());
    host == "localhost" || host.ends_with(".localhost") || ip.is_ok_and(|ip| ip.is_loopback())
}

/// Whether this address may be called now.
///
/// # Errors
/// [`Blocked`] names it.
pub(crate) fn check(url: &Url) -> Result<(), Blocked> {
    match reach() == Reach::Any || is_local(url) {
        true => Ok(()),
        // Nothing of it that could hold a secret.
        false => Err(Blocked { to: url.origin().ascii_serialization() }),
    }
}

/// Knows the names of this machine, which are `localhost` and what is below it (RFC 6761), and asks nobody for others: a name server
/// is somebody else, too.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Loopback;

impl Resolve for Loopback {
    fn resolve(&self, name: Name) -> Resolving {
        let found = addresses(name.as_str());
        Box::pin(async { Ok(Box::new(found?.into_iter()) as Addrs) })
    }
}

fn addresses(host: &str) -> Result<[SocketAddr; 2], Blocked> {
    match is_local_host(host) {
        true => Ok([IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()].map(|ip| SocketAddr::new(ip, 0))),
        false => Err(Blocked { to: host.to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_this_machine_are_local() {
        let local = |url: &str| check(&Url::parse(url).unwrap()).is_ok();
        for url in [
            "http://127.0.0.1:8080/v1",
            "http://127.9.9.9",
            "http://[::1]:1",
            "http://[::ffff:127.0.0.1]",
            "http://localhost/x",
            "https://a.localhost.",
            "http://2130706433/",
            "http://0x7f.1/",
        ] {
            assert!(local(url), "{url}");
        }
        for url in [
            "http://192.0.2.1",
            "https://api.example.com/v1",
            "http://0.0.0.0",
            "http://[::]",
            "http://[::ffff:192.0.2.1]",
            "http://localhost.example.com",
            "http://127.0.0.1.example.com",
            "http://notlocalhost",
            "http://3221225985/",
        ] {
            assert!(!local(url), "{url}");
        }
        let error = check(&Url::parse("https://user:secret@192.0.2.1:4/secret?secret").unwrap()).unwrap_err();
        assert!(error.to_string().starts_with("a call to https://192.0.2.1:4 would leave this machine"), "{error}");
    }

    #[test]
    fn a_value_that_nobody_knows_forbids() {
        let values = ["", "any", "loopback", "lopback", "none", "?"].map(named);
        let loopback = Some(Reach::Loopback);
        assert_eq!(values, [None, Some(Reach::Any), loopback, loopback, loopback, loopback]);
    }

    #[test]
    fn a_name_that_is_not_local_has_no_address() {
        assert_eq!(addresses("localhost").unwrap().map(|address| address.ip().is_loopback()), [true, true]);
        assert_eq!(addresses("api.example.com"), Err(Blocked { to: "api.example.com".to_owned() }));
    }
}
