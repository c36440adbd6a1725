//! What becomes of each thing that can go wrong at a provider, through the real gateway and a real socket? After each
//! row nothing is left: no place taken, nobody in line, no connection open. What holds for every provider stands in
//! `providers_contract.rs`, what can go wrong with the connection itself in `openai_connections.rs`.

#[path = "openai_support/mod.rs"]
mod support;

use std::time::{Duration, SystemTime};

use callboard::actors::chat::Finish;
use callboard::actors::error::{ModelError, Waiting};
use callboard::actors::gateway::{Completed, Timeouts};
use support::*;

/// What is expected of a call: whole and streamed.
type Expected = fn(&Result<Completed, ModelError>) -> bool;

fn is_answer(answer: &Result<Completed, ModelError>) -> bool {
    answer.as_ref().is_ok_and(|ok| !ok.reply.text.is_empty() && ok.reply.usage.is_some())
}

fn is_unavailable(answer: &Result<Completed, ModelError>) -> bool {
    matches!(answer, Err(ModelError::Unavailable { status: 500 | 502 | 503 | 529, .. }))
}

fn is_malformed(answer: &Result<Completed, ModelError>) -> bool {
    matches!(answer, Err(ModelError::Malformed(_)))
}

fn is_broken(answer: &Result<Completed, ModelError>) -> bool {
    matches!(answer, Err(ModelError::Broken { received: 1.., .. }))
}

fn is_broken_connection(answer: &Result<Completed, ModelError>) -> bool {
    matches!(answer, Err(ModelError::Network { sent: true, message }) if message.contains("http://127.0.0.1"))
}

fn is_silence(answer: &Result<Completed, ModelError>) -> bool {
    matches!(answer, Err(ModelError::Timeout(Waiting::FirstToken)))
}

