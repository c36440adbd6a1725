//! Does a value satisfy a JSON schema, and if not, what is a model told? Pure.

use std::cmp::Reverse;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ReferencingError, ValidationError, Validator};
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
        jsonschema::validator_for(schema).map(Self).map_err(|error| SchemaError { problem: mistaken(&error, schema) })
    }

    /// Whether a value satisfies them.
    ///
    /// # Errors
    /// What is wrong and where, five mistakes at most, in words that a model can act on. They quote the value, 80 bytes of it at most, and
    /// all together are no longer than 2.5 KiB.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        let wrong: Vec<_> = self.0.iter_errors(value).take(TOLD).map(|error| told(&error, value)).collect();
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    }
}

/// Why a schema is none, in words of ours where those of the judge speak of what nobody here can do.
fn mistaken(error: &ValidationError<'_>, schema: &Value) -> String {
    match error.kind() {
        ValidationErrorKind::Referencing(ReferencingError::Unretrievable { uri, .. }) => {
            let uri = cut(uri.clone(), SAID);
            format!(
                "it refers to `{uri}`, and nothing outside of the schema is read: put what it needs into its `$defs`"
            )
        }
        ValidationErrorKind::Referencing(ReferencingError::UnknownSpecification { specification }) => {
            let named = cut(specification.clone(), SAID);
            format!(
                "its `$schema` is `{named}`; known are the drafts 2020-12, 2019-09, 7, 6 and 4: name one of them, or none"
            )
        }
        _ => told(error, schema),
    }
}

/// The rule that does not hold, what was given, and where. `whole` is the value that everything is in.
fn told(error: &ValidationError<'_>, whole: &Value) -> String {
    placed(said(error, whole), error.instance_path().as_str())
}

fn placed(said: String, place: &str) -> String {
    let said = cut(said, SAID);
    match place {
        "" => said,
        place => format!("{said} (at {})", cut(place.to_owned(), QUOTED)),
    }
}

fn said(error: &ValidationError<'_>, whole: &Value) -> String {
    let given = cut(error.instance().to_string(), QUOTED);
    match error.kind() {
        // What would have to be otherwise for each variant says more than that none of them fits.
        ValidationErrorKind::AnyOf { context } | ValidationErrorKind::OneOfNotValid { context } => {
            fits_none(context, depth(error), &given, whole)
        }
        // Of an object without properties, of which the judge names neither.
        ValidationErrorKind::FalseSchema if error.schema_path().as_str().ends_with("/additionalProperties") => {
            let object = whole.pointer(error.instance_path().as_str()).and_then(Value::as_object);
            let names: Vec<_> =
                object.into_iter().flat_map(|object| object.keys()).map(|name| format!("'{name}'")).collect();
            let were = if names.len() == 1 { "was" } else { "were" };
            format!("Additional properties are not allowed ({} {were} unexpected)", names.join(", "))
        }
        ValidationErrorKind::FalseSchema => format!("{given} is not expected"),
        _ => error.masked_with(given).to_string(),
    }
}

