//! Does a provider answer, and how fast? What came of asking for its list of models; pure.

use std::time::Duration;

use callboard_actors::error::ModelError;
use serde_json::Value;

/// What came of asking a provider for its list of models.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Where it was asked: scheme, host and port.
    pub host: String,
    /// Whether a key was sent over plain http to another machine, where others can read it.
    pub is_key_exposed: bool,
    /// What it said.
    pub answer: Answer,
}

/// What a provider said.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Answer {
    /// It listed its models.
    Listed {
        /// How long it took.
        latency: Duration,
        /// Whether the configured model is among them; `None` when the list cannot be read.
        has_model: Option<bool>,
    },
    /// It refused the key, or wants one.
    Refused {
        /// 401 or 403.
        status: u16,
        /// How long it took.
        latency: Duration,
    },
    /// It answered something else, as servers do that have no such list.
    Other {
        /// The HTTP status.
        status: u16,
        /// How long it took.
        latency: Duration,
    },
    /// It did not answer.
    Unreachable(ModelError),
}

impl Answer {
    /// Reads the answer to `GET /models`.
    pub(super) fn of(status: u16, body: &[u8], model: &str, latency: Duration) -> Self {
        match status {
            200..=299 => Self::Listed { latency, has_model: has_model(body, model) },
            401 | 403 => Self::Refused { status, latency },
            _ => Self::Other { status, latency },
        }
    }
}

fn has_model(body: &[u8], model: &str) -> Option<bool> {
    let list: Value = serde_json::from_slice(body).ok()?;
    Some(list.get("data")?.as_array()?.iter().any(|entry| entry.get("id").and_then(Value::as_str) == Some(model)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_tolerantly() {
        let latency = Duration::from_millis(3);
        let list = br#"{"object": "list", "data": [{"id": "a"}, {"name": 1}]}"#;
        for (status, body, answer) in [
            (200, &list[..], Answer::Listed { latency, has_model: Some(true) }),
            (200, br#"{"data": []}"#, Answer::Listed { latency, has_model: Some(false) }),
            (200, b"<html>", Answer::Listed { latency, has_model: None }),
            (401, b"{}", Answer::Refused { status: 401, latency }),
            (404, list, Answer::Other { status: 404, latency }),
            (503, b"", Answer::Other { status: 503, latency }),
        ] {
            assert_eq!(Answer::of(status, body, "a", latency), answer);
        }
    }
}
