//! Which schemas does OpenAI hold a reply to? Those of its strict mode, in which every object names all of its properties. Pure.
//!
//! After the vendor's [guide](https://platform.openai.com/docs/guides/structured-outputs#supported-schemas). Other schemas it
//! refuses with 400 when they are sent as strict; sent otherwise they are advice.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

/// What strict mode does not know.
const UNKNOWN: [&str; 12] = [
    "allOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
    "propertyNames",
    "unevaluatedProperties",
    "prefixItems",
    "contains",
];

/// What it refuses and need not be said: what comes back is checked all the same.
const UNSAID: [&str; 9] = [
    "default",
    "uniqueItems",
    "minLength",
    "maxLength",
    "minProperties",
    "maxProperties",
    "unevaluatedItems",
    "minContains",
    "maxContains",
];

/// The formats of strings that it knows.
const FORMATS: [&str; 9] = ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"];

/// A schema as it is sent, and whether it is strict.
pub(super) fn as_sent(schema: &Value) -> (Cow<'_, Value>, bool) {
    strict(schema).map_or((Cow::Borrowed(schema), false), |strict| (Cow::Owned(strict), true))
}

/// The same schema in the words of strict mode: no object has more properties than it names, and none is left out. What may be left out
/// in Rust may be `null`, or has a value that the model gives. `None` for what cannot be said so: no object, a map, anything at all.
fn strict(schema: &Value) -> Option<Value> {
    let mut schema = schema.clone();
    let is_object = schema.get("type") == Some(&json!("object"));
    (is_object && close(&mut schema)).then_some(schema)
}

fn close(schema: &mut Value) -> bool {
    let Value::Object(fields) = schema else { return false };
    // Of an enum: exactly one fits, and each says which it is.
    if let Some(one_of) = fields.remove("oneOf")
        && fields.insert("anyOf".to_owned(), one_of).is_some()
    {
        return false;
    }
    UNSAID.iter().for_each(|word| drop(fields.remove(*word)));
    // Beside a reference nothing may stand, such as a description.
    if fields.len() > 1
        && let Some(reference) = fields.remove("$ref")
        && fields.insert("anyOf".to_owned(), json!([{ "$ref": reference }])).is_some()
    {
        return false;
    }
    let is_known = fields.get("format").and_then(Value::as_str).is_none_or(|format| FORMATS.contains(&format));
    if !is_known {
        fields.remove("format");
    }
    let says_something = ["type", "anyOf", "enum", "const", "$ref"].iter().any(|word| fields.contains_key(*word));
    let is_unknown = UNKNOWN.iter().any(|word| fields.contains_key(*word));
    says_something && !is_unknown && close_object(fields) && close_parts(fields)
}

fn close_object(fields: &mut Map<String, Value>) -> bool {
    let is_object = match fields.get("type") {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.contains(&json!("object")),
        _ => false,
    };
    if !is_object {
        return true;
    }
    if fields.contains_key("anyOf") {
        // Flattened: each variant would forbid the properties beside it.
        return false;
    }
    let is_closed = fields.get("additionalProperties").is_none_or(|others| others == &json!(false));
    let Some(names) = fields.get("properties").and_then(Value::as_object).filter(|_| is_closed) else { return false };
    let names: Vec<_> = names.keys().cloned().collect();
    fields.insert("required".to_owned(), names.into());
    fields.insert("additionalProperties".to_owned(), false.into());
    true
}

/// Its properties, entries, variants and definitions.
fn close_parts(fields: &mut Map<String, Value>) -> bool {
    for of in ["properties", "$defs"] {
        if let Some(Value::Object(parts)) = fields.get_mut(of)
            && !parts.values_mut().all(close)
        {
            return false;
        }
    }
    let variants = fields.get_mut("anyOf").and_then(Value::as_array_mut);
    variants.is_none_or(|variants| variants.iter_mut().all(close)) && fields.get_mut("items").is_none_or(close)
}

#[cfg(test)]
mod tests {
    use super::*;
    use callboard_actors::schema;
    use schemars::JsonSchema;
    use std::collections::{BTreeMap, BTreeSet};

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Trip {
        city: String,
        nights: Option<u32>,
        stops: Vec<Stop>,
        by: By,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Flattened {
        id: u32,
        #[serde(flatten)]
        by: By,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Negated {
        /// What is not so.
        of: Option<Box<Negated>>,
        /// The first.
        first: Vec<Negated>,
        names: BTreeSet<char>,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Stop {
        #[schemars(default)]
        minutes: u32,
    }

    #[derive(JsonSchema)]
    #[serde(tag = "kind", rename_all = "snake_case")]
    #[expect(dead_code, reason = "only its schema is looked at")]
    enum By {
        Train { class: u8 },
        Foot,
    }

    /// Everything that strict mode asks of a schema, said once more.
    fn is_strict(schema: &Value) -> bool {
        match schema {
            Value::Object(fields) => {
                let names = |of: &str| match fields.get(of) {
                    Some(Value::Object(names)) => names.keys().cloned().collect(),
                    Some(Value::Array(names)) => {
                        names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect()
                    }
                    _ => Vec::new(),
                };
                let is_closed = fields.get("type") != Some(&json!("object"))
                    || fields.get("additionalProperties") == Some(&json!(false))
                        && names("properties") == names("required");
                is_closed && !fields.contains_key("oneOf") && fields.values().all(is_strict)
            }
            Value::Array(parts) => parts.iter().all(is_strict),
            _ => true,
        }
    }

    #[test]
    fn schemas_of_types_are_said_as_strict_mode_takes_them() {
        let schema = schema::of::<Trip>();
        assert!(!is_strict(&schema), "otherwise there is nothing to do: {schema}");
        let strict = strict(&schema).unwrap();
        assert!(is_strict(&strict), "{strict}");
        assert_eq!(strict["properties"]["nights"]["type"], json!(["integer", "null"]));
        assert_eq!(strict["properties"]["stops"]["items"]["required"], json!(["minutes"]));
        assert!(!strict.to_string().contains("uint32") && !strict.to_string().contains("default"), "{strict}");
    }

    #[test]
    fn what_strict_mode_refuses_is_left_out_and_nothing_stands_beside_a_reference() {
        let schema = schema::of::<Negated>();
        assert!(schema.to_string().contains("uniqueItems"), "otherwise there is nothing to do: {schema}");
        let written = strict(&schema).unwrap().to_string();
        for word in ["uniqueItems", "minLength", "maxLength"] {
            assert!(!written.contains(word), "{written}");
        }
        let beside = json!({"type": "object", "properties": {"a": {"$ref": "#", "description": "d"}}});
        let a = json!({"anyOf": [{"$ref": "#"}], "description": "d"});
        assert_eq!(strict(&beside).unwrap()["properties"]["a"], a);
    }

    #[test]
    fn what_strict_mode_cannot_say_is_not_called_strict() {
        for schema in [
            schema::of::<u32>(),
            schema::of::<Vec<String>>(),
            schema::of::<BTreeMap<String, u32>>(),
            json!({"type": "object"}),
            json!({"type": "object", "properties": {"a": {}}}),
            json!({"type": "object", "properties": {"a": true}}),
            json!({"type": "object", "properties": {"a": {"type": "string", "not": {"const": "x"}}}}),
            json!({"type": "object", "properties": {"a": {"anyOf": [{"type": "object"}]}}}),
            schema::of::<Flattened>(),
        ] {
            assert_eq!(strict(&schema), None, "{schema}");
        }
    }
}
