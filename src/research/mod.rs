//! How does a program ask a question of its documents? The facade that joins a corpus to the actors.
//!
//! ```no_run
//! # async fn example() -> callboard::Result<()> {
//! let run = callboard::research("How does a supervisor learn that an agent died?").corpus("docs").start().await?;
//! let finished = run.finish().await?;
//! println!("{}", finished.report.answer_markdown);
//! # Ok(())
//! # }
//! ```

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use callboard_actors::event::{CancelReason, RunEvent};
use callboard_actors::research::{
    Failure, FailureCause, Plan, PlanReport, Report, SkippedFile, Status, Timing, assemble, inert, rules,
};
use callboard_actors::runtime::{Runtime, RuntimeConfig};
use callboard_actors::supervisor::{Crew, Run, RunEvents, RunOptions, plan_with_model};

use crate::choice::{Kept, ModelChoice};
pub use crate::config::{BY_RULES, WITH_MODEL};
use crate::corpus::{Corpus, CorpusOptions, IndexProgress};
use crate::error::{Error, MAX_QUESTION_BYTES, Result};
use crate::exit::ExitStatus;
use crate::report::json::ErrorEntry;
use crate::report::{Sources, files};
use crate::write_error::WriteError;

mod activity;
mod ended;
mod open;

use activity::Meter;
pub use activity::ModelActivity;
use open::{open, sources};

/// How many researchers may work at once.
pub const RESEARCHERS: std::ops::RangeInclusive<usize> = 1..=64;

/// How often a language model may plan.
pub const ITERATIONS: std::ops::RangeInclusive<u32> = 1..=10;

/// How much time a research may have.
pub const DEADLINE: std::ops::RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(24 * 60 * 60);

/// How long the actors may take to stop when the report is there.
const STOP_WITHIN: Duration = Duration::from_secs(1);

/// Starts to describe a research: add a corpus, then [`start`](Research::start) it.
pub fn research(question: impl Into<String>) -> Research {
    Research {
        question: question.into(),
        corpus: Vec::new(),
        corpus_options: CorpusOptions::default(),
        max_researchers: 4,
        deadline: None,
        model: None,
        iterations: 2,
        watch: Box::new(|_| ControlFlow::Continue(())),
        started: Instant::now(),
    }
}

/// The plan that the rules make of a question. Needs no corpus.
///
/// # Errors
/// [`Error::EmptyQuestion`] and [`Error::QuestionTooLong`].
pub fn plan(question: &str) -> Result<Plan> {
    check(question)?;
    Ok(rules::plan::plan(question))
}

/// A question, the documents to ask it of, and the limits.
pub struct Research {
    question: String,
    corpus: Vec<PathBuf>,
    corpus_options: CorpusOptions,
    max_researchers: usize,
    deadline: Option<Duration>,
    model: Option<ModelChoice>,
    iterations: u32,
    watch: Box<dyn FnMut(IndexProgress) -> ControlFlow<()> + Send>,
    /// The deadline and the report's time count from here.
    started: Instant,
}

impl Research {
    /// Adds a folder or a file to search. At least one is needed.
    pub fn corpus(mut self, path: impl Into<PathBuf>) -> Self {
        self.corpus.push(path.into());
        self
    }

    /// How the corpus is read and where its index is kept.
    pub fn corpus_options(mut self, options: CorpusOptions) -> Self {
        self.corpus_options = options;
        self
    }

    /// How many researchers work at once; more tasks wait for their turn. Within [`RESEARCHERS`], 4 by default.
    pub fn max_researchers(mut self, researchers: usize) -> Self {
        self.max_researchers = researchers;
        self
    }

    /// The time for everything, indexing included, counted from [`research`]. Within [`DEADLINE`]; 60 s by default, and
    /// 5 minutes with a language model.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// Plans, chooses evidence and writes with a language model, each step with the rules in its place when the model is no
    /// use. Without it nothing leaves the machine.
    pub fn model(mut self, model: ModelChoice) -> Self {
        self.model = Some(model);
        self
    }

    /// How often a language model plans: after each round it looks back at what was found and may add parts. Within
    /// [`ITERATIONS`], 2 by default. The rules plan once.
    pub fn iterations(mut self, iterations: u32) -> Self {
        self.iterations = iterations;
        self
    }

    /// Only the plan, by the model if there is one; the rules plan where it is no use, and what comes back says so. Needs no corpus, and a
    /// tokio runtime around it if there is a model.
    ///
    /// # Errors
    /// [`Error`] for a question without a word, and when only a person can put the model right.
    pub async fn plan(self) -> Result<PlanReport> {
        self.in_range()?;
        let within = self.time();
        let Some(model) = self.model else { return plan(&self.question).map(PlanReport::by_rules) };
        check(&self.question)?;
        let runtime = Runtime::start(RuntimeConfig::default())?;
        let kept = Kept::of(&model);
        let planned = plan_with_model(model.start(&runtime)?, &self.question, within).await;
        stop(runtime, kept).await;
        planned.map_err(|failure| unusable(&failure))
    }

