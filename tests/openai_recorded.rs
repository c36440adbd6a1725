//! Does the provider read what servers really send? Their bytes, recorded, over a real socket; see
//! `tests/fixtures/recorded/README.md` for whose they are.

use std::sync::Arc;
use std::time::Duration;

use callboard::actors::chat::{ChatRequest, Finish, TokenUsage, ToolCall, Turn};
use callboard::actors::error::{Limited, ModelError, Waiting};
use callboard::actors::gateway::{Completed, Gateway, GatewayLimits, RetryPolicy, ServedModel, Timeouts};
use callboard::prelude::*;
use callboard::providers::openai::OpenAi;
use callboard::testkit::only_loopback;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LONG: Duration = Duration::from_secs(20);

/// What a call says to which a server answers so.
async fn answer(recorded: &'static [u8], is_streamed: bool) -> Result<Completed, ModelError> {
    answer_within(recorded, is_streamed, Timeouts::default()).await
}

async fn answer_within(
    recorded: &'static [u8],
    is_streamed: bool,
    timeouts: Timeouts,
) -> Result<Completed, ModelError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 65_536];
        let _head_and_body = stream.read(&mut request).await.unwrap();
        stream.write_all(recorded).await.unwrap();
        while stream.read(&mut request).await.is_ok_and(|read| read > 0) {}
    });
    let runtime = Runtime::start(RuntimeConfig { shards: 1, ..RuntimeConfig::default() }).unwrap();
    only_loopback();
    let model = OpenAi::new("m", Some("sk-of-the-test".into()), Some(&base)).unwrap();
    let retry = RetryPolicy { attempts: 1, ..RetryPolicy::default() };
    let limits = GatewayLimits { deadline: LONG, timeouts, retry, ..GatewayLimits::default() };
    let gateway = Gateway::start(&runtime, vec![ServedModel::new("m", Arc::new(model))], limits).unwrap();
    let call = gateway.call("m", ChatRequest::new(vec![Turn::user("What is an actor?")], 300));
    let answer = if is_streamed {
        let (call, mut pieces) = call.streamed();
        let read = async { while pieces.next().await.is_some() {} };
        tokio::join!(call.send(), read).0
    } else {
        call.send().await
    };
    assert!(runtime.stop(LONG).await.is_clean());
    server.await.unwrap();
    answer
}

fn usage(input: u64, output: u64) -> Option<TokenUsage> {
    Some(TokenUsage { input, output })
}

#[tokio::test]
async fn replies_are_read_whole_and_streamed() {
    let plain = "An actor is a unit of state that handles one message at a time, and it answers with words enough to be cut \
                 into pieces.";
    /// The bytes, whether they stream, and what is read of them.
    type Row<'a> = (&'a [u8], bool, &'a str, Finish, Option<TokenUsage>);
    let rows: [Row<'_>; 4] = [
        (
            include_bytes!("fixtures/recorded/llamacpp-plain.http"),
            false,
            " openai seed death so md] handler while",
            Finish::Length,
            usage(22, 8),
        ),
        (
            include_bytes!("fixtures/recorded/llamacpp-streamed.http"),
            true,
            " openai like its stopped",
            Finish::Length,
            usage(22, 4),
        ),
        (include_bytes!("fixtures/recorded/litellm-plain.http"), false, plain, Finish::Done, usage(10, 20)),
        (include_bytes!("fixtures/recorded/litellm-streamed.http"), true, plain, Finish::Done, usage(12, 27)),
    ];
    for (recorded, is_streamed, text, finish, usage) in rows {
        let reply = answer(recorded, is_streamed).await.unwrap().reply;
        assert_eq!((reply.text.as_str(), reply.finish, reply.usage), (text, finish, usage));
        assert_eq!(reply.tool_calls, Vec::new());
    }
}

#[tokio::test]
async fn a_tool_call_between_words_is_read() {
    let recorded = include_bytes!("fixtures/recorded/llamacpp-tool-call-streamed.http");
    let reply = answer(recorded, true).await.unwrap().reply;
    let call = ToolCall {
        id: "jRwqnXGq5yeU5MOudH6F1ZM4CX99Mh8U".to_owned(),
        name: "add".to_owned(),
        arguments: r#"{"a" :8}"#.to_owned(),
    };
    assert_eq!((reply.text.as_str(), reply.tool_calls), ("error log names retry", vec![call]));
    assert_eq!((reply.finish, reply.usage), (Finish::ToolCalls, usage(213, 45)));
}

#[tokio::test]
async fn a_model_that_thinks_first_is_not_silent() {
    let recorded: &'static [u8] = include_bytes!("fixtures/recorded/llamacpp-thinking-streamed.http");
    let reply = answer(recorded, true).await.unwrap().reply;
    assert_eq!((reply.text.as_str(), reply.finish), ("", Finish::Length), "what it thinks is no part of the reply");
    assert_eq!(reply.usage, usage(24, 6));
    // Its first thoughts, and then nothing more: it is not asked again, which would be paid again.
    let begins = recorded.windows(5).position(|five| five == b"takes").unwrap();
    let brief = Duration::from_millis(300);
    let timeouts = Timeouts { first_token: brief, between_tokens: brief, ..Timeouts::default() };
    let silent = answer_within(&recorded[..begins], true, timeouts).await.unwrap_err();
    assert_eq!(silent, ModelError::Timeout(Waiting::NextToken));
}

#[tokio::test]
async fn refusals_say_what_they_are_about() {
    let unauthorized = answer(include_bytes!("fixtures/recorded/llamacpp-unauthorized.http"), false).await.unwrap_err();
    assert_eq!(
        unauthorized,
        ModelError::Unauthorized { status: 401, message: "Invalid API Key; look at OPENAI_API_KEY".to_owned() }
    );
    let too_long: [(&[u8], bool, &str); 2] = [
        (include_bytes!("fixtures/recorded/llamacpp-too-long.http"), true, "request (8015 tokens) exceeds"),
        (include_bytes!("fixtures/recorded/litellm-too-long.http"), false, "litellm.ContextWindowExceededError"),
    ];
    for (recorded, is_streamed, words) in too_long {
        let error = answer(recorded, is_streamed).await.unwrap_err();
        assert!(matches!(&error, ModelError::ContextTooLong(message) if message.starts_with(words)), "{error:?}");
    }
    let limited: [(&[u8], Option<Duration>); 2] = [
        (include_bytes!("fixtures/recorded/litellm-limited.http"), None),
        (include_bytes!("fixtures/recorded/litellm-limited-with-a-wait.http"), Some(Duration::from_secs(60))),
    ];
    for (recorded, wait) in limited {
        let error = answer(recorded, false).await.unwrap_err();
        let is_so = matches!(&error, ModelError::RateLimited { limited: Limited::Rate, retry_after, .. } if *retry_after == wait);
        assert!(is_so, "{error:?}");
    }
}
