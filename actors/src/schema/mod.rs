//! What is the JSON schema of a type, and does a value satisfy one? Pure. [`of()`] makes it, [`Rules`] check a value, and what a model
//! wrote is read in `written.rs`.

mod of;
mod rules;
mod written;

use std::ops::Deref;
use std::sync::OnceLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use thiserror::Error;

pub use of::of;
pub use rules::Rules;
pub(crate) use written::names_are_single;
pub use written::read;

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

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
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
}
