//! What does a reply of Chat Completions say? Read tolerantly: servers leave fields out, and invent values.

use callboard_actors::chat::{ChatChunk, ChatReply, Finish, TokenUsage, ToolCall};
use callboard_actors::error::ModelError;
use serde::Deserialize;
use serde_json::Value;

use super::content::Content;
use super::errors;
use super::first::{Numbered, first};
use crate::providers::caller;
use crate::providers::refusal::{short, unreadable, used};
use crate::providers::usage::{count, counts};

/// The most tool calls that one reply may have.
const MOST_CALLS: usize = 128;

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
    index: Option<u64>,
    /// Of a reply in one piece.
    message: Option<Message>,
    /// Of a piece.
    delta: Option<Message>,
    finish_reason: Option<String>,
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
    index: Option<usize>,
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
            for (place, call) in message.tool_calls.unwrap_or_default().into_iter().enumerate() {
                let more = self.take_call(call, place)?;
                if let Some(new) = new.as_deref_mut() {
                    new.push(more);
                }
            }
        }
        if choice.finish_reason.as_ref().is_some_and(|reason| !reason.is_empty()) {
            self.finish = choice.finish_reason;
        }
        Ok(())
    }

    fn take_call(&mut self, call: Call, place: usize) -> Result<ChatChunk, ModelError> {
        let calls = &mut self.reply.tool_calls;
        // A server that does not number its calls sends each of them whole.
        let index = call.index.unwrap_or(if call.id.is_some() { calls.len() } else { place });
        if index >= MOST_CALLS {
            return Err(ModelError::Malformed(format!("it calls more than {MOST_CALLS} tools")));
        }
        while calls.len() <= index {
            calls.push(ToolCall { id: String::new(), name: String::new(), arguments: String::new() });
        }
        let known = &mut calls[index];
        if let Some(id) = call.id.filter(|id| !id.is_empty()) {
            known.id = id;
        }
        let function = call.function.unwrap_or_default();
        let name = function.name.filter(|name| !name.is_empty());
        if let Some(name) = &name {
            known.name.clone_from(name);
        }
        let arguments = match function.arguments {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text,
            Some(object) => object.to_string(),
        };
        known.arguments.push_str(&arguments);
        Ok(ChatChunk::ToolCall { index, name, arguments })
    }
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
        let calls: usize = self.reply.tool_calls.iter().map(|call| call.name.len() + call.arguments.len()).sum();
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
        for (number, call) in self.reply.tool_calls.iter_mut().enumerate() {
            if call.id.is_empty() {
                call.id = format!("call_{number}");
            }
        }
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
        let busy = r#"{"error":{"message":"Busy","code":503}}"#;
        assert!(matches!(whole(busy.as_bytes()), Err(ModelError::Unavailable { status: 503, .. })));
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
            {"function":{"name":"sub"}}]},"finish_reason":"tool_calls"}]}"#;
        let calls = vec![call("call_0", "add", r#"{"x":1}"#), call("call_1", "sub", "")];
        assert_eq!(whole(unnumbered.as_bytes()).unwrap().tool_calls, calls);
        let many = r#"{"choices":[{"message":{"tool_calls":[{"index":4000000000}]}}]}"#;
        assert!(matches!(whole(many.as_bytes()), Err(ModelError::Malformed(_))));
    }
}
