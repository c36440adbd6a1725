//! Does a provider answer, and how fast? What came of asking for its list of models; pure.

use std::time::Duration;

use callboard_actors::error::ModelError;
use serde_json::Value;

use super::caller::without_mark;
use crate::config::near;

static NONE: Vec<Value> = Vec::new();

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
        /// Whether the configured model is among them; `None` when the list does not say it, or does not hold all that may be called.
        has_model: Option<bool>,
        /// When it is not: those of them whose names are nearest, three at most.
        near: Vec<String>,
    },
    /// It answered well, and what it said is no list of models: a page, or the JSON of something else. It is another server, or another
    /// address of it.
    NoList {
        /// How long it took.
        latency: Duration,
    },
    /// What it said is encoded, such as compressed, which nobody asked for.
    Encoded {
        /// Its `content-encoding`.
        encoding: String,
        /// How long it took.
        latency: Duration,
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
            200..=299 => match listed(body, model) {
                Some((has_model, near)) => Self::Listed { latency, has_model, near },
                None => Self::NoList { latency },
            },
            401 | 403 => Self::Refused { status, latency },
            _ => Self::Other { status, latency },
        }
    }
}

/// Whether a list has the model, and which are near it if not; `None` of what is no list.
fn listed(body: &[u8], model: &str) -> Option<(Option<bool>, Vec<String>)> {
    let list: Value = serde_json::from_slice(without_mark(body)).ok()?;
    // Together sends nothing around it, others have their own, and Ollama without any model lists nothing.
    let none = || list.get("data").filter(|data| data.is_null() && list["object"] == "list").map(|_| &NONE);
    let Some(entries) = list["data"].as_array().or(list.as_array()).or_else(none) else {
        return list["models"].is_array().then_some((None, Vec::new()));
    };
    let ids: Vec<_> = entries.iter().filter_map(|entry| entry["id"].as_str()).collect();
    // Google lists `models/NAME`, Ollama `NAME:latest`: both are called by NAME, and by what is listed as well.
    let names = || ids.iter().flat_map(|id| [Some(*id), id.strip_prefix("models/")]).flatten();
    if names().any(|name| name == model || name.strip_suffix(":latest") == Some(model)) {
        return Some((Some(true), Vec::new()));
    }
    // There are further pages, proxies that take whatever fits a pattern, and short names of which only the dated ones are listed.
    let stem = model.trim_end_matches("-latest").trim_end_matches("-0");
    let is_dated = |name: &str| {
        let date = name.strip_prefix(stem).and_then(|rest| rest.strip_prefix('-'));
        date.is_some_and(|date| date.len() >= 4 && date.chars().all(|c| c.is_ascii_digit() || c == '-'))
    };
    if list["has_more"] == true || ids.iter().any(|id| id.contains('*')) || names().any(is_dated) {
        return Some((None, Vec::new()));
    }
    let near = near(model, ids.iter().copied(), 3).into_iter().map(str::to_owned).collect();
    Some((Some(false), near))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_tolerantly() {
        let latency = Duration::from_millis(3);
        let of = |has_model, near: &[&str]| {
            let near = near.iter().map(|name| (*name).to_owned()).collect();
            Answer::Listed { latency, has_model, near }
        };
        let list = br#"{"object": "list", "data": [{"id": "a"}, {"name": 1}]}"#;
        for (status, body, answer) in [
            (200, &list[..], of(Some(true), &[])),
            (200, br#"{"data": [{"id": "models/a"}]}"#, of(Some(true), &[])),
            (200, br#"{"data": [{"id": "a:latest"}]}"#, of(Some(true), &[])),
            (200, br#"{"data": []}"#, of(Some(false), &[])),
            (200, br#"{"data": [{"id": "b"}, {"id": "abc"}]}"#, of(Some(false), &["abc", "b"])),
            (200, br#"{"data": [{"id": "b"}], "has_more": true}"#, of(None, &[])),
            (200, br#"{"data": [{"id": "openai/*"}]}"#, of(None, &[])),
            (200, br#"{"data": [{"id": "a-20250514"}]}"#, of(None, &[])),
            (200, br#"{"data": [{"id": "models/a-20250514"}]}"#, of(None, &[])),
            (200, br#"[{"id": "a"}]"#, of(Some(true), &[])),
            (200, br#"{"models": [{"name": "a"}]}"#, of(None, &[])),
            (200, b"<html>", Answer::NoList { latency }),
            (200, b"Hello", Answer::NoList { latency }),
            (200, b"", Answer::NoList { latency }),
            (200, br#"{"ok": true}"#, Answer::NoList { latency }),
            (200, br#"{"error": {"data": []}}"#, Answer::NoList { latency }),
            (401, b"{}", Answer::Refused { status: 401, latency }),
            (404, list, Answer::Other { status: 404, latency }),
            (503, b"", Answer::Other { status: 503, latency }),
        ] {
            assert_eq!(Answer::of(status, body, "a", latency), answer);
        }
    }

    #[test]
    fn a_model_may_be_called_by_its_whole_name() {
        for (body, has_model) in [
            (&br#"{"data": [{"id": "models/a"}]}"#[..], Some(true)),
            (br#"{"data": [{"id": "models/a:latest"}]}"#, Some(true)),
            (br#"{"data": [{"id": "models/a-20250514"}]}"#, None),
            (br#"{"data": [{"id": "models/b"}]}"#, Some(false)),
        ] {
            assert_eq!(listed(body, "models/a").unwrap().0, has_model);
        }
    }
}
