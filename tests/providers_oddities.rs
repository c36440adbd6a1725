//! What becomes of a reply that is odd in something that matters little, or in its very text? For every format, over real sockets.

mod contract_support;

use std::collections::HashSet;

use callboard::actors::chat::{ChatRequest, Finish, TokenUsage, ToolCall, Turn};
use callboard::actors::error::ModelError;
use contract_support::*;
use serde_json::{Value, json};

const BOTH: [bool; 2] = [false, true];

/// Makes something else of each count of tokens, or of all that stands around them.
#[derive(Clone, Copy)]
enum Odd {
    Count(fn(u64) -> Value),
    Counts(fn() -> Value),
}

/// Puts odd counts into a reply, or into an event.
fn oddly(value: &mut Value, odd: Odd) {
    match (value, odd) {
        (Value::Object(fields), odd) => {
            for (name, value) in fields {
                match (name.as_str(), odd) {
                    ("usage", Odd::Counts(instead)) if !value.is_null() => *value = instead(),
                    ("usage", Odd::Count(instead)) => {
                        for count in value.as_object_mut().into_iter().flatten().map(|(_, count)| count) {
                            *count = count.as_u64().map_or(Value::Null, instead);
                        }
                    }
                    _ => oddly(value, odd),
                }
            }
        }
        (Value::Array(values), odd) => values.iter_mut().for_each(|value| oddly(value, odd)),
        _ => {}
    }
}

/// An event of a stream with odd counts.
fn odd_event(event: &str, odd: Odd) -> String {
    let Some((name, data)) = event.split_once("data: {") else { return event.to_owned() };
    let mut data: Value = serde_json::from_str(&format!("{{{data}")).unwrap();
    oddly(&mut data, odd);
    format!("{name}data: {data}\n\n")
}

