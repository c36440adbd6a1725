//! What does each fault do to a call? What takes the place of a reply, and what becomes of one that was made.

use std::time::Duration;

use callboard_actors::chat::{ChatChunk, ChatReply, ChatRequest, Finish, TokenUsage, ToolCall};
use callboard_actors::error::{Limited, ModelError, Waiting};
use callboard_actors::gateway::{Chunks, Timeouts};
use serde_json::Value;

/// What a provider does badly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChaosFault {
    /// 429.
    RateLimited {
        /// What it is about.
        limited: Limited,
        /// Its `Retry-After`, if it has one.
        retry_after: Option<Duration>,
    },
    /// 500 and above: 503 and 529 are a provider that is overloaded.
    Unavailable {
        /// The status.
        status: u16,
        /// Its `Retry-After`, if it has one.
        retry_after: Option<Duration>,
    },
    /// The connection is reset before the first byte of the reply.
    Reset,
    /// The reply is no JSON.
    BadJson,
    /// Nothing comes until the time is over: that for the first token of a streamed reply, else that of the attempt.
    Silence,
    /// A reply without text and without tool calls.
    Empty,
    /// The connection ends in the middle of the reply. Who reads it as it comes has seen a part.
    Cut,
    /// Nothing comes any more in the middle of the reply, until the time between two pieces is over.
    Stall,
    /// The arguments of the tool calls are no JSON. A reply that calls no tool calls the first one there is.
    BadArguments,
    /// The reply does not say what it used.
    NoUsage,
}

impl ChaosFault {
    /// A 429 about the rate, which asks to wait for this long.
    pub fn rate_limited(retry_after: Duration) -> Self {
        Self::RateLimited { limited: Limited::Rate, retry_after: Some(retry_after) }
    }

    /// A 429 about calls at the same time.
    pub fn too_many_at_once() -> Self {
        Self::RateLimited { limited: Limited::Concurrency, retry_after: None }
    }

    /// Overloaded: 529.
    pub fn overloaded() -> Self {
        Self::Unavailable { status: 529, retry_after: None }
    }

    /// Whether there is a reply for it to spoil. What is lost on its way when nobody reads along need not be made.
    pub(super) fn spoils_a_reply(self, is_streamed: bool) -> bool {
        match self {
            Self::BadArguments | Self::NoUsage => true,
            Self::Cut | Self::Stall => is_streamed,
            _ => false,
        }
    }

    /// What comes in place of a reply.
    pub(super) async fn instead(
        self,
        request: &ChatRequest,
        timeouts: Timeouts,
        is_streamed: bool,
    ) -> Result<ChatReply, ModelError> {
        let message = "said by the chaos model".to_owned();
        Err(match self {
            Self::RateLimited { limited, retry_after } => ModelError::RateLimited { limited, retry_after, message },
            Self::Unavailable { status, retry_after } => ModelError::Unavailable { status, retry_after, message },
            Self::BadJson => {
                ModelError::Malformed("expected value at line 1 column 1, said by the chaos model".to_owned())
            }
            Self::Silence => {
                let (time, waiting) = match is_streamed {
                    true => (timeouts.first_token, Waiting::FirstToken),
                    false => (timeouts.total, Waiting::Total),
                };
                return silence(time, waiting).await;
            }
            Self::Stall => return silence(timeouts.between_tokens, Waiting::NextToken).await,
            Self::Empty => {
                let usage = TokenUsage { input: request.most_tokens().input, output: 0 };
                return Ok(ChatReply { usage: Some(usage), ..ChatReply::default() });
            }
            Self::Reset | Self::Cut | Self::BadArguments | Self::NoUsage => {
                ModelError::Network { sent: true, message: "the connection broke: cut by the chaos model".to_owned() }
            }
        })
    }

    /// What becomes of this reply, of which `far` is left when it is cut.
    pub(super) async fn spoil(self, reply: ChatReply, call: Spoiled) -> Result<ChatReply, ModelError> {
        let Spoiled { first_tool, timeouts, chunks, far } = call;
        let reply = match self {
            Self::NoUsage => ChatReply { usage: None, ..reply },
            Self::BadArguments => with_bad_arguments(reply, first_tool, far),
            _ => {
                let received = send(chunks.as_ref(), begin_of(&reply, far)).await;
                if self == Self::Stall {
                    return silence(timeouts.between_tokens, Waiting::NextToken).await;
                }
                return Err(ModelError::Broken { received, message: "cut by the chaos model".to_owned() });
            }
        };
        send(chunks.as_ref(), reply.chunks()).await;
        Ok(reply)
    }
}

