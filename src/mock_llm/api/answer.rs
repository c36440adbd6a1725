//! What is the reply to a chat request? Text, calls or JSON with its length and its reason to end; pure.

use std::borrow::Cow;

use super::chat::{Chat, Format};
use super::error::ApiError;
use super::tools;
use crate::mock_llm::config::MockConfig;
use crate::mock_llm::fault::Fault;
use crate::mock_llm::replies::{cut, text, tokens_of};
use crate::mock_llm::schema::satisfy;
use crate::mock_llm::script::{FixedCall, Says};

/// A reply before it is written down. All of its choices say the same.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    /// The number of the call, which its id is made from.
    pub(crate) number: u64,
    pub(crate) model: &'a str,
    pub(crate) choices: u64,
    pub(crate) content: Content<'a>,
    pub(crate) finish: &'static str,
    /// Prompt and reply; `None`: nothing is said about it.
    pub(crate) usage: Option<(u64, u64)>,
}

/// What is said.
#[derive(Debug)]
pub(crate) enum Content<'a> {
    Text(Cow<'a, str>),
    Calls(Cow<'a, [FixedCall]>),
}

impl<'a> Answer<'a> {
    /// Decides. `says` is what a script says.
    pub(crate) fn to(
        chat: &'a Chat<'_>,
        config: &MockConfig,
        number: u64,
        says: Option<&'a Says>,
        fault: Option<Fault>,
    ) -> Result<Self, ApiError> {
        let mut content = content(chat, config, number, says, fault)?;
        let mut finish = match content {
            Content::Text(_) => "stop",
            Content::Calls(_) => "tool_calls",
        };
        if let (Content::Text(text), Some(most)) = (&mut content, chat.max_tokens)
            && let (begin, true) = cut(text, most)
        {
            *text = begin.to_owned().into();
            finish = "length";
        }
        if fault == Some(Fault::WrongFinish) {
            finish = "length";
        }
        let usage = (chat.prompt_tokens, content.tokens() * chat.choices);
        let usage = (fault != Some(Fault::MissingUsage)).then_some(usage);
        Ok(Self { number, model: &chat.model, choices: chat.choices, content, finish, usage })
    }
}

impl Content<'_> {
    /// A call counts its name and its arguments.
    pub(crate) fn tokens(&self) -> u64 {
        match self {
            Self::Text(text) => tokens_of(text.len()),
            Self::Calls(calls) => {
                calls.iter().map(|call| tokens_of(call.name.len()) + tokens_of(call.arguments.len())).sum()
            }
        }
    }
}

fn content<'a>(
    chat: &Chat<'_>,
    config: &MockConfig,
    number: u64,
    says: Option<&'a Says>,
    fault: Option<Fault>,
) -> Result<Content<'a>, ApiError> {
    match says {
        Some(Says::Text(text)) => return Ok(Content::Text(text.into())),
        Some(Says::Calls(calls)) => return Ok(Content::Calls(calls.into())),
        Some(Says::Status { .. }) | None => {}
    }
    if let Some(call) = tools::call(chat, config.tool_calls)? {
        return Ok(Content::Calls(vec![call].into()));
    }
    let is_split = fault == Some(Fault::SplitUtf8);
    let text = match &chat.format {
        Format::Text => {
            let wanted = u64::from(config.reply_tokens);
            // One token more than is allowed, so that the cut is seen.
            let wanted = chat.max_tokens.map_or(wanted, |most| wanted.min(most.saturating_add(1)));
            text(config.seed, number, wanted, is_split)
        }
        Format::Json => format!("{{\"answer\":\"{}\"}}", text(config.seed, number, 4, is_split)),
        Format::Schema(schema) => match satisfy(schema, 0) {
            Ok(value) => value.to_string(),
            Err(refused) => return Err(ApiError::field("response_format.json_schema.schema", &refused.to_string())),
        },
    };
    Ok(Content::Text(text.into()))
}

/// The most tokens that the reply may have: what a limit on tokens counts beforehand.
pub(crate) fn upper_bound(chat: &Chat<'_>, config: &MockConfig) -> u64 {
    chat.choices.saturating_mul(chat.max_tokens.unwrap_or(config.reply_tokens.into()))
}
