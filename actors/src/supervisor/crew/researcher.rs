//! What do the documents say about one task? One researcher works on one task at a time.

use std::sync::Arc;

use tracing::Instrument;

use super::Strategy;
use crate::agent::{Agent, Turn, WorkError};
use crate::error::RetrieveError;
use crate::mailbox::Reply;
use crate::ports::Retriever;
use crate::research::{Findings, Query, Retrieved, Task, rules};

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

/// What a researcher understands.
pub(in crate::supervisor) enum ResearchTask {
    /// "Find this out."
    Begin {
        task: Task,
        /// The whole question of the run.
        whole: String,
        progress: Progress,
        /// The task's span: what the researcher does is recorded below it.
        span: tracing::Span,
        reply: Reply<Result<Findings, TaskFailure>>,
    },
    /// The search is over.
    Retrieved(Result<Result<Retrieved, RetrieveError>, WorkError>),
}

/// The task in hand.
struct Current {
    task: Task,
    progress: Progress,
    reply: Reply<Result<Findings, TaskFailure>>,
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

    fn conclude(&self, current: Current, retrieved: &Retrieved) {
        (current.progress)(format!("read {} passages", retrieved.passages.len()));
        let findings = match self.strategy {
            Strategy::Rules => rules::find::find(&current.task, retrieved),
        };
        current.reply.send(Ok(findings));
    }
}

impl Agent for Researcher {
    type Message = ResearchTask;

    fn handle(&mut self, message: ResearchTask, turn: &mut Turn<'_, ResearchTask>) {
        match message {
            ResearchTask::Begin { task, whole, progress, span, reply } => {
                let _inside = span.enter();
                progress("searching".to_owned());
                let query = Query { text: task.question.clone(), whole, limit: rules::find::PASSAGES };
                let search = self.retriever.search(query).instrument(tracing::info_span!("retrieval"));
                self.current = Some(Current { task, progress, reply });
                if let Err(refused) = turn.start(search, ResearchTask::Retrieved) {
                    self.handle(refused, turn);
                }
            }
            ResearchTask::Retrieved(result) => {
                let Some(current) = self.current.take() else { return };
                match result {
                    Ok(Ok(retrieved)) => self.conclude(current, &retrieved),
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
        }
    }
}
