//! What did the provider refuse, and what can the caller do about it?

use std::time::Duration;

use callboard_actors::error::{Limited, ModelError};
use serde_json::Value;

use crate::providers::refusal::{self, short};

/// What a provider says of an error, in the places where servers put it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    message: String,
    /// In small letters, as the type.
    code: String,
    kind: String,
}

impl Said {
    fn of(error: &Value) -> Self {
        // Google sends a list with one error in it.
        let error = error.get(0).unwrap_or(error);
        let inner = error.get("error").unwrap_or(error);
        let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
        let message = text(inner)
            .or_else(|| ["message", "detail", "error_description"].iter().find_map(|key| text(inner.get(key)?)))
            .unwrap_or_default();
        let code = |key: &str| match inner.get(key) {
            Some(Value::String(code)) => code.to_lowercase(),
            Some(Value::Number(code)) => code.to_string(),
            _ => String::new(),
        };
        // That it is an error says nothing more of it.
        let kind = Some(code("type")).filter(|kind| kind != "error").unwrap_or_default();
        Self { message: short(&message), code: code("code"), kind }
    }

    fn of_body(body: &[u8]) -> Self {
        match serde_json::from_slice(body) {
            Ok(error) => Self::of(&error),
            Err(_) => Self { message: short(&String::from_utf8_lossy(body)), ..Self::default() },
        }
    }

    /// Whether its codes name one of these, or its message if it has no codes.
    fn names(&self, words: &[&str]) -> bool {
        match self.code.is_empty() && self.kind.is_empty() {
            true => holds(&self.message.to_lowercase(), words),
            false => holds(&self.code, words) || holds(&self.kind, words),
        }
    }

    /// What it says of an error that comes without a status of its own. The code says more than the type, which some servers choose
    /// from a few, and that more than a message.
    fn status(&self) -> Option<u16> {
        let number = |said: &String| said.parse().ok().filter(|status| (400..600).contains(status));
        let numbered = || [&self.code, &self.kind].into_iter().find_map(number);
        let is_bare = self.code.is_empty() && self.kind.is_empty();
        let told = || is_bare.then(|| in_letters(&self.message.to_lowercase().replace(' ', "_"))).flatten();
        in_letters(&self.code).or_else(numbered).or_else(|| in_letters(&self.kind)).or_else(told)
    }

    /// Whether a 429 is about calls at the same time. Most servers give it the same codes as one about a rate, so that only
    /// the message tells. One that speaks of a rate as well is about that: everybody waits then, which does less harm.
    fn is_about_concurrency(&self) -> bool {
        const CROWD: [&str; 3] = ["concurren", "parallel", "simultaneous"];
        const RATE: [&str; 4] = ["rpm", "tpm", "per min", "per_min"];
        let message = self.message.to_lowercase();
        holds(&self.code, &CROWD) || holds(&self.kind, &CROWD) || holds(&message, &CROWD) && !holds(&message, &RATE)
    }

    /// Whether a request alone is more than OpenAI lets through in a minute.
    fn is_larger_than_its_rate(&self) -> bool {
        let message = self.message.to_lowercase();
        message.starts_with("request too large") || message.contains("tokens must be reduced")
    }

    fn message(&self) -> String {
        if self.message.is_empty() { "it does not say why".to_owned() } else { self.message.clone() }
    }
}

fn holds(said: &str, words: &[&str]) -> bool {
    words.iter().any(|word| said.contains(word))
}

/// What a code or a type in letters stands for; the first that fits.
const STATUSES: [(u16, &[&str]); 9] = [
    (402, &MONEY),
    (429, &["rate_limit", "ratelimit", "too_many_requests", "throttl", "concurren"]),
    (413, &TOO_LONG),
    (400, &REFUSED),
    (401, &["api_key", "authentication", "unauthenticated", "unauthorized", "account_deactivated"]),
    (403, &["permission", "forbidden", "access_denied"]),
    (404, &["not_found"]),
    // Not a 503, which is told before anything is made.
    (500, &["overloaded", "server_error", "internal_error", "unavailable", "timeout"]),
    (400, &["invalid_request", "bad_request", "badrequest", "invalid_argument", "invalid_value"]),
];

