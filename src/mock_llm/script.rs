//! Which reply was fixed beforehand? The script file: rules with replies in order; what is wrong in it is said with its
//! line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, de::value::MapAccessDeserializer};
use serde_json::Value;

use super::fault::Fault;

/// Fixed replies. A call gets the next reply of the first rule that matches it; the last reply of a rule repeats. A
/// call that no rule matches is answered as without a script.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    pub(super) rules: Vec<Rule>,
}

/// Why a script cannot be used.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// The file cannot be read.
    #[error("the script {} cannot be read", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is no script. The message has line and column, and what is expected.
    #[error("the script is wrong: {0}")]
    Content(String),
}

impl ScriptError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "script_unreadable",
            Self::Content(_) => "bad_script",
        }
    }

    /// Whether the same script may be read later. It may not, unless somebody changes the file.
    pub fn is_retryable(&self) -> bool {
        false
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Read { .. } => "name a file that can be read",
            Self::Content(_) => {
                "a script is a list of replies such as [\"a text\", {\"status\": 503}]; docs/mock-llm.md has all that it may say"
            }
        }
    }
}

callboard_actors::shown_to_people!(ScriptError);

impl Script {
    /// Reads a script from JSON.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        let entries: Vec<Entry> =
            serde_json::from_str(text).map_err(|error| ScriptError::Content(error.to_string()))?;
        let mut rules = Vec::new();
        let mut replies = Vec::new();
        for entry in entries {
            match entry {
                Entry::Rule(rule) => rules.push(rule),
                Entry::Reply(reply) => replies.push(reply),
            }
        }
        match (rules.is_empty(), replies.is_empty()) {
            (true, true) => Err(ScriptError::Content("the list is empty; give it a reply".into())),
            (false, false) => Err(ScriptError::Content(
                "the list has both rules and replies; put the replies into a last rule without `match`".into(),
            )),
            (true, false) => Ok(Self { rules: vec![Rule { wanted: Match::default(), replies }] }),
            (false, true) => Ok(Self { rules }),
        }
    }

    /// Reads a script file.
    pub fn read(path: &Path) -> Result<Self, ScriptError> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text),
            Err(source) => Err(ScriptError::Read { path: path.to_owned(), source }),
        }
    }

    /// The first rule for a call to `model` whose last message is `text`.
    pub(super) fn rule(&self, model: &str, text: &str) -> Option<usize> {
        self.rules.iter().position(|rule| rule.wanted.fits(model, text))
    }
}

/// Replies for some calls.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rule {
    wanted: Match,
    /// Never empty.
    pub(super) replies: Vec<Scripted>,
}

/// Which calls.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Match {
    /// The text of the last message has this in it.
    contains: Option<String>,
    /// The model is this one.
    model: Option<String>,
}

impl Match {
    fn fits(&self, model: &str, text: &str) -> bool {
        self.contains.as_ref().is_none_or(|part| text.contains(part.as_str()))
            && self.model.as_ref().is_none_or(|wanted| wanted == model)
    }
}

/// One fixed reply.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Scripted {
    /// What is said; `None`: what would be said without a script.
    pub(super) says: Option<Says>,
    pub(super) fault: Option<Fault>,
    /// In place of the configured latency.
    pub(super) delay: Option<Duration>,
    pub(super) headers: Vec<(String, String)>,
}

/// What a fixed reply says.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Says {
    Text(String),
    Calls(Vec<FixedCall>),
    Status { status: u16, body: String },
}

/// A call of a tool. The arguments may be anything, also no JSON.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FixedCall {
    pub(super) name: String,
    pub(super) arguments: String,
}

enum Entry {
    Rule(Rule),
    Reply(Scripted),
}

/// An entry as it is written: a rule and a reply differ in their fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "match")]
    wanted: Option<Match>,
    replies: Option<Vec<Scripted>>,
    text: Option<String>,
    tool_calls: Option<Vec<WrittenCall>>,
    status: Option<u16>,
    body: Option<Value>,
    headers: Option<BTreeMap<String, String>>,
    fault: Option<String>,
    delay_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenCall {
    name: String,
    arguments: Option<Value>,
}

