//! Are replies read as servers really send them, and as vendors publish them? Their bytes over a real socket;
//! `tests/fixtures/recorded/README.md` says whose they are and how they were had, `tests/fixtures/documented/README.md` where the
//! examples of those stand who were never tried.

mod contract_support;

use std::time::Duration;

use callboard::actors::chat::{ChatReply, Finish, TokenUsage, ToolCall};
use callboard::actors::error::{Limited, ModelError, Waiting};
use callboard::actors::gateway::Timeouts;
use contract_support::*;

const CHAT: &str = "openai";
const RESPONSES: &str = "openai by Responses";
const ANTHROPIC: &str = "anthropic";

macro_rules! recorded {
    ($file:literal) => {
        Sent::recorded(include_bytes!(concat!("fixtures/recorded/", $file, ".http")))
    };
}

macro_rules! documented {
    ($file:literal) => {
        include_str!(concat!("fixtures/documented/", $file))
    };
}

/// What a provider reads of it.
async fn reply(name: &str, sent: Sent, is_streamed: bool) -> ChatReply {
    let seen = call(provider(name), vec![sent], How::once(is_streamed)).await;
    seen.answer.unwrap_or_else(|error| panic!("{name}: {error:?}")).reply
}

async fn error(name: &str, sent: Sent, is_streamed: bool) -> ModelError {
    call(provider(name), vec![sent], How::once(is_streamed)).await.error().clone()
}

fn usage(input: u64, output: u64) -> Option<TokenUsage> {
    Some(TokenUsage { input, output })
}

fn called(id: &str, name: &str, arguments: &str) -> Vec<ToolCall> {
    vec![ToolCall { id: id.to_owned(), name: name.to_owned(), arguments: arguments.to_owned() }]
}

/// By which provider it is read, what was sent, whether it streams, and what is read of it.
type Row<'a> = (&'a str, Sent, bool, &'a str, Finish, Option<TokenUsage>);

async fn are_read(rows: Vec<Row<'_>>) {
    for (name, sent, is_streamed, text, finish, usage) in rows {
        let reply = reply(name, sent, is_streamed).await;
        assert_eq!((reply.text.as_str(), reply.finish, reply.usage), (text, finish, usage), "{name}");
        assert_eq!(reply.tool_calls, Vec::new(), "{name}");
    }
}

#[tokio::test]
async fn recorded_replies_are_read_whole_and_streamed() {
    let plain = "An actor is a unit of state that handles one message at a time, and it answers with words enough to be cut \
                 into pieces.";
    let (done, cut) = (Finish::Done, Finish::Length);
    let nonsense = " openai seed death so md] handler while";
    let more = " whole timeout budget whole script path more calls";
    are_read(vec![
        (CHAT, recorded!("llamacpp-plain"), false, nonsense, cut.clone(), usage(22, 8)),
        (CHAT, recorded!("llamacpp-streamed"), true, " openai like its stopped", cut.clone(), usage(22, 4)),
        (CHAT, recorded!("litellm-plain"), false, plain, done.clone(), usage(10, 20)),
        (CHAT, recorded!("litellm-streamed"), true, plain, done.clone(), usage(12, 27)),
        // Both were cut, and this server calls them completed.
        (RESPONSES, recorded!("llamacpp-responses-plain"), false, more, done.clone(), usage(21, 8)),
        (RESPONSES, recorded!("llamacpp-responses-streamed"), true, " away how default md", done.clone(), usage(21, 4)),
        // Most of the input came from the server's cache.
        (ANTHROPIC, recorded!("llamacpp-messages-plain"), false, " ns", done, usage(21, 2)),
        (ANTHROPIC, recorded!("llamacpp-messages-streamed"), true, " flight when which key", cut, usage(21, 4)),
    ])
    .await;
}

