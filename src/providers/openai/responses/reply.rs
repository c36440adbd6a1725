//! What does a reply of Responses say? Whole, or as the events of a stream. Read tolerantly: kinds of entries and events that are not
//! known say nothing.

use callboard_actors::chat::{ChatChunk, ChatReply, Finish, TokenUsage, ToolCall};
use callboard_actors::error::ModelError;

use super::super::errors::in_a_reply;
use super::wire::{Event, Incomplete, Output, Response, Usage};
use crate::providers::caller;
use crate::providers::refusal::{short, unreadable, used};

/// The most entries that one reply may have.
const MOST_ENTRIES: usize = 256;

/// What cannot be read is not the JSON of this.
const WHAT: &str = "a response";

/// A reply in one piece.
pub(super) fn whole(json: &[u8]) -> Result<ChatReply, ModelError> {
    let response: Response = serde_json::from_slice(json).map_err(|error| unreadable(json, &error, WHAT))?;
    let mut growing = Growing::default();
    growing.conclude(response, None)?;
    caller::Growing::end(growing)
}

/// What an entry becomes.
#[derive(Debug)]
enum Part {
    /// Of the text, or of what is said instead of one.
    Message { text: String, refusal: String },
    /// A tool call, with its number among them.
    Call(usize, ToolCall),
    /// Something that is no part of the reply, such as what a model thinks.
    Other,
}

#[derive(Debug)]
struct Entry {
    id: String,
    part: Part,
}

/// A reply that grows.
#[derive(Debug, Default)]
pub(super) struct Growing {
    entries: Vec<Entry>,
    calls: usize,
    /// How it ended, once it has.
    status: Option<String>,
    /// Why it is incomplete.
    reason: Option<String>,
    usage: Option<TokenUsage>,
    has_thought: bool,
}

impl Growing {
    /// The place of an entry: the one with this number, or of a server that does not number them the one with this name. Where
    /// nothing is known of it, it is a new one if it `begins`, and the last one otherwise.
    fn place(&mut self, index: Option<usize>, id: &str, begins: bool) -> Result<usize, ModelError> {
        let named = || self.entries.iter().position(|entry| !id.is_empty() && entry.id == id);
        let or_else = if begins { self.entries.len() } else { self.entries.len().saturating_sub(1) };
        let place = index.or_else(named).unwrap_or(or_else);
        if place >= MOST_ENTRIES {
            return Err(ModelError::Malformed(format!("it has more than {MOST_ENTRIES} entries")));
        }
        while self.entries.len() <= place {
            self.entries.push(Entry { id: String::new(), part: Part::Other });
        }
        Ok(place)
    }

    /// Takes in an entry as it begins or as it ends. Gives what had not come in pieces.
    fn settle(&mut self, index: Option<usize>, output: Output, begins: bool) -> Result<Option<ChatChunk>, ModelError> {
        if output.is_odd() {
            return Err(ModelError::Malformed("its content is neither a text nor a list of parts".to_owned()));
        }
        let id = output.id.clone().unwrap_or_default();
        let place = self.place(index, &id, begins)?;
        self.entries[place].id = id;
        let part = &mut self.entries[place].part;
        match (output.r#type.as_deref(), &mut *part) {
            (Some("message"), Part::Message { text, refusal }) => {
                complete(refusal, output.refusal());
                Ok(complete(text, output.text()).map(ChatChunk::Text))
            }
            (Some("message"), _) => {
                let (text, refusal) = (output.text(), output.refusal());
                let chunk = (!text.is_empty()).then(|| ChatChunk::Text(text.clone()));
                *part = Part::Message { text, refusal };
                Ok(chunk)
            }
            (Some("function_call"), Part::Call(number, call)) => {
                let arguments = complete(&mut call.arguments, output.arguments());
                Ok(arguments.map(|arguments| ChatChunk::ToolCall { index: *number, name: None, arguments }))
            }
            (Some("function_call"), _) => {
                let number = self.calls;
                self.calls += 1;
                let call = called(output);
                let (name, arguments) = (Some(call.name.clone()), call.arguments.clone());
                *part = Part::Call(number, call);
                Ok(Some(ChatChunk::ToolCall { index: number, name, arguments }))
            }
            _ => Ok(None),
        }
    }

    /// Takes in a piece of a text, or of the arguments of a call.
    fn grow(&mut self, kind: &str, event: &Event) -> Result<Option<ChatChunk>, ModelError> {
        let more = event.delta();
        if kind.contains("reasoning") {
            self.has_thought |= !more.is_empty();
        }
        if more.is_empty() {
            return Ok(None);
        }
        let place = self.place(event.output_index, event.item_id.as_deref().unwrap_or_default(), false)?;
        let part = &mut self.entries[place].part;
        let is_said = matches!(kind, "response.output_text.delta" | "response.refusal.delta");
        if is_said && matches!(part, Part::Other) {
            // Nobody said that it begins.
            *part = Part::Message { text: String::new(), refusal: String::new() };
        }
        Ok(match (part, kind) {
            (Part::Message { text, .. }, "response.output_text.delta") => {
                text.push_str(more);
                Some(ChatChunk::Text(more.to_owned()))
            }
            (Part::Message { refusal, .. }, "response.refusal.delta") => {
                refusal.push_str(more);
                None
            }
            (Part::Call(number, call), "response.function_call_arguments.delta") => {
                call.arguments.push_str(more);
                Some(ChatChunk::ToolCall { index: *number, name: None, arguments: more.to_owned() })
            }
            _ => None,
        })
    }

