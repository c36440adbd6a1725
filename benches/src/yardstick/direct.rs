//! What would one write by hand? reqwest's client as it is, a semaphore, and types for what is sent and read.

use std::sync::Arc;

use reqwest::Client;
use serde::Serialize;
use tokio::sync::Semaphore;

use super::wire::{Choice, Completion};
use super::{Answered, KEY, MOST, QUESTION, SYSTEM, Side};

/// The yardstick.
#[derive(Clone)]
pub struct Direct {
    client: Client,
    url: Arc<str>,
    places: Arc<Semaphore>,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: [Turn<'a>; 2],
    max_tokens: u32,
}

#[derive(Serialize)]
struct Turn<'a> {
    role: &'a str,
    content: &'a str,
}

impl Side for Direct {
    const NAME: &'static str = "yardstick";

    fn open(base_url: &str, in_flight: usize) -> Self {
        // The second time it is there already.
        let _is_there = rustls::crypto::ring::default_provider().install_default();
        let url = format!("{base_url}/chat/completions").into();
        Self { client: Client::new(), url, places: Arc::new(Semaphore::new(in_flight)) }
    }

    async fn call(&self) -> Answered {
        let _place = self.places.acquire().await.expect("nobody closes it");
        let turn = |role, content| Turn { role, content };
        let messages = [turn("system", SYSTEM), turn("user", QUESTION)];
        let request = Request { model: "mock", messages, max_tokens: MOST };
        let response = self.client.post(&*self.url).bearer_auth(KEY).json(&request).send().await;
        let response = response.and_then(reqwest::Response::error_for_status).expect("the mock answers");
        let mut completion: Completion = response.json().await.expect("the mock speaks as OpenAI does");
        let tokens = completion.tokens();
        let Choice { message, finish_reason } = completion.choices.swap_remove(0);
        assert_eq!(finish_reason.as_deref(), Some("stop"));
        assert!(message.tool_calls.is_none_or(|calls| calls.is_empty()));
        Answered { bytes: message.content.map_or(0, |text| text.len()), tokens, overhead: None }
    }
}
