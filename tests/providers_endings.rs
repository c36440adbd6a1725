//! What is known of a reply whose server does not come to an end? What it has said until then, for every format, over real sockets.

mod contract_support;

use std::time::Duration;

use callboard::actors::chat::{Finish, TokenUsage};
use callboard::actors::error::{Limited, ModelError};
use contract_support::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const BOTH: [bool; 2] = [false, true];

/// The deadlines of calls: one that is over before a server is waited for, and one that is not.
const WITHIN: [Duration; 2] = [Duration::from_millis(900), LONG];

/// What a server sends up to where it says why it ends, and what it says after that.
fn cut_after_its_end(provider: &Provider, said: &Said) -> (String, Vec<String>) {
    let mut events = provider.format.events(said);
    let ends = ["\"finish_reason\":\"stop\"", "\"message_delta\"", "\"response.completed\""];
    let end = events.iter().position(|event| ends.iter().any(|end| event.contains(end))).expect("an end");
    let after = events.split_off(end + 1);
    (events.concat(), after)
}

#[tokio::test]
async fn a_reply_that_has_said_why_it_ends_is_complete_whichever_clock_ends_first() {
    let said = Said::text(&["All of ", "it."]);
    let cases = PROVIDERS.iter().flat_map(|provider| WITHIN.map(|within| (provider, within)));
    futures_util::future::join_all(cases.map(|(provider, within)| async move {
        let (begin, after) = cut_after_its_end(provider, &said);
        // What follows the end, however much of it comes: what was used is known if it was told.
        for told in 0..=after.len() {
            let sent = begin.clone() + &after[..told].concat();
            let is_used = sent.contains("_tokens\":3");
            let how = How { within, ..How::once(true) };
            let seen = call(provider, vec![Sent::stream(&sent).stays_open()], how).await;
            let case = format!("{} {within:?} {told}: {:?}", provider.name, seen.answer);
            let reply = seen.answer.unwrap_or_else(|_| panic!("{case}")).reply;
            assert_eq!((reply.text.as_str(), reply.finish), ("All of it.", Finish::Done), "{case}");
            assert_eq!(reply.usage, is_used.then_some(TokenUsage { input: 20, output: 3 }), "{case}");
        }
        // Nor does it matter what nonsense follows.
        let seen = call(provider, vec![Sent::stream(begin + "data: {\"odd\n\n").stays_open()], How::once(true)).await;
        assert_eq!(seen.answer.map(|completed| completed.reply.text), Ok("All of it.".to_owned()), "{}", provider.name);
    }))
    .await;
}

/// What a status means.
type Means = fn(&ModelError) -> bool;

#[tokio::test]
async fn a_status_is_known_although_its_words_do_not_end() {
    let rows: [(u16, Refusal, Means); 4] = [
        (401, Refusal::Key, |error| matches!(error, ModelError::Unauthorized { status: 401, .. })),
        (429, Refusal::Rate, |error| {
            let asked = Some(Duration::from_secs(7));
            matches!(error, ModelError::RateLimited { limited: Limited::Rate, retry_after, .. } if *retry_after == asked)
        }),
        (500, Refusal::Overloaded, |error| matches!(error, ModelError::Unavailable { status: 500, .. })),
        (404, Refusal::NoSuchModel, |error| matches!(error, ModelError::NotFound(_))),
    ];
    let cases = PROVIDERS.iter().flat_map(|provider| WITHIN.map(|within| (provider, within)));
    futures_util::future::join_all(cases.map(|(provider, within)| async move {
        for (status, refusal, means) in rows {
            for is_streamed in BOTH {
                let words = provider.format.error(refusal, &"no ".repeat(100_000)).to_string();
                // It hangs, after the first bytes and after more than is read.
                for left in [words.len() - 9, 9] {
                    let sent = Sent::json_with(status, "retry-after: 7\r\n", &words).without_last(left).stays_open();
                    let seen = call(provider, vec![sent], How { within, ..How::once(is_streamed) }).await;
                    assert!(means(seen.error()), "{} {status} {within:?}: {:?}", provider.name, seen.answer);
                }
            }
        }
    }))
    .await;
}

#[tokio::test]
async fn a_stream_that_says_with_every_piece_why_it_ends_is_read_to_its_end() {
    let server = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", server.local_addr().unwrap());
    let serves = tokio::spawn(async move {
        let (mut client, _) = server.accept().await.unwrap();
        let mut asked = [0; 4096];
        assert!(client.read(&mut asked).await.unwrap() > 0);
        client
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n")
            .await
            .unwrap();
        let deltas = [
            r#"{"reasoning_content":"hm"}"#,
            r#"{"reasoning_content":"so"}"#,
            r#"{"content":"All of "}"#,
            r#"{"content":"it."}"#,
        ];
        for delta in deltas {
            let event =
                format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":\"stop\"}}]}}\n\n");
            client.write_all(event.as_bytes()).await.unwrap();
            // Longer than the end of a reply is waited for.
            tokio::time::sleep(Duration::from_millis(1_200)).await;
        }
        client.write_all(b"data: [DONE]\n\n").await.unwrap();
    });
    let provider = PROVIDERS.iter().find(|provider| provider.name == "openai").expect("it is there");
    let runtime = callboard::prelude::Runtime::start(callboard::prelude::RuntimeConfig::default()).unwrap();
    let gateway =
        callboard::actors::gateway::Gateway::start(&runtime, vec![provider.served(&base)], Default::default()).unwrap();
    let (call, mut pieces) = gateway.call(&provider.served(&base).name, question()).streamed();
    let (answer, ()) = tokio::join!(call.send(), async { while pieces.next().await.is_some() {} });
    assert_eq!(answer.map(|completed| completed.reply.text), Ok("All of it.".to_owned()));
    serves.await.unwrap();
}
