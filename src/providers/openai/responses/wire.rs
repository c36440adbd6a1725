//! What does the JSON of Responses look like? Nothing but its shapes. What is sent says no more than it must; of what is read, all
//! is optional, because servers leave fields out and invent values.

use std::borrow::Cow;

use callboard_actors::chat::TokenUsage;
use callboard_actors::schema::Schema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::providers::usage::{count, counts};

/// What is sent.
#[derive(Serialize)]
pub(super) struct Request<'a> {
    pub(super) model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) instructions: Option<String>,
    pub(super) input: Vec<Input<'a>>,
    /// What a model thinks counts, too. OpenAI takes none below 16.
    pub(super) max_output_tokens: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) temperature: Option<f32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) stream: Option<bool>,
    /// Whether the vendor keeps request and reply.
    pub(super) store: bool,
}

/// An entry of the conversation.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Input<'a> {
    Message { role: &'static str, content: &'a str },
    FunctionCall { call_id: &'a str, name: &'a str, arguments: &'a str },
    FunctionCallOutput { call_id: &'a str, output: &'a str },
}

#[derive(Serialize)]
pub(super) struct Tool<'a> {
    pub(super) r#type: &'static str,
    pub(super) name: &'a str,
    pub(super) description: &'a str,
    pub(super) parameters: &'a Schema,
    /// Strict ones take a part of JSON Schema only, and are what a server assumes where nothing is said.
    pub(super) strict: bool,
}

#[derive(Serialize)]
pub(super) struct Text<'a> {
    pub(super) format: TextFormat<'a>,
}

#[derive(Serialize)]
pub(super) struct TextFormat<'a> {
    pub(super) r#type: &'static str,
    pub(super) name: &'a str,
    pub(super) schema: Cow<'a, Value>,
    pub(super) strict: bool,
}

/// What comes back, in one piece or with the first and the last event of a stream.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Response {
    pub(super) status: Option<String>,
    pub(super) output: Option<Vec<Output>>,
    #[serde(deserialize_with = "counts")]
    pub(super) usage: Option<Usage>,
    pub(super) error: Option<Value>,
    pub(super) incomplete_details: Option<Incomplete>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Incomplete {
    pub(super) reason: Option<String>,
}

/// Something that the model made: a message, a call, what it thought, or the work of a tool of the vendor's.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Output {
    pub(super) r#type: Option<String>,
    pub(super) id: Option<String>,
    /// Of a message: a list of parts, as it should be, or a text.
    content: Option<Value>,
    pub(super) call_id: Option<String>,
    pub(super) name: Option<String>,
    /// A text, as it should be, or the object itself.
    arguments: Option<Value>,
}

impl Output {
    /// Whether it is a message, and its content is neither a text nor a list of parts with texts.
    pub(super) fn is_odd(&self) -> bool {
        let is_text = |text: Option<&Value>| text.is_none_or(|text| text.is_string() || text.is_null());
        let is_known = match &self.content {
            Some(Value::Array(parts)) => parts.iter().all(|part| is_text(part.get("text"))),
            content => is_text(content.as_ref()),
        };
        self.r#type.as_deref() == Some("message") && !is_known
    }

    /// The text of a message.
    pub(super) fn text(&self) -> String {
        match &self.content {
            Some(Value::String(text)) => text.clone(),
            content => said(content.as_ref(), "text"),
        }
    }

    /// With what words it is refused to say more.
    pub(super) fn refusal(&self) -> String {
        said(self.content.as_ref(), "refusal")
    }

    /// What a tool is called with.
    pub(super) fn arguments(&self) -> String {
        match &self.arguments {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(object) => object.to_string(),
        }
    }
}

/// What stands under this name in a list of parts.
fn said(parts: Option<&Value>, name: &str) -> String {
    let parts = parts.and_then(Value::as_array).into_iter().flatten();
    parts.filter_map(|part| part.get(name)?.as_str()).collect()
}

/// Tokens that came from the vendor's cache are among those of the input, and what a model thought is among those of the output.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Usage {
    #[serde(deserialize_with = "count")]
    input_tokens: Option<u64>,
    #[serde(deserialize_with = "count")]
    output_tokens: Option<u64>,
}

impl Usage {
    /// Unknown unless both are said: half of it would be less than what was used.
    pub(super) fn known(&self) -> Option<TokenUsage> {
        Some(TokenUsage { input: self.input_tokens?, output: self.output_tokens? })
    }
}

/// An event of a stream. Its number is not read: events come in order over a connection, and the last one has the whole reply.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Event {
    pub(super) r#type: Option<String>,
    pub(super) output_index: Option<usize>,
    pub(super) item_id: Option<String>,
    delta: Option<Value>,
    pub(super) item: Option<Output>,
    pub(super) response: Option<Response>,
    pub(super) error: Option<Value>,
}

impl Event {
    /// What it adds to a text.
    pub(super) fn delta(&self) -> &str {
        self.delta.as_ref().and_then(Value::as_str).unwrap_or_default()
    }
}
