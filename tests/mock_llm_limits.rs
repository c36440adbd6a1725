//! Does the mock refuse, wait, count and stop as it was told? Limits, latencies, scripts, statistics, its end.

mod mock_llm_support;

use std::time::{Duration, Instant};

use callboard::mock_llm::{Fault, FaultRates, Limits, MockConfig, MockError, MockLlm, Script};
use mock_llm_support::{CHAT, Client, EVER, End, PATIENCE, chat, content, in_time, start};
use serde_json::{Value, json};

const HANG: &str = "x-mock-fault: hang\r\n";

/// Asks for the statistics until they are as wanted.
async fn until(server: &MockLlm, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut client = Client::to(server).await;
    in_time(async {
        loop {
            let stats = client.get("/stats").await.json();
            if wanted(&stats) {
                return stats;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_slot_is_free_before_the_last_byte_is_sent() {
    let server = start(|config| config.limits.max_in_flight = Some(1));
    let mut client = Client::to(&server).await;
    for call in 0..1000 {
        let reply = client.post(&chat(json!({"stream": call % 2 == 1}))).await;
        assert_eq!((reply.status, reply.end), (200, End::Whole), "call {call}");
        assert_eq!(server.stats().in_flight, 0, "call {call}");
    }
    assert_eq!(server.stats().peak_in_flight, 1);
}

#[tokio::test]
async fn a_slot_is_free_before_the_last_byte_whichever_connection_asks() {
    let server = start(|config| {
        config.limits.max_in_flight = Some(1);
        config.threads = 2;
    });
    // Neighbours are served by different threads.
    let mut clients = [Client::to(&server).await, Client::to(&server).await];
    for call in 0..1000 {
        let reply = clients[call % 2].post(&chat(json!({"stream": call % 3 == 1}))).await;
        assert_eq!((reply.status, reply.end), (200, End::Whole), "call {call}");
    }
}

#[tokio::test]
async fn too_many_calls_in_flight_are_refused_as_such() {
    let server = start(|config| config.limits.max_in_flight = Some(2));
    let mut held = [Client::to(&server).await, Client::to(&server).await];
    for client in &mut held {
        client.request("POST", CHAT, HANG, &chat(json!({})).to_string()).await;
    }
    until(&server, |stats| stats["in_flight"] == 2).await;
    let mut client = Client::to(&server).await;
    let refused = client.post(&chat(json!({}))).await;
    assert_eq!((refused.status, refused.error()), (429, ("concurrency".into(), "concurrency_limit_exceeded".into())));
    assert_eq!((refused.header("retry-after"), refused.header("retry-after-ms")), (Some("1"), Some("50")));
    assert_eq!(client.get("/v1/models").await.status, 200, "only calls of a model are limited");
    drop(held);
    let stats = until(&server, |stats| stats["in_flight"] == 0).await;
    assert_eq!((&stats["aborted"], &stats["peak_in_flight"]), (&json!(2), &json!(2)));
    assert_eq!(client.post(&chat(json!({}))).await.status, 200);
}

/// Sets limits and says what the answer was.
async fn set(client: &mut Client, limits: &str) -> (u16, Value) {
    client.request("POST", "/limits", "", limits).await;
    let reply = client.reply().await;
    (reply.status, reply.json())
}

#[tokio::test]
async fn limits_change_while_calls_are_in_flight() {
    let server = start(|config| config.limits.max_in_flight = Some(3));
    let mut held = [Client::to(&server).await, Client::to(&server).await];
    for client in &mut held {
        client.request("POST", CHAT, HANG, &chat(json!({})).to_string()).await;
    }
    until(&server, |stats| stats["in_flight"] == 2).await;
    let mut client = Client::to(&server).await;
    let in_force = json!({"max_in_flight": 1, "requests_per_minute": null, "tokens_per_minute": null});
    assert_eq!(set(&mut client, r#"{"max_in_flight": 1}"#).await, (200, in_force.clone()));
    assert_eq!(client.post(&chat(json!({}))).await.status, 429);
    assert_eq!(server.stats().in_flight, 2, "those in flight go on");
    let (status, error) = set(&mut client, r#"{"max_in_flight": 0}"#).await;
    assert_eq!((status, &error["error"]["param"]), (400, &json!("max_in_flight")));
    assert_eq!(set(&mut client, "{}").await, (200, in_force), "what cannot be changes nothing");

    assert_eq!(set(&mut client, r#"{"max_in_flight": null, "requests_per_minute": 2}"#).await.0, 200);
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(client.post(&chat(json!({}))).await.status);
    }
    assert_eq!(statuses, [200, 200, 429]);
    server.set_limits(Limits { requests_per_minute: Some(1), ..Limits::default() }).unwrap();
    let reply = client.post(&chat(json!({}))).await;
    assert_eq!((reply.status, reply.header("x-ratelimit-remaining-requests")), (200, Some("0")));
    assert!(server.set_limits(Limits { tokens_per_minute: Some(0), ..Limits::default() }).is_err());
    server.set_limits(Limits::default()).unwrap();
    let reply = client.post(&chat(json!({}))).await;
    assert_eq!((reply.status, reply.header("x-ratelimit-limit-requests")), (200, None));

    server.reset();
    assert_eq!(set(&mut client, "{}").await.1["max_in_flight"], 3, "a reset brings back those of the start");
    let refused = client.get("/limits").await;
    assert_eq!((refused.status, refused.header("allow")), (405, Some("POST")));
    assert_eq!(server.stats().requests, 0, "what is about the mock does not count");
}

#[tokio::test]
async fn a_minute_has_its_requests_and_its_tokens() {
    let server = start(|config| config.limits.requests_per_minute = Some(2));
    let mut client = Client::to(&server).await;
    for left in ["1", "0"] {
        let reply = client.post(&chat(json!({}))).await;
        assert_eq!(reply.header("x-ratelimit-limit-requests"), Some("2"));
        assert_eq!(reply.header("x-ratelimit-remaining-requests"), Some(left));
        assert_eq!(reply.header("x-ratelimit-limit-tokens"), None);
    }
    let refused = client.post(&chat(json!({}))).await;
    assert_eq!((refused.status, refused.error()), (429, ("requests".into(), "rate_limit_exceeded".into())));
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    let millis: u64 = refused.header("retry-after-ms").unwrap().parse().unwrap();
    assert!((1..=30).contains(&seconds) && millis.div_ceil(1000) == seconds, "{}", refused.head);
    assert!(refused.header("x-ratelimit-reset-requests").unwrap().ends_with('s'));
    server.reset();
    assert_eq!(client.post(&chat(json!({}))).await.status, 200);

    // A call has 5 tokens of prompt and at most 16 of reply.
    let server = start(|config| config.limits.tokens_per_minute = Some(40));
    let mut client = Client::to(&server).await;
    assert_eq!(client.post(&chat(json!({}))).await.header("x-ratelimit-remaining-tokens"), Some("19"));
    let refused = client.post(&chat(json!({}))).await;
    assert_eq!((refused.status, refused.error()), (429, ("tokens".into(), "rate_limit_exceeded".into())));
    let large = client.post(&chat(json!({"max_tokens": 1000}))).await;
    assert!(large.status == 429 && large.header("retry-after").is_none() && large.text().contains("too large"));
    assert_eq!(client.post(&chat(json!({"max_tokens": 1}))).await.status, 200);
}

#[tokio::test]
async fn a_reply_waits_at_least_as_long_as_was_said() {
    let wait = Duration::from_millis(60);
    let server = start(|config| {
        config.latency.reply = wait;
        config.latency.first_token = wait;
        config.latency.between_tokens = wait / 2;
        config.reply_tokens = 3;
    });
    let mut client = Client::to(&server).await;
    let began = Instant::now();
    client.post(&chat(json!({}))).await;
    assert!(began.elapsed() >= wait);
    let began = Instant::now();
    client.post(&chat(json!({"stream": true}))).await;
    assert!(began.elapsed() >= 3 * wait, "the reply, the first token, two more");
}

#[tokio::test]
async fn the_head_of_a_stream_comes_before_its_first_token() {
    let server = start(|config| config.latency.first_token = EVER);
    let mut client = Client::to(&server).await;
    client.request("POST", CHAT, "", &chat(json!({"stream": true})).to_string()).await;
    assert!(client.head().await.unwrap().starts_with("HTTP/1.1 200"));
    while !client.unread().contains("\"role\":\"assistant\"") {
        client.more().await.unwrap();
    }
    assert!(!client.unread().contains("finish_reason\":\"stop"));
    drop(client);
    let stats = until(&server, |stats| stats["aborted"] == 1).await;
    assert_eq!((&stats["in_flight"], &stats["by_status"]), (&json!(0), &json!({"200": 1})));
}

#[tokio::test]
async fn a_reply_that_was_never_begun_has_no_status() {
    let server = start(|config| config.latency.reply = EVER);
    let mut client = Client::to(&server).await;
    client.request("POST", CHAT, "", &chat(json!({})).to_string()).await;
    until(&server, |stats| stats["in_flight"] == 1).await;
    drop(client);
    let stats = until(&server, |stats| stats["aborted"] == 1).await;
    assert_eq!((&stats["requests"], &stats["by_status"]), (&json!(1), &json!({})));
}

/// Statuses of plain calls, or how they ended.
async fn outcomes(server: &MockLlm, calls: usize) -> Vec<(u16, End)> {
    let mut outcomes = Vec::new();
    for _ in 0..calls {
        let reply = Client::to(server).await.post(&chat(json!({}))).await;
        outcomes.push((reply.status, reply.end));
    }
    outcomes
}

#[tokio::test]
async fn the_same_seed_gives_the_same_faults_and_a_reset_begins_anew() {
    let rates = || {
        let rates = FaultRates::default().with(Fault::Status503, 0.3).unwrap();
        rates.with(Fault::Cut, 0.2).unwrap().with(Fault::Reset, 0.2).unwrap()
    };
    let with_seed = |seed| {
        start(|config: &mut MockConfig| {
            config.seed = seed;
            config.faults = rates();
        })
    };
    let (one, same, other) = (with_seed(1), with_seed(1), with_seed(2));
    let first = outcomes(&one, 40).await;
    assert_eq!(first, outcomes(&same, 40).await);
    assert_ne!(first, outcomes(&other, 40).await);
    one.reset();
    assert_eq!(first, outcomes(&one, 40).await);
    for wanted in [(200, End::Whole), (503, End::Whole), (200, End::Closed), (0, End::Reset)] {
        assert!(first.contains(&wanted), "{first:?}");
    }
}

#[tokio::test]
async fn a_script_is_followed_and_its_last_reply_repeats() {
    let text = r#"[
        {"match": {"contains": "plan"}, "replies": [{"tool_calls": [
            {"name": "a", "arguments": {"x": 1}}, {"name": "b", "arguments": "{broken"}]}]},
        {"match": {"model": "tea"}, "replies": [{"status": 418, "body": {"short": true}, "headers": {"x-pot": "1", "Content-Type": "text/tea"}}]},
        {"replies": ["one", {"text": "two", "fault": "missing_usage"}, {"fault": "cut_before"}, "last"]}]"#;
    let server = start(|config| config.script = Some(Script::parse(text).unwrap()));
    for _ in 0..2 {
        let mut client = Client::to(&server).await;
        assert_eq!(content(&client.post(&chat(json!({}))).await.json()), "one");
        let two = client.post(&chat(json!({}))).await.json();
        assert!(content(&two) == "two" && two.get("usage").is_none());
        assert_eq!(client.post(&chat(json!({}))).await.end, End::Closed);
        let mut client = Client::to(&server).await;
        for _ in 0..2 {
            assert_eq!(content(&client.post(&chat(json!({}))).await.json()), "last");
        }
        let tea = client.post(&chat(json!({"model": "tea"}))).await;
        assert_eq!((tea.status, tea.header("x-pot"), tea.text()), (418, Some("1"), r#"{"short":true}"#));
        assert!(tea.header("content-type") == Some("text/tea") && !tea.head.contains("json"), "{}", tea.head);
        let plan = client.post(&chat(json!({"messages": [{"role": "user", "content": "a plan"}]}))).await.json();
        let calls = plan["choices"][0]["message"]["tool_calls"].as_array().unwrap();
        let called: Vec<_> = calls.iter().map(|call| call["function"]["arguments"].as_str().unwrap()).collect();
        assert_eq!(called, [r#"{"x":1}"#, "{broken"]);
        assert_ne!(calls[0]["id"], calls[1]["id"]);
        client.request("POST", "/reset", "", "").await;
        assert_eq!(client.reply().await.status, 200);
    }
}

#[tokio::test]
async fn a_delay_of_the_script_replaces_the_latency() {
    let server = start(|config| {
        config.latency.reply = EVER;
        config.script = Some(Script::parse(r#"[{"text": "now", "delay_ms": 0}]"#).unwrap());
    });
    assert_eq!(content(&Client::to(&server).await.post(&chat(json!({}))).await.json()), "now");
}

#[tokio::test]
async fn what_happened_is_counted() {
    let server = start(|_| {});
    let mut client = Client::to(&server).await;
    client.post(&chat(json!({}))).await;
    client.post_with("x-mock-fault: status_529\r\n", &chat(json!({}))).await;
    client.get("/v1/models").await;
    let stats = client.get("/stats").await.json();
    assert_eq!((&stats["requests"], &stats["connections"]), (&json!(3), &json!({"total": 1, "open": 1})));
    assert_eq!((&stats["by_status"], &stats["by_fault"]), (&json!({"200": 2, "529": 1}), &json!({"status_529": 1})));
    assert_eq!((&stats["prompt_tokens"], &stats["completion_tokens"]), (&json!(5), &json!(16)));
    server.reset();
    let stats = server.stats();
    assert_eq!((stats.requests, stats.connections.open, stats.by_status.len()), (0, 1, 0));
    drop(client);
    until(&server, |stats| stats["connections"]["open"] == 1).await;
}

#[tokio::test]
async fn who_says_nothing_or_half_of_it_is_not_waited_for() {
    let short = Duration::from_millis(50);
    let server = start(|config| config.idle = short);
    assert_eq!(Client::to(&server).await.more().await, Err(End::Closed));
    let server = start(|config| config.request_time = short);
    for half in ["GET /stats HT", "POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 9\r\n\r\n{"] {
        let mut client = Client::to(&server).await;
        client.send(half).await;
        assert_eq!(client.reply().await.status, 408, "{half}");
    }
}

#[tokio::test]
async fn a_connection_too_many_waits_for_a_place() {
    let server = start(|config| config.max_connections = 1);
    let mut first = Client::to(&server).await;
    assert_eq!(first.get("/stats").await.status, 200);
    let mut second = Client::to(&server).await;
    second.request("GET", "/stats", "", "").await;
    drop(first);
    assert_eq!(second.reply().await.json()["connections"]["open"], 1);
}

#[tokio::test]
async fn stopping_ends_all_connections_whatever_they_do() {
    let server = start(|_| {});
    let mut clients = Vec::new();
    for fault in ["hang", "endless_body", "slow_headers", "slow_body"] {
        let mut client = Client::to(&server).await;
        client.request("POST", CHAT, &format!("x-mock-fault: {fault}\r\n"), &chat(json!({})).to_string()).await;
        clients.push(client);
    }
    until(&server, |stats| stats["in_flight"] == 4).await;
    let address = server.address();
    in_time(server.stop()).await;
    for client in &mut clients {
        while client.more().await.is_ok() {}
    }
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[test]
fn it_runs_without_async_and_a_drop_stops_it() {
    let server = MockLlm::start(MockConfig::default()).unwrap();
    let address = server.address();
    let taken = MockLlm::start(MockConfig { listen: address, ..MockConfig::default() });
    assert!(matches!(taken, Err(MockError::Listen { .. })), "{taken:?}");
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    drop(server);
    assert!(matches!(std::io::Read::read(&mut stream, &mut [0]), Ok(0) | Err(_)));
    let server = MockLlm::start(MockConfig::default()).unwrap();
    server.stop_blocking();
    let far = MockConfig { listen: "0.0.0.0:0".parse().unwrap(), ..MockConfig::default() };
    assert!(matches!(MockLlm::start(far), Err(MockError::Config(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn it_starts_and_fails_inside_of_a_runtime() {
    let server = start(|_| {});
    let taken = MockLlm::start(MockConfig { listen: server.address(), ..MockConfig::default() });
    assert!(taken.is_err());
    assert_eq!(Client::to(&server).await.post(&chat(json!({}))).await.status, 200);
    drop(server);
}
