//! What does a request for a chat completion ask for? Unknown fields are ignored, wrong ones are named.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::ApiError;
use super::fields::{Raw, Text, object, optional, required};
use super::tools::{Tool, ToolChoice};
use crate::mock_llm::replies::tokens_of;

/// The most choices that one request gets.
const MOST_CHOICES: u64 = 16;

const ROLES: [&str; 6] = ["system", "developer", "user", "assistant", "tool", "function"];

/// A request, as far as the mock cares.
#[derive(Debug)]
pub(crate) struct Chat<'a> {
    pub(crate) model: Cow<'a, str>,
    /// Tokens of all messages' texts.
    pub(crate) prompt_tokens: u64,
    pub(crate) last_role: Cow<'a, str>,
    pub(crate) last_text: Cow<'a, str>,
    pub(crate) is_stream: bool,
    pub(crate) include_usage: bool,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) choices: u64,
    pub(crate) tools: Vec<Tool>,
    pub(crate) tool_choice: ToolChoice,
    pub(crate) format: Format,
}

/// The form that the reply must have.
#[derive(Debug, PartialEq)]
pub(crate) enum Format {
    Text,
    Json,
    Schema(Value),
}

#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    model: Raw<'a>,
    #[serde(borrow)]
    messages: Raw<'a>,
    #[serde(borrow)]
    stream: Raw<'a>,
    #[serde(borrow)]
    stream_options: Raw<'a>,
    #[serde(borrow)]
    max_tokens: Raw<'a>,
    #[serde(borrow)]
    max_completion_tokens: Raw<'a>,
    #[serde(borrow)]
    n: Raw<'a>,
    #[serde(borrow)]
    tools: Raw<'a>,
    #[serde(borrow)]
    tool_choice: Raw<'a>,
    #[serde(borrow)]
    response_format: Raw<'a>,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    role: Raw<'a>,
    #[serde(borrow)]
    content: Raw<'a>,
    #[serde(borrow)]
    tool_calls: Raw<'a>,
    #[serde(borrow)]
    tool_call_id: Raw<'a>,
}

#[derive(Deserialize, Default)]
struct StreamOptions {
    include_usage: Option<bool>,
}

/// Reads the body of a request.
pub(crate) fn decode(body: &[u8]) -> Result<Chat<'_>, ApiError> {
    let fields: Fields<'_> = object(body)?;
    let model: Text<'_> = required("model", fields.model, "a string")?;
    let messages: Vec<&RawValue> = required("messages", fields.messages, "a list of messages")?;
    if messages.is_empty() {
        return Err(ApiError::field("messages", "expected at least one message"));
    }
    let (mut bytes, mut last) = (0, (Cow::Borrowed(""), Cow::Borrowed("")));
    for (index, raw) in messages.iter().enumerate() {
        let (role, text) = message(raw).map_err(|(name, problem)| {
            ApiError::field(&format!("messages[{index}]{}{name}", if name.is_empty() { "" } else { "." }), problem)
        })?;
        bytes += text.len();
        last = (role, text);
    }
    let is_stream = optional("stream", fields.stream, "true or false")?.unwrap_or(false);
    let options: Option<StreamOptions> = optional("stream_options", fields.stream_options, "an object")?;
    if options.is_some() && !is_stream {
        return Err(ApiError::field("stream_options", "only allowed when 'stream' is true"));
    }
    let whole = "a whole number of at least 1";
    let most = optional("max_completion_tokens", fields.max_completion_tokens, whole)?;
    let old = optional("max_tokens", fields.max_tokens, whole)?;
    for (name, value) in [("max_completion_tokens", most), ("max_tokens", old)] {
        if value == Some(0) {
            return Err(ApiError::field(name, &format!("expected {whole}")));
        }
    }
    let choices = optional("n", fields.n, "a whole number")?.unwrap_or(1);
    if !(1..=MOST_CHOICES).contains(&choices) {
        return Err(ApiError::field("n", "expected a number from 1 to 16"));
    }
    let tools = Tool::decode(optional("tools", fields.tools, "a list of tools")?)?;
    let tool_choice = ToolChoice::decode(optional("tool_choice", fields.tool_choice, "a choice")?, &tools)?;
    Ok(Chat {
        model: model.0,
        prompt_tokens: tokens_of(bytes),
        last_role: last.0,
        last_text: last.1,
        is_stream,
        include_usage: options.and_then(|options| options.include_usage).unwrap_or(false),
        max_tokens: most.or(old),
        choices,
        tools,
        tool_choice,
        format: format(optional("response_format", fields.response_format, "an object")?)?,
    })
}

/// A field of a message, and what is wrong with it.
type Problem = (&'static str, &'static str);

