//! What is the JSON schema of a type, and does a value satisfy one? Pure; as providers take it: whole in one piece, as far as the type
//! is not recursive.

use std::cmp::Reverse;
use std::ops::Deref;
use std::sync::OnceLock;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use thiserror::Error;

/// So many mistakes are told at once, and so many variants of which none fits.
const TOLD: usize = 5;
/// So much of a value is quoted, in bytes.
const QUOTED: usize = 80;
/// So much is said of one mistake, in bytes: a pattern or a list of what there is may be long, too.
const SAID: usize = 400;

/// A JSON schema is none.
#[derive(Error, Clone, PartialEq, Eq)]
#[error("the JSON schema is none: {problem}")]
pub struct SchemaError {
    problem: String,
}

impl SchemaError {
    /// What is wrong with it, and where.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        "invalid_schema"
    }

    /// Whether the same schema may be one later. It may not.
    pub fn is_retryable(&self) -> bool {
        false
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        "mend what is named, in the schema or in the `schemars` attributes that it comes from; it may refer to nothing outside of itself"
    }
}

crate::shown_to_people!(SchemaError);

/// A JSON schema that does not change. Its text is written once, however many requests it goes with.
#[derive(Clone)]
pub struct Schema {
    value: Value,
    text: OnceLock<Box<RawValue>>,
}

impl Schema {
    /// Its text, without white space.
    pub fn text(&self) -> &str {
        self.raw().get()
    }

    fn raw(&self) -> &RawValue {
        self.text.get_or_init(|| to_raw_value(&self.value).expect("a JSON value has strings for keys"))
    }
}

impl From<Value> for Schema {
    fn from(value: Value) -> Self {
        Self { value, text: OnceLock::new() }
    }
}

impl Deref for Schema {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.value
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl std::fmt::Debug for Schema {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.value.fmt(f)
    }
}

impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.raw().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Schema {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Value::deserialize(from).map(Self::from)
    }
}

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

/// Whether a schema lets an object through, as far as its root says: what it refers to may say otherwise.
pub(crate) fn takes_objects(schema: &Value) -> bool {
    let Value::Object(rules) = schema else { return schema != &Value::Bool(false) };
    let is_said = |kind: &Value| match kind {
        Value::Array(kinds) => kinds.iter().any(|kind| kind == "object"),
        kind => kind == "object",
    };
    let any = |parts: &Value| parts.as_array().is_none_or(|parts| parts.iter().any(takes_objects));
    rules.iter().all(|(word, rule)| match word.as_str() {
        "type" => is_said(rule),
        "const" => rule.is_object(),
        "enum" => rule.as_array().is_none_or(|values| values.iter().any(Value::is_object)),
        "anyOf" | "oneOf" => any(rule),
        "allOf" => rule.as_array().is_none_or(|parts| parts.iter().all(takes_objects)),
        _ => true,
    })
}

/// As much of a text as is said.
fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
    text
}

/// The schema of `T`, without a title and without the address of its dialect.
pub fn of<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    if let Value::Object(fields) = &mut schema {
        fields.remove("title");
    }
    schema
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_schema_is_the_same_in_every_form() {
        let value = serde_json::json!({ "type": "object", "required": ["b", "a"] });
        let schema = Schema::from(value.clone());
        assert_eq!((schema.text(), &schema["required"]), (&*value.to_string(), &value["required"]));
        assert_eq!(serde_json::to_value(&schema).unwrap(), value);
        let read: Schema = serde_json::from_str(&serde_json::to_string(&schema).unwrap()).unwrap();
        assert_eq!(read, schema.clone());
        assert_ne!(read, Schema::from(serde_json::json!({ "type": "object" })));
    }

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
    fn a_schema_that_no_object_satisfies_is_known() {
        #[derive(JsonSchema)]
        #[expect(dead_code, reason = "only its schema is of interest")]
        enum Unit {
            /// A comment makes a variant a schema of its own.
            A,
            B,
        }
        #[derive(JsonSchema)]
        #[expect(dead_code, reason = "only its schema is of interest")]
        enum Some {
            Nothing,
            Field(u8),
        }
        for (schema, takes) in [
            (of::<u32>(), false),
            (of::<Vec<u8>>(), false),
            (of::<Option<String>>(), false),
            (of::<(u8, u8)>(), false),
            (of::<Unit>(), false),
            (json!({"enum": ["a", "b"]}), false),
            (json!({"allOf": [{}, {"const": 1}]}), false),
            (json!(false), false),
            (of::<Some>(), true),
            (of::<Value>(), true),
            (of::<std::collections::BTreeMap<String, u8>>(), true),
            (json!({}), true),
            (json!({"type": ["object", "null"], "properties": {"a": {"type": "string"}}}), true),
            (json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "object"}}}), true),
        ] {
            assert_eq!(takes_objects(&schema), takes, "{schema}");
        }
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
