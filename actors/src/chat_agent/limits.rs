//! How far may one ask go? Each limit ends it with what there is so far.

use std::time::Duration;

use crate::error::StartError;

/// The limits of one ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskLimits {
    /// Turns of the model, that is calls of it: 1 to 10,000. The default is 16.
    pub turns: u32,
    /// Tool calls, of all turns together: up to 100,000. The default is 64.
    pub tool_calls: u32,
    /// Tokens of all requests and replies, as the provider counts them: when so many were used, no further call is made. A call of which
    /// the provider tells nothing counts as what it can have used, as with a [`Budget`](crate::gateway::Budget): a token for each byte of
    /// the request, and `output_tokens`. What is known of agents that were asked as tools counts, too. At least 1; by default there is no limit.
    pub tokens: Option<u64>,
    /// From the ask to its answer, waiting in the agent's line included: 1 millisecond to 24 hours. The default is 5 minutes.
    pub time: Duration,
    /// How often the same tool may be called with the same arguments: at least 1. The next such call ends the ask. The default is 2.
    pub repeats: u32,
    /// Tool calls of one turn at the same time: 1 to 1,000. The default is 8.
    pub tools_at_once: usize,
    /// What is shown of a session that the question belongs to, in tokens, roughly: its newest exchanges, and a summary of those before if
    /// the agent [summarises](super::ChatAgentSpec::summarise), for which it has to be at least 200. The default is 8,000.
    pub history_tokens: u64,
    /// The longest reply of one turn, in tokens: at least 1; a model that thinks first needs more. `None`, the default, is what
    /// [`ChatAgentSpec::output_tokens`](super::ChatAgentSpec::output_tokens) says, which is the runtime's, or else 2,048.
    pub output_tokens: Option<u32>,
}

impl Default for AskLimits {
    fn default() -> Self {
        Self {
            turns: 16,
            tool_calls: 64,
            tokens: None,
            time: Duration::from_secs(300),
            repeats: 2,
            tools_at_once: 8,
            history_tokens: 8_000,
            output_tokens: None,
        }
    }
}

/// The longest reply where nobody says anything else, in tokens.
const OUTPUT_TOKENS: u32 = 2_048;

impl AskLimits {
    /// The longest reply of one turn, in tokens.
    pub(super) fn longest_reply(&self) -> u32 {
        self.output_tokens.unwrap_or(OUTPUT_TOKENS)
    }

    /// Checks every rule.
    ///
    /// # Errors
    /// [`StartError::Invalid`] names the value and its range.
    pub fn validate(&self) -> Result<(), StartError> {
        let Self { turns, tool_calls, tokens, time, repeats, tools_at_once, history_tokens: _, output_tokens } = self;
        let broken = if !(1..=10_000).contains(turns) {
            format!("turns is {turns}; it must be between 1 and 10000")
        } else if *tool_calls > 100_000 {
            format!("tool_calls is {tool_calls}; it must be at most 100000")
        } else if *tokens == Some(0) {
            "tokens is 0; it must be at least 1".to_owned()
        } else if !(Duration::from_millis(1)..=Duration::from_hours(24)).contains(time) {
            format!("time is {time:?}; it must be between 1ms and 24h")
        } else if *repeats == 0 {
            "repeats is 0; it must be at least 1".to_owned()
        } else if !(1..=1_000).contains(tools_at_once) {
            format!("tools_at_once is {tools_at_once}; it must be between 1 and 1000")
        } else if *output_tokens == Some(0) {
            "output_tokens is 0; it must be at least 1".to_owned()
        } else {
            return Ok(());
        };
        Err(StartError::Invalid(broken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_out_of_range_is_named() {
        let limits = AskLimits::default;
        let wrong = [
            ("turns", AskLimits { turns: 0, ..limits() }),
            ("turns", AskLimits { turns: 10_001, ..limits() }),
            ("tool_calls", AskLimits { tool_calls: 100_001, ..limits() }),
            ("tokens", AskLimits { tokens: Some(0), ..limits() }),
            ("time", AskLimits { time: Duration::ZERO, ..limits() }),
            ("time", AskLimits { time: Duration::MAX, ..limits() }),
            ("repeats", AskLimits { repeats: 0, ..limits() }),
            ("tools_at_once", AskLimits { tools_at_once: 0, ..limits() }),
            ("tools_at_once", AskLimits { tools_at_once: 1_001, ..limits() }),
            ("output_tokens", AskLimits { output_tokens: Some(0), ..limits() }),
        ];
        for (name, limits) in wrong {
            let message = limits.validate().unwrap_err().to_string();
            assert!(message.contains(&format!("{name} is ")), "{name}: {message}");
        }
        assert_eq!(limits().validate(), Ok(()));
    }
}
