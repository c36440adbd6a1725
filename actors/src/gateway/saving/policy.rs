//! What may be kept of replies, for how long, and for whom? Off unless somebody switches it on.
//!
//! The cache is exact and obeys: whoever switches it on for calls with a temperature gets the same reply each time, and whoever
//! wants another one each time leaves it off. So calls share a flight only in a mode that reads: several samples of one
//! question, which are identical calls at the same time, stay several calls as long as the mode is off.

use std::time::Duration;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::chat::{ChatReply, ChatRequest, Finish, ReplyForm};
use crate::error::StartError;

const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);
const LEAST_BYTES: usize = 1 << 10;

/// What a call does with kept replies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CacheMode {
    /// Nothing: each call is made.
    #[default]
    Off,
    /// It takes a kept reply, or waits for an identical call in flight, and keeps what comes.
    On,
    /// It takes a kept reply, or waits for an identical call in flight, and keeps nothing.
    ReadOnly,
    /// It is made, and what comes replaces what is kept.
    WriteOnly,
}

impl CacheMode {
    /// Whether a kept reply will do.
    pub fn reads(self) -> bool {
        matches!(self, Self::On | Self::ReadOnly)
    }

    /// Whether its reply is kept.
    pub fn writes(self) -> bool {
        matches!(self, Self::On | Self::WriteOnly)
    }

    /// Whether the reply to an identical call in flight will do: to whom a kept reply will do, one of just now will, too.
    /// Calls that are [streamed](crate::gateway::ChatCall::streamed) never share, whatever their mode: the provider waits for
    /// their reader, so that the slowest reader would hold up the others, and a reply that breaks off after its first piece is
    /// not made again, which others need not bear. They read and write the cache as all others do.
    pub fn shares(self) -> bool {
        self.reads()
    }
}

/// What a gateway keeps of replies, in memory and behind the port [`ReplyStore`](crate::ports::ReplyStore).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CachePolicy {
    /// What calls do that say nothing else. The default is [`CacheMode::Off`].
    pub mode: CacheMode,
    /// A reply is taken as long as it is younger: above zero, at most 366 days. The default is 24 hours.
    pub max_age: Duration,
    /// At most this many replies are kept in memory: 1 to 10,000,000. The default is 10,000.
    pub max_entries: usize,
    /// At most this many bytes are kept in memory, those of requests and replies together: 1,024 or more. The default is 64
    /// MiB.
    pub max_bytes: usize,
}

impl Default for CachePolicy {
    fn default() -> Self {
        let max_age = Duration::from_secs(24 * 3600);
        Self { mode: CacheMode::Off, max_age, max_entries: 10_000, max_bytes: 64 << 20 }
    }
}

impl CachePolicy {
    /// Checks every rule.
    ///
    /// # Errors
    /// [`StartError::Invalid`] names the value and its range.
    pub fn validate(&self) -> Result<(), StartError> {
        let Self { mode: _, max_age, max_entries, max_bytes } = self;
        let broken = if max_age.is_zero() || *max_age > YEAR {
            format!("cache.max_age is {max_age:?}; it must be above zero and at most 366 days")
        } else if !(1..=10_000_000).contains(max_entries) {
            format!("cache.max_entries is {max_entries}; it must be between 1 and 10000000")
        } else if *max_bytes < LEAST_BYTES {
            format!("cache.max_bytes is {max_bytes}; it must be at least {LEAST_BYTES}")
        } else {
            return Ok(());
        };
        Err(StartError::Invalid(broken))
    }
}

/// Whether this is a whole and good answer to that request. What is cut, empty, ended for a reason that nobody knows, or not
/// the JSON that was asked for would only come back as a failure each time.
pub(in crate::gateway) fn is_worth_keeping(request: &ChatRequest, reply: &ChatReply) -> bool {
    let is_whole = match reply.finish {
        Finish::Done => !reply.text.trim().is_empty() || !reply.tool_calls.is_empty(),
        Finish::ToolCalls => !reply.tool_calls.is_empty(),
        Finish::Length | Finish::Other(_) => false,
    };
    let is_in_form = match &request.form {
        ReplyForm::Text => true,
        // A reply that calls tools is not the answer yet.
        ReplyForm::Json { .. } => {
            !reply.tool_calls.is_empty() || serde_json::from_str::<IgnoredAny>(&reply.text).is_ok()
        }
    };
    is_whole && is_in_form
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::chat::{ToolCall, Turn};

    #[test]
    fn every_value_out_of_range_is_named() {
        let policy = CachePolicy::default;
        let wrong = [
            ("cache.max_age", CachePolicy { max_age: Duration::ZERO, ..policy() }),
            ("cache.max_age", CachePolicy { max_age: YEAR + Duration::from_nanos(1), ..policy() }),
            ("cache.max_entries", CachePolicy { max_entries: 0, ..policy() }),
            ("cache.max_entries", CachePolicy { max_entries: 10_000_001, ..policy() }),
            ("cache.max_bytes", CachePolicy { max_bytes: LEAST_BYTES - 1, ..policy() }),
        ];
        for (name, policy) in wrong {
            let message = policy.validate().unwrap_err().to_string();
            assert!(message.contains(&format!("{name} is ")), "{name}: {message}");
        }
        assert_eq!(policy().validate(), Ok(()));
        let edges = CachePolicy { max_age: YEAR, max_entries: 10_000_000, max_bytes: LEAST_BYTES, ..policy() };
        assert_eq!(edges.validate(), Ok(()));
    }

    #[test]
    fn nothing_is_saved_unless_somebody_says_so() {
        assert_eq!(CachePolicy::default().mode, CacheMode::Off);
        let of = |mode: CacheMode| (mode.reads(), mode.writes(), mode.shares());
        let modes = [CacheMode::Off, CacheMode::On, CacheMode::ReadOnly, CacheMode::WriteOnly];
        let table = [(false, false, false), (true, true, true), (true, false, true), (false, true, false)];
        assert_eq!(modes.map(of), table);
    }

    #[test]
    fn only_whole_and_good_replies_are_kept() {
        let text = ChatRequest::new(vec![Turn::user("?")], 9);
        let form = ReplyForm::Json { name: "sum".to_owned(), schema: Value::Null.into() };
        let json = ChatRequest { form, ..text.clone() };
        let call = ToolCall { id: "1".to_owned(), name: "add".to_owned(), arguments: String::new() };
        let calls = |finish| ChatReply { tool_calls: vec![call.clone()], finish, ..ChatReply::default() };
        let ended = |finish| ChatReply { finish, ..ChatReply::text("so") };
        let table = [
            (&text, ChatReply::text("so"), true),
            (&text, ChatReply::text(" \n"), false),
            (&text, ended(Finish::Length), false),
            (&text, ended(Finish::Other("filter".to_owned())), false),
            (&text, ended(Finish::ToolCalls), false),
            (&text, calls(Finish::ToolCalls), true),
            (&text, calls(Finish::Done), true),
            (&text, calls(Finish::Length), false),
            (&json, ChatReply::text("{\"sum\": 3}"), true),
            (&json, ChatReply::text("{\"sum\": "), false),
            (&json, ChatReply::text("the sum is 3"), false),
            (&json, calls(Finish::ToolCalls), true),
        ];
        for (request, reply, is_kept) in table {
            assert_eq!(is_worth_keeping(request, &reply), is_kept, "{reply:?}");
        }
    }
}
