//! How does a report look in a browser? One file without scripts and without anything that is fetched.
//!
//! The page's policy allows its own style sheet, by its hash, and nothing else: even markup that got past the escaping
//! could neither run nor load. Links lead within the page and to the stored texts beside it.

use std::fmt::Write as _;

use callboard_actors::research::assemble::{Block, Headings, blocks, nothing, sections};
use callboard_actors::research::inert::plain;
use callboard_actors::research::{Citation, FindingEntry, Report, SkippedFile, Status};
use sha2::{Digest, Sha256};

use super::own::META;
use super::sources::{Sources, path, trail};
use super::unread::{self, Shown};
use super::words;

const STYLE: &str = include_str!("report.css");

/// The report as a self-contained HTML page.
pub fn html(report: &Report, sources: &Sources) -> String {
    let mut page = head(report);
    let (status, class) = (words::status(report.status), class(report.status));
    let question = escape(report.question.trim());
    let _ = writeln!(page, "<header>\n<p class=\"status {class}\">{status}</p>\n<h1 dir=\"auto\">{question}</h1>");
    let _ = writeln!(page, "<p class=\"made\">{}</p>\n</header>", escape(&words::generator(report)));
    page.push_str("<main>\n");
    answer(&mut page, report);
    list(&mut page, "missing", words::NOT_FOUND, report.not_found.iter().map(|sentence| escape(sentence)));
    list(&mut page, "notes", words::NOTES, report.notes.iter().map(|sentence| escape(sentence)));
    citations(&mut page, report, sources);
    not_read(&mut page, report, sources);
    skipped(&mut page, &report.skipped);
    let (time, run) = (escape(&words::time(report)), escape(&report.run_id));
    let _ = writeln!(page, "</main>\n<footer>Made by Callboard in {time}. Run <code>{run}</code>.</footer>");
    page.push_str("</body>\n</html>\n");
    page
}

fn head(report: &Report) -> String {
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        base64(&Sha256::digest(STYLE))
    );
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n{META}\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
        escape(report.question.trim())
    )
}

fn answer(page: &mut String, report: &Report) {
    let sections = sections(report, Headings::UnlessAlone);
    if sections.is_empty() {
        let _ = writeln!(page, "<section class=\"answer\">\n<p>{}</p>\n</section>", nothing(report));
    }
    for (heading, findings) in sections {
        page.push_str("<section class=\"answer\">\n");
        if let Some(heading) = heading {
            let _ = writeln!(page, "<h2 dir=\"auto\">{}</h2>", escape(heading));
        }
        for block in blocks(report, &findings) {
            let said = match block {
                Block::Quote(quote) => claim(quote, "<q>", "</q>"),
                Block::Words(claims) => claims.iter().map(|words| claim(words, "", "")).collect::<Vec<_>>().join(" "),
            };
            let _ = writeln!(page, "<p class=\"claim\" dir=\"auto\">{said}</p>");
        }
        page.push_str("</section>\n");
    }
}

fn claim(finding: &FindingEntry, open: &str, close: &str) -> String {
    let marker = |id: &u32| format!("<a class=\"marker\" href=\"#source-{id}\">[{id}]</a>");
    let markers: Vec<_> = finding.citations.iter().map(marker).collect();
    format!("{open}{}{close} {}", escape(&finding.text), markers.join(" "))
}

fn list(page: &mut String, class: &str, heading: &str, items: impl ExactSizeIterator<Item = String>) {
    if items.len() == 0 {
        return;
    }
    let _ = writeln!(page, "<section class=\"{class}\">\n<h2>{heading}</h2>\n<ul>");
    for item in items {
        let _ = writeln!(page, "<li dir=\"auto\">{item}</li>");
    }
    page.push_str("</ul>\n</section>\n");
}

fn citations(page: &mut String, report: &Report, sources: &Sources) {
    if report.citations.is_empty() {
        return;
    }
    let _ = writeln!(page, "<section class=\"sources\">\n<h2>{}</h2>\n<ol>", words::SOURCES);
    for citation in &report.citations {
        source(page, citation, sources);
    }
    page.push_str("</ol>\n</section>\n");
}