fn in_letters(said: &str) -> Option<u16> {
    STATUSES.iter().find(|(_, words)| holds(said, words)).map(|(status, _)| *status)
}

/// The error behind a status other than success.
pub(super) fn of_status(status: u16, body: &[u8], retry_after: Option<Duration>) -> ModelError {
    of_said(status, &Said::of_body(body), retry_after)
}

fn of_said(status: u16, said: &Said, retry_after: Option<Duration>) -> ModelError {
    // Google has no code of its own for either.
    let status = match said.message.to_lowercase() {
        message if status == 400 && message.contains("api key not valid") => 401,
        message if status == 400 && message.contains("enable billing") => 402,
        _ => status,
    };
    if matches!(status, 400 | 403 | 429) && said.names(&MONEY) {
        return refusal::without_money(status, &said.message());
    }
    if let Some(error) = refusal::of_status(status, &said.message, retry_after) {
        return error;
    }
    let message = said.message();
    match status {
        429 if said.is_larger_than_its_rate() => ModelError::ContextTooLong(message),
        429 => {
            let limited = if said.is_about_concurrency() { Limited::Concurrency } else { Limited::Rate };
            ModelError::RateLimited { limited, retry_after, message }
        }
        _ => refused(said).unwrap_or(ModelError::Rejected { status, message }),
    }
}

/// What codes say of an account without money, which no waiting puts right.
const MONEY: [&str; 5] =
    ["insufficient_quota", "billing", "insufficient_balance", "insufficient balance", "exceeded_current_quota"];

/// What codes and messages say of a text that is too long: OpenAI, vLLM, llama.cpp and LiteLLM each in their own words.
const TOO_LONG: [&str; 8] = [
    "context_length",
    "context length",
    "maximum context",
    "context_size",
    "context size",
    "contextwindowexceeded",
    "too many tokens",
    "string_above_max",
];

/// What they say of a text that no model of this provider answers.
const REFUSED: [&str; 6] =
    ["content_policy", "content_filter", "content policy", "safety", "invalid_prompt", "bio_policy"];

/// What a 400 means that says more than that.
fn refused(said: &Said) -> Option<ModelError> {
    // Many servers give every bad request the same code: only the message says that it is about the length.
    let message = said.message.to_lowercase();
    if said.names(&TOO_LONG) || holds(&message, &TOO_LONG) {
        return Some(ModelError::ContextTooLong(said.message()));
    }
    said.names(&REFUSED).then(|| ModelError::ContentRefused(said.message()))
}

