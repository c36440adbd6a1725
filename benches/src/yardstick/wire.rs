//! What does the provider send? The types that one would write for its replies by hand.

use serde::{Deserialize, Serialize};

/// A reply.
#[derive(Debug, Deserialize)]
pub(super) struct Completion {
    pub(super) choices: Vec<Choice>,
    pub(super) usage: Option<Usage>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    pub(super) message: Message,
    pub(super) finish_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Message {
    pub(super) content: Option<String>,
    pub(super) tool_calls: Option<Vec<Call>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Call {
    pub(super) id: String,
    pub(super) r#type: String,
    pub(super) function: Function,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) arguments: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Usage {
    pub(super) prompt_tokens: u64,
    pub(super) completion_tokens: u64,
}

impl Completion {
    /// Tokens of question and answer.
    pub(super) fn tokens(&self) -> u64 {
        self.usage.as_ref().map_or(0, |usage| usage.prompt_tokens + usage.completion_tokens)
    }
}
