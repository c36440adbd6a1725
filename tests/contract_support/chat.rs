//! How does a server speak OpenAI's Chat Completions? After the vendor's reference.

use serde_json::{Value, json};

use super::said::{Asked, Call, End, Format, Refusal, Said, event, joined, list, string};

pub(crate) struct ChatCompletions;

fn finish(end: End) -> &'static str {
    match end {
        End::Done | End::Refused => "stop",
        End::Length => "length",
        End::Calls => "tool_calls",
    }
}

fn usage((input, output): (u64, u64)) -> Value {
    let cached = json!({ "cached_tokens": input - 1 });
    json!({ "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output, "prompt_tokens_details": cached })
}

fn call(Call { id, name, arguments }: &Call) -> Value {
    json!({ "id": id, "type": "function", "function": { "name": name, "arguments": joined(arguments) } })
}

fn chunk(delta: Value, finish: Value) -> Value {
    json!({ "id": "x", "object": "chat.completion.chunk", "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] })
}

impl Format for ChatCompletions {
    fn path(&self) -> &'static str {
        "/chat/completions"
    }

    fn key(&self, key: &str) -> String {
        format!("authorization: bearer {key}")
    }

    fn whole(&self, said: &Said) -> Value {
        let mut message = json!({ "role": "assistant", "content": joined(said.text), "refusal": null, "odd": [1] });
        if said.end == End::Refused {
            message["refusal"] = "I will not.".into();
            message["content"] = Value::Null;
        }
        if !said.calls.is_empty() {
            message["tool_calls"] = said.calls.iter().map(call).collect();
        }
        let choice = json!({ "index": 0, "message": message, "finish_reason": finish(said.end), "logprobs": null });
        json!({ "id": "x", "object": "chat.completion", "choices": [choice], "usage": said.usage.map(usage) })
    }

    fn events(&self, said: &Said) -> Vec<String> {
        let mut events = vec![chunk(json!({ "role": "assistant", "content": "" }), Value::Null)];
        events.extend(said.text.iter().map(|text| chunk(json!({ "content": text }), Value::Null)));
        events.push(json!({ "object": "odd", "odd": { "x": 1 }, "choices": [] }));
        if said.end == End::Refused {
            events.push(chunk(json!({ "refusal": "I will not." }), Value::Null));
        }
        for (index, Call { id, name, arguments }) in said.calls.iter().enumerate() {
            let function = json!({ "name": name, "arguments": "" });
            let begins = json!({ "index": index, "id": id, "type": "function", "function": function });
            events.push(chunk(json!({ "tool_calls": [begins] }), Value::Null));
            events.extend(arguments.iter().map(|more| {
                let more = json!({ "index": index, "function": { "arguments": more } });
                chunk(json!({ "tool_calls": [more] }), Value::Null)
            }));
        }
        events.push(chunk(json!({}), finish(said.end).into()));
        events.extend(said.usage.map(|used| json!({ "choices": [], "usage": usage(used) })));
        let mut events: Vec<_> = events.iter().map(|data| event(None, data)).collect();
        events.push("data: [DONE]\n\n".to_owned());
        events
    }

    fn nothing(&self) -> Value {
        json!({ "id": "x", "choices": [] })
    }

    fn error(&self, refusal: Refusal, message: &str) -> Value {
        let (kind, code) = match refusal {
            Refusal::BadRequest => ("invalid_request_error", "invalid_value"),
            Refusal::Key => ("invalid_request_error", "invalid_api_key"),
            Refusal::NoSuchModel => ("invalid_request_error", "model_not_found"),
            Refusal::Rate => ("requests", "rate_limit_exceeded"),
            Refusal::Overloaded => ("server_error", "overloaded"),
            Refusal::TooLong => ("invalid_request_error", "context_length_exceeded"),
        };
        json!({ "error": { "message": message, "type": kind, "param": null, "code": code } })
    }

    fn broken(&self) -> String {
        event(None, &self.error(Refusal::Overloaded, "Overloaded"))
    }

    fn asked(&self, body: &Value) -> Asked {
        let mut asked = Asked {
            tools: list(&body["tools"]).iter().map(|tool| string(&tool["function"]["name"])).collect(),
            form: body["response_format"]["json_schema"].get("schema").cloned(),
            most_tokens: body["max_tokens"].as_u64(),
            ..Asked::default()
        };
        for message in list(&body["messages"]) {
            match message["role"].as_str() {
                Some("system") => asked.instructions += &string(&message["content"]),
                Some("tool") => asked.results.push((string(&message["tool_call_id"]), string(&message["content"]))),
                _ => {}
            }
            asked.calls.extend(list(&message["tool_calls"]).iter().map(|call| {
                let arguments = serde_json::from_str(&string(&call["function"]["arguments"])).unwrap();
                (string(&call["id"]), string(&call["function"]["name"]), arguments)
            }));
        }
        asked
    }
}
