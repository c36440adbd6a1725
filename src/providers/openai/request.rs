//! How is a request written for Chat Completions?

use callboard_actors::chat::{ChatRequest, ReplyForm, Role, ToolChoice, Turn};
use serde_json::{Value, json};

/// The body of a request. Servers that follow OpenAI know `max_tokens`; OpenAI's own newer models know only
/// `max_completion_tokens`.
pub(super) fn body(request: &ChatRequest, model: &str, is_openai: bool, is_streamed: bool) -> Value {
    let mut body = json!({ "model": model, "messages": request.turns.iter().map(message).collect::<Vec<_>>() });
    let limit = if is_openai { "max_completion_tokens" } else { "max_tokens" };
    body[limit] = request.max_output_tokens.into();
    if let Some(temperature) = request.temperature {
        body["temperature"] = temperature.into();
    }
    if !request.tools.is_empty() {
        let tool = |tool: &callboard_actors::chat::ToolSpec| {
            let function = json!({ "name": tool.name, "description": tool.description, "parameters": tool.parameters });
            json!({ "type": "function", "function": function })
        };
        body["tools"] = request.tools.iter().map(tool).collect();
        body["tool_choice"] = match &request.tool_choice {
            ToolChoice::Auto => "auto".into(),
            ToolChoice::Never => "none".into(),
            ToolChoice::Always => "required".into(),
            ToolChoice::Named(name) => json!({ "type": "function", "function": { "name": name } }),
        };
    }
    if let ReplyForm::Json { name, schema } = &request.form {
        let schema = json!({ "name": name, "schema": schema, "strict": true });
        body["response_format"] = json!({ "type": "json_schema", "json_schema": schema });
    }
    if is_streamed {
        body["stream"] = true.into();
        body["stream_options"] = json!({ "include_usage": true });
    }
    body
}

fn message(turn: &Turn) -> Value {
    let role = match turn.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let mut message = json!({ "role": role, "content": turn.text });
    if !turn.tool_calls.is_empty() {
        let call = |call: &callboard_actors::chat::ToolCall| {
            let function = json!({ "name": call.name, "arguments": call.arguments });
            json!({ "id": call.id, "type": "function", "function": function })
        };
        message["tool_calls"] = turn.tool_calls.iter().map(call).collect();
        if turn.text.is_empty() {
            message["content"] = Value::Null;
        }
    }
    if let Some(call) = &turn.answers {
        message["tool_call_id"] = call.as_str().into();
    }
    message
}

#[cfg(test)]
mod tests {
    use callboard_actors::chat::{ToolCall, ToolSpec};

    use super::*;

    #[test]
    fn everything_that_a_request_can_say_is_written() {
        let call = ToolCall { id: "c1".to_owned(), name: "add".to_owned(), arguments: "{\"a\":1}".to_owned() };
        let asks = Turn { tool_calls: vec![call], ..Turn::assistant("") };
        let turns = vec![Turn::system("Be brief."), Turn::user("1 + 1?"), asks, Turn::tool("c1", "2")];
        let mut request = ChatRequest::new(turns, 50);
        request.temperature = Some(0.5);
        let parameters = json!({ "type": "object" });
        request.tools = vec![ToolSpec { name: "add".to_owned(), description: "Adds".to_owned(), parameters }];
        request.tool_choice = ToolChoice::Named("add".to_owned());
        request.form = ReplyForm::Json { name: "sum".to_owned(), schema: json!({ "type": "integer" }) };
        let expected = json!({
            "model": "m",
            "messages": [
                { "role": "system", "content": "Be brief." },
                { "role": "user", "content": "1 + 1?" },
                { "role": "assistant", "content": null, "tool_calls": [
                    { "id": "c1", "type": "function", "function": { "name": "add", "arguments": "{\"a\":1}" } }
                ] },
                { "role": "tool", "content": "2", "tool_call_id": "c1" },
            ],
            "max_completion_tokens": 50,
            "temperature": 0.5,
            "tools": [{ "type": "function", "function": {
                "name": "add", "description": "Adds", "parameters": { "type": "object" }
            } }],
            "tool_choice": { "type": "function", "function": { "name": "add" } },
            "response_format": { "type": "json_schema", "json_schema": {
                "name": "sum", "schema": { "type": "integer" }, "strict": true
            } },
            "stream": true,
            "stream_options": { "include_usage": true },
        });
        assert_eq!(body(&request, "m", true, true), expected);
    }

    #[test]
    fn a_plain_request_says_no_more_than_it_must() {
        let request = ChatRequest::new(vec![Turn::user("Hello")], 5);
        let expected = json!({ "model": "m", "messages": [{ "role": "user", "content": "Hello" }], "max_tokens": 5 });
        assert_eq!(body(&request, "m", false, false), expected);
    }
}
