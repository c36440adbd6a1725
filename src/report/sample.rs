//! Which reports do the renderers' tests share? A small honest one and one whose documents attack.

use std::sync::Arc;

use callboard_actors::research::assemble::{Headings, answer_markdown};
use callboard_actors::research::{
    Citation, FindingEntry, Generator, PlanEntry, Report, SCHEMA_VERSION, SkippedFile, Status, TaskId, Timing, Usage,
};

use super::Sources;

/// What an attacker would like to see pass through, in one quote.
pub(super) const ATTACK: &str = "</title></style><script>alert(1)</script><img src=x onerror=alert(2)> \
     ![i](http://e.org/i.png) [l](javascript:alert(3)) \u{1b}[2J\u{9b}31m\u{202e}gnp.exe\u{0}\u{7} \" ' & https://e.org/";

pub(super) fn report() -> (Report, Sources) {
    let quote = "The guard turns a panic into an exit notice.";
    let citation = |id: u32, file: &str, headings: &[&str], start: usize| Citation {
        id,
        corpus: "docs".into(),
        file: file.into(),
        title: "Questions".into(),
        headings: headings.iter().map(|heading| (*heading).into()).collect(),
        quote: quote.into(),
        source: if id == 1 { "ab".into() } else { "cd".into() },
        start,
        end: start + quote.len(),
    };
    let citations = vec![citation(1, "core.txt", &["Core", "Supervision"], 8), citation(2, "faq.html", &[], 0)];
    let parts = ["How does a supervisor learn that an agent died?", "what is a dead letter?"];
    let plan = (1..).zip(parts).map(|(id, part)| PlanEntry { id: TaskId(id), question: part.into() }).collect();
    let mut report = Report {
        schema_version: SCHEMA_VERSION,
        run_id: "r1".into(),
        question: "How does a supervisor learn that an agent died, and what is a dead letter?".into(),
        status: Status::Partial,
        generator: Generator::extractive(),
        plan,
        answer_markdown: String::new(),
        findings: vec![FindingEntry { task: TaskId(1), text: quote.into(), citations: vec![1, 2] }],
        citations,
        unread: Vec::new(),
        not_found: vec!["No evidence was found for “what is a dead letter?”.".into()],
        notes: Vec::new(),
        rules_instead: Vec::new(),
        skipped: vec![SkippedFile { file: "logo.png".into(), reason: "binary".into() }],
        usage: Usage::default(),
        timing_ms: Timing { index: 204, total: 1234 },
    };
    report.answer_markdown = answer_markdown(&report, Headings::Always);
    let stored = |source: &str, text: String| (source.to_owned(), Arc::<str>::from(text));
    let sources = [stored("ab", format!("# Core\n\n{quote}\n")), stored("cd", quote.into())];
    (report, sources.into_iter().collect())
}

/// [`report`] with [`ATTACK`] in every place that a document, a file name or a question can reach.
pub(super) fn hostile() -> (Report, Sources) {
    let (mut report, sources) = report();
    let attack = || ATTACK.to_owned();
    report.question = attack();
    report.plan[0].question = attack();
    report.findings[0].text = attack();
    for citation in &mut report.citations {
        citation.corpus = attack();
        citation.file = attack();
        citation.title = attack();
        citation.headings = citation.headings.iter().map(|_| attack()).collect();
        citation.quote = attack();
    }
    report.not_found = vec![attack()];
    report.notes = vec![attack()];
    report.skipped = vec![SkippedFile { file: attack(), reason: attack() }];
    report.answer_markdown = answer_markdown(&report, Headings::Always);
    (report, sources)
}