    fn time(&self) -> Duration {
        self.deadline.unwrap_or(if self.model.is_some() { WITH_MODEL } else { BY_RULES })
    }

    /// Watches the indexing, on the thread that does it. `Break` ends it with [`Error::Interrupted`].
    pub fn on_index(mut self, watch: impl FnMut(IndexProgress) -> ControlFlow<()> + Send + 'static) -> Self {
        self.watch = Box::new(watch);
        self
    }

    /// Opens the corpus and starts the run. Needs a tokio runtime around it; blocking work happens on its blocking pool.
    ///
    /// Dropping the future stops the indexing at its next step; nobody waits for that step.
    ///
    /// # Errors
    /// [`Error`], before anything is read when a value is out of its range.
    pub async fn start(self) -> Result<ResearchRun> {
        self.validate()?;
        let end = self.started + self.time();
        let Self { question, corpus, corpus_options, max_researchers, model, iterations, watch, started, .. } = self;
        let corpus = open(corpus, corpus_options, watch, end).await?;
        let index = started.elapsed();
        let runtime = Runtime::start(RuntimeConfig::default())?;
        let kept = model.as_ref().map(Kept::of).unwrap_or_default();
        let (crew, meter) = match model {
            None => (Crew::by_rules(corpus.clone()), None),
            Some(choice) => {
                let model = choice.start(&runtime)?;
                let meter = Meter::of(&model);
                (Crew::with_model(corpus.clone(), model), Some(meter))
            }
        };
        let deadline = end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        let options = RunOptions { max_researchers, deadline, iterations, ..Default::default() };
        let run = runtime.research(&question, crew, options)?;
        Ok(ResearchRun { run, runtime, corpus, meter, kept, started, index })
    }

    /// Checks every value without reading anything. [`start`](Research::start) does so too.
    ///
    /// # Errors
    /// [`Error::EmptyQuestion`], [`Error::QuestionTooLong`], [`Error::NoCorpus`], [`Error::OutOfRange`], and [`Error::UnknownPrice`] of a
    /// model that may be asked, with a limit on costs.
    pub fn validate(&self) -> Result<()> {
        check(&self.question)?;
        if self.corpus.is_empty() {
            return Err(Error::NoCorpus);
        }
        self.in_range()
    }

    /// A limit on costs can be kept only where every model that may be asked has a price.
    fn priced(&self) -> Result<()> {
        let Some(choice) = self.model.as_ref().filter(|choice| choice.budget.micros.is_some()) else { return Ok(()) };
        let unknown = std::iter::once(&choice.model).chain(&choice.fallbacks).find(|model| model.price.is_none());
        unknown.map_or(Ok(()), |model| Err(Error::UnknownPrice { model: model.name.clone() }))
    }

    fn in_range(&self) -> Result<()> {
        if !RESEARCHERS.contains(&self.max_researchers) {
            let (low, high) = (RESEARCHERS.start(), RESEARCHERS.end());
            return Err(Error::OutOfRange(format!("{} researchers; choose {low} to {high}", self.max_researchers)));
        }
        if !ITERATIONS.contains(&self.iterations) {
            let (low, high) = (ITERATIONS.start(), ITERATIONS.end());
            return Err(Error::OutOfRange(format!("{} iterations; choose {low} to {high}", self.iterations)));
        }
        if !DEADLINE.contains(&self.time()) {
            let message = format!("a deadline of {:?}; choose 1 ms to 24 h", self.time());
            return Err(Error::OutOfRange(message));
        }
        self.priced()
    }
}

/// A run that has started. Dropping it cancels the run and ends its threads without waiting.
pub struct ResearchRun {
    run: Run,
    runtime: Runtime,
    corpus: Arc<Corpus>,
    /// The numbers of its language model, if it has one.
    meter: Option<Meter>,
    /// Where the replies of its language model are kept.
    kept: Kept,
    started: Instant,
    index: Duration,
}

impl ResearchRun {
    /// The run's id, as in its events and in its report.
    pub fn id(&self) -> &str {
        self.run.id()
    }

    /// Every event of the run from the first, as they come; ends after the run's end. May be called more than once.
    pub fn events(&self) -> RunEvents {
        self.run.events()
    }

    /// What the language models do right now, and what they have cost. `None` without one, and when its gateway does not answer:
    /// whoever shows it shows the last one then. Dropping the future is no harm.
    pub async fn model_activity(&self) -> Option<ModelActivity> {
        self.meter.as_ref()?.read().await
    }

