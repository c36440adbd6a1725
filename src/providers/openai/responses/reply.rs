//! What does a reply of Responses say? Whole, or as the events of a stream. Read tolerantly: kinds of entries and events that are not
//! known say nothing.

use callboard_actors::chat::{ChatChunk, ChatReply, Finish, TokenUsage, ToolCall};
use callboard_actors::error::ModelError;

use super::super::errors::in_a_reply;
use super::wire::{Event, Incomplete, Output, Response};
use crate::providers::caller;
use crate::providers::refusal::{short, unreadable};

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
                let call = called(output, number);
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
        let status = response.status.or_else(|| kind.map(ToOwned::to_owned));
        let error = response.error.filter(|error| !error.is_null());
        if error.is_some() || status.as_deref() == Some("failed") {
            return Err(in_a_reply(&error.unwrap_or_default()));
        }
        self.usage = response.usage.and_then(|usage| usage.known()).or(self.usage);
        self.reason = response.incomplete_details.and_then(|Incomplete { reason }| reason);
        let mut whole = Self::default();
        let mut chunks = Vec::new();
        for (index, output) in response.output.unwrap_or_default().into_iter().enumerate() {
            chunks.extend(whole.settle(Some(index), output, true)?);
        }
        let is_new = caller::Growing::received(self) == 0;
        if whole.says_something() || !self.says_something() {
            self.entries = whole.entries;
        }
        if self.entries.is_empty() && status.as_deref() != Some("incomplete") {
            return Err(ModelError::Malformed("it holds no output".to_owned()));
        }
        self.status = Some(status.unwrap_or_else(|| "unknown".to_owned()));
        Ok(if is_new { chunks } else { Vec::new() })
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

fn called(output: Output, number: usize) -> ToolCall {
    let arguments = output.arguments();
    let id = output.call_id.or(output.id).filter(|id| !id.is_empty());
    ToolCall { id: id.unwrap_or_else(|| format!("call_{number}")), name: output.name.unwrap_or_default(), arguments }
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
            "response.completed" | "response.incomplete" | "response.failed" => {
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
            return Err(ModelError::ContentRefused(short(&refused)));
        }
        let status = self.status.unwrap_or_default();
        reply.finish = match (status.as_str(), self.reason.as_deref()) {
            ("completed", _) if reply.tool_calls.is_empty() => Finish::Done,
            ("completed", _) => Finish::ToolCalls,
            ("incomplete", Some("max_output_tokens" | "max_tokens")) => Finish::Length,
            ("incomplete", Some("content_filter")) => {
                return Err(ModelError::ContentRefused("the provider's filter cut the reply".to_owned()));
            }
            ("incomplete", Some(reason)) => Finish::Other(reason.to_owned()),
            _ => Finish::Other(status),
        };
        Ok(reply)
    }
}

#[cfg(test)]
mod tests {
    use super::caller::Growing as _;
    use super::*;

    const USED: Option<TokenUsage> = Some(TokenUsage { input: 5, output: 2 });
    const USAGE: &str = r#""usage":{"input_tokens":5,"input_tokens_details":{"cached_tokens":4},"output_tokens":2}"#;

    fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
        ToolCall { id: id.to_owned(), name: name.to_owned(), arguments: arguments.to_owned() }
    }

    fn read(json: &str) -> Result<ChatReply, ModelError> {
        whole(json.as_bytes())
    }

    fn message(text: &str) -> String {
        format!(r#"{{"type":"message","content":[{{"type":"output_text","text":"{text}"}}]}}"#)
    }

    #[test]
    fn every_end_of_a_whole_reply_is_read() {
        let ended = |status: &str, reason: &str| {
            format!(
                r#"{{"status":"{status}","error":null,"incomplete_details":{{"reason":"{reason}"}},
                "output":[{{"type":"reasoning","content":[{{"text":"hm"}}],"summary":[]}},{},{{"type":"odd"}}],{USAGE}}}"#,
                message("Hi")
            )
        };
        let reply = |finish| ChatReply { usage: USED, finish, ..ChatReply::text("Hi") };
        let other = |reason: &str| Finish::Other(reason.to_owned());
        for (status, reason, finish) in [
            ("completed", "", Finish::Done),
            ("incomplete", "max_output_tokens", Finish::Length),
            ("incomplete", "max_tokens", Finish::Length),
            ("incomplete", "odd", other("odd")),
            ("cancelled", "", other("cancelled")),
        ] {
            assert_eq!(read(&ended(status, reason)), Ok(reply(finish)), "{status} {reason}");
        }
        assert!(matches!(read(&ended("incomplete", "content_filter")), Err(ModelError::ContentRefused(_))));
        // All of its tokens were thought away.
        let nothing = r#"{"status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[]}"#;
        assert_eq!(read(nothing).map(|reply| (reply.text, reply.finish)), Ok((String::new(), Finish::Length)));
    }

    #[test]
    fn what_servers_leave_out_or_write_otherwise_is_read() {
        let calls = r#"{"status":"completed","output":[
            {"type":"function_call","id":"f","call_id":"c","name":"add","arguments":"{}"},
            {"type":"function_call","id":"f2","name":"add","arguments":{"x":1}},{"type":"function_call"}]}"#;
        let reply = read(calls).unwrap();
        let expected = [call("c", "add", "{}"), call("f2", "add", r#"{"x":1}"#), call("call_2", "", "")];
        assert_eq!((reply.tool_calls.as_slice(), reply.finish, reply.usage), (&expected[..], Finish::ToolCalls, None));
        let plain = read(r#"{"output":[{"type":"message","content":"Hi"}],"usage":{"input_tokens":5}}"#).unwrap();
        assert_eq!((plain.text.as_str(), plain.usage), ("Hi", None));
        assert_eq!(plain.finish, Finish::Other("unknown".to_owned()));
    }

    #[test]
    fn what_is_no_reply_says_so_without_its_text() {
        for (json, message) in [
            ("", "it is empty"),
            ("{}", "it holds no output"),
            (r#"{"status":"completed","output":[]}"#, "it holds no output"),
            (r#"{"output":"secret"}"#, "it is not the JSON of a response: a field of another type"),
            (r#"{"error":{"message":"Broken","code":"odd"}}"#, "it holds an error: Broken"),
        ] {
            let error = read(json).unwrap_err();
            assert!(matches!(&error, ModelError::Malformed(text) if text.starts_with(message)), "{json}: {error:?}");
        }
        let failed = |code: &str| read(&format!(r#"{{"status":"failed","error":{{"code":"{code}","message":"No"}}}}"#));
        for code in ["server_error", "rate_limit_exceeded"] {
            assert!(matches!(failed(code), Err(ModelError::Unavailable { status: 500, .. })), "{code}");
        }
        for code in ["invalid_prompt", "bio_policy", "image_content_policy_violation"] {
            assert!(matches!(failed(code), Err(ModelError::ContentRefused(_))), "{code}");
        }
        let refused = r#"{"status":"completed","output":[{"type":"message","content":[{"type":"refusal","refusal":"I will not"}]}]}"#;
        assert_eq!(read(refused), Err(ModelError::ContentRefused("I will not".to_owned())));
        let many = format!(r#"{{"status":"completed","output":[{}{{}}]}}"#, "{},".repeat(MOST_ENTRIES));
        assert!(matches!(read(&many), Err(ModelError::Malformed(_))));
    }

    /// Plays events; gives what was seen of them, as text and as arguments of calls, and the reply.
    fn played(events: &[String]) -> (String, String, Result<ChatReply, ModelError>) {
        let (mut growing, mut text, mut arguments) = (Growing::default(), String::new(), String::new());
        for event in events {
            assert!(!growing.is_over(), "{event}");
            match growing.take(event.as_bytes()) {
                Err(error) => return (text, arguments, Err(error)),
                Ok(chunks) => chunks.iter().for_each(|chunk| match chunk {
                    ChatChunk::Text(more) => text.push_str(more),
                    ChatChunk::ToolCall { index, arguments: more, .. } => arguments.push_str(&format!("{index}{more}")),
                    _ => {}
                }),
            }
        }
        assert!(growing.is_over() && growing.is_finished());
        (text, arguments, growing.end())
    }

    #[test]
    fn a_stream_grows_to_the_same_whether_its_entries_have_numbers_names_or_neither() {
        for place in [r#","output_index":NUMBER"#, r#","item_id":"iNUMBER""#, ""] {
            let at = |number: usize| place.replace("NUMBER", &number.to_string());
            let item = |number: usize, rest: &str| format!(r#"{},"item":{{"id":"i{number}",{rest}}}"#, at(number));
            let event = |kind: &str, rest: &str| format!(r#"{{"type":"response.{kind}","sequence_number":1{rest}}}"#);
            let delta = |kind: &str, number: usize, more: &str| {
                event(&format!("{kind}.delta"), &format!(r#"{},"delta":{more}"#, at(number)))
            };
            let said = r#""type":"message","content":[{"type":"output_text","text":"It is."}]"#;
            let called = |arguments: &str| {
                format!(r#""type":"function_call","call_id":"c","name":"add","arguments":"{arguments}""#)
            };
            let mut events = vec![
                event("created", r#","response":{"status":"in_progress","output":[]}"#),
                event("output_item.added", &item(0, r#""type":"reasoning""#)),
                delta("reasoning_summary_text", 0, r#""hm""#),
                event("output_item.added", &item(1, r#""type":"message","content":[]"#)),
                delta("output_text", 1, r#""It ""#),
                delta("odd", 1, r#"{"a":1}"#),
                delta("output_text", 1, r#""is""#),
                // The rest of it came in no piece.
                event("output_item.done", &item(1, said)),
                event("output_item.added", &item(2, &called(""))),
                delta("function_call_arguments", 2, r#""{\"x\":""#),
                delta("function_call_arguments", 2, r#""1}""#),
                event("output_item.done", &item(2, &called(r#"{\"x\":1}"#))),
                event("completed", &format!(r#","response":{{"output":[],{USAGE}}}"#)),
            ];
            if !place.is_empty() {
                // One is not over when the next begins.
                let done = events.remove(7);
                events.insert(10, done);
            }
            let (text, arguments, reply) = played(&events);
            assert_eq!((text.as_str(), arguments.as_str()), ("It is.", r#"00{"x":01}"#), "{place}");
            let (tool_calls, finish) = (vec![call("c", "add", r#"{"x":1}"#)], Finish::ToolCalls);
            assert_eq!(
                reply,
                Ok(ChatReply { tool_calls, finish, usage: USED, ..ChatReply::text("It is.") }),
                "{place}"
            );
        }
    }

    #[test]
    fn the_last_event_stands_where_pieces_were_lost_or_came_twice() {
        let delta =
            |text: &str| format!(r#"{{"type":"response.output_text.delta","output_index":0,"delta":"{text}"}}"#);
        let end = |kind: &str, response: &str| format!(r#"{{"type":"response.{kind}","response":{{{response}}}}}"#);
        let all = format!(r#""output":[{}]"#, message("All."));
        let reply = |finish| Ok(ChatReply { finish, ..ChatReply::text("All.") });
        let twice = played(&[delta("Al"), delta("Al"), end("completed", &all)]);
        assert_eq!((twice.0.as_str(), twice.2), ("AlAl", reply(Finish::Done)));
        let lost = played(&[end("completed", &all)]);
        assert_eq!((lost.0.as_str(), lost.2), ("All.", reply(Finish::Done)));
        let cut = format!(r#"{all},"incomplete_details":{{"reason":"max_output_tokens"}}"#);
        assert_eq!(played(&[delta("All."), end("incomplete", &cut)]).2, reply(Finish::Length));
        // A server that does not repeat it.
        assert_eq!(played(&[delta("All."), end("completed", "")]).2, reply(Finish::Done));
    }

    #[test]
    fn an_error_in_a_stream_is_told() {
        let failed = r#"{"type":"response.failed","response":{"status":"failed","error":{"code":"server_error","message":"No"}}}"#;
        let documented = r#"{"type":"error","code":"server_error","message":"No","param":null,"sequence_number":1}"#;
        let nested = r#"{"type":"error","error":{"type":"server_error","message":"No"}}"#;
        let untyped = r#"{"error":{"code":503,"message":"No"}}"#;
        for event in [failed, documented, nested, untyped] {
            let error = played(&[event.to_owned()]).2.unwrap_err();
            assert!(matches!(error, ModelError::Unavailable { .. }), "{event}: {error:?}");
        }
        assert!(matches!(played(&["{".to_owned()]).2, Err(ModelError::Malformed(_))));
        assert_eq!(Growing::default().take(b"[DONE]"), Ok(Vec::new()));
    }
}
