//! What does a reply of the Messages interface say? Whole, or as the events of a stream. Read tolerantly: kinds of blocks and events
//! that are not known say nothing.

use callboard_actors::chat::{ChatChunk, ChatReply, Finish, TokenUsage, ToolCall};
use callboard_actors::error::ModelError;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::errors::{Said, in_a_reply};
use super::request::FORM;
use crate::providers::caller;
use crate::providers::refusal::{unreadable, used};
use crate::providers::usage::{Count, counts};

/// The most blocks that one reply may have.
const MOST_BLOCKS: usize = 256;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Message<'a> {
    #[serde(borrow, deserialize_with = "or_none")]
    content: Vec<Block<'a>>,
    stop_reason: Option<String>,
    #[serde(deserialize_with = "counts")]
    usage: Option<Usage>,
    error: Option<Said>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Block<'a> {
    r#type: String,
    #[serde(deserialize_with = "or_none")]
    text: String,
    #[serde(deserialize_with = "or_none")]
    id: String,
    #[serde(deserialize_with = "or_none")]
    name: String,
    #[serde(borrow)]
    input: Option<&'a RawValue>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Usage {
    input_tokens: Count,
    output_tokens: Count,
    cache_creation_input_tokens: Count,
    cache_read_input_tokens: Count,
}