/// An error that comes with status 200, whole or in a stream.
pub(super) fn in_a_reply(error: &Value) -> ModelError {
    let said = Said::of(error);
    match said.status() {
        Some(status) => of_said(status, &said, None),
        None => {
            refused(&said).unwrap_or_else(|| ModelError::Malformed(format!("it holds an error: {}", said.message())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused_with(body: &str) -> ModelError {
        of_status(400, body.as_bytes(), None)
    }

    #[test]
    fn a_text_that_is_too_long_is_known_by_its_code_or_by_its_message() {
        let servers = [
            (
                "OpenAI's reference",
                r#"{"error":{"message":"Too long","type":"invalid_request_error","code":"context_length_exceeded"}}"#,
            ),
            // Recorded.
            (
                "llama.cpp of 2026-10",
                r#"{"error":{"code":400,"message":"request (8015 tokens) exceeds the available context size (2048 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":8015,"n_ctx":2048}}"#,
            ),
            // Recorded, with its mock of this error.
            (
                "LiteLLM 1.108.7",
                r#"{"error":{"message":"litellm.ContextWindowExceededError: litellm.BadRequestError: this is a mock context window exceeded error\nmodel=context. context_window_fallbacks=None. fallbacks=None.","type":"invalid_request_error","param":null,"code":"400"}}"#,
            ),
            // Put together after its source.
            (
                "vLLM 0.33.0",
                r#"{"error":{"message":"This model's maximum context length is 2048 tokens. However, your prompt contains 8015 input tokens, which exceeds this limit even without any output tokens. Please reduce the length of the input prompt.","type":"BadRequestError","param":"input_tokens","code":400}}"#,
            ),
        ];
        for (server, body) in servers {
            let error = refused_with(body);
            assert!(matches!(error, ModelError::ContextTooLong(_)), "{server}: {error:?}");
        }
    }

    /// Bodies as users of these servers have reported them, without names of accounts.
    #[test]
    fn a_limit_on_calls_at_the_same_time_is_told_from_a_rate() {
        let crowds = [
            (
                "Moonshot",
                r#"{"error":{"message":"Your account request reached max organization concurrency: 1, please try again after 1 seconds","type":"rate_limit_reached_error"}}"#,
            ),
            (
                "Z.AI",
                r#"{"error":{"code":"1302","message":"High concurrency usage of this API, please reduce concurrency or contact customer service to increase limits"}}"#,
            ),
            (
                "LiteLLM of 2026",
                r#"{"error":{"message":"Rate limit exceeded for api_key: x. Limit type: max_parallel_requests. Current limit: 4, Remaining: 0. Limit resets at: 2026-10-07 11:41:39 UTC","type":"throttling_error","param":null,"code":"429"}}"#,
            ),
            ("LiteLLM before", r#"{"detail":"Max parallel request limit reached"}"#),
            (
                "our mock",
                r#"{"error":{"message":"Too many concurrent requests: at most 16 may be in flight. Try again shortly.","type":"concurrency","param":null,"code":"concurrency_limit_exceeded"}}"#,
            ),
        ];
        let rates = [
            (
                "OpenAI",
                r#"{"error":{"message":"Rate limit reached for parallel-1 in organization org-x on tokens per min (TPM): Limit 30000, Used 22343, Requested 10955. Please try again in 6.596s.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
            ),
            (
                "Moonshot",
                r#"{"error":{"message":"Your account request reached organization max RPM: 3, please try again after 1 seconds","type":"rate_limit_reached_error"}}"#,
            ),
            (
                "LiteLLM, which does not say which",
                r#"{"error":{"message":"LiteLLM Rate Limit Handler for rate limit type = key. Crossed TPM / RPM / Max Parallel Request Limit. current rpm: 1, rpm limit: 1","type":"None","param":"None","code":"429"}}"#,
            ),
            ("one without words", "{}"),
        ];
        let rows = crowds.map(|row| (row, Limited::Concurrency)).into_iter();
        for ((server, body), wanted) in rows.chain(rates.map(|row| (row, Limited::Rate))) {
            let error = of_status(429, body.as_bytes(), None);
            assert!(
                matches!(error, ModelError::RateLimited { limited, .. } if limited == wanted),
                "{server}: {error:?}"
            );
        }
    }

    #[test]
    fn what_no_waiting_mends_is_told_apart() {
        // As OpenAI, DeepSeek and Moonshot say it.
        for (status, told, money) in [
            (
                429,
                429,
                r#"{"message":"You exceeded your quota","type":"insufficient_quota","code":"insufficient_quota"}"#,
            ),
            (
                429,
                429,
                r#"{"message":"Your account is not active","type":"invalid_request_error","code":"billing_not_active"}"#,
            ),
            (
                400,
                402,
                r#"{"message":"Billing hard limit has been reached","type":null,"code":"billing_hard_limit_reached"}"#,
            ),
            (
                402,
                402,
                r#"{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}"#,
            ),
            (403, 402, r#"{"message":"Your account is suspended","type":"exceeded_current_quota_error"}"#),
        ] {
            let error = of_status(status, format!(r#"{{"error":{money}}}"#).as_bytes(), None);
            let is_so = matches!(&error, ModelError::Unauthorized { status, .. } if *status == told);
            assert!(is_so, "{money}: {error:?}");
        }
        let page = of_status(413, b"Payload Too Large", None);
        assert!(matches!(page, ModelError::ContextTooLong(_)), "{page:?}");
        // As users report it.
        let large = br#"{"error":{"message":"Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Requested 61337. The input or output tokens must be reduced in order to run successfully.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#;
        let error = of_status(429, large, None);
        assert!(matches!(error, ModelError::ContextTooLong(_)), "{error:?}");
        for code in ["content_policy_violation", "content_filter", "invalid_prompt"] {
            let error = refused_with(&format!(r#"{{"error":{{"message":"No","code":"{code}"}}}}"#));
            assert!(matches!(error, ModelError::ContentRefused(_)), "{code}: {error:?}");
        }
    }

    #[test]
    fn a_key_or_an_account_that_google_does_not_accept_is_known_by_its_message() {
        // As its users report them.
        for (message, told) in [
            ("API key not valid. Please pass a valid API key.", 401),
            (
                "Gemini API free tier is not available in your country. Please enable billing on your project in Google AI Studio.",
                402,
            ),
        ] {
            let body = format!(r#"[{{"error":{{"code":400,"message":"{message}","status":"INVALID_ARGUMENT"}}}}]"#);
            let error = refused_with(&body);
            assert!(matches!(error, ModelError::Unauthorized { status, .. } if status == told), "{error:?}");
        }
    }

    #[test]
    fn an_error_in_a_reply_is_what_its_status_would_be() {
        let of = |error: &str| in_a_reply(&serde_json::from_str(error).unwrap());
        for (error, code) in [
            (r#"{"code":"rate_limit_exceeded","type":"tokens"}"#, "rate_limited"),
            (r#"{"code":"rate_limit_exceeded","type":"server_error"}"#, "rate_limited"),
            (r#"{"code":"insufficient_quota","type":"insufficient_quota"}"#, "unauthorized"),
            (r#"{"code":"invalid_api_key","type":"invalid_request_error"}"#, "unauthorized"),
            (r#"{"code":"context_length_exceeded","type":"rate_limit"}"#, "context_too_long"),
            (r#"{"code":"model_not_found","type":"invalid_request_error"}"#, "not_found"),
            (r#"{"code":"content_filter","type":"server_error"}"#, "content_refused"),
            (r#"{"code":"boom","type":"server_error"}"#, "unavailable"),
            (r#"{"code":429,"type":"server_error"}"#, "rate_limited"),
            (r#"{"code":"401"}"#, "unauthorized"),
            (r#"{"code":402,"message":"x"}"#, "unauthorized"),
            (r#"{"code":502,"type":"invalid_request_error"}"#, "unavailable"),
            (r#"{"code":null,"type":"overloaded_error"}"#, "unavailable"),
            (r#"{"code":"odd","type":"invalid_request_error"}"#, "rejected"),
            (r#"{"error":{"code":"rate_limit_exceeded"}}"#, "rate_limited"),
            (r#"{"type":"error","code":"rate_limit_exceeded"}"#, "rate_limited"),
            (r#""Rate limit reached""#, "rate_limited"),
            (r#"{"message":"This model's maximum context length is 7","code":"odd"}"#, "context_too_long"),
            (r#"{"code":1302}"#, "malformed_reply"),
            (r#""odd""#, "malformed_reply"),
        ] {
            assert_eq!(of(error).code(), code, "{error}");
        }
        let ModelError::Unauthorized { message, .. } = of(r#"{"message":"No.","code":401}"#) else { panic!() };
        assert_eq!(message, "No", "the variable is named by who knows it");
    }

    #[test]
    fn another_bad_request_is_not_taken_for_it() {
        // The first is recorded from LiteLLM 1.108.7.
        for body in [
            r#"{"error":{"message":"/chat/completions: Invalid model name passed in model=nosuch. Call `/v1/models` to view available models for your key.","type":"invalid_request_error","param":null,"code":"400"}}"#,
            r#"{"error":{"message":"There is no tool safety_check","type":"invalid_request_error","code":null}}"#,
        ] {
            let error = refused_with(body);
            assert!(matches!(error, ModelError::Rejected { status: 400, .. }), "{body}: {error:?}");
        }
    }
}
