//! Which task may start now, which is redundant, and when is it over? Pure: time is an argument, effects are returned.
//!
//! Every method answers with the steps that follow, in order. Replies of tasks that are over, and of earlier attempts,
//! change nothing.

use std::time::Duration;

use thiserror::Error;
use tokio::time::Instant;

use super::collect::Collect;
use crate::event::CancelReason;

/// The bounds of a fan-out.
#[derive(Debug, Clone)]
pub struct FanOutLimits {
    /// At most this many tasks run at a time; the rest waits. 0 counts as 1: none at a time would never end.
    pub at_once: usize,
    /// At most this many tasks in all when one is added on the way. The tasks of the beginning are the caller's own.
    pub max_tasks: usize,
    /// How often a task is tried before it has failed. 0 counts as 1: it is tried.
    pub attempts: u32,
    /// How long one task may run, over all its attempts.
    pub task_deadline: Option<Duration>,
}

impl Default for FanOutLimits {
    fn default() -> Self {
        Self { at_once: 4, max_tasks: 1000, attempts: 2, task_deadline: None }
    }
}

/// What follows from something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Start this task; `attempt` is 1 for the first try.
    Start {
        /// Its number, in the order of adding.
        task: usize,
        /// Which try.
        attempt: u32,
    },
    /// The task failed and is tried again: a [`Step::Start`] follows.
    Retry {
        /// Its number.
        task: usize,
        /// What went wrong.
        reason: String,
    },
    /// The task failed for good.
    Fail {
        /// Its number.
        task: usize,
        /// What went wrong.
        reason: String,
    },
    /// Stop working on this task, if anybody does.
    Cancel {
        /// Its number.
        task: usize,
        /// Why.
        reason: CancelReason,
    },
    /// The fan-out is over: nothing follows.
    Finish,
}

/// Where a task is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TaskState<R> {
    /// It waits for a place.
    Queued,
    /// Somebody works on it.
    Running {
        /// Which try.
        attempt: u32,
        /// When it is cancelled.
        deadline: Option<Instant>,
    },
    /// It replied.
    Replied(R),
    /// It failed for good.
    Failed(String),
    /// It was cancelled.
    Cancelled(CancelReason),
}

/// There are as many tasks as the limits allow, or the fan-out is over.
#[derive(Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AddError {
    /// The bound on tasks is reached.
    #[error("the fan-out has its {0} tasks; raise max_tasks or add fewer")]
    TooMany(usize),
    /// It is over.
    #[error("the fan-out is over")]
    Finished,
}

impl AddError {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooMany(_) => "too_many_tasks",
            Self::Finished => "fan_out_finished",
        }
    }

    /// Whether the same task may be added later. It may not: the bound counts tasks that are done, too.
    pub fn is_retryable(&self) -> bool {
        false
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TooMany(_) => "raise `FanOutLimits::max_tasks`, or add fewer",
            Self::Finished => "begin another fan-out",
        }
    }
}

crate::shown_to_people!(AddError);

/// Tasks that are worked on side by side, and what came back.
#[derive(Debug)]
pub struct FanOut<T, R> {
    collect: Collect<R>,
    limits: FanOutLimits,
    tasks: Vec<(T, TaskState<R>)>,
    /// Numbers of the tasks that replied, in the order of their replies.
    arrived: Vec<usize>,
    /// Which replies a collection policy counts.
    counts: fn(&R) -> bool,
    begun: Option<Instant>,
    finished: bool,
}

impl<T, R> FanOut<T, R> {
    /// A fan-out that has not begun.
    pub fn new(collect: Collect<R>, limits: FanOutLimits, tasks: impl IntoIterator<Item = T>) -> Self {
        let tasks = tasks.into_iter().map(|task| (task, TaskState::Queued)).collect();
        Self { collect, limits, tasks, arrived: Vec::new(), counts: |_| true, begun: None, finished: false }
    }

    /// Lets the policies that count replies count only those for which `counts` holds.
    #[must_use]
    pub fn counting(mut self, counts: fn(&R) -> bool) -> Self {
        self.counts = counts;
        self
    }

    /// Starts what may start.
    pub fn begin(&mut self, now: Instant) -> Vec<Step> {
        self.begun = Some(now);
        self.settle(now)
    }

    /// Adds a task while the fan-out runs; returns its number and what follows. Does not decide whether it is over.
    ///
    /// # Errors
    /// [`AddError`] when it is over or full.
    pub fn add(&mut self, task: T, now: Instant) -> Result<(usize, Vec<Step>), AddError> {
        if self.finished {
            return Err(AddError::Finished);
        }
        if self.tasks.len() >= self.limits.max_tasks {
            return Err(AddError::TooMany(self.limits.max_tasks));
        }
        self.tasks.push((task, TaskState::Queued));
        Ok((self.tasks.len() - 1, self.start_waiting(Vec::new(), now)))
    }

    /// Goes on with further tasks after every one has come to its end; as many as the limits allow.
    pub(super) fn resume(&mut self, tasks: impl IntoIterator<Item = T>, now: Instant) -> Vec<Step> {
        self.finished = false;
        let room = self.limits.max_tasks.saturating_sub(self.tasks.len());
        self.tasks.extend(tasks.into_iter().take(room).map(|task| (task, TaskState::Queued)));
        self.settle(now)
    }

    /// Takes a reply in, without deciding whether the fan-out is over: the caller may add and cancel tasks first, and
    /// then [`settle`](Self::settle)s. `false` for a reply that comes too late.
    pub fn record(&mut self, task: usize, attempt: u32, reply: R) -> bool {
        if !self.is_running(task, attempt) {
            return false;
        }
        self.tasks[task].1 = TaskState::Replied(reply);
        self.arrived.push(task);
        true
    }