/// The first mistake of each variant, those that fail far inside first. A variant with another tag is none at all: of these it is only said,
/// at the end, which tags they have.
fn fits_none(variants: &[Vec<ValidationError<'static>>], depth_here: usize, given: &str, whole: &Value) -> String {
    let mut tags: Vec<(&str, Vec<&Value>)> = Vec::new();
    let mut near: Vec<&ValidationError<'_>> = Vec::new();
    for errors in variants {
        let Some((place, expected)) = errors.iter().find_map(|error| tag(error, depth_here)) else {
            near.extend(errors.first());
            continue;
        };
        match tags.iter_mut().find(|(other, _)| *other == place) {
            Some((_, known)) => {
                known.extend(expected.iter().filter(|value| !known.contains(value)).collect::<Vec<_>>())
            }
            None => tags.push((place, expected.iter().collect())),
        }
    }
    near.sort_by_key(|error| Reverse(depth(error)));
    let tags = tags.iter().map(|(place, values)| placed(format!("{} was expected", either(values)), place));
    let mut told: Vec<_> = near.into_iter().take(TOLD).map(|error| told(error, whole)).collect();
    told.extend(tags.take(TOLD));
    // Several variants may miss the same.
    let mut seen = Vec::new();
    told.retain(|words| {
        !seen.contains(words) && {
            seen.push(words.clone());
            true
        }
    });
    format!("{given} fits none of its variants: {}", told.join(", or "))
}

/// Where a value has another tag than a variant, and which the variant has: a field with one value, or the value itself.
fn tag<'a>(error: &'a ValidationError<'_>, depth_here: usize) -> Option<(&'a str, &'a [Value])> {
    let expected = match error.kind() {
        ValidationErrorKind::Constant { expected_value } => std::slice::from_ref(&**expected_value),
        ValidationErrorKind::Enum { options } => options.as_array()?.as_slice(),
        _ => return None,
    };
    let below = depth(error).checked_sub(depth_here)?;
    (below == 0 || below == 1 && expected.len() == 1).then(|| (error.instance_path().as_str(), expected))
}

fn depth(error: &ValidationError<'_>) -> usize {
    error.instance_path().as_str().matches('/').count()
}

/// `"a", "b" or "c"`.
fn either(values: &[&Value]) -> String {
    let values: Vec<_> = values.iter().map(|value| cut(value.to_string(), QUOTED)).collect();
    match values.as_slice() {
        [others @ .., last] if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        one => one.concat(),
    }
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
            (json!(false), json!({"a": 1}), "1 is not expected (at /a)"),
            (
                json!({"type": "object", "properties": {}, "additionalProperties": false}),
                json!({"a": {"x": 1, "y": 2}}),
                "Additional properties are not allowed ('x', 'y' were unexpected) (at /a)",
            ),
        ] {
            let checked = Rules::of(&of(&rule)).unwrap().check(&value);
            assert_eq!(checked.err().unwrap_or_default(), words, "{rule}");
        }
    }

    #[test]
    fn a_variant_with_another_tag_is_told_by_its_tag_alone() {
        #[derive(schemars::JsonSchema)]
        #[serde(tag = "kind", rename_all = "snake_case")]
        #[expect(dead_code, reason = "only its schema is of interest")]
        enum Place {
            City { name: String },
            Coord { lat: f64, lon: f64 },
            Nowhere,
        }
        let rules = Rules::of(&crate::schema::of::<Place>()).unwrap();
        for (value, words) in [
            (
                json!({"kind": "city"}),
                r#""name" is a required property, or "coord" or "nowhere" was expected (at /kind)"#,
            ),
            (json!({"kind": "nix"}), r#""city", "coord" or "nowhere" was expected (at /kind)"#),
            (
                json!({"kind": "coord", "lat": "x", "lon": 1}),
                r#""x" is not of type "number" (at /lat), or "city" or "nowhere" was expected (at /kind)"#,
            ),
        ] {
            assert_eq!(rules.check(&value).unwrap_err(), format!("{value} fits none of its variants: {words}"));
        }
        let names = json!({"oneOf": [{"enum": ["a", "b"]}, {"const": "c"}, {"type": "object"}]});
        let told = Rules::of(&names).unwrap().check(&json!("d")).unwrap_err();
        assert_eq!(
            told,
            r#""d" fits none of its variants: "d" is not of type "object", or "a", "b" or "c" was expected"#
        );
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
            (json!({"$ref": "http://localhost:1/schema.json"}), "it refers to `http://localhost:1/schema.json`"),
            (
                json!({"properties": {"a": {"$ref": "file:///a.json"}}}),
                "it refers to `file:///a.json`, and nothing outside",
            ),
            (
                json!({"$schema": "https://localhost/mine"}),
                "`$schema` is `https://localhost/mine`; known are the drafts 2020-12",
            ),
        ] {
            let wrong = Rules::of(&schema).unwrap_err();
            assert!(wrong.problem().contains(words), "{wrong}");
        }
    }
}
