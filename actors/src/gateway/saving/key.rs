//! Which calls are the same? Those of one model that ask the same, to the last byte.
//!
//! The whole request is written as JSON in one canonical way: the keys of every object sorted by their bytes, no white space;
//! after RFC 8785 (Rundgren, Jordan and Erdtman, "JSON Canonicalization Scheme", 2020), but for the numbers, which are as
//! `serde_json` writes them. A field that is added to [`ChatRequest`] is part of the key without anybody's doing. The bytes
//! are kept and compared: two keys whose hashes collide are still two keys.

use std::sync::Arc;

use serde_json::Value;

use crate::chat::ChatRequest;

/// How keys are written. A change of it makes all that is kept under the old ones unknown, also on disk.
const VERSION: &[u8] = b"callboard call 1\n";

/// What a call asks, of which model. Clones share the bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::gateway) struct Key {
    /// Of the bytes, and looked at first: requests of one program begin with the same kilobytes.
    hash: u64,
    bytes: Arc<[u8]>,
}

/// Without the text, which belongs in no log.
impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({:016x}, {} bytes)", self.hash, self.bytes.len())
    }
}

impl Key {
    /// The key of a call; `None` for a request that cannot be written as JSON.
    ///
    /// `model` has to say who answers: two providers behind one name would answer for each other.
    pub(in crate::gateway) fn of(model: &str, request: &ChatRequest) -> Option<Self> {
        let mut bytes = VERSION.to_vec();
        serde_json::to_writer(&mut bytes, model).ok()?;
        bytes.push(b'\n');
        append(request, &mut bytes)?;
        Some(Self::from_bytes(bytes))
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { hash: hash(&bytes), bytes: bytes.into() }
    }

    /// All that is asked.
    pub(in crate::gateway) fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }

    #[cfg(test)]
    pub(super) fn numbered(number: u8) -> Self {
        // All keys of tests collide, so that it is the bytes that tell them apart.
        Self { hash: 0, bytes: vec![number; 10].into() }
    }
}

/// A request in the canonical form of which keys are made: two requests that ask the same have the same bytes, and no others. `None`
/// for one that cannot be written as JSON.
pub fn canonical(request: &ChatRequest) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    append(request, &mut bytes)?;
    Some(bytes)
}

fn append(request: &ChatRequest, out: &mut Vec<u8>) -> Option<()> {
    write(&serde_json::to_value(request).ok()?, out).ok()
}

/// Sorts the keys itself: whether `serde_json` keeps them in order depends on what other crates of a program ask of it.
fn write(value: &Value, out: &mut Vec<u8>) -> serde_json::Result<()> {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            out.push(b'{');
            for (number, (key, value)) in entries.into_iter().enumerate() {
                if number > 0 {
                    out.push(b',');
                }
                serde_json::to_writer(&mut *out, key)?;
                out.push(b':');
                write(value, out)?;
            }
            out.push(b'}');
            Ok(())
        }
        Value::Array(values) => {
            out.push(b'[');
            for (number, value) in values.iter().enumerate() {
                if number > 0 {
                    out.push(b',');
                }
                write(value, out)?;
            }
            out.push(b']');
            Ok(())
        }
        plain => serde_json::to_writer(out, plain),
    }
}

