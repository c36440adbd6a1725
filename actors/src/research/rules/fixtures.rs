//! Small claims and findings for the tests of the rules.

use crate::research::{Claim, Evidence, Findings, TaskId};

/// A claim that quotes `quote` from `file` at byte `start`; its source is the file's name.
pub(in crate::research) fn claim(file: &str, start: usize, quote: &str) -> Claim {
    let evidence = Evidence {
        source: file.into(),
        corpus: "corpus".into(),
        file: file.into(),
        title: "Title".into(),
        headings: Vec::new(),
        start,
        end: start + quote.len(),
        quote: quote.into(),
    };
    Claim { text: quote.into(), evidence: vec![evidence], wider: Vec::new(), score: 1.0 }
}

/// Findings of task `task` with `claims`.
pub(in crate::research) fn findings(task: u32, claims: Vec<Claim>) -> Findings {
    Findings { task: TaskId(task), claims, passages_read: 1, coverage: 1.0 }
}
