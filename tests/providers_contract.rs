//! What must every provider do, whatever its format? The same cases for all of them, whole and streamed, over a real socket and through
//! a real gateway, against servers that speak each format as its vendor documents it.

mod contract_support;

use std::time::Duration;

use callboard::actors::chat::{ChatChunk, Finish, TokenUsage, ToolCall};
use callboard::actors::error::{Limited, ModelError, Waiting};
use callboard::actors::gateway::Timeouts;
use callboard::tool;
use contract_support::*;
use serde_json::json;

const BOTH: [bool; 2] = [false, true];

/// Two calls, the arguments of one of them cut in the middle of a sign of JSON.
const CALLS: &[Call] = &[
    Call { id: "call_a", name: "weather", arguments: &["{\"city\":", " \"Århus", "\"}"] },
    Call { id: "call_b", name: "time", arguments: &["{}"] },
];

/// What is said, and what it is read as.
const REPLIES: [(&str, Said, Finish); 6] = [
    ("a text", Said::text(&["It ", "räins", " — 雨."]), Finish::Done),
    ("a text that was cut", Said { end: End::Length, ..Said::text(&["It "]) }, Finish::Length),
    ("no usage", Said { usage: None, ..Said::text(&["It ", "rains."]) }, Finish::Done),
    ("a call", Said::calls(CALLS.split_at(1).0), Finish::ToolCalls),
    ("calls side by side", Said::calls(CALLS), Finish::ToolCalls),
    ("a text and calls", Said { text: &["I ", "look."], ..Said::calls(CALLS) }, Finish::ToolCalls),
];

#[tokio::test]
async fn replies_are_read_whole_and_streamed_however_they_are_cut_on_their_way() {
    for provider in &PROVIDERS {
        for (name, said, finish) in &REPLIES {
            for (is_streamed, at_a_time) in [(false, 65_536), (true, 65_536), (false, 5), (true, 1)] {
                let answer = provider.answer(said, is_streamed).at_a_time(at_a_time);
                let seen = call(provider, vec![answer], How::once(is_streamed)).await;
                let case = format!("{}, {name}, streamed: {is_streamed}: {:?}", provider.name, seen.answer);
                let reply = seen.answer.unwrap_or_else(|_| panic!("{case}")).reply;
                let calls = said.calls.iter().map(|call| ToolCall {
                    id: call.id.to_owned(),
                    name: call.name.to_owned(),
                    arguments: call.arguments.concat(),
                });
                let usage = said.usage.map(|(input, output)| TokenUsage { input, output });
                assert_eq!((&reply.text, &reply.finish, reply.usage), (&said.text.concat(), finish, usage), "{case}");
                let is_same = |(one, other): (&ToolCall, &ToolCall)| {
                    let [one_json, other_json] =
                        [one, other].map(|call| serde_json::from_str::<serde_json::Value>(&call.arguments).unwrap());
                    (&one.id, &one.name, one_json) == (&other.id, &other.name, other_json)
                };
                let calls: Vec<_> = calls.collect();
                assert!(
                    reply.tool_calls.len() == calls.len() && reply.tool_calls.iter().zip(&calls).all(is_same),
                    "{case}"
                );
                if is_streamed {
                    assert_eq!(gathered(&seen.pieces), (reply.text, reply.tool_calls), "{case}");
                    assert!(seen.pieces.len() >= said.text.len(), "it comes in pieces: {case}");
                }
            }
        }
    }
}

/// What the pieces are together; they do not say the ids of calls, which are put in from what was said.
fn gathered(pieces: &[ChatChunk]) -> (String, Vec<ToolCall>) {
    let (mut text, mut calls) = (String::new(), Vec::<ToolCall>::new());
    for piece in pieces {
        match piece {
            ChatChunk::Text(more) => text += more,
            ChatChunk::ToolCall { index, name, arguments } => {
                if calls.len() <= *index {
                    calls.push(ToolCall { id: CALLS[*index].id.to_owned(), ..ToolCall::default() });
                }
                calls[*index].name += name.as_deref().unwrap_or_default();
                calls[*index].arguments += arguments;
            }
            _ => {}
        }
    }
    (text, calls)
}

