//! How does a program fan its own work out and act on each reply when it arrives?
//!
//! The program is the supervisor: it holds a [`Replies`], which drives the pure [`FanOut`] and runs each task in an
//! agent of its own. Everything moves while the program waits in [`Replies::next`].

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::{FutureExt, future};
use thiserror::Error;
use tokio::time::Instant;

use super::collect::Collect;
use super::fan_out::{AddError, FanOut, FanOutLimits, Step};
use crate::agent::{Agent, Turn, WorkError};
use crate::error::AskError;
use crate::event::CancelReason;
use crate::mailbox::{AgentRef, AgentSpec, Reply};
use crate::runtime::{Runtime, RuntimeHandle};
use crate::scope::Scope;

/// How long a task may take when the limits do not say.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// How much longer than its deadline an answer is waited for: the fan-out's own look at the clock comes first.
const PATIENCE: Duration = Duration::from_secs(1);

/// Why a task of a fan-out has no reply.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TaskError {
    /// It failed for good; the text is for people.
    #[error("the task failed: {0}")]
    Failed(String),
    /// It was cancelled.
    #[error("the task was cancelled: {0:?}")]
    Cancelled(CancelReason),
}

impl TaskError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Failed(_) => "task_failed",
            Self::Cancelled(_) => "task_cancelled",
        }
    }

    /// Whether the same task may succeed in another fan-out: one that had no time, or that somebody interrupted. One that failed had all
    /// its attempts.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Cancelled(CancelReason::Deadline | CancelReason::Interrupted))
    }

    /// What to do about it. It says to try again where [`is_retryable`](Self::is_retryable) says that this may help.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Failed(_) => "look at what the task says",
            Self::Cancelled(CancelReason::Deadline) => "try again, or allow more time (`FanOutLimits::task_deadline`)",
            Self::Cancelled(CancelReason::Interrupted) => "try again",
            Self::Cancelled(_) => "go on with the replies that are there",
        }
    }
}

crate::shown_to_people!(TaskError);

/// What a task runs.
type Work<T, R> = Arc<dyn Fn(T, Scope) -> BoxFuture<'static, Result<R, String>> + Send + Sync>;
/// A task's number and attempt, and what its agent answered.
type Answer<R> = (usize, u32, Result<Result<R, String>, AskError>);

/// The program's side of a fan-out. Dropping it cancels what is left.
pub struct Replies<T, R: Send + 'static> {
    machine: FanOut<T, R>,
    work: Work<T, R>,
    runtime: RuntimeHandle,
    scope: Scope,
    answers: FuturesUnordered<BoxFuture<'static, Answer<R>>>,
    workers: BTreeMap<usize, (AgentRef<Job<R>>, Scope)>,
    ends: VecDeque<(usize, Result<R, TaskError>)>,
    task_deadline: Duration,
}

impl Runtime {
    /// Runs `work` for each of `tasks`, and for each that is added on the way, in an agent of its own. A task's number
    /// is its place in the order of adding. `work` gets a scope that ends with its task; its `Err` fails the attempt.
    pub fn fan_out<T, R, F>(
        &self,
        tasks: impl IntoIterator<Item = T>,
        collect: Collect<R>,
        limits: FanOutLimits,
        work: impl Fn(T, Scope) -> F + Send + Sync + 'static,
    ) -> Replies<T, R>
    where
        T: Clone + Send + 'static,
        R: Clone + Send + 'static,
        F: Future<Output = Result<R, String>> + Send + 'static,
    {
        let mut replies = Replies {
            task_deadline: limits.task_deadline.unwrap_or(LONGEST),
            machine: FanOut::new(collect, limits, tasks),
            work: Arc::new(move |task, scope| work(task, scope).boxed()),
            runtime: self.handle(),
            scope: Scope::root(),
            answers: FuturesUnordered::new(),
            workers: BTreeMap::new(),
            ends: VecDeque::new(),
        };
        let steps = replies.machine.begin(Instant::now());
        replies.take(steps);
        replies
    }
}

impl<T: Clone + Send + 'static, R: Clone + Send + 'static> Replies<T, R> {
    /// The next end of a task, with its number; `None` when the fan-out is over. Whether it is over is decided when the
    /// program comes back here, so that it can add tasks and cancel others first. Can be dropped and called again.
    pub async fn next(&mut self) -> Option<(usize, Result<R, TaskError>)> {
        loop {
            if let Some(end) = self.ends.pop_front() {
                return Some(end);
            }
            let steps = self.machine.settle(Instant::now());
            self.take(steps);
            if self.machine.is_finished() {
                return self.ends.pop_front();
            }
            let wake = self.machine.next_wake().map(|wake| wake.saturating_duration_since(Instant::now()));
            let alarm = wake.map_or(future::pending().boxed(), |wake| self.runtime.sleep(wake).boxed());
            tokio::select! {
                biased;
                () = self.runtime.closed() => self.finish(CancelReason::Parent),
                Some(answer) = self.answers.next() => self.answered(answer),
                () = alarm => {
                    let steps = self.machine.tick(Instant::now());
                    self.take(steps);
                }
            }
        }
    }