impl Written {
    fn entry(self) -> Result<Entry, String> {
        let is_rule = self.replies.is_some() || self.wanted.is_some();
        if !is_rule {
            return self.reply().map(Entry::Reply);
        }
        let Self { wanted, replies, .. } = &self;
        let (wanted, replies) = (wanted.clone().unwrap_or_default(), replies.clone().unwrap_or_default());
        if replies.is_empty() {
            return Err("a rule needs `replies`, a list of at least one".into());
        }
        let bare = Self { wanted: None, replies: None, ..self };
        match bare.is_empty() {
            true => Ok(Entry::Rule(Rule { wanted, replies })),
            false => Err("a rule has `match` and `replies` only; put the rest into a reply".into()),
        }
    }

    fn is_empty(&self) -> bool {
        let says = self.text.is_some() || self.tool_calls.is_some() || self.status.is_some() || self.body.is_some();
        !(says || self.headers.is_some() || self.fault.is_some() || self.delay_ms.is_some())
    }

    fn reply(self) -> Result<Scripted, String> {
        if self.is_empty() {
            return Err("an empty reply; expected one of `text`, `tool_calls`, `status`, `fault`, `delay_ms`".into());
        }
        let says = match (self.text, self.tool_calls, self.status, self.body) {
            (None, None, None, None) => None,
            (Some(text), None, None, None) => Some(Says::Text(text)),
            (None, Some(calls), None, None) if calls.is_empty() => return Err("`tool_calls` needs a call".into()),
            (None, Some(calls), None, None) => Some(Says::Calls(calls.into_iter().map(WrittenCall::fixed).collect())),
            (None, None, Some(status), _) if !(200..600).contains(&status) => {
                return Err(format!("the status {status}; expected 200 to 599"));
            }
            (None, None, Some(status), body) => Some(Says::Status { status, body: as_text(body) }),
            (None, None, None, Some(_)) => return Err("`body` needs a `status`".into()),
            _ => return Err("expected only one of `text`, `tool_calls` and `status`".into()),
        };
        let headers: Vec<_> = self.headers.unwrap_or_default().into_iter().collect();
        if let Some((name, _)) = headers.iter().find(|(name, value)| !may_be_sent(name, value)) {
            return Err(format!("the header `{name}` cannot be sent: the mock sets it itself, or it is no header"));
        }
        Ok(Scripted {
            says,
            fault: self.fault.map(|name| name.parse::<Fault>()).transpose().map_err(|error| error.to_string())?,
            delay: self.delay_ms.map(|millis| Duration::from_millis(millis.min(24 * 3_600_000))),
            headers,
        })
    }
}

impl WrittenCall {
    fn fixed(self) -> FixedCall {
        let arguments = self.arguments.map_or_else(|| "{}".to_owned(), |arguments| as_text(Some(arguments)));
        FixedCall { name: self.name, arguments }
    }
}

/// A string as it is, anything else as its JSON.
fn as_text(value: Option<Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::String(text)) => text,
        Some(value) => value.to_string(),
    }
}

fn may_be_sent(name: &str, value: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let ours = ["content-length", "transfer-encoding", "connection"].iter().any(|own| name.eq_ignore_ascii_case(own));
    !ours && !name.is_empty() && name.bytes().all(token) && !value.contains(|c: char| c.is_control())
}

/// Either a string, which is a text, or an object.
struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = Entry;

    fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a reply: a string, or an object with `text`, `tool_calls`, `status`, `fault` or `delay_ms`")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Entry, E> {
        Ok(Entry::Reply(Scripted { says: Some(Says::Text(text.to_owned())), ..Scripted::default() }))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry, A::Error> {
        Written::deserialize(MapAccessDeserializer::new(map))?.entry().map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Either)
    }
}

