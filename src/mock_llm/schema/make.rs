//! How are objects and arrays built? Choices are tried in turn until a value passes the check.

use std::cell::Cell;
use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::check::{check, is_same};
use super::flat::{Choice, Flat, types};
use super::{Refused, count, leaf};

/// From this depth on only what is required is made, so that recursive schemas come to an end.
const SHALLOW: usize = 5;

/// Deeper is refused: recursion that never ends.
const DEEPEST: usize = 48;

/// How many places are tried before the schema counts as too large.
const PLACES: usize = 20_000;

/// The longest array that is made.
const LONGEST_ARRAY: usize = 10_000;

/// A value that satisfies `schema`: the same for the same schema. With another `vary` another one where there is one.
pub(crate) fn satisfy(schema: &Value, vary: u64) -> Result<Value, Refused> {
    Maker { root: schema, left: Cell::new(PLACES) }.make(schema, 0, vary)
}

struct Maker<'a> {
    root: &'a Value,
    left: Cell<usize>,
}

impl Maker<'_> {
    fn make(&self, schema: &Value, depth: usize, vary: u64) -> Result<Value, Refused> {
        let value = self.of_flat(Flat::of(self.root, schema)?, depth, vary, depth < SHALLOW)?;
        check(self.root, schema, &value).map(|()| value)
    }

    /// `optional`: with the members of objects that need not be there.
    fn of_flat(&self, mut flat: Flat, depth: usize, vary: u64, optional: bool) -> Result<Value, Refused> {
        let left = self.left.get().checked_sub(1).ok_or_else(|| Refused::new("the whole schema: it is too large"))?;
        self.left.set(left);
        if depth > DEEPEST {
            return Err(Refused::new("$ref"));
        }
        if let Some(choice) = flat.choices.pop() {
            return self.of_choice(&flat, &choice, depth, vary, optional);
        }
        let judged = Value::Object(flat.keywords);
        let Value::Object(keywords) = &judged else { unreachable!("it was made from an object") };
        let fits = |value: &Value| check(self.root, &judged, value);
        if let Some(value) = keywords.get("const") {
            return fits(value).map(|()| value.clone());
        }
        if let Some(Value::Array(values)) = keywords.get("enum") {
            let skipped = vary as usize % values.len().max(1);
            let mut values = values.iter().cycle().skip(skipped).take(values.len());
            return values.find(|value| fits(value).is_ok()).cloned().ok_or_else(|| Refused::new("enum"));
        }
        let mut refused = Refused::new("type");
        for kind in kinds(keywords, depth) {
            // Members that need not be there can be in each other's way.
            let attempts = if kind == "object" && optional { &[true, false][..] } else { &[false] };
            for optional in attempts {
                let made = self.of_kind(kind, keywords, depth, vary, *optional);
                match made.and_then(|value| fits(&value).map(|()| value)) {
                    Ok(value) => return Ok(value),
                    Err(error) => refused = error,
                }
            }
        }
        Err(refused)
    }

    fn of_choice(
        &self,
        flat: &Flat,
        choice: &Choice,
        depth: usize,
        vary: u64,
        optional: bool,
    ) -> Result<Value, Refused> {
        let mut branches: Vec<_> = choice.branches.iter().collect();
        match depth < SHALLOW {
            true => branches.rotate_left(vary as usize % choice.branches.len().max(1)),
            false => branches.sort_by_key(|branch| weight(branch)),
        }
        let mut refused = Refused::new(if choice.is_one { "oneOf" } else { "anyOf" });
        let attempts = if optional { &[true, false][..] } else { &[false] };
        for (branch, optional) in branches.iter().flat_map(|branch| attempts.iter().map(move |o| (branch, *o))) {
            let mut joined = flat.clone();
            let made = joined.add(self.root, branch, 0).and_then(|()| self.of_flat(joined, depth + 1, vary, optional));
            match made {
                Ok(value) if choice.is_one && self.fitting(choice, &value) != 1 => {}
                Ok(value) => return Ok(value),
                Err(error) => refused = error,
            }
        }
        Err(refused)
    }

    fn fitting(&self, choice: &Choice, value: &Value) -> usize {
        choice.branches.iter().filter(|branch| check(self.root, branch, value).is_ok()).count()
    }

    fn of_kind(
        &self,
        kind: &str,
        keywords: &Map<String, Value>,
        depth: usize,
        vary: u64,
        optional: bool,
    ) -> Result<Value, Refused> {
        match kind {
            "null" => Ok(Value::Null),
            "boolean" => Ok(Value::Bool(vary.is_multiple_of(2))),
            "integer" => leaf::integer(keywords, vary),
            "number" => leaf::number(keywords, vary),
            "string" => leaf::string(keywords, vary),
            "array" => self.array(keywords, depth, vary),
            "object" => self.object(keywords, depth, vary, optional),
            _ => Err(Refused::new("type")),
        }
    }

    fn object(&self, keywords: &Map<String, Value>, depth: usize, vary: u64, optional: bool) -> Result<Value, Refused> {
        let known = keywords.get("properties").and_then(Value::as_object);
        let required = keywords.get("required").and_then(Value::as_array).into_iter().flatten();
        let required: BTreeSet<&str> = required.filter_map(Value::as_str).collect();
        let most = count(keywords.get("maxProperties")).unwrap_or(usize::MAX);
        let least = count(keywords.get("minProperties")).unwrap_or(0);
        let mut made = Map::new();
        for (name, schema) in known.into_iter().flatten() {
            let is_needed = required.contains(name.as_str());
            let room = most.saturating_sub(required.len());
            let others = made.keys().filter(|name| !required.contains(name.as_str())).count();
            let is_welcome = optional && others < room || made.len() < least;
            if !is_needed && !is_welcome {
                continue;
            }
            match self.make(schema, depth + 1, vary) {
                Ok(value) => drop(made.insert(name.clone(), value)),
                Err(error) if is_needed => return Err(error),
                Err(_) => {}
            }
        }
        let unnamed = required.iter().map(|name| (*name).to_owned()).chain((1..=least).map(|n| format!("extra{n}")));
        for name in unnamed {
            let is_needed = required.contains(name.as_str()) || made.len() < least;
            if is_needed && !made.contains_key(&name) && !known.is_some_and(|known| known.contains_key(&name)) {
                let schema = keywords.get("additionalProperties").unwrap_or(&Value::Bool(true));
                made.insert(name, self.make(schema, depth + 1, vary)?);
            }
        }
        Ok(Value::Object(made))
    }

    fn array(&self, keywords: &Map<String, Value>, depth: usize, vary: u64) -> Result<Value, Refused> {
        let (items, prefix) = match (keywords.get("items"), keywords.get("prefixItems")) {
            // The form of older drafts.
            (Some(Value::Array(prefix)), None) => (None, prefix.as_slice()),
            (items, prefix) => (items, prefix.and_then(Value::as_array).map_or(&[][..], Vec::as_slice)),
        };
        let (least, most) = (count(keywords.get("minItems")).unwrap_or(0), count(keywords.get("maxItems")));
        if least > LONGEST_ARRAY {
            return Err(Refused::new("minItems"));
        }
        let wanted = if depth < SHALLOW { prefix.len().max(1) } else { 0 };
        let length = wanted.max(least).min(most.unwrap_or(usize::MAX));
        let is_unique = keywords.get("uniqueItems") == Some(&Value::Bool(true));
        let mut made: Vec<Value> = Vec::new();
        for index in 0..length {
            let schema = prefix.get(index).or(items).unwrap_or(&Value::Bool(true));
            match self.item(schema, depth, vary.wrapping_add(index as u64), is_unique.then_some(&made)) {
                Ok(item) => made.push(item),
                Err(_) if index >= least => break,
                Err(error) => return Err(error),
            }
        }
        Ok(Value::Array(made))
    }

    /// An item, different from the `others` if there are any.
    fn item(&self, schema: &Value, depth: usize, vary: u64, others: Option<&Vec<Value>>) -> Result<Value, Refused> {
        let Some(others) = others else { return self.make(schema, depth + 1, vary) };
        for more in 0..others.len() as u64 + 8 {
            let item = self.make(schema, depth + 1, vary.wrapping_add(more))?;
            if !others.iter().any(|other| is_same(other, &item)) {
                return Ok(item);
            }
        }
        Err(Refused::new("uniqueItems"))
    }
}

/// The types to try, in order.
fn kinds(keywords: &Map<String, Value>, depth: usize) -> Vec<&str> {
    let implied = [
        ("object", &["properties", "required", "additionalProperties", "minProperties"][..]),
        ("array", &["items", "prefixItems", "minItems", "uniqueItems"]),
        ("number", &["minimum", "maximum", "multipleOf", "exclusiveMinimum", "exclusiveMaximum"]),
    ];
    let mut kinds = match keywords.get("type") {
        Some(named) => types(named),
        None => {
            let implied = implied.iter().find(|(_, names)| names.iter().any(|name| keywords.contains_key(*name)));
            vec![implied.map_or("string", |(kind, _)| kind)]
        }
    };
    let heavy = |kind: &str| usize::from(depth >= SHALLOW && matches!(kind, "object" | "array"));
    kinds.sort_by_key(|kind| (heavy(kind), usize::from(*kind == "null")));
    kinds
}

/// How likely a branch leads deeper.
fn weight(schema: &Value) -> usize {
    match schema.get("type").and_then(Value::as_str) {
        Some("null" | "boolean" | "integer" | "number" | "string") => 0,
        Some("array") => 1,
        _ if schema.get("$ref").is_some() => 3,
        _ => 2,
    }
}
