//! Who of the crew calls a model, and how does a watcher of the run learn of it? In numbers, never in text.

use std::sync::Arc;
use std::time::Duration;

use crate::event::Event;
use crate::gateway::{CallFailed, CallNews, Completed, FallBack, Pause};
use crate::research::TaskId;

/// Takes what is told of a call.
pub(in crate::supervisor) type OnCall = Arc<dyn Fn(Event) + Send + Sync>;

/// One of the crew, for what is told of its calls.
#[derive(Clone)]
pub(in crate::supervisor) struct Caller {
    role: &'static str,
    task: Option<TaskId>,
    /// `None` when nobody watches.
    on_call: Option<OnCall>,
}

impl Caller {
    pub(super) fn planner(on_call: Option<OnCall>) -> Self {
        Self { role: "planner", task: None, on_call }
    }

    pub(super) fn researcher(task: TaskId, on_call: OnCall) -> Self {
        Self { role: "researcher", task: Some(task), on_call: Some(on_call) }
    }

    pub(super) fn writer(on_call: OnCall) -> Self {
        Self { role: "writer", task: None, on_call: Some(on_call) }
    }

    pub(super) fn answered(&self, Completed { reply, model, times, source }: &Completed) {
        self.tell(|role, task| Event::ModelCalled {
            role,
            task,
            model: model.to_string(),
            source: *source,
            attempts: times.attempts,
            queue_ms: milliseconds(times.queue),
            provider_ms: milliseconds(times.provider),
            input_tokens: reply.usage.map(|usage| usage.input),
            output_tokens: reply.usage.map(|usage| usage.output),
        });
    }

    pub(super) fn failed(&self, model: &str, CallFailed { error, times, .. }: &CallFailed) {
        let (model, error_code) = (model.to_owned(), error.code().to_owned());
        let attempts = times.map(|times| times.attempts);
        self.tell(|role, task| Event::ModelCallFailed { role, task, model, error_code, attempts });
    }

    /// What becomes of a call on its way.
    pub(super) fn hears(&self, news: &CallNews) {
        self.tell(|role, task| match news {
            CallNews::FellBack(FallBack { from, to, error_code }, _) => {
                let (from, to, error_code) = (from.to_string(), to.to_string(), (*error_code).to_owned());
                Event::ModelFellBack { role, task, from, to, error_code }
            }
            CallNews::Waits(Pause { model, refused_model, wait }) => {
                let (model, refused_model) = (model.to_string(), refused_model.to_string());
                Event::ModelCallPaused { role, task, model, refused_model, pause_ms: milliseconds(*wait) }
            }
            CallNews::GoesOn(model) => Event::ModelCallResumed { role, task, model: model.to_string() },
        });
    }

    fn tell(&self, event: impl FnOnce(String, Option<TaskId>) -> Event) {
        if let Some(on_call) = &self.on_call {
            on_call(event(self.role.to_owned(), self.task));
        }
    }
}

pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
