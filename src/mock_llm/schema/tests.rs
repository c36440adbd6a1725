//! Does every value that is made satisfy its schema? Judged by the `jsonschema` crate, which shares nothing with ours.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::satisfy;

/// Makes a value in several variations; each must be valid.
fn made(schema: &Value) -> Value {
    let judge = judge(schema);
    let values = (0..4).map(|vary| {
        let value = satisfy(schema, vary).unwrap_or_else(|refused| panic!("{refused}: {schema}"));
        let faults: Vec<_> = judge.iter_errors(&value).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{value} for {schema}: {faults:?}");
        value
    });
    values.collect::<Vec<_>>().remove(0)
}

fn judge(schema: &Value) -> jsonschema::Validator {
    let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012).should_validate_formats(true);
    options.build(schema).unwrap_or_else(|error| panic!("{error}: {schema}"))
}

fn refused(schema: &Value) -> String {
    satisfy(schema, 0).expect_err("nothing satisfies it").keyword
}

#[test]
fn every_keyword_is_satisfied() {
    for schema in [
        json!(true),
        json!({}),
        json!({"type": "null"}),
        json!({"type": ["null", "string"]}),
        json!({"const": {"a": [1, 2.5, null]}}),
        json!({"enum": ["a", 2, null]}),
        json!({"type": "string", "enum": [1, "b"]}),
        json!({"type": "string", "minLength": 40}),
        json!({"type": "string", "maxLength": 3}),
        json!({"type": "string", "maxLength": 0}),
        json!({"type": "string", "pattern": "^[A-Z]{3}-\\d{4}$"}),
        json!({"type": "string", "pattern": "^(foo|bar)+x?$", "minLength": 9}),
        json!({"type": "string", "pattern": "a.c", "minLength": 10}),
        json!({"type": "string", "pattern": "^[^a-z]*$", "minLength": 3, "maxLength": 4}),
        json!({"type": "integer", "minimum": 5, "maximum": 5}),
        json!({"type": "integer", "exclusiveMinimum": 5, "exclusiveMaximum": 7}),
        json!({"type": "integer", "maximum": -3}),
        json!({"type": "integer", "minimum": 10, "maximum": 20, "multipleOf": 7}),
        json!({"type": "integer", "minimum": -20, "maximum": -10, "multipleOf": 7}),
        json!({"type": "integer", "multipleOf": 2.5}),
        json!({"type": "integer", "minimum": 1.5}),
        json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}),
        json!({"type": "number", "minimum": 0.5, "maximum": 0.5}),
        json!({"type": "number", "exclusiveMinimum": 0, "maximum": 0.4, "multipleOf": 0.25}),
        json!({"type": "array", "items": {"type": "integer"}, "minItems": 3, "maxItems": 4, "uniqueItems": true}),
        json!({"type": "array", "items": {"enum": ["a", "b", "c"]}, "minItems": 3, "uniqueItems": true}),
        json!({"type": "array", "items": {"type": "boolean"}, "minItems": 2, "uniqueItems": true}),
        json!({"type": "array", "items": {"type": "object", "properties": {"n": {"type": "string"}},
            "required": ["n"]}, "minItems": 40, "uniqueItems": true}),
        json!({"type": "array", "maxItems": 0}),
        json!({"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false}),
        json!({"type": "object", "required": ["x", "y"], "properties": {"x": {"type": "null"}}}),
        json!({"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 3}),
        json!({"type": "object", "properties": {"a": {}, "b": {}, "c": {}}, "required": ["c"], "maxProperties": 2}),
        json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false}),
        json!({"allOf": [{"type": ["integer", "string"]}, {"type": "number", "minimum": 3}, {"maximum": 4}]}),
        json!({"allOf": [{"properties": {"a": {"type": "string"}}, "required": ["a"]},
            {"properties": {"a": {"minLength": 9}, "b": {"type": "null"}}, "required": ["b"]}]}),
        json!({"anyOf": [false, {"type": "string", "minLength": 5, "maxLength": 3}, {"type": "integer"}]}),
        json!({"oneOf": [{"type": "integer"}, {"type": "number", "exclusiveMinimum": 0, "maximum": 0.5}]}),
        json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
            "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}),
        json!({"type": "integer", "not": {"const": 7}}),
        json!({"type": "object", "properties": {"kind": {"enum": ["x"]}}, "required": ["kind"],
            "if": {"properties": {"kind": {"const": "y"}}}, "then": {"required": ["z"]}}),
        json!({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "boolean"}}}),
        json!({"type": "object", "properties": {"v": {"type": "integer"}, "next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
            "required": ["v", "next"], "additionalProperties": false}),
        json!({"$defs": {"tree": {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
            "required": ["children"]}}, "$ref": "#/$defs/tree"}),
    ] {
        made(&schema);
    }
}

#[test]
fn every_format_is_one() {
    for format in [
        "date-time",
        "date",
        "time",
        "duration",
        "email",
        "idn-email",
        "hostname",
        "ipv4",
        "ipv6",
        "uri",
        "iri",
        "uri-reference",
        "uri-template",
        "json-pointer",
        "relative-json-pointer",
        "uuid",
        "regex",
        "unheard-of",
    ] {
        made(&json!({"type": "string", "format": format}));
    }
    made(&json!({"type": "string", "format": "email", "minLength": 40}));
}

