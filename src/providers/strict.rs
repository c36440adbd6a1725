//! Which schemas does a vendor hold a reply to? Those of its strict mode, which is a part of JSON schema: every object is closed, and some
//! rules cannot be said. Those are told in words, and what comes back is checked all the same. Pure.
//!
//! After OpenAI's [guide](https://platform.openai.com/docs/guides/structured-outputs#supported-schemas) and
//! [Anthropic's](https://platform.claude.com/docs/en/build-with-claude/structured-outputs), with what Anthropic's own library makes of a
//! schema (`transform_schema` in <https://github.com/anthropics/anthropic-sdk-python>, commit 00f1c33). Other schemas they refuse with 400.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value, json};

/// Whose strict mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Every object names all of its properties.
    OpenAi,
    /// Properties may be left out; no numbers have ranges, and nothing refers to itself, though it may refer to definitions.
    Anthropic,
}

/// What no strict mode knows, and no words replace.
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

/// What they refuse and is said in words.
const IN_WORDS: [&str; 8] = [
    "uniqueItems",
    "minLength",
    "maxLength",
    "minProperties",
    "maxProperties",
    "unevaluatedItems",
    "minContains",
    "maxContains",
];

/// What Anthropic refuses beside it.
const IN_WORDS_FOR_ANTHROPIC: [&str; 6] =
    ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "maxItems"];

/// The formats of strings that both know. Others are left out: they are not checked either.
const FORMATS: [&str; 9] = ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"];

/// Anthropic takes no more properties that may be left out, and no more with several types, in one request.
const MOST_OPTIONAL: usize = 24;
const MOST_UNIONS: usize = 16;

impl Dialect {
    fn knows_format(self, format: &str) -> bool {
        FORMATS.contains(&format) || (self == Self::Anthropic && format == "uri")
    }

    /// Whether it refuses this rule, which is then said in words.
    fn refuses(self, word: &str, value: &Value) -> bool {
        let of_anthropic = || match word {
            "minItems" => value.as_u64().is_none_or(|items| items > 1),
            "pattern" => value.as_str().is_none_or(|pattern| !is_plain(pattern)),
            _ => IN_WORDS_FOR_ANTHROPIC.contains(&word),
        };
        IN_WORDS.contains(&word) || (self == Self::Anthropic && of_anthropic())
    }

    /// Whether it can be sent so, as a whole.
    fn takes(self, schema: &Value) -> bool {
        if self == Self::OpenAi {
            return true;
        }
        let counted = Loose { root: schema, of: HashMap::new() }.count(schema);
        counted.is_some_and(|(optional, unions)| optional <= MOST_OPTIONAL && unions <= MOST_UNIONS)
    }
}

/// Whether a regular expression has no groups with a question mark, no bounds of words and no references to what it matched.
fn is_plain(pattern: &str) -> bool {
    !pattern.contains("(?")
        && !pattern.contains("\\b")
        && !pattern.contains("\\B")
        && !(1..=9).any(|group| pattern.contains(&format!("\\{group}")))
}

/// Properties that may be left out, and what may be of several types, wherever they are used.
struct Loose<'a> {
    root: &'a Value,
    /// Of definitions; while one is looked at, none.
    of: HashMap<&'a str, Option<(usize, usize)>>,
}

impl<'a> Loose<'a> {
    /// `None` for what refers to itself.
    fn count(&mut self, schema: &'a Value) -> Option<(usize, usize)> {
        let (parts, own): (Vec<&Value>, _) = match schema {
            Value::Array(parts) => (parts.iter().collect(), (0, 0)),
            Value::Object(fields) => {
                if let Some(Value::String(reference)) = fields.get("$ref") {
                    return self.definition(reference);
                }
                let count = |word: &str| {
                    fields
                        .get(word)
                        .map_or(0, |of| of.as_object().map_or(0, Map::len) + of.as_array().map_or(0, Vec::len))
                };
                let optional = count("properties").saturating_sub(count("required"));
                let is_union = fields.contains_key("anyOf") || fields.get("type").is_some_and(Value::is_array);
                let parts = fields.iter().filter(|(word, _)| *word != "$defs").map(|(_, part)| part);
                (parts.collect(), (optional, usize::from(is_union)))
            }
            _ => return Some((0, 0)),
        };
        parts.into_iter().try_fold(own, |(optional, unions), part| {
            let (more, others) = self.count(part)?;
            Some((optional.saturating_add(more), unions.saturating_add(others)))
        })
    }

    fn definition(&mut self, reference: &'a str) -> Option<(usize, usize)> {
        if let Some(known) = self.of.get(reference) {
            return *known;
        }
        let root = self.root;
        let name = reference.strip_prefix("#/$defs/")?;
        self.of.insert(reference, None);
        let counted = self.count(root.get("$defs")?.get(name)?)?;
        self.of.insert(reference, Some(counted));
        Some(counted)
    }
}

