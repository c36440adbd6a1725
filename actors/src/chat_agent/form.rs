//! In which form is a value of a type asked for? Pure. Providers that hold a reply to a schema, and tools by which others give one, want an
//! object with properties at its root: a number, a list or an enum is asked for as the one field of an object.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::schema::{self, names_are_single};

/// The name of that field.
const FIELD: &str = "answer";

/// The definition of a schema that refers to itself: a name that no type has.
const DEFINITION: &str = "callboard_answer";

/// The value as a field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, bound = "T: DeserializeOwned")]
struct InField<T> {
    // Otherwise an `Option` that is not there would be `None`.
    #[serde(deserialize_with = "T::deserialize")]
    answer: T,
}

/// The schema that a model is told, and whether the value is in a field there.
pub(super) fn asked_for(mut schema: Value) -> (Value, bool) {
    if is_object(&schema) {
        return (schema, false);
    }
    // Definitions stand at the root, and what referred to the root refers to one.
    let mut definitions = schema.get_mut("$defs").map_or_else(|| json!({}), Value::take);
    if let Value::Object(fields) = &mut schema {
        fields.remove("$defs");
    }
    let refers = refer_to_definition(&mut schema) | refer_to_definition(&mut definitions);
    let value = if refers {
        definitions[DEFINITION] = schema;
        json!({ "$ref": format!("#/$defs/{DEFINITION}") })
    } else {
        schema
    };
    let mut asked =
        json!({ "type": "object", "properties": { FIELD: value }, "required": [FIELD], "additionalProperties": false });
    if definitions.as_object().is_some_and(|definitions| !definitions.is_empty()) {
        asked["$defs"] = definitions;
    }
    (asked, true)
}

/// Whether it is one kind of object, and not one of several.
fn is_object(schema: &Value) -> bool {
    schema.get("type") == Some(&json!("object"))
        && ["oneOf", "anyOf", "allOf"].iter().all(|word| schema.get(word).is_none())
}

/// Whether something in it referred to the root.
fn refer_to_definition(schema: &mut Value) -> bool {
    match schema {
        Value::Object(fields) => {
            let mut refers = false;
            for (word, part) in fields.iter_mut() {
                if word == "$ref" && part == "#" {
                    *part = json!(format!("#/$defs/{DEFINITION}"));
                    refers = true;
                } else {
                    refers |= refer_to_definition(part);
                }
            }
            refers
        }
        Value::Array(parts) => parts.iter_mut().fold(false, |refers, part| refer_to_definition(part) | refers),
        _ => false,
    }
}

/// A reply as its schema says it: a value that came without its field gets it.
pub(super) fn as_asked_for(text: &str, is_in_field: bool) -> Result<Value, String> {
    let value: Value = parse(bare(text))?;
    names_are_single(bare(text))?;
    let has_field = || value.as_object().is_some_and(|fields| fields.len() == 1 && fields.contains_key(FIELD));
    Ok(if is_in_field && !has_field() { json!({ FIELD: value }) } else { value })
}

