//! Does each fault look as docs/mock-llm.md says, plain and streamed, by header, by rate and by script?

mod mock_llm_support;

use std::time::Duration;

use callboard::mock_llm::{Fault, FaultRates, MockConfig, MockLlm, Script};
use mock_llm_support::{CHAT, Client, End, Reply, chat, content, start};
use serde_json::{Value, json};

/// How the client is told of the fault.
#[derive(Debug, Clone, Copy)]
enum Way {
    Header,
    Rate,
    Script,
}

fn server(way: Way, fault: Fault) -> MockLlm {
    start(|config: &mut MockConfig| {
        config.slow_byte = Duration::ZERO;
        config.reply_tokens = 12;
        match way {
            Way::Header => {}
            Way::Rate => config.faults = FaultRates::default().with(fault, 1.0).unwrap(),
            Way::Script => config.script = Some(Script::parse(&json!([{"fault": fault.name()}]).to_string()).unwrap()),
        }
    })
}

/// Sends the request of a case.
async fn asked(server: &MockLlm, way: Way, fault: Fault, is_stream: bool) -> Client {
    let mut client = Client::to(server).await;
    let header = match way {
        Way::Header => format!("x-mock-fault: {fault}\r\n"),
        _ => String::new(),
    };
    let more = match is_stream {
        true => json!({"stream": true, "stream_options": {"include_usage": true}}),
        false => json!({}),
    };
    client.request("POST", CHAT, &header, &chat(more).to_string()).await;
    client
}

fn parses(body: &[u8]) -> bool {
    serde_json::from_slice::<Value>(body).is_ok()
}

fn is_good(reply: &Reply, is_stream: bool) -> bool {
    let ends = match is_stream {
        true => reply.events().last() == Some(&json!("[DONE]")) && !reply.streamed().is_empty(),
        false => !content(&reply.json()).is_empty(),
    };
    reply.status == 200 && reply.end == End::Whole && ends
}

/// Whether a reply has the fault that it should have.
async fn has(fault: Fault, is_stream: bool, client: &mut Client) {
    let reply = match fault {
        Fault::Hang => return,
        Fault::EndlessBody => return endless(is_stream, client).await,
        _ => client.reply().await,
    };
    let (status, end) = (reply.status, reply.end);
    match fault {
        Fault::Status500 => assert_eq!((status, reply.error().0.as_str()), (500, "server_error")),
        Fault::Status503 => assert_eq!((status, reply.header("retry-after")), (503, Some("1"))),
        Fault::Status529 => assert_eq!((status, reply.error().0.as_str()), (529, "overloaded_error")),
        Fault::Reset => assert_eq!((status, end, reply.body.len()), (0, End::Reset, 0)),
        Fault::CutBefore => assert_eq!((status, end, reply.body.len()), (0, End::Closed, 0)),
        Fault::SlowHeaders | Fault::SlowBody => assert!(is_good(&reply, is_stream), "{reply:?}"),
        Fault::Cut => {
            assert_eq!((status, end), (200, End::Closed));
            assert!(!reply.body.is_empty() && !parses(&reply.body));
            assert!(!is_stream || reply.events().len() == 2, "the role and one token");
        }
        Fault::MalformedJson => {
            assert_eq!((status, end, parses(&reply.body)), (200, End::Whole, false));
            let broken = |event: &&Value| event.is_string() && *event != "[DONE]";
            assert!(!is_stream || reply.events().iter().filter(broken).count() == 1);
        }
        Fault::MalformedChunk => assert_eq!((status, end), (200, End::BadChunk)),
        Fault::WrongContentType => {
            assert_eq!((status, end), (200, End::Whole));
            assert!(reply.header("content-type").unwrap().starts_with("text/html") && reply.text().contains("<html>"));
        }
        Fault::MissingUsage => {
            assert!(is_good(&reply, is_stream) && !reply.text().contains("usage"), "{reply:?}");
        }
        Fault::EmptyBody => assert_eq!((status, end, reply.body.len()), (200, End::Whole, 0)),
        Fault::DuplicateChunks if is_stream => {
            let events = reply.events();
            assert!(
                is_good(&reply, true) && events[1] == events[2] && events[3] == events[4] && events[2] != events[3]
            );
        }
        Fault::DuplicateChunks => {
            let (one, other) = reply.body.split_at(reply.body.len() / 2);
            assert!(one == other && parses(one) && !parses(&reply.body));
        }
        Fault::SplitUtf8 => {
            assert!(is_good(&reply, is_stream), "{reply:?}");
            let split = reply.chunks.iter().filter(|chunk| std::str::from_utf8(chunk).is_err()).count();
            assert!(split >= 2, "a character is in two chunks: {:?}", reply.chunks);
        }
        Fault::MissingDone => {
            assert_eq!((status, end, reply.text().contains("[DONE]")), (200, End::Whole, false));
            assert!(!is_stream || reply.events().iter().any(|event| event["choices"][0]["finish_reason"] == "stop"));
        }
        Fault::WrongFinish => {
            assert!(is_good(&reply, is_stream) && reply.text().contains("\"finish_reason\":\"length\""));
        }
        other => panic!("nobody checks {other}"),
    }
}

