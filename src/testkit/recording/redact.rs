//! Where in a request and in what came back may a key be? In every text there is. Pure.
//!
//! Each struct is taken apart by its fields: one that is added does not compile until it stands here.

use std::collections::BTreeMap;
use std::sync::Arc;

use callboard_actors::chat::{
    ChatChunk, ChatReply, ChatRequest, Finish, ReplyForm, ToolCall, ToolChoice, ToolSpec, Turn,
};
use callboard_actors::error::ModelError;
use serde_json::Value;

use super::file::{Exchange, Outcome, TimedChunk};
use super::secrets::Secrets;

impl Secrets {
    /// All of it without keys. `None` for an error that cannot be written as JSON.
    pub(super) fn exchange(&self, exchange: Exchange) -> Option<Exchange> {
        let Exchange { request, chunks, took_us, outcome } = exchange;
        let outcome = match outcome {
            Outcome::Reply(reply) => Outcome::Reply(self.reply(reply)),
            Outcome::Error(error) => Outcome::Error(self.error(&error)?),
        };
        Some(Exchange { request: self.request(&request), chunks: self.chunks(chunks), took_us, outcome })
    }

    /// A request without keys: what requests are compared by.
    pub(super) fn request(&self, request: &ChatRequest) -> ChatRequest {
        let ChatRequest { turns, max_output_tokens, tools, tool_choice, form, temperature } = request;
        ChatRequest {
            turns: turns.iter().map(|turn| self.turn(turn)).collect(),
            max_output_tokens: *max_output_tokens,
            tools: tools.iter().map(|tool| Arc::new(self.tool(tool))).collect(),
            tool_choice: match tool_choice {
                ToolChoice::Named(name) => ToolChoice::Named(self.text(name)),
                other => other.clone(),
            },
            form: match form {
                ReplyForm::Text => ReplyForm::Text,
                ReplyForm::Json { name, schema } => {
                    ReplyForm::Json { name: self.text(name), schema: self.value(schema).into() }
                }
            },
            temperature: *temperature,
        }
    }

    fn turn(&self, turn: &Turn) -> Turn {
        let Turn { role, text, tool_calls, answers } = turn;
        Turn {
            role: *role,
            text: self.text(text),
            tool_calls: tool_calls.iter().map(|call| self.call(call)).collect(),
            answers: answers.as_deref().map(|id| self.text(id)),
        }
    }

    fn call(&self, call: &ToolCall) -> ToolCall {
        let ToolCall { id, name, arguments } = call;
        ToolCall { id: self.text(id), name: self.text(name), arguments: self.text(arguments) }
    }

    fn tool(&self, tool: &ToolSpec) -> ToolSpec {
        let ToolSpec { name, description, parameters } = tool;
        ToolSpec {
            name: self.text(name),
            description: self.text(description),
            parameters: self.value(parameters).into(),
        }
    }

    fn reply(&self, reply: ChatReply) -> ChatReply {
        let ChatReply { text, tool_calls, finish, usage, headroom } = reply;
        ChatReply {
            text: self.text(&text),
            tool_calls: tool_calls.iter().map(|call| self.call(call)).collect(),
            finish: match finish {
                Finish::Other(why) => Finish::Other(self.text(&why)),
                known => known,
            },
            usage,
            headroom,
        }
    }

    /// What a provider said is in it.
    fn error(&self, error: &ModelError) -> Option<ModelError> {
        serde_json::from_value(self.value(&serde_json::to_value(error).ok()?)).ok()
    }

    fn value(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text)),
            Value::Array(values) => values.iter().map(|value| self.value(value)).collect(),
            Value::Object(fields) => fields.iter().map(|(name, value)| (self.text(name), self.value(value))).collect(),
            plain => plain.clone(),
        }
    }

    /// The text as one, and the arguments of each tool call: a key may be spread over pieces.
    fn chunks(&self, mut chunks: Vec<TimedChunk>) -> Vec<TimedChunk> {
        let mut strands: BTreeMap<Option<usize>, Vec<&mut String>> = BTreeMap::new();
        // Of what is not known here nobody knows where a key may be.
        chunks.retain(|TimedChunk { chunk, .. }| matches!(chunk, ChatChunk::Text(_) | ChatChunk::ToolCall { .. }));
        for TimedChunk { chunk, .. } in &mut chunks {
            match chunk {
                ChatChunk::Text(text) => strands.entry(None).or_default().push(text),
                ChatChunk::ToolCall { index, name, arguments } => {
                    if let Some(name) = name {
                        *name = self.text(name);
                    }
                    strands.entry(Some(*index)).or_default().push(arguments);
                }
                _ => {}
            }
        }
        for pieces in strands.into_values() {
            let texts: Vec<_> = pieces.iter().map(|piece| piece.as_str()).collect();
            let redacted = self.pieces(&texts);
            for (piece, redacted) in pieces.into_iter().zip(redacted) {
                *piece = redacted;
            }
        }
        chunks
    }
}
