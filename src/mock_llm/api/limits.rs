//! Which limits does a request for `/limits` ask for? Those that it names; the others stay.

use serde_json::{Map, Value};

use super::error::ApiError;
use super::fields;
use crate::mock_llm::config::ZERO;
use crate::mock_llm::limits::Limits;

/// The limits that hold when those of the body replace those of `now`; `null` is no limit.
pub(crate) fn decode(body: &[u8], now: Limits) -> Result<Limits, ApiError> {
    let wanted: Map<String, Value> = fields::object(body)?;
    let mut limits = now;
    for (name, value) in &wanted {
        let limit = match name.as_str() {
            "max_in_flight" => &mut limits.max_in_flight,
            "requests_per_minute" => &mut limits.requests_per_minute,
            "tokens_per_minute" => &mut limits.tokens_per_minute,
            _ => return Err(unknown(name)),
        };
        *limit = match value {
            Value::Null => None,
            value => {
                let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
                Some(number.ok_or_else(|| ApiError::field(name, "expected a whole number up to 4294967295, or null"))?)
            }
        };
    }
    match limits.zero() {
        Some(name) => Err(ApiError::field(name, ZERO)),
        None => Ok(limits),
    }
}

fn unknown(name: &str) -> ApiError {
    let name: String = name.chars().take(80).collect();
    ApiError::field(&name, "there are max_in_flight, requests_per_minute and tokens_per_minute")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Limits = Limits { max_in_flight: Some(3), requests_per_minute: Some(60), tokens_per_minute: None };

    #[test]
    fn what_is_named_changes_and_the_rest_stays() {
        for (body, wanted) in [
            ("{}", NOW),
            (r#"{"max_in_flight": 5}"#, Limits { max_in_flight: Some(5), ..NOW }),
            (
                r#"{"max_in_flight": null, "tokens_per_minute": 1}"#,
                Limits { max_in_flight: None, tokens_per_minute: Some(1), ..NOW },
            ),
            (r#"{"requests_per_minute": null}"#, Limits { requests_per_minute: None, ..NOW }),
        ] {
            assert_eq!(decode(body.as_bytes(), NOW), Ok(wanted), "{body}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_with_its_name() {
        for (body, param) in [
            (r#"{"max_in_flight": 0}"#, Some("max_in_flight")),
            (r#"{"requests_per_minute": -1}"#, Some("requests_per_minute")),
            (r#"{"tokens_per_minute": 4294967296}"#, Some("tokens_per_minute")),
            (r#"{"tokens_per_minute": 1.5}"#, Some("tokens_per_minute")),
            (r#"{"max_in_flight": "5"}"#, Some("max_in_flight")),
            (r#"{"rpm": 5}"#, Some("rpm")),
            ("", None),
            ("[5]", None),
            ("{", None),
        ] {
            let error = decode(body.as_bytes(), NOW).unwrap_err();
            assert_eq!((error.status, error.param.as_deref()), (400, param), "{body}");
        }
    }
}
