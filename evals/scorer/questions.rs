//! What is asked, and what counts as an answer? The question files, one JSON object a line.

use std::path::Path;

use serde::Deserialize;

/// Which half a question belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Half {
    /// Weights may be chosen by it.
    Tune,
    /// Looked at once, when everything is chosen.
    Report,
}

/// What kind of question it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// One thing is asked.
    Single,
    /// Two things are asked.
    TwoPart,
    /// Two things are compared.
    Comparison,
    /// The manual does not say.
    Unanswerable,
}

/// One thing that an answer must say.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Part {
    /// The files that say it.
    pub(crate) files: Vec<String>,
    /// Phrases, lower-case; a quote that says it contains at least one.
    pub(crate) phrases: Vec<String>,
}

/// A question with its key.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Question {
    /// Its name.
    pub(crate) id: String,
    /// Which half.
    pub(crate) half: Half,
    /// Which kind.
    pub(crate) kind: Kind,
    /// As a person asks it.
    pub(crate) question: String,
    /// Empty when the manual does not say.
    #[serde(default)]
    pub(crate) parts: Vec<Part>,
}

/// The questions of one file.
///
/// # Errors
/// A sentence that names the file and the line.
pub(crate) fn load(path: &Path) -> Result<Vec<Question>, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(n, line)| serde_json::from_str(line).map_err(|error| format!("{}:{}: {error}", path.display(), n + 1)))
        .collect()
}
