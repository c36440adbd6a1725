//! What is said about one place of a value? `$ref` and `allOf` joined into one list of keywords, the choices beside it.

use serde_json::{Map, Value, json};

use super::{Refused, resolve};

/// Keywords that nobody here knows, and that would mean something.
const UNKNOWN: &[&str] = &[
    "$dynamicRef",
    "$recursiveRef",
    "additionalItems",
    "contains",
    "dependencies",
    "dependentSchemas",
    "maxContains",
    "minContains",
    "patternProperties",
    "propertyNames",
    "unevaluatedItems",
    "unevaluatedProperties",
];

/// How many references lead to one place at most; more are a circle.
const LONGEST_CHAIN: usize = 32;

/// One of several schemas.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    /// `oneOf`: the others must not fit.
    pub(super) is_one: bool,
    pub(super) branches: Vec<Value>,
}

/// Everything about one place.
#[derive(Debug, Clone, Default)]
pub(super) struct Flat {
    pub(super) keywords: Map<String, Value>,
    pub(super) choices: Vec<Choice>,
}

impl Flat {
    /// Everything that `schema` says.
    pub(super) fn of(root: &Value, schema: &Value) -> Result<Self, Refused> {
        let mut flat = Self::default();
        flat.add(root, schema, 0)?;
        Ok(flat)
    }

    /// Adds what another schema says about the same place.
    pub(super) fn add(&mut self, root: &Value, schema: &Value, chain: usize) -> Result<(), Refused> {
        let keywords = match schema {
            Value::Bool(true) => return Ok(()),
            Value::Object(keywords) if chain <= LONGEST_CHAIN => keywords,
            Value::Object(_) => return Err(Refused::new("$ref")),
            _ => return Err(Refused::new("false")),
        };
        for (name, value) in keywords {
            match (name.as_str(), value) {
                ("$ref", reference) => self.add(root, resolve(root, reference)?, chain + 1)?,
                ("allOf", Value::Array(all)) => all.iter().try_for_each(|one| self.add(root, one, chain + 1))?,
                ("anyOf" | "oneOf", Value::Array(branches)) => {
                    self.choices.push(Choice { is_one: name == "oneOf", branches: branches.clone() });
                }
                (name, _) if UNKNOWN.contains(&name) => return Err(Refused::new(name)),
                (name, value) => self.join(name, value)?,
            }
        }
        Ok(())
    }

    fn join(&mut self, name: &str, new: &Value) -> Result<(), Refused> {
        let Some(old) = self.keywords.get_mut(name) else {
            self.keywords.insert(name.to_owned(), new.clone());
            return Ok(());
        };
        let larger = new.as_f64() > old.as_f64();
        match name {
            "properties" => join_properties(old, new),
            "required" => extend(old, new),
            "type" => *old = common_types(old, new),
            "enum" => retain(old, new),
            "minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties" if larger => *old = new.clone(),
            "minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties" => {}
            "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties" if larger => {}
            "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties" => *old = new.clone(),
            "uniqueItems" if old == &Value::Bool(false) => *old = new.clone(),
            "items" | "additionalProperties" => *old = json!({ "allOf": [old, new] }),
            // The first is tried; the check at the end judges by all of them.
            _ => {}
        }
        Ok(())
    }
}

fn join_properties(old: &mut Value, new: &Value) {
    let (Value::Object(old), Value::Object(new)) = (old, new) else { return };
    for (name, schema) in new {
        match old.get_mut(name) {
            Some(known) => *known = json!({ "allOf": [known, schema] }),
            None => {
                old.insert(name.clone(), schema.clone());
            }
        }
    }
}

fn extend(old: &mut Value, new: &Value) {
    if let (Value::Array(old), Value::Array(new)) = (old, new) {
        old.extend(new.iter().cloned());
    }
}

fn retain(old: &mut Value, new: &Value) {
    if let (Value::Array(old), Value::Array(new)) = (old, new) {
        old.retain(|value| new.iter().any(|other| super::check::is_same(value, other)));
    }
}

/// The types that a keyword `type` names.
pub(super) fn types(value: &Value) -> Vec<&str> {
    match value {
        Value::String(one) => vec![one],
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn common_types(old: &Value, new: &Value) -> Value {
    let new = types(new);
    let common = types(old).into_iter().filter_map(|kind| match kind {
        kind if new.contains(&kind) => Some(kind),
        "integer" if new.contains(&"number") => Some("integer"),
        "number" if new.contains(&"integer") => Some("integer"),
        _ => None,
    });
    Value::from(common.collect::<Vec<_>>())
}
