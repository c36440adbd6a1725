//! How is an error said? OpenAI's object: message, type, param, code.

use serde_json::json;

/// An error with its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: u16,
    pub(crate) message: String,
    pub(crate) kind: &'static str,
    /// The field of the request that is to blame.
    pub(crate) param: Option<String>,
    pub(crate) code: Option<&'static str>,
}

impl ApiError {
    /// A request that cannot be answered.
    pub(crate) fn invalid(status: u16, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), kind: "invalid_request_error", param: None, code: None }
    }

    /// A field of the request is wrong: status 400.
    pub(crate) fn field(name: &str, problem: &str) -> Self {
        let message = format!("Invalid value for '{name}': {problem}.");
        Self { param: Some(name.to_owned()), code: Some("invalid_value"), ..Self::invalid(400, message) }
    }

    /// A field that is needed is missing: status 400.
    pub(crate) fn missing(name: &str) -> Self {
        let message = format!("Missing required parameter: '{name}'.");
        Self { param: Some(name.to_owned()), code: Some("missing_required_parameter"), ..Self::invalid(400, message) }
    }

    /// Something that the server is to blame for.
    pub(crate) fn server(status: u16, kind: &'static str, message: &str) -> Self {
        Self { kind, ..Self::invalid(status, message) }
    }

    /// The same with a code.
    pub(crate) fn coded(self, code: &'static str) -> Self {
        Self { code: Some(code), ..self }
    }

    /// The body.
    pub(crate) fn body(&self) -> Vec<u8> {
        let Self { message, kind, param, code, .. } = self;
        json!({"error": {"message": message, "type": kind, "param": param, "code": code}}).to_string().into_bytes()
    }
}
