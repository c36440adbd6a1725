//! What becomes of a call whose connection is stale, cannot be trusted, or never ends? Through the real gateway, and
//! against servers that are made here, byte by byte, where the mock has no such fault.

#[path = "openai_support/mod.rs"]
mod support;

use std::net::SocketAddr;
use std::sync::Arc;

use callboard::actors::error::{ModelError, Waiting};
use callboard::actors::gateway::{Budget, BudgetLimits, Timeouts};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

#[tokio::test]
async fn where_nobody_answers_it_says_what_was_tried() {
    let nobody = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let is_named = |error: &ModelError, host: &str| matches!(error, ModelError::Network { sent: false, message } if message.contains(host));
    let (runtime, gateway) = front(&format!("http://{nobody}/v1"), 1, Timeouts::default());
    let refused = call(&gateway, false).await.unwrap_err();
    assert!(is_named(&refused, &nobody.to_string()), "{refused:?}");
    nothing_is_left(runtime, gateway).await;
    // TLS with a server that does not speak it.
    let stage = stage(r#"[{"text": "x"}]"#, 1);
    let base = stage.server.base_url().replace("http://", "https://");
    let (runtime, gateway) = front(&base, 1, Timeouts::default());
    let no_tls = call(&gateway, false).await.unwrap_err();
    assert!(is_named(&no_tls, "https://127.0.0.1"), "{no_tls:?}");
    nothing_is_left(runtime, gateway).await;
    stage.ends().await;
}

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Reads a whole request, and answers it as if the connection were to be kept.
async fn answer(stream: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"}") {
        assert!(stream.read_buf(&mut request).await.unwrap() > 0);
    }
    let reply = r#"{"choices":[{"message":{"content":"Yes."},"finish_reason":"stop"}],
        "usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", reply.len());
    stream.write_all(format!("{head}{reply}").as_bytes()).await.unwrap();
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_meanwhile_is_replaced_without_an_attempt() {
    let (listener, address) = listen().await;
    let (closed, is_closed) = tokio::sync::oneshot::channel();
    let server = tokio::spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        answer(&mut first).await;
        drop(first);
        closed.send(()).unwrap();
        let (mut second, _) = listener.accept().await.unwrap();
        answer(&mut second).await;
    });
    let (runtime, gateway) = front(&format!("http://{address}/v1"), 1, Timeouts::default());
    call(&gateway, false).await.unwrap();
    is_closed.await.unwrap();
    let second = call(&gateway, false).await.unwrap();
    assert_eq!((second.reply.text.as_str(), second.times.attempts), ("Yes.", 1));
    server.await.unwrap();
    nothing_is_left(runtime, gateway).await;
}

