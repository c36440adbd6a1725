//! How is plain text read? As it stands: paragraphs are separated by blank lines.

use super::{Extract, Kind};

/// A longer first line is a paragraph, not a title.
const MAX_TITLE_CHARS: usize = 100;

/// Keeps the text and names its paragraphs.
pub(super) fn read(text: &str) -> Extract {
    let mut extract = Extract::verbatim(text);
    for (start, end) in paragraphs(&extract.text) {
        extract.mark(Kind::Prose, start, end);
    }
    extract.title = title(&extract);
    extract
}

/// Runs of lines that are not blank, without the white space around them.
fn paragraphs(text: &str) -> Vec<(usize, usize)> {
    let mut found: Vec<(usize, usize)> = Vec::new();
    let mut open = false;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let (start, end) = (at + (line.len() - line.trim_start().len()), at + line.trim_end().len());
        at += line.len();
        if start >= end {
            open = false;
        } else if open {
            found.last_mut().expect("an open paragraph was pushed").1 = end;
        } else {
            found.push((start, end));
            open = true;
        }
    }
    found
}

/// The first line, when it stands alone and is short.
fn title(extract: &Extract) -> Option<String> {
    let first = extract.blocks.first()?;
    let line = extract.text[first.start..first.end].trim_matches(|c: char| c.is_whitespace() || "=-*#~_+".contains(c));
    let alone = !line.is_empty() && !line.contains('\n') && line.chars().count() <= MAX_TITLE_CHARS;
    (alone && extract.blocks.len() > 1).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_are_bytes_of_the_file() {
        let text = "  Notes on tea\n\nGreen tea is\nbrewed cool.\n \n\tBlack tea is not.\n";
        let extract = read(text);
        assert_eq!(extract.text, text);
        let blocks: Vec<&str> = extract.blocks.iter().map(|block| &text[block.start..block.end]).collect();
        assert_eq!(blocks, ["Notes on tea", "Green tea is\nbrewed cool.", "Black tea is not."]);
        assert_eq!(extract.title.as_deref(), Some("Notes on tea"));
    }

    #[test]
    fn nothing_has_no_blocks() {
        assert!(read(" \n\n\t\n").blocks.is_empty());
    }
}
