//! Is a key that a provider repeats struck, and nothing else, whole and streamed, by every format over real sockets?

mod contract_support;

use callboard::actors::chat::{ChatChunk, ToolCall};
use contract_support::*;

const BOTH: [bool; 2] = [false, true];

/// What guides tell people to set as the key of a server of their own, and words of the formats themselves.
const WORDS: [&str; 12] =
    ["ollama", "EMPTY", "test", "content", "weather", "null", "text", "index", "type", "stop", "call_a", "no-key"];

#[tokio::test]
async fn a_key_that_is_a_word_changes_no_reply() {
    const CALLS: &[Call] = &[Call { id: "call_a", name: "weather", arguments: &["{\"content\":", "\"no-key\"}"] }];
    let said = Said { text: &["EMPTY ollama, test content: ", "null, no-key."], ..Said::calls(CALLS) };
    for provider in &PROVIDERS {
        for key in WORDS {
            for is_streamed in BOTH {
                let how = How { key, ..How::once(is_streamed) };
                let seen = call(provider, vec![provider.answer(&said, is_streamed)], how).await;
                let case = format!("{} {key}, streamed: {is_streamed}: {seen:?}", provider.name);
                let reply = seen.answer.as_ref().unwrap_or_else(|_| panic!("{case}"));
                let call = ToolCall {
                    id: "call_a".to_owned(),
                    name: "weather".to_owned(),
                    arguments: "{\"content\":\"no-key\"}".to_owned(),
                };
                assert_eq!((&reply.reply.text, &reply.reply.tool_calls), (&said.text.concat(), &vec![call]), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_key_that_comes_in_pieces_is_struck_from_all_of_them_and_from_the_whole() {
    const CALLS: &[Call] = &[Call {
        id: "call_a",
        name: "weather",
        arguments: &["{\"a\":\"sk-can", "ary", "-77c1-0d55\"", ",\"c\":\"sk-canary-77c1-0d55 s\"}"],
    }];
    let text =
        &["It is sk-canary-77", "c1-0d55, ", "sk-canary-77c1-0d55", " and sk", " — 雨 s", "k", "-canary-77c1-0d"];
    let said = Said { text, ..Said::calls(CALLS) };
    for provider in &PROVIDERS {
        for is_streamed in BOTH {
            let seen = call(provider, vec![provider.answer(&said, is_streamed)], How::once(is_streamed)).await;
            let case = format!("{}, streamed: {is_streamed}: {:?} {:?}", provider.name, seen.answer, seen.pieces);
            assert!(!case.contains(KEY), "{case}");
            let reply = &seen.answer.as_ref().unwrap_or_else(|_| panic!("{case}")).reply;
            assert_eq!(reply.text, "It is (key), (key) and sk — 雨 sk-canary-77c1-0d", "{case}");
            assert_eq!(reply.tool_calls[0].arguments, "{\"a\":\"(key)\",\"c\":\"(key) s\"}", "{case}");
            let (mut text, mut arguments) = (String::new(), String::new());
            for piece in &seen.pieces {
                match piece {
                    ChatChunk::Text(more) => text += more,
                    ChatChunk::ToolCall { arguments: more, .. } => arguments += more,
                    _ => {}
                }
            }
            if is_streamed {
                assert_eq!((&text, &arguments), (&reply.text, &reply.tool_calls[0].arguments), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn a_key_is_struck_as_it_is_written_in_an_address() {
    let said = Said::text(&["At /v1?key=sk%2Fcan", "ary%2b77c1%", "3D0d55, or sk/canary+77c1=0d55.", " 100%"]);
    for provider in &PROVIDERS {
        for is_streamed in BOTH {
            let how = How { key: "sk/canary+77c1=0d55", ..How::once(is_streamed) };
            let seen = call(provider, vec![provider.answer(&said, is_streamed)], how).await;
            let case = format!("{}, streamed: {is_streamed}: {:?} {:?}", provider.name, seen.answer, seen.pieces);
            assert_eq!(seen.answer.as_ref().unwrap().reply.text, "At /v1?key=(key), or (key). 100%", "{case}");
            assert!(!case.contains("77c1"), "{case}");
            let refused = provider.refusal(404, Refusal::NoSuchModel, "none at /v1?key=sk%2Fcanary%2B77c1%3D0d55&x");
            let error = call(provider, vec![refused], how).await.error().to_string();
            assert_eq!(error, "no such model or address: none at /v1?key=(key)&x", "{}", provider.name);
        }
    }
}

#[tokio::test]
async fn a_key_that_is_a_part_of_its_variables_name_hides_it_from_nobody() {
    for provider in &PROVIDERS {
        for key in ["API_KEY", provider.key] {
            for (status, is_streamed) in [(401, false), (402, true), (200, false), (200, true)] {
                let error = provider.format.error(Refusal::Key, "the key API_KEY is wrong");
                let sent = match (status, is_streamed) {
                    (200, true) => Sent::stream(format!("data: {error}\n\n")),
                    _ => Sent::json(status, error.to_string()),
                };
                let seen = call(provider, vec![sent], How { key, ..How::once(is_streamed) }).await;
                let shown = seen.error().to_string();
                assert!(shown.ends_with(&format!(" (the key is that of {})", provider.key)), "{shown}");
                assert_eq!(shown.matches("the key is that of").count(), 1, "{shown}");
                assert_eq!(shown.contains("the key (key) is wrong"), key == "API_KEY", "{shown}");
            }
        }
    }
}
