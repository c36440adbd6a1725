//! How is the schema of a type written? In one piece, which models follow best, as long as that is not much longer. Otherwise as others
//! write it: what is used more than once stands in `$defs`, where each type is written once, however deep they are nested.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// A schema of so many bytes is written in one piece, and a longer one when each type written once is not half as long. In one piece structs of
/// four fields each of the next type have 857 bytes at one level, 14,297 at three, 229,337 at five and 3,669,977 at seven; so they have 857,
/// 1,291, 1,730 and 2,159.
const WHOLE: usize = 4 << 10;

/// A definition of so many bytes is written where it is used, however often.
const SMALL: usize = 200;

/// The schema of `T`, without a title and without the address of its dialect. A schema whose types are nested so that it would grow with each
/// level, or refer to themselves, has those that it uses more than once in `$defs`. Rules at a field (`#[schemars(range(...))]`) are left out
/// by `schemars` there when its type is such a one, even around a number: they belong to the field of that type.
pub fn of<T: JsonSchema>() -> Value {
    let apart = generated::<T>(false);
    let Some(definitions) = apart.get("$defs").and_then(Value::as_object) else { return apart };
    let most = WHOLE.max(2 * size(&apart));
    let mut sizes = Sizes { definitions, of: BTreeMap::new() };
    match sizes.without_definitions(&apart) {
        Some(whole) if whole <= most => generated::<T>(true),
        _ => Joined::of(apart),
    }
}

fn generated<T: JsonSchema>(in_one_piece: bool) -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = in_one_piece;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    if let Value::Object(fields) = &mut schema {
        fields.remove("title");
    }
    schema
}

fn size(schema: &Value) -> usize {
    schema.to_string().len()
}

/// The definition that a reference leads to.
fn name_in(reference: &Value) -> Option<String> {
    let written = reference.as_str()?.strip_prefix("#/$defs/")?;
    let (mut name, mut rest) = (Vec::new(), written.as_bytes());
    // As an address has it: `Gr%C3%B6%C3%9Fe`.
    while let [first, left @ ..] = rest {
        let hex = |digits: &[u8]| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok();
        let byte = left.get(..2).filter(|_| *first == b'%').and_then(hex);
        rest = if byte.is_some() { &left[2..] } else { left };
        name.push(byte.unwrap_or(*first));
    }
    Some(String::from_utf8(name).ok()?.replace("~1", "/").replace("~0", "~"))
}

/// How long are definitions, each written where it is used?
struct Sizes<'a> {
    definitions: &'a Map<String, Value>,
    /// While one is looked at, none.
    of: BTreeMap<&'a str, Option<usize>>,
}

impl<'a> Sizes<'a> {
    /// `None` for what refers to itself, and has no such length.
    fn without_definitions(&mut self, schema: &'a Value) -> Option<usize> {
        match schema {
            Value::Object(fields) => {
                fields.iter().filter(|(word, _)| *word != "$defs").try_fold(2, |sum: usize, (word, part)| {
                    let of = match name_in(part).filter(|_| word == "$ref") {
                        Some(name) => self.definition(&name)?,
                        None => self.without_definitions(part)?,
                    };
                    Some(sum.saturating_add(word.len() + 4).saturating_add(of))
                })
            }
            Value::Array(parts) => parts.iter().try_fold(2, |sum: usize, part| {
                Some(sum.saturating_add(1).saturating_add(self.without_definitions(part)?))
            }),
            other => Some(size(other)),
        }
    }

    fn definition(&mut self, name: &str) -> Option<usize> {
        if let Some(known) = self.of.get(name) {
            return *known;
        }
        let (name, definition) = self.definitions.get_key_value(name)?;
        self.of.insert(name, None);
        let size = self.without_definitions(definition)?;
        self.of.insert(name, Some(size));
        Some(size)
    }
}

/// A schema in which definitions that are used once, or are small, are written where they are used.
struct Joined {
    definitions: Map<String, Value>,
    uses: BTreeMap<String, usize>,
    /// Those that have been looked at, and whether they are written where they are used.
    is_joined: BTreeMap<String, bool>,
    /// Those that something still refers to.
    kept: BTreeSet<String>,
}

impl Joined {
    fn of(mut schema: Value) -> Value {
        let mut uses = BTreeMap::new();
        count(&schema, &mut uses);
        let Some(Value::Object(definitions)) = schema.as_object_mut().and_then(|fields| fields.remove("$defs")) else {
            return schema;
        };
        let mut joined = Self { definitions, uses, is_joined: BTreeMap::new(), kept: BTreeSet::new() };
        joined.join(&mut schema);
        let Self { mut definitions, kept, .. } = joined;
        definitions.retain(|name, _| kept.contains(name));
        if !definitions.is_empty() {
            schema["$defs"] = definitions.into();
        }
        schema
    }

    fn join(&mut self, schema: &mut Value) {
        match schema {
            Value::Object(fields) => {
                fields.values_mut().for_each(|part| self.join(part));
                let Some(name) = fields.get("$ref").and_then(name_in) else { return };
                if self.is_joined(&name)
                    && let Some(Value::Object(definition)) = self.definitions.get(&name)
                {
                    fields.remove("$ref");
                    *fields = beside(definition.clone(), std::mem::take(fields));
                } else {
                    self.kept.insert(name);
                }
            }
            Value::Array(parts) => parts.iter_mut().for_each(|part| self.join(part)),
            _ => {}
        }
    }

