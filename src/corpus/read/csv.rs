//! How is a table read? Each row becomes one block, `header: value; header: value`.
//!
//! The first record is the header. Columns without a header stand alone, empty fields are left out. A table whose rows say
//! little under long headers would grow many times over: its headers are clipped, and once the text has grown as far as
//! it may, the rows that follow stand without them.

use super::{Extract, Kind, most_bytes};

/// Longer names of columns are clipped.
const MAX_NAME_CHARS: usize = 80;

/// The delimiter that the first line has most of: comma, semicolon, tab or vertical bar.
pub(super) fn delimiter(text: &str) -> u8 {
    let line = text.lines().next().unwrap_or_default().as_bytes();
    let count = |delimiter: u8| line.iter().filter(|byte| **byte == delimiter).count();
    // `max_by_key` takes the last of equals: the comma.
    [b'|', b'\t', b';', b','].into_iter().max_by_key(|delimiter| count(*delimiter)).unwrap_or(b',')
}

/// Reads records; a record that is broken ends where the format says, never the reading.
pub(super) fn read(text: &str, delimiter: u8) -> Extract {
    let mut extract = Extract::new();
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).has_headers(false).from_reader(text.as_bytes());
    let mut header: Option<csv::StringRecord> = None;
    // Rows without names take up to half of what is allowed.
    let named_bytes = most_bytes(text) / 2;
    for record in reader.records().map_while(Result::ok) {
        let Some(header) = &header else {
            header = Some(record);
            continue;
        };
        let named = row(header, &record);
        if extract.text.len() + named.len() <= named_bytes {
            extract.flowing(Kind::Row, &named);
        } else {
            extract.flowing(Kind::Row, &row(&csv::StringRecord::new(), &record));
        }
    }
    if let Some(header) = header.filter(|_| extract.blocks.is_empty()) {
        extract.flowing(Kind::Row, &header.iter().collect::<Vec<_>>().join("; "));
    }
    extract
}

fn row(header: &csv::StringRecord, record: &csv::StringRecord) -> String {
    let mut out = String::new();
    for (column, value) in record.iter().enumerate() {
        let value = value.trim();
        if value.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push_str("; ");
        }
        if let Some(name) = header.get(column).map(str::trim).filter(|name| !name.is_empty()) {
            out.push_str(name.char_indices().nth(MAX_NAME_CHARS).map_or(name, |(end, _)| name[..end].trim_end()));
            out.push_str(": ");
        }
        out.push_str(value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, rows: &[&str]) {
        let extract = read(text, delimiter(text));
        let found: Vec<&str> = extract.blocks.iter().map(|block| &extract.text[block.start..block.end]).collect();
        assert_eq!(found, rows);
    }

    #[test]
    fn rows_name_their_columns() {
        check("city,people\nOslo,700000\nBergen,\n", &["city: Oslo; people: 700000", "city: Bergen"]);
        check("city;note\nOslo;\"a; b\nc\"\n", &["city: Oslo; note: a; b c"]);
    }

    #[test]
    fn odd_tables_are_read_as_far_as_they_go() {
        check("a,b\n1,2,3\n4\n", &["a: 1; b: 2; 3", "a: 4"]);
        check("only,header", &["only; header"]);
        check("a,b\n\"open, 2\n3,4", &["a: open, 2 3,4"]);
        check("", &[]);
    }
}
