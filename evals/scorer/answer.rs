//! How is one question answered? By the real corpus and the real rules, in the order in which a run uses them, without
//! the actors around them.

use callboard::actors::ports::Retriever;
use callboard::actors::research::rules::{find, plan, verify, write};
use callboard::actors::research::{Draft, Findings, Query, Retrieved, Task};
use callboard::corpus::Corpus;
use futures_util::FutureExt;

use super::measure::Cited;

/// An answer with what it came from.
pub(crate) struct Answer {
    /// The tasks.
    pub(crate) tasks: Vec<Task>,
    /// What each task found, in their order.
    pub(crate) findings: Vec<Findings>,
    /// What the verifier left.
    pub(crate) draft: Draft,
    /// Its citations.
    pub(crate) cited: Vec<Cited>,
}

/// The passages for one task.
///
/// # Errors
/// A sentence for people.
pub(crate) fn retrieve(corpus: &Corpus, task: &Task, whole: &str) -> Result<Retrieved, String> {
    let query = Query { text: task.question.clone(), whole: whole.to_owned(), limit: find::PASSAGES };
    // Outside of a runtime the corpus answers at once.
    corpus.search(query).now_or_never().ok_or("the corpus did not answer")?.map_err(|error| error.to_string())
}

/// The answer to `question`.
///
/// # Errors
/// A sentence for people.
pub(crate) fn answer(corpus: &Corpus, question: &str) -> Result<Answer, String> {
    let plan = plan::plan(question);
    let mut findings = Vec::new();
    for task in &plan.tasks {
        findings.push(find::find(task, &retrieve(corpus, task, question)?));
    }
    let draft = write::write(&plan, &findings);
    let verified = verify::verify(draft, question, &|source| corpus.stored_text(source).ok().flatten());
    let (draft, struck) = (verified.draft, verified.struck);
    let mut cited = Vec::new();
    for evidence in draft.sections.iter().flat_map(|section| &section.claims).flat_map(|claim| &claim.evidence) {
        cited.push(Cited {
            file: evidence.file.to_string(),
            quote: evidence.quote.clone(),
            source: evidence.source.to_string(),
            range: evidence.start..evidence.end,
        });
    }
    // What the verifier struck would have been an invalid citation: counted as one, so that it cannot hide.
    cited.extend((0..struck).map(|_| Cited {
        file: String::new(),
        quote: String::new(),
        source: String::new(),
        range: 0..0,
    }));
    Ok(Answer { tasks: plan.tasks, findings, draft, cited })
}