#[tokio::test]
async fn a_stream_is_over_where_it_says_so_and_its_connection_is_not_waited_for() {
    for provider in &PROVIDERS {
        let answer = provider.answer(&Said::text(&["All."]), true).stays_open();
        let brief = How { within: LONG / 4, ..How::once(true) };
        let seen = call(provider, vec![answer], brief).await;
        assert_eq!(seen.answer.map(|completed| completed.reply.text), Ok("All.".to_owned()), "{}", provider.name);
    }
}

#[tokio::test]
async fn a_server_that_does_not_stream_is_read_all_the_same() {
    for provider in &PROVIDERS {
        let seen = call(provider, vec![provider.answer(&Said::text(&["All."]), false)], How::once(true)).await;
        assert_eq!(seen.answer.map(|completed| completed.reply.text), Ok("All.".to_owned()), "{}", provider.name);
        assert_eq!(seen.pieces, [ChatChunk::Text("All.".to_owned())], "{}", provider.name);
        assert_eq!(seen.requests[0].body["stream"], json!(true), "{}", provider.name);
    }
}

/// What a status means.
type Means = fn(&ModelError) -> bool;

#[tokio::test]
async fn a_status_that_no_retry_mends_says_what_to_do() {
    let rows: [(u16, Refusal, Means); 8] = [
        (400, Refusal::BadRequest, |error| matches!(error, ModelError::Rejected { status: 400, .. })),
        (400, Refusal::TooLong, |error| matches!(error, ModelError::ContextTooLong(_))),
        (401, Refusal::Key, |error| matches!(error, ModelError::Unauthorized { status: 401, .. })),
        (402, Refusal::BadRequest, |error| matches!(error, ModelError::Unauthorized { status: 402, .. })),
        (403, Refusal::Key, |error| matches!(error, ModelError::Unauthorized { status: 403, .. })),
        (404, Refusal::NoSuchModel, |error| matches!(error, ModelError::NotFound(_))),
        (413, Refusal::BadRequest, |error| matches!(error, ModelError::ContextTooLong(_))),
        (422, Refusal::BadRequest, |error| matches!(error, ModelError::Rejected { status: 422, .. })),
    ];
    for provider in &PROVIDERS {
        for (status, refusal, means) in rows {
            for is_streamed in BOTH {
                // The server repeats the key, which is shown to nobody.
                let answer = provider.refusal(status, refusal, &format!("It is wrong: {KEY}"));
                let how = How { attempts: 3, ..How::once(is_streamed) };
                let seen = call(provider, vec![answer.clone(), answer], how).await;
                let (error, case) = (seen.error(), format!("{} {status} {refusal:?}: {seen:?}", provider.name));
                assert!(means(error), "{case}");
                assert_eq!(seen.requests.len(), 1, "it is not made again: {case}");
                assert!(!format!("{error:?} {error}").contains(KEY), "{case}");
                if let ModelError::Unauthorized { message, .. } = error {
                    assert!(message.contains(provider.key), "{case}");
                }
            }
        }
    }
}

#[tokio::test]
async fn an_error_in_a_reply_is_what_its_status_would_be() {
    let rows: [(Refusal, Means); 5] = [
        (Refusal::BadRequest, |error| matches!(error, ModelError::Rejected { .. })),
        (Refusal::TooLong, |error| matches!(error, ModelError::ContextTooLong(_))),
        (Refusal::Key, |error| matches!(error, ModelError::Unauthorized { .. })),
        (Refusal::NoSuchModel, |error| matches!(error, ModelError::NotFound(_))),
        (Refusal::Rate, |error| matches!(error, ModelError::RateLimited { .. })),
    ];
    for provider in &PROVIDERS {
        for (refusal, means) in rows {
            let error = provider.format.error(refusal, &format!("It is wrong: {KEY}"));
            let streamed = Sent::stream(format!("data: {error}\n\n"));
            let whole = Sent::json(200, error.to_string());
            for (is_streamed, answer) in [(true, streamed), (false, whole)] {
                let attempts = if matches!(refusal, Refusal::Rate) { 1 } else { 3 };
                let how = How { attempts, ..How::once(is_streamed) };
                let seen = call(provider, vec![answer.clone(), answer], how).await;
                let (error, case) = (seen.error(), format!("{} {refusal:?}: {seen:?}", provider.name));
                assert!(means(error), "{case}");
                assert_eq!(seen.requests.len(), 1, "it is not made again: {case}");
                let shown = error.to_string();
                assert!(!shown.contains(KEY) && !shown.contains("the key)"), "{case}");
                assert_eq!(shown.matches(provider.key).count(), usize::from(matches!(refusal, Refusal::Key)), "{case}");
            }
        }
    }
}

