//! Does the mock answer as OpenAI's interface does? Completions, streams, tools, schemas, models, embeddings, errors.

mod mock_llm_support;

use mock_llm_support::{CHAT, Client, End, PATIENCE, chat, content, in_time, start};
use serde_json::{Value, json};

#[tokio::test]
async fn a_plain_client_gets_a_completion_with_its_usage() {
    let server = start(|config| config.reply_tokens = 20);
    // The client is built with TLS, and without anybody's cryptography.
    let _there_is_one_already = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
    let url = format!("{}/chat/completions", server.base_url());
    let reply: Value = client.post(&url).json(&chat(json!({}))).send().await.unwrap().json().await.unwrap();
    assert_eq!((&reply["object"], &reply["model"]), (&json!("chat.completion"), &json!("mock")));
    assert_eq!(reply["choices"][0]["finish_reason"], "stop");
    assert_eq!(content(&reply).len().div_ceil(4), 20);
    // "How are you today?" has 18 bytes.
    assert_eq!(reply["usage"], json!({"prompt_tokens": 5, "completion_tokens": 20, "total_tokens": 25}));

    let body = chat(json!({"stream": true}));
    let mut response = client.post(&url).json(&body).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream; charset=utf-8");
    let mut streamed = Vec::new();
    while let Some(piece) = response.chunk().await.unwrap() {
        streamed.extend(piece);
    }
    assert!(String::from_utf8(streamed).unwrap().ends_with("data: [DONE]\n\n"));
    server.stop().await;
}

#[tokio::test]
async fn a_stream_says_what_a_plain_reply_says() {
    let server = start(|config| config.reply_tokens = 30);
    let mut client = Client::to(&server).await;
    let plain = client.post(&chat(json!({}))).await.json();
    server.reset();
    let body = chat(json!({"stream": true, "stream_options": {"include_usage": true}}));
    let reply = client.post(&body).await;
    let events = reply.events();
    assert_eq!((reply.end, reply.streamed()), (End::Whole, content(&plain).to_owned()));
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    let (done, rest) = events.split_last().unwrap();
    let (usage, rest) = rest.split_last().unwrap();
    assert_eq!((done, &usage["usage"], &usage["choices"]), (&json!("[DONE]"), &plain["usage"], &json!([])));
    assert_eq!(rest.last().unwrap()["choices"][0]["finish_reason"], "stop");
    assert!(rest.iter().all(|event| event["id"] == plain["id"] && event["usage"].is_null()), "{rest:?}");
    assert_eq!(rest.len(), 32, "the role, 30 tokens, the end");
    let without = client.post(&chat(json!({"stream": true}))).await;
    assert!(without.events().iter().all(|event| event.get("usage").is_none()));
}

#[tokio::test]
async fn a_reply_is_cut_at_its_limit() {
    let server = start(|config| config.reply_tokens = 30);
    let mut client = Client::to(&server).await;
    for (limit, tokens, finish) in
        [(json!({"max_tokens": 3}), 3, "length"), (json!({"max_completion_tokens": 30}), 30, "stop")]
    {
        let reply = client.post(&chat(limit)).await.json();
        assert_eq!(reply["choices"][0]["finish_reason"], finish);
        assert_eq!(reply["usage"]["completion_tokens"], tokens);
    }
    let several = client.post(&chat(json!({"n": 3, "max_tokens": 2}))).await.json();
    assert_eq!((several["choices"].as_array().unwrap().len(), &several["usage"]["completion_tokens"]), (3, &json!(6)));
}

fn tools() -> Value {
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string", "minLength": 3},
        "days": {"type": "integer", "minimum": 2, "maximum": 5}}, "required": ["city", "days"], "additionalProperties": false});
    json!([{"type": "function", "function": {"name": "weather", "parameters": parameters}},
        {"type": "function", "function": {"name": "now"}}])
}

fn is_weather(arguments: &str) -> bool {
    let arguments: Value = serde_json::from_str(arguments).unwrap();
    let schema = &tools()[0]["function"]["parameters"];
    jsonschema::validator_for(schema).unwrap().is_valid(&arguments)
}

#[tokio::test]
async fn tools_are_called_when_it_is_required() {
    let server = start(|_| {});
    let mut client = Client::to(&server).await;
    let reply = client.post(&chat(json!({"tools": tools(), "tool_choice": "required"}))).await.json();
    let message = &reply["choices"][0]["message"];
    let call = &message["tool_calls"][0];
    assert_eq!((&message["content"], &reply["choices"][0]["finish_reason"]), (&Value::Null, &json!("tool_calls")));
    assert_eq!((&call["type"], &call["function"]["name"]), (&json!("function"), &json!("weather")));
    assert!(is_weather(call["function"]["arguments"].as_str().unwrap()), "{call}");

    let named = json!({"tools": tools(), "tool_choice": {"type": "function", "function": {"name": "now"}}});
    let named = client.post(&chat(named)).await.json();
    assert_eq!(named["choices"][0]["message"]["tool_calls"][0]["function"], json!({"name": "now", "arguments": "{}"}));

    let auto = client.post(&chat(json!({"tools": tools()}))).await.json();
    assert!(!content(&auto).is_empty());
    let answered = json!({"tools": tools(), "tool_choice": "required", "messages": [
        {"role": "user", "content": "x"}, {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "sunny"}]});
    assert!(!content(&client.post(&chat(answered)).await.json()).is_empty());
}