impl Usage {
    /// What was read from or written to the vendor's own cache was asked, too.
    fn input(&self) -> Count {
        match self.input_tokens {
            Count::Untold => Count::Untold,
            input => input.and(self.cache_creation_input_tokens).and(self.cache_read_input_tokens),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event<'a> {
    r#type: String,
    index: usize,
    #[serde(borrow)]
    message: Option<Message<'a>>,
    #[serde(borrow)]
    content_block: Option<Block<'a>>,
    #[serde(deserialize_with = "or_none")]
    delta: Delta,
    #[serde(deserialize_with = "counts")]
    usage: Option<Usage>,
    error: Option<Said>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Delta {
    r#type: String,
    #[serde(deserialize_with = "or_none")]
    text: String,
    #[serde(deserialize_with = "or_none")]
    partial_json: String,
    stop_reason: Option<String>,
}

/// What cannot be read is not the JSON of this.
const WHAT: &str = "a message";

/// A field that servers write as `null`, too.
fn or_none<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(json: D) -> Result<T, D::Error> {
    Option::deserialize(json).map(Option::unwrap_or_default)
}

/// A reply in one piece.
pub(super) fn whole(json: &[u8]) -> Result<ChatReply, ModelError> {
    let message: Message<'_> = serde_json::from_slice(json).map_err(|error| unreadable(json, &error, WHAT))?;
    let mut growing = Growing::default();
    growing.count(message.usage.as_ref(), true);
    if let Some(error) = message.error {
        return Err(used(in_a_reply(&error), message.usage.map(|_| growing.usage())));
    }
    growing.stop_reason = message.stop_reason;
    for (index, block) in message.content.into_iter().enumerate() {
        growing.begin(index, block)?;
    }
    if growing.stop_reason.is_none() && growing.blocks.is_empty() {
        return Err(ModelError::Malformed("it is empty".to_owned()));
    }
    caller::Growing::end(growing)
}

/// What a block becomes.
#[derive(Debug)]
enum Part {
    /// Of the text.
    Text(String),
    /// A tool call, with its number among them.
    Call(usize, ToolCall),
    /// The reply of a form.
    Form(String),
    /// Something that is no part of the reply, such as what a model thinks.
    Other,
}

/// A reply that grows.
#[derive(Debug, Default)]
pub(super) struct Growing {
    blocks: Vec<Part>,
    calls: usize,
    stop_reason: Option<String>,
    input: Count,
    output: Count,
    received: usize,
    has_thought: bool,
    is_over: bool,
}

impl Growing {
    /// What is told last stands, also if it cannot be read: what was told before is too low then, as is the output that is told at the
    /// beginning.
    fn count(&mut self, usage: Option<&Usage>, is_final: bool) {
        let Some(usage) = usage else { return };
        self.input = usage.input().or(self.input);
        if is_final {
            self.output = usage.output_tokens;
        }
    }

    /// Unknown unless both are known: half of it would be less than what was used.
    fn usage(&self) -> Option<TokenUsage> {
        Some(TokenUsage { input: self.input.known()?, output: self.output.known()? })
    }

    fn begin(&mut self, index: usize, block: Block<'_>) -> Result<Option<ChatChunk>, ModelError> {
        if index >= MOST_BLOCKS {
            return Err(ModelError::Malformed(format!("it has more than {MOST_BLOCKS} blocks")));
        }
        while self.blocks.len() <= index {
            self.blocks.push(Part::Other);
        }
        // In a stream it begins empty, and grows.
        let input = block.input.map(|input| input.get().to_owned()).filter(|input| input != "{}").unwrap_or_default();
        let (part, chunk) = match block.r#type.as_str() {
            "text" => {
                let chunk = (!block.text.is_empty()).then(|| ChatChunk::Text(block.text.clone()));
                (Part::Text(block.text), chunk)
            }
            "tool_use" if block.name == FORM => {
                let chunk = (!input.is_empty()).then(|| ChatChunk::Text(input.clone()));
                (Part::Form(input), chunk)
            }
            "tool_use" => {
                let number = self.calls;
                self.calls += 1;
                let (name, arguments) = (Some(block.name.clone()), input.clone());
                let chunk = ChatChunk::ToolCall { index: number, name, arguments };
                (Part::Call(number, ToolCall { id: block.id, name: block.name, arguments: input }), Some(chunk))
            }
            _ => {
                self.has_thought = true;
                (Part::Other, None)
            }
        };
        self.received += chunk.as_ref().map_or(0, size);
        self.blocks[index] = part;
        Ok(chunk)
    }

    fn grow(&mut self, index: usize, delta: Delta) -> Option<ChatChunk> {
        let chunk = match (self.blocks.get_mut(index)?, delta.r#type.as_str()) {
            (Part::Text(text), "text_delta") => {
                text.push_str(&delta.text);
                ChatChunk::Text(delta.text)
            }
            (Part::Form(form), "input_json_delta") => {
                form.push_str(&delta.partial_json);
                ChatChunk::Text(delta.partial_json)
            }
            (Part::Call(number, call), "input_json_delta") => {
                call.arguments.push_str(&delta.partial_json);
                ChatChunk::ToolCall { index: *number, name: None, arguments: delta.partial_json }
            }
            _ => {
                self.has_thought = true;
                return None;
            }
        };
        self.received += size(&chunk);
        (size(&chunk) > 0).then_some(chunk)
    }
}

fn size(chunk: &ChatChunk) -> usize {
    match chunk {
        ChatChunk::Text(text) => text.len(),
        ChatChunk::ToolCall { name, arguments, .. } => arguments.len() + name.as_ref().map_or(0, String::len),
        _ => 0,
    }
}

impl caller::Growing for Growing {
    fn take(&mut self, event: &[u8]) -> Result<Vec<ChatChunk>, ModelError> {
        let event: Event<'_> = serde_json::from_slice(event).map_err(|error| unreadable(event, &error, WHAT))?;
        match event.r#type.as_str() {
            "message_start" => {
                self.count(event.message.and_then(|message| message.usage).as_ref(), false);
            }
            "content_block_start" => {
                let begun = event.content_block.map(|block| self.begin(event.index, block)).transpose()?;
                return Ok(begun.flatten().into_iter().collect());
            }
            "content_block_delta" => return Ok(self.grow(event.index, event.delta).into_iter().collect()),
            "message_delta" => {
                self.count(event.usage.as_ref(), true);
                self.stop_reason = event.delta.stop_reason.or(self.stop_reason.take());
            }
            "message_stop" => self.is_over = true,
            "error" => return Err(in_a_reply(&event.error.unwrap_or_default())),
            _ => {}
        }
        Ok(Vec::new())
    }

    fn is_over(&self) -> bool {
        self.is_over
    }

    fn is_finished(&self) -> bool {
        self.stop_reason.is_some() || self.is_over
    }

    fn has_begun(&self) -> bool {
        self.has_thought || self.received > 0
    }

    fn has_worked(&self) -> bool {
        self.has_begun() || self.input != Count::Untold
    }

    fn received(&self) -> usize {
        self.received
    }

    fn end(self) -> Result<ChatReply, ModelError> {
        let mut reply = ChatReply { usage: self.usage(), ..ChatReply::default() };
        let mut has_form = false;
        for part in self.blocks {
            match part {
                Part::Text(text) => reply.text.push_str(&text),
                Part::Form(form) => {
                    // What it says beside the form is no part of it.
                    reply.text = form;
                    has_form = true;
                    break;
                }
                Part::Call(_, mut call) => {
                    if call.arguments.is_empty() {
                        call.arguments = "{}".to_owned();
                    }
                    reply.tool_calls.push(call);
                }
                Part::Other => {}
            }
        }
        reply.finish = match self.stop_reason.as_deref() {
            Some("max_tokens" | "model_context_window_exceeded") => Finish::Length,
            _ if has_form => Finish::Done,
            Some("end_turn" | "stop_sequence") => Finish::Done,
            Some("tool_use") => Finish::ToolCalls,
            // The vendor has paused a long turn, which it goes on with if it gets all of it back, with the work of tools of its own: there is
            // no room for that in a conversation here.
            Some("pause_turn") => {
                let message = "the turn is paused (`pause_turn`), and not over".to_owned();
                return Err(ModelError::Broken { received: self.received, message }.with_usage(reply.usage));
            }
            Some("refusal") => {
                let refused = ModelError::ContentRefused("the model refused to answer".to_owned());
                return Err(refused.with_usage(reply.usage));
            }
            Some(other) => Finish::Other(other.to_owned()),
            None => Finish::Other("unknown".to_owned()),
        };
        Ok(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::caller::Growing as _;
    use super::*;

    /// Documented, not recorded: after the examples of https://docs.anthropic.com/en/api/messages and its page on streaming, written from
    /// memory on 2026-11-26.
    #[test]
    fn a_whole_reply_is_text_calls_and_usage() {
        let text = br#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"Hi!"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":2095,"output_tokens":503}}"#;
        let expected = ChatReply { usage: Some(TokenUsage { input: 2095, output: 503 }), ..ChatReply::text("Hi!") };
        assert_eq!(whole(text), Ok(expected));
        let tool = br#"{"content":[{"type":"thinking","thinking":"hm"},{"type":"text","text":"I'll look."},{"type":"tool_use","id":"toolu_1","name":"get_weather","input":{"location":"Oslo"}}],"stop_reason":"tool_use","usage":{"input_tokens":3,"cache_read_input_tokens":4,"output_tokens":5}}"#;
        let reply = whole(tool).unwrap();
        assert_eq!(
            (reply.text.as_str(), reply.finish, reply.usage.unwrap().input),
            ("I'll look.", Finish::ToolCalls, 7)
        );
        assert_eq!(reply.tool_calls[0].arguments, r#"{"location":"Oslo"}"#);
        let form = br#"{"content":[{"type":"text","text":"Here."},{"type":"tool_use","id":"1","name":"callboard_reply","input":{"a":1}}],"stop_reason":"tool_use"}"#;
        let reply = whole(form).unwrap();
        assert_eq!((reply.text.as_str(), reply.tool_calls.len(), reply.finish), (r#"{"a":1}"#, 0, Finish::Done));
        let cut = br#"{"content":[{"type":"tool_use","id":"1","name":"callboard_reply","input":{}}],"stop_reason":"max_tokens"}"#;
        assert_eq!(whole(cut).unwrap().finish, Finish::Length);
        for json in [&b"{}"[..], b"[", br#"{"content":{"a":1}}"#] {
            assert!(matches!(whole(json), Err(ModelError::Malformed(_))));
        }
        let refused = br#"{"content":[],"stop_reason":"refusal"}"#;
        let error = whole(refused).unwrap_err();
        assert!(matches!(&error, ModelError::WithUsage { error, usage: None } if error.code() == "content_refused"));
        let paused = br#"{"content":[{"type":"text","text":"I look."},{"type":"server_tool_use","id":"s","name":"web_search","input":{}}],"stop_reason":"pause_turn"}"#;
        let ModelError::WithUsage { error, usage: None } = whole(paused).unwrap_err() else { panic!("no usage") };
        assert!(matches!(*error, ModelError::Broken { received: 7, .. }));
    }

    #[test]
    fn a_stream_grows_to_the_same() {
        let events = [
            r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"stop_reason":null,"usage":{"input_tokens":25,"output_tokens":1}}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"ping"}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"lo"}}"#,
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"toolu_1","name":"get_weather","input":{}}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":""}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"location\":"}}"#,
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":" \"Oslo\"}"}}"#,
            r#"{"type":"content_block_stop","index":1}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":15}}"#,
        ];
        let mut growing = Growing::default();
        let mut chunks = Vec::new();
        for event in events {
            assert!(!growing.is_finished() && !growing.is_over(), "{event}");
            chunks.extend(growing.take(event.as_bytes()).unwrap());
        }
        assert!(growing.is_finished() && !growing.is_over());
        assert_eq!(growing.take(br#"{"type":"message_stop"}"#), Ok(Vec::new()));
        assert!(growing.is_over());
        let texts = chunks.iter().filter(|chunk| matches!(chunk, ChatChunk::Text(_))).count();
        assert_eq!((texts, chunks.len(), growing.received()), (2, 5, 5 + 11 + 20));
        let reply = growing.end().unwrap();
        assert_eq!((reply.text.as_str(), reply.usage), ("Hello", Some(TokenUsage { input: 25, output: 15 })));
        assert_eq!(
            (reply.tool_calls[0].arguments.as_str(), reply.finish),
            (r#"{"location": "Oslo"}"#, Finish::ToolCalls)
        );
        let overloaded = br#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        assert!(matches!(Growing::default().take(overloaded), Err(ModelError::Unavailable { status: 500, .. })));
    }
}