#[tokio::test]
async fn counts_that_cannot_be_read_are_unknown_and_the_reply_stands() {
    let used = Some(TokenUsage { input: 20, output: 3 });
    let rows = [
        (Odd::Count(|count| json!(count)), used),
        (Odd::Count(|count| json!(count as f64)), used),
        (Odd::Count(|count| json!(count as f64 + 0.5)), None),
        (Odd::Count(|count| json!(-(count as i64))), None),
        (Odd::Count(|count| json!(count.to_string())), None),
        (Odd::Count(|_| Value::Null), None),
        (Odd::Count(|count| json!([count])), None),
        (Odd::Counts(|| json!("none")), None),
        (Odd::Counts(|| json!([])), None),
        (Odd::Counts(|| json!(23)), None),
    ];
    let said = Said::text(&["It ", "rains."]);
    for provider in &PROVIDERS {
        for (number, (odd, usage)) in rows.into_iter().enumerate() {
            for is_streamed in BOTH {
                let events = provider.format.events(&said);
                let events: String = events.iter().map(|event| odd_event(event, odd)).collect();
                let mut whole = provider.format.whole(&said);
                oddly(&mut whole, odd);
                let answer = if is_streamed { Sent::stream(events) } else { Sent::json(200, whole.to_string()) };
                let seen = call(provider, vec![answer], How::once(is_streamed)).await;
                let case = format!("{} {number}, streamed: {is_streamed}: {:?}", provider.name, seen.answer);
                let reply = seen.answer.unwrap_or_else(|_| panic!("{case}")).reply;
                assert_eq!((reply.text.as_str(), reply.usage), ("It rains.", usage), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn what_a_body_is_that_cannot_be_read_is_said() {
    let said = Said::text(&["It rains."]);
    for provider in &PROVIDERS {
        for is_streamed in BOTH {
            let of = async |answer| call(provider, vec![answer], How::once(is_streamed)).await.answer;
            let whole = provider.format.whole(&said).to_string();
            let marked = of(Sent::json(200, format!("\u{feff}{whole}"))).await;
            assert_eq!(marked.map(|completed| completed.reply.text), Ok("It rains.".to_owned()), "{}", provider.name);
            let plain = of(Sent::json_with(200, "content-encoding: identity\r\n", &whole)).await;
            assert!(plain.is_ok(), "{}: {plain:?}", provider.name);
            let zipped = of(Sent::json_with(200, "content-encoding: gzip\r\n", "\u{1f}..")).await;
            let is_so =
                matches!(&zipped, Err(ModelError::Malformed(words)) if words.contains("content-encoding: gzip"));
            assert!(is_so, "{}: {zipped:?}", provider.name);
            let zipped = of(Sent::json_with(500, "content-encoding: gzip\r\n", "\u{1f}..")).await;
            let is_so = matches!(&zipped, Err(ModelError::Unavailable { message, .. }) if !message.contains(".."));
            assert!(is_so, "{}: {zipped:?}", provider.name);
            let nothing = of(Sent::json(200, "null")).await;
            let is_so = matches!(&nothing, Err(ModelError::Malformed(words)) if words.starts_with("it is JSON"));
            assert!(is_so, "{}: {nothing:?}", provider.name);
            // Nor is a number a text, wherever a format has it.
            let number = of(Sent::json(200, whole.replace("\"It rains.\"", "42"))).await;
            assert!(matches!(&number, Err(ModelError::Malformed(_))), "{}: {number:?}", provider.name);
        }
        let long = "x".repeat(4 << 20);
        let long = call(provider, vec![Sent::stream(format!("data: {long}\n\n"))], How::once(true)).await;
        let words = "an event of it is longer than 4 MiB";
        assert_eq!(long.error(), &ModelError::Malformed(words.to_owned()), "{}", provider.name);
    }
}

#[tokio::test]
async fn why_a_reply_ended_is_told_in_one_short_line_that_does_nothing() {
    let said = Said { end: End::Length, ..Said::text(&["It rains."]) };
    let why = format!("\u{1b}[31mred\r\n\u{202e}{KEY} {}", "why ".repeat(100_000));
    for provider in &PROVIDERS {
        for is_streamed in BOTH {
            let odd = |sent: String| {
                let reasons = ["\"max_output_tokens\"", "\"max_tokens\"", "\"length\""];
                reasons.iter().fold(sent, |sent, reason| sent.replace(reason, &json!(why).to_string()))
            };
            let sent = match is_streamed {
                true => Sent::stream(odd(provider.format.events(&said).concat())),
                false => Sent::json(200, odd(provider.format.whole(&said).to_string())),
            };
            let reply = call(provider, vec![sent], How::once(is_streamed)).await.answer.unwrap().reply;
            let Finish::Other(told) = &reply.finish else { panic!("{} {:?}", provider.name, reply.finish) };
            let case = format!("{}, streamed: {is_streamed}: {told}", provider.name);
            assert!(told.starts_with("[31mred (key) why why") && told.ends_with('…'), "{case}");
            assert!(told.chars().count() <= 301, "{case}");
        }
    }
}

#[tokio::test]
async fn events_that_say_nothing_are_passed_over() {
    let said = Said::text(&["It ", "rains."]);
    for provider in &PROVIDERS {
        for nothing in ["data:\n\n", "data\n\n", "data:  \n\n", "data: null\n\n", "data:\ndata:\n\n"] {
            let events = provider.format.events(&said).join(nothing);
            let sent = Sent::stream(format!("{nothing}{events}{nothing}"));
            let seen = call(provider, vec![sent], How::once(true)).await;
            let text = seen.answer.map(|completed| completed.reply.text);
            assert_eq!(text, Ok("It rains.".to_owned()), "{} {nothing:?}", provider.name);
        }
    }
}

#[tokio::test]
async fn every_call_has_an_id_that_no_other_call_of_the_conversation_has() {
    const fn look(id: &'static str) -> Call {
        Call { id, name: "look", arguments: &["{}"] }
    }
    // None, one that was used before, and one twice.
    const CALLS: &[Call] = &[look(""), look("a"), look("b"), look("b")];
    let asked = |id: &str| ToolCall { id: id.to_owned(), name: "look".to_owned(), arguments: "{}".to_owned() };
    let turns = || {
        let before = Turn { tool_calls: vec![asked("a"), asked("call_2")], ..Turn::assistant("") };
        vec![Turn::user("Look."), before, Turn::tool("a", "1"), Turn::tool("call_2", "2")]
    };
    for provider in &PROVIDERS {
        for is_streamed in BOTH {
            let server = Server::start(vec![provider.answer(&Said::calls(CALLS), is_streamed)]).await;
            let (runtime, gateway) = gateway(provider, &server, How::once(is_streamed));
            let call = gateway.call("m", ChatRequest { turns: turns(), ..question() });
            let answer = match is_streamed {
                true => call.streamed().0.send().await,
                false => call.send().await,
            };
            let ids: Vec<_> = answer.unwrap().reply.tool_calls.into_iter().map(|call| call.id).collect();
            let all: HashSet<_> = ids.iter().map(String::as_str).chain(["", "a", "call_2"]).collect();
            assert_eq!((ids[2].as_str(), all.len()), ("b", 7), "{} {is_streamed}: {ids:?}", provider.name);
            assert!(runtime.stop(LONG).await.is_clean(), "{}", provider.name);
        }
    }
}