#[tokio::test]
async fn a_kept_connection_that_ends_with_the_request_on_it_is_an_attempt_that_may_have_been_paid_for() {
    for fault in ["cut_before", "reset"] {
        let stage = stage(&format!(r#"[{{"text": "One."}}, {{"fault": "{fault}"}}, {{"text": "Two."}}]"#), 2);
        call(&stage.gateway, false).await.unwrap();
        let budget = Budget::new(BudgetLimits { tokens: Some(10_000), micros: None });
        let again = stage.gateway.call("openai/mock", request()).budget(&budget).send().await.unwrap();
        assert_eq!((again.reply.text.as_str(), again.times.attempts), ("Two.", 2), "{fault}");
        let connections = stage.server.stats().connections.total;
        assert_eq!(connections, 2, "{fault}: the first two requests were on one connection");
        let spent = budget.spent();
        assert_eq!(
            (spent.unknown_usage, spent.reserved_tokens),
            (1, 0),
            "{fault}: nobody knows what the first one used"
        );
        stage.ends().await;
    }
}

/// Answers so many requests of one connection with a stream, the end of whose body comes after `[DONE]`, by itself, once the
/// client has had every chance to see what is before.
async fn stream(connection: &mut TcpStream, requests: usize, turns: usize) {
    for _ in 0..requests {
        let mut request = Vec::new();
        while !request.ends_with(b"}") {
            if connection.read_buf(&mut request).await.unwrap() == 0 {
                return;
            }
        }
        let events = concat!(
            "data: {\"choices\":[{\"delta\":{\"content\":\"Yes.\"},\"finish_reason\":\"stop\"}]}\n\n",
            "data: [DONE]\n\n"
        );
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        let piece = format!("{head}{:x}\r\n{events}\r\n", events.len());
        connection.write_all(piece.as_bytes()).await.unwrap();
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        connection.write_all(b"0\r\n\r\n").await.unwrap();
    }
}

#[tokio::test]
async fn a_connection_whose_stream_is_over_serves_the_next_call() {
    for turns in [0, 1_000] {
        let (listener, address) = listen().await;
        let server = tokio::spawn(async move {
            let (mut only, _) = listener.accept().await.unwrap();
            stream(&mut only, 3, turns).await;
        });
        let (runtime, gateway) = front(&format!("http://{address}/v1"), 1, Timeouts::default());
        for _ in 0..3 {
            let completed = call(&gateway, true).await.unwrap();
            assert_eq!((completed.reply.text.as_str(), completed.times.attempts), ("Yes.", 1));
        }
        server.await.unwrap();
        nothing_is_left(runtime, gateway).await;
    }
}

/// Speaks TLS with a certificate that nobody has signed but itself, made for these tests alone.
async fn self_signed() -> (SocketAddr, JoinHandle<()>) {
    let fixture = |name| format!("{}/tests/fixtures/tls/{name}", env!("CARGO_MANIFEST_DIR"));
    let certificate = CertificateDer::from_pem_file(fixture("self-signed.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(fixture("test-only-not-a-secret.key.pem")).unwrap();
    let crypto = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(crypto).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let refused = acceptor.accept(stream).await.unwrap_err().to_string();
        assert!(refused.contains("alert"), "the client says why it leaves: {refused}");
        // Whoever comes again is not expected.
        drop(listener);
    });
    (address, server)
}

#[tokio::test]
async fn a_certificate_that_is_not_accepted_says_so_at_once_and_nothing_is_sent() {
    let (address, server) = self_signed().await;
    let (runtime, gateway) = front(&format!("https://{address}/v1"), 5, Timeouts::default());
    let budget = Budget::new(BudgetLimits { tokens: Some(10_000), micros: None });
    let untrusted = gateway.call("openai/mock", request()).budget(&budget).send().await.unwrap_err();
    let text = untrusted.to_string();
    assert!(matches!(untrusted, ModelError::Untrusted(_)), "{untrusted:?}");
    assert!(text.contains(&format!("https://{address}")) && text.contains("certificate"), "{text}");
    assert_eq!(gateway.info().await.unwrap().models[0].attempts, 1, "no waiting puts that right");
    let spent = budget.spent();
    assert_eq!((spent.calls, spent.tokens, spent.unknown_usage), (1, 0, 0), "it used nothing");
    server.await.unwrap();
    nothing_is_left(runtime, gateway).await;
}

/// What stands in the buffers of two sockets and of the client, at most, beside what it has read.
const BUFFERS: usize = 24 << 20;

/// Sends `begin` and then `more` for ever; gives the bytes that could be sent until the client left.
async fn endless(begin: &'static str, more: String) -> (SocketAddr, JoinHandle<usize>) {
    let (listener, address) = listen().await;
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 65_536];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        stream.write_all(begin.as_bytes()).await.unwrap();
        let mut sent = 0;
        while let Ok(bytes @ 1..) = stream.write(more.as_bytes()).await {
            sent += bytes;
        }
        sent
    });
    (address, server)
}

#[tokio::test]
async fn an_endless_reply_is_read_to_its_bound_and_no_further() {
    const MIB: usize = 1 << 20;
    let json = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
    let failed = "HTTP/1.1 500 Oh\r\ncontent-type: application/json\r\n\r\n";
    let stream = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
    let text = "x".repeat(65_536);
    let event = format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
    let rows = [
        ("a reply", json, text.clone(), false, 64 * MIB),
        ("an error", failed, text.clone(), false, 64 * MIB),
        ("a stream", stream, event, true, 64 * MIB),
        ("a stream of comments", stream, format!(":{text}\n"), true, 64 * MIB),
        ("one event", stream, text.clone(), true, 4 * MIB),
        ("a head", "HTTP/1.1 200 OK\r\nx: ", text, false, MIB),
    ];
    for (what, begin, more, is_streamed, bound) in rows {
        let (address, server) = endless(begin, more).await;
        let (runtime, gateway) = front(&format!("http://{address}/v1"), 1, Timeouts::default());
        let error = call(&gateway, is_streamed).await.unwrap_err();
        assert!(!matches!(error, ModelError::Timeout(Waiting::Total | Waiting::Queue)), "{what}: {error:?}");
        let sent = server.await.unwrap();
        assert!(sent < bound + BUFFERS, "{what}: {sent} bytes, and {error:?}");
        nothing_is_left(runtime, gateway).await;
    }
}
