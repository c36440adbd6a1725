//! How is a field read so that its name is known when it is wrong? From raw JSON, one field at a time.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::ApiError;

/// A field as it came; `None` when it is missing.
pub(super) type Raw<'a> = Option<&'a RawValue>;

/// A field that may be missing or null.
pub(super) fn optional<'a, T: Deserialize<'a>>(name: &str, raw: Raw<'a>, wanted: &str) -> Result<Option<T>, ApiError> {
    match raw.map(RawValue::get) {
        None | Some("null") => Ok(None),
        Some(text) => match serde_json::from_str(text) {
            Ok(value) => Ok(Some(value)),
            Err(_) => Err(ApiError::field(name, &format!("expected {wanted}"))),
        },
    }
}

/// A field that must be there.
pub(super) fn required<'a, T: Deserialize<'a>>(name: &str, raw: Raw<'a>, wanted: &str) -> Result<T, ApiError> {
    optional(name, raw, wanted)?.ok_or_else(|| ApiError::missing(name))
}

/// The body as an object, of which the caller knows some fields.
pub(super) fn object<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, ApiError> {
    let unreadable = |problem: String| {
        ApiError::invalid(400, format!("We could not parse the JSON body of your request: {problem}."))
            .coded("invalid_json")
    };
    let text = std::str::from_utf8(body).map_err(|_| unreadable("it is not UTF-8".into()))?;
    if !text.trim_start().starts_with('{') {
        return Err(unreadable("expected an object".into()));
    }
    serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))
}

/// A string that is borrowed where it has no escapes.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);