#[tokio::test]
async fn what_a_retry_mends_is_made_again_after_the_wait_that_is_asked_for() {
    for provider in &PROVIDERS {
        for (status, refusal) in [(429, Refusal::Rate), (503, Refusal::Overloaded), (529, Refusal::Overloaded)] {
            let said = provider.format.error(refusal, "Slow down").to_string();
            let busy = Sent::json_with(status, "retry-after: 0.25\r\n", &said);
            let is_streamed = status == 529;
            let works = provider.answer(&Said::text(&["It works."]), is_streamed);
            let how = How { attempts: 2, ..How::once(is_streamed) };
            let seen = call(provider, vec![busy.clone(), works], how).await;
            let completed = seen.answer.unwrap_or_else(|error| panic!("{} {status}: {error:?}", provider.name));
            assert_eq!(
                (completed.reply.text.as_str(), completed.times.attempts),
                ("It works.", 2),
                "{}",
                provider.name
            );
            assert!(completed.times.queue >= Duration::from_millis(250), "{} {status}", provider.name);
            let once = call(provider, vec![busy], How::once(is_streamed)).await;
            let is_so = match once.error() {
                ModelError::RateLimited { limited: Limited::Rate, retry_after: Some(_), .. } => status == 429,
                ModelError::Unavailable { status: told, retry_after: Some(_), .. } => status == *told,
                _ => false,
            };
            assert!(is_so, "{} {status}: {once:?}", provider.name);
        }
    }
}

#[tokio::test]
async fn what_is_no_reply_is_none() {
    for provider in &PROVIDERS {
        let text = Said::text(&["It ", "rains."]);
        let page = "<html>Bad gateway</html>";
        let refused = Said { end: End::Refused, ..Said::text(&[]) };
        for is_streamed in BOTH {
            let how = How::once(is_streamed);
            let case = format!("{}, streamed: {is_streamed}", provider.name);
            let of = async |answer: Sent| call(provider, vec![answer], how).await.error().clone();

            let error = of(provider.answer(&refused, is_streamed)).await;
            assert!(matches!(error, ModelError::ContentRefused(_)), "a refusal, {case}: {error:?}");
            let error = of(Sent::json(200, provider.format.nothing().to_string())).await;
            assert!(matches!(error, ModelError::Malformed(_)), "nothing in it, {case}: {error:?}");
            let error = of(Sent::json(200, "{\"choices\": [")).await;
            assert!(matches!(error, ModelError::Malformed(_)), "no JSON, {case}: {error:?}");
            let error = of(Sent::json(200, "\"secret\"")).await;
            let is_so = matches!(error, ModelError::Malformed(_)) && !format!("{error:?}").contains("secret");
            assert!(is_so, "another JSON, {case}: {error:?}");
            let error = of(Sent::json(200, "")).await;
            assert!(matches!(error, ModelError::Malformed(_)), "empty, {case}: {error:?}");
            let error = of(Sent::json(502, page)).await;
            assert!(matches!(error, ModelError::Unavailable { status: 502, .. }), "a page, {case}: {error:?}");
            let cut = provider.answer(&text, is_streamed);
            let error =
                of(if is_streamed { cut.without_last(cut_to(provider, &text)) } else { cut.without_last(9) }).await;
            let is_cut = match is_streamed {
                true => matches!(error, ModelError::Broken { received: 3, .. }),
                false => matches!(error, ModelError::Network { sent: true, .. }),
            };
            assert!(is_cut, "cut, {case}: {error:?}");
        }
        let events = provider.format.events(&text);
        let begin: String = begin(&events);
        let told = begin.clone() + &provider.format.broken();
        // The second one without the empty line that ends an event.
        for told in [told.as_str(), told.trim_end()] {
            let broken = call(provider, vec![Sent::stream(told)], How::once(true)).await;
            let is_so =
                matches!(broken.error(), ModelError::Broken { received: 3, message } if message.contains("Overloaded"));
            assert!(is_so, "an error in the stream, {}: {broken:?}", provider.name);
        }
        let odd = call(provider, vec![Sent::stream(begin + "data: {\"odd\n\n")], How::once(true)).await;
        assert!(matches!(odd.error(), ModelError::Broken { received: 3, .. }), "{}: {odd:?}", provider.name);
    }
}