/// The same in every run and on every machine; eight bytes at a time. Mixed as in SplitMix64 (Steele, Lea and Flood, 2014).
pub(in crate::gateway) fn hash(bytes: &[u8]) -> u64 {
    bytes.chunks(8).fold(bytes.len() as u64, |hash, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let mixed = (hash ^ u64::from_le_bytes(word)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed ^ (mixed >> 29)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::chat::{ReplyForm, Role, ToolCall, ToolChoice, ToolSpec, Turn};

    /// One request with something in every field.
    fn full() -> ChatRequest {
        let call = ToolCall { id: "1".to_owned(), name: "add".to_owned(), arguments: "{}".to_owned() };
        let asked = Turn { tool_calls: vec![call], ..Turn::assistant("") };
        ChatRequest {
            turns: vec![Turn::system("Be brief."), Turn::user("1 + 2?"), asked, Turn::tool("1", "3")],
            max_output_tokens: 16,
            tools: vec![Arc::new(ToolSpec {
                name: "add".to_owned(),
                description: "Adds".to_owned(),
                parameters: json!({"type": "object", "required": ["a", "b"]}).into(),
            })],
            tool_choice: ToolChoice::Named("add".to_owned()),
            form: ReplyForm::Json { name: "sum".to_owned(), schema: json!({"type": "object"}).into() },
            temperature: Some(0.5),
        }
    }

    fn key(change: impl FnOnce(&mut ChatRequest)) -> Key {
        let mut request = full();
        change(&mut request);
        Key::of("openai/small", &request).unwrap()
    }

    /// A change for every field there is. The patterns name them all: a new field does not compile until it stands here.
    #[test]
    fn every_field_of_a_request_is_in_its_key() {
        let ChatRequest { turns, max_output_tokens: _, tools, tool_choice: _, form: _, temperature: _ } = full();
        let Turn { role: _, text: _, tool_calls, answers: _ } = &turns[2];
        let ToolCall { id: _, name: _, arguments: _ } = &tool_calls[0];
        let ToolSpec { name: _, description: _, parameters: _ } = &*tools[0];
        let form = |name: &str, schema: Value| ReplyForm::Json { name: name.to_owned(), schema: schema.into() };
        let mut keys = vec![
            key(|_| ()),
            Key::of("openai/large", &full()).unwrap(),
            key(|request| request.turns[1].role = Role::System),
            key(|request| request.turns[1].text.push(' ')),
            key(|request| request.turns.swap(0, 1)),
            key(|request| drop(request.turns.pop())),
            key(|request| request.turns[2].tool_calls[0].id.push('1')),
            key(|request| request.turns[2].tool_calls[0].name.push('1')),
            key(|request| request.turns[2].tool_calls[0].arguments.push(' ')),
            key(|request| request.turns[3].answers = None),
            key(|request| request.turns[3].answers = Some("2".to_owned())),
            key(|request| request.max_output_tokens = 17),
            key(|request| request.tools.clear()),
            key(|request| Arc::make_mut(&mut request.tools[0]).name.push('1')),
            key(|request| Arc::make_mut(&mut request.tools[0]).description.push('.')),
            key(|request| {
                Arc::make_mut(&mut request.tools[0]).parameters =
                    json!({"type": "object", "required": ["b", "a"]}).into()
            }),
            key(|request| request.tool_choice = ToolChoice::Auto),
            key(|request| request.tool_choice = ToolChoice::Never),
            key(|request| request.tool_choice = ToolChoice::Always),
            key(|request| request.tool_choice = ToolChoice::Named("sub".to_owned())),
            key(|request| request.form = ReplyForm::Text),
            key(|request| request.form = form("total", json!({"type": "object"}))),
            key(|request| request.form = form("sum", json!({"type": "string"}))),
            key(|request| request.temperature = None),
            key(|request| request.temperature = Some(0.0)),
            key(|request| request.temperature = Some(0.5 + f32::EPSILON)),
        ];
        let all = keys.len();
        keys.sort();
        keys.dedup();
        assert_eq!(keys.len(), all);
        assert_eq!(key(|_| ()), key(|_| ()));
    }

    #[test]
    fn the_order_of_keys_in_a_schema_does_not_matter_and_that_of_values_does() {
        let text = |schema: &str| {
            let mut bytes = Vec::new();
            write(&serde_json::from_str(schema).unwrap(), &mut bytes).unwrap();
            String::from_utf8(bytes).unwrap()
        };
        let canonical = r#"{"a":[3,1,2],"b":{"":null,"c":"\"","z":1.5}}"#;
        assert_eq!(text(r#"{"b": {"z": 1.5, "c": "\u0022", "": null}, "a": [3, 1, 2]}"#), canonical);
        assert_eq!(text(r#"{"a": [3, 1, 2], "b": {"": null, "c": "\"", "z": 1.5}}"#), canonical);
        assert_ne!(text(r#"{"a": [1, 2, 3], "b": {"": null, "c": "\"", "z": 1.5}}"#), canonical);
    }

    #[test]
    fn the_canonical_form_is_the_key_without_the_model() {
        let bytes = canonical(&full()).unwrap();
        assert!(key(|_| ()).bytes().ends_with(&bytes) && bytes.starts_with(b"{\"form\":"));
    }

    #[test]
    fn a_name_does_not_run_into_the_request_and_no_text_is_shown() {
        let plain = |text: &str| ChatRequest::new(vec![Turn::user(text)], 1);
        assert_ne!(Key::of("a\n", &plain("b")), Key::of("a", &plain("\nb")));
        let shown = format!("{:?}", Key::of("a", &plain("my secret")).unwrap());
        assert!(shown.starts_with("Key(") && !shown.contains("secret"), "{shown}");
    }

    #[test]
    fn keys_whose_hashes_collide_are_two() {
        assert_ne!(Key::numbered(1), Key::numbered(2));
        assert!(Key::numbered(1) < Key::numbered(2));
    }

    #[test]
    fn what_is_on_disk_is_found_by_the_next_version() {
        let bytes = key(|_| ()).bytes().to_vec();
        let text = String::from_utf8(bytes).unwrap();
        let begin = "callboard call 1\n\"openai/small\"\n{\"form\":{\"json\":{\"name\":\"sum\",\"schema\":";
        assert!(text.starts_with(begin), "change VERSION when keys change: {text}");
    }

    proptest! {
        /// Equal bytes are equal requests, whatever is in the texts.
        #[test]
        fn two_requests_have_one_key_only_if_they_are_equal(
            a in proptest::collection::vec("[ab\"\\\\{},:\n]{0,3}", 0..4),
            b in proptest::collection::vec("[ab\"\\\\{},:\n]{0,3}", 0..4),
        ) {
            let request = |texts: &[String]| ChatRequest::new(texts.iter().map(Turn::user).collect(), 1);
            let [one, two] = [request(&a), request(&b)];
            prop_assert_eq!(Key::of("m", &one) == Key::of("m", &two), one == two);
        }
    }
}