#[test]
fn what_cannot_be_is_refused_by_its_keyword() {
    for (schema, keyword) in [
        (json!(false), "false"),
        (json!({"type": "integer", "minimum": 3, "maximum": 2}), "minimum"),
        (json!({"type": "integer", "minimum": 1, "maximum": 5, "multipleOf": 7}), "multipleOf"),
        (json!({"type": "string", "pattern": "^(?=x)"}), "pattern"),
        (json!({"type": "string", "pattern": "^abc$", "minLength": 4}), "pattern"),
        (json!({"type": "string", "format": "ipv4", "minLength": 40}), "format"),
        (json!({"enum": ["x"], "anyOf": [{"allOf": [{"format": "date-time"}]}]}), "enum"),
        (json!({"type": "array", "items": {"type": "null"}, "minItems": 2, "uniqueItems": true}), "uniqueItems"),
        (json!({"type": "array", "minItems": 1_000_000_000}), "minItems"),
        (json!({"type": "array", "contains": {"type": "integer"}}), "contains"),
        (json!({"type": "object", "patternProperties": {"^x": {}}}), "patternProperties"),
        (json!({"$ref": "#"}), "$ref"),
        (json!({"$ref": "https://example.com/schema"}), "$ref"),
        (json!({"type": "object", "properties": {"x": {"$ref": "#"}}, "required": ["x"]}), "$ref"),
        (json!({"not": {}}), "not"),
        (json!({"type": "object", "required": ["a"], "additionalProperties": false}), "false"),
    ] {
        assert_eq!(refused(&schema), keyword, "{schema}");
    }
}

#[test]
fn a_schema_that_multiplies_is_refused_in_time() {
    let mut schema = json!({"type": "integer"});
    for _ in 0..8 {
        schema = json!({"type": "array", "items": schema, "minItems": 10});
    }
    assert!(refused(&schema).starts_with("the whole schema"));
    let many: Vec<_> = (0..10).map(|_| json!({"anyOf": [{"minLength": 5}, {"minLength": 6}]})).collect();
    assert!(satisfy(&json!({"allOf": many, "type": "string", "maxLength": 3}), 0).is_err());
}

/// Schemas that can be satisfied.
fn schemas() -> impl Strategy<Value = Value> {
    let strings = (0usize..12, 0usize..12)
        .prop_map(|(least, more)| json!({"type": "string", "minLength": least, "maxLength": least + more}));
    let integers = (-50i64..50, 0i64..40)
        .prop_map(|(least, more)| json!({"type": "integer", "minimum": least, "maximum": least + more}));
    let multiples = (-50i64..50, 1i64..9).prop_map(
        |(least, step)| json!({"type": "integer", "minimum": least, "maximum": least + step, "multipleOf": step}),
    );
    let numbers = (-50i64..50, 1i64..5).prop_map(|(least, more)| json!({"type": "number", "exclusiveMinimum": least as f64 / 8.0, "exclusiveMaximum": (least + more) as f64 / 8.0}));
    let others = prop_oneof![
        Just(json!({"type": "boolean"})),
        Just(json!({"type": ["null", "integer"]})),
        Just(json!({"enum": ["x", 1, null]})),
        Just(json!({"const": "c"})),
        Just(json!({"type": "string", "format": "date-time"})),
        Just(json!({"type": "string", "pattern": "^[a-f0-9]{4,}$"})),
    ];
    let leaves = prop_oneof![strings, integers, multiples, numbers, others];
    leaves.prop_recursive(4, 40, 5, |inner| {
        let objects = (prop::collection::vec((inner.clone(), any::<bool>()), 0..5), any::<bool>()).prop_map(|(members, open)| {
            let required: Vec<_> = (0..members.len()).filter(|n| members[*n].1).map(|n| format!("p{n}")).collect();
            let properties: serde_json::Map<_, _> =
                members.into_iter().enumerate().map(|(n, (schema, _))| (format!("p{n}"), schema)).collect();
            json!({"type": "object", "properties": properties, "required": required, "additionalProperties": open})
        });
        let arrays = (inner.clone(), 0usize..4, 0usize..3)
            .prop_map(|(items, least, more)| json!({"type": "array", "items": items, "minItems": least, "maxItems": least + more}));
        let any = prop::collection::vec(inner.clone(), 1..4).prop_map(|branches| json!({"anyOf": branches}));
        let all = inner.prop_map(|schema| json!({"allOf": [schema, {"description": "twice"}], "title": "t"}));
        prop_oneof![3 => objects, 2 => arrays, 1 => any, 1 => all]
    })
}

proptest! {
    #[test]
    fn values_satisfy_their_schemas(schema in schemas()) {
        made(&schema);
    }

    #[test]
    fn what_is_joined_or_chosen_is_valid_or_refused(parts in prop::collection::vec(schemas(), 1..4), word in "allOf|anyOf|oneOf|not") {
        let schema = if word == "not" { json!({"not": parts[0]}) } else { json!({word: parts}) };
        if let Ok(value) = satisfy(&schema, 1) {
            prop_assert!(judge(&schema).is_valid(&value), "{} for {}", value, schema);
        }
    }
}
