//! Which prices does this version come with? A table with a version and a date (`src/prices.toml`).

use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::file;
use super::layers::Entry;
use super::origin::{Origin, Place};

/// The table, which is a part of the program.
const TABLE: &str = include_str!("../prices.toml");

/// The form of the table that this version reads.
const VERSION: &str = "1";

/// The prices of the table.
pub(super) fn table() -> Result<Vec<Entry>, ConfigError> {
    read(TABLE)
}

fn read(text: &str) -> Result<Vec<Entry>, ConfigError> {
    let path = Path::new("src/prices.toml");
    let wrong = |message: &str| ConfigError::Syntax {
        place: Place { path: path.to_owned(), line: 1, column: 1 },
        message: message.to_owned(),
    };
    let table = DeTable::parse(text).map_err(|error| wrong(error.message()))?.into_inner();
    let of = |key: &str| table.get(key).map(|value| value.get_ref());
    if !matches!(of("version"), Some(DeValue::Integer(version)) if version.as_str() == VERSION) {
        return Err(wrong("its version is not 1"));
    }
    if !matches!(of("updated"), Some(DeValue::String(_))) {
        return Err(wrong("it does not say when it was updated"));
    }
    // What is left is read as the configuration is. Lines keep their numbers.
    let rest: Vec<_> = text.lines().map(|line| if is_about_the_table(line) { "" } else { line }).collect();
    let mut entries = file::read(&rest.join("\n"), path, Origin::UserFile)?;
    entries.iter_mut().for_each(|entry| entry.origin = Origin::PriceTable);
    Ok(entries)
}

fn is_about_the_table(line: &str) -> bool {
    line.starts_with("version = ") || line.starts_with("updated = ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_this_version_is_read() {
        let entries = table().unwrap();
        assert!(entries.iter().all(|entry| entry.origin == Origin::PriceTable));
    }

    #[test]
    fn a_table_says_its_version_and_its_date() {
        let prices = "[prices.\"openai/a\"]\ninput = 1\noutput = 2\n";
        assert_eq!(read(&format!("version = 1\nupdated = \"2026-01-31\"\n{prices}")).unwrap().len(), 2);
        for head in ["", "version = 2\nupdated = \"2026-01-31\"\n", "version = 1\n"] {
            assert!(read(&format!("{head}{prices}")).is_err(), "{head}");
        }
    }
}