#[tokio::test]
async fn each_fault_has_its_outcome_and_leaves_nothing_behind() {
    let rows: [(&str, Expected, Expected); 13] = [
        ("status_500", is_unavailable, is_unavailable),
        ("status_503", is_unavailable, is_unavailable),
        ("status_529", is_unavailable, is_unavailable),
        ("reset", is_broken_connection, is_broken_connection),
        ("cut_before", is_broken_connection, is_broken_connection),
        ("cut", is_broken_connection, is_broken),
        ("malformed_json", is_malformed, is_malformed),
        ("malformed_chunk", is_broken_connection, |answer| matches!(answer, Err(ModelError::Broken { .. }))),
        ("wrong_content_type", is_malformed, is_malformed),
        ("empty_body", is_malformed, |answer| matches!(answer, Err(ModelError::Broken { received: 0, .. }))),
        ("missing_done", is_answer, is_answer),
        ("split_utf8", is_answer, is_answer),
        (
            "wrong_finish",
            |answer| answer.as_ref().is_ok_and(|ok| ok.reply.finish == Finish::Length),
            |answer| answer.as_ref().is_ok_and(|ok| ok.reply.finish == Finish::Length),
        ),
    ];
    for (fault, whole, streamed) in rows {
        let stage = stage(&format!("[{{\"fault\": \"{fault}\"}}]"), 1);
        for (is_streamed, expected) in [(false, whole), (true, streamed)] {
            let answer = call(&stage.gateway, is_streamed).await;
            assert!(expected(&answer), "{fault}, streamed: {is_streamed}: {answer:?}");
        }
        stage.ends().await;
    }
    // A proxy in between speaks HTML.
    let stage = stage(r#"[{"status": 502, "body": "<html>Bad gateway</html>"}]"#, 1);
    for is_streamed in [false, true] {
        let answer = call(&stage.gateway, is_streamed).await;
        assert!(is_unavailable(&answer), "502, streamed: {is_streamed}: {answer:?}");
    }
    stage.ends().await;
}

#[tokio::test]
async fn a_head_that_does_not_end_is_silence_and_a_late_reply_is_none() {
    let timeouts = Timeouts { first_token: SHORT, ..Timeouts::default() };
    let stage = stage_with(r#"[{"fault": "slow_headers"}]"#, 1, timeouts);
    let streamed = call(&stage.gateway, true).await;
    assert!(is_silence(&streamed), "{streamed:?}");
    // A reply in one piece comes when the model has said everything, however long that takes.
    let whole = stage.gateway.call("openai/mock", request()).within(3 * SHORT).send().await;
    assert_eq!(whole.unwrap_err(), ModelError::Timeout(Waiting::Total));
    stage.ends().await;
    let late = r#"[{"text": "Late.", "delay_ms": 900}]"#;
    let stage = stage_with(late, 5, Timeouts { first_token: SHORT, ..Timeouts::default() });
    let whole = call(&stage.gateway, false).await.unwrap();
    assert_eq!(
        (whole.reply.text.as_str(), whole.times.attempts),
        ("Late.", 1),
        "it is not made again, and paid for again"
    );
    assert_eq!(stage.server.stats().requests, 1);
    stage.ends().await;
}

#[tokio::test]
async fn a_body_that_is_slow_or_endless_or_comes_twice() {
    let stage = stage(r#"[{"fault": "duplicate_chunks"}]"#, 1);
    assert!(call(&stage.gateway, false).await.is_err(), "two replies in one are none");
    let twice = call(&stage.gateway, true).await.unwrap();
    assert!(twice.reply.usage.is_some(), "nothing tells a piece that came twice from one that was meant twice");
    stage.ends().await;
    // A byte each 50 ms is no silence: the call ends with its own time.
    let stage = self::stage(r#"[{"fault": "slow_body"}]"#, 1);
    let slow = stage.gateway.call("openai/mock", request()).within(Duration::from_secs(1)).send().await;
    assert_eq!(slow.unwrap_err(), ModelError::Timeout(Waiting::Total));
    stage.ends().await;
    let stage = self::stage(r#"[{"fault": "endless_body"}]"#, 1);
    let (endless, pieces) = stage.gateway.call("openai/mock", request()).within(Duration::from_secs(1)).streamed();
    let (endless, ()) = tokio::join!(endless.send(), read(pieces));
    assert!(matches!(endless, Err(ModelError::Timeout(Waiting::Total) | ModelError::Malformed(_))), "{endless:?}");
    let whole = stage.gateway.call("openai/mock", request()).within(Duration::from_secs(2)).send().await;
    assert!(matches!(whole, Err(ModelError::Timeout(Waiting::Total) | ModelError::Malformed(_))), "{whole:?}");
    stage.ends().await;
}

#[tokio::test]
async fn a_429_pauses_everybody_until_its_limit_is_reset_and_a_503_nobody() {
    let limited = r#"{"error": {"message": "Slow down", "code": "rate_limit_exceeded"}}"#;
    let works = |status: u16, headers: &str| {
        format!(r#"[{{"status": {status}, "headers": {headers}, "body": {limited}}}, {{"text": "Then it works."}}]"#)
    };
    let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(2));
    // With the least time that is waited. A date knows whole seconds only, and some time has passed.
    let rows = [
        (429, r#"{"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "250ms"}"#, 250, 1),
        (429, &format!(r#"{{"retry-after": "{soon}"}}"#), 1, 1),
        (429, r#"{"retry-after-ms": "20", "retry-after": "9"}"#, 20, 1),
        (429, r#"{"retry-after": "soon"}"#, 0, 1),
        (503, r#"{"retry-after": "0.25"}"#, 250, 0),
    ];
    for (status, headers, millis, pauses) in rows {
        let stage = stage(&works(status, headers), 5);
        let completed = call(&stage.gateway, true).await.unwrap();
        let (text, attempts) = (completed.reply.text.as_str(), completed.times.attempts);
        assert_eq!((text, attempts), ("Then it works.", 2), "{status} {headers}");
        assert!(completed.times.queue >= Duration::from_millis(millis), "{status} {headers}");
        assert_eq!(stage.gateway.info().await.unwrap().models[0].pauses, pauses, "{status} {headers}");
        stage.ends().await;
    }
}

#[tokio::test]
async fn a_caller_that_leaves_closes_its_connection() {
    let stage = stage(r#"[{"fault": "hang"}]"#, 1);
    let left = stage.gateway.call("openai/mock", request()).send();
    let mut left = Box::pin(left);
    let deadline = tokio::time::Instant::now() + LONG;
    while stage.server.stats().in_flight == 0 {
        assert!(tokio::time::Instant::now() < deadline);
        let _pending = futures_util::poll!(left.as_mut());
        tokio::task::yield_now().await;
    }
    drop(left);
    while stage.server.stats().aborted == 0 {
        assert!(tokio::time::Instant::now() < deadline, "{:?}", stage.server.stats());
        tokio::task::yield_now().await;
    }
    stage.ends().await;
}

#[tokio::test]
async fn the_key_is_struck_wherever_it_stands_in_what_a_provider_says() {
    let filler = "x".repeat(290);
    let script =
        format!(r#"[{{"status": 400, "body": {{"error": {{"message": "{filler} sk-secret-of-the-test"}}}}}}]"#);
    let stage = stage(&script, 1);
    let error = format!("{:?}", call(&stage.gateway, false).await.unwrap_err());
    assert!(error.contains(&filler) && !error.contains("sk-"), "{error}");
    stage.ends().await;
}

/// Answers one request with these bytes, and keeps the connection open until the client leaves.
async fn says(bytes: &'static str) -> (std::net::SocketAddr, tokio::task::JoinHandle<()>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let answers = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 65_536];
        let _head_and_body = stream.read(&mut request).await.unwrap();
        stream.write_all(bytes.as_bytes()).await.unwrap();
        while stream.read(&mut request).await.is_ok_and(|read| read > 0) {}
    });
    (address, answers)
}

#[tokio::test]
async fn a_stream_that_is_complete_is_not_lost_because_its_connection_stays_open() {
    let (address, answers) = says(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n\
         data: {\"choices\":[{\"delta\":{\"content\":\"All.\"},\"finish_reason\":\"stop\"}]}\n\n",
    )
    .await;
    let timeouts = Timeouts { between_tokens: SHORT, ..Timeouts::default() };
    let (runtime, gateway) = front(&format!("http://{address}/v1"), 1, timeouts);
    let completed = call(&gateway, true).await.unwrap();
    assert_eq!((completed.reply.text.as_str(), completed.reply.finish), ("All.", Finish::Done));
    runtime.stop(LONG).await;
    answers.await.unwrap();
}

#[tokio::test]
async fn a_tool_whose_name_was_seen_is_not_called_again_behind_its_readers_back() {
    let (address, answers) = says(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 1000\r\n\r\n\
         data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"pay\",\
         \"arguments\":\"\"}}]}}]}\n\n",
    )
    .await;
    let timeouts = Timeouts { first_token: SHORT, between_tokens: SHORT, ..Timeouts::default() };
    let (runtime, gateway) = front(&format!("http://{address}/v1"), 5, timeouts);
    let silent = call(&gateway, true).await.unwrap_err();
    assert_eq!(silent, ModelError::Timeout(Waiting::NextToken));
    assert_eq!(gateway.info().await.unwrap().models[0].attempts, 1);
    runtime.stop(LONG).await;
    answers.await.unwrap();
}
