//! Does a value satisfy a schema? The first keyword that it breaks is the answer.

use serde_json::{Map, Value, json};

use super::flat::types;
use super::{Refused, count, pattern, resolve};

/// Deeper is a circle of references.
const DEEPEST: usize = 128;

/// Judges `value`.
pub(super) fn check(root: &Value, schema: &Value, value: &Value) -> Result<(), Refused> {
    Checker { root }.check(schema, value, 0)
}

struct Checker<'a> {
    root: &'a Value,
}

impl Checker<'_> {
    fn check(&self, schema: &Value, value: &Value, depth: usize) -> Result<(), Refused> {
        let keywords = match schema {
            Value::Bool(true) => return Ok(()),
            Value::Object(keywords) if depth <= DEEPEST => keywords,
            Value::Object(_) => return Err(Refused::new("$ref")),
            _ => return Err(Refused::new("false")),
        };
        for (name, argument) in keywords {
            if !self.holds(name, argument, keywords, value, depth) {
                return Err(Refused::new(name));
            }
        }
        Ok(())
    }

    fn fits(&self, schema: &Value, value: &Value, depth: usize) -> bool {
        self.check(schema, value, depth + 1).is_ok()
    }

    fn holds(&self, name: &str, argument: &Value, all: &Map<String, Value>, value: &Value, depth: usize) -> bool {
        let fitting =
            || argument.as_array().into_iter().flatten().filter(|branch| self.fits(branch, value, depth)).count();
        match name {
            "$ref" => resolve(self.root, argument).is_ok_and(|schema| self.fits(schema, value, depth)),
            "allOf" => fitting() == argument.as_array().map_or(0, Vec::len),
            "anyOf" => fitting() > 0,
            "oneOf" => fitting() == 1,
            "not" => !self.fits(argument, value, depth),
            "if" => {
                let branch = if self.fits(argument, value, depth) { "then" } else { "else" };
                all.get(branch).is_none_or(|branch| self.fits(branch, value, depth))
            }
            "const" => is_same(argument, value),
            "enum" => argument.as_array().is_some_and(|values| values.iter().any(|one| is_same(one, value))),
            "type" => types(argument).iter().any(|kind| is_of(kind, value)),
            _ => match value {
                Value::Object(object) => self.object(name, argument, all, object, depth),
                Value::Array(array) => self.array(name, argument, all, array, depth),
                Value::String(text) => holds_of_string(name, argument, text),
                Value::Number(_) => holds_of_number(name, argument, value),
                _ => true,
            },
        }
    }

    fn object(
        &self,
        name: &str,
        argument: &Value,
        all: &Map<String, Value>,
        object: &Map<String, Value>,
        depth: usize,
    ) -> bool {
        let named = |names: &Value| {
            names.as_array().into_iter().flatten().all(|n| n.as_str().is_some_and(|n| object.contains_key(n)))
        };
        match name {
            "required" => named(argument),
            "minProperties" => count(Some(argument)).is_none_or(|least| object.len() >= least),
            "maxProperties" => count(Some(argument)).is_none_or(|most| object.len() <= most),
            "properties" => {
                let fits = |(name, schema)| object.get(name).is_none_or(|value| self.fits(schema, value, depth));
                argument.as_object().is_none_or(|properties| properties.iter().all(fits))
            }
            "additionalProperties" => {
                let known = all.get("properties").and_then(Value::as_object);
                let others = object.iter().filter(|(name, _)| known.is_none_or(|known| !known.contains_key(*name)));
                others.into_iter().all(|(_, value)| self.fits(argument, value, depth))
            }
            "dependentRequired" => argument
                .as_object()
                .is_none_or(|rules| rules.iter().all(|(given, names)| !object.contains_key(given) || named(names))),
            _ => true,
        }
    }

    fn array(&self, name: &str, argument: &Value, all: &Map<String, Value>, array: &[Value], depth: usize) -> bool {
        let each = |schemas: &[Value]| schemas.iter().zip(array).all(|(schema, value)| self.fits(schema, value, depth));
        match (name, argument) {
            ("minItems", _) => count(Some(argument)).is_none_or(|least| array.len() >= least),
            ("maxItems", _) => count(Some(argument)).is_none_or(|most| array.len() <= most),
            ("uniqueItems", Value::Bool(true)) => {
                array.iter().enumerate().all(|(at, one)| !array[..at].iter().any(|other| is_same(one, other)))
            }
            ("prefixItems", Value::Array(schemas)) | ("items", Value::Array(schemas)) => each(schemas),
            ("items", schema) => {
                let prefix = all.get("prefixItems").and_then(Value::as_array).map_or(0, Vec::len);
                array.iter().skip(prefix).all(|value| self.fits(schema, value, depth))
            }
            _ => true,
        }
    }
}

fn holds_of_string(name: &str, argument: &Value, text: &str) -> bool {
    match name {
        "minLength" => count(Some(argument)).is_none_or(|least| text.chars().count() >= least),
        "maxLength" => count(Some(argument)).is_none_or(|most| text.chars().count() <= most),
        "pattern" => argument.as_str().and_then(pattern::compiled).is_some_and(|matcher| matcher.is_match(text)),
        "format" => is_of_format(argument, text),
        _ => true,
    }
}

/// Formats are a science of their own, which others know.
fn is_of_format(format: &Value, text: &str) -> bool {
    let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012).should_validate_formats(true);
    options.build(&json!({"format": format})).is_ok_and(|judge| judge.is_valid(&text.into()))
}

fn holds_of_number(name: &str, argument: &Value, value: &Value) -> bool {
    let (Some(number), Some(limit)) = (value.as_f64(), argument.as_f64()) else { return true };
    match name {
        "minimum" => number >= limit,
        "maximum" => number <= limit,
        "exclusiveMinimum" => number > limit,
        "exclusiveMaximum" => number < limit,
        "multipleOf" => is_multiple(value, argument),
        _ => true,
    }
}

/// Whether `value` is a whole number of times `step`.
pub(super) fn is_multiple(value: &Value, step: &Value) -> bool {
    if let (Some(value), Some(step)) = (value.as_i64(), step.as_i64()) {
        return step != 0 && value % step == 0;
    }
    let (Some(value), Some(step)) = (value.as_f64(), step.as_f64()) else { return false };
    let times = value / step;
    times.is_finite() && (times - times.round()).abs() < 1e-9
}

/// Equality of JSON: 1 and 1.0 are the same.
pub(super) fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => a == b || (a.as_f64() == b.as_f64() && (a.is_f64() || b.is_f64())),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| is_same(a, b)))
        }
        _ => one == other,
    }
}

fn is_of(kind: &str, value: &Value) -> bool {
    match (kind, value) {
        ("null", Value::Null) | ("boolean", Value::Bool(_)) | ("number", Value::Number(_)) => true,
        ("string", Value::String(_)) | ("array", Value::Array(_)) | ("object", Value::Object(_)) => true,
        ("integer", Value::Number(number)) => number.as_f64().is_some_and(|number| number.fract() == 0.0),
        _ => false,
    }
}