/// A schema as it is sent to OpenAI, and whether it is strict.
pub(super) fn as_sent(schema: &Value) -> (Cow<'_, Value>, bool) {
    strict(schema, Dialect::OpenAi).map_or((Cow::Borrowed(schema), false), |strict| (Cow::Owned(strict), true))
}

/// The same schema in the words of strict mode: no object has more properties than it names, and for OpenAI none is left out. What may be
/// left out in Rust may be `null`, or has a value that the model gives. `None` for what cannot be said so: no object, a map, anything at all.
pub(super) fn strict(schema: &Value, dialect: Dialect) -> Option<Value> {
    let mut schema = schema.clone();
    let is_object = schema.get("type") == Some(&json!("object"));
    (is_object && close(&mut schema, dialect) && dialect.takes(&schema)).then_some(schema)
}

fn close(schema: &mut Value, dialect: Dialect) -> bool {
    let Value::Object(fields) = schema else { return false };
    // Of an enum: exactly one fits, and each says which it is.
    if let Some(one_of) = fields.remove("oneOf")
        && fields.insert("anyOf".to_owned(), one_of).is_some()
    {
        return false;
    }
    fields.remove("default");
    say_in_words(fields, dialect);
    // Beside a reference nothing may stand, such as a description.
    if fields.len() > 1
        && let Some(reference) = fields.remove("$ref")
        && fields.insert("anyOf".to_owned(), json!([{ "$ref": reference }])).is_some()
    {
        return false;
    }
    let is_known = fields.get("format").and_then(Value::as_str).is_none_or(|format| dialect.knows_format(format));
    if !is_known {
        fields.remove("format");
    }
    let says_something = ["type", "anyOf", "enum", "const", "$ref"].iter().any(|word| fields.contains_key(*word));
    let is_unknown = UNKNOWN.iter().any(|word| fields.contains_key(*word));
    says_something && !is_unknown && close_object(fields, dialect) && close_parts(fields, dialect)
}

/// Rules that it refuses go where the model reads them: behind the description.
fn say_in_words(fields: &mut Map<String, Value>, dialect: Dialect) {
    let refused = fields.iter().filter(|(word, value)| dialect.refuses(word, value)).map(|(word, _)| word.clone());
    let mut refused: Vec<_> = refused.collect();
    refused.sort_unstable();
    let said = refused.iter().filter_map(|word| fields.remove(word).map(|value| format!("{word}: {value}")));
    let said = said.collect::<Vec<_>>().join(", ");
    if said.is_empty() {
        return;
    }
    let description = fields.get("description").and_then(Value::as_str);
    let description = description.map_or(format!("{{{said}}}"), |before| format!("{before} {{{said}}}"));
    fields.insert("description".to_owned(), description.into());
}

fn close_object(fields: &mut Map<String, Value>, dialect: Dialect) -> bool {
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
    if dialect == Dialect::OpenAi {
        let names: Vec<_> = names.keys().cloned().collect();
        fields.insert("required".to_owned(), names.into());
    }
    fields.insert("additionalProperties".to_owned(), false.into());
    true
}

/// Its properties, entries, variants and definitions.
fn close_parts(fields: &mut Map<String, Value>, dialect: Dialect) -> bool {
    for of in ["properties", "$defs"] {
        if let Some(Value::Object(parts)) = fields.get_mut(of)
            && !parts.values_mut().all(|part| close(part, dialect))
        {
            return false;
        }
    }
    let variants = fields.get_mut("anyOf").and_then(Value::as_array_mut);
    variants.is_none_or(|variants| variants.iter_mut().all(|variant| close(variant, dialect)))
        && fields.get_mut("items").is_none_or(|entry| close(entry, dialect))
}

#[cfg(test)]
mod tests {
    use super::Dialect::{Anthropic, OpenAi};
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

    /// Whether a schema has this word, and not only tells it.
    fn has_word(schema: &Value, word: &str) -> bool {
        match schema {
            Value::Object(fields) => fields.contains_key(word) || fields.values().any(|part| has_word(part, word)),
            Value::Array(parts) => parts.iter().any(|part| has_word(part, word)),
            _ => false,
        }
    }

    #[test]
    fn schemas_of_types_are_said_as_strict_mode_takes_them() {
        let schema = schema::of::<Trip>();
        assert!(!is_strict(&schema), "otherwise there is nothing to do: {schema}");
        let strict = strict(&schema, OpenAi).unwrap();
        assert!(is_strict(&strict), "{strict}");
        assert_eq!(strict["properties"]["nights"]["type"], json!(["integer", "null"]));
        assert_eq!(strict["properties"]["stops"]["items"]["required"], json!(["minutes"]));
        assert!(!strict.to_string().contains("uint32") && !strict.to_string().contains("default"), "{strict}");
    }

