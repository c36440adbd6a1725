//! How is a request written for the Messages interface? Instructions stand apart, turns are lists of blocks, and a tool's answer is
//! said by the user.

use callboard_actors::chat::{ChatRequest, ReplyForm, Role, ToolCall, ToolChoice, Turn};
use callboard_actors::schema::Schema;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::providers::body;
use crate::providers::strict::{Dialect, strict};

/// The tool whose arguments are a reply of a form: a name that no tool of an agent is likely to have.
pub(super) const FORM: &str = "callboard_reply";

#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    system: String,
    messages: Vec<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Tool<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stream: Option<bool>,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Vec<Block<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Block<'a> {
    Text { text: &'a str },
    ToolUse { id: &'a str, name: &'a str, input: Box<RawValue> },
    ToolResult { tool_use_id: &'a str, content: &'a str },
}

#[derive(Serialize)]
struct Tool<'a> {
    name: &'a str,
    description: &'a str,
    input_schema: &'a Schema,
}

/// The body of a request, as it is sent to a model that keeps to schemas by itself, or does not.
pub(super) fn body(
    request: &ChatRequest,
    model: &str,
    keeps_to_schemas: bool,
    is_streamed: bool,
) -> Result<Vec<u8>, serde_json::Error> {
    let system = request.turns.iter().filter(|turn| turn.role == Role::System).map(|turn| turn.text.as_str());
    let mut tools: Vec<_> = request
        .tools
        .iter()
        .map(|tool| Tool { name: &tool.name, description: &tool.description, input_schema: &tool.parameters })
        .collect();
    let native = match &request.form {
        ReplyForm::Json { schema, .. } if keeps_to_schemas => strict(schema, Dialect::Anthropic),
        _ => None,
    };
    let tool_choice = match &request.form {
        ReplyForm::Json { schema, .. } if native.is_none() => {
            let description = "Give the whole reply with this tool.";
            tools.push(Tool { name: FORM, description, input_schema: schema });
            // Where it may call other tools it may also go on with them, and is told by the form of the tool.
            Some(match request.tools.is_empty() {
                true => json!({ "type": "tool", "name": FORM }),
                false => json!({ "type": "any" }),
            })
        }
        _ => (!tools.is_empty()).then(|| choice(&request.tool_choice)),
    };
    body::json(&Body {
        model,
        max_tokens: request.max_output_tokens,
        system: system.collect::<Vec<_>>().join("\n\n"),
        messages: messages(&request.turns),
        temperature: request.temperature,
        tools,
        tool_choice,
        output_config: native.map(|schema| json!({ "format": { "type": "json_schema", "schema": schema } })),
        stream: is_streamed.then_some(true),
    })
}

fn choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => json!({ "type": "auto" }),
        ToolChoice::Never => json!({ "type": "none" }),
        ToolChoice::Always => json!({ "type": "any" }),
        ToolChoice::Named(name) => json!({ "type": "tool", "name": name }),
    }
}

/// Turns of one side that follow each other are one message: all answers to the calls of a turn stand together.
fn messages(turns: &[Turn]) -> Vec<Message<'_>> {
    let mut messages: Vec<Message<'_>> = Vec::with_capacity(turns.len());
    for turn in turns.iter().filter(|turn| turn.role != Role::System) {
        let role = if turn.role == Role::Assistant { "assistant" } else { "user" };
        let blocks = blocks(turn);
        if blocks.is_empty() {
            continue;
        }
        match messages.last_mut().filter(|last| last.role == role) {
            Some(last) => last.content.extend(blocks),
            None => messages.push(Message { role, content: blocks }),
        }
    }
    messages
}

fn blocks(turn: &Turn) -> Vec<Block<'_>> {
    if let (Role::Tool, Some(id)) = (turn.role, &turn.answers) {
        return vec![Block::ToolResult { tool_use_id: id, content: &turn.text }];
    }
    // An empty text is refused.
    let text = (!turn.text.is_empty()).then_some(Block::Text { text: &turn.text });
    text.into_iter().chain(turn.tool_calls.iter().map(call)).collect()
}

