//! What does a call count that fails with status 200, for every format over real sockets? What was told; unknown is not nothing.

mod contract_support;

use callboard::actors::chat::TokenUsage;
use callboard::actors::error::ModelError;
use callboard::actors::gateway::{Budget, ModelInfo, Spent};
use contract_support::*;
use serde_json::{Value, json};

const BOTH: [bool; 2] = [false, true];

/// A failed call, and what its budget and its gateway have counted.
async fn failed(provider: &Provider, answer: Sent, is_streamed: bool) -> (ModelError, Spent, ModelInfo) {
    let server = Server::start(vec![answer]).await;
    let (runtime, gateway) = gateway(provider, &server, How::once(is_streamed));
    let budget = Budget::default();
    let call = gateway.call("m", question()).budget(&budget).within(LONG);
    let answer = match is_streamed {
        true => {
            let (call, mut pieces) = call.streamed();
            tokio::join!(call.send(), async { while pieces.next().await.is_some() {} }).0
        }
        false => call.send().await,
    };
    let info = gateway.info().await.unwrap().models.remove(0);
    assert!(runtime.stop(LONG).await.is_clean(), "{}", provider.name);
    (answer.expect_err("an error"), budget.spent(), info)
}

/// What was counted: `None` of one call whose usage nobody knows.
fn counted(spent: Spent, info: &ModelInfo) -> Option<TokenUsage> {
    let unknown = (spent.unknown_usage, info.without_usage);
    assert!(unknown == (0, 0) || unknown == (1, 1), "{spent:?} {info:?}");
    assert_eq!((spent.input_tokens, spent.output_tokens), (info.input_tokens, info.output_tokens));
    assert_eq!((spent.calls, spent.open, spent.reserved_tokens), (1, 0, 0));
    let used = TokenUsage { input: spent.input_tokens, output: spent.output_tokens };
    match unknown {
        (0, 0) => {
            assert_eq!(spent.tokens, used.total());
            Some(used)
        }
        _ => {
            assert!(used == TokenUsage::default() && spent.tokens > 200, "the upper bound of it: {spent:?}");
            None
        }
    }
}

const NOTHING: Option<TokenUsage> = Some(TokenUsage { input: 0, output: 0 });

/// A model that thinks.
fn thought(provider: &Provider) -> String {
    let events: &[Value] = match provider.format.path() {
        "/chat/completions" => &[json!({"choices": [{"index": 0, "delta": {"reasoning_content": "Hm."}}]})],
        "/responses" => &[json!({"type": "response.reasoning_summary_text.delta", "output_index": 0, "delta": "Hm."})],
        "/messages" => &[
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}}),
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}}),
        ],
        path => panic!("{path}"),
    };
    events.iter().map(|event| format!("data: {event}\n\n")).collect()
}

/// What a model says of its request before it says anything of its reply.
const BEGUN: &str =
    "data: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":20,\"output_tokens\":1}}}\n\n";

