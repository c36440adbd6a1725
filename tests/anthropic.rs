//! Does the provider for Anthropic speak over a socket as documented? A server that writes down what comes and gives documented replies;
//! nobody has recorded one.

use std::sync::Arc;
use std::time::Duration;

use callboard::ModelChoice;
use callboard::actors::error::ModelError;
use callboard::actors::gateway::{GatewayLimits, RetryPolicy, ServedModel};
use callboard::prelude::*;
use callboard::providers::anthropic::Anthropic;
use callboard::testkit::only_loopback;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

const CANARY: &str = "sk-ant-canary-77c1";

/// The forecast of a city.
#[tool]
async fn get_weather(location: String) -> String {
    format!("rain in {location}")
}

/// A request as it came: its head in small letters, and its body.
type Request = (String, Value);

/// Answers one request after the other with these replies, each a status, a type and a body.
async fn serve(replies: Vec<(u16, &'static str, String)>) -> (String, mpsc::Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/v1", listener.local_addr().unwrap());
    let (sender, requests) = mpsc::channel(16);
    tokio::spawn(async move {
        for (status, kind, body) in replies {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            let request = loop {
                assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "a whole request");
                let text = String::from_utf8_lossy(&bytes);
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                if let Ok(body) = serde_json::from_str(body) {
                    break (head.to_lowercase(), body);
                }
            };
            sender.send(request).await.unwrap();
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            // However it is cut on its way.
            for piece in body.as_bytes().chunks(7) {
                stream.write_all(piece).await.unwrap();
                stream.flush().await.unwrap();
            }
        }
    });
    (address, requests)
}

fn runtime(address: &str) -> Runtime {
    only_loopback();
    let model = Anthropic::new("m", Some(CANARY.into()), Some(address)).unwrap();
    let retry = RetryPolicy { attempts: 2, first: Duration::from_millis(1), ..RetryPolicy::default() };
    let choice = ModelChoice::new(ServedModel::new("anthropic/m", Arc::new(model)));
    Runtime::with(ModelChoice { gateway: GatewayLimits { retry, ..GatewayLimits::default() }, ..choice }).unwrap()
}

const TOOL_USE: &str = r#"{"type":"message","content":[{"type":"tool_use","id":"toolu_1","name":"get_weather","input":{"location":"Oslo"}}],"stop_reason":"tool_use","usage":{"input_tokens":10,"output_tokens":5}}"#;
const TEXT: &str = r#"{"type":"message","content":[{"type":"text","text":"It rains."}],"stop_reason":"end_turn","usage":{"input_tokens":20,"output_tokens":3}}"#;
const JSON: &str = "application/json";

#[tokio::test]
async fn an_agent_with_a_tool_speaks_as_documented() {
    let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let replies = [(529, overloaded), (200, TOOL_USE), (200, TEXT)];
    let (address, mut requests) = serve(replies.map(|(status, body)| (status, JSON, body.to_owned())).to_vec()).await;
    let runtime = runtime(&address);
    let agent = runtime.agent("assistant").instructions("Be brief.").tool(get_weather).start().unwrap();
    let answer = agent.ask("Is it raining?").await.unwrap();
    assert_eq!((answer.text.as_str(), answer.metrics.attempts, answer.metrics.input_tokens), ("It rains.", 3, 30));
    let (head, first) = requests.recv().await.unwrap();
    assert!(head.starts_with("post /v1/messages http/1.1"), "{head}");
    for header in [format!("x-api-key: {CANARY}"), "anthropic-version: 2023-06-01".to_owned()] {
        assert!(head.contains(&header), "{header} in {head}");
    }
    assert!(!head.contains("authorization"));
    assert_eq!((&first["system"], &first["max_tokens"]), (&json!("Be brief."), &json!(2048)));
    requests.recv().await.unwrap();
    let (_, third) = requests.recv().await.unwrap();
    let result = json!({ "type": "tool_result", "tool_use_id": "toolu_1", "content": "rain in Oslo" });
    assert_eq!(third["messages"][2], json!({ "role": "user", "content": [result] }));
}

#[tokio::test]
async fn a_stream_is_read_to_its_end_and_an_error_in_it_is_told() {
    let events = [
        r#"{"type":"message_start","message":{"usage":{"input_tokens":25,"output_tokens":1}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"It "}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"räins."}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":4}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    let written = |events: &[&str]| {
        let of = |event: &&str| {
            let kind = serde_json::from_str::<Value>(event).unwrap()["type"].as_str().unwrap().to_owned();
            format!("event: {kind}\ndata: {event}\n\n")
        };
        events.iter().map(of).collect::<String>()
    };
    let error = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let cut = [events[0], events[1], events[3], error];
    let stream = "text/event-stream";
    let (address, _requests) = serve(vec![(200, stream, written(&events)), (200, stream, written(&cut))]).await;
    let runtime = runtime(&address);
    let agent = runtime.agent("assistant").start().unwrap();
    let mut asked = agent.ask_stream("Is it raining?");
    let mut text = String::new();
    while let Some(event) = asked.next().await {
        if let AskEvent::Text(more) = event {
            text.push_str(&more);
        }
    }
    let answer = asked.answer().await.unwrap();
    assert_eq!((text.as_str(), answer.text.as_str()), ("It räins.", "It räins."));
    assert_eq!((answer.metrics.input_tokens, answer.metrics.output_tokens), (25, 4));
    let broken = agent.ask_stream("again").answer().await.unwrap_err();
    let ChatAgentError::Model { error: ModelError::Broken { received: 3, .. }, .. } = broken else {
        panic!("{broken:?}")
    };
}

#[tokio::test]
async fn a_typed_answer_is_the_arguments_of_a_tool_and_a_refusal_names_the_key_and_never_shows_it() {
    let form = r#"{"content":[{"type":"tool_use","id":"1","name":"reply","input":{"degrees":7}}],"stop_reason":"tool_use","usage":{"input_tokens":1,"output_tokens":1}}"#;
    let refused =
        format!(r#"{{"type":"error","error":{{"type":"authentication_error","message":"bad key {CANARY}"}}}}"#);
    let (address, mut requests) = serve(vec![(200, JSON, form.to_owned()), (401, JSON, refused)]).await;
    let runtime = runtime(&address);
    let agent = runtime.agent("assistant").start().unwrap();
    #[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
    struct Weather {
        degrees: i8,
    }
    assert_eq!(agent.ask_as::<Weather>("How warm?").await.unwrap().degrees, 7);
    let (_, request) = requests.recv().await.unwrap();
    assert_eq!((&request["tools"][0]["name"], &request["tool_choice"]["type"]), (&json!("reply"), &json!("tool")));
    let error = agent.ask("x").await.unwrap_err();
    assert!(error.to_string().contains("look at ANTHROPIC_API_KEY"), "{error}");
    assert!(!format!("{error:?}").contains(CANARY));
}
