//! What comes back from an ask, and what did it take?

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::waits::AskWait;
use crate::chat::{Role, Turn};
use crate::error::{AskError, ModelError, StoreError};
use crate::text::count;

/// What an agent answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The text. Of an ask that ended without an answer it is what the model said last, or what a reader had of a turn that broke, and may
    /// be empty.
    pub text: String,
    /// The agent that gave it: after a handoff another one than the one that was asked.
    pub agent: Arc<str>,
    /// Everything that was said, from the question on: without the agent's instructions. Of an ask that ended before all tools of a turn
    /// were over, each of their calls has a turn, which says what the tool said, or that it had not begun, or was not over.
    pub turns: Vec<Turn>,
    /// Why there is no text and no turn, where a guardrail on output has kept them back: always `None` of an answer that is given.
    pub withheld: Option<String>,
    /// What it took.
    pub metrics: AskMetrics,
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            text: String::new(),
            agent: "".into(),
            turns: Vec::new(),
            withheld: None,
            metrics: AskMetrics::default(),
        }
    }
}

impl Answer {
    /// Of an ask of which no model has heard.
    pub(super) fn unasked() -> Self {
        Self { metrics: AskMetrics::nothing(), ..Self::default() }
    }

    /// The end of a hint: what the asker has of an ask without an answer.
    fn rest(&self, there_is: &str) -> String {
        let is_said = |turn: &Turn| turn.role != Role::User;
        match &self.withheld {
            Some(why) => format!("; what was said so far is kept back: {why}"),
            None if self.text.is_empty() && !self.turns.iter().any(is_said) => String::new(),
            None => there_is.to_owned(),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// How an ask ended. In a box, so that whatever waits for it need not hold the room.
pub(super) type Ended = Result<Box<Answer>, ChatAgentError>;

/// What an ask took. Model calls, attempts, tokens and cost are those of the agents, too, that it asked as [tools](super::ChatAgent::as_tool), and
/// those that they asked. The times are those of the ask and not of the processor: tools that run at the same time count once together, and
/// an agent that was asked as one is a tool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AskMetrics {
    /// Calls of the model that were answered.
    pub model_calls: u32,
    /// Attempts to call it, those included that failed.
    pub attempts: u32,
    /// Tool calls of its own, those included that failed or that no tool could carry out, and handoffs. Of a turn whose calls the end of the ask's time
    /// cut short, those that had begun, and no handoff.
    pub tool_calls: u32,
    /// Tokens of requests, as the provider counted them.
    pub input_tokens: u64,
    /// Tokens of replies.
    pub output_tokens: u64,
    /// Calls of which nobody knows all that they used, because the provider did not tell or an attempt failed halfway: that is in no sum. An
    /// agent that was asked as a tool and cut off in the middle is one: the rest of what it used is in no sum either.
    pub calls_without_usage: u32,
    /// What the calls cost, in millionths of a US dollar; `None` when a price or a usage is not known, also of a call that failed after it
    /// may have been made.
    pub cost_micros: Option<u64>,
    /// In the agent's line, until those before it were answered.
    pub in_line: Duration,
    /// In the gateway's queue: for a place, a rate, the next attempt. And before that for what others had reserved of the budget.
    pub queue: Duration,
    /// At the provider.
    pub model: Duration,
    /// In tools: of each turn with calls, from its first one to the end of its last, with what they wait for, such as a place, a guardrail or
    /// a person who approves.
    pub tools: Duration,
    /// From the ask to its end.
    pub total: Duration,
}

impl AskMetrics {
    /// Of what has cost nothing so far.
    pub(super) fn nothing() -> Self {
        Self { cost_micros: Some(0), ..Self::default() }
    }

    /// The model calls of another ask, and what they used, are part of this one. Its times are none of this one's, and neither are its
    /// tool calls, which have a limit for each.
    pub(super) fn add_calls(&mut self, of: &Self) {
        self.model_calls = self.model_calls.saturating_add(of.model_calls);
        self.attempts = self.attempts.saturating_add(of.attempts);
        self.input_tokens = self.input_tokens.saturating_add(of.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(of.output_tokens);
        self.calls_without_usage = self.calls_without_usage.saturating_add(of.calls_without_usage);
        self.cost_micros = self.cost_micros.zip(of.cost_micros).map(|(sum, cost)| sum.saturating_add(cost));
    }
}

/// Which limit ended an ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AskLimit {
    /// [`AskLimits::turns`](super::AskLimits::turns).
    Turns,
    /// [`AskLimits::tool_calls`](super::AskLimits::tool_calls).
    ToolCalls,
    /// [`AskLimits::tokens`](super::AskLimits::tokens).
    Tokens,
    /// [`AskLimits::time`](super::AskLimits::time).
    Time,
    /// [`AskLimits::repeats`](super::AskLimits::repeats).
    Repeats,
    /// [`AskLimits::output_tokens`](super::AskLimits::output_tokens), or a lower limit of the model's own: its reply was cut, and the text
    /// of what there is ends in the middle.
    OutputTokens,
}

impl AskLimit {
    /// Where it is raised.
    fn field(self) -> &'static str {
        match self {
            Self::Turns => "`AskLimits::turns`",
            Self::ToolCalls => "`AskLimits::tool_calls`",
            Self::Tokens => "`AskLimits::tokens`",
            Self::Time => "`AskLimits::time` or `Question::within`",
            Self::Repeats => "`AskLimits::repeats`",
            Self::OutputTokens => "`AskLimits::output_tokens`",
        }
    }
}

impl fmt::Display for AskLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Turns => "turns",
            Self::ToolCalls => "tool_calls",
            Self::Tokens => "tokens",
            Self::Time => "time",
            Self::Repeats => "repeats",
            Self::OutputTokens => "output_tokens",
        })
    }
}

