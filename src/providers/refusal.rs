//! What does a status mean that all vendors mean alike, what is said of a reply that cannot be read, and how much of their words is
//! shown?

use std::time::Duration;

use callboard_actors::error::ModelError;
use serde_json::error::Category;

/// As much of a provider's words as is shown, in characters.
const SHORT: usize = 300;

/// The beginning of what a provider says, in one line.
pub(super) fn short(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(SHORT) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

/// Whether a refusal names the model that was asked, or the family of it that is limited: OpenAI's, Anthropic's and Google's 429 do when
/// other models of the same key go on. A family, such as `gpt-4o` of `gpt-4o-2024-08-06`, has a digit in its name: a vendor's own
/// name is none.
pub(super) fn names_model(said: &str, model: &str) -> bool {
    let (said, model) = (said.to_lowercase(), model.to_lowercase());
    let is_in_a_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.' | ':' | '/');
    let words = said.split(|letter| !is_in_a_name(letter)).map(|word| word.trim_end_matches(['.', ':', '-', '/']));
    words.filter(|word| !word.is_empty()).any(|word| {
        let is_family = || word.contains(|letter: char| letter.is_ascii_digit()) && word.contains(char::is_alphabetic);
        let rest = word.rsplit('/').next().and_then(|name| model.strip_prefix(name));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', ':', '@']) && is_family())
    })
}

/// The error behind a status that is no question of the vendor; `None` of any other. `variable` is that of the key, and whether one was
/// sent.
pub(super) fn of_status(
    status: u16,
    message: &str,
    retry_after: Option<Duration>,
    (variable, is_sent): (&str, bool),
) -> Option<ModelError> {
    let said = || if message.is_empty() { "it does not say why".to_owned() } else { message.to_owned() };
    Some(match status {
        300..=399 => ModelError::Rejected { status, message: "it points to another address; name that one".to_owned() },
        401 | 403 => {
            let key = if is_sent { "the key is that of" } else { "no key was sent, which would be that of" };
            let message = format!("{} ({key} {variable})", said().trim_end_matches('.'));
            ModelError::Unauthorized { status, message }
        }
        404 => ModelError::NotFound(said()),
        408 | 409 | 425 | 500.. => ModelError::Unavailable { status, retry_after, message: said() },
        _ => return None,
    })
}

/// What cannot be read; `what` it should have been.
pub(super) fn unreadable(json: &[u8], error: &serde_json::Error, what: &str) -> ModelError {
    if json.iter().all(u8::is_ascii_whitespace) {
        return ModelError::Malformed("it is empty".to_owned());
    }
    // Without a word of it: its text may be a document's, and as long as a reply may be.
    let why = match error.classify() {
        Category::Data => "a field of another type, or none",
        Category::Eof => "an end before its end",
        Category::Syntax | Category::Io => "no JSON",
    };
    let (line, column) = (error.line(), error.column());
    ModelError::Malformed(format!("it is not the JSON of {what}: {why}, at line {line} and column {column}"))
}

#[cfg(test)]
mod tests {
    use super::*;

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
        ];
        for (said, model, is_named) in table {
            assert_eq!(names_model(said, model), is_named, "{said} / {model}");
        }
    }
}
