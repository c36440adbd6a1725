//! Which files are reports of our own? A corpus leaves them out, so that no run cites what an earlier one wrote.
//!
//! Markdown and page carry a mark of their own. The text for a terminal has none; it, and a report whose mark somebody
//! removed, is known by its last line. A stored text is named by its SHA-256, in the folder `sources`.

use super::words::{IN_ALL, STATUSES};

/// The first line of `report.md`.
pub(super) const COMMENT: &str = "<!-- A report of `callboard research`, which reads it in no later run. -->";

/// In the head of `report.html`.
pub(super) const META: &str = "<meta name=\"generator\" content=\"callboard research\">";

/// Why a file of a corpus that `callboard research` itself wrote is left out; `None` of any other file. `file` is its path,
/// with `/` between the parts, and `sha256` that of its bytes.
pub(crate) fn written_by_us(file: &str, sha256: &str, text: &str) -> Option<&'static str> {
    if file.rsplit('/').next() == Some(&format!("{sha256}.txt")) && file.rsplit('/').nth(1) == Some("sources") {
        return Some("stored text of an earlier report");
    }
    let head = || text.split_once("</head>").is_some_and(|(head, _)| head.contains(META));
    (text.trim_start().starts_with(COMMENT) || has_our_last_line(text) || head()).then_some("report of an earlier run")
}

fn has_our_last_line(text: &str) -> bool {
    let last = text.trim_end().lines().next_back().unwrap_or_default();
    last.contains(IN_ALL)
        && STATUSES.iter().any(|status| last.strip_prefix(status).is_some_and(|l| l.starts_with(", in ")))
}

#[cfg(test)]
mod tests {
    use super::super::{TextStyle, html, markdown, sample, text};
    use super::*;

    #[test]
    fn each_form_is_known_and_what_quotes_it_is_not() {
        let (report, sources) = sample::report();
        let text = text(&report, &sources, TextStyle::default());
        for ours in [&text, &markdown(&report, &sources), &html(&report, &sources)] {
            assert_eq!(written_by_us("a.md", "ab", ours), Some("report of an earlier run"), "{ours}");
        }
        for other in [format!("An example:\n\n{text}\nThat was it."), format!("<p>{META}</p></head>"), String::new()] {
            let head = other.replace("<p>", "<head></head>");
            assert_eq!(written_by_us("a.md", "ab", &head), None, "{head}");
        }
    }

    #[test]
    fn a_stored_text_is_known_by_folder_name_and_content() {
        let stored = |file| written_by_us(file, "ab", "Any text.").is_some();
        assert!(stored("report/sources/ab.txt") && stored("sources/ab.txt"));
        assert!(
            !stored("ab.txt") && !stored("sources/cd.txt") && !stored("sources/ab.md") && !stored("sources/ab.txt/x")
        );
    }
}
