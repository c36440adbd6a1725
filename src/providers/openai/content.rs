//! What is the text of a message? A string, or the list of parts that some servers send; anything else says nothing.

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The text of a message. It is read straight from the JSON: `#[serde(untagged)]` would keep all of it a second time, to
/// try one form after the other.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Content(pub(super) String);

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Part {
    text: Option<String>,
}

struct Reader;

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(Reader).map(Self)
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = String;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a text or a list of parts")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<String, E> {
        Ok(text)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<String, A::Error> {
        let mut text = String::new();
        while let Some(part) = parts.next_element::<Part>()? {
            text.push_str(&part.text.unwrap_or_default());
        }
        Ok(text)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<String, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(String::new())
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<String, E> {
        Ok(String::new())
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<String, E> {
        Ok(String::new())
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<String, E> {
        Ok(String::new())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<String, E> {
        Ok(String::new())
    }

    fn visit_unit<E: Error>(self) -> Result<String, E> {
        Ok(String::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_in_both_forms_and_nothing_from_others() {
        let table = [
            (r#""a\n\u00e4""#, "a\n\u{e4}"),
            (r#""plain""#, "plain"),
            (r#"[{"type":"text","text":"Hel"},{"text":null},{},{"text":"lo","more":[1]}]"#, "Hello"),
            (r#"{"text":"no","more":{"a":[1]}}"#, ""),
            ("null", ""),
            ("true", ""),
            ("-1", ""),
            ("1", ""),
            ("1.5", ""),
            ("[]", ""),
        ];
        for (json, text) in table {
            assert_eq!(serde_json::from_str::<Content>(json).unwrap().0, text, "{json}");
        }
        assert!(serde_json::from_str::<Content>("[{\"text\":").is_err());
    }
}
