//! How does a report look on a terminal? Question, answer, what was not found, sources, and who made it.

use callboard_actors::research::assemble::{Block, Headings, blocks, markers, nothing, sections};
use callboard_actors::research::inert::plain;
use callboard_actors::research::{Citation, FindingEntry, Plan, Report};

use super::sources::{Sources, path, trail};
use super::unread::{self, Shown};
use super::{words, wrap};

/// How text is laid out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TextStyle {
    /// The columns of the terminal; `None` keeps each paragraph in one line, as a pipe wants it.
    pub width: Option<usize>,
    /// Whether headings are set off with terminal escapes of our own.
    pub bold: bool,
}

/// The report as text. Escapes and control characters of documents are shown as pictures, never passed on.
pub fn text(report: &Report, sources: &Sources, style: TextStyle) -> String {
    let mut page = Page { out: String::new(), style };
    page.title(&report.question);
    page.answer(report);
    page.list(words::NOT_FOUND, &report.not_found);
    page.list(words::NOTES, &report.notes);
    page.sources(report, sources);
    page.unread(report, sources);
    page.footer(report);
    page.out
}

/// The plan as text: the question and its numbered parts.
pub fn plan(plan: &Plan, style: TextStyle) -> String {
    let mut page = Page { out: String::new(), style };
    page.title(&plan.question);
    page.out.push('\n');
    for task in &plan.tasks {
        page.paragraph(&task.question, &format!("  {}  ", task.id), "      ");
    }
    page.out
}

struct Page {
    out: String,
    style: TextStyle,
}

impl Page {
    fn title(&mut self, text: &str) {
        let lines = wrap(plain(text).trim(), self.style.width, "", "");
        for line in lines.lines() {
            match self.style.bold {
                true => self.out.push_str(&format!("\u{1b}[1m{line}\u{1b}[0m\n")),
                false => self.out.push_str(&format!("{line}\n")),
            }
        }
    }

    fn heading(&mut self, text: &str) {
        self.out.push('\n');
        self.title(text);
    }

    fn paragraph(&mut self, text: &str, first: &str, rest: &str) {
        self.out.push_str(&wrap(plain(text).trim(), self.style.width, first, rest));
    }

    fn answer(&mut self, report: &Report) {
        let sections = sections(report, Headings::UnlessAlone);
        if sections.is_empty() {
            self.out.push('\n');
            self.paragraph(nothing(report), "  ", "  ");
        }
        for (heading, findings) in sections {
            match heading {
                Some(heading) => self.heading(heading),
                None => self.out.push('\n'),
            }
            for block in blocks(report, &findings) {
                let said = |claim: &&FindingEntry| format!("{} {}", claim.text, markers(&claim.citations));
                match block {
                    Block::Quote(quote) => {
                        let text = format!("“{}” {}", quote.text, markers(&quote.citations));
                        self.paragraph(&text, "  - ", "    ");
                    }
                    Block::Words(claims) => {
                        let text = claims.iter().map(said).collect::<Vec<_>>().join(" ");
                        self.paragraph(&text, "  ", "  ");
                    }
                }
            }
        }
    }

    fn list(&mut self, heading: &str, sentences: &[String]) {
        if sentences.is_empty() {
            return;
        }
        self.heading(heading);
        for sentence in sentences {
            self.paragraph(sentence, "  - ", "    ");
        }
    }

    fn sources(&mut self, report: &Report, sources: &Sources) {
        if report.citations.is_empty() {
            return;
        }
        self.heading(words::SOURCES);
        for citation in &report.citations {
            self.source(citation, sources);
        }
    }

    fn unread(&mut self, report: &Report, sources: &Sources) {
        let Some(Shown { passages, more }) = unread::shown(report) else { return };
        self.heading(words::UNREAD);
        for passage in &passages {
            self.source(passage, sources);
        }
        if let Some(more) = more {
            self.paragraph(&more, "  ", "  ");
        }
    }

    fn source(&mut self, citation: &Citation, sources: &Sources) {
        let number = format!("  [{}] ", citation.id);
        let indent = " ".repeat(number.len());
        let line = sources.line(citation).map_or(String::new(), |line| format!(":{line}"));
        self.paragraph(&format!("{}{line}", path(citation)), &number, &indent);
        self.paragraph(&trail(citation), &indent, &indent);
        self.paragraph(&format!("“{}”", citation.quote), &indent, &indent);
    }

    fn footer(&mut self, report: &Report) {
        self.out.push('\n');
        self.paragraph(&words::generator(report), "", "");
        self.paragraph(&words::last_line(report, &report.run_id), "", "");
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn the_piped_text_reads_as_written() {
        let (report, sources) = sample::report();
        let expected = "\
How does a supervisor learn that an agent died, and what is a dead letter?

How does a supervisor learn that an agent died?
  - “The guard turns a panic into an exit notice.” [1] [2]

What was not found
  - No evidence was found for “what is a dead letter?”.

Sources
  [1] docs/core.txt:3
      Core › Supervision
      “The guard turns a panic into an exit notice.”
  [2] docs/faq.html
      Questions
      “The guard turns a panic into an exit notice.”

Extractive: quotes and arranges sentences; no language model was called.
Partial, in 1.23 s, of which 0.20 s for the index. Run r1.
";
        assert_eq!(text(&report, &sources, TextStyle::default()), expected);
    }

    #[test]
    fn it_fits_narrow_and_wide_terminals() {
        let (report, sources) = sample::report();
        for width in [40, 80] {
            let text = text(&report, &sources, TextStyle { width: Some(width), bold: false });
            assert!(text.lines().all(|line| line.width() <= width), "{text}");
        }
    }

    #[test]
    fn a_hostile_document_is_inert() {
        let (report, sources) = sample::hostile();
        let shown = text(&report, &sources, TextStyle { width: Some(80), bold: true });
        let ours = shown.replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
        assert!(ours.chars().all(|c| c == '\n' || !c.is_control()), "{ours:?}");
        assert!(!ours.contains('\u{202e}'), "{ours:?}");
    }
}
