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

/// What cannot be read; `what` it should have been. Only of what kind it is: its text may be a document's, or anything that a server says.
pub(super) fn unreadable(text: &[u8], error: &serde_json::Error, what: &str) -> ModelError {
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace());
    ModelError::Malformed(match (first, error.classify()) {
        (None, _) => "it is empty".to_owned(),
        (Some(b'{' | b'['), Category::Data) => format!("it is JSON, and not that of {what}"),
        (Some(b'{' | b'['), Category::Eof) => format!("it is the beginning of JSON, and not {what}"),
        (Some(b'{' | b'['), _) => format!("it is damaged JSON, and not {what}"),
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
            ("\"secret\"", "it is plain text, and not a reply"),
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
}
