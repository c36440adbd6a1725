//! Is the next model asked when the account of the first one has no money, when its address has moved, or when the text is too long for
//! it? With every provider, over real sockets and through a real gateway.

mod contract_support;

use std::sync::{Arc, Mutex};

use callboard::actors::chat::{ChatRequest, Turn};
use callboard::actors::error::ModelError;
use callboard::actors::gateway::{FallBack, Gateway, GatewayLimits, ServedModel};
use callboard::actors::runtime::Runtime;
use callboard::prelude::*;
use contract_support::*;

const MOVED: &str = "location: https://elsewhere.example/v1?token=secret\r\n";

/// A refusal, the code that the fall-back is told with, and words of the error where there is no next model.
type Row = (Sent, &'static str, &'static str);

fn rows(provider: &Provider) -> Vec<Row> {
    let (quota, kind) = match provider.name.starts_with("anthropic") {
        true => (402, "billing_error"),
        false => (429, "insufficient_quota"),
    };
    let said = |kind: &str| format!(r#"{{"error":{{"message":"No money","type":"{kind}","code":"{kind}"}}}}"#);
    let mut rows = vec![
        (Sent::json(402, said("x")), "unauthorized", "has no money left (402): No money (the key is that of"),
        (Sent::json(quota, said(kind)), "unauthorized", "has no money left"),
        (Sent::json(413, "<html>"), "context_too_long", "too long"),
    ];
    let moved = [301, 302, 307, 308].map(|status| Sent::json_with(status, MOVED, "{}"));
    rows.extend(moved.map(|sent| (sent, "not_found", "points to https://elsewhere.example/v1 (30")));
    rows
}

#[tokio::test]
async fn what_the_first_one_cannot_do_the_next_one_is_asked_for() {
    for provider in &PROVIDERS {
        for (refusal, code, words) in rows(provider) {
            let first = Server::start(vec![refusal.clone(), refusal]).await;
            let second = Server::start(vec![provider.answer(&Said::text(&["It works."]), false)]).await;
            let served =
                |name: &str, server: &Server| ServedModel { name: name.into(), ..provider.served(&server.base_url) };
            let models = vec![served("one", &first), served("two", &second)];
            let runtime = Runtime::start(RuntimeConfig { shards: 1, ..RuntimeConfig::default() }).unwrap();
            let gateway = Gateway::start(&runtime, models, GatewayLimits::default()).unwrap();
            let call = || gateway.call("one", ChatRequest::new(vec![Turn::user("Say something.")], 200)).within(LONG);
            let told = Arc::new(Mutex::new(Vec::new()));
            let tell = told.clone();
            let answer = call().or("two").on_fall_back(move |to: &FallBack| tell.lock().unwrap().push(to.error_code));
            let case = format!("{} {code}", provider.name);
            assert_eq!(&*answer.send().await.unwrap().model, "two", "{case}");
            assert_eq!(*told.lock().unwrap(), [code], "{case}");
            let alone: ModelError = call().send().await.unwrap_err();
            let shown = alone.to_string();
            assert!(alone.code() == code && shown.contains(words) && !shown.contains("secret"), "{case}: {alone:?}");
            assert!(!alone.is_retryable(), "{case}");
            assert!(runtime.stop(LONG).await.is_clean(), "{case}");
        }
    }
}
