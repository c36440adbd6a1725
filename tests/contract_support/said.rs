//! What is said in a reply, free of any vendor's format, and what a format has to write and read for it?

use serde_json::Value;

/// What a server says.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said {
    /// The text, in the pieces in which it is streamed.
    pub(crate) text: &'static [&'static str],
    pub(crate) calls: &'static [Call],
    pub(crate) end: End,
    /// Tokens of the request and of the reply.
    pub(crate) usage: Option<(u64, u64)>,
    /// Whether the text is a reply of the form that was asked for.
    pub(crate) is_form: bool,
}

/// A tool call, its arguments in pieces.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) arguments: &'static [&'static str],
}

/// Why it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Length,
    Calls,
    /// The model will not answer.
    Refused,
}

/// What an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    BadRequest,
    Key,
    NoSuchModel,
    Rate,
    Overloaded,
    TooLong,
}

impl Said {
    pub(crate) const fn text(text: &'static [&'static str]) -> Self {
        Self { text, calls: &[], end: End::Done, usage: Some((20, 3)), is_form: false }
    }

    pub(crate) const fn calls(calls: &'static [Call]) -> Self {
        Self { text: &[], calls, end: End::Calls, usage: Some((10, 5)), is_form: false }
    }
}

/// A vendor's format, as its server writes replies and reads requests. What only a server does is here, and no line of it is shared
/// with what is tested.
pub(crate) trait Format: Sync {
    /// Where it is called, below the base URL.
    fn path(&self) -> &'static str;

    /// The header of the key, in small letters.
    fn key(&self, key: &str) -> String;

    /// A reply in one piece.
    fn whole(&self, said: &Said) -> Value;

    /// The same as events, with some in between that nobody knows.
    fn events(&self, said: &Said) -> Vec<String>;

    /// A reply in which nothing is.
    fn nothing(&self) -> Value;

    /// A status other than success.
    fn error(&self, refusal: Refusal, message: &str) -> Value;

    /// An overload that is told in the middle of a stream.
    fn broken(&self) -> String;

    /// What a request asks.
    fn asked(&self, body: &Value) -> Asked;
}

/// What a request asks.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) instructions: String,
    pub(crate) tools: Vec<String>,
    /// Calls of earlier turns: id, name, arguments.
    pub(crate) calls: Vec<(String, String, Value)>,
    /// What tools answered: id of the call, text.
    pub(crate) results: Vec<(String, String)>,
    /// The schema of the form.
    pub(crate) form: Option<Value>,
    pub(crate) most_tokens: Option<u64>,
}

/// Pieces as one.
pub(super) fn joined(pieces: &[&str]) -> String {
    pieces.concat()
}

/// An event of a stream.
pub(super) fn event(name: Option<&str>, data: &Value) -> String {
    let name = name.map(|name| format!("event: {name}\n")).unwrap_or_default();
    format!("{name}data: {data}\n\n")
}

/// A text of a request.
pub(super) fn string(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// A list of a request.
pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