/// An ask was not answered.
#[derive(Clone, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChatAgentError {
    /// A limit ended it.
    #[error(
        "the ask came to its limit `{limit}`{} after {} and {}{}{}",
        of(most),
        count(partial.metrics.model_calls, "model call"),
        count(partial.metrics.tool_calls, "tool call"),
        waiting(waited_for.as_ref()),
        behind(detail)
    )]
    Limit {
        /// Which.
        limit: AskLimit,
        /// What it waited for when its time was over; `None` of the other limits, and when the agent's shard was blocked for so long
        /// that nobody knows.
        waited_for: Option<AskWait>,
        /// How much it allowed: a number, or a time such as `300s`. Empty where nobody knows it any more.
        most: String,
        /// More about it: of repeats the tool that was called again, and of turns what was wrong with a last answer. Often empty.
        detail: String,
        /// What there is so far.
        partial: Box<Answer>,
    },
    /// The model gave no answer, after the retries of the gateway.
    #[error("the model gave no answer: {error}")]
    Model {
        /// Why.
        error: ModelError,
        /// What there is so far.
        partial: Box<Answer>,
    },
    /// The answer is not what it has to be, or nothing at all, after all repairs.
    #[error("the answer is not what was asked for: {problem}")]
    Unfit {
        /// What is wrong with it; of a typed answer with the name of its type and how many were given.
        problem: String,
        /// What there is, the last answer among it.
        partial: Box<Answer>,
    },
    /// A guardrail blocked the question or the answer.
    #[error("the guardrail {guardrail} blocked it: {reason}")]
    Blocked {
        /// Its name.
        guardrail: String,
        /// Why.
        reason: String,
        /// What there is so far; an answer that was blocked is not in it.
        partial: Box<Answer>,
    },
    /// What was said in the session could not be read, and nothing was asked; or the answer could not be kept there, or not in time
    /// ([`StoreError::Late`]): then it may be kept a moment later. A store that panics is [`StoreError::Panicked`].
    #[error("the session cannot be used: {error}")]
    Session {
        /// Why.
        error: StoreError,
        /// The answer, if there is one.
        partial: Box<Answer>,
    },
    /// The question breaks a rule. Nothing was asked.
    #[error("the question cannot be asked: {problem}")]
    Question {
        /// Which.
        problem: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// The agent itself did not take the ask or did not answer it.
    #[error("the agent did not answer: {0}")]
    Agent(AskError),
}

// Not what was said so far, which may be long and nobody else's business.
crate::shown_to_people!(ChatAgentError);

