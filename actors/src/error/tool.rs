//! Why did a tool call not work?

use thiserror::Error;

use super::shown::chain;

/// A tool call did not work. The text is for the model: it says what to do better.
#[derive(Error, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ToolError {
    /// The arguments are not what it takes.
    #[error("the arguments do not fit: {0}")]
    Arguments(String),
    /// Its own JSON schema is none, so that no arguments can be checked: a `pattern` that is no regular expression. The text says where.
    /// Whoever wrote the tool mends its `schemars` attributes; the model does without it.
    #[error("it cannot be called, because its own schema is wrong; do without it and say so: {0}")]
    Schema(String),
    /// It cannot do that.
    #[error("{0}")]
    Failed(String),
    /// A passing fault: the same call may work later.
    #[error("it is not available at the moment: {0}")]
    Unavailable(String),
    /// It was not called: what it waited for is held by other calls, which went over their time and go on, on threads that nobody can end. It
    /// waited its `timeout` for nothing but such. The text says what that is.
    #[error("it was not called: {0}")]
    Busy(String),
}

impl ToolError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Arguments(_) => "tool_arguments",
            Self::Schema(_) => "tool_schema",
            Self::Failed(_) => "tool_failed",
            Self::Unavailable(_) => "tool_unavailable",
            Self::Busy(_) => "tool_busy",
        }
    }

    /// Whether the same call may work later.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Busy(_))
    }

    /// What whoever wrote the tool can do about it. It says to try again where [`is_retryable`](Self::is_retryable) says that this may help.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Arguments(_) => "give it the arguments that its schema asks for",
            Self::Schema(_) => "mend the `schemars` attributes of its arguments",
            Self::Failed(_) => "look at what the tool says",
            Self::Unavailable(_) => "try again later, or give the tool more attempts or time (`ToolPolicy`)",
            Self::Busy(_) => "try again later, or allow more calls at once (`ToolPolicy::at_once`)",
        }
    }
}

crate::shown_to_people!(ToolError);

impl From<String> for ToolError {
    fn from(text: String) -> Self {
        Self::Failed(text)
    }
}

impl From<&str> for ToolError {
    fn from(text: &str) -> Self {
        Self::Failed(text.to_owned())
    }
}

impl From<std::io::Error> for ToolError {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<Box<dyn std::error::Error + Send + Sync>> for ToolError {
    /// The text of the error with what caused it; one that is a [`ToolError`] stays what it is.
    fn from(error: Box<dyn std::error::Error + Send + Sync>) -> Self {
        error.downcast::<Self>().map_or_else(|error| Self::Failed(chain(&*error)), |error| *error)
    }
}
