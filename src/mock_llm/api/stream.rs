//! How is a reply written in pieces? Server-sent events as OpenAI sends them: the role, the pieces, the end, the usage,
//! `[DONE]`.

use std::ops::Range;

use super::answer::{Answer, Content};
use super::plain::{begin, call_id, put, string, write_usage};
use crate::mock_llm::replies::pieces;

/// What an event is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The role, or name and id of a call: no token yet.
    Begin,
    /// A piece of content or of arguments.
    Token,
    /// The reason to end, and the usage.
    End,
    /// `[DONE]`.
    Done,
}

/// The events in order.
#[derive(Debug, Default)]
pub(crate) struct Events {
    bytes: Vec<u8>,
    marks: Vec<(Kind, Range<usize>)>,
}

impl Events {
    /// All events of an answer. With `usage` an event tells it, and all others say that they do not.
    pub(crate) fn of(answer: &Answer<'_>, usage: bool) -> Self {
        let mut events = Self::default();
        for choice in 0..answer.choices {
            events.choice(answer, choice, usage);
        }
        if let (true, Some(tokens)) = (usage, answer.usage) {
            events.event(Kind::End, |out| {
                begin(answer, "chat.completion.chunk", out);
                out.extend(b",\"choices\":[]");
                write_usage(tokens, out);
                out.push(b'}');
            });
        }
        events.event(Kind::Done, |out| out.extend(b"[DONE]"));
        events
    }

    /// The events with what they are for.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Kind, &[u8])> {
        self.marks.iter().map(|(kind, range)| (*kind, &self.bytes[range.clone()]))
    }

    fn choice(&mut self, answer: &Answer<'_>, choice: u64, usage: bool) {
        // Where usage was asked for, OpenAI says null in each event that has none.
        let has_null = usage && answer.usage.is_some();
        let mut delta = |kind: Kind, finish: Option<&str>, write: &dyn Fn(&mut Vec<u8>)| {
            self.event(kind, |out| {
                begin(answer, "chat.completion.chunk", out);
                put(out, format_args!(",\"choices\":[{{\"index\":{choice},\"delta\":{{"));
                write(out);
                out.extend(b"},\"logprobs\":null,\"finish_reason\":");
                match finish {
                    Some(reason) => put(out, format_args!("\"{reason}\"}}]")),
                    None => out.extend(b"null}]"),
                }
                out.extend(if has_null { &b",\"usage\":null}"[..] } else { b"}" });
            });
        };
        match &answer.content {
            Content::Text(text) => {
                delta(Kind::Begin, None, &|out| {
                    out.extend(b"\"role\":\"assistant\",\"content\":\"\",\"refusal\":null")
                });
                for piece in pieces(text) {
                    delta(Kind::Token, None, &|out| {
                        out.extend(b"\"content\":");
                        string(piece, out);
                    });
                }
            }
            Content::Calls(calls) => {
                delta(Kind::Begin, None, &|out| out.extend(b"\"role\":\"assistant\",\"content\":null"));
                for (at, call) in calls.iter().enumerate() {
                    delta(Kind::Begin, None, &|out| {
                        put(
                            out,
                            format_args!(
                                "\"tool_calls\":[{{\"index\":{at},\"id\":\"{}\",",
                                call_id(answer, choice, at)
                            ),
                        );
                        out.extend(b"\"type\":\"function\",\"function\":{\"name\":");
                        string(&call.name, out);
                        out.extend(b",\"arguments\":\"\"}}]");
                    });
                    for piece in pieces(&call.arguments) {
                        delta(Kind::Token, None, &|out| {
                            put(out, format_args!("\"tool_calls\":[{{\"index\":{at},\"function\":{{\"arguments\":"));
                            string(piece, out);
                            out.extend(b"}}]");
                        });
                    }
                }
            }
        }
        delta(Kind::End, Some(answer.finish), &|_| {});
    }

    fn event(&mut self, kind: Kind, write: impl FnOnce(&mut Vec<u8>)) {
        let begin = self.bytes.len();
        self.bytes.extend(b"data: ");
        write(&mut self.bytes);
        self.bytes.extend(b"\n\n");
        self.marks.push((kind, begin..self.bytes.len()));
    }
}
