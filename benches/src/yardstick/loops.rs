//! What would one write by hand, to have a model use a tool? A loop around reqwest's client, with types for what is sent and read.

use std::sync::Arc;

use callboard::prelude::*;
use reqwest::Client;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::Semaphore;

use super::runs::{answer_of, weather};
use super::wire::{Call, Completion};
use super::{Answered, KEY, MOST, QUESTION, SYSTEM, Side};

/// The loop that one would write by hand.
#[derive(Clone)]
pub struct Loop {
    client: Client,
    url: Arc<str>,
    places: Arc<Semaphore>,
    tools: Option<Arc<RawValue>>,
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: &'a [Turn],
    max_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<&'a str>,
}

#[derive(Serialize)]
struct Turn {
    role: &'static str,
    content: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<Vec<Call>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<String>,
}

impl Turn {
    fn new(role: &'static str, content: impl Into<String>) -> Self {
        Self { role, content: content.into(), tool_calls: None, tool_call_id: None }
    }
}

#[derive(Deserialize)]
struct Arguments {
    city: String,
}

impl Loop {
    /// So many calls at a time.
    pub fn new(base_url: &str, in_flight: usize, has_tool: bool) -> Self {
        // The second time it is there already.
        let _is_there = rustls::crypto::ring::default_provider().install_default();
        let spec = weather.spec();
        let tools = serde_json::json!([{ "type": "function", "function": *spec }]);
        let tools = has_tool.then(|| serde_json::value::to_raw_value(&tools).expect("it is JSON").into());
        let url = format!("{base_url}/chat/completions").into();
        Self { client: Client::new(), url, places: Arc::new(Semaphore::new(in_flight)), tools }
    }

    /// One run: the answer, and the tokens that it took.
    pub async fn run(&self) -> (String, u64) {
        let mut messages = vec![Turn::new("system", SYSTEM), Turn::new("user", QUESTION)];
        let mut tokens = 0;
        loop {
            let completion = self.call(&messages).await;
            tokens += completion.tokens();
            let message = completion.choices.into_iter().next().expect("a choice").message;
            let text = message.content.unwrap_or_default();
            let Some(calls) = message.tool_calls.filter(|calls| !calls.is_empty()) else { return (text, tokens) };
            let answers: Vec<_> = calls
                .iter()
                .map(|call| {
                    let arguments: Arguments = serde_json::from_str(&call.function.arguments).expect("they fit");
                    let answer = answer_of(&arguments.city);
                    Turn { tool_call_id: Some(call.id.clone()), ..Turn::new("tool", answer) }
                })
                .collect();
            messages.push(Turn { tool_calls: Some(calls), ..Turn::new("assistant", text) });
            messages.extend(answers);
        }
    }

    async fn call(&self, messages: &[Turn]) -> Completion {
        let _place = self.places.acquire().await.expect("nobody closes it");
        let (tools, tool_choice) = (self.tools.as_deref(), self.tools.is_some().then_some("auto"));
        let request = Request { model: "mock", messages, max_tokens: MOST, tools, tool_choice };
        let response = self.client.post(&*self.url).bearer_auth(KEY).json(&request).send().await;
        let response = response.and_then(reqwest::Response::error_for_status).expect("the mock answers");
        response.json().await.expect("the mock speaks as OpenAI does")
    }
}

impl Side for Loop {
    const NAME: &'static str = "loops";

    fn open(base_url: &str, in_flight: usize) -> Self {
        Self::new(base_url, in_flight, true)
    }

    async fn call(&self) -> Answered {
        let (text, tokens) = self.run().await;
        Answered { bytes: text.len(), tokens, overhead: None }
    }
}
