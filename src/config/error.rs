//! What can be wrong with the configuration, and what is to be done about it?

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::keys::Key;
use super::origin::{Origin, Place};
use super::value::Value;

/// The configuration cannot be used.
#[derive(Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file is there, or was named, and cannot be read.
    #[error("the configuration `{}` cannot be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is no file that could be one.
    #[error("the configuration `{}` {what}", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        what: &'static str,
    },
    /// It is not TOML.
    #[error("{place}: {message}")]
    Syntax {
        /// Where.
        place: Place,
        /// What the parser says; never the text itself.
        message: String,
    },
    /// No key has this name.
    #[error("{place}: no key is called `{key}`")]
    UnknownKey {
        /// Where.
        place: Place,
        /// As it is written.
        key: String,
        /// What to do: what it most likely means.
        advice: String,
    },
    /// A value does not fit its key.
    #[error("{from}: {key} cannot be {shown}: {problem}")]
    Value {
        /// The place, variable or flag.
        from: String,
        /// The key.
        key: String,
        /// The value in quotes, or words instead of one that may be a secret.
        shown: String,
        /// What to write.
        problem: String,
    },
    /// Only one of the two prices of a model is known.
    #[error("{from}: {model} has a price for its {has} and none for its {lacks}")]
    HalfAPrice {
        /// Where the one stands.
        from: String,
        /// The model.
        model: String,
        /// `input` or `output`.
        has: &'static str,
        /// The other.
        lacks: &'static str,
    },
    /// A project file sets what it may not.
    #[error("{place}: {key} {why}")]
    Untrusted {
        /// Where.
        place: Place,
        /// The key.
        key: String,
        /// Which rule is broken.
        why: String,
        /// What to do about it.
        advice: String,
    },
}

impl ConfigError {
    /// A value that does not fit.
    pub(super) fn value(origin: &Origin, key: &Key, value: &Value, problem: String) -> Self {
        let shown = key.kind.may_be_shown().then(|| value.to_string());
        Self::of_text(&origin.to_string(), key.name, shown.as_deref(), problem)
    }

    /// The same for what is no value yet.
    pub(super) fn of_text(from: &str, key: &str, text: Option<&str>, problem: String) -> Self {
        let shown = text.map_or_else(|| "what is written there".to_owned(), |text| format!("`{text}`"));
        Self::Value { from: from.to_owned(), key: key.to_owned(), shown, problem }
    }

    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } | Self::NotText { .. } => "config_unreadable",
            Self::Syntax { .. } => "config_syntax",
            Self::UnknownKey { .. } => "config_unknown_key",
            Self::Value { .. } | Self::HalfAPrice { .. } => "config_value",
            Self::Untrusted { .. } => "config_untrusted",
        }
    }

    /// Whether the same configuration may be read later. It may not, before somebody mends what is named.
    pub fn is_retryable(&self) -> bool {
        false
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound => {
                "write it, or name another file with the variable CALLBOARD_CONFIG".to_owned()
            }
            Self::Unreadable { .. } => {
                "make it readable, or name another file with the variable CALLBOARD_CONFIG".to_owned()
            }
            Self::NotText { .. } => "move it away, or write a configuration in its place".to_owned(),
            Self::Syntax { .. } => {
                "write it as TOML: [section] in a line of its own, then lines such as key = \"value\"".to_owned()
            }
            Self::UnknownKey { advice, .. } | Self::Untrusted { advice, .. } => advice.clone(),
            Self::Value { .. } => "docs/configuration.md has every key with its range".to_owned(),
            Self::HalfAPrice { lacks, .. } => format!("add `{lacks} = ...` in US dollars for a million tokens"),
        }
    }
}

callboard_actors::shown_to_people!(ConfigError);
