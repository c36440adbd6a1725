//! How is a request written for Chat Completions?

use std::borrow::Cow;

use callboard_actors::chat::{ChatRequest, ReplyForm, Role, ToolChoice, ToolSpec, Turn};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use crate::providers::{body, strict};

/// What is sent. It borrows everything, so that a request is written once and copied nowhere.
#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Messages<'a>,
    /// Servers that follow OpenAI know this one; OpenAI's own newer models know only the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_completion_tokens: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<Format<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream_options: Option<StreamOptions>,
}

struct Messages<'a>(&'a [Turn]);

impl Serialize for Messages<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.0.iter().map(message))
    }
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    /// `null` where tools are called and nothing is said.
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    r#type: &'static str,
    function: Called<'a>,
}

#[derive(Serialize)]
struct Called<'a> {
    name: &'a str,
    arguments: &'a str,
}

#[derive(Serialize)]
struct Tool<'a> {
    r#type: &'static str,
    function: &'a ToolSpec,
}

#[derive(Serialize)]
struct Format<'a> {
    r#type: &'static str,
    json_schema: JsonSchema<'a>,
}

#[derive(Serialize)]
struct JsonSchema<'a> {
    name: &'a str,
    schema: Cow<'a, Value>,
    strict: bool,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

/// The body of a request, as it is sent.
pub(super) fn body(
    request: &ChatRequest,
    model: &str,
    is_openai: bool,
    is_streamed: bool,
) -> Result<Vec<u8>, serde_json::Error> {
    let has_tools = !request.tools.is_empty();
    let json_schema = match &request.form {
        ReplyForm::Text => None,
        ReplyForm::Json { name, schema } => {
            let (schema, strict) = strict::as_sent(schema);
            Some(JsonSchema { name, schema, strict })
        }
    };
    body::json(&Body {
        model,
        messages: Messages(&request.turns),
        max_tokens: (!is_openai).then_some(request.max_output_tokens),
        max_completion_tokens: is_openai.then_some(request.max_output_tokens),
        temperature: request.temperature,
        tools: request.tools.iter().map(|function| Tool { r#type: "function", function }).collect(),
        tool_choice: has_tools.then(|| choice(&request.tool_choice)),
        response_format: json_schema.map(|json_schema| Format { r#type: "json_schema", json_schema }),
        stream: is_streamed.then_some(true),
        stream_options: is_streamed.then_some(StreamOptions { include_usage: true }),
    })
}

fn choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::Never => "none".into(),
        ToolChoice::Always => "required".into(),
        ToolChoice::Named(name) => json!({ "type": "function", "function": { "name": name } }),
    }
}

fn message(turn: &Turn) -> Message<'_> {
    let role = match turn.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let calls = turn.tool_calls.iter().map(|call| Call {
        id: &call.id,
        r#type: "function",
        function: Called { name: &call.name, arguments: &call.arguments },
    });
    let is_said = turn.tool_calls.is_empty() || !turn.text.is_empty();
    Message {
        role,
        content: is_said.then_some(&*turn.text),
        tool_calls: calls.collect(),
        tool_call_id: turn.answers.as_deref(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use callboard_actors::chat::ToolCall;

    use super::*;

    fn written(request: &ChatRequest, model: &str, is_openai: bool, is_streamed: bool) -> Value {
        serde_json::from_slice(&body(request, model, is_openai, is_streamed).unwrap()).unwrap()
    }

    #[test]
    fn everything_that_a_request_can_say_is_written() {
        let call = ToolCall { id: "c1".to_owned(), name: "add".to_owned(), arguments: "{\"a\":1}".to_owned() };
        let asks = Turn { tool_calls: vec![call], ..Turn::assistant("") };
        let turns = vec![Turn::system("Be brief."), Turn::user("1 + 1?"), asks, Turn::tool("c1", "2")];
        let mut request = ChatRequest::new(turns, 50);
        request.temperature = Some(0.5);
        let parameters = json!({ "type": "object" });
        let (name, description) = ("add".to_owned(), "Adds".to_owned());
        request.tools = vec![Arc::new(ToolSpec { name, description, parameters: parameters.into() })];
        request.tool_choice = ToolChoice::Named("add".to_owned());
        request.form = ReplyForm::Json { name: "sum".to_owned(), schema: json!({ "type": "integer" }).into() };
        let expected = json!({
            "model": "m",
            "messages": [
                { "role": "system", "content": "Be brief." },
                { "role": "user", "content": "1 + 1?" },
                { "role": "assistant", "content": null, "tool_calls": [
                    { "id": "c1", "type": "function", "function": { "name": "add", "arguments": "{\"a\":1}" } }
                ] },
                { "role": "tool", "content": "2", "tool_call_id": "c1" },
            ],
            "max_completion_tokens": 50,
            "temperature": 0.5,
            "tools": [{ "type": "function", "function": {
                "name": "add", "description": "Adds", "parameters": { "type": "object" }
            } }],
            "tool_choice": { "type": "function", "function": { "name": "add" } },
            "response_format": { "type": "json_schema", "json_schema": {
                "name": "sum", "schema": { "type": "integer" }, "strict": false
            } },
            "stream": true,
            "stream_options": { "include_usage": true },
        });
        assert_eq!(written(&request, "m", true, true), expected);
    }

    #[test]
    fn a_plain_request_says_no_more_than_it_must() {
        let request = ChatRequest::new(vec![Turn::user("Hello")], 5);
        let expected = json!({ "model": "m", "messages": [{ "role": "user", "content": "Hello" }], "max_tokens": 5 });
        assert_eq!(written(&request, "m", false, false), expected);
    }
}
