//! Which files are reports of our own? A corpus leaves them out, so that no run cites what an earlier one wrote.
//!
//! Markdown and page carry a mark of their own. The text for a terminal has none; it, and Markdown whose mark somebody
//! removed, is known by its form from the first line to the last: what somebody wrote himself, and added a report to, is
//! his. A page without its mark is not known. A stored text is named by its SHA-256, in the folder `sources`.

use super::words::is_last_line;

/// The first line of `report.md`.
pub(super) const COMMENT: &str = "<!-- A report of `callboard research`, which reads it in no later run. -->";

/// In the head of `report.html`.
pub(super) const META: &str = "<meta name=\"generator\" content=\"callboard research\">";

/// Why a file of a corpus that `callboard research` itself wrote is left out; `None` of any other file. `file` is its path,
/// with `/` between the parts, `sha256` that of its bytes, and `is_page` whether it is read as HTML.
pub(crate) fn written_by_us(file: &str, sha256: &str, text: &str, is_page: bool) -> Option<&'static str> {
    if file.rsplit('/').next() == Some(&format!("{sha256}.txt")) && file.rsplit('/').nth(1) == Some("sources") {
        return Some("stored text of an earlier report");
    }
    let is_ours = match is_page {
        true => text.split_once("</head>").is_some_and(|(head, _)| head.contains(META)),
        false => text.trim_start().starts_with(COMMENT) || are_reports(text),
    };
    is_ours.then_some("report of an earlier run")
}

/// Whether nothing else stands here than reports, one behind the other as `>>` leaves them.
fn are_reports(text: &str) -> bool {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines.last().is_some_and(|last| is_last_line(last))
        && lines.split_inclusive(|line| is_last_line(line)).all(is_report)
}

/// Whether lines that end with the last one of a report have the form of a report from the first on.
fn is_report(lines: &[&str]) -> bool {
    let blocks: Vec<&[&str]> = lines.split(|line| line.is_empty()).filter(|block| !block.is_empty()).collect();
    match blocks.as_slice() {
        [[title], first, body @ .., [rule], [_, _]] if title.starts_with("# ") && *rule == "---" => {
            let is_none = first[0].starts_with("There is no answer: ") || first[0].starts_with("No passage was found");
            let is_answer =
                is_none || first[0].starts_with("## ") || first[0].starts_with("- “") || first[0].ends_with(']');
            is_answer && body.iter().copied().flatten().all(|line| !line.starts_with("# "))
        }
        [[_], body @ .., [_, _]] => !body.is_empty() && body.iter().all(|block| is_indented(block)),
        _ => false,
    }
}

/// Whether all but a heading is set in, as the text for a terminal has it.
fn is_indented(block: &[&str]) -> bool {
    let set_in = |line: &&str| line.starts_with("  ");
    block.last().is_some_and(set_in) && block.iter().skip(1).all(set_in)
}

#[cfg(test)]
mod tests {
    use super::super::{TextStyle, html, markdown, sample, text};
    use super::*;

    fn is_ours(text: &str, is_page: bool) -> bool {
        written_by_us("a.md", "ab", text, is_page) == Some("report of an earlier run")
    }

    #[test]
    fn each_form_is_known() {
        for (mut report, sources) in [sample::report(), sample::hostile()] {
            for findings in [report.findings.clone(), Vec::new()] {
                report.findings = findings;
                let text = text(&report, &sources, TextStyle::default());
                let markdown = markdown(&report, &sources);
                let stripped = markdown.strip_prefix(COMMENT).unwrap();
                for ours in [&text, &markdown, stripped, &text.repeat(2), &format!("\n{text}\n\n{text}\n")] {
                    assert!(is_ours(ours, false), "{ours}");
                }
                assert!(is_ours(&html(&report, &sources), true));
            }
        }
    }

    #[test]
    fn markdown_without_its_mark_is_known_by_its_form_and_a_page_is_not() {
        let (report, sources) = sample::report();
        let page = markdown(&report, &sources);
        let stripped = page.strip_prefix(COMMENT).unwrap();
        assert!(is_ours(stripped, false) && is_ours(stripped.trim_start(), false), "{stripped}");
        assert!(!is_ours(&html(&report, &sources).replace(META, ""), true));
    }

    #[test]
    fn notes_that_a_report_was_added_to_are_read() {
        let (report, sources) = sample::report();
        let (text, page) = (text(&report, &sources, TextStyle::default()), markdown(&report, &sources));
        let stripped = page.strip_prefix(COMMENT).unwrap().trim_start();
        let body = stripped.split_once('\n').unwrap().1;
        for notes in [
            "Our own words.\n",
            "Our own words.\n\n",
            "# Notes\n\nOur own words.\n\n",
            "Ours\n  - a word\n\n",
            "# Ours\n\n## Notes\n\nOur own words.\n\n",
        ] {
            for ours in [text.as_str(), page.as_str(), stripped] {
                assert!(!is_ours(&format!("{notes}{ours}"), false), "{notes}{ours}");
                assert!(!is_ours(&format!("{text}{notes}{ours}"), false), "between two: {notes}{ours}");
            }
            assert!(!is_ours(&format!("{text}{notes}"), false), "{notes}");
            assert!(!is_ours(&format!("{stripped}{notes}"), false), "{notes}");
        }
        assert!(!is_ours(&format!("# Notes\n\nOur own words.\n{body}"), false), "{body}");
        let last = text.lines().last().unwrap();
        for other in [format!("An example:\n\n{text}\nThat was it."), last.to_owned(), format!("Ours.\n\n{last}")] {
            assert!(!is_ours(&other, false), "{other}");
        }
        assert!(!is_ours("", false) && !is_ours("\n\n", false));
    }

    #[test]
    fn only_a_page_has_the_mark_of_a_page() {
        let (report, sources) = sample::report();
        let page = html(&report, &sources);
        let head = page.split_once("<body>").unwrap().0;
        assert!(!is_ours(&format!("# How a report begins\n\n```html\n{head}```\n\nSo it is known.\n"), false));
        assert!(!is_ours(&format!("<html><head></head><body><p>{META}</p></body></html>"), true));
    }

    #[test]
    fn a_stored_text_is_known_by_folder_name_and_content() {
        let stored = |file| written_by_us(file, "ab", "Any text.", false).is_some();
        assert!(stored("report/sources/ab.txt") && stored("sources/ab.txt"));
        assert!(
            !stored("ab.txt") && !stored("sources/cd.txt") && !stored("sources/ab.md") && !stored("sources/ab.txt/x")
        );
    }
}