/// More comes than any reply has.
async fn endless(is_stream: bool, client: &mut Client) {
    let head = client.head().await.unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("transfer-encoding: chunked"));
    while client.unread().len() < 100_000 {
        client.more().await.unwrap();
    }
    let piece = if is_stream { "data: {" } else { "xxxxxx" };
    assert!(client.unread().contains(piece) && !client.unread().contains("[DONE]"));
}

#[tokio::test]
async fn every_fault_is_what_it_is_called() {
    for fault in Fault::ALL {
        for way in [Way::Header, Way::Rate, Way::Script] {
            let server = server(way, fault);
            for is_stream in [false, true] {
                let mut client = asked(&server, way, fault, is_stream).await;
                has(fault, is_stream, &mut client).await;
                let mut other = Client::to(&server).await;
                // A fault is counted when its call is decided, which is before the first byte of its reply.
                while fault == Fault::Hang && server.stats().by_fault.get("hang") != Some(&(1 + u64::from(is_stream))) {
                    other.get("/stats").await;
                }
                assert_eq!(server.stats().by_fault[fault.name()], 1 + u64::from(is_stream), "{fault} by {way:?}");
                if fault == Fault::Hang {
                    assert!(client.unread().is_empty());
                    assert_eq!(server.stats().in_flight, 1, "a call that hangs is in flight");
                    drop(client);
                    while server.stats().in_flight > 0 {
                        other.get("/stats").await;
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_header_is_for_one_request() {
    let server = start(|config| config.faults = FaultRates::default().with(Fault::Status500, 1.0).unwrap());
    let mut client = Client::to(&server).await;
    assert_eq!(client.post_with("x-mock-fault: status_503\r\n", &chat(json!({}))).await.status, 503);
    assert_eq!(client.post(&chat(json!({}))).await.status, 500);
    client.request("GET", "/v1/models", "x-mock-fault: status_529\r\n", "").await;
    assert_eq!(client.reply().await.status, 529);
    assert_eq!(client.get("/v1/models").await.status, 200, "rates are for calls of a model");
}

#[tokio::test]
async fn split_characters_make_the_same_text() {
    let server = start(|_| {});
    let mut client = Client::to(&server).await;
    let split = "x-mock-fault: split_utf8\r\n";
    let streamed = client.post_with(split, &chat(json!({"stream": true}))).await.streamed();
    server.reset();
    let plain = client.post_with(split, &chat(json!({}))).await.json();
    assert_eq!(content(&plain), streamed);
    assert!(streamed.starts_with('ö') && !streamed.contains('\u{fffd}'));
}

#[tokio::test]
async fn a_connection_goes_on_after_a_fault_that_leaves_it_whole() {
    let server = start(|config| config.slow_byte = Duration::ZERO);
    let mut client = Client::to(&server).await;
    let whole = [
        "status_500",
        "status_503",
        "status_529",
        "slow_headers",
        "slow_body",
        "malformed_json",
        "wrong_content_type",
        "missing_usage",
        "empty_body",
        "duplicate_chunks",
        "split_utf8",
        "missing_done",
        "wrong_finish",
    ];
    for fault in whole {
        for is_stream in [false, true] {
            let header = format!("x-mock-fault: {fault}\r\n");
            let reply = client.post_with(&header, &chat(json!({"stream": is_stream}))).await;
            assert_eq!(reply.end, End::Whole, "{fault}");
        }
    }
    assert_eq!(server.stats().connections.total, 1);
}

#[tokio::test]
async fn embeddings_have_faults_too() {
    let server = start(|_| {});
    let body = json!({"model": "mock", "input": "x"}).to_string();
    for (fault, status, end) in [
        ("status_500", 500, End::Whole),
        ("reset", 0, End::Reset),
        ("cut", 200, End::Closed),
        ("missing_usage", 200, End::Whole),
    ] {
        let mut client = Client::to(&server).await;
        client.request("POST", "/v1/embeddings", &format!("x-mock-fault: {fault}\r\n"), &body).await;
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.end), (status, end), "{fault}");
        assert!(!reply.body.windows(7).any(|seven| seven == b"\"usage\""), "{fault}");
    }
}