    /// The files of the corpus that were not read, each with its reason.
    pub fn skipped(&self) -> &[SkippedFile] {
        self.corpus.skipped()
    }

    /// Ends the run in order: what was found becomes a partial report. Later calls change nothing.
    pub fn cancel(&self) {
        self.run.cancel(CancelReason::Interrupted);
    }

    /// Waits for the end, within the deadline and about a second more, and makes the report.
    ///
    /// # Errors
    /// [`Error::Model`] and [`Error::Budget`] when the language model could not be asked even once;
    /// [`Error::Sources`] when a stored text that the report cites cannot be read.
    pub async fn finish(mut self) -> Result<Finished> {
        let outcome = self.run.outcome().await;
        let events = self.run.log();
        stop(self.runtime, self.kept).await;
        if let (Status::Failed, Some(failure)) = (outcome.status, &outcome.failure)
            && failure.cause != FailureCause::Internal
        {
            return Err(unusable(failure));
        }
        let exit = ExitStatus::of(&outcome);
        let sources = sources(&outcome, self.corpus.as_ref()).await?;
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let timing = Timing { index: milliseconds(self.index), total: milliseconds(self.started.elapsed()) };
        let report = assemble(outcome, self.corpus.skipped().to_vec(), timing);
        Ok(Finished { report, events, sources, exit })
    }
}

/// A research that came to its end.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The report.
    pub report: Report,
    /// Every event of the run, from the first to its end.
    pub events: Vec<RunEvent>,
    /// The stored texts that the report cites.
    pub sources: Sources,
    /// The exit code of a program that ends with this report.
    pub exit: ExitStatus,
}

impl Finished {
    /// What the JSON of the report has as its `error`: that it was interrupted, or that nothing was found before its deadline. `None` where
    /// the run ended as it should, also with parts missing.
    pub fn error(&self) -> Option<ErrorEntry> {
        ended::error(self.exit, &self.report)
    }

    /// Writes the report's files into `folder`, with [`error`](Self::error) in the JSON. See [`files::write`]; blocks.
    ///
    /// # Errors
    /// [`WriteError`] when a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), WriteError> {
        self.write_with(folder, self.error())
    }

    /// The same with an error of the caller's own, such as one whose hint names flags.
    ///
    /// # Errors
    /// [`WriteError`] when a file cannot be written.
    pub fn write_with(&self, folder: &Path, error: Option<ErrorEntry>) -> Result<(), WriteError> {
        files::write(folder, &self.report, error, &self.events, &self.sources)
    }
}

/// Stops the actors, then has what is still to be kept written.
async fn stop(runtime: Runtime, kept: Kept) {
    runtime.stop(STOP_WITHIN).await;
    kept.close_within(STOP_WITHIN).await;
}

fn unusable(failure: &Failure) -> Error {
    match failure.cause {
        FailureCause::Budget => Error::Budget(failure.message.clone()),
        _ => Error::Model { message: failure.message.clone(), error: failure.error.clone() },
    }
}

fn check(question: &str) -> Result<()> {
    // Without a letter or a digit there is no word to search for.
    if !question.chars().any(|c| c.is_alphanumeric() && !inert::is_hostile(c)) {
        return Err(Error::EmptyQuestion);
    }
    match question.len() {
        ..=MAX_QUESTION_BYTES => Ok(()),
        bytes => Err(Error::QuestionTooLong { bytes }),
    }
}

#[cfg(test)]
mod tests {
    use callboard_actors::gateway::{BudgetLimits, Price, ServedModel};

    use super::*;
    use crate::testkit::ScriptedModel;

    #[tokio::test]
    async fn a_limit_on_costs_without_a_price_is_refused_before_anything_is_done() {
        let model = Arc::new(ScriptedModel::new());
        let served = |name: &str, price| ServedModel { price, ..ServedModel::new(name, model.clone()) };
        let known = Some(Price { input: 1, output: 1 });
        let asked = |fallback: ServedModel, micros| {
            let budget = BudgetLimits { micros, tokens: None };
            let choice = ModelChoice::new(served("played/one", known));
            research("What is it?").corpus("nowhere").model(ModelChoice { fallbacks: vec![fallback], budget, ..choice })
        };
        let unpriced = || asked(served("played/two", None), Some(1));
        for error in [unpriced().validate().unwrap_err(), unpriced().plan().await.unwrap_err()] {
            assert_eq!((error.code(), error.exit_status()), ("unknown_price", ExitStatus::Input));
            assert!(error.to_string().contains("played/two"), "{error}");
        }
        assert!(asked(served("played/two", None), None).validate().is_ok(), "without a limit nobody needs a price");
        assert!(asked(served("played/two", known), Some(1)).validate().is_ok());
        assert_eq!(model.asked().len(), 0);
    }
}
