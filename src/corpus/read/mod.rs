//! How is the text of a document found? One reader for each format, chosen by the file's name and its content.
//!
//! A reader is pure: text in, [`Extract`] out. It takes time and memory in proportion to its input, whatever that is; the
//! text that it finds is bounded by [`most_bytes`].

mod csv;
mod extract;
mod html;
mod markdown;
mod plain;
mod rst;
mod rst_inline;

use std::borrow::Cow;
use std::path::Path;

pub(super) use extract::{Block, Extract, Kind};

/// Why a file is not read: one short phrase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Skip(Cow<'static, str>);

impl Skip {
    /// A reason that is always the same.
    pub(crate) fn because(reason: &'static str) -> Self {
        Self(Cow::Borrowed(reason))
    }

    /// A reason with particulars.
    pub(crate) fn with(reason: String) -> Self {
        Self(Cow::Owned(reason))
    }

    /// The phrase.
    pub(crate) fn reason(&self) -> &str {
        &self.0
    }
}

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Markdown,
    Rst,
    Html,
    Csv,
    Tsv,
    Plain,
}

impl Format {
    /// Whether a `text` of this format is read as a web page.
    pub(super) fn is_page(self, text: &str) -> bool {
        self == Self::Html || (self == Self::Plain && html::looks_like(text))
    }
}

/// Names of program text, data and style, which are not documents. An unlisted name is plain text when it is UTF-8.
const NOT_DOCUMENTS: &[&str] = &[
    "asm",
    "bash",
    "bat",
    "c",
    "cc",
    "cfg",
    "clj",
    "cmake",
    "conf",
    "cpp",
    "cs",
    "css",
    "cu",
    "cxx",
    "dart",
    "diff",
    "el",
    "erl",
    "ex",
    "exs",
    "f90",
    "fish",
    "fs",
    "go",
    "gradle",
    "h",
    "hpp",
    "hrl",
    "hs",
    "ini",
    "ipynb",
    "java",
    "jl",
    "js",
    "json",
    "json5",
    "jsonl",
    "jsx",
    "kt",
    "less",
    "lisp",
    "lock",
    "lua",
    "m",
    "map",
    "mjs",
    "ml",
    "mli",
    "nim",
    "nix",
    "patch",
    "php",
    "pl",
    "pm",
    "properties",
    "proto",
    "ps1",
    "py",
    "pyi",
    "r",
    "rb",
    "rs",
    "rtf",
    "s",
    "sass",
    "scala",
    "scm",
    "scss",
    "sh",
    "sql",
    "svelte",
    "svg",
    "swift",
    "tcl",
    "tf",
    "toml",
    "ts",
    "tsx",
    "v",
    "vb",
    "vue",
    "webmanifest",
    "xml",
    "xsl",
    "xslt",
    "yaml",
    "yml",
    "zig",
    "zsh",
];

/// The format that a file's name stands for.
pub(super) fn format(path: &Path) -> Result<Format, Skip> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    match extension.as_deref() {
        Some("md" | "markdown" | "mdown" | "mkd" | "mkdn" | "mdx") => Ok(Format::Markdown),
        Some("rst" | "rest") => Ok(Format::Rst),
        Some("html" | "htm" | "xhtml") => Ok(Format::Html),
        Some("csv") => Ok(Format::Csv),
        Some("tsv" | "tab") => Ok(Format::Tsv),
        Some("pdf") => Err(Skip::because("PDF")),
        Some(code) if NOT_DOCUMENTS.contains(&code) => {
            Err(Skip::with(format!("program text or data, not a document (.{code})")))
        }
        _ => Ok(Format::Plain),
    }
}

/// The most bytes of text that a document may have: four times its file, and 64 KiB.
fn most_bytes(file: &str) -> usize {
    file.len().saturating_mul(4).saturating_add(64 << 10)
}

/// Extracts the text of a document.
pub(super) fn read(format: Format, text: &str) -> Result<Extract, Skip> {
    let extract = match format {
        _ if format.is_page(text) => html::read(text)?,
        Format::Markdown => markdown::read(text),
        Format::Rst => rst::read(text),
        Format::Csv => csv::read(text, csv::delimiter(text)),
        Format::Tsv => csv::read(text, b'\t'),
        Format::Html | Format::Plain => plain::read(text),
    };
    if extract.blocks.is_empty() {
        return Err(Skip::because("no text"));
    }
    if extract.text.len() > most_bytes(text) {
        return Err(Skip::because("its text is more than four times as large as the file"));
    }
    Ok(extract)
}

/// The title of a document: its own, its first heading, or the file's name.
pub(super) fn title(extract: &Extract, path: &Path) -> String {
    let own = extract.title.as_deref().map(extract::clip).filter(|title| !title.is_empty());
    own.or_else(|| extract.first_heading().map(str::to_owned)).unwrap_or_else(|| {
        path.file_stem().map_or_else(|| "untitled".to_owned(), |stem| extract::clip(&stem.to_string_lossy()))
    })
}