#[tokio::test]
async fn a_streamed_call_has_its_name_first_and_its_arguments_in_pieces() {
    let server = start(|config| config.tool_calls = true);
    let mut client = Client::to(&server).await;
    let reply = client.post(&chat(json!({"tools": tools(), "stream": true}))).await;
    let events = reply.events();
    let calls: Vec<_> = events.iter().filter_map(|event| event.pointer("/choices/0/delta/tool_calls/0")).collect();
    assert_eq!((&calls[0]["index"], &calls[0]["function"]["name"]), (&json!(0), &json!("weather")));
    assert!(calls[0]["id"].as_str().unwrap().starts_with("call_"));
    assert!(calls.len() > 3 && calls[1..].iter().all(|call| call.get("id").is_none() && call["index"] == 0));
    let arguments: String = calls.iter().map(|call| call["function"]["arguments"].as_str().unwrap()).collect();
    assert!(is_weather(&arguments), "{arguments}");
    let finish = &events[events.len() - 2]["choices"][0]["finish_reason"];
    assert_eq!((finish, events.last().unwrap()), (&json!("tool_calls"), &json!("[DONE]")));
}

#[tokio::test]
async fn a_json_reply_satisfies_the_schema() {
    let server = start(|_| {});
    let mut client = Client::to(&server).await;
    let schema = json!({"type": "object", "properties": {"steps": {"type": "array", "minItems": 2, "items": {"$ref": "#/$defs/step"}},
        "score": {"type": ["number", "null"], "minimum": 0.5}, "kind": {"enum": ["a", "b"]}},
        "required": ["steps", "score", "kind"], "additionalProperties": false,
        "$defs": {"step": {"type": "object", "properties": {"text": {"type": "string", "pattern": "^[a-z]+$"}}, "required": ["text"]}}});
    let format = json!({"type": "json_schema", "json_schema": {"name": "plan", "strict": true, "schema": schema}});
    for stream in [false, true] {
        let reply = client.post(&chat(json!({"response_format": format, "stream": stream}))).await;
        let text = if stream { reply.streamed() } else { content(&reply.json()).to_owned() };
        let value: Value = serde_json::from_str(&text).unwrap();
        assert!(jsonschema::validator_for(&schema).unwrap().is_valid(&value), "{value}");
    }
    let object = client.post(&chat(json!({"response_format": {"type": "json_object"}}))).await.json();
    assert!(serde_json::from_str::<Value>(content(&object)).unwrap().is_object());

    let odd = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "array", "contains": {}}}});
    let refused = client.post(&chat(json!({"response_format": odd}))).await;
    assert_eq!((refused.status, refused.error().1.as_str()), (400, "invalid_value"));
    assert!(refused.text().contains("`contains`") && refused.text().contains("response_format"), "{}", refused.text());
}

#[tokio::test]
async fn models_are_listed_and_checked_when_that_is_wanted() {
    let server = start(|config| {
        config.models = vec!["small".into(), "vendor/large".into()];
        config.strict_models = true;
    });
    let mut client = Client::to(&server).await;
    let list = client.get("/v1/models").await.json();
    let names: Vec<_> = list["data"].as_array().unwrap().iter().map(|model| model["id"].as_str().unwrap()).collect();
    assert_eq!(names, ["small", "vendor/large"]);
    assert_eq!(client.get("/v1/models/vendor/large").await.json()["id"], "vendor/large");
    for reply in [client.get("/v1/models/other").await, client.post(&chat(json!({"model": "other"}))).await] {
        assert_eq!((reply.status, reply.error().1.as_str()), (404, "model_not_found"));
    }
    assert_eq!(client.post(&chat(json!({"model": "small"}))).await.status, 200);
}

#[tokio::test]
async fn embeddings_have_both_encodings() {
    let server = start(|_| {});
    let mut client = Client::to(&server).await;
    let mut ask = async |more: Value| {
        let mut body = json!({"model": "mock", "input": ["a b", "c"], "dimensions": 8});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        client.request("POST", "/v1/embeddings", "", &body.to_string()).await;
        client.reply().await.json()
    };
    let floats = ask(json!({})).await;
    assert_eq!((floats["data"].as_array().unwrap().len(), &floats["data"][1]["index"]), (2, &json!(1)));
    assert_eq!(floats["usage"], json!({"prompt_tokens": 2, "total_tokens": 2}));
    let vector = floats["data"][0]["embedding"].as_array().unwrap();
    let length: f64 = vector.iter().map(|number| number.as_f64().unwrap().powi(2)).sum();
    assert!(vector.len() == 8 && (length - 1.0).abs() < 1e-6);
    let coded = ask(json!({"encoding_format": "base64"})).await;
    // 8 numbers of 4 bytes.
    assert_eq!(coded["data"][0]["embedding"].as_str().unwrap().len(), 44);
}

