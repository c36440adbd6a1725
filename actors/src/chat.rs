//! What is said to a language model, and what comes back? Plain values, free of any vendor's format.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::ModelError;
use crate::schema::Schema;

/// Who speaks in a [`Turn`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Instructions of the program; never text of a document.
    System,
    /// The person, or the agent that asks.
    User,
    /// The model.
    Assistant,
    /// A tool that the model called.
    Tool,
}

/// A tool that the model wants to be called.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ToolCall {
    /// The provider's name for this call; the answer repeats it.
    pub id: String,
    /// Which tool.
    pub name: String,
    /// The arguments as the model wrote them: JSON, if it kept to the schema.
    pub arguments: String,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub text: String,
    /// Tools that the model called in this turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Of a tool's turn: the [`ToolCall::id`] that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<String>,
}

impl Turn {
    fn new(role: Role, text: impl Into<String>) -> Self {
        Self { role, text: text.into(), tool_calls: Vec::new(), answers: None }
    }

    /// A turn of the person or agent that asks.
    pub fn user(text: impl Into<String>) -> Self {
        Self::new(Role::User, text)
    }

    /// A turn with the program's instructions.
    pub fn system(text: impl Into<String>) -> Self {
        Self::new(Role::System, text)
    }

    /// A turn of the model.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::new(Role::Assistant, text)
    }

    /// What a tool answered to the call with this id.
    pub fn tool(call: impl Into<String>, text: impl Into<String>) -> Self {
        Self { answers: Some(call.into()), ..Self::new(Role::Tool, text) }
    }
}

/// A tool as the model is told of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Its name: letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// A JSON schema of its arguments.
    pub parameters: Schema,
}

/// Whether the model calls a tool.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoice {
    /// As it likes.
    #[default]
    Auto,
    /// None.
    Never,
    /// At least one.
    Always,
    /// This one.
    Named(String),
}

/// What the reply has to be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyForm {
    /// Text.
    #[default]
    Text,
    /// JSON that satisfies a schema.
    Json {
        /// The schema's name: letters, digits, `_` and `-`, at most 64.
        name: String,
        /// A JSON schema.
        schema: Schema,
    },
}

/// One call of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChatRequest {
    /// Oldest first.
    pub turns: Vec<Turn>,
    /// The largest reply in tokens, at least 1; always sent, because a budget reserves it. A gateway refuses a call with 0:
    /// [`ModelError::Rejected`], and nothing is sent.
    pub max_output_tokens: u32,
    /// Tools that the model may call.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Arc<ToolSpec>>,
    /// Whether it calls one.
    #[serde(default)]
    pub tool_choice: ToolChoice,
    /// What the reply has to be.
    #[serde(default)]
    pub form: ReplyForm,
    /// How much chance there is in the reply: 0 to 2, or less, as the provider says; its default when it is `None`. A gateway refuses a
    /// call with another one: [`ModelError::Rejected`], and nothing is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
}

/// What each turn costs a request beside its text, at most, in tokens.
const FRAME: u64 = 16;
/// The same of a tool and of a schema: a template may wrap them in sentences.
const WRAPPING: u64 = 64;

/// The highest temperature that any of the vendors' references allows: OpenAI's and Gemini's.
const HOTTEST: f32 = 2.0;

/// Whether any provider may take it, or else the rule that it breaks.
pub(crate) fn is_a_temperature(temperature: f32) -> Result<(), String> {
    // Not a number is in no range.
    match (0.0..=HOTTEST).contains(&temperature) {
        true => Ok(()),
        false => Err(format!("temperature is {temperature}; it must be between 0 and 2")),
    }
}

impl ChatRequest {
    /// A request for text, without tools.
    pub fn new(turns: Vec<Turn>, max_output_tokens: u32) -> Self {
        Self {
            turns,
            max_output_tokens,
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            form: ReplyForm::Text,
            temperature: None,
        }
    }

    /// Checks what has a range whatever the provider is.
    ///
    /// # Errors
    /// [`ModelError::Rejected`] names the value and its range.
    pub fn validate(&self) -> Result<(), ModelError> {
        let broken = match self.temperature.map(is_a_temperature) {
            Some(Err(broken)) => broken,
            _ if self.max_output_tokens == 0 => "max_output_tokens is 0; it must be at least 1".to_owned(),
            _ => return Ok(()),
        };
        Err(ModelError::Rejected { status: 400, message: format!("{broken}. Nothing was sent") })
    }

    /// An upper bound of what the call can use: no tokenizer makes more tokens of a text than it has bytes.
    pub fn most_tokens(&self) -> TokenUsage {
        let of_turn = |turn: &Turn| {
            let calls: usize =
                turn.tool_calls.iter().map(|call| call.id.len() + call.name.len() + call.arguments.len()).sum();
            (turn.text.len() + calls + turn.answers.as_ref().map_or(0, String::len)) as u64 + FRAME
        };
        let of_tool = |tool: &Arc<ToolSpec>| {
            (tool.name.len() + tool.description.len() + tool.parameters.text().len()) as u64 + WRAPPING
        };
        let form = match &self.form {
            ReplyForm::Text => 0,
            ReplyForm::Json { name, schema } => (name.len() + schema.text().len()) as u64 + WRAPPING,
        };
        let input = self.turns.iter().map(of_turn).sum::<u64>() + self.tools.iter().map(of_tool).sum::<u64>() + form;
        TokenUsage { input, output: u64::from(self.max_output_tokens) }
    }
}