#[tokio::test]
async fn documented_replies_are_read_whole_and_streamed() {
    let json = |body: &str| Sent::json(200, body);
    let hello = "Hello! How can I assist you today?";
    let responses = reply(RESPONSES, json(documented!("openai-responses.json")), false).await;
    assert!(responses.text.starts_with("In a peaceful grove beneath a silver moon, a unicorn named Lumina"));
    assert_eq!((responses.finish, responses.usage), (Finish::Done, usage(36, 87)));
    // The vendor left out what comes between the first piece and the whole.
    let streamed = Sent::stream(documented!("openai-responses-streamed.sse"));
    let gcd = "The greatest common divisor of 1071 and 462 is **21**.";
    let thinks = Sent::stream(documented!("anthropic-thinking-streamed.sse"));
    are_read(vec![
        (CHAT, json(documented!("openai-chat.json")), false, hello, Finish::Done, usage(19, 10)),
        (RESPONSES, streamed, true, "Hi there! How can I assist you today?", Finish::Done, usage(37, 11)),
        (ANTHROPIC, json(documented!("anthropic-messages.json")), false, "Hello!", Finish::Done, usage(12, 6)),
        (ANTHROPIC, Sent::stream(documented!("anthropic-streamed.sse")), true, "Hello!", Finish::Done, usage(25, 15)),
        (ANTHROPIC, thinks, true, gcd, Finish::Done, None),
    ])
    .await;
    let seen =
        call(provider(RESPONSES), vec![Sent::stream(documented!("openai-responses-streamed.sse"))], How::once(true));
    let pieces = seen.await.pieces;
    assert_eq!(pieces.len(), 2, "what was left out comes with the whole: {pieces:?}");
}

