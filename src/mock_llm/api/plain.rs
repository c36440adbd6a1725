//! How is a reply written in one piece? The object `chat.completion`, and the parts that a stream shares with it.

use std::io::Write;

use super::answer::{Answer, Content};

/// The first second of 2026: a reply's `created` is this and its number, so that runs can be compared byte by byte.
const CREATED: u64 = 1_767_225_600;

/// Writes the object.
pub(crate) fn write(answer: &Answer<'_>, out: &mut Vec<u8>) {
    begin(answer, "chat.completion", out);
    out.extend(b",\"choices\":[");
    for index in 0..answer.choices {
        if index > 0 {
            out.push(b',');
        }
        put(out, format_args!("{{\"index\":{index},\"message\":{{\"role\":\"assistant\",\"content\":"));
        match &answer.content {
            Content::Text(text) => string(text, out),
            Content::Calls(calls) => {
                out.extend(b"null,\"tool_calls\":[");
                for (at, call) in calls.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    put(out, format_args!("{{\"id\":\"{}\",\"type\":\"function\",", call_id(answer, index, at)));
                    out.extend(b"\"function\":{\"name\":");
                    string(&call.name, out);
                    out.extend(b",\"arguments\":");
                    string(&call.arguments, out);
                    out.extend(b"}}");
                }
                out.push(b']');
            }
        }
        put(out, format_args!(",\"refusal\":null}},\"logprobs\":null,\"finish_reason\":\"{}\"}}", answer.finish));
    }
    out.push(b']');
    if let Some(usage) = answer.usage {
        write_usage(usage, out);
    }
    out.push(b'}');
}

/// What every object of an answer begins with.
pub(super) fn begin(answer: &Answer<'_>, object: &str, out: &mut Vec<u8>) {
    let number = answer.number;
    put(out, format_args!("{{\"id\":\"chatcmpl-mock-{number}\",\"object\":\"{object}\",\"created\":"));
    put(out, format_args!("{},\"model\":", CREATED.saturating_add(number)));
    string(answer.model, out);
    out.extend(b",\"system_fingerprint\":\"fp_mock\"");
}

/// The member `usage`.
pub(super) fn write_usage((prompt, completion): (u64, u64), out: &mut Vec<u8>) {
    put(out, format_args!(",\"usage\":{{\"prompt_tokens\":{prompt},\"completion_tokens\":{completion},"));
    put(out, format_args!("\"total_tokens\":{}}}", prompt + completion));
}

/// The id of a call: the same in each run, different in each reply, choice and place.
pub(super) fn call_id(answer: &Answer<'_>, choice: u64, at: usize) -> String {
    format!("call_mock_{}_{choice}_{at}", answer.number)
}

/// A string with its quotes and escapes.
pub(super) fn string(text: &str, out: &mut Vec<u8>) {
    // Neither a string nor a vector can fail.
    let _ = serde_json::to_writer(out, text);
}

/// Formats into the vector.
pub(super) fn put(out: &mut Vec<u8>, what: std::fmt::Arguments<'_>) {
    // A vector takes everything.
    let _ = out.write_fmt(what);
}