    /// Finishes if the policy is met or nothing is left; else starts what has a place.
    pub fn settle(&mut self, now: Instant) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.begun.is_none() || self.finished {
            return steps;
        }
        if self.collect.is_met(&self.replies(), self.tasks.len(), self.counts) {
            steps.extend(self.cancel_where(CancelReason::Redundant, |_, _| true));
        }
        let mut steps = self.start_waiting(steps, now);
        let is_open = |(_, state): &(T, TaskState<R>)| matches!(state, TaskState::Queued | TaskState::Running { .. });
        if !self.tasks.iter().any(is_open) {
            self.finished = true;
            steps.push(Step::Finish);
        }
        steps
    }

    /// An attempt failed. It is tried again if `retry`, its attempts and its deadline allow. Does not decide whether the
    /// fan-out is over.
    pub fn failed(&mut self, task: usize, attempt: u32, reason: String, retry: bool, now: Instant) -> Vec<Step> {
        if !self.is_running(task, attempt) {
            return Vec::new();
        }
        let TaskState::Running { deadline, .. } = self.tasks[task].1 else { return Vec::new() };
        if retry && attempt < self.limits.attempts && deadline.is_none_or(|deadline| now < deadline) {
            let attempt = attempt + 1;
            self.tasks[task].1 = TaskState::Running { attempt, deadline };
            return vec![Step::Retry { task, reason }, Step::Start { task, attempt }];
        }
        self.tasks[task].1 = TaskState::Failed(reason.clone());
        self.start_waiting(vec![Step::Fail { task, reason }], now)
    }

    /// Cancels one task, queued or running. Does not decide whether the fan-out is over.
    pub fn cancel(&mut self, task: usize, reason: CancelReason, now: Instant) -> Vec<Step> {
        let steps = self.cancel_where(reason, |number, _| number == task);
        self.start_waiting(steps, now)
    }

    /// Cancels all that is queued or running: the fan-out is over.
    pub fn cancel_all(&mut self, reason: CancelReason, now: Instant) -> Vec<Step> {
        let mut steps = self.cancel_where(reason, |_, _| true);
        steps.extend(self.settle(now));
        steps
    }

    /// Looks at the clock.
    pub fn tick(&mut self, now: Instant) -> Vec<Step> {
        let policy_is_over = self.policy_deadline().is_some_and(|deadline| deadline <= now);
        let due = |state: &TaskState<R>| matches!(state, TaskState::Running { deadline: Some(deadline), .. } if *deadline <= now);
        let mut steps = self.cancel_where(CancelReason::Deadline, |_, state| policy_is_over || due(state));
        steps.extend(self.settle(now));
        steps
    }

    /// When to [`tick`](Self::tick) next, if nothing else happens.
    pub fn next_wake(&self) -> Option<Instant> {
        if self.finished {
            return None;
        }
        let deadlines = self.tasks.iter().filter_map(|(_, state)| match state {
            TaskState::Running { deadline, .. } => *deadline,
            _ => None,
        });
        deadlines.chain(self.policy_deadline()).min()
    }

    /// The tasks in the order of adding, and where each is.
    pub fn tasks(&self) -> impl Iterator<Item = (&T, &TaskState<R>)> {
        self.tasks.iter().map(|(task, state)| (task, state))
    }

    /// The replies in the order of their arrival.
    pub fn replies(&self) -> Vec<&R> {
        let reply = |number: &usize| match &self.tasks[*number].1 {
            TaskState::Replied(reply) => Some(reply),
            _ => None,
        };
        self.arrived.iter().filter_map(reply).collect()
    }

    /// One task.
    pub fn task(&self, number: usize) -> Option<&T> {
        self.tasks.get(number).map(|(task, _)| task)
    }

    /// Whether it is over.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    fn is_running(&self, task: usize, attempt: u32) -> bool {
        let state = self.tasks.get(task).map(|(_, state)| state);
        matches!(state, Some(TaskState::Running { attempt: current, .. }) if *current == attempt)
    }

    fn policy_deadline(&self) -> Option<Instant> {
        match (&self.collect, self.begun) {
            (Collect::Deadline(after), Some(begun)) => begun.checked_add(*after),
            _ => None,
        }
    }

    fn cancel_where(&mut self, reason: CancelReason, which: impl Fn(usize, &TaskState<R>) -> bool) -> Vec<Step> {
        let mut steps = Vec::new();
        for (number, (_, state)) in self.tasks.iter_mut().enumerate() {
            let is_open = matches!(state, TaskState::Queued | TaskState::Running { .. });
            if is_open && which(number, state) {
                *state = TaskState::Cancelled(reason);
                steps.push(Step::Cancel { task: number, reason });
            }
        }
        steps
    }

    /// Starts what has a place.
    fn start_waiting(&mut self, mut steps: Vec<Step>, now: Instant) -> Vec<Step> {
        if self.begun.is_none() || self.finished {
            return steps;
        }
        let running = |(_, state): &&(T, TaskState<R>)| matches!(state, TaskState::Running { .. });
        let mut places = self.limits.at_once.max(1).saturating_sub(self.tasks.iter().filter(running).count());
        let deadline = self.limits.task_deadline.and_then(|limit| now.checked_add(limit));
        for (number, (_, state)) in self.tasks.iter_mut().enumerate() {
            if places > 0 && matches!(state, TaskState::Queued) {
                *state = TaskState::Running { attempt: 1, deadline };
                steps.push(Step::Start { task: number, attempt: 1 });
                places -= 1;
            }
        }
        steps
    }
}
