//! What did Anthropic refuse, and what can the caller do about it?

use std::time::Duration;

use callboard_actors::error::{Limited, ModelError};
use serde::Deserialize;

use crate::providers::refusal::{self, short};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Refusal {
    error: Said,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Said {
    r#type: String,
    message: String,
}

/// The error behind a status other than success.
pub(super) fn of_status(status: u16, body: &[u8], retry_after: Option<Duration>) -> ModelError {
    let said = serde_json::from_slice::<Refusal>(body).map(|refusal| refusal.error);
    let said = said.unwrap_or_else(|_| Said { message: String::from_utf8_lossy(body).into_owned(), ..Said::default() });
    of_said(status, &said, retry_after)
}

fn of_said(status: u16, said: &Said, retry_after: Option<Duration>) -> ModelError {
    let message = short(&said.message);
    if said.r#type == "billing_error" || status == 400 && is_about_money(&message) {
        return refusal::without_money(status, &message);
    }
    if let Some(error) = refusal::of_status(status, &message, retry_after) {
        return error;
    }
    match status {
        400 if is_about_length(said) => ModelError::ContextTooLong(message),
        429 => {
            let is_about_places = message.to_lowercase().contains("concurren");
            let limited = if is_about_places { Limited::Concurrency } else { Limited::Rate };
            ModelError::RateLimited { limited, retry_after, message }
        }
        _ => ModelError::Rejected { status, message },
    }
}

/// What a bad request is in words only: an account that is empty, or has spent what its owner allows.
fn is_about_money(message: &str) -> bool {
    let message = message.to_lowercase();
    ["credit balance", "api usage limits"].iter().any(|words| message.contains(words))
}

/// Anthropic's words for it, and those of llama.cpp.
fn is_about_length(said: &Said) -> bool {
    let message = said.message.to_lowercase();
    ["prompt is too long", "context limit", "too many tokens", "context size"]
        .iter()
        .any(|words| message.contains(words))
}

/// An error that comes with status 200, whole or in a stream.
pub(super) fn in_a_reply(said: &Said) -> ModelError {
    let status = match said.r#type.as_str() {
        // Not a 529, which is told before anything is made.
        "overloaded_error" | "api_error" | "timeout_error" => 500,
        "rate_limit_error" => 429,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "invalid_request_error" => 400,
        _ => return ModelError::Malformed(format!("it holds an error: {}", short(&said.message))),
    };
    of_said(status, said, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Types and statuses as https://platform.claude.com/docs/en/api/errors lists them, read on 2026-11-27.
    #[test]
    fn each_documented_error_is_told_by_what_can_be_done() {
        let said = |kind: &str, message: &str| {
            format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}},"request_id":"req_1"}}"#)
        };
        let of = |status, kind: &str, message: &str| of_status(status, said(kind, message).as_bytes(), None);
        assert!(matches!(
            of(400, "invalid_request_error", "max_tokens: required"),
            ModelError::Rejected { status: 400, .. }
        ));
        let long = "prompt is too long: 200001 tokens > 200000 maximum";
        assert!(matches!(of(400, "invalid_request_error", long), ModelError::ContextTooLong(_)));
        assert!(matches!(of(402, "billing_error", "no"), ModelError::Unauthorized { status: 402, .. }));
        // As its users report it.
        let poor = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits.";
        let spent =
            "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.";
        for message in [poor, spent] {
            let error = of(400, "invalid_request_error", message);
            assert!(matches!(error, ModelError::Unauthorized { status: 402, .. }), "{error:?}");
        }
        assert!(matches!(of(504, "timeout_error", "no"), ModelError::Unavailable { status: 504, .. }));
        assert!(matches!(of(401, "authentication_error", "invalid x-api-key"), ModelError::Unauthorized { .. }));
        assert!(matches!(of(403, "permission_error", "no"), ModelError::Unauthorized { status: 403, .. }));
        assert!(matches!(of(404, "not_found_error", "model: x"), ModelError::NotFound(_)));
        assert!(matches!(of(413, "request_too_large", "no"), ModelError::ContextTooLong(_)));
        assert!(matches!(
            of(429, "rate_limit_error", "per minute"),
            ModelError::RateLimited { limited: Limited::Rate, .. }
        ));
        assert!(matches!(
            of(429, "rate_limit_error", "Number of concurrent connections has exceeded your rate limit"),
            ModelError::RateLimited { limited: Limited::Concurrency, .. }
        ));
        assert!(matches!(of(500, "api_error", "no"), ModelError::Unavailable { status: 500, .. }));
        assert!(matches!(of(529, "overloaded_error", "Overloaded"), ModelError::Unavailable { status: 529, .. }));
        for (kind, code) in [
            ("rate_limit_error", "rate_limited"),
            ("overloaded_error", "unavailable"),
            ("authentication_error", "unauthorized"),
            ("billing_error", "unauthorized"),
            ("permission_error", "unauthorized"),
            ("not_found_error", "not_found"),
            ("request_too_large", "context_too_long"),
            ("invalid_request_error", "rejected"),
            ("odd", "malformed_reply"),
        ] {
            let error = in_a_reply(&Said { r#type: kind.to_owned(), message: "no".to_owned() });
            assert_eq!(error.code(), code, "{kind}: {error:?}");
        }
        assert!(matches!(of_status(502, b"<html>", None), ModelError::Unavailable { status: 502, .. }));
    }
}
