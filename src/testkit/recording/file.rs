//! What stands in a recording? Lines of JSON: the first says what it is and in which version, each other one is a request with what
//! came back. Pure.

use std::path::Path;

use callboard_actors::chat::{ChatChunk, ChatReply, ChatRequest};
use callboard_actors::error::ModelError;
use serde::{Deserialize, Serialize};

use super::error::RecordingError;

/// What the first line calls it.
const FORMAT: &str = "callboard recording";

/// The version that is written, and the newest that is read.
pub(super) const VERSION: u64 = 1;

#[derive(Serialize, Deserialize)]
struct Header {
    format: String,
    version: u64,
}

/// A request and what came back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Exchange {
    pub(super) request: ChatRequest,
    /// The pieces of the reply, as they came; none of one that came whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) chunks: Vec<TimedChunk>,
    /// Microseconds from the request to the end of the reply.
    pub(super) took_us: u64,
    #[serde(flatten)]
    pub(super) outcome: Outcome,
}

/// A piece of a reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TimedChunk {
    /// Microseconds since the request.
    pub(super) at_us: u64,
    pub(super) chunk: ChatChunk,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    Reply(ChatReply),
    Error(ModelError),
}

impl From<Result<ChatReply, ModelError>> for Outcome {
    fn from(outcome: Result<ChatReply, ModelError>) -> Self {
        outcome.map_or_else(Self::Error, Self::Reply)
    }
}

impl From<Outcome> for Result<ChatReply, ModelError> {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Reply(reply) => Ok(reply),
            Outcome::Error(error) => Err(error),
        }
    }
}

/// The first line.
pub(super) fn header() -> String {
    line(&Header { format: FORMAT.to_owned(), version: VERSION }).unwrap_or_default()
}

/// One line, with its end. `None` for what cannot be written as JSON.
pub(super) fn line(value: &impl Serialize) -> Option<String> {
    Some(serde_json::to_string(value).ok()? + "\n")
}

/// All requests of a recording, each with what came back, in the order of their ends.
pub(super) fn parse(path: &Path, content: &[u8]) -> Result<Vec<Exchange>, RecordingError> {
    let mut lines = content.split_inclusive(|byte| *byte == b'\n').enumerate();
    let (_, first) = lines.next().unwrap_or_default();
    let foreign = || RecordingError::Foreign(path.to_owned());
    if !first.ends_with(b"\n") {
        // The begin of a header may become one.
        return Err(match header().as_bytes().starts_with(first) {
            true => RecordingError::Truncated { path: path.to_owned(), line: 1 },
            false => foreign(),
        });
    }
    let Ok(header) = serde_json::from_slice::<Header>(first) else { return Err(foreign()) };
    if header.format != FORMAT {
        return Err(foreign());
    }
    if header.version > VERSION {
        return Err(RecordingError::Newer { path: path.to_owned(), found: header.version, known: VERSION });
    }
    lines
        .filter(|(_, line)| !line.trim_ascii().is_empty())
        .map(|(place, line)| exchange(path, place + 1, line))
        .collect()
}

fn exchange(path: &Path, number: usize, line: &[u8]) -> Result<Exchange, RecordingError> {
    if !line.ends_with(b"\n") {
        return Err(RecordingError::Truncated { path: path.to_owned(), line: number });
    }
    serde_json::from_slice(line).map_err(|error| RecordingError::Damaged {
        path: path.to_owned(),
        line: number,
        what: error.to_string(),
    })
}