    /// What is inside a definition is joined first; one that is met inside of itself is not.
    fn is_joined(&mut self, name: &str) -> bool {
        if let Some(known) = self.is_joined.get(name) {
            return *known;
        }
        self.is_joined.insert(name.to_owned(), false);
        let Some(mut definition) = self.definitions.get(name).cloned() else { return false };
        self.join(&mut definition);
        let is_joined = !self.kept.contains(name) && (self.uses.get(name) == Some(&1) || size(&definition) <= SMALL);
        self.definitions.insert(name.to_owned(), definition);
        self.is_joined.insert(name.to_owned(), is_joined);
        is_joined
    }
}

/// How often each definition is referred to.
fn count(schema: &Value, uses: &mut BTreeMap<String, usize>) {
    match schema {
        Value::Object(fields) => {
            if let Some(name) = fields.get("$ref").and_then(name_in) {
                *uses.entry(name).or_default() += 1;
            }
            fields.values().for_each(|part| count(part, uses));
        }
        Value::Array(parts) => parts.iter().for_each(|part| count(part, uses)),
        _ => {}
    }
}

/// A definition with what stood beside the reference: another description, or the tag of a variant.
fn beside(mut definition: Map<String, Value>, beside: Map<String, Value>) -> Map<String, Value> {
    for (word, value) in beside {
        match (definition.get_mut(&word), value) {
            (Some(Value::Object(known)), Value::Object(more)) if word == "properties" => known.extend(more),
            (Some(Value::Array(known)), Value::Array(more)) if word == "required" => known.extend(more),
            (_, value) => drop(definition.insert(word, value)),
        }
    }
    definition
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::Rules;

    /// Structs of four fields, each of the next type.
    macro_rules! nested {
        ($($name:ident of $part:ident)*) => {
            $(
                #[derive(JsonSchema)]
                #[expect(dead_code, reason = "only its schema is of interest")]
                struct $name {
                    first: $part,
                    second: $part,
                    third: $part,
                    fourth: $part,
                }
            )*
        };
    }

    nested! { Leaf of String  One of Leaf  Two of One  Three of Two  Four of Three  Five of Four  Six of Five  Seven of Six }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is of interest")]
    struct Once {
        deep: Three,
        pair: Pair,
        again: Pair,
        /// Told of this field.
        city: City,
        same: Option<Tree>,
        way: Way,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is of interest")]
    struct Pair {
        one: u8,
    }

    /// Told of the type.
    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is of interest")]
    struct City {
        name: String,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is of interest")]
    struct Tree {
        inside: Vec<Tree>,
    }

    #[derive(JsonSchema)]
    #[serde(tag = "kind")]
    #[expect(dead_code, reason = "only its schema is of interest")]
    enum Way {
        Train(Ticket),
        Foot,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is of interest")]
    struct Ticket {
        class: u8,
    }

    #[derive(JsonSchema)]
    #[schemars(rename = "Größe / a~b")]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Line {
        next: Option<Box<Line>>,
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Named {
        line: Line,
    }

    #[test]
    fn a_schema_grows_with_its_types_and_not_with_how_deep_they_are_nested() {
        let sizes = [of::<One>(), of::<Three>(), of::<Five>(), of::<Seven>()].map(|schema| size(&schema));
        assert_eq!(sizes, [857, 1_291, 1_730, 2_159]);
        let schema = of::<Seven>();
        let rules = Rules::of(&schema).unwrap();
        let leaf = json!({"first": "a", "second": "b", "third": "c", "fourth": "d"});
        let value = (0..7).fold(leaf, |part, _| json!({"first": part, "second": part, "third": part, "fourth": part}));
        assert_eq!(rules.check(&value), Ok(()));
        let mut wrong = value.clone();
        *wrong.pointer_mut("/first/second/third/fourth/first/second/third/fourth").unwrap() = json!(7);
        assert!(rules.check(&wrong).unwrap_err().contains("7 is not of type \"string\" (at /first/second"), "{schema}");
    }

    #[test]
    fn what_is_short_is_in_one_piece() {
        let schema = of::<One>();
        assert_eq!((schema.get("$defs"), &schema["properties"]["fourth"]), (None, &of::<Leaf>()));
    }

    #[test]
    fn a_type_of_any_name_is_found_by_its_references() {
        let schema = of::<Named>();
        assert_eq!(Rules::of(&schema).map(drop), Ok(()), "{schema}");
        let next = &schema["$defs"]["Größe / a~b"]["properties"]["next"]["anyOf"][0]["$ref"];
        assert_eq!(name_in(next).as_deref(), Some("Größe / a~b"));
    }

    #[test]
    fn what_is_used_once_or_is_small_is_written_where_it_is_used() {
        let schema = of::<Once>();
        let names: Vec<_> = schema["$defs"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["One", "Tree", "Two"], "{schema}");
        let of = |name: &str| &schema["properties"][name];
        assert_eq!(of("deep")["properties"]["first"], json!({"$ref": "#/$defs/Two"}));
        assert_eq!((of("pair"), of("again")), (&super::of::<Pair>(), &super::of::<Pair>()));
        assert_eq!(of("city")["description"], "Told of this field.");
        assert_eq!(of("city")["properties"]["name"], json!({"type": "string"}));
        assert_eq!(of("same")["anyOf"][0], json!({"$ref": "#/$defs/Tree"}));
        let train = &of("way")["oneOf"][0];
        assert_eq!(train["properties"]["kind"], json!({"type": "string", "const": "Train"}), "{train}");
        assert_eq!((&train["properties"]["class"]["type"], train.get("$ref")), (&json!("integer"), None), "{train}");
        assert_eq!(train["required"].as_array().unwrap().len(), 2, "{train}");
        Rules::of(&schema).unwrap();
    }
}
