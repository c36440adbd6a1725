//! Is a call that would leave this machine refused in tests, by one line or by the environment, and does one to this machine work? And where
//! calls may leave it, is the proxy named by which they cannot?

mod cli_support;
mod openai_support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use callboard::actors::error::ModelError;
use callboard::actors::gateway::{Gateway, GatewayLimits, ServedModel, Timeouts};
use callboard::prelude::*;
use callboard::providers::anthropic::Anthropic;
use callboard::testkit::only_loopback;
use cli_support::Place;
use openai_support::{LONG, call, front, nothing_is_left, request, stage};

/// An address of the documentation's own network (RFC 5737): a packet to it is lost.
const OUTSIDE: &str = "http://192.0.2.1:9/v1";

fn says_what_to_do(error: &ModelError, to: &str) {
    let text = error.to_string();
    assert!(matches!(error, ModelError::NetworkBlocked(_)), "{error:?}");
    assert!(text.starts_with(&format!("a call to {to} would leave this machine")), "{text}");
    assert!(text.contains("callboard::testkit") && text.ends_with("allow it with CALLBOARD_NETWORK=any"), "{text}");
}

#[tokio::test]
async fn a_call_that_would_leave_this_machine_is_refused_once_and_for_all() {
    for (base_url, to) in [
        (OUTSIDE, "http://192.0.2.1:9"),
        ("http://[2001:db8::1]/v1", "http://[2001:db8::1]"),
        ("http://3221225985:9/v1", "http://192.0.2.1:9"),
        ("https://api.example.com/v1", "https://api.example.com"),
    ] {
        let (runtime, gateway) = front(base_url, 5, Timeouts { total: LONG, ..Timeouts::default() });
        for is_streamed in [false, true] {
            says_what_to_do(&call(&gateway, is_streamed).await.unwrap_err(), to);
        }
        let info = gateway.info().await.unwrap();
        assert_eq!((info.models[0].attempts, info.models[0].retries), (2, 0), "it is not tried again");
        nothing_is_left(runtime, gateway).await;
    }
}

#[tokio::test]
async fn the_other_formats_are_refused_too() {
    only_loopback();
    let runtime = Runtime::start(RuntimeConfig { shards: 1, ..RuntimeConfig::default() }).unwrap();
    let model = Anthropic::new("x", Some("sk-ant-of-the-test".into()), None).unwrap();
    let served = ServedModel::new("anthropic/x", Arc::new(model));
    let gateway = Gateway::start(&runtime, vec![served], GatewayLimits::default()).unwrap();
    let error = gateway.call("anthropic/x", request()).send().await.unwrap_err();
    says_what_to_do(&error, "https://api.anthropic.com");
    assert!(runtime.stop(LONG).await.is_clean());
}

#[tokio::test]
async fn servers_on_this_machine_are_called_by_number_and_by_name() {
    let stage = stage(r#"[{"text": "yes"}]"#, 1);
    let base_url = stage.server.base_url();
    assert!(call(&stage.gateway, false).await.is_ok(), "{base_url}");
    let by_name = base_url.replace("127.0.0.1", "localhost");
    assert_ne!(by_name, base_url);
    let (runtime, gateway) = front(&by_name, 1, Timeouts { total: LONG, ..Timeouts::default() });
    let answer = call(&gateway, true).await;
    assert!(answer.is_ok(), "{answer:?}");
    nothing_is_left(runtime, gateway).await;
}

#[test]
fn the_environment_forbids_it_to_the_program() {
    let place = Place::empty().file("docs/a.md", "# Rain\n\nIt rains in Oslo on most days of the year.\n");
    for value in ["loopback", "lopback"] {
        let mut command = place.command(["Does it rain in Oslo?", "--corpus", "docs", "--model", "openai/x"]);
        command.env("OPENAI_API_KEY", "sk-of-the-test").env("OPENAI_BASE_URL", OUTSIDE).env("CALLBOARD_NETWORK", value);
        let ran = cli_support::Ran::of(command.output().unwrap());
        assert_eq!(ran.code, 4, "{ran:?}");
        assert!(ran.err.contains("would leave this machine") && ran.err.contains("CALLBOARD_NETWORK=any"), "{ran:?}");
    }
}

/// A run with a model that is reached by this proxy only.
fn through(proxy: &str) -> cli_support::Ran {
    let place = Place::empty().file("docs/a.md", "# Rain\n\nIt rains in Oslo on most days of the year.\n");
    let mut command = place.command(["Does it rain in Oslo?", "--corpus", "docs", "--model", "openai/x"]);
    for name in ["NO_PROXY", "no_proxy", "REQUEST_METHOD"] {
        command.env_remove(name);
    }
    command.env("OPENAI_BASE_URL", "https://127.0.0.1:9/v1").env("HTTPS_PROXY", proxy);
    command.env("CALLBOARD_NETWORK", "any").env("CALLBOARD_GATEWAY_ATTEMPTS", "2");
    let ran = cli_support::Ran::of(command.output().unwrap());
    assert!(ran.err.contains("HTTPS_PROXY") && !ran.err.contains("secret"), "{ran:?}");
    ran
}

#[test]
fn a_proxy_that_lets_no_call_through_is_named_without_its_password() {
    for (status, said, advice, times) in [
        (
            "407 Proxy Authentication Required",
            "the proxy wants a name and a password",
            "http://NAME:PASSWORD@HOST:PORT",
            1,
        ),
        ("403 Forbidden", "tunnel error: unsuccessful", "whether the proxy that is named works", 2),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        // It ends with the test.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, mut head) = (stream.unwrap(), Vec::new());
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                    head.extend(byte);
                }
                counted.fetch_add(usize::from(head.starts_with(b"CONNECT 127.0.0.1:9 ")), Ordering::Relaxed);
                write!(stream, "HTTP/1.1 {status}\r\n\r\n").unwrap();
            }
        });
        let ran = through(&format!("http://me:secret@{address}"));
        let named = format!("no connection to https://127.0.0.1:9 through the proxy http://{address} (HTTPS_PROXY)");
        assert_eq!(ran.code, 4, "{ran:?}");
        assert!([&*named, said, advice].iter().all(|words| ran.err.contains(words)), "{ran:?}");
        assert!(!ran.err.contains("OPENAI_BASE_URL"), "{ran:?}");
        assert_eq!(asked.load(Ordering::Relaxed), times, "{status}");
    }
}

#[test]
fn a_proxy_that_cannot_be_used_is_no_reason_to_go_without() {
    for (proxy, what) in [("not a secret url", "it is not the address of one"), ("socks5://h:1", "SOCKS is not spoken")]
    {
        let ran = through(proxy);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.err.contains(&format!("the proxy that HTTPS_PROXY names cannot be used: {what}")), "{ran:?}");
    }
}