fn not_read(page: &mut String, report: &Report, sources: &Sources) {
    let Some(Shown { passages, more }) = unread::shown(report) else { return };
    let _ = writeln!(page, "<section class=\"sources\">\n<h2>{}</h2>\n<ol>", words::UNREAD);
    for passage in &passages {
        source(page, passage, sources);
    }
    page.push_str("</ol>\n");
    if let Some(more) = more {
        let _ = writeln!(page, "<p>{}</p>", escape(&more));
    }
    page.push_str("</section>\n");
}

fn source(page: &mut String, citation: &Citation, sources: &Sources) {
    let Citation { id, start, end, .. } = citation;
    let line = sources.line(citation).map_or(String::new(), |line| format!(", line {line}"));
    let (path, trail, quote) = (escape(&path(citation)), escape(&trail(citation)), escape(&citation.quote));
    let _ = writeln!(page, "<li id=\"source-{id}\" value=\"{id}\">\n<p class=\"place\"><bdi>{path}</bdi>{line}</p>");
    let _ =
        writeln!(page, "<p class=\"trail\" dir=\"auto\">{trail}</p>\n<blockquote dir=\"auto\">{quote}</blockquote>");
    // The name of the stored text is a hash; anything else would not be a file of ours.
    if citation.source.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let link = format!("<a href=\"sources/{}.txt\">stored text</a>", citation.source);
        let _ = writeln!(page, "<p class=\"bytes\">Bytes {start} to {end} of the {link}</p>");
    }
    page.push_str("</li>\n");
}

fn skipped(page: &mut String, files: &[SkippedFile]) {
    let Some(summary) = words::skipped(files) else { return };
    let _ = writeln!(page, "<details class=\"skipped\">\n<summary>{}</summary>\n<ul>", escape(&summary));
    for SkippedFile { file, reason } in files {
        let _ = writeln!(page, "<li><bdi>{}</bdi>: {}</li>", escape(file), escape(reason));
    }
    page.push_str("</ul>\n</details>\n");
}

fn class(status: Status) -> &'static str {
    match status {
        Status::Complete => "complete",
        Status::Partial => "partial",
        Status::NoEvidence | Status::Failed => "none",
    }
}

/// Fit for text and for a quoted attribute.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in plain(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * digit) & 63) as usize];
            text.push(if digit <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(base64(bytes.as_bytes()), text);
        }
    }

    #[test]
    fn every_marker_leads_to_its_source() {
        let (report, sources) = sample::report();
        let page = html(&report, &sources);
        for id in [1, 2] {
            assert!(page.contains(&format!("href=\"#source-{id}\"")) && page.contains(&format!("id=\"source-{id}\"")));
        }
        assert!(page.contains("<bdi>docs/core.txt</bdi>, line 3"), "{page}");
    }

    #[test]
    fn every_skipped_file_is_listed_with_its_reason() {
        let (report, sources) = sample::report();
        let page = html(&report, &sources);
        assert!(page.contains("<summary>1 file was skipped: binary (1)</summary>"), "{page}");
        assert!(page.contains("<li><bdi>logo.png</bdi>: binary</li>"), "{page}");
    }

    #[test]
    fn a_hostile_document_adds_no_markup() {
        let (mut honest, sources) = sample::report();
        honest.notes = vec!["a note".into()];
        let (hostile, _) = sample::hostile();
        // The same tags with the same attributes, whatever the documents say.
        assert_eq!(tags(&html(&hostile, &sources)), tags(&html(&honest, &sources)));
        let page = html(&hostile, &sources);
        assert!(page.chars().all(|c| c == '\n' || !c.is_control()) && !page.contains('\u{202e}'));
    }

    #[test]
    fn nothing_is_fetched_and_nothing_runs() {
        let (report, sources) = sample::report();
        let page = html(&report, &sources);
        for raw in ["<script", "<link", "<img", "@import", "url(", "http://", "https://", " style="] {
            assert!(!page.contains(raw), "{raw}");
        }
        assert!(page.contains("default-src 'none'; style-src 'sha256-"));
    }

    fn tags(page: &str) -> Vec<&str> {
        let tags = page.split('<').skip(1).map(|rest| rest.split('>').next().unwrap_or(""));
        tags.collect()
    }
}