    /// Takes in the whole reply, which stands where pieces of it were lost or came twice. `kind` is that of the event it came with.
    /// Gives what nobody has seen yet.
    fn conclude(&mut self, response: Response, kind: Option<&str>) -> Result<Vec<ChatChunk>, ModelError> {
        let is_open = |status: &str| matches!(status, "queued" | "in_progress");
        // Where the event says that it is over, the status it had before says nothing.
        let said = response.status.filter(|status| kind.is_none() || !is_open(status));
        let status = said.or_else(|| kind.map(ToOwned::to_owned));
        let error = response.error.filter(|error| !error.is_null());
        let usage = response.usage.as_ref().map(Usage::known);
        if error.is_some() || status.as_deref() == Some("failed") {
            return Err(used(in_a_reply(&error.unwrap_or_default()), usage));
        }
        self.usage = usage.unwrap_or(self.usage);
        let status = status.unwrap_or_else(|| "unknown".to_owned());
        self.reason = response.incomplete_details.and_then(|Incomplete { reason }| reason);
        let mut whole = Self::default();
        let mut chunks = Vec::new();
        for (index, output) in response.output.unwrap_or_default().into_iter().enumerate() {
            chunks.extend(whole.settle(Some(index), output, true)?);
        }
        let received = caller::Growing::received(self);
        if status == "cancelled" || is_open(&status) {
            let received = received.max(caller::Growing::received(&whole));
            let message = format!("the response is `{status}`, and not completed");
            return Err(used(ModelError::Broken { received, message }, usage));
        }
        if whole.says_something() || !self.says_something() {
            self.entries = whole.entries;
        }
        if self.entries.is_empty() && status != "incomplete" {
            return Err(ModelError::Malformed("it holds no output".to_owned()));
        }
        self.status = Some(status);
        Ok(if received == 0 { chunks } else { Vec::new() })
    }

    fn says_something(&self) -> bool {
        let is_refused = |entry: &Entry| matches!(&entry.part, Part::Message { refusal, .. } if !refusal.is_empty());
        caller::Growing::received(self) > 0 || self.entries.iter().any(is_refused)
    }
}

/// What a text is once it is complete; gives what had not come yet. A server that does not repeat it has nothing to add.
fn complete(text: &mut String, whole: String) -> Option<String> {
    if whole.is_empty() {
        return None;
    }
    let rest = whole.strip_prefix(text.as_str()).filter(|rest| !rest.is_empty()).map(ToOwned::to_owned);
    *text = whole;
    rest
}

fn called(output: Output) -> ToolCall {
    let arguments = output.arguments();
    let id = output.call_id.filter(|id| !id.is_empty()).or(output.id);
    ToolCall { id: id.unwrap_or_default(), name: output.name.unwrap_or_default(), arguments }
}

impl caller::Growing for Growing {
    fn take(&mut self, event: &[u8]) -> Result<Vec<ChatChunk>, ModelError> {
        let read: Event = match event {
            // Some servers end every stream with it.
            b"[DONE]" => return Ok(Vec::new()),
            _ => serde_json::from_slice(event).map_err(|error| unreadable(event, &error, WHAT))?,
        };
        let kind = read.r#type.as_deref().unwrap_or_default();
        if kind == "error" || read.error.as_ref().is_some_and(|error| !error.is_null()) {
            return Err(in_a_reply(&serde_json::from_slice(event).unwrap_or_default()));
        }
        match kind {
            "response.output_item.added" | "response.output_item.done" => {
                let begins = kind.ends_with("added");
                let chunk = read.item.map(|item| self.settle(read.output_index, item, begins)).transpose()?;
                Ok(chunk.flatten().into_iter().collect())
            }
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                let status = kind.strip_prefix("response.");
                self.conclude(read.response.unwrap_or_default(), status)
            }
            _ if kind.ends_with(".delta") => Ok(self.grow(kind, &read)?.into_iter().collect()),
            _ => Ok(Vec::new()),
        }
    }

    fn is_over(&self) -> bool {
        self.status.is_some()
    }

    fn is_finished(&self) -> bool {
        self.status.is_some()
    }

    fn has_begun(&self) -> bool {
        self.has_thought || self.received() > 0
    }

    fn has_worked(&self) -> bool {
        self.has_begun() || self.usage.is_some()
    }

    fn received(&self) -> usize {
        let size = |entry: &Entry| match &entry.part {
            Part::Message { text, .. } => text.len(),
            Part::Call(_, call) => call.name.len() + call.arguments.len(),
            Part::Other => 0,
        };
        self.entries.iter().map(size).sum()
    }

    fn end(self) -> Result<ChatReply, ModelError> {
        let mut reply = ChatReply { usage: self.usage, ..ChatReply::default() };
        let mut refused = String::new();
        for entry in self.entries {
            match entry.part {
                Part::Message { text, refusal } => {
                    reply.text.push_str(&text);
                    refused.push_str(&refusal);
                }
                Part::Call(_, call) => reply.tool_calls.push(call),
                Part::Other => {}
            }
        }
        if !refused.is_empty() && reply.text.is_empty() {
            return Err(ModelError::ContentRefused(short(&refused)).with_usage(self.usage));
        }
        let status = self.status.unwrap_or_default();
        reply.finish = match (status.as_str(), self.reason.as_deref()) {
            ("completed", _) if reply.tool_calls.is_empty() => Finish::Done,
            ("completed", _) => Finish::ToolCalls,
            ("incomplete", Some("max_output_tokens" | "max_tokens")) => Finish::Length,
            ("incomplete", Some("content_filter")) => {
                let refused = ModelError::ContentRefused("the provider's filter cut the reply".to_owned());
                return Err(refused.with_usage(self.usage));
            }
            ("incomplete", Some(reason)) => Finish::Other(reason.to_owned()),
            _ => Finish::Other(status),
        };
        Ok(reply)
    }
}

#[cfg(test)]
#[path = "reply_tests.rs"]
mod tests;
