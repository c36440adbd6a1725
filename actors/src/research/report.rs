//! What does a person get in the end? The report, as it is written to JSON. Rendering is the facade's job.

use serde::{Deserialize, Serialize};

use super::{Plan, TaskId};
use crate::gateway::{Budget, Spent};

/// The version of [`Report`]'s JSON. It changes when a field is removed or changes its meaning.
pub const SCHEMA_VERSION: u32 = 1;

/// How a run ended, as the report says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Every part of the question has findings.
    Complete,
    /// At least one part has findings, and at least one is missing, whatever the cause, or the run was interrupted before its end.
    Partial,
    /// Every part was worked on to its end, and nothing was found.
    NoEvidence,
    /// Nothing was found and at least one part did not come to its end.
    Failed,
}

/// Who made the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generator {
    /// `extractive` (quotes and arranges, no language model) or `llm`.
    pub kind: String,
    /// The provider and model, `builtin/extractive` without one.
    pub model: String,
}

impl Generator {
    /// The generator of the rules: quotes only.
    pub fn extractive() -> Self {
        Self { kind: "extractive".into(), model: "builtin/extractive".into() }
    }

    /// A language model, by its whole name.
    pub fn llm(model: impl Into<String>) -> Self {
        Self { kind: "llm".into(), model: model.into() }
    }
}

/// A step of a run that a language model may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RunStep {
    /// Dividing the question into parts.
    Plan,
    /// Choosing evidence for one part.
    Research,
    /// Looking at what was found for what is missing.
    LookBack,
    /// Writing the answer.
    Write,
}

impl RunStep {
    /// Who of the crew does it, as the events say it.
    pub fn role(self) -> &'static str {
        match self {
            Self::Plan | Self::LookBack => "planner",
            Self::Research => "researcher",
            Self::Write => "writer",
        }
    }
}

/// A step that the rules did because the language model that was asked was no use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesInstead {
    /// Which step.
    pub step: RunStep,
    /// The part of the question, for [`RunStep::Research`].
    pub task: Option<TaskId>,
    /// The model that was asked, by its whole name; of a list the first.
    pub model: String,
    /// Why its answer was not used, or why there was none; for people. Behind that each other model of a list that was asked, with its
    /// own reason.
    pub reason: String,
}

/// A plan that was asked for alone, and who made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanReport {
    /// The plan.
    pub plan: Plan,
    /// Who made it.
    pub generator: Generator,
    /// Set when the rules made it because the model that was asked was no use.
    pub rules_instead: Option<RulesInstead>,
}

impl PlanReport {
    /// A plan of the rules, which no model was asked for.
    pub fn by_rules(plan: Plan) -> Self {
        Self { plan, generator: Generator::extractive(), rules_instead: None }
    }
}

/// A task as the report lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanEntry {
    /// The task's name.
    pub id: TaskId,
    /// The task's question.
    pub question: String,
}

/// One claim of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingEntry {
    /// The task it answers.
    pub task: TaskId,
    /// The sentence.
    pub text: String,
    /// Ids of [`Citation`]s, at least one.
    pub citations: Vec<u32>,
}

/// Where a quote stands. `start` and `end` are UTF-8 byte offsets in the stored extracted text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citation {
    /// 1, 2, ... in the order of first use.
    pub id: u32,
    /// The corpus path as given.
    pub corpus: String,
    /// The file relative to it.
    pub file: String,
    /// The document's title.
    pub title: String,
    /// The headings above the quote, outermost first.
    pub headings: Vec<String>,
    /// The quoted bytes with each run of white space as one space.
    pub quote: String,
    /// SHA-256 of the stored text, lower-case hexadecimal.
    pub source: String,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A passage that was retrieved for a part, and that nobody read before the part was cut short. No claim rests on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadPassage {
    /// The part it was retrieved for.
    pub task: TaskId,
    /// Where it stands; its quote is the whole passage. Its id goes on after those of the citations.
    #[serde(flatten)]
    pub passage: Citation,
}

/// A file that was not read, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedFile {
    /// The file's path as the corpus sees it.
    pub file: String,
    /// One short phrase, such as `binary` or `larger than 32 MiB`.
    pub reason: String,
}

/// What the run used of language models. All zero when the rules did everything.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Requests to a provider: a call that was made again counts each time, as each may cost something.
    pub model_calls: u64,
    /// Tokens sent, as the provider counts them.
    pub input_tokens: u64,
    /// Tokens received, as the provider counts them.
    pub output_tokens: u64,
    /// Calls whose tokens the provider did not tell: they are not in the sums.
    #[serde(default)]
    pub calls_without_usage: u64,
    /// US dollars; `None` when unknown, when none of the calls had a reply, and without a model. Zero when there is one and no call was made.
    pub cost_usd: Option<f64>,
}

/// Wall time in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// Opening and, where needed, building the index.
    pub index: u64,
    /// From the start of the command to the report.
    pub total: u64,
}

/// The report. This struct is the documented JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The run's id.
    pub run_id: String,
    /// The question as it was asked.
    pub question: String,
    /// How the run ended.
    pub status: Status,
    /// Who made the text.
    pub generator: Generator,
    /// The tasks, in the order of the report.
    pub plan: Vec<PlanEntry>,
    /// The answer as Markdown that is safe to show: a document's markup is escaped.
    pub answer_markdown: String,
    /// The claims of the answer.
    pub findings: Vec<FindingEntry>,
    /// The sources of the claims.
    pub citations: Vec<Citation>,
    /// What was retrieved and not read before the run was cut short: part by part, the best first.
    #[serde(default)]
    pub unread: Vec<UnreadPassage>,
    /// One sentence for each part that is missing, with its cause.
    pub not_found: Vec<String>,
    /// What was not done as it was asked for, in sentences; empty with the rules.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The steps that the rules did because the model that was asked was no use; empty with the rules.
    #[serde(default)]
    pub rules_instead: Vec<RulesInstead>,
    /// Files of the corpus that were not read.
    pub skipped: Vec<SkippedFile>,
    /// What language models cost.
    pub usage: Usage,
    /// How long it took.
    pub timing_ms: Timing,
}

impl Usage {
    /// What a run's budgets have seen. A call that is not over is one whose usage is unknown.
    pub(crate) fn of(budgets: &[Budget]) -> Self {
        let spent: Vec<_> = budgets.iter().map(Budget::spent).collect();
        let sum = |of: fn(&Spent) -> u64| spent.iter().map(of).fold(0, u64::saturating_add);
        let (model_calls, without_usage) = (sum(|spent| spent.calls), sum(|spent| spent.unknown_usage + spent.open));
        let is_priced = without_usage == 0 && sum(|spent| spent.unknown_price) == 0;
        // Replies that were kept cost nothing, whatever the price; of calls without any reply nobody says what they cost.
        let is_told = model_calls == 0 || sum(|spent| spent.input_tokens.saturating_add(spent.output_tokens)) > 0;
        let is_known = !budgets.is_empty() && is_priced && is_told;
        Self {
            model_calls,
            input_tokens: sum(|spent| spent.input_tokens),
            output_tokens: sum(|spent| spent.output_tokens),
            calls_without_usage: without_usage,
            cost_usd: is_known.then(|| sum(|spent| spent.micros) as f64 / 1e6),
        }
    }
}
