//! What can a watcher see? One ordered stream of run events: progress bars, JSON lines, journal and tests read this one.

use serde::{Deserialize, Serialize};

use crate::gateway::{BreakerState, Source};
use crate::research::{Status, Task, TaskId};

/// One thing that happened in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunEvent {
    /// The version of this JSON.
    pub schema_version: u32,
    /// The run it belongs to.
    pub run_id: String,
    /// 1, 2, 3, ... without a gap within the run.
    pub seq: u64,
    /// Milliseconds since the run started.
    pub at_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Why a task was cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    /// The collection policy had what it needs.
    Redundant,
    /// The task's or the run's deadline passed.
    Deadline,
    /// The user, or the program, cancelled the run.
    Interrupted,
    /// Something above it in the tree was cancelled or stopped.
    Parent,
}

/// The kinds of things that happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The run accepted its question.
    RunStarted {
        /// As it was asked.
        question: String,
    },
    /// The planner answered.
    PlanMade {
        /// In the order of the report.
        tasks: Vec<Task>,
    },
    /// A reply, or the program, added a task to a running fan-out.
    TaskAdded {
        /// The new task.
        task: Task,
    },
    /// A researcher got the task.
    TaskStarted {
        /// Which task.
        task: TaskId,
        /// 1 for the first try.
        attempt: u32,
    },
    /// A researcher says how far it is.
    TaskProgress {
        /// Which task.
        task: TaskId,
        /// A short phrase for people, such as `retrieved 24 passages`. Never text of a document.
        note: String,
    },
    /// A researcher replied.
    TaskFinished {
        /// Which task.
        task: TaskId,
        /// How many claims it found; 0 is an honest "no evidence".
        claims: usize,
    },
    /// A researcher failed for good.
    TaskFailed {
        /// Which task.
        task: TaskId,
        /// What went wrong, for people.
        reason: String,
    },
    /// A researcher failed and the task is tried again.
    TaskRetried {
        /// Which task.
        task: TaskId,
        /// What went wrong, for people.
        reason: String,
    },
    /// A task was cancelled, queued or running.
    TaskCancelled {
        /// Which task.
        task: TaskId,
        /// Why.
        reason: CancelReason,
    },
    /// Every task came to its end, and the planner looks at what was found for what is missing.
    LookBackStarted,
    /// A language model was no use for one step, and the rules decided it instead.
    RulesInstead {
        /// Who asked the model: `planner`, `researcher` or `writer`.
        role: String,
        /// The researcher's task.
        task: Option<TaskId>,
        /// The model that was asked, by its whole name; of a list the first.
        #[serde(default)]
        model: String,
        /// Why, for people. Behind that each other model of a list that was asked, with its own reason.
        reason: String,
    },
    /// A call of a language model was answered. Whether the answer is any use is seen after it.
    ModelCalled {
        /// Who asked: `planner`, `researcher` or `writer`.
        role: String,
        /// The researcher's task.
        task: Option<TaskId>,
        /// The model that answered, by its whole name.
        model: String,
        /// Whether the call was made; a `cache`d or `shared` answer costs nothing, whatever its tokens are.
        source: Source,
        /// How often the call was made; 0 when it was answered without the provider.
        attempts: u32,
        /// Milliseconds in line at the gateway: for a place, for a rate, for the next attempt.
        queue_ms: u64,
        /// Milliseconds at the provider, in all attempts.
        provider_ms: u64,
        /// Tokens of the request, as the provider counts them; `None` when it did not say, which is not 0.
        input_tokens: Option<u64>,
        /// Tokens of the reply, in the same way.
        output_tokens: Option<u64>,
    },
    /// A call of a language model failed for good, or was not made. What is done instead is seen after it: less text, the
    /// rules, or the end of the run. A call that waits for what others have reserved of the budget has not failed, and one
    /// whose caller left has neither event.
    ModelCallFailed {
        /// Who asked: `planner`, `researcher` or `writer`.
        role: String,
        /// The researcher's task.
        task: Option<TaskId>,
        /// The model that was asked, by its whole name; of a list the last.
        model: String,
        /// The code of the error, such as `timeout`. Never what a provider wrote.
        error_code: String,
        /// How often the call was made, of all models of a list together; 0 when it was not, `None` when nobody knows.
        #[serde(default)]
        attempts: Option<u32>,
    },
    /// A call of a language model is held back, as a provider asked for that. Told of a second or more; again when it becomes at least
    /// twice as long.
    ModelCallPaused {
        /// Who asked: `planner`, `researcher` or `writer`.
        role: String,
        /// The researcher's task.
        task: Option<TaskId>,
        /// The model that waits, by its whole name.
        model: String,
        /// The model whose call was refused, by its whole name: the same, or another one with its key.
        refused_model: String,
        /// Milliseconds from now on, of which a share is chance when the call was refused itself. It may have to wait for its place after that.
        pause_ms: u64,
    },
    /// A call that was held back is held back no longer: its model is asked. A call that turns to another model, or ends, while it is held
    /// back has the events for that instead.
    ModelCallResumed {
        /// Who asked: `planner`, `researcher` or `writer`.
        role: String,
        /// The researcher's task.
        task: Option<TaskId>,
        /// The model that is asked, by its whole name.
        model: String,
    },
    /// A call of a language model turned to the next model of its list, which is about to be asked. What became of it is told
    /// after it, by the events above.
    ModelFellBack {
        /// Who asked: `planner`, `researcher` or `writer`.
        role: String,
        /// The researcher's task.
        task: Option<TaskId>,
        /// The model that could not answer, by its whole name.
        from: String,
        /// The model that is asked instead, by its whole name.
        to: String,
        /// The code of the first one's error, such as `timeout`; `breaker_open`, `paused` or `overloaded` when it was
        /// not asked: as its breaker is open, as its provider has asked everybody to wait, or as its line is too long. Never what a provider wrote.
        error_code: String,
    },
    /// The circuit breaker of a model that the run may use opened, lets one call try, or closed. Whoever's calls caused it; a
    /// run that begins while it is open, or lets a call try, is told so first.
    ModelBreakerChanged {
        /// The model, by its whole name.
        model: String,
        /// What it is now.
        breaker: BreakerState,
        /// Milliseconds until a call may try, while it is `open`.
        open_ms: Option<u64>,
    },
    /// Nobody calls a model that the run may use for a while: its provider asked for that with a 429 about a rate. Told when a
    /// pause begins, and when what is left of it becomes at least twice as long.
    ModelPaused {
        /// The model, by its whole name.
        model: String,
        /// The model whose call was refused, by its whole name: the same, or another one with its key.
        #[serde(default)]
        refused_model: String,
        /// How long, in milliseconds.
        pause_ms: u64,
    },
    /// So many calls of a model that the run may use can be in flight from now on, as its provider is found to hold. Told in
    /// steps: when the number has doubled, or lost a quarter, since it was told last.
    ModelLimitChanged {
        /// The model, by its whole name.
        model: String,
        /// Calls at a time.
        limit: usize,
        /// What was told last, to this run or to others.
        before: usize,
    },
    /// A call of a model that the run may use failed, and is made again. Whoever's call it is; one is told in a second for each
    /// model, as in an outage there are many.
    ModelCallRetried {
        /// The model, by its whole name.
        model: String,
        /// The code of the error, such as `unavailable`. Never what a provider wrote.
        error_code: String,
        /// How often this model has made the call so far.
        attempt: u32,
        /// Milliseconds until it is made again, at the earliest.
        delay_ms: u64,
    },
    /// The run was too slow to hear of so many changes of its models, which are the ones before this place.
    ModelChangesMissed {
        /// How many.
        changes: u64,
    },
    /// A piece of the answer while a language model writes it. Each sentence rests on findings and says no more than their
    /// quotes; the verifier has not looked at the stored text yet.
    AnswerText {
        /// The next sentences or a heading, as Markdown without citations. It is text, not markup: show it inert.
        text: String,
    },
    /// The fan-out is over.
    CollectionFinished {
        /// How many tasks replied.
        replies: usize,
    },
    /// The verifier checked every quote against the stored text.
    ReportVerified {
        /// Claims whose quotes all stand in the stored text.
        kept: usize,
        /// Claims that were struck, and sentences of a model that rest on nothing.
        struck: usize,
        /// Claims of a model that said more than their quotes, and show the quote instead.
        #[serde(default)]
        quoted: usize,
    },
    /// The run's end, recorded exactly once and always last.
    RunFinished {
        /// How it ended.
        status: Status,
        /// Set when it was cut short.
        cancelled: Option<CancelReason>,
    },
}
