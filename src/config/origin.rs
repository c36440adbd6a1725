//! Who said it? The place in a file, the variable or the flag that a value came from.

use std::fmt;
use std::path::PathBuf;

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, as it is shown.
    pub path: PathBuf,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
}

impl Place {
    /// The place of a byte of a file's text.
    pub(super) fn of(path: PathBuf, text: &str, byte: usize) -> Self {
        let before = &text.as_bytes()[..byte.min(text.len())];
        let before = String::from_utf8_lossy(before);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self { path, line, column }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// The table of prices that this version comes with.
    PriceTable,
    /// The user's file.
    UserFile(Place),
    /// The file of the folder.
    ProjectFile(Place),
    /// An environment variable.
    Variable(&'static str),
    /// A flag of the command.
    Flag(&'static str),
}

impl Origin {
    /// A stable name for programs.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::PriceTable => "price_table",
            Self::UserFile(_) => "user_file",
            Self::ProjectFile(_) => "project_file",
            Self::Variable(_) => "variable",
            Self::Flag(_) => "flag",
        }
    }

    /// The place, when it is a file's.
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::UserFile(place) | Self::ProjectFile(place) => Some(place),
            _ => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::PriceTable => f.write_str("price table of this version"),
            Self::UserFile(Place { path, line, .. }) => write!(f, "user file, {}:{line}", path.display()),
            Self::ProjectFile(Place { path, line, .. }) => write!(f, "project file, {}:{line}", path.display()),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::Flag(flag) => write!(f, "flag {flag}"),
        }
    }
}