#[tokio::test]
async fn what_is_wrong_is_an_error_in_openais_form() {
    let server = start(|config| config.require_key = true);
    let mut client = Client::to(&server).await;
    let key = "authorization: Bearer test\r\n";
    for (method, path, headers, body, status) in [
        ("POST", CHAT, "", "{}", 401),
        ("POST", CHAT, "authorization: Basic x\r\n", "{}", 401),
        ("POST", CHAT, key, "{}", 400),
        ("POST", CHAT, key, "no json", 400),
        ("GET", CHAT, key, "", 405),
        ("DELETE", "/v1/models", key, "", 405),
        ("POST", "/v1/unheard-of", key, "{}", 404),
        ("GET", "/", "", "", 404),
    ] {
        client.request(method, path, headers, body).await;
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.end), (status, End::Whole), "{method} {path}: {reply:?}");
        reply.error();
    }
    let wrong = client.post_with(&format!("{key}x-mock-fault: explode\r\n"), &chat(json!({}))).await;
    assert!(wrong.status == 400 && wrong.text().contains("no fault is called `explode`"));
    assert_eq!(client.post_with(key, &chat(json!({}))).await.status, 200);
    // A reply to HEAD has no body, so that the next reply follows its head.
    client.send("HEAD /v1/unheard-of HTTP/1.1\r\n\r\nHEAD /stats HTTP/1.1\r\n\r\n").await;
    for status in ["404", "200"] {
        assert!(in_time(client.head()).await.unwrap().contains(status));
    }
    assert_eq!(server.stats().by_status[&401], 2);
}

/// As docs/mock-llm.md has it.
#[tokio::test]
async fn an_empty_object_lacks_its_model_and_is_no_call() {
    let (server, other) = (start(|_| ()), start(|_| ()));
    let (mut client, mut untouched) = (Client::to(&server).await, Client::to(&other).await);
    for path in [CHAT, "/v1/embeddings"] {
        client.request("POST", path, "", "{}").await;
        let reply = client.reply().await;
        let error = json!({"message": "Missing required parameter: 'model'.", "type": "invalid_request_error",
                           "param": "model", "code": "missing_required_parameter"});
        assert_eq!((reply.status, reply.json()), (400, json!({"error": error})), "{path}");
    }
    assert_eq!(server.stats().by_status[&400], 2);
    assert_eq!(
        client.post(&chat(json!({}))).await.json(),
        untouched.post(&chat(json!({}))).await.json(),
        "the first call"
    );
}

#[tokio::test]
async fn bodies_come_in_chunks_after_a_nod_and_one_behind_the_other() {
    let server = start(|_| {});
    let mut client = Client::to(&server).await;
    client.send(format!("POST {CHAT} HTTP/1.1\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n")).await;
    assert_eq!(client.head().await.unwrap(), "HTTP/1.1 100 Continue\r\n\r\n");
    let body = chat(json!({})).to_string();
    let (begin, end) = body.split_at(10);
    client.send(format!("{:x}\r\n{begin}\r\n", begin.len())).await;
    client.send(format!("{:x};x=y\r\n{end}\r\n0\r\n\r\n", end.len())).await;
    assert_eq!(client.reply().await.status, 200);

    let one = format!("POST {CHAT} HTTP/1.1\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    client.send(one.repeat(3)).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(client.reply().await.json()["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(ids, ["chatcmpl-mock-1", "chatcmpl-mock-2", "chatcmpl-mock-3"]);

    client.send(format!("POST {CHAT} HTTP/1.0\r\ncontent-length: {}\r\n\r\n{body}", body.len())).await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.header("connection")), (200, Some("close")));
    assert_eq!(client.more().await, Err(End::Closed));
}

#[tokio::test]
async fn what_is_too_large_is_refused_and_seen() {
    let server = start(|_| {});
    for (text, status) in [
        (format!("POST {CHAT} HTTP/1.1\r\ncontent-length: 16777217\r\n\r\n{}", "x".repeat(1_000_000)), 413),
        (
            format!("POST {CHAT} HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1000001\r\n{}", "x".repeat(1_000_000)),
            413,
        ),
        (format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(100)), 431),
        (format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(20_000)), 431),
        ("\u{16}\u{3}\u{1}\0\0\r\n\r\n".to_owned(), 400),
    ] {
        let mut client = Client::to(&server).await;
        client.send(text).await;
        let reply = client.reply().await;
        assert_eq!(reply.status, status, "{reply:?}");
        reply.error();
        assert_eq!(client.more().await, Err(End::Closed));
    }
}
