//! What does a status mean that all vendors mean alike, and how much of their words is shown?

use std::time::Duration;

use callboard_actors::error::ModelError;

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
            let look = if is_sent { "look at" } else { "no key was sent: set" };
            let message = format!("{}; {look} {variable}", said().trim_end_matches('.'));
            ModelError::Unauthorized { status, message }
        }
        404 => ModelError::NotFound(said()),
        408 | 409 | 425 | 500.. => ModelError::Unavailable { status, retry_after, message: said() },
        _ => return None,
    })
}