/// A call as the model made it; one whose arguments are no JSON object has none.
fn call(call: &ToolCall) -> Block<'_> {
    let is_object = serde_json::from_str::<Value>(&call.arguments).is_ok_and(|input| input.is_object());
    let input = is_object.then(|| RawValue::from_string(call.arguments.clone()).ok()).flatten();
    let input = input.or_else(|| RawValue::from_string("{}".to_owned()).ok()).unwrap_or_default();
    Block::ToolUse { id: &call.id, name: &call.name, input }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use callboard_actors::chat::ToolSpec;

    use super::*;

    fn written(request: &ChatRequest) -> Value {
        serde_json::from_slice(&body(request, "m", false, false).unwrap()).unwrap()
    }

    #[test]
    fn a_conversation_with_tools_is_written_as_documented() {
        let calls = |arguments: &[&str]| {
            let of = |(number, arguments): (usize, &&str)| ToolCall {
                id: format!("toolu_{number}"),
                name: "get_weather".to_owned(),
                arguments: (*arguments).to_owned(),
            };
            arguments.iter().enumerate().map(of).collect::<Vec<_>>()
        };
        let mut request = ChatRequest::new(
            vec![
                Turn::system("Be brief."),
                Turn::user("What is the weather like in San Francisco?"),
                Turn { tool_calls: calls(&[r#"{"location":"San Francisco, CA"}"#, "[no"]), ..Turn::assistant("") },
                Turn::tool("toolu_0", "15 degrees"),
                Turn::tool("toolu_1", "error"),
                Turn::user("And tomorrow?"),
            ],
            1024,
        );
        let (name, description) = ("get_weather".to_owned(), "Get the current weather".to_owned());
        request.tools = vec![Arc::new(ToolSpec { name, description, parameters: json!({"type": "object"}).into() })];
        let expected = json!({
            "model": "m",
            "max_tokens": 1024,
            "system": "Be brief.",
            "messages": [
                { "role": "user", "content": [{ "type": "text", "text": "What is the weather like in San Francisco?" }] },
                { "role": "assistant", "content": [
                    { "type": "tool_use", "id": "toolu_0", "name": "get_weather", "input": { "location": "San Francisco, CA" } },
                    { "type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {} },
                ] },
                { "role": "user", "content": [
                    { "type": "tool_result", "tool_use_id": "toolu_0", "content": "15 degrees" },
                    { "type": "tool_result", "tool_use_id": "toolu_1", "content": "error" },
                    { "type": "text", "text": "And tomorrow?" },
                ] },
            ],
            "tools": [{ "name": "get_weather", "description": "Get the current weather", "input_schema": { "type": "object" } }],
            "tool_choice": { "type": "auto" },
        });
        assert_eq!(written(&request), expected);
        request.form = ReplyForm::Json { name: "x".to_owned(), schema: json!({"type": "object"}).into() };
        assert_eq!(
            (written(&request)["tools"][1]["name"].as_str(), &written(&request)["tool_choice"]["type"]),
            (Some(FORM), &json!("any"))
        );
        request.tools.clear();
        assert_eq!(written(&request)["tool_choice"], json!({ "type": "tool", "name": FORM }));
    }

    // The vendor's example, in a struct's words; a comment for the model would be in its schema.
    #[derive(schemars::JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Enquiry {
        name: String,
        email: String,
        plan_interest: String,
        demo_requested: bool,
    }

    #[test]
    fn a_form_is_asked_for_as_documented_of_a_model_that_keeps_to_schemas() {
        let documented = include_str!("../../../tests/fixtures/documented/anthropic-output-config.json");
        let documented: Value = serde_json::from_str(documented).unwrap();
        let text = documented["messages"][0]["content"].as_str().unwrap();
        let form = |schema: Value| ReplyForm::Json { name: "enquiry".to_owned(), schema: schema.into() };
        let mut request = ChatRequest::new(vec![Turn::user(text)], 1024);
        request.form = form(callboard_actors::schema::of::<Enquiry>());
        let model = documented["model"].as_str().unwrap();
        let written = |request: &ChatRequest| -> Value {
            serde_json::from_slice(&body(request, model, true, false).unwrap()).unwrap()
        };
        let mut expected = documented.clone();
        // A text alone is a block, too.
        expected["messages"][0]["content"] = json!([{ "type": "text", "text": text }]);
        assert_eq!(written(&request), expected);

        let parameters = json!({"type": "object"});
        request.tools = vec![Arc::new(ToolSpec {
            name: "look".to_owned(),
            description: "Looks.".to_owned(),
            parameters: parameters.into(),
        })];
        let with_a_tool = written(&request);
        assert_eq!(with_a_tool["output_config"], documented["output_config"]);
        assert_eq!((&with_a_tool["tool_choice"]["type"], with_a_tool["tools"][1].is_null()), (&json!("auto"), true));

        request.tools.clear();
        request.form = form(json!({"type": "object", "additionalProperties": {"type": "integer"}}));
        let a_map = written(&request);
        assert_eq!(
            (a_map["output_config"].is_null(), &a_map["tools"][0]["name"]),
            (true, &json!(FORM)),
            "no such schema"
        );
    }
}