/// What a fault needs to know of the call whose reply it spoils.
pub(super) struct Spoiled {
    pub(super) first_tool: Option<String>,
    pub(super) timeouts: Timeouts,
    pub(super) chunks: Option<Chunks>,
    pub(super) far: f64,
}

async fn silence(time: Duration, waiting: Waiting) -> Result<ChatReply, ModelError> {
    tokio::time::sleep(time).await;
    Err(ModelError::Timeout(waiting))
}

/// Sends pieces to whoever reads. How many bytes of text and arguments they have.
async fn send(chunks: Option<&Chunks>, pieces: Vec<ChatChunk>) -> usize {
    let mut sent = 0;
    for piece in pieces {
        sent += match &piece {
            ChatChunk::Text(text) => text.len(),
            ChatChunk::ToolCall { arguments, .. } => arguments.len(),
            _ => 0,
        };
        let reader_has_left = match chunks {
            Some(chunks) => !chunks.send(piece).await,
            None => true,
        };
        if reader_has_left {
            break;
        }
    }
    sent
}

/// The first piece of a reply without its end: a sign of it at least, if there is one.
fn begin_of(reply: &ChatReply, far: f64) -> Vec<ChatChunk> {
    let first = reply.chunks().into_iter().next();
    let first = first.map(|piece| match piece {
        ChatChunk::Text(text) => ChatChunk::Text(begin(&text, far).to_owned()),
        ChatChunk::ToolCall { index, name, arguments } => {
            ChatChunk::ToolCall { index, name, arguments: begin(&arguments, far).to_owned() }
        }
        other => other,
    });
    first.into_iter().collect()
}

/// So much of a text: one sign at least.
fn begin(text: &str, far: f64) -> &str {
    let signs = text.chars().count();
    let kept = ((signs as f64 * far) as usize).max(1);
    text.char_indices().nth(kept).map_or(text, |(at, _)| &text[..at])
}

fn with_bad_arguments(mut reply: ChatReply, first_tool: Option<String>, far: f64) -> ChatReply {
    if reply.tool_calls.is_empty()
        && let Some(name) = first_tool
    {
        reply.tool_calls.push(ToolCall { id: "chaos-1".to_owned(), name, arguments: "{}".to_owned() });
        reply.finish = Finish::ToolCalls;
    }
    for call in &mut reply.tool_calls {
        let cut = begin(&call.arguments, far);
        // The begin of a number is a number.
        let is_json = serde_json::from_str::<Value>(cut).is_ok();
        call.arguments = if is_json { "{\"".to_owned() } else { cut.to_owned() };
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_begin_of_a_text_ends_between_signs() {
        for (far, kept) in [(0.0, "ä"), (0.34, "ä"), (0.5, "äß"), (0.999, "äßö")] {
            assert_eq!(begin("äßöü", far), kept, "{far}");
        }
        assert_eq!((begin("", 0.5), begin("a", 0.9)), ("", "a"));
    }

    #[test]
    fn arguments_are_no_json_whatever_they_were() {
        let call = |arguments: &str| ToolCall { arguments: arguments.to_owned(), ..ToolCall::default() };
        for far in [0.0, 0.3, 0.7, 0.99] {
            let calls = ["{\"city\":\"Oslo\"}", "{}", "12", "", "no"].map(call).to_vec();
            let reply = with_bad_arguments(ChatReply { tool_calls: calls, ..ChatReply::default() }, None, far);
            for call in reply.tool_calls {
                assert!(serde_json::from_str::<Value>(&call.arguments).is_err(), "{far}: {call:?}");
            }
        }
        let made = with_bad_arguments(ChatReply::text("so"), Some("add".to_owned()), 0.5);
        assert_eq!((made.tool_calls[0].name.as_str(), made.finish), ("add", Finish::ToolCalls));
        assert_eq!(with_bad_arguments(ChatReply::text("so"), None, 0.5), ChatReply::text("so"), "there is no tool");
    }
}
