//! What does a status mean that all vendors mean alike, what is said of a reply that cannot be read, and how much of their words is
//! shown?

use std::borrow::Cow;
use std::time::Duration;

use callboard_actors::chat::TokenUsage;
use callboard_actors::error::ModelError;
use callboard_actors::research::inert::is_hostile;
use reqwest::header::{HeaderMap, LOCATION};
use serde_json::error::Category;

use super::page;

/// As much of a provider's words as is looked at, in bytes.
const MOST: usize = 64 << 10;

/// As much of a provider's words as is shown, in characters.
const SHORT: usize = 300;

/// The beginning of what a provider says, in one line, and without what a terminal or a reader's eye could be fooled with. Of a page only
/// its title, or its first words.
pub(super) fn short(text: &str) -> String {
    let text = &text[..text.floor_char_boundary(MOST)];
    let words = page::words(text).map_or(Cow::Borrowed(text), Cow::Owned);
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ").replace(is_hostile, "");
    match words.char_indices().nth(SHORT) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

/// Whether a refusal names the model that was asked, its dated version, or the family of it that is limited. A family, such as `gpt-4o` of
/// `gpt-4o-2024-08-06`, has a digit in its name: a vendor's own name is none.
pub(super) fn names_model(said: &str, model: &str) -> bool {
    let (said, model) = (said.to_lowercase(), model.to_lowercase());
    let model = last(&model, '/');
    let is_in_a_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.' | ':' | '/' | '@');
    let words = said.split(|letter| !is_in_a_name(letter)).map(|word| word.trim_end_matches(['.', ':', '-', '/']));
    words.map(|word| last(word, '/')).any(|word| is_name_of(word, model) || is_name_of(last(word, ':'), model))
}

/// What stands behind the last of these signs.
fn last(text: &str, sign: char) -> &str {
    text.rsplit(sign).next().unwrap_or(text)
}

fn is_name_of(word: &str, model: &str) -> bool {
    let has = |is: fn(char) -> bool| word.contains(is);
    let is_family = || has(|letter| letter.is_ascii_digit()) && has(char::is_alphabetic);
    let is_version = |rest: &str| rest.starts_with(['-', ':', '@']) && is_family();
    let is_date = |rest: &str| {
        rest.strip_prefix(['-', '@'])
            .is_some_and(|date| date.len() >= 4 && date.chars().all(|letter| letter.is_ascii_digit() || letter == '-'))
    };
    !word.is_empty()
        && (word == model
            || model.strip_prefix(word).is_some_and(is_version)
            || !model.is_empty() && word.strip_prefix(model).is_some_and(is_date))
}

/// The error behind a status that is no question of the vendor; `None` of any other.
pub(super) fn of_status(status: u16, message: &str, retry_after: Option<Duration>) -> Option<ModelError> {
    let said = || if message.is_empty() { "it does not say why".to_owned() } else { message.to_owned() };
    Some(match status {
        401..=403 => not_let_in(status, &said()),
        404 => ModelError::NotFound(said()),
        413 => ModelError::ContextTooLong(said()),
        408 | 409 | 425 | 500.. => ModelError::Unavailable { status, retry_after, message: said() },
        _ => return None,
    })
}

/// The error of an account without money. Some vendors have 400 or 403 for it, which are about something else in every other case.
pub(super) fn without_money(status: u16, message: &str) -> ModelError {
    not_let_in(if status == 429 { 429 } else { 402 }, message)
}

fn not_let_in(status: u16, message: &str) -> ModelError {
    ModelError::Unauthorized { status, message: message.trim_end_matches('.').to_owned() }
}

/// The error, and which variable has the key, if it is about that and does not say so. `is_sent` is whether there is one. The key is struck
/// before: one that is no secret may be a part of that name.
pub(super) fn naming(mut error: ModelError, (variable, is_sent): (&str, bool)) -> ModelError {
    if let ModelError::Unauthorized { message, .. } = &mut error
        && !message.contains(variable)
    {
        let key = if is_sent { "the key is that of" } else { "no key was sent, which would be that of" };
        *message = format!("{message} ({key} {variable})");
    }
    error
}

/// An error in a reply that also says what was used, or says it in a form that cannot be read.
pub(super) fn used(error: ModelError, usage: Option<Option<TokenUsage>>) -> ModelError {
    match usage {
        Some(usage) => error.with_usage(usage),
        None => error,
    }
}

/// What a reply means that points to another address, if it does: a key is never handed on, so that a person has to name that one.
pub(super) fn moved(status: u16, headers: &HeaderMap) -> Option<ModelError> {
    let to = headers.get(LOCATION).and_then(|to| to.to_str().ok());
    // What stands before an `@` or after a `?` may be a secret.
    let to = to.filter(|to| !to.contains('@')).map(|to| short(to.split(['?', '#']).next().unwrap_or_default()));
    let to = to.filter(|to| !to.is_empty()).map_or_else(|| "elsewhere".to_owned(), |to| format!("to {to}"));
    (300..400).contains(&status).then(|| ModelError::NotFound(format!("the server points {to} ({status})")))
}

/// What cannot be read; `what` it should have been. Only of what kind it is: its text may be a document's, or anything that a server says.
pub(super) fn unreadable(text: &[u8], error: &serde_json::Error, what: &str) -> ModelError {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    // Such as `null`.
    let is_json = || serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok();
    ModelError::Malformed(match (first, error.classify()) {
        (None, _) => "it is empty".to_owned(),
        (Some(b'{' | b'['), Category::Data) => format!("it is JSON, and not that of {what}"),
        (Some(b'{' | b'['), Category::Eof) => format!("it is the beginning of JSON, and not {what}"),
        (Some(b'{' | b'['), _) => format!("it is damaged JSON, and not {what}"),
        _ if is_json() => format!("it is JSON, and not that of {what}"),
        (Some(b'<'), _) => format!("it is HTML or XML, and not {what}"),
        _ => format!("it is plain text, and not {what}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_cannot_be_read_only_its_kind_is_said() {
        for (text, kind) in [
            (" \n", "it is empty"),
            ("{\"secret\": [1, 2", "it is the beginning of JSON, and not a reply"),
            ("{\"secret\": oops}", "it is damaged JSON, and not a reply"),
            ("{\"id\": \"secret\"}", "it is JSON, and not that of a reply"),
            ("\"secret\"", "it is JSON, and not that of a reply"),
            ("null", "it is JSON, and not that of a reply"),
            ("<html>secret</html>", "it is HTML or XML, and not a reply"),
            ("502: secret", "it is plain text, and not a reply"),
            ("secret", "it is plain text, and not a reply"),
        ] {
            #[derive(Debug, serde::Deserialize)]
            struct Reply {
                #[serde(rename = "id")]
                _id: u32,
            }
            let error = serde_json::from_str::<Reply>(text).unwrap_err();
            assert_eq!(
                unreadable(text.as_bytes(), &error, "a reply"),
                ModelError::Malformed(kind.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn words_of_a_provider_do_nothing() {
        for (said, shown) in [
            ("a\u{1b}[31m b\u{7}\r\nc\u{202e}d\u{200f}\u{85}e", "a[31m b cd e"),
            ("<html><title>\u{202e}502\u{1b}</title>", "502"),
            ("Grüße 🎉 日本", "Grüße 🎉 日本"),
        ] {
            assert_eq!(short(said), shown);
        }
        assert_eq!(short(&"x".repeat(SHORT + 1)).chars().count(), SHORT + 1, "and a sign that there was more");
    }

    #[test]
    fn an_address_that_moved_is_told_without_its_secrets() {
        for (to, told) in [
            (Some("https://host/v1/chat/completions?token=secret#secret"), "to https://host/v1/chat/completions (308)"),
            (Some("/v1/chat/completions/"), "to /v1/chat/completions/ (308)"),
            (Some("https://me:secret@host/v1"), "elsewhere (308)"),
            (Some("https://me:sec?ret@host/v1"), "elsewhere (308)"),
            (Some(""), "elsewhere (308)"),
            (None, "elsewhere (308)"),
        ] {
            let headers = to.map(|to| (LOCATION, to.parse().unwrap())).into_iter().collect();
            let error = ModelError::NotFound(format!("the server points {told}"));
            assert_eq!(moved(308, &headers), Some(error), "{to:?}");
            assert_eq!((moved(200, &headers), moved(404, &headers)), (None, None));
        }
    }

    #[test]
    fn a_limit_of_a_model_is_known_by_its_name() {
        let table = [
            (
                "Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000",
                "gpt-4o",
                true,
            ),
            ("Rate limit reached for gpt-4o in organization org-x on requests per min", "gpt-4o-2024-08-06", true),
            ("Rate limit reached for gpt-4o-mini in organization org-x", "gpt-4o", false),
            ("Quota exceeded for metric: requests, limit: 20, model: gemini-2.5-flash", "gemini-2.5-flash", true),
            (
                "would exceed the rate limit (org: 1, model: claude-sonnet-4-20250514).",
                "claude-sonnet-4-20250514",
                true,
            ),
            ("would exceed the rate limit of Claude for your organization", "claude-sonnet-4", false),
            (
                "This request would exceed your organization's rate limit of 50,000 input tokens per minute",
                "claude-3-opus",
                false,
            ),
            ("Rate limit reached for model `models/o3`.", "o3", true),
            ("Your account request reached organization max RPM: 3", "moonshot-v1-8k", false),
            ("", "gpt-4o", false),
            (
                "google/gemini-2.0-flash-exp:free is temporarily rate-limited upstream",
                "google/gemini-2.0-flash-exp:free",
                true,
            ),
            ("Rate limit reached for model `openai/gpt-oss-120b` in organization", "openai/gpt-oss-120b", true),
            ("Rate limit reached for model `gpt-oss-120b` in organization", "openai/gpt-oss-120b", true),
            ("Rate limit exceeded for model_per_key: 88dc28d0f0:gpt-4o. Limit type: requests", "gpt-4o", true),
            ("exceeds the limit of claude-sonnet-4-5-20250929", "claude-sonnet-4-5", true),
            ("exceeds the limit of gpt-4o-mini-2024", "gpt-4o", false),
            ("Rate limit reached for gpt-4.1 in organization", "gpt-4", false),
        ];
        for (said, model, is_named) in table {
            assert_eq!(names_model(said, model), is_named, "{said} / {model}");
        }
    }
}
