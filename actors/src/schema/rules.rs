//! Does a value satisfy a JSON schema, and if not, what is a model told? Pure.

use std::cmp::Reverse;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::SchemaError;

/// So many mistakes are told at once, and so many variants of which none fits.
const TOLD: usize = 5;
/// So much of a value is quoted, in bytes.
const QUOTED: usize = 80;
/// So much is said of one mistake, in bytes: a pattern or a list of what there is may be long, too.
const SAID: usize = 400;

/// A JSON schema, ready to check values. Making one takes some ten microseconds: keep it.
#[derive(Debug)]
pub struct Rules(Validator);

impl Rules {
    /// Those of a schema. One that refers to another address is refused: nothing is fetched. `format` is told to the model and not checked.
    ///
    /// # Errors
    /// [`SchemaError`] says what is wrong with the schema, and where.
    pub fn of(schema: &Value) -> Result<Self, SchemaError> {
        jsonschema::validator_for(schema).map(Self).map_err(|error| SchemaError { problem: told(&error) })
    }

    /// Whether a value satisfies them.
    ///
    /// # Errors
    /// What is wrong and where, five mistakes at most, in words that a model can act on. They quote the value, 80 bytes of it at most, and
    /// all together are no longer than 2.5 KiB.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        let wrong: Vec<_> = self.0.iter_errors(value).take(TOLD).map(|error| told(&error)).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }
}

/// The rule that does not hold, what was given, and where.
fn told(error: &ValidationError<'_>) -> String {
    let said = cut(said(error), SAID);
    match error.instance_path().as_str() {
        "" => said,
        place => format!("{said} (at {})", cut(place.to_owned(), QUOTED)),
    }
}

fn said(error: &ValidationError<'_>) -> String {
    let given = cut(error.instance().to_string(), QUOTED);
    match error.kind() {
        // What would have to be otherwise for each variant says more than that none of them fits.
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            let mut first: Vec<_> = context.iter().filter_map(|variant| variant.first()).collect();
            first.sort_by_key(|error| far_off(error));
            let variants: Vec<_> = first.into_iter().take(TOLD).map(told).collect();
            format!("{given} fits none of its variants: {}", variants.join(", or "))
        }
        _ => error.masked_with(given).to_string(),
    }
}

/// How little like a variant a value is: it is none at all when it has another tag, and much like one that fails far inside.
fn far_off(error: &ValidationError<'_>) -> (bool, Reverse<usize>) {
    let has_other_tag = matches!(error.kind(), ValidationErrorKind::Constant { .. });
    (has_other_tag, Reverse(error.instance_path().as_str().matches('/').count()))
}

/// As much of a text as is said.
fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mistake_says_the_field_the_rule_and_what_was_given() {
        let part = json!({"type": "object", "properties": {"b": {"const": 1}}, "required": ["b"]});
        let of = |rule: &Value| json!({"type": "object", "properties": {"a": rule}, "additionalProperties": false});
        for (rule, value, words) in [
            (json!({"maximum": 40}), json!({"a": 41}), "41 is greater than the maximum of 40 (at /a)"),
            (json!({"pattern": "^[A-F]$"}), json!({"a": "a"}), r#""a" does not match "^[A-F]$" (at /a)"#),
            (json!({"maxLength": 2}), json!({"a": "abc"}), r#""abc" is longer than 2 characters (at /a)"#),
            (json!({"enum": ["x", "y"]}), json!({"a": "z"}), r#""z" is not one of "x" or "y" (at /a)"#),
            (part.clone(), json!({"a": {}}), r#""b" is a required property (at /a)"#),
            (
                json!({"anyOf": [{"type": "null"}, part]}),
                json!({"a": {}}),
                r#"{} fits none of its variants: {} is not of type "null" (at /a), or "b" is a required property (at /a) (at /a)"#,
            ),
            (
                json!({"oneOf": [part, {"properties": {"c": {"maximum": 1}}, "required": ["c"]}]}),
                json!({"a": {"b": 2, "c": 2}}),
                r#"{"b":2,"c":2} fits none of its variants: 2 is greater than the maximum of 1 (at /a/c), or 1 was expected (at /a/b) (at /a)"#,
            ),
            (json!(true), json!({"c": 1}), "Additional properties are not allowed ('c' was unexpected)"),
            (json!({"format": "date"}), json!({"a": "no"}), ""),
        ] {
            let checked = Rules::of(&of(&rule)).unwrap().check(&value);
            assert_eq!(checked.err().unwrap_or_default(), words, "{rule}");
        }
    }

    #[test]
    fn what_is_said_is_bounded_whatever_the_value_and_the_schema() {
        let long = "ä".repeat(1 << 16);
        let (rule, named) = (
            json!({"maxLength": 1, "pattern": "^".to_owned() + &"ö".repeat(1_000)}),
            json!({"a": long, "b": long, "c": long}),
        );
        let schema = json!({"additionalProperties": rule, "propertyNames": {"maxLength": 2}, "maxProperties": 1});
        let rules = Rules::of(&schema).unwrap();
        for value in [named, json!({ (long.clone()): 1 })] {
            let told = rules.check(&value).unwrap_err();
            assert!(told.contains("ä…") && told.len() < 2_560, "{} bytes", told.len());
        }
        let deep = (0..100).fold(json!("x"), |value, _| json!({ "inside": value }));
        let schema = json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "object", "additionalProperties": {"$ref": "#/$defs/a"}}}});
        let told = Rules::of(&schema).unwrap().check(&deep).unwrap_err();
        assert!(told.contains("/inside/inside") && told.len() < 600, "{told}");
    }

    #[test]
    fn a_schema_that_is_none_says_where() {
        for (schema, words) in [
            (json!({"properties": {"a": {"pattern": "["}}}), "/properties/a/pattern"),
            (json!({"type": 7}), "/type"),
            (json!({"$ref": "http://localhost:1/schema.json"}), "localhost"),
        ] {
            let wrong = Rules::of(&schema).unwrap_err();
            assert!(wrong.problem().contains(words), "{wrong}");
        }
    }
}
