//! How does a report look as a Markdown file? `report.md`: the text of documents is escaped and stays text.

use std::fmt::Write as _;

use callboard_actors::research::assemble::{Headings, answer_markdown};
use callboard_actors::research::inert::markdown as inert;
use callboard_actors::research::{Citation, Report, SkippedFile};

use super::own::COMMENT;
use super::sources::{Sources, path, trail};
use super::unread::{self, Shown};
use super::words;

/// The report as CommonMark.
pub fn markdown(report: &Report, sources: &Sources) -> String {
    let mut page = format!("{COMMENT}\n\n# {}\n\n", inert(report.question.trim()));
    page.push_str(&answer_markdown(report, Headings::UnlessAlone));
    list(&mut page, words::NOT_FOUND, &report.not_found);
    list(&mut page, words::NOTES, &report.notes);
    if !report.citations.is_empty() {
        let _ = writeln!(page, "\n## {}", words::SOURCES);
    }
    report.citations.iter().for_each(|citation| source(&mut page, citation, sources));
    not_read(&mut page, report, sources);
    skipped(&mut page, &report.skipped);
    let _ = writeln!(page, "\n---\n\n{}", words::generator(report));
    let _ = writeln!(page, "{}", words::last_line(report, &inert(&report.run_id)));
    page
}

fn source(page: &mut String, citation: &Citation, sources: &Sources) {
    let line = sources.line(citation).map_or(String::new(), |line| format!(", line {line}"));
    let (path, trail) = (inert(&path(citation)), inert(&trail(citation)));
    let _ = writeln!(page, "\n**[{}]** {path}{line}  \n{trail}\n\n> {}", citation.id, inert(&citation.quote));
}

fn not_read(page: &mut String, report: &Report, sources: &Sources) {
    let Some(Shown { passages, more }) = unread::shown(report) else { return };
    let _ = writeln!(page, "\n## {}", words::UNREAD);
    passages.iter().for_each(|passage| source(page, passage, sources));
    if let Some(more) = more {
        let _ = writeln!(page, "\n{more}");
    }
}

fn list(page: &mut String, heading: &str, sentences: &[String]) {
    if !sentences.is_empty() {
        let _ = writeln!(page, "\n## {heading}\n");
    }
    for sentence in sentences {
        let _ = writeln!(page, "- {}", inert(sentence));
    }
}

/// Every file that was not read, with its reason.
fn skipped(page: &mut String, files: &[SkippedFile]) {
    let Some(summary) = words::skipped(files) else { return };
    let _ = writeln!(page, "\n## {}\n\n{}.\n", words::SKIPPED, inert(&summary));
    for SkippedFile { file, reason } in files {
        let _ = writeln!(page, "- {}: {}", inert(file), inert(reason));
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn it_reads_as_written() {
        let (report, sources) = sample::report();
        let expected = "\
<!-- A report of `callboard research`, which reads it in no later run. -->

# How does a supervisor learn that an agent died, and what is a dead letter?

## How does a supervisor learn that an agent died?

- “The guard turns a panic into an exit notice.” [1] [2]

## What was not found

- No evidence was found for “what is a dead letter?”.

## Sources

**[1]** docs/core.txt, line 3  
Core › Supervision

> The guard turns a panic into an exit notice.

**[2]** docs/faq.html  
Questions

> The guard turns a panic into an exit notice.

## Skipped files

1 file was skipped: binary (1).

- logo.png: binary

---

Extractive: quotes and arranges sentences; no language model was called.
Partial, in 1.23 s, of which 0.20 s for the index. Run r1.
";
        assert_eq!(markdown(&report, &sources), expected);
    }

    #[test]
    fn a_hostile_document_is_inert() {
        let (report, sources) = sample::hostile();
        let page = markdown(&report, &sources);
        for raw in
            ["<script", "<img", "</", "![", "](", "http://", "https://", "\u{1b}", "\u{9b}", "\u{202e}", "\0", "\u{7}"]
        {
            assert!(!page.contains(raw), "{raw:?} in {page}");
        }
    }
}
