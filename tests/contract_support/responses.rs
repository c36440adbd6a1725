//! How does a server speak OpenAI's Responses? After the vendor's reference.

use serde_json::{Value, json};

use super::chat::ChatCompletions;
use super::said::{Asked, Call, End, Format, Refusal, Said, event, joined, list, string};

pub(crate) struct Responses;

/// The entries of the output: a thought that is not told, the message, the calls.
fn output(said: &Said) -> Vec<Value> {
    let mut output = vec![json!({ "type": "reasoning", "id": "rs_0", "summary": [] })];
    let part = match said.end {
        End::Refused => Some(json!({ "type": "refusal", "refusal": "I will not." })),
        _ if said.text.is_empty() => None,
        _ => Some(json!({ "type": "output_text", "text": joined(said.text), "annotations": [] })),
    };
    output.extend(part.map(|part| {
        json!({ "type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [part] })
    }));
    output.extend(said.calls.iter().map(|Call { id, name, arguments }| {
        json!({ "type": "function_call", "id": format!("fc_{id}"), "call_id": id, "name": name,
                "arguments": joined(arguments), "status": "completed" })
    }));
    output
}

/// An entry as it begins: empty.
fn begun(entry: &Value) -> Value {
    let mut entry = entry.clone();
    if entry.get("content").is_some() {
        entry["content"] = json!([]);
    }
    if entry.get("arguments").is_some() {
        entry["arguments"] = "".into();
    }
    entry
}

/// The pieces of an entry, and what kind they are of.
fn pieces(said: &Said, entry: &Value) -> (&'static str, Vec<&'static str>) {
    match entry["type"].as_str() {
        Some("message") if said.end == End::Refused => ("refusal", vec!["I will ", "not."]),
        Some("message") => ("output_text", said.text.to_vec()),
        Some("function_call") => {
            let call = said.calls.iter().find(|call| entry["call_id"] == call.id).unwrap();
            ("function_call_arguments", call.arguments.to_vec())
        }
        _ => ("odd", Vec::new()),
    }
}

impl Format for Responses {
    fn path(&self) -> &'static str {
        "/responses"
    }

    fn key(&self, key: &str) -> String {
        ChatCompletions.key(key)
    }

    fn whole(&self, said: &Said) -> Value {
        let (status, details) = match said.end {
            End::Length => ("incomplete", json!({ "reason": "max_output_tokens" })),
            _ => ("completed", Value::Null),
        };
        let usage = said.usage.map(|(input, output)| {
            json!({ "input_tokens": input, "input_tokens_details": { "cached_tokens": input - 1 }, "output_tokens": output,
                    "output_tokens_details": { "reasoning_tokens": output - 1 }, "total_tokens": input + output })
        });
        json!({ "id": "resp_1", "object": "response", "status": status, "error": null, "incomplete_details": details,
                "output": output(said), "usage": usage, "store": false, "odd": [1] })
    }

    fn events(&self, said: &Said) -> Vec<String> {
        let whole = self.whole(said);
        let mut events = vec![
            ("response.created", json!({ "response": { "id": "resp_1", "status": "in_progress", "output": [] } })),
            ("response.odd", json!({ "delta": { "x": 1 } })),
        ];
        for (at, entry) in output(said).iter().enumerate() {
            events.push(("response.output_item.added", json!({ "output_index": at, "item": begun(entry) })));
            let (kind, pieces) = pieces(said, entry);
            let kind = match kind {
                "refusal" => "response.refusal.delta",
                "output_text" => "response.output_text.delta",
                _ => "response.function_call_arguments.delta",
            };
            let more = |more| (kind, json!({ "output_index": at, "item_id": entry["id"], "delta": more }));
            events.extend(pieces.into_iter().map(more));
            events.push(("response.output_item.done", json!({ "output_index": at, "item": entry })));
        }
        let end = if said.end == End::Length { "response.incomplete" } else { "response.completed" };
        events.push((end, json!({ "response": whole })));
        let written = events.into_iter().enumerate().map(|(number, (kind, mut data))| {
            data["type"] = kind.into();
            data["sequence_number"] = number.into();
            event(Some(kind), &data)
        });
        written.collect()
    }

    fn nothing(&self) -> Value {
        json!({ "id": "resp_1", "status": "completed", "output": [] })
    }

    fn error(&self, refusal: Refusal, message: &str) -> Value {
        ChatCompletions.error(refusal, message)
    }

    fn broken(&self) -> String {
        let data = json!({ "type": "error", "code": "server_error", "message": "Overloaded", "param": null, "sequence_number": 4 });
        event(Some("error"), &data)
    }

    fn asked(&self, body: &Value) -> Asked {
        assert_eq!((&body["store"], body.get("previous_response_id")), (&json!(false), None));
        let mut asked = Asked {
            instructions: string(&body["instructions"]),
            tools: list(&body["tools"]).iter().map(|tool| string(&tool["name"])).collect(),
            form: body["text"]["format"].get("schema").cloned(),
            most_tokens: body["max_output_tokens"].as_u64(),
            ..Asked::default()
        };
        for entry in list(&body["input"]) {
            let id = string(&entry["call_id"]);
            match entry["type"].as_str() {
                Some("function_call") => {
                    let arguments = serde_json::from_str(&string(&entry["arguments"])).unwrap();
                    asked.calls.push((id, string(&entry["name"]), arguments));
                }
                Some("function_call_output") => asked.results.push((id, string(&entry["output"]))),
                _ => {}
            }
        }
        asked
    }
}
