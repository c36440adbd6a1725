//! Is a tool called, and with which arguments? Arguments satisfy the tool's schema.

use serde_json::Value;

use super::chat::Chat;
use super::error::ApiError;
use crate::mock_llm::schema::satisfy;
use crate::mock_llm::script::FixedCall;

/// A tool that the request offers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Tool {
    pub(crate) name: String,
    /// What its arguments must satisfy; `None`: it takes none.
    parameters: Option<Value>,
}

/// What the request says about calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ToolChoice {
    None,
    /// The model decides; also when the request says nothing.
    Auto,
    Required,
    Named(String),
}

impl Tool {
    pub(super) fn decode(tools: Option<Vec<Value>>) -> Result<Vec<Self>, ApiError> {
        let decode = |(index, tool): (usize, Value)| {
            let name = tool.pointer("/function/name").and_then(Value::as_str);
            let name = name.ok_or_else(|| ApiError::missing(&format!("tools[{index}].function.name")))?;
            Ok(Self { name: name.to_owned(), parameters: tool.pointer("/function/parameters").cloned() })
        };
        tools.into_iter().flatten().enumerate().map(decode).collect()
    }

    fn call(&self) -> Result<FixedCall, ApiError> {
        let arguments = match &self.parameters {
            None | Some(Value::Null) => Ok("{}".to_owned()),
            Some(schema) => satisfy(schema, 0).map(|value| value.to_string()),
        };
        match arguments {
            Ok(arguments) => Ok(FixedCall { name: self.name.clone(), arguments }),
            Err(refused) => {
                let field = format!("tools ({}) parameters", self.name);
                Err(ApiError { param: Some("tools".into()), ..ApiError::field(&field, &refused.to_string()) })
            }
        }
    }
}

impl ToolChoice {
    pub(super) fn decode(choice: Option<Value>, tools: &[Tool]) -> Result<Self, ApiError> {
        let wrong = |problem: &str| Err(ApiError::field("tool_choice", problem));
        let Some(choice) = choice else { return Ok(Self::Auto) };
        let chosen = match (choice.as_str(), choice.pointer("/function/name").and_then(Value::as_str)) {
            (Some("none"), _) => Self::None,
            (Some("auto"), _) => Self::Auto,
            (Some("required"), _) => Self::Required,
            (_, Some(name)) => Self::Named(name.to_owned()),
            _ => return wrong("expected none, auto, required or a function's name"),
        };
        match &chosen {
            Self::Required if tools.is_empty() => wrong("only allowed when 'tools' are given"),
            Self::Named(name) if !tools.iter().any(|tool| tool.name == *name) => wrong("it names no tool of 'tools'"),
            _ => Ok(chosen),
        }
    }
}

/// The call that answers a request; `None` when it is answered with text. `eager`: also where nobody demands one.
pub(super) fn call(chat: &Chat<'_>, eager: bool) -> Result<Option<FixedCall>, ApiError> {
    let tool = match &chat.tool_choice {
        ToolChoice::None => None,
        ToolChoice::Auto if eager && chat.last_role == "user" => chat.tools.first(),
        ToolChoice::Auto => None,
        // What a tool answered is not asked again: the loop of a program that requires calls comes to an end.
        ToolChoice::Required | ToolChoice::Named(_) if chat.last_role == "tool" => None,
        ToolChoice::Required => chat.tools.first(),
        ToolChoice::Named(name) => chat.tools.iter().find(|tool| tool.name == *name),
    };
    tool.map(Tool::call).transpose()
}