#[tokio::test]
async fn tool_calls_are_read_as_recorded_and_as_documented() {
    let boston = "{\n\"location\": \"Boston, MA\"\n}";
    let celsius = r#"{"location":"Boston, MA","unit":"celsius"}"#;
    let francisco = r#"{"location": "San Francisco, CA", "unit": "fahrenheit"}"#;
    let json = |body: &str| Sent::json(200, body);
    let rows = [
        (
            (CHAT, recorded!("llamacpp-tool-call-streamed"), true),
            ("error log names retry", usage(213, 45)),
            called("jRwqnXGq5yeU5MOudH6F1ZM4CX99Mh8U", "add", r#"{"a" :8}"#),
        ),
        (
            // Its entries have no numbers, and the message ends after the call.
            (RESPONSES, recorded!("llamacpp-responses-tool-call-streamed"), true),
            ("flight thread how part where retries quotes made counts", usage(159, 60)),
            called("call_RLW0JiVcOZfX0aII6MFt5NeZ1SFcvRa0", "add", r#"{"a" :87}"#),
        ),
        (
            (ANTHROPIC, recorded!("llamacpp-messages-tool-call-streamed"), true),
            ("before timeoutV", usage(160, 44)),
            called("DMdAULx2xv1rtPWt87A71d4fpsHQOdIt", "add", r#"{"a" :18}"#),
        ),
        (
            (CHAT, json(documented!("openai-chat-tool-call.json")), false),
            ("", usage(82, 17)),
            called("call_abc123", "get_current_weather", boston),
        ),
        (
            (RESPONSES, json(documented!("openai-responses-tool-call.json")), false),
            ("", usage(291, 23)),
            called("call_unLAR8MvFNptuiZK6K6HCy5k", "get_current_weather", celsius),
        ),
        (
            (ANTHROPIC, Sent::stream(documented!("anthropic-tool-call-streamed.sse")), true),
            ("Okay, let's check the weather for San Francisco, CA:", usage(472, 89)),
            called("toolu_01T1x1fJ34qAmk2tNTrN7Up6", "get_weather", francisco),
        ),
    ];
    for ((name, sent, is_streamed), (text, usage), calls) in rows {
        let reply = reply(name, sent, is_streamed).await;
        assert_eq!((reply.text.as_str(), reply.tool_calls), (text, calls), "{name}");
        assert_eq!((reply.finish, reply.usage), (Finish::ToolCalls, usage), "{name}");
    }
}

#[tokio::test]
async fn a_model_that_thinks_first_is_not_silent() {
    let recorded = include_bytes!("fixtures/recorded/llamacpp-thinking-streamed.http");
    let reply = reply(CHAT, Sent::recorded(recorded), true).await;
    assert_eq!((reply.text.as_str(), reply.finish), ("", Finish::Length), "what it thinks is no part of the reply");
    assert_eq!(reply.usage, usage(24, 6));
    // Its first thoughts, and then nothing more: it is not asked again, which would be paid again.
    let begins = recorded.windows(5).position(|five| five == b"takes").unwrap();
    let timeouts = Timeouts { first_token: SHORT, between_tokens: SHORT, ..timeouts() };
    let how = How { timeouts, ..How::once(true) };
    let silent = call(provider(CHAT), vec![Sent::recorded(&recorded[..begins])], how).await;
    assert_eq!(silent.error(), &ModelError::Timeout(Waiting::NextToken));
}

#[tokio::test]
async fn refusals_say_what_they_are_about() {
    let unauthorized = error(CHAT, recorded!("llamacpp-unauthorized"), false).await;
    let message = "Invalid API Key (the key is that of OPENAI_API_KEY)".to_owned();
    assert_eq!(unauthorized, ModelError::Unauthorized { status: 401, message });
    for (name, sent, is_streamed, words) in [
        (CHAT, recorded!("llamacpp-too-long"), true, "request (8015 tokens) exceeds"),
        (CHAT, recorded!("litellm-too-long"), false, "litellm.ContextWindowExceededError"),
        (RESPONSES, recorded!("llamacpp-responses-too-long"), true, "request (8015 tokens) exceeds"),
        (ANTHROPIC, recorded!("llamacpp-messages-too-long"), true, "request (8015 tokens) exceeds"),
    ] {
        let error = error(name, sent, is_streamed).await;
        assert!(matches!(&error, ModelError::ContextTooLong(message) if message.starts_with(words)), "{error:?}");
    }
    for name in [CHAT, RESPONSES, ANTHROPIC] {
        let nowhere = error(name, recorded!("llamacpp-no-such-path"), false).await;
        assert_eq!(nowhere, ModelError::NotFound("File Not Found".to_owned()));
        let bad = error(name, recorded!("llamacpp-responses-bad-request"), false).await;
        let message = "Cannot determine type of 'item'".to_owned();
        assert_eq!(bad, ModelError::Rejected { status: 400, message });
    }
    let exhausted = "Resource has been exhausted (e.g. check quota).";
    for (name, sent, wait, words) in [
        (CHAT, recorded!("litellm-limited"), None, ""),
        (CHAT, recorded!("litellm-limited-with-a-wait"), Some(Duration::from_secs(60)), ""),
        ("gemini", Sent::json(429, documented!("gemini-limited.json")), None, exhausted),
    ] {
        let error = error(name, sent, false).await;
        let is_so = matches!(&error, ModelError::RateLimited { limited: Limited::Rate, retry_after, message }
            if *retry_after == wait && message.starts_with(words));
        assert!(is_so, "{error:?}");
    }
}

#[tokio::test]
async fn documented_ends_and_errors_of_streams_are_told() {
    // It says that tokens were the limit, and nothing else.
    let incomplete = reply(RESPONSES, Sent::stream(documented!("openai-responses-incomplete.sse")), true).await;
    assert_eq!((incomplete.text.as_str(), incomplete.finish, incomplete.usage), ("", Finish::Length, None));
    let failed = error(RESPONSES, Sent::stream(documented!("openai-responses-failed.sse")), true).await;
    let says = |error: &ModelError, words: &str| error.to_string().contains(words);
    assert!(says(&failed, "The model failed to generate a response."), "{failed:?}");
    assert!(matches!(failed, ModelError::Unavailable { status: 500, .. }), "{failed:?}");
    let something = error(RESPONSES, Sent::stream(documented!("openai-responses-error.sse")), true).await;
    assert!(
        matches!(&something, ModelError::Malformed(_)) && says(&something, "Something went wrong"),
        "{something:?}"
    );
    let overloaded = error(ANTHROPIC, Sent::stream(documented!("anthropic-overloaded.sse")), true).await;
    assert!(matches!(overloaded, ModelError::Unavailable { status: 500, .. }), "{overloaded:?}");
}