/// The events up to the first three bytes of text.
fn begin(events: &[String]) -> String {
    let first = events.iter().position(|event| event.contains("\"It \"")).expect("a piece of it");
    events[..=first].concat()
}

/// How many bytes come after that.
fn cut_to(provider: &Provider, said: &Said) -> usize {
    let events = provider.format.events(said);
    events.concat().len() - begin(&events).len()
}

#[tokio::test]
async fn silence_is_bounded_before_the_first_token_and_after_it() {
    // Side by side: all that it takes is time.
    futures_util::future::join_all(PROVIDERS.iter().map(silent)).await;
}

async fn silent(provider: &Provider) {
    let how = |is_streamed| {
        let timeouts = Timeouts { first_token: SHORT, between_tokens: SHORT, ..timeouts() };
        How { timeouts, within: 3 * SHORT, ..How::once(is_streamed) }
    };
    for (is_streamed, waiting) in [(true, Waiting::FirstToken), (false, Waiting::Total)] {
        let seen = call(provider, vec![Sent::silence()], how(is_streamed)).await;
        assert_eq!(seen.error(), &ModelError::Timeout(waiting), "{}", provider.name);
    }
    let events = provider.format.events(&Said::text(&["It ", "rains."]));
    let begun = Sent::stream(begin(&events)).stays_open();
    let seen = call(provider, vec![begun], how(true)).await;
    assert_eq!(seen.error(), &ModelError::Timeout(Waiting::NextToken), "{}", provider.name);
}

#[tokio::test]
async fn a_call_that_is_dropped_closes_its_connection() {
    for provider in &PROVIDERS {
        for is_streamed in BOTH {
            let case = format!("{}, streamed: {is_streamed}", provider.name);
            let begun = Sent::stream(begin(&provider.format.events(&Said::text(&["It ", "rains."])))).stays_open();
            let mut server = Server::start(vec![if is_streamed { begun } else { Sent::silence() }]).await;
            let (runtime, gateway) = gateway(provider, &server, How::once(is_streamed));
            let call = gateway.call("m", question()).within(LONG);
            if is_streamed {
                let (call, mut pieces) = call.streamed();
                let call = tokio::spawn(call.send());
                assert_eq!(pieces.next().await, Some(ChatChunk::Text("It ".to_owned())), "{case}");
                call.abort();
            } else {
                let call = tokio::spawn(call.send());
                let asked = async {
                    while server.requests().is_empty() {
                        tokio::task::yield_now().await;
                    }
                };
                tokio::time::timeout(LONG, asked).await.unwrap_or_else(|_| panic!("nothing is sent: {case}"));
                call.abort();
            }
            // The runtime, and its pool, go on.
            let left = tokio::time::timeout(LONG, server.is_left()).await;
            assert!(left.is_ok(), "the connection stays open: {case}");
            assert!(runtime.stop(LONG).await.is_clean(), "{case}");
        }
    }
}

/// The forecast of a city.
#[tool]
async fn weather(city: String) -> String {
    format!("rain in {city}")
}