#[tokio::test]
async fn an_error_in_a_stream_after_thoughts_has_used_something_and_is_the_same_error() {
    for provider in &PROVIDERS {
        for (refusal, code) in [(Refusal::Rate, "rate_limited"), (Refusal::TooLong, "context_too_long")] {
            let error = format!("data: {}\n\n", provider.format.error(refusal, "No more"));
            let begun = provider.name.starts_with("anthropic").then(|| (BEGUN.to_owned(), None));
            let cases = [(String::new(), NOTHING), (thought(provider), None)].into_iter().chain(begun);
            for (before, used) in cases {
                let (told, spent, info) = failed(provider, Sent::stream(before.clone() + &error), true).await;
                let case = format!("{} {before} {told:?}", provider.name);
                assert_eq!((told.code(), counted(spent, &info)), (code, used), "{case}");
                assert!(!matches!(told, ModelError::WithUsage { .. }), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_provider_that_fails_in_a_reply_has_used_something_whatever_number_it_gives() {
    for provider in PROVIDERS.iter().filter(|provider| !provider.name.starts_with("anthropic")) {
        for status in [503, 529, 500] {
            for is_streamed in BOTH {
                let error = json!({"error": {"message": "Busy", "code": status}});
                let sent = match is_streamed {
                    true => Sent::stream(format!("data: {error}\n\n")),
                    false => Sent::json(200, error.to_string()),
                };
                let (told, spent, info) = failed(provider, sent, is_streamed).await;
                let is_so = matches!(told, ModelError::Unavailable { status: of, .. } if of == status);
                assert!(is_so, "{} {told:?}", provider.name);
                assert_eq!(counted(spent, &info), None, "{} {told:?}", provider.name);
                // The same as a status was told before anything was made.
                let (told, spent, info) = failed(provider, Sent::json(status, error.to_string()), is_streamed).await;
                assert_eq!(counted(spent, &info).is_some(), status != 500, "{} {told:?}", provider.name);
            }
        }
    }
}

#[tokio::test]
async fn usage_that_is_told_with_an_error_is_counted() {
    for usage in [json!({"prompt_tokens": 20, "completion_tokens": 3}), json!("none")] {
        let used = usage.is_object().then_some(TokenUsage { input: 20, output: 3 });
        let error = json!({"error": {"message": "Slow down", "code": "rate_limit_exceeded"}, "usage": usage});
        for (is_streamed, sent) in
            [(false, Sent::json(200, error.to_string())), (true, Sent::stream(format!("data: {error}\n\n")))]
        {
            let (told, spent, info) = failed(provider("openai"), sent, is_streamed).await;
            assert_eq!((told.code(), counted(spent, &info)), ("rate_limited", used), "{usage}");
        }
    }
    let usage = json!({"input_tokens": 20, "output_tokens": 3});
    let error = json!({"code": "server_error", "message": "No"});
    let response = json!({"status": "failed", "error": error, "usage": usage});
    let event = json!({"type": "response.failed", "response": response});
    for (is_streamed, sent) in
        [(false, Sent::json(200, response.to_string())), (true, Sent::stream(format!("data: {event}\n\n")))]
    {
        let (told, spent, info) = failed(provider("openai by Responses"), sent, is_streamed).await;
        let used = Some(TokenUsage { input: 20, output: 3 });
        assert_eq!((told.code(), counted(spent, &info)), ("unavailable", used));
    }
}

#[tokio::test]
async fn a_refused_reply_counts_what_it_used() {
    for provider in &PROVIDERS {
        for usage in [Some((20, 3)), None] {
            for is_streamed in BOTH {
                let said = Said { end: End::Refused, usage, ..Said::text(&[]) };
                let (told, spent, info) = failed(provider, provider.answer(&said, is_streamed), is_streamed).await;
                let case = format!("{} {usage:?}, streamed: {is_streamed}: {told:?}", provider.name);
                assert!(matches!(told, ModelError::ContentRefused(_)), "{case}");
                let used = usage.map(|(input, output)| TokenUsage { input, output });
                assert_eq!(counted(spent, &info), used, "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_refused_reply_counts_in_the_numbers_of_its_ask() {
    for provider in &PROVIDERS {
        let said = Said { end: End::Refused, ..Said::text(&[]) };
        let server = Server::start(vec![provider.answer(&said, false)]).await;
        let runtime = provider.runtime(&server);
        let agent = runtime.agent("assistant").start().unwrap();
        let error = agent.ask("Say it.").await.unwrap_err();
        let metrics = &error.partial().expect("what there is").metrics;
        let numbers = (metrics.input_tokens, metrics.output_tokens, metrics.calls_without_usage, metrics.cost_micros);
        assert_eq!(numbers, (20, 3, 0, None), "{}: {error:?}", provider.name);
    }
}

#[tokio::test]
async fn an_error_of_anthropic_that_comes_whole_is_what_its_type_says() {
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    for (error, code, used) in [
        (error, "unavailable", None),
        (json!({"type": "error", "error": {"type": "rate_limit_error", "message": "No"}}), "rate_limited", NOTHING),
        (json!({"type": "error", "error": {"type": "odd", "message": "No"}}), "malformed_reply", None),
        (json!({"type": "error", "error": null}), "malformed_reply", None),
        (
            json!({"type": "error", "error": {"type": "rate_limit_error", "message": "No"},
                   "usage": {"input_tokens": 20, "output_tokens": 3}}),
            "rate_limited",
            Some(TokenUsage { input: 20, output: 3 }),
        ),
    ] {
        let (told, spent, info) = failed(provider("anthropic"), Sent::json(200, error.to_string()), false).await;
        assert_eq!((told.code(), counted(spent, &info)), (code, used), "{error}");
    }
}

#[tokio::test]
async fn usage_of_which_one_event_cannot_be_read_is_unknown_and_not_too_low() {
    let input = |cached: Value| json!({"input_tokens": 5, "cache_read_input_tokens": cached, "output_tokens": 1});
    let output = |output: Value| json!({"output_tokens": output});
    let known = |input, output| Some(TokenUsage { input, output });
    for (start, delta, usage) in [
        (input(json!(15)), output(json!(3)), known(20, 3)),
        (input(json!(null)), output(json!(3)), known(5, 3)),
        (input(json!("15")), output(json!(3)), None),
        (input(json!(15)), output(json!("3")), None),
        (input(json!(15)), output(json!(null)), None),
        (input(json!(15)), json!("none"), None),
        (input(json!(15)), json!(null), None),
        (input(json!(15)), json!({"input_tokens": "20", "output_tokens": 3}), None),
        // What is told last is all of it.
        (input(json!("15")), json!({"input_tokens": 20, "output_tokens": 3}), known(20, 3)),
        (json!(7), json!({"input_tokens": 20, "output_tokens": 3}), known(20, 3)),
    ] {
        let events = [
            json!({"type": "message_start", "message": {"usage": start}}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "It."}}),
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": delta}),
            json!({"type": "message_stop"}),
        ];
        let events: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
        let seen = call(provider("anthropic"), vec![Sent::stream(events)], How::once(true)).await;
        assert_eq!(seen.answer.unwrap().reply.usage, usage, "{start} {delta}");
    }
}
