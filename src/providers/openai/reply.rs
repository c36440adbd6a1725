//! What does a reply of Chat Completions say? Read tolerantly: servers leave fields out, and invent values.

use callboard_actors::chat::{ChatChunk, ChatReply, Finish, TokenUsage};
use callboard_actors::error::ModelError;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::calls::{Calls, Piece};
use super::content::Content;
use super::errors;
use super::first::{Numbered, first};
use crate::providers::caller;
use crate::providers::refusal::{short, unreadable, used};
use crate::providers::usage::{count, counts};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Completion {
    #[serde(rename = "choices", deserialize_with = "first")]
    choice: Option<Choice>,
    #[serde(deserialize_with = "counts")]
    usage: Option<Usage>,
    error: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Choice {
    #[serde(deserialize_with = "index")]
    index: Option<u64>,
    /// Of a reply in one piece.
    message: Option<Message>,
    /// Of a piece.
    delta: Option<Message>,
    finish_reason: Option<String>,
    /// Why it ends with an error, as OpenRouter says it.
    error: Option<Value>,
}

impl Numbered for Choice {
    fn index(&self) -> Option<u64> {
        self.index
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message {
    content: Option<Content>,
    refusal: Option<String>,
    tool_calls: Option<Vec<Call>>,
    /// What a model thinks before it answers, as llama.cpp and LiteLLM call it.
    reasoning_content: Option<Content>,
    /// The same, as vLLM calls it.
    reasoning: Option<Content>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Call {
    #[serde(deserialize_with = "index")]
    index: Option<u64>,
    #[serde(deserialize_with = "id")]
    id: Option<String>,
    function: Option<Function>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Function {
    name: Option<String>,
    /// A string as it should be, or the object that some servers send.
    arguments: Option<Value>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Usage {
    #[serde(deserialize_with = "count")]
    prompt_tokens: Option<u64>,
    #[serde(deserialize_with = "count")]
    completion_tokens: Option<u64>,
}

impl Usage {
    /// Unknown unless both are said: half of it would be less than what was used.
    fn known(self) -> Option<TokenUsage> {
        Some(TokenUsage { input: self.prompt_tokens?, output: self.completion_tokens? })
    }
}

/// A reply that grows, from one piece or from many.
#[derive(Debug, Default)]
pub(super) struct Growing {
    reply: ChatReply,
    calls: Calls,
    refusal: String,
    finish: Option<String>,
    /// The model has thought aloud. That is no part of its reply, but no silence either.
    has_thought: bool,
    is_over: bool,
}

impl Growing {
    /// Reads a reply, or a piece of one, and says what is new in it to whoever asks.
    fn read(&mut self, json: &[u8], mut new: Option<&mut Vec<ChatChunk>>) -> Result<(), ModelError> {
        let completion: Completion =
            serde_json::from_slice(json).map_err(|error| unreadable(json, &error, "a chat completion"))?;
        let usage = completion.usage.map(Usage::known);
        if let Some(error) = completion.error.filter(|error| !error.is_null()) {
            return Err(used(errors::in_a_reply(&error), usage));
        }
        self.reply.usage = usage.unwrap_or(self.reply.usage);
        let Some(choice) = completion.choice else { return Ok(()) };
        if let Some(message) = choice.message.or(choice.delta) {
            let text = match message.content.unwrap_or_default() {
                Content::Text(text) => text,
                Content::Other => {
                    return Err(ModelError::Malformed("its content is neither a text nor a list of parts".to_owned()));
                }
            };
            if let Some(new) = new.as_deref_mut().filter(|_| !text.is_empty()) {
                new.push(ChatChunk::Text(text.clone()));
            }
            append(&mut self.reply.text, text);
            self.refusal.push_str(&message.refusal.unwrap_or_default());
            let thought = message.reasoning_content.or(message.reasoning);
            self.has_thought |= matches!(thought, Some(Content::Text(thought)) if !thought.is_empty());
            for call in message.tool_calls.unwrap_or_default() {
                let more = self.take_call(call, new.is_none())?;
                if let Some(new) = new.as_deref_mut() {
                    new.push(more);
                }
            }
        }
        if let Some(error) = choice.error.filter(|error| !error.is_null()) {
            return Err(used(errors::in_a_reply(&error), usage));
        }
        if choice.finish_reason.as_deref() == Some("error") {
            let message = "the model ended with an error, and the server does not say which".to_owned();
            let broken = ModelError::Broken { received: caller::Growing::received(self), message };
            return Err(used(broken, usage));
        }
        if choice.finish_reason.as_ref().is_some_and(|reason| !reason.is_empty()) {
            self.finish = choice.finish_reason;
        }
        Ok(())
    }

    fn take_call(&mut self, call: Call, is_whole: bool) -> Result<ChatChunk, ModelError> {
        let function = call.function.unwrap_or_default();
        let name = function.name.filter(|name| !name.is_empty());
        let arguments = match function.arguments {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text,
            Some(object) => object.to_string(),
        };
        let id = call.id.as_deref().filter(|id| !id.is_empty());
        let piece = Piece { index: call.index, id, name: name.as_deref(), arguments: &arguments };
        let (index, is_new) = self.calls.take(piece, is_whole)?;
        Ok(ChatChunk::ToolCall { index, name, arguments: if is_new { arguments } else { String::new() } })
    }
}

/// A number as a server writes it, or `None` of what is none.
fn index<'de, D: Deserializer<'de>>(json: D) -> Result<Option<u64>, D::Error> {
    Ok(match Value::deserialize(json)? {
        Value::Number(number) => number.as_u64(),
        Value::String(number) => number.trim().parse().ok(),
        _ => None,
    })
}

/// The name of a call, which some servers write as a number.
fn id<'de, D: Deserializer<'de>>(json: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(json)? {
        Value::String(id) => Some(id),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

impl caller::Growing for Growing {
    fn take(&mut self, json: &[u8]) -> Result<Vec<ChatChunk>, ModelError> {
        let mut new = Vec::new();
        match json {
            b"[DONE]" => self.is_over = true,
            _ => self.read(json, Some(&mut new))?,
        }
        Ok(new)
    }

    fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether the model has said why it ends: what comes after it is about the call, and not of the reply.
    fn is_finished(&self) -> bool {
        self.finish.is_some()
    }

    /// Whether the model has begun: with its reply, or with what it thinks before.
    fn has_begun(&self) -> bool {
        self.has_thought || self.received() > 0
    }

    fn has_worked(&self) -> bool {
        self.has_begun() || self.reply.usage.is_some()
    }

    /// How much has come: bytes of text, and of the names and arguments of tool calls.
    fn received(&self) -> usize {
        let calls: usize = self.calls.iter().map(|call| call.name.len() + call.arguments.len()).sum();
        self.reply.text.len() + calls
    }

    /// The whole reply.
    fn end(mut self) -> Result<ChatReply, ModelError> {
        if !self.refusal.is_empty() && self.reply.text.is_empty() {
            return Err(ModelError::ContentRefused(short(&self.refusal)).with_usage(self.reply.usage));
        }
        self.reply.finish = match self.finish.as_deref() {
            Some("stop") => Finish::Done,
            Some("length" | "max_tokens") => Finish::Length,
            Some("tool_calls" | "function_call") => Finish::ToolCalls,
            Some("content_filter") => {
                let refused = ModelError::ContentRefused("the provider's filter cut the reply".to_owned());
                return Err(refused.with_usage(self.reply.usage));
            }
            Some(other) => Finish::Other(other.to_owned()),
            None => Finish::Other("unknown".to_owned()),
        };
        self.reply.tool_calls = self.calls.end();
        Ok(self.reply)
    }
}

/// Copies nothing when that is all.
fn append(text: &mut String, more: String) {
    match text.is_empty() {
        true => *text = more,
        false => text.push_str(&more),
    }
}

/// A reply in one piece. One without a choice is none.
pub(super) fn whole(json: &[u8]) -> Result<ChatReply, ModelError> {
    let mut growing = Growing::default();
    growing.read(json, None)?;
    if growing.finish.is_none() && caller::Growing::received(&growing) == 0 && growing.refusal.is_empty() {
        return Err(ModelError::Malformed("it holds no choice".to_owned()));
    }
    caller::Growing::end(growing)
}

#[cfg(test)]
mod tests {
    use callboard_actors::chat::ToolCall;

    use super::caller::Growing as _;
    use super::*;

    const USED: Option<TokenUsage> = Some(TokenUsage { input: 3, output: 2 });

    #[test]
    fn replies_of_every_server_are_read() {
        let done = |text: &str, usage| ChatReply { usage, ..ChatReply::text(text) };
        let table = [
            (
                r#"{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":
                {"role":"assistant","content":"Hello","refusal":null},"logprobs":null,"finish_reason":"stop"}],
                "usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#,
                done("Hello", USED),
            ),
            (
                r#"{"choices":[{"message":{"content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3}}"#,
                done("Hello", None),
            ),
            (
                r#"{"choices":[{"message":{"content":[{"type":"text","text":"Hel"},{"text":"lo"}]},"finish_reason":"eos"}]}"#,
                ChatReply { finish: Finish::Other("eos".to_owned()), ..done("Hello", None) },
            ),
            (
                r#"{"choices":[{"index":1,"message":{"content":"No"}},{"index":0,"message":{"content":"Hello"},
                "finish_reason":"max_tokens"}],"usage":null,"error":null}"#,
                ChatReply { finish: Finish::Length, ..done("Hello", None) },
            ),
        ];
        for (json, reply) in table {
            assert_eq!(whole(json.as_bytes()), Ok(reply), "{json}");
        }
    }

    #[test]
    fn what_is_no_reply_says_so_without_its_text() {
        let table = [
            ("", "it is empty"),
            ("{\"choices\":[]}", "it holds no choice"),
            ("{\"object\":\"secret\"", "it is the beginning of JSON, and not a chat completion"),
            ("{\"choices\":\"secret\"}", "it is JSON, and not that of a chat completion"),
            (r#"{"error":{"message":"Broken","code":"odd"}}"#, "it holds an error: Broken"),
            (r#"{"choices":[{"message":{"content":42},"finish_reason":"stop"}]}"#, "its content is neither"),
            (r#"{"choices":[{"delta":{"content":{"a":1}},"finish_reason":"stop"}]}"#, "its content is neither"),
        ];
        for (json, message) in table {
            let error = whole(json.as_bytes()).unwrap_err();
            assert!(matches!(&error, ModelError::Malformed(text) if text.starts_with(message)), "{json}: {error:?}");
            assert!(!error.to_string().contains("secret"));
        }
        let filtered = r#"{"choices":[{"message":{"content":"x"},"finish_reason":"content_filter"}]}"#;
        let refused = r#"{"choices":[{"message":{"content":null,"refusal":"I will not"},"finish_reason":"stop"}]}"#;
        for json in [filtered, refused] {
            let error = whole(json.as_bytes()).unwrap_err();
            let ModelError::WithUsage { error, usage: None } = error else { panic!("{json}: {error:?}") };
            assert_eq!(error.code(), "content_refused", "{json}");
        }
        let usage = r#""usage":{"prompt_tokens":20,"completion_tokens":3}"#;
        for error in [r#"{"code":429,"message":"Slow"}"#, "null"] {
            let told = format!(
                r#"{{"choices":[{{"message":{{"content":"Hi"}},"finish_reason":"error","error":{error}}}],{usage}}}"#
            );
            let used = TokenUsage { input: 20, output: 3 };
            assert!(
                matches!(whole(told.as_bytes()), Err(ModelError::WithUsage { usage: Some(told), .. }) if told == used),
                "{told}"
            );
        }
        let busy = r#"{"error":{"message":"Busy","code":503}}"#;
        assert!(matches!(whole(busy.as_bytes()), Err(ModelError::Unavailable { status: 503, .. })));
        for said in ["message", "delta"] {
            let choice = |error: &str| {
                format!(r#"{{"choices":[{{"{said}":{{"content":"Hi"}},"finish_reason":"error","error":{error}}}]}}"#)
            };
            let [of_a_choice, unsaid] = [r#"{"code":502,"message":"Down"}"#, "null"].map(choice);
            assert!(matches!(whole(of_a_choice.as_bytes()), Err(ModelError::Unavailable { status: 502, .. })));
            assert!(matches!(Growing::default().take(of_a_choice.as_bytes()), Err(ModelError::Unavailable { .. })));
            assert!(matches!(whole(unsaid.as_bytes()), Err(ModelError::Broken { received: 2, .. })), "{unsaid}");
            assert!(matches!(Growing::default().take(unsaid.as_bytes()), Err(ModelError::Broken { .. })), "{unsaid}");
        }
    }

    #[test]
    fn tool_calls_grow_from_pieces_and_come_whole() {
        let mut growing = Growing::default();
        let pieces = [
            r#"{"choices":[{"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"a","type":"function",
            "function":{"name":"add","arguments":""}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\":"}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":1,"id":"b","function":{"name":"sub","arguments":"{}"}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"1}"}}]}}]}"#,
            r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#,
            r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#,
        ];
        let chunks: Vec<_> = pieces.iter().flat_map(|piece| growing.take(piece.as_bytes()).unwrap()).collect();
        assert_eq!(chunks.len(), 4);
        let call = |id: &str, name: &str, arguments: &str| ToolCall {
            id: id.to_owned(),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
        };
        let calls = vec![call("a", "add", r#"{"x":1}"#), call("b", "sub", "{}")];
        let expected = ChatReply { tool_calls: calls, finish: Finish::ToolCalls, usage: USED, ..ChatReply::default() };
        assert_eq!(growing.end(), Ok(expected));

        let unnumbered = r#"{"choices":[{"message":{"tool_calls":[{"function":{"name":"add","arguments":{"x":1}}},
            {"function":{"name":"sub"}},{"function":{"name":"sub","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}"#;
        let calls = vec![call("", "add", r#"{"x":1}"#), call("", "sub", ""), call("", "sub", "{}")];
        assert_eq!(whole(unnumbered.as_bytes()).unwrap().tool_calls, calls);
    }

    #[test]
    fn numbers_and_ids_of_calls_are_read_however_they_are_written() {
        for (index, id, read) in [
            ("0", r#""7""#, "7"),
            (r#""0""#, "7", "7"),
            ("-1", "-7", "-7"),
            ("1.5", "null", ""),
            ("null", r#"["7"]"#, ""),
            (r#""first""#, "true", ""),
            ("4000000000", r#""""#, ""),
            ("18446744073709551616", "7.5", "7.5"),
        ] {
            let calls = format!(
                r#"{{"choices":[{{"index":INDEX,"delta":{{"tool_calls":[{{"index":INDEX,"id":{id},"function":
                {{"name":"add","arguments":"{{"}}}},{{"index":INDEX,"function":{{"arguments":"}}"}}}}]}}}}]}}"#
            );
            let mut growing = Growing::default();
            // The number of a choice that is another one is another matter.
            let calls =
                calls.replacen("INDEX", if index == "4000000000" { "0" } else { index }, 1).replace("INDEX", index);
            assert_eq!(growing.take(calls.as_bytes()).map(|chunks| chunks.len()), Ok(2), "{calls}");
            let calls = growing.end().unwrap().tool_calls;
            let called = ToolCall { id: read.to_owned(), name: "add".to_owned(), arguments: "{}".to_owned() };
            assert_eq!(calls, [called], "{index} {id}");
        }
    }
}
