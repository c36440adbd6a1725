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