/// Role and text of a message, or the field that is wrong and what is expected.
fn message(raw: &RawValue) -> Result<(Cow<'_, str>, Cow<'_, str>), Problem> {
    let message: Message<'_> = serde_json::from_str(raw.get()).map_err(|_| ("", "expected an object"))?;
    let role = message.role.and_then(|raw| serde_json::from_str::<Text<'_>>(raw.get()).ok());
    let role = role.map(|role| role.0).filter(|role| ROLES.contains(&&**role));
    let role = role.ok_or(("role", "expected system, developer, user, assistant, tool or function"))?;
    if role == "tool" && message.tool_call_id.is_none() {
        return Err(("tool_call_id", "a message of the role tool needs it"));
    }
    let text = match message.content.map(RawValue::get) {
        None | Some("null") if role == "assistant" || message.tool_calls.is_some() => Cow::Borrowed(""),
        None | Some("null") => return Err(("content", "expected a string or a list of parts")),
        Some(text) if text.starts_with('"') => {
            serde_json::from_str::<Text<'_>>(text).map_err(|_| ("content", "expected valid text"))?.0
        }
        Some(text) if text.starts_with('[') => parts(text)?.into(),
        Some(_) => return Err(("content", "expected a string or a list of parts")),
    };
    Ok((role, text))
}

/// The text in a list of parts; pictures and sounds have none.
fn parts(text: &str) -> Result<String, Problem> {
    let parts: Vec<Value> = serde_json::from_str(text).map_err(|_| ("content", "expected a list of parts"))?;
    let texts = parts.iter().map(|part| match part.get("type").and_then(Value::as_str) {
        Some("text" | "refusal") => {
            let text = part.get("text").or(part.get("refusal")).and_then(Value::as_str);
            text.ok_or(("content", "a part of the type text needs text"))
        }
        Some(_) => Ok(""),
        None => Err(("content", "a part needs a type")),
    });
    texts.collect()
}

fn format(value: Option<Value>) -> Result<Format, ApiError> {
    let Some(value) = value else { return Ok(Format::Text) };
    match value.get("type").and_then(Value::as_str) {
        Some("text") => Ok(Format::Text),
        Some("json_object") => Ok(Format::Json),
        Some("json_schema") => {
            let schema = value.pointer("/json_schema/schema").cloned();
            let named = value.pointer("/json_schema/name").is_some_and(Value::is_string);
            if !named {
                return Err(ApiError::missing("response_format.json_schema.name"));
            }
            schema.map(Format::Schema).ok_or_else(|| ApiError::missing("response_format.json_schema.schema"))
        }
        _ => Err(ApiError::field("response_format.type", "expected text, json_object or json_schema")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn param(body: &Value) -> Option<String> {
        decode(body.to_string().as_bytes()).err().and_then(|error| error.param)
    }

    #[test]
    fn what_is_asked_for_is_found_and_the_rest_ignored() {
        let body = json!({"model": "m", "temperature": 0.3, "unheard_of": {"x": []}, "stream": true, "n": 2,
            "stream_options": {"include_usage": true}, "max_tokens": 5, "max_completion_tokens": 7,
            "messages": [{"role": "system", "content": "abcd"},
                {"role": "user", "content": [{"type": "text", "text": "ef\n"}, {"type": "image_url", "image_url": {}}]}]});
        let body = body.to_string();
        let chat = decode(body.as_bytes()).unwrap();
        assert_eq!((&*chat.model, chat.prompt_tokens, chat.is_stream, chat.include_usage), ("m", 2, true, true));
        assert_eq!((&*chat.last_role, &*chat.last_text), ("user", "ef\n"));
        assert_eq!((chat.max_tokens, chat.choices, &chat.format), (Some(7), 2, &Format::Text));
        let null =
            r#"{"model":"m","stream":null,"tools":null,"n":null,"messages":[{"role":"assistant","content":null}]}"#;
        assert!(decode(null.as_bytes()).is_ok());
    }

    #[test]
    fn a_wrong_field_is_named() {
        let user = json!([{"role": "user", "content": "x"}]);
        for (body, name) in [
            (json!({"messages": user}), "model"),
            (json!({"model": 3, "messages": user}), "model"),
            (json!({"model": "m"}), "messages"),
            (json!({"model": "m", "messages": []}), "messages"),
            (json!({"model": "m", "messages": "x"}), "messages"),
            (json!({"model": "m", "messages": ["x"]}), "messages[0]"),
            (
                json!({"model": "m", "messages": [{"role": "user", "content": "x"}, {"role": "robot", "content": "x"}]}),
                "messages[1].role",
            ),
            (json!({"model": "m", "messages": [{"role": "user"}]}), "messages[0].content"),
            (json!({"model": "m", "messages": [{"role": "user", "content": 7}]}), "messages[0].content"),
            (json!({"model": "m", "messages": [{"role": "tool", "content": "x"}]}), "messages[0].tool_call_id"),
            (json!({"model": "m", "messages": user, "stream": "yes"}), "stream"),
            (json!({"model": "m", "messages": user, "stream_options": {}}), "stream_options"),
            (json!({"model": "m", "messages": user, "max_tokens": 0}), "max_tokens"),
            (json!({"model": "m", "messages": user, "max_completion_tokens": -1}), "max_completion_tokens"),
            (json!({"model": "m", "messages": user, "n": 17}), "n"),
            (json!({"model": "m", "messages": user, "tools": {}}), "tools"),
            (json!({"model": "m", "messages": user, "tools": [{}]}), "tools[0].function.name"),
            (json!({"model": "m", "messages": user, "tool_choice": "sometimes"}), "tool_choice"),
            (json!({"model": "m", "messages": user, "tool_choice": "required"}), "tool_choice"),
            (json!({"model": "m", "messages": user, "response_format": {"type": "xml"}}), "response_format.type"),
            (
                json!({"model": "m", "messages": user, "response_format": {"type": "json_schema"}}),
                "response_format.json_schema.name",
            ),
        ] {
            assert_eq!(param(&body).as_deref(), Some(name), "{body}");
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for body in [&b""[..], b"{", b"[]", b"null", b"\xff\xfe", b"{\"model\": \"\\ud800\", \"messages\": []}"] {
            assert_eq!(decode(body).unwrap_err().status, 400, "{body:?}");
        }
        let deep = format!("{{\"model\":\"m\",\"x\":{}", "[".repeat(100_000));
        assert_eq!(decode(deep.as_bytes()).unwrap_err().status, 400);
    }
}
