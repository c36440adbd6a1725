//! Do the models of one key wait together when their provider says that its rate is reached, over real sockets and through a real gateway?

mod contract_support;

use std::time::Duration;

use callboard::actors::chat::{ChatRequest, Turn};
use callboard::actors::error::{Limited, ModelError};
use callboard::actors::gateway::{Gateway, GatewayLimits, RetryPolicy, ServedModel};
use callboard::actors::runtime::Runtime;
use callboard::prelude::*;
use contract_support::*;

/// How long the server asks to wait: longer than the test takes.
const WAIT: Duration = Duration::from_secs(200);

#[tokio::test]
async fn a_429_makes_all_models_of_its_key_wait_unless_it_names_the_model() {
    for provider in &PROVIDERS {
        for (words, limited) in
            [("Slow down", Limited::Rate), ("The limit of m, of claude-sonnet-4-5, is reached", Limited::ModelRate)]
        {
            let refusal = provider.format.error(Refusal::Rate, words).to_string();
            let busy = Sent::json_with(429, &format!("retry-after: {}\r\n", WAIT.as_secs_f64()), &refusal);
            let works = provider.answer(&Said::text(&["It works."]), false);
            let server = Server::start(vec![busy, works]).await;
            let elsewhere = Server::start(vec![provider.answer(&Said::text(&["Here, too."]), false)]).await;
            let served =
                |name: &str, server: &Server| ServedModel { name: name.into(), ..provider.served(&server.base_url) };
            let models = vec![served("one", &server), served("two", &server), served("three", &elsewhere)];
            let runtime = Runtime::start(RuntimeConfig { shards: 1, ..RuntimeConfig::default() }).unwrap();
            let retry = RetryPolicy { attempts: 1, ..RetryPolicy::default() };
            let gateway =
                Gateway::start(&runtime, models, GatewayLimits { retry, ..GatewayLimits::default() }).unwrap();
            let request = || ChatRequest::new(vec![Turn::user("Say something.")], 200);
            let call = |model| gateway.call(model, request()).within(WAIT / 2).send();
            let refused = call("one").await.unwrap_err();
            let ModelError::RateLimited { limited: told, .. } = &refused else { panic!("{refused:?}") };
            assert_eq!(*told, limited, "{}", provider.name);
            let info = gateway.info().await.unwrap();
            let waits = [0, 1, 2].map(|model| info.models[model].paused_for > WAIT / 2);
            assert_eq!(waits, [true, limited == Limited::Rate, false], "{}", provider.name);
            assert!(call("three").await.is_ok());
            match call("two").await {
                Ok(_) => assert_eq!(limited, Limited::ModelRate, "{}", provider.name),
                Err(paused) => assert_eq!((limited, paused.code()), (Limited::Rate, "paused"), "{}", provider.name),
            }
            assert!(runtime.stop(LONG).await.is_clean(), "{}", provider.name);
        }
    }
}
