//! How is a request written for Responses? Instructions stand apart, and turns, calls and their answers are one list.

use callboard_actors::chat::{ChatRequest, ReplyForm, Role, ToolChoice, Turn};
use serde_json::{Value, json};

use super::wire::{Input, Request, Text, TextFormat, Tool};
use crate::providers::strict;

/// A request. It borrows what it can.
pub(super) fn written<'a>(request: &'a ChatRequest, model: &'a str, is_streamed: bool) -> Request<'a> {
    // What the program says first is an instruction; what it says in between stays where it is.
    let first = request.turns.iter().take_while(|turn| turn.role == Role::System).count();
    let (instructions, turns) = request.turns.split_at(first);
    let instructions = instructions.iter().map(|turn| turn.text.as_str()).collect::<Vec<_>>().join("\n\n");
    let tools = request.tools.iter().map(|tool| Tool {
        r#type: "function",
        name: &tool.name,
        description: &tool.description,
        parameters: &tool.parameters,
        strict: false,
    });
    let text = match &request.form {
        ReplyForm::Text => None,
        ReplyForm::Json { name, schema } => {
            let (schema, strict) = strict::as_sent(schema);
            Some(Text { format: TextFormat { r#type: "json_schema", name, schema, strict } })
        }
    };
    Request {
        model,
        instructions: (!instructions.is_empty()).then_some(instructions),
        input: turns.iter().flat_map(entries).collect(),
        max_output_tokens: request.max_output_tokens,
        temperature: request.temperature,
        tools: tools.collect(),
        tool_choice: (!request.tools.is_empty()).then(|| choice(&request.tool_choice)),
        text,
        stream: is_streamed.then_some(true),
        store: false,
    }
}

fn choice(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => "auto".into(),
        ToolChoice::Never => "none".into(),
        ToolChoice::Always => "required".into(),
        ToolChoice::Named(name) => json!({ "type": "function", "name": name }),
    }
}

/// A turn: what is said in it, and then each call.
fn entries(turn: &Turn) -> impl Iterator<Item = Input<'_>> {
    let said = match (turn.role, &turn.answers) {
        (Role::Tool, Some(call_id)) => Some(Input::FunctionCallOutput { call_id, output: &turn.text }),
        (Role::Assistant, _) if turn.text.is_empty() && !turn.tool_calls.is_empty() => None,
        (role, _) => Some(Input::Message { role: speaker(role), content: &turn.text }),
    };
    let calls = turn.tool_calls.iter();
    let calls =
        calls.map(|call| Input::FunctionCall { call_id: &call.id, name: &call.name, arguments: &call.arguments });
    said.into_iter().chain(calls)
}

fn speaker(role: Role) -> &'static str {
    match role {
        Role::System => "system",
        Role::Assistant => "assistant",
        // There is no message of a tool: one that answers no call is told by the user.
        Role::User | Role::Tool => "user",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use callboard_actors::chat::{ToolCall, ToolSpec};

    use super::*;

    fn sent(request: &ChatRequest, is_streamed: bool) -> Value {
        serde_json::to_value(written(request, "m", is_streamed)).unwrap()
    }

    #[test]
    fn everything_that_a_request_can_say_is_written() {
        let call = |id: &str| ToolCall { id: id.to_owned(), name: "add".to_owned(), arguments: "{\"a\":1}".to_owned() };
        let turns = vec![
            Turn::system("Be brief."),
            Turn::system("Be kind."),
            Turn::user("1 + 1?"),
            Turn { tool_calls: vec![call("c1"), call("c2")], ..Turn::assistant("I add.") },
            Turn::tool("c1", "2"),
            Turn::tool("c2", "3"),
            Turn::system("Now end."),
            Turn { tool_calls: vec![call("c3")], ..Turn::assistant("") },
        ];
        let mut request = ChatRequest::new(turns, 50);
        request.temperature = Some(0.5);
        let parameters = json!({ "type": "object" });
        let (name, description) = ("add".to_owned(), "Adds".to_owned());
        request.tools = vec![Arc::new(ToolSpec { name, description, parameters: parameters.into() })];
        request.tool_choice = ToolChoice::Named("add".to_owned());
        request.form = ReplyForm::Json { name: "sum".to_owned(), schema: json!({ "type": "integer" }).into() };
        let called =
            |id: &str| json!({ "type": "function_call", "call_id": id, "name": "add", "arguments": "{\"a\":1}" });
        let expected = json!({
            "model": "m",
            "instructions": "Be brief.\n\nBe kind.",
            "input": [
                { "type": "message", "role": "user", "content": "1 + 1?" },
                { "type": "message", "role": "assistant", "content": "I add." },
                called("c1"),
                called("c2"),
                { "type": "function_call_output", "call_id": "c1", "output": "2" },
                { "type": "function_call_output", "call_id": "c2", "output": "3" },
                { "type": "message", "role": "system", "content": "Now end." },
                called("c3"),
            ],
            "max_output_tokens": 50,
            "temperature": 0.5,
            "tools": [{ "type": "function", "name": "add", "description": "Adds", "parameters": { "type": "object" }, "strict": false }],
            "tool_choice": { "type": "function", "name": "add" },
            "text": { "format": { "type": "json_schema", "name": "sum", "schema": { "type": "integer" }, "strict": false } },
            "stream": true,
            "store": false,
        });
        assert_eq!(sent(&request, true), expected);
    }

    #[test]
    fn a_plain_request_says_no_more_than_it_must_and_that_nothing_is_kept() {
        let request = ChatRequest::new(vec![Turn::user("Hello")], 20);
        let input = json!([{ "type": "message", "role": "user", "content": "Hello" }]);
        let expected = json!({ "model": "m", "input": input, "max_output_tokens": 20, "store": false });
        assert_eq!(sent(&request, false), expected);
    }
}
