//! What do planner, researchers, writer and verifier hand to each other? Plain values, all positions in UTF-8 bytes.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Names a task within one run: `t1`, `t2`, ... in the order in which the tasks were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TaskId(pub u32);

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.0)
    }
}

impl From<TaskId> for String {
    fn from(id: TaskId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for TaskId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.strip_prefix('t')
            .and_then(|digits| digits.parse().ok())
            .map(TaskId)
            .ok_or_else(|| format!("`{text}` is not a task id such as `t1`"))
    }
}

/// One question that one researcher works on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its name within the run.
    pub id: TaskId,
    /// A question or a search phrase that stands on its own; it becomes a heading of the report.
    pub question: String,
}

/// What the planner makes of a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The question as the user asked it.
    pub question: String,
    /// At least one task, in the order in which the report treats them.
    pub tasks: Vec<Task>,
}

/// What a researcher asks a [`Retriever`](crate::ports::Retriever).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The task's own question: ranks at full weight.
    pub text: String,
    /// The whole question of the run: ranks at half weight. Equal to `text` when the plan has one task.
    pub whole: String,
    /// How many passages at the most.
    pub limit: usize,
}

/// A stretch of one stored document. `start..end` are bytes of the stored extracted text, and `text` is exactly those.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    /// Lower-case hexadecimal SHA-256 of the stored text.
    pub source: Arc<str>,
    /// The corpus path as the user gave it.
    pub corpus: Arc<str>,
    /// The file's path relative to the corpus, with `/` between parts.
    pub file: Arc<str>,
    /// The document's title.
    pub title: Arc<str>,
    /// The headings above the passage, outermost first.
    pub headings: Vec<String>,
    /// First byte in the stored text.
    pub start: usize,
    /// One past the last byte in the stored text.
    pub end: usize,
    /// The bytes `start..end`.
    pub text: String,
    /// Higher is better; comparable within one [`Retrieved`] only.
    pub score: f32,
}

/// A word of the query, reduced to its stem, and how rare it is in the corpus.
#[derive(Debug, Clone, PartialEq)]
pub struct Term {
    /// The stem, as [`crate::text`] makes it.
    pub stem: String,
    /// The number of passages that contain it.
    pub passages: u64,
}

/// A word that is not in the query but keeps the company of its words in this corpus.
#[derive(Debug, Clone, PartialEq)]
pub struct Related {
    /// The stem, as [`crate::text`] makes it.
    pub stem: String,
    /// From 0, a stranger, to 1, always together.
    pub nearness: f32,
}

/// What a [`Retriever`](crate::ports::Retriever) found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Retrieved {
    /// Best first.
    pub passages: Vec<Passage>,
    /// The content words of `Query::text`, in their order, each once.
    pub terms: Vec<Term>,
    /// Nearest first; a retriever that knows nothing of the kind leaves it empty.
    pub related: Vec<Related>,
    /// How many passages the whole corpus has.
    pub corpus_passages: u64,
}

/// Where a quote stands: bytes `start..end` of the stored text `source`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Lower-case hexadecimal SHA-256 of the stored text.
    pub source: Arc<str>,
    /// The corpus path as the user gave it.
    pub corpus: Arc<str>,
    /// The file's path relative to the corpus.
    pub file: Arc<str>,
    /// The document's title.
    pub title: Arc<str>,
    /// The headings above the quote, outermost first.
    pub headings: Vec<String>,
    /// First byte of the quote in the stored text.
    pub start: usize,
    /// One past the last byte of the quote.
    pub end: usize,
    /// Those bytes with each run of white space as one space; nothing is ever added.
    pub quote: String,
}

/// One sentence of an answer and what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The sentence as the report shows it. In extractive mode it is the quote itself.
    pub text: String,
    /// At least one.
    pub evidence: Vec<Evidence>,
    /// The only evidence with neighbouring sentences, shortest first: what the writer may show instead if there is room.
    pub wider: Vec<Evidence>,
    /// Higher is better; comparable within one run.
    pub score: f32,
}

/// A researcher's reply.
#[derive(Debug, Clone, PartialEq)]
pub struct Findings {
    /// The task this answers.
    pub task: TaskId,
    /// Best first. Empty means an honest "no evidence".
    pub claims: Vec<Claim>,
    /// How many passages were read to get here.
    pub passages_read: usize,
    /// The share of the question's words, weighted by rarity, that the best evidence covers: 0 to 1.
    pub coverage: f32,
}

/// One heading of the answer with its claims.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// The task it answers.
    pub task: TaskId,
    /// The heading: the task's question.
    pub heading: String,
    /// In the order in which they are read.
    pub claims: Vec<Claim>,
}

/// What the writer composes and the verifier checks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Draft {
    /// In the order of the plan; a task without claims has no section.
    pub sections: Vec<Section>,
}
