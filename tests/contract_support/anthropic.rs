//! How does a server speak Anthropic's Messages? After the vendor's reference.

use serde_json::{Value, json};

use super::said::{Asked, Call, End, Format, Refusal, Said, event, joined, list, string};

pub(crate) struct Messages {
    /// Whether the model keeps to a schema by itself: then a reply of a form is a text.
    pub(crate) keeps_to_schemas: bool,
}

/// A reply of a form is the arguments of this tool.
const FORM: &str = "callboard_reply";

fn stop_reason(said: &Said, is_tool: bool) -> &'static str {
    match said.end {
        _ if is_tool => "tool_use",
        End::Done => "end_turn",
        End::Length => "max_tokens",
        End::Calls => "tool_use",
        End::Refused => "refusal",
    }
}

fn usage((input, output): (u64, u64)) -> Value {
    // What came from the vendor's cache is not among the tokens of the input.
    json!({ "input_tokens": 1, "cache_creation_input_tokens": 0, "cache_read_input_tokens": input - 1, "output_tokens": output })
}

/// Each block as it begins, and its pieces.
fn blocks(said: &Said, is_tool: bool) -> Vec<(Value, &'static str, Vec<&'static str>)> {
    let tool = |id: &str, name: &str| json!({ "type": "tool_use", "id": id, "name": name, "input": {} });
    let mut blocks = Vec::new();
    if is_tool {
        blocks.push((tool("toolu_0", FORM), "partial_json", said.text.to_vec()));
    } else if !said.text.is_empty() {
        blocks.push((json!({ "type": "text", "text": "" }), "text", said.text.to_vec()));
    }
    let calls = said.calls.iter();
    blocks.extend(calls.map(|Call { id, name, arguments }| (tool(id, name), "partial_json", arguments.to_vec())));
    blocks
}

/// A block with all of its pieces.
fn complete((block, kind, pieces): &(Value, &'static str, Vec<&'static str>)) -> Value {
    let (mut block, all) = (block.clone(), joined(pieces));
    match *kind {
        "text" => block["text"] = all.into(),
        _ => block["input"] = serde_json::from_str(&all).unwrap(),
    }
    block
}

impl Messages {
    /// Whether this is a reply of a form that is given by a tool.
    fn is_tool(&self, said: &Said) -> bool {
        said.is_form && !self.keeps_to_schemas
    }
}

impl Format for Messages {
    fn path(&self) -> &'static str {
        "/messages"
    }

    fn key(&self, key: &str) -> String {
        format!("anthropic-version: 2023-06-01\r\nx-api-key: {key}")
    }

    fn whole(&self, said: &Said) -> Value {
        let content: Vec<_> = blocks(said, self.is_tool(said)).iter().map(complete).collect();
        let mut message = json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content,
                                  "stop_reason": stop_reason(said, self.is_tool(said)), "stop_sequence": null, "usage": null, "odd": [1] });
        if let Some(used) = said.usage {
            message["usage"] = usage(used);
        }
        message
    }

    fn events(&self, said: &Said) -> Vec<String> {
        let mut start = json!({ "type": "message_start", "message": { "id": "msg_1", "content": [], "stop_reason": null, "usage": null } });
        let mut delta = json!({ "type": "message_delta", "delta": { "stop_reason": stop_reason(said, self.is_tool(said)), "stop_sequence": null } });
        if let Some((input, output)) = said.usage {
            start["message"]["usage"] = usage((input, 1));
            delta["usage"] = json!({ "output_tokens": output });
        }
        let mut events = vec![start, json!({ "type": "odd", "odd": 1 })];
        for (index, (block, kind, pieces)) in blocks(said, self.is_tool(said)).into_iter().enumerate() {
            events.push(json!({ "type": "content_block_start", "index": index, "content_block": block }));
            let delta = if kind == "text" { "text_delta" } else { "input_json_delta" };
            events.extend(pieces.into_iter().map(
                |more| json!({ "type": "content_block_delta", "index": index, "delta": { "type": delta, kind: more } }),
            ));
            events.push(json!({ "type": "content_block_stop", "index": index }));
            events.push(json!({ "type": "ping" }));
        }
        events.extend([delta, json!({ "type": "message_stop" })]);
        events.iter().map(|data| event(data["type"].as_str(), data)).collect()
    }

    fn nothing(&self) -> Value {
        json!({ "id": "msg_1", "type": "message", "content": [] })
    }

    fn error(&self, refusal: Refusal, message: &str) -> Value {
        let (kind, message) = match refusal {
            Refusal::BadRequest => ("invalid_request_error", message),
            Refusal::Key => ("authentication_error", message),
            Refusal::NoSuchModel => ("not_found_error", message),
            Refusal::Rate => ("rate_limit_error", message),
            Refusal::Overloaded => ("overloaded_error", message),
            Refusal::TooLong => ("invalid_request_error", "prompt is too long: 200001 tokens > 200000 maximum"),
        };
        json!({ "type": "error", "error": { "type": kind, "message": message }, "request_id": "req_1" })
    }

    fn broken(&self) -> String {
        event(Some("error"), &self.error(Refusal::Overloaded, "Overloaded"))
    }

    fn asked(&self, body: &Value) -> Asked {
        let is_form = |tool: &&Value| tool["name"] == FORM;
        let tools = list(&body["tools"]);
        let format = &body["output_config"]["format"];
        let native = (format["type"] == "json_schema").then(|| format["schema"].clone());
        let mut asked = Asked {
            instructions: string(&body["system"]),
            tools: tools.iter().filter(|tool| !is_form(tool)).map(|tool| string(&tool["name"])).collect(),
            form: match self.keeps_to_schemas {
                true => native,
                false => tools.iter().find(is_form).map(|tool| tool["input_schema"].clone()),
            },
            most_tokens: body["max_tokens"].as_u64(),
            ..Asked::default()
        };
        for block in list(&body["messages"]).iter().flat_map(|message| list(&message["content"])) {
            match block["type"].as_str() {
                Some("tool_use") => {
                    asked.calls.push((string(&block["id"]), string(&block["name"]), block["input"].clone()));
                }
                Some("tool_result") => asked.results.push((string(&block["tool_use_id"]), string(&block["content"]))),
                _ => {}
            }
        }
        asked
    }
}