#[tokio::test]
async fn an_agents_tool_is_called_and_its_answer_goes_back_to_the_call() {
    const ASKS: &[Call] = &[
        Call { id: "call_a", name: "weather", arguments: &["{\"city\":", "\"Oslo\"}"] },
        Call { id: "call_b", name: "weather", arguments: &["{\"city\":\"Rome\"}"] },
    ];
    for provider in &PROVIDERS {
        let asks = Said { usage: Some((10, 5)), ..Said::calls(ASKS) };
        let answers = [asks, Said::text(&["It rains."])].map(|said| provider.answer(&said, false));
        let mut server = Server::start(answers.to_vec()).await;
        let runtime = provider.runtime(&server);
        let agent = runtime.agent("assistant").instructions("Be brief.").tool(weather).start().unwrap();
        let answer = agent.ask("Is it raining?").await.unwrap();
        assert_eq!((answer.text.as_str(), answer.metrics.input_tokens), ("It rains.", 30), "{}", provider.name);
        let requests = server.requests();
        for Request { head, body } in &requests {
            assert!(head.starts_with(&format!("post /v1{} http/1.1\r\n", provider.format.path())), "{head}");
            assert!(provider.format.key(KEY).lines().all(|line| head.contains(line)), "{}: {head}", provider.name);
            assert_eq!(head.matches(KEY).count(), 1, "{head}");
            let asked = provider.format.asked(body);
            assert_eq!((asked.instructions.as_str(), &asked.tools[..]), ("Be brief.", &["weather".to_owned()][..]));
            assert_eq!((asked.most_tokens, asked.form), (Some(2048), None), "{}", provider.name);
        }
        let asked = provider.format.asked(&requests[1].body);
        let called = |id: &str, city: &str| (id.to_owned(), "weather".to_owned(), json!({ "city": city }));
        assert_eq!(asked.calls, [called("call_a", "Oslo"), called("call_b", "Rome")], "{}", provider.name);
        let result = |id: &str, text: &str| (id.to_owned(), text.to_owned());
        let results = [result("call_a", "rain in Oslo"), result("call_b", "rain in Rome")];
        assert_eq!(asked.results, results, "{}", provider.name);
    }
}

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
struct Forecast {
    degrees: i8,
}

#[tokio::test]
async fn a_typed_answer_is_asked_for_with_its_schema() {
    for provider in &PROVIDERS {
        let said = Said { is_form: true, ..Said::text(&["{\"degrees\":", "7}"]) };
        let mut server = Server::start(vec![provider.answer(&said, false)]).await;
        let runtime = provider.runtime(&server);
        let agent = runtime.agent("assistant").start().unwrap();
        let forecast = agent.ask_as::<Forecast>("How warm?").await;
        assert_eq!(forecast.map(|forecast| forecast.degrees).ok(), Some(7), "{}", provider.name);
        let asked = provider.format.asked(&server.requests()[0].body);
        let schema = asked.form.unwrap_or_else(|| panic!("{} is told no schema", provider.name));
        assert_eq!(schema["properties"]["degrees"]["type"], "integer", "{}", provider.name);
        assert!(asked.tools.is_empty(), "{}", provider.name);
    }
}

#[tokio::test]
async fn a_number_and_a_list_are_asked_for_in_an_object_which_is_all_that_providers_take() {
    for provider in &PROVIDERS {
        let in_field = Said { is_form: true, ..Said::text(&["{\"answer\":", "7}"]) };
        for said in [in_field, Said::text(&["7"])] {
            let mut server = Server::start(vec![provider.answer(&said, false)]).await;
            let runtime = provider.runtime(&server);
            let agent = runtime.agent("assistant").start().unwrap();
            let degrees = agent.ask_as::<i8>("How warm?").await.map(|degrees| degrees.value);
            assert_eq!(degrees.ok(), Some(7), "{}", provider.name);
            let requests = server.requests();
            let schema = provider.format.asked(&requests[0].body).form.unwrap();
            assert_eq!((&schema["type"], &schema["required"]), (&json!("object"), &json!(["answer"])), "{schema}");
            assert_eq!(schema["properties"]["answer"]["type"], "integer", "{}", provider.name);
            assert_eq!(requests.len(), 1, "{}: it is not asked again", provider.name);
        }
    }
}