    #[test]
    fn what_strict_mode_refuses_is_left_out_and_nothing_stands_beside_a_reference() {
        let schema = schema::of::<Negated>();
        assert!(schema.to_string().contains("uniqueItems"), "otherwise there is nothing to do: {schema}");
        let written = strict(&schema, OpenAi).unwrap();
        for word in ["uniqueItems", "minLength", "maxLength"] {
            assert!(!has_word(&written, word), "{written}");
        }
        assert_eq!(written["properties"]["names"]["description"], "{uniqueItems: true}", "{written}");
        let beside = json!({"type": "object", "properties": {"a": {"$ref": "#", "description": "d"}}});
        let a = json!({"anyOf": [{"$ref": "#"}], "description": "d"});
        assert_eq!(strict(&beside, OpenAi).unwrap()["properties"]["a"], a);
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
            assert_eq!(strict(&schema, OpenAi), None, "{schema}");
            assert_eq!(strict(&schema, Anthropic), None, "{schema}");
        }
    }

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Booking {
        /// Counted from the front.
        #[schemars(range(min = 1, max = 40))]
        row: u32,
        #[schemars(regex(pattern = "^[A-F]$"))]
        letter: String,
        #[schemars(length(min = 2, max = 3))]
        names: Vec<String>,
        nights: Option<i64>,
        by: By,
    }

    #[test]
    fn anthropic_gets_closed_objects_and_its_ranges_in_words() {
        let schema = strict(&schema::of::<Booking>(), Anthropic).unwrap();
        assert_eq!(schema["required"], json!(["row", "letter", "names", "by"]), "nights may be left out");
        let of = |name: &str| schema["properties"][name].clone();
        let row = json!({"type": "integer", "description": "Counted from the front. {maximum: 40, minimum: 1}"});
        assert_eq!(of("row"), row);
        assert_eq!(of("letter"), json!({"type": "string", "pattern": "^[A-F]$"}));
        let names = json!({"type": "array", "items": {"type": "string"}, "description": "{maxItems: 3, minItems: 2}"});
        assert_eq!(of("names"), names);
        assert_eq!(of("nights"), json!({"type": ["integer", "null"]}));
        let by = of("by");
        assert_eq!((&by["anyOf"][0]["additionalProperties"], by.get("oneOf")), (&json!(false), None), "{by}");
    }

    #[test]
    fn what_anthropic_refuses_is_not_sent_to_it() {
        assert_eq!(strict(&schema::of::<Negated>(), Anthropic), None, "it refers to itself");
        let around = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {
            "A": {"type": "object", "properties": {"b": {"$ref": "#/$defs/B"}}},
            "B": {"type": "object", "properties": {"a": {"type": "array", "items": {"$ref": "#/$defs/A"}}}},
        }});
        assert_eq!((strict(&around, Anthropic), strict(&around, OpenAi).is_some()), (None, true));
        let of = |property: Value, times: usize| {
            let properties: Map<_, _> = (0..times).map(|number| (format!("p{number}"), property.clone())).collect();
            json!({"type": "object", "properties": properties, "required": []})
        };
        let (text, either) = (json!({"type": "string"}), json!({"type": ["string", "null"]}));
        for (property, most) in [(&text, MOST_OPTIONAL), (&either, MOST_UNIONS)] {
            let sent = |times| strict(&of(property.clone(), times), Anthropic).is_some();
            assert!(sent(most) && !sent(most + 1), "{property}");
        }
        for pattern in [r"\bso", "(?i)so", r"(a)\1"] {
            let schema = strict(&of(json!({"type": "string", "pattern": pattern}), 1), Anthropic).unwrap();
            assert!(!has_word(&schema, "pattern") && schema.to_string().contains("{pattern: "), "{schema}");
        }
    }

    #[test]
    fn what_is_used_more_than_once_is_referred_to_and_counted_at_each_use() {
        let of = |uses: usize, optional: usize| {
            let uses: Map<_, _> = (0..uses)
                .map(|number| (format!("u{number}"), json!({"$ref": "#/$defs/A", "description": "d"})))
                .collect();
            let names: Vec<_> = uses.keys().cloned().collect();
            let parts: Map<_, _> =
                (0..optional).map(|number| (format!("p{number}"), json!({"type": "string"}))).collect();
            let definition = json!({"type": "object", "properties": parts});
            json!({"type": "object", "properties": uses, "required": names, "$defs": {"A": definition}})
        };
        for dialect in [OpenAi, Anthropic] {
            let schema = strict(&of(2, 12), dialect).unwrap();
            assert_eq!(schema["$defs"]["A"]["additionalProperties"], json!(false), "{schema}");
            assert_eq!(schema["properties"]["u0"]["anyOf"], json!([{"$ref": "#/$defs/A"}]), "{schema}");
            assert_eq!(strict(&of(3, 12), dialect).is_some(), dialect == OpenAi, "36 may be left out");
        }
    }
}