impl<'de> Deserialize<'de> for Scripted {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Entry::deserialize(from)? {
            Entry::Reply(reply) => Ok(reply),
            Entry::Rule(_) => Err(de::Error::custom("a rule inside of a rule; expected a reply")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_replies_is_one_rule_for_all() {
        let script = Script::parse(r#"["one", {"text": "two", "delay_ms": 5}, {"fault": "cut"}]"#).unwrap();
        assert_eq!((script.rules.len(), script.rules[0].replies.len()), (1, 3));
        assert_eq!(script.rule("any", "thing"), Some(0));
        let [one, two, three] = &script.rules[0].replies[..] else { panic!("three replies") };
        assert_eq!(one.says, Some(Says::Text("one".into())));
        assert_eq!(two.delay, Some(Duration::from_millis(5)));
        assert_eq!((three.says.as_ref(), three.fault), (None, Some(Fault::Cut)));
    }

    #[test]
    fn the_first_rule_that_fits_is_taken() {
        let rules = r#"[{"match": {"contains": "plan"}, "replies": ["a"]},
            {"match": {"model": "small", "contains": "x"}, "replies": ["b"]}, {"match": {"model": "m"}, "replies": ["c"]}]"#;
        let script = Script::parse(rules).unwrap();
        for (model, text, rule) in
            [("m", "a plan", Some(0)), ("small", "xy", Some(1)), ("small", "y", None), ("m", "x", Some(2))]
        {
            assert_eq!(script.rule(model, text), rule, "{model} {text}");
        }
    }

    #[test]
    fn arguments_and_bodies_are_json_or_what_is_written() {
        let script = Script::parse(
            r#"[{"tool_calls": [{"name": "f", "arguments": {"a": 1}}, {"name": "g", "arguments": "{bro"}, {"name": "h"}]},
                {"status": 418, "body": {"b": 2}, "headers": {"x-tea": "yes"}}, {"status": 500}]"#,
        )
        .unwrap();
        let replies = &script.rules[0].replies;
        let Some(Says::Calls(calls)) = &replies[0].says else { panic!("calls") };
        assert_eq!(calls.iter().map(|call| &*call.arguments).collect::<Vec<_>>(), [r#"{"a":1}"#, "{bro", "{}"]);
        assert_eq!(replies[1].says, Some(Says::Status { status: 418, body: r#"{"b":2}"#.into() }));
        assert_eq!(replies[1].headers, [("x-tea".to_owned(), "yes".to_owned())]);
        assert_eq!(replies[2].says, Some(Says::Status { status: 500, body: String::new() }));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, parts) in [
            ("", &["line 1"][..]),
            ("[]", &["the list is empty"]),
            ("{\"text\": \"x\"}", &["expected a sequence", "line 1"]),
            ("[\n  {\"txet\": \"x\"}\n]", &["unknown field `txet`, expected one of `match`", "`text`", "line 2"]),
            ("[\n\n  {\"fault\": \"explode\"}\n]", &["no fault is called `explode`", "status_500", "line 3"]),
            ("[\"a\",\n  {}\n]", &["an empty reply; expected one of `text`", "line 2"]),
            ("[\"a\",\n  7\n]", &["expected a reply: a string, or an object", "line 2"]),
            ("[{\"text\": \"x\",\n\"status\": 500}]", &["only one of", "line 2"]),
            ("[{\"status\": 42}]", &["expected 200 to 599"]),
            ("[{\"body\": 42}]", &["`body` needs a `status`"]),
            ("[{\"match\": {},\n\"replies\": []}]", &["a rule needs `replies`", "line 2"]),
            ("[{\"match\": {\"contain\": \"x\"}}]", &["unknown field `contain`"]),
            ("[{\"replies\": [\"a\"]}, \"b\"]", &["both rules and replies"]),
            ("[{\"replies\": [\"a\"], \"text\": \"b\"}]", &["put the rest into a reply"]),
            ("[{\"text\": \"a\", \"headers\": {\"Content-Length\": \"1\"}}]", &["`Content-Length` cannot be sent"]),
            ("[{\"text\": \"a\", \"headers\": {\"x\": \"a\\r\\nb: c\"}}]", &["cannot be sent"]),
            ("[{\"text\": \"a\"", &["EOF", "line 1"]),
        ] {
            let error = Script::parse(text).unwrap_err().to_string();
            assert!(parts.iter().all(|part| error.contains(part)), "{text}: {error}");
        }
    }
}
