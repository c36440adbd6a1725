//! What do the documents say about one task? One researcher works on one task at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::Instrument;

use super::asked::NoUse;
use super::caller::{Caller, OnCall};
use super::consult::{CrewModel, Question};
use super::{Made, Strategy};
use crate::agent::{Agent, Turn, WorkError};
use crate::error::RetrieveError;
use crate::gateway::Priority;
use crate::mailbox::Reply;
use crate::ports::Retriever;
use crate::research::model::find;
use crate::research::{Findings, Query, Retrieved, Task, rules};
use crate::text::count;

/// Why a task has no findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::supervisor) struct TaskFailure {
    /// For people.
    pub(in crate::supervisor) reason: String,
    /// Whether trying again can help.
    pub(in crate::supervisor) retry: bool,
}

/// Says how far a researcher is: a short phrase for people.
pub(in crate::supervisor) type Progress = Box<dyn Fn(String) + Send>;

/// Takes what the search found before a model is asked about it, which may take long.
pub(in crate::supervisor) type OnRetrieved = Box<dyn Fn(Arc<Retrieved>) + Send>;

/// What a researcher understands.
pub(in crate::supervisor) enum ResearchTask {
    /// "Find this out."
    Begin {
        task: Task,
        /// The whole question of the run.
        whole: String,
        /// How long it may take with a model; then the rules decide.
        within: Duration,
        progress: Progress,
        on_retrieved: OnRetrieved,
        on_call: OnCall,
        /// The task's span: what the researcher does is recorded below it.
        span: tracing::Span,
        reply: Reply<Result<Made<Findings>, TaskFailure>>,
    },
    /// The search is over.
    Retrieved(Result<Result<Retrieved, RetrieveError>, WorkError>),
    /// The model chose, or did not.
    Chosen(Result<Result<Made<Findings>, NoUse>, WorkError>, Arc<Retrieved>),
}

/// The task in hand.
struct Current {
    task: Task,
    whole: String,
    until: Instant,
    progress: Progress,
    on_retrieved: OnRetrieved,
    on_call: OnCall,
    span: tracing::Span,
    reply: Reply<Result<Made<Findings>, TaskFailure>>,
}

/// The actor that researches.
pub(in crate::supervisor) struct Researcher {
    strategy: Strategy,
    retriever: Arc<dyn Retriever>,
    current: Option<Current>,
}

impl Researcher {
    pub(in crate::supervisor) fn new(strategy: Strategy, retriever: Arc<dyn Retriever>) -> Self {
        Self { strategy, retriever, current: None }
    }

    /// The passages are there: decides, or asks the model to.
    fn read(&mut self, current: Current, retrieved: Retrieved, turn: &mut Turn<'_, ResearchTask>) {
        let passages = retrieved.passages.len();
        (current.progress)(format!("retrieved {}", count(passages, "passage")));
        let Strategy::Model(model) = &self.strategy else {
            return current.reply.send(Ok(Made::by_rules(rules::find::find(&current.task, &retrieved))));
        };
        if retrieved.passages.is_empty() {
            // There is nothing that a model could choose from.
            (current.progress)(format!("{} is not asked", model.name));
            let findings = rules::find::find(&current.task, &retrieved);
            return current.reply.send(Ok(Made::by_rules_unasked(findings, &model.name)));
        }
        let retrieved = Arc::new(retrieved);
        (current.on_retrieved)(retrieved.clone());
        (current.progress)("asking the model".to_owned());
        let within = current.until.saturating_duration_since(Instant::now());
        let (task, whole) = (current.task.clone(), current.whole.clone());
        let caller = Caller::researcher(task.id, current.on_call.clone());
        let work = choose(model.clone(), task, whole, retrieved.clone(), within, caller);
        let work = work.instrument(current.span.clone());
        self.current = Some(current);
        if let Err(refused) = turn.start(work, |chosen| ResearchTask::Chosen(chosen, retrieved)) {
            self.handle(refused, turn);
        }
    }
}

async fn choose(
    model: Arc<CrewModel>,
    task: Task,
    whole: String,
    retrieved: Arc<Retrieved>,
    within: Duration,
    caller: Caller,
) -> Result<Made<Findings>, NoUse> {
    let ask = |step| find::request(&task, &whole, &retrieved, step, model.output_tokens);
    let read = |step, reply: &str| find::read(&task, &retrieved, step, reply);
    model.consult(Question { ask, read, within, priority: Priority::Normal, listener: None, caller }).await
}

impl Agent for Researcher {
    type Message = ResearchTask;

    fn handle(&mut self, message: ResearchTask, turn: &mut Turn<'_, ResearchTask>) {
        match message {
            ResearchTask::Begin { task, whole, within, progress, on_retrieved, on_call, span, reply } => {
                let inside = span.clone();
                let _inside = inside.enter();
                progress("searching".to_owned());
                let query = Query { text: task.question.clone(), whole: whole.clone(), limit: rules::find::PASSAGES };
                let search = self.retriever.search(query).instrument(tracing::info_span!("retrieval"));
                let until = Instant::now() + within;
                self.current = Some(Current { task, whole, until, progress, on_retrieved, on_call, span, reply });
                if let Err(refused) = turn.start(search, ResearchTask::Retrieved) {
                    self.handle(refused, turn);
                }
            }
            ResearchTask::Retrieved(result) => {
                let Some(current) = self.current.take() else { return };
                match result {
                    Ok(Ok(retrieved)) => self.read(current, retrieved, turn),
                    Ok(Err(error)) => {
                        let retry = error.is_retryable();
                        current.reply.send(Err(TaskFailure { reason: error.to_string(), retry }));
                    }
                    Err(error) => {
                        let reason = format!("the search failed: {error}");
                        current.reply.send(Err(TaskFailure { reason, retry: true }));
                    }
                }
            }
            ResearchTask::Chosen(chosen, retrieved) => {
                let Some(current) = self.current.take() else { return };
                let by_rules = || rules::find::find(&current.task, &retrieved);
                let made = match chosen {
                    Ok(Ok(findings)) => findings,
                    Ok(Err(no_use)) => no_use.rules_made(by_rules()),
                    Err(error) => Made::by_rules_instead(by_rules(), self.strategy.wanted(), error.to_string()),
                };
                current.reply.send(Ok(made));
            }
        }
    }
}