impl ChatAgentError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Limit { limit: AskLimit::Turns, .. } => "limit_turns",
            Self::Limit { limit: AskLimit::ToolCalls, .. } => "limit_tool_calls",
            Self::Limit { limit: AskLimit::Tokens, .. } => "limit_tokens",
            Self::Limit { limit: AskLimit::Time, .. } => "limit_time",
            Self::Limit { limit: AskLimit::Repeats, .. } => "limit_repeats",
            Self::Limit { limit: AskLimit::OutputTokens, .. } => "limit_output_tokens",
            Self::Model { error, .. } => error.code(),
            Self::Unfit { .. } => "answer_unfit",
            Self::Session { error, .. } => error.code(),
            Self::Blocked { .. } => "blocked",
            Self::Question { .. } => "invalid_question",
            Self::Agent(error) => error.code(),
        }
    }

    /// What to do about it. It says to ask or to try again where [`is_retryable`](Self::is_retryable) says that this may help, and
    /// nowhere else.
    pub fn hint(&self) -> String {
        match self {
            Self::Limit { limit, most, partial, .. } => {
                let again = if self.is_retryable() { "ask again, or " } else { "" };
                // The model may have one of its own, which is lower.
                let shorter = if *limit == AskLimit::OutputTokens { ", or ask for a shorter answer; where the whole context is full, show less of the session" } else { "" };
                let rest = partial.rest(", or use what there is in `partial`");
                format!("{again}raise {}{}{shorter}{rest}", limit.field(), which_is(most))
            }
            Self::Model { error, .. } => error.hint(),
            Self::Unfit { partial, .. } => {
                let rest = partial.rest("; what it said last is in `partial`");
                format!("ask again or otherwise, or choose another model{rest}")
            }
            Self::Blocked { .. } => "ask otherwise".to_owned(),
            Self::Session { error: StoreError::Late(_) | StoreError::Panicked(_), partial } if !partial.turns.is_empty() => {
                "use the answer that is in `partial`: it is paid for, and the session may yet know of it; look there before the same is asked again"
                    .to_owned()
            }
            Self::Session { error, partial } if !partial.turns.is_empty() => format!(
                "use the answer that is in `partial`: it is paid for, and only the session does not know of it; for the next one, {}",
                error.remedy()
            ),
            Self::Session { error, .. } => error.hint().to_owned(),
            Self::Question { hint, .. } => (*hint).to_owned(),
            Self::Agent(error) => error.hint().to_owned(),
        }
    }

    /// Whether the same ask may succeed later. It is paid for anew.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Limit { limit, .. } => *limit == AskLimit::Time,
            Self::Model { error, .. } => error.is_retryable(),
            Self::Unfit { .. } => true,
            // With an answer, it was paid for, and is perhaps kept a moment later.
            Self::Session { error, partial } => partial.turns.is_empty() && error.is_retryable(),
            Self::Blocked { .. } | Self::Question { .. } => false,
            Self::Agent(error) => error.is_retryable(),
        }
    }

    /// What there was when it ended.
    pub fn partial(&self) -> Option<&Answer> {
        match self {
            Self::Limit { partial, .. }
            | Self::Model { partial, .. }
            | Self::Unfit { partial, .. }
            | Self::Session { partial, .. }
            | Self::Blocked { partial, .. } => Some(partial),
            Self::Question { .. } | Self::Agent(_) => None,
        }
    }
}

/// The value of a limit, behind its name.
fn of(most: &str) -> String {
    if most.is_empty() { String::new() } else { format!(" of {most}") }
}

fn which_is(most: &str) -> String {
    if most.is_empty() { String::new() } else { format!(", which is {most}") }
}

fn behind(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!("; {detail}") }
}

fn waiting(waited_for: Option<&AskWait>) -> String {
    waited_for.map(|wait| format!("; it waited for {wait}")).unwrap_or_default()
}

impl ChatAgentError {
    /// Its time was over, while it waited for this.
    pub(super) fn late(wait: AskWait, partial: Answer) -> Self {
        Self::limit(AskLimit::Time, Some(wait), String::new(), partial)
    }

    pub(super) fn limit(limit: AskLimit, waited_for: Option<AskWait>, most: String, partial: Answer) -> Self {
        Self::Limit { limit, waited_for, most, detail: String::new(), partial: Box::new(partial) }
    }

    pub(super) fn partial_mut(&mut self) -> Option<&mut Answer> {
        match self {
            Self::Limit { partial, .. }
            | Self::Model { partial, .. }
            | Self::Unfit { partial, .. }
            | Self::Session { partial, .. }
            | Self::Blocked { partial, .. } => Some(partial),
            Self::Question { .. } | Self::Agent(_) => None,
        }
    }
}

impl From<AskError> for ChatAgentError {
    fn from(error: AskError) -> Self {
        Self::Agent(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_could_not_be_kept_is_not_paid_for_again() {
        let failed = |turns| {
            let partial = Box::new(Answer { turns, ..Answer::default() });
            ChatAgentError::Session { error: StoreError::Busy("x".to_owned()), partial }
        };
        assert!(failed(Vec::new()).is_retryable() && !failed(vec![Turn::assistant("so")]).is_retryable());
    }
}
