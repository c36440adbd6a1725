//! Which proxy of the environment stands between here and a provider, and can it be used? The client looks for it by itself; what is
//! found here, by the same rules, is to name it when it fails, and to refuse a value that the client would pass over without a word.

use std::fmt;

use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use reqwest::Url;

use super::http::ProviderError;

/// Where a proxy for https stands; of each pair the first that is set.
const PROXIES: [[&str; 2]; 2] = [["HTTPS_PROXY", "https_proxy"], ["ALL_PROXY", "all_proxy"]];

/// What is reached without one.
const DIRECT: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// A program behind a web server takes no proxy from its environment, where whoever calls it could name one.
const CGI: &str = "REQUEST_METHOD";

/// A proxy, and who named it. What is shown has no name and no password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proxy {
    address: String,
    named_by: &'static str,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy {} ({})", self.address, self.named_by)
    }
}

impl Proxy {
    /// The one by which this address is reached from this process, if there is one.
    pub(super) fn of(url: &Url) -> Result<Option<Self>, ProviderError> {
        // A value that is no text is none that can be used, too.
        let variable = |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        if let Some(proxy) = Self::among(&variable, url)? {
            return Ok(Some(proxy));
        }
        // Some systems have settings for it beside the environment.
        let found = intercept(&Matcher::from_system(), url);
        Ok(found.map(|found| Self { address: address(&found), named_by: "the system's settings" }))
    }

    /// The one of these variables.
    fn among(variable: &dyn Fn(&str) -> Option<String>, url: &Url) -> Result<Option<Self>, ProviderError> {
        let first = |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, variable(name)?)));
        let direct = first(DIRECT).map(|(_, hosts)| hosts).unwrap_or_default();
        let by = |proxy: &str| intercept(&Matcher::builder().all(proxy).no(direct.as_str()).build(), url);
        let named = PROXIES.into_iter().filter_map(first).find(|(_, value)| !value.is_empty());
        let Some((named_by, value)) = named.filter(|_| variable(CGI).is_none() && by("http://any").is_some()) else {
            return Ok(None);
        };
        let refused = |what| Err(ProviderError::Proxy { variable: named_by.to_owned(), what });
        match by(&value) {
            Some(found) if matches!(found.uri().scheme_str(), Some("http" | "https")) => {
                Ok(Some(Self { address: address(&found), named_by }))
            }
            Some(_) => refused("SOCKS is not spoken"),
            None => refused("it is not the address of one"),
        }
    }
}

fn intercept(matcher: &Matcher, url: &Url) -> Option<Intercept> {
    matcher.intercept(&url.as_str().parse().ok()?)
}

/// Scheme, host and port: nothing that could hold a secret.
fn address(found: &Intercept) -> String {
    let uri = found.uri();
    let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", uri.scheme_str().unwrap_or("http"), uri.host().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> String {
        let variable =
            |name: &str| variables.iter().find(|(set, _)| *set == name).map(|(_, value)| (*value).to_owned());
        let url = Url::parse("https://api.example.com/v1/chat/completions").unwrap();
        match Proxy::among(&variable, &url) {
            Ok(proxy) => proxy.map_or_else(|| "none".to_owned(), |proxy| proxy.to_string()),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn the_proxy_of_an_address_is_named_without_its_secrets() {
        let (https, no) = ("HTTPS_PROXY", "NO_PROXY");
        let table: &[(&[(&str, &str)], &str)] = &[
            (&[], "none"),
            (&[(https, "")], "none"),
            (&[("HTTP_PROXY", "http://h:1")], "none"),
            (&[(https, "http://h:1")], "the proxy http://h:1 (HTTPS_PROXY)"),
            (&[(https, "h:1")], "the proxy http://h:1 (HTTPS_PROXY)"),
            (&[(https, "https://me:secret@h")], "the proxy https://h (HTTPS_PROXY)"),
            (&[(https, "http://me:secret@secret@h:1/secret?secret")], "the proxy http://h:1 (HTTPS_PROXY)"),
            (&[("https_proxy", "http://[::1]:1")], "the proxy http://[::1]:1 (https_proxy)"),
            (&[("all_proxy", "http://h:1")], "the proxy http://h:1 (all_proxy)"),
            (
                &[(https, ""), ("https_proxy", "http://g:1"), ("ALL_PROXY", "http://h:1")],
                "the proxy http://h:1 (ALL_PROXY)",
            ),
            (&[(https, "http://h:1"), ("ALL_PROXY", "socks5://h:2")], "the proxy http://h:1 (HTTPS_PROXY)"),
            (&[(https, "http://h:1"), ("REQUEST_METHOD", "GET")], "none"),
            (&[(https, "http://h:1"), (no, "example.com")], "none"),
            (&[(https, "http://h:1"), ("no_proxy", "*")], "none"),
            (&[(https, "http://h:1"), (no, "example.org")], "the proxy http://h:1 (HTTPS_PROXY)"),
        ];
        for (variables, proxy) in table {
            assert_eq!(found(variables), *proxy, "{variables:?}");
        }
    }

    #[test]
    fn a_value_that_the_client_would_pass_over_is_refused() {
        for (value, what) in [
            ("not a url", "it is not the address of one"),
            ("ftp://me:secret@h", "it is not the address of one"),
            ("http://", "it is not the address of one"),
            ("socks5://me:secret@h:1", "SOCKS is not spoken"),
            ("socks5h://h:1", "SOCKS is not spoken"),
        ] {
            for variable in ["HTTPS_PROXY", "all_proxy"] {
                let words = format!("the proxy that {variable} names cannot be used: {what}");
                assert_eq!(found(&[(variable, value)]), words);
                assert_eq!(found(&[(variable, value), ("NO_PROXY", ".example.com")]), "none", "nobody asks it");
            }
        }
    }
}