/// The value in a reply, with its field or without.
pub(super) fn read<T: DeserializeOwned>(text: &str, is_in_field: bool) -> Result<T, String> {
    let text = bare(text);
    let of_text = match is_in_field {
        true => parse::<InField<T>>(text).map(|field| field.answer).or_else(|_| parse(text)),
        false => parse(text),
    };
    of_text.or_else(|_: String| {
        let value = as_asked_for(text, is_in_field)?;
        if is_in_field { schema::read::<InField<T>>(value).map(|field| field.answer) } else { schema::read(value) }
    })
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// Models without schemas like to put JSON between fences.
fn bare(text: &str) -> &str {
    let text = text.trim();
    let inside =
        text.strip_prefix("```json").or_else(|| text.strip_prefix("```")).and_then(|rest| rest.strip_suffix("```"));
    inside.unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use schemars::JsonSchema;

    use super::*;
    use crate::schema::Rules;

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    enum Tree {
        Leaf(u8),
        Fork(Vec<Tree>),
    }

    #[derive(Debug, PartialEq, Deserialize, JsonSchema)]
    #[serde(tag = "kind")]
    enum Way {
        Train { class: u8 },
        Foot,
    }

    /// As a reply is checked and read.
    fn taken<T: DeserializeOwned + JsonSchema>(text: &str) -> Result<T, String> {
        let (schema, is_in_field) = asked_for(schema::of::<T>());
        Rules::of(&schema).unwrap().check(&as_asked_for(text, is_in_field)?)?;
        read(text, is_in_field)
    }

    #[test]
    fn what_is_no_object_is_asked_for_as_a_field_of_one() {
        let field = |value: Value| json!({"type": "object", "properties": {"answer": value}, "required": ["answer"], "additionalProperties": false});
        for schema in
            [schema::of::<u8>(), schema::of::<Vec<String>>(), schema::of::<Option<bool>>(), schema::of::<Way>()]
        {
            assert_eq!(asked_for(schema.clone()), (field(schema), true));
        }
        let object = json!({"type": "object", "properties": {"a": {"$ref": "#"}}});
        assert_eq!(asked_for(object.clone()), (object, false));
        assert!(asked_for(json!({"type": "object", "oneOf": [{}]})).1);
    }

    #[test]
    fn what_refers_to_itself_still_does() {
        let (asked, is_in_field) = asked_for(schema::of::<Tree>());
        assert!(is_in_field && asked.to_string().contains("$ref") && !asked.to_string().contains("\"#\""), "{asked}");
        let tree = Tree::Fork(vec![Tree::Leaf(1), Tree::Fork(vec![])]);
        assert_eq!(taken(r#"{"answer": {"Fork": [{"Leaf": 1}, {"Fork": []}]}}"#), Ok(tree));
        let wrong = taken::<Tree>(r#"{"answer": {"Fork": [{"Leaf": 300}]}}"#).unwrap_err();
        assert!(wrong.contains("300") && wrong.contains("/answer/Fork/0"), "{wrong}");
    }

    #[test]
    fn a_value_is_read_with_its_field_and_without() {
        for text in [r#"{"answer": [1]}"#, "[1]", " [1]\n", "```json\n[1]\n```", "```\n{\"answer\":[1]}```"] {
            assert_eq!(taken::<Vec<u8>>(text), Ok(vec![1]), "{text}");
        }
        assert_eq!(taken(r#"{"kind": "Train", "class": 2}"#), Ok(Way::Train { class: 2 }));
        assert_eq!(taken(r#"{"answer": {"kind": "Foot"}}"#), Ok(Way::Foot));
        assert_eq!(taken::<Value>(r#"{"answer": 1, "more": 2}"#), Ok(json!({"answer": 1, "more": 2})));
        assert_eq!(taken::<Option<u8>>("null"), Ok(None));
        let empty = BTreeMap::<String, u8>::new();
        assert_eq!(taken::<Option<BTreeMap<String, u8>>>("{}"), Ok(Some(empty)), "it is not a field that is not there");
        assert_eq!((taken("12.0"), taken(r#"{"answer": 1e3}"#)), (Ok(12_u64), Ok(1_000_u64)), "whole numbers");
        assert_eq!(taken(r#"[{"kind": "Train", "class": 2.0}]"#), Ok(vec![Way::Train { class: 2 }]));
        // More than a JSON value of serde_json holds.
        assert_eq!(read(r#"{"answer": 340282366920938463463374607431768211455}"#, true), Ok(u128::MAX));
    }

    #[test]
    fn what_is_wrong_is_said_of_the_value() {
        for (text, words) in [
            ("It is 1.", "expected value"),
            (r#"{"answer": "warm"}"#, r#""warm" is not of type "integer" (at /answer)"#),
            ("\"warm\"", r#""warm" is not of type "integer" (at /answer)"#),
            ("1.5", r#"1.5 is not of type "integer" (at /answer)"#),
            (r#"{"answer": 1, "answer": 2}"#, "`answer` is there twice"),
            ("300", "300 is greater than the maximum of 255 (at /answer)"),
        ] {
            let wrong = taken::<u8>(text).unwrap_err();
            assert!(wrong.contains(words), "{text}: {wrong}");
        }
    }
}
