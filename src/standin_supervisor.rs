//! Stand-in until the supervisor is merged.
#![allow(missing_docs, dead_code)]
use callboard_actors::error::StartError;
use callboard_actors::event::{CancelReason, Event, RunEvent};
use callboard_actors::ports::{Retriever, SourceStore};
use callboard_actors::research::{Draft, Missing, MissingCause, Outcome, Status, Usage, rules};
use callboard_actors::runtime::Runtime;
use std::sync::Arc;
use std::time::Duration;

pub struct Crew {
    pub retriever: Arc<dyn Retriever>,
    pub sources: Arc<dyn SourceStore>,
}
#[derive(Debug, Clone)]
pub struct RunOptions {
    pub max_researchers: usize,
    pub deadline: Duration,
}
impl Default for RunOptions {
    fn default() -> Self {
        Self { max_researchers: 4, deadline: Duration::from_secs(60) }
    }
}
pub struct Run {
    question: String,
}
pub struct RunEvents(Vec<RunEvent>);
impl RunEvents {
    pub async fn next(&mut self) -> Option<RunEvent> {
        self.0.pop()
    }
}
impl Run {
    pub fn id(&self) -> &str {
        "r-standin"
    }
    pub fn events(&self) -> RunEvents {
        RunEvents(self.log())
    }
    pub fn cancel(&self, _: CancelReason) {}
    pub async fn outcome(&self) -> Outcome {
        let plan = rules::plan::plan(&self.question);
        let missing = plan.tasks.iter().map(|task| Missing {
            task: task.id,
            question: task.question.clone(),
            cause: MissingCause::NoEvidence,
        });
        Outcome {
            run_id: self.id().into(),
            question: self.question.clone(),
            missing: missing.collect(),
            plan,
            draft: Draft::default(),
            status: Status::NoEvidence,
            cancelled: None,
            struck: 0,
            usage: Usage::default(),
        }
    }
    pub fn log(&self) -> Vec<RunEvent> {
        let event = Event::RunFinished { status: Status::NoEvidence, cancelled: None };
        vec![RunEvent { schema_version: 1, run_id: self.id().into(), seq: 1, at_ms: 0, event }]
    }
}
pub trait Research {
    fn research(&self, question: String, crew: Crew, options: RunOptions) -> Result<Run, StartError>;
}
impl Research for Runtime {
    fn research(&self, question: String, _: Crew, _: RunOptions) -> Result<Run, StartError> {
        Ok(Run { question })
    }
}