/// What a call used, as the provider counts it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUsage {
    /// Tokens of the request.
    pub input: u64,
    /// Tokens of the reply.
    pub output: u64,
}

impl TokenUsage {
    /// Both together.
    pub fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }
}

impl std::ops::AddAssign for TokenUsage {
    fn add_assign(&mut self, more: Self) {
        self.input = self.input.saturating_add(more.input);
        self.output = self.output.saturating_add(more.output);
    }
}

/// Why a reply ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finish {
    /// The model had said everything.
    #[default]
    Done,
    /// It reached [`ChatRequest::max_output_tokens`], or the model's own limit: the text is cut.
    Length,
    /// It waits for the tools that it called.
    ToolCalls,
    /// For a reason that only the provider knows, or that it did not tell.
    Other(String),
}

/// A model's answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatReply {
    /// The text.
    pub text: String,
    /// Tools to be called, in the model's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<ToolCall>,
    /// Why it ended.
    #[serde(default)]
    pub finish: Finish,
    /// `None` when the provider did not say: unknown, not zero.
    pub usage: Option<TokenUsage>,
    /// What the provider says is left of its limits.
    #[serde(skip)]
    pub headroom: Headroom,
}

impl ChatReply {
    /// A reply of nothing but text, whose usage is unknown.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// The same as pieces, for a reader who wants it so: the text as one, then each tool call.
    pub fn chunks(&self) -> Vec<ChatChunk> {
        let text = (!self.text.is_empty()).then(|| ChatChunk::Text(self.text.clone()));
        let calls = self.tool_calls.iter().enumerate().map(|(index, call)| ChatChunk::ToolCall {
            index,
            name: Some(call.name.clone()),
            arguments: call.arguments.clone(),
        });
        text.into_iter().chain(calls).collect()
    }
}

/// A piece of a reply, as it comes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChatChunk {
    /// More of the text.
    Text(String),
    /// More of the tool call with this number, from 0.
    ToolCall {
        /// Which.
        index: usize,
        /// Its name, with its first piece.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
        /// More of its arguments.
        arguments: String,
    },
}

/// What a provider says is left of a limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Headroom {
    /// Requests that may still be made.
    pub requests: Option<u64>,
    /// Tokens that may still be used.
    pub tokens: Option<u64>,
    /// When all of the requests are there again.
    pub requests_reset: Option<Duration>,
    /// When all of the tokens are there again.
    pub tokens_reset: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pieces_are_the_whole_reply() {
        assert_eq!(ChatReply::default().chunks(), []);
        assert_eq!(ChatReply::text("so").chunks(), [ChatChunk::Text("so".to_owned())]);
        let call = |name: &str| ToolCall { id: "1".to_owned(), name: name.to_owned(), arguments: "{}".to_owned() };
        let reply = ChatReply { tool_calls: vec![call("a"), call("b")], ..ChatReply::text("so") };
        let piece = |index, name: &str| {
            let (name, arguments) = (Some(name.to_owned()), "{}".to_owned());
            ChatChunk::ToolCall { index, name, arguments }
        };
        assert_eq!(reply.chunks(), [ChatChunk::Text("so".to_owned()), piece(0, "a"), piece(1, "b")]);
    }

    #[test]
    fn the_most_that_a_call_can_use_counts_every_byte_that_is_sent() {
        let plain = ChatRequest::new(vec![Turn::user("äö")], 10);
        assert_eq!(plain.most_tokens(), TokenUsage { input: 4 + FRAME, output: 10 });
        let mut more = plain.clone();
        more.turns.push(Turn::tool("id", "12"));
        let (name, description) = ("add".to_owned(), "Adds".to_owned());
        more.tools.push(Arc::new(ToolSpec { name, description, parameters: serde_json::Value::Null.into() }));
        more.form = ReplyForm::Json { name: "sum".to_owned(), schema: serde_json::Value::Null.into() };
        assert_eq!(more.most_tokens().input, (4 + 4 + 11 + 7) + 2 * FRAME + 2 * WRAPPING);
    }

    #[test]
    fn a_temperature_is_in_its_range_or_left_to_the_provider() {
        let hot = |temperature| ChatRequest { temperature, ..ChatRequest::new(vec![Turn::user("x")], 10) }.validate();
        for right in [None, Some(0.0), Some(-0.0), Some(0.7), Some(2.0)] {
            assert_eq!(hot(right), Ok(()), "{right:?}");
        }
        for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.1, 2.1] {
            let error = hot(Some(wrong)).unwrap_err();
            let is_told = error.to_string().contains(&format!("temperature is {wrong}; it must be between 0 and 2"));
            assert!(is_told && error.code() == "rejected" && !error.is_retryable(), "{error}");
        }
    }

    #[test]
    fn a_reply_of_no_tokens_is_asked_of_nobody() {
        let error = ChatRequest::new(vec![Turn::user("x")], 0).validate().unwrap_err();
        assert!(error.to_string().contains("max_output_tokens is 0; it must be at least 1"), "{error}");
    }

    #[test]
    fn a_request_of_before_is_still_read() {
        let json = r#"{"turns":[{"role":"user","text":"hello"}],"max_output_tokens":16}"#;
        assert_eq!(serde_json::from_str::<ChatRequest>(json).unwrap(), ChatRequest::new(vec![Turn::user("hello")], 16));
    }
}