    /// Adds a task; it starts when it has a place. Returns its number.
    ///
    /// # Errors
    /// [`AddError`] when the fan-out is full or over.
    pub fn add(&mut self, task: T) -> Result<usize, AddError> {
        let (number, steps) = self.machine.add(task, Instant::now())?;
        self.take(steps);
        Ok(number)
    }

    /// Cancels one task, queued or running.
    pub fn cancel(&mut self, task: usize) {
        let steps = self.machine.cancel(task, CancelReason::Redundant, Instant::now());
        self.take(steps);
    }

    /// Cancels all that is left: what is there is enough.
    pub fn finish(&mut self, reason: CancelReason) {
        let steps = self.machine.cancel_all(reason, Instant::now());
        self.take(steps);
    }

    fn answered(&mut self, (task, attempt, answer): Answer<R>) {
        let (reason, retry) = match answer {
            Ok(Ok(reply)) => {
                if self.machine.record(task, attempt, reply.clone()) {
                    self.release(task, CancelReason::Parent);
                    self.ends.push_back((task, Ok(reply)));
                }
                return;
            }
            Ok(Err(reason)) => (reason, true),
            Err(AskError::Panicked) => ("its agent panicked".to_owned(), true),
            Err(error) => (error.to_string(), error.is_retryable()),
        };
        let steps = self.machine.failed(task, attempt, reason, retry, Instant::now());
        self.take(steps);
    }

    fn take(&mut self, steps: Vec<Step>) {
        for step in steps {
            match step {
                Step::Start { task, attempt } => self.start(task, attempt),
                Step::Retry { task, .. } => self.release(task, CancelReason::Parent),
                Step::Fail { task, reason } => {
                    self.release(task, CancelReason::Parent);
                    self.ends.push_back((task, Err(TaskError::Failed(reason))));
                }
                Step::Cancel { task, reason } => {
                    self.release(task, reason);
                    self.ends.push_back((task, Err(TaskError::Cancelled(reason))));
                }
                Step::Finish => {}
            }
        }
    }

    fn start(&mut self, number: usize, attempt: u32) {
        let Some(task) = self.machine.task(number).cloned() else { return };
        let scope = self.scope.child();
        let spec = AgentSpec::new(format!("task-{number}"), || Worker { reply: None }).scope(scope.clone());
        let answer = match self.runtime.spawn(spec) {
            Err(error) => future::ready(Ok(Err(error.to_string()))).boxed(),
            Ok(worker) => {
                let (work, inside) = (self.work.clone(), scope.clone());
                let make = Box::new(move || work(task, inside));
                let answer =
                    worker.ask(self.task_deadline.saturating_add(PATIENCE), |reply| Job::Begin { make, reply });
                self.workers.insert(number, (worker, scope));
                answer.boxed()
            }
        };
        self.answers.push(answer.map(move |answer| (number, attempt, answer)).boxed());
    }

    fn release(&mut self, task: usize, reason: CancelReason) {
        if let Some((_, scope)) = self.workers.remove(&task) {
            scope.cancel(reason);
        }
    }
}

impl<T, R: Send + 'static> Drop for Replies<T, R> {
    fn drop(&mut self) {
        self.scope.cancel(CancelReason::Redundant);
    }
}

/// The agent of one attempt at one task.
struct Worker<R> {
    reply: Option<Reply<Result<R, String>>>,
}

enum Job<R> {
    Begin { make: Box<dyn FnOnce() -> BoxFuture<'static, Result<R, String>> + Send>, reply: Reply<Result<R, String>> },
    Done(Result<Result<R, String>, WorkError>),
}

impl<R: Send + 'static> Agent for Worker<R> {
    type Message = Job<R>;

    fn handle(&mut self, message: Job<R>, turn: &mut Turn<'_, Job<R>>) {
        match message {
            Job::Begin { make, reply } => {
                self.reply = Some(reply);
                if let Err(refused) = turn.start(async move { make().await }, Job::Done) {
                    self.handle(refused, turn);
                }
            }
            Job::Done(result) => {
                if let Some(reply) = self.reply.take() {
                    reply.send(result.unwrap_or_else(|error| Err(error.to_string())));
                }
            }
        }
    }
}
