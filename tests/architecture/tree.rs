//! Which files are there, and what do they hold? Reads the tree once for each question; skips hidden and built files.

use std::fs;
use std::path::{Path, PathBuf};

use crate::rules::Source;

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn text_of(path: &str) -> Option<String> {
    fs::read_to_string(root().join(path)).ok()
}

pub(crate) fn read(path: &str) -> String {
    text_of(path).unwrap_or_else(|| panic!("{path} is missing or not UTF-8"))
}

/// All entries below `folder`, as paths relative to the root with `/`, sorted; nothing hidden, no build output.
pub(crate) fn below(folder: &str, wanted: &dyn Fn(&Path) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(root().join(folder)) else { return found };
    for entry in entries {
        let entry = entry.expect("the entries of a folder that was just opened can be read");
        let name = entry.file_name().into_string().expect("names in this repository are UTF-8");
        if name.starts_with('.') || name == "target" {
            continue;
        }
        let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        if wanted(&entry.path()) {
            found.push(path.clone());
        }
        if entry.path().is_dir() {
            found.extend(below(&path, wanted));
        }
    }
    found.sort();
    found
}

pub(crate) fn sources(folder: &str, endings: &[&str]) -> Vec<Source> {
    let wanted = |path: &Path| path.is_file() && path.extension().is_some_and(|end| endings.iter().any(|e| end == *e));
    below(folder, &wanted).into_iter().map(|path| Source { text: read(&path), path }).collect()
}

pub(crate) fn rust(folder: &str) -> Vec<Source> {
    let found = sources(folder, &["rs"]);
    assert!(folder != "actors/src" || found.len() > 5, "the core's files were not found: is the root right?");
    found
}
