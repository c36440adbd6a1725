//! What is the text of a message? A string, or the list of parts that some servers send; anything else is none.

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The text of a message. It is read straight from the JSON: `#[serde(untagged)]` would keep all of it a second time, to
/// try one form after the other.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    Text(String),
    /// Something that is no text.
    Other,
}

impl Default for Content {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Part {
    text: Option<String>,
}

struct Reader;

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(Reader)
    }
}

impl<'de> Visitor<'de> for Reader {
    type Value = Content;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a text or a list of parts")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Content, E> {
        Ok(Content::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Content, E> {
        Ok(Content::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Content, A::Error> {
        let mut text = String::new();
        while let Some(part) = parts.next_element::<Part>()? {
            text.push_str(&part.text.unwrap_or_default());
        }
        Ok(Content::Text(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Content, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Content::Other)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Content, E> {
        Ok(Content::Other)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Content, E> {
        Ok(Content::Other)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Content, E> {
        Ok(Content::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Content, E> {
        Ok(Content::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Content, E> {
        Ok(Content::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_in_both_forms_and_nothing_else_is_one() {
        let table = [
            (r#""a\n\u00e4""#, "a\n\u{e4}"),
            (r#""plain""#, "plain"),
            (r#"[{"type":"text","text":"Hel"},{"text":null},{},{"text":"lo","more":[1]}]"#, "Hello"),
            ("null", ""),
            ("[]", ""),
        ];
        for (json, text) in table {
            assert_eq!(serde_json::from_str::<Content>(json).unwrap(), Content::Text(text.to_owned()), "{json}");
        }
        for json in [r#"{"text":"no","more":{"a":[1]}}"#, "true", "-1", "1", "1.5"] {
            assert_eq!(serde_json::from_str::<Content>(json).unwrap(), Content::Other, "{json}");
        }
        assert!(serde_json::from_str::<Content>("[{\"text\":").is_err());
    }
}
