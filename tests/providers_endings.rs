//! What is known of a reply whose server does not come to an end? What it has said until then, for every format, over real sockets.

mod contract_support;

use std::time::Duration;

use callboard::actors::chat::{Finish, TokenUsage};
use callboard::actors::error::{Limited, ModelError};
use contract_support::*;

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
async fn a_reply_whose_last_piece_says_why_it_ends_is_complete_before_its_time_is_over() {
    let event = r#"{"choices":[{"index":0,"delta":{"content":"All of it."},"finish_reason":"stop"}]}"#;
    let sent = Sent::stream(format!("data: {event}\n\n")).stays_open();
    let seen = call(provider("openai"), vec![sent], How { within: WITHIN[0], ..How::once(true) }).await;
    assert_eq!(seen.answer.map(|completed| completed.reply.text), Ok("All of it.".to_owned()));
}
