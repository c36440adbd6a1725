//! Who works on which task, and what came back? A run as a pure state machine: inputs and the time in, commands out.
//!
//! Plan, fan out, write, verify, end. The supervisor's shell carries out the commands and brings what comes back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::collect::Collect;
use super::fan_out::{FanOut, FanOutLimits, Step, TaskState};
use crate::event::{CancelReason, Event};
use crate::research::{Draft, Findings, Missing, MissingCause, Outcome, Plan, Status, Task, TaskId, Usage};

/// How long writing and verifying may take after the deadline: a run ends within its deadline plus one second.
const WRAP_UP: Duration = Duration::from_millis(900);

/// A researcher's reply, as the program's own decision sees it.
#[derive(Debug, Clone, Copy)]
pub struct TaskReply<'a> {
    /// The task that replied.
    pub task: &'a Task,
    /// What it found.
    pub findings: &'a Findings,
    /// How many tasks have replied, this one included.
    pub replies: usize,
}

/// What the program wants to follow from a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FollowUp {
    /// Research this as well.
    Add(String),
    /// This task is redundant now.
    Cancel(TaskId),
    /// What is there is enough.
    Finish,
}

/// Decides about each reply when it arrives. It runs on the supervisor's shard and must not block.
pub type OnReply = Arc<dyn Fn(TaskReply<'_>) -> Vec<FollowUp> + Send + Sync>;

/// What a machine is made of.
#[derive(Clone)]
pub(super) struct MachinePlan {
    pub(super) run_id: String,
    pub(super) question: String,
    pub(super) limits: FanOutLimits,
    pub(super) collect: Collect<Findings>,
    pub(super) deadline: Instant,
    pub(super) on_reply: Option<OnReply>,
}

/// What happened.
pub(super) enum Input {
    Planned(Result<Plan, String>),
    Replied { task: TaskId, attempt: u32, findings: Findings },
    Failed { task: TaskId, attempt: u32, reason: String, retry: bool },
    Written(Result<Draft, String>),
    Verified(Result<(Draft, usize), String>),
    Cancel(CancelReason),
    Tick,
}

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(super) enum Command {
    Emit(Event),
    AskPlanner,
    Research { task: Task, attempt: u32 },
    Abandon { task: TaskId, reason: CancelReason },
    AskWriter { plan: Plan, findings: Vec<Findings> },
    AskVerifier { draft: Draft },
    Finish(Box<Outcome>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Planning,
    Collecting,
    Writing,
    Verifying,
    Finished,
}

/// One run.
pub(super) struct Machine {
    made_of: MachinePlan,
    phase: Phase,
    fan_out: FanOut<Task, Findings>,
    /// Why a part that was found is not in the draft, when it is not the verifier.
    lost: Option<String>,
    written: BTreeMap<TaskId, usize>,
    /// What the verifier was asked about.
    unverified: Draft,
    /// How many verifiers were asked and have not failed.
    verifiers: u32,
    draft: Draft,
    struck: usize,
    cancelled: Option<CancelReason>,
    /// When writing and verifying must be over.
    wrap_up: Option<Instant>,
    commands: Vec<Command>,
}

impl Machine {
    pub(super) fn new(made_of: MachinePlan) -> Self {
        let fan_out = FanOut::new(made_of.collect.clone(), made_of.limits.clone(), []);
        Self {
            made_of,
            phase: Phase::Planning,
            fan_out,
            lost: None,
            written: BTreeMap::new(),
            unverified: Draft::default(),
            verifiers: 0,
            draft: Draft::default(),
            struck: 0,
            cancelled: None,
            wrap_up: None,
            commands: Vec::new(),
        }
    }

    pub(super) fn begin(&mut self) -> Vec<Command> {
        self.emit(Event::RunStarted { question: self.made_of.question.clone() });
        self.commands.push(Command::AskPlanner);
        std::mem::take(&mut self.commands)
    }

    /// What follows from `input`.
    pub(super) fn on(&mut self, input: Input, now: Instant) -> Vec<Command> {
        match (self.phase, input) {
            (Phase::Finished, _) => {}
            (_, Input::Cancel(reason)) => self.cancel(reason, now),
            (_, Input::Tick) => self.tick(now),
            (Phase::Planning, Input::Planned(Ok(plan))) => self.planned(plan, now),
            (Phase::Planning, Input::Planned(Err(reason))) => {
                self.lost = Some(reason);
                self.finish();
            }
            (Phase::Collecting, Input::Replied { task, attempt, findings }) => {
                self.replied(task, attempt, findings, now);
            }
            (Phase::Collecting, Input::Failed { task, attempt, reason, retry }) => {
                let mut steps = self.fan_out.failed(number(task), attempt, reason, retry, now);
                steps.extend(self.fan_out.settle(now));
                self.take(steps, now);
            }
            (Phase::Writing, Input::Written(Ok(draft))) => self.has_written(draft),
            (Phase::Verifying, Input::Verified(Ok((draft, struck)))) => self.has_verified(draft, struck),
            (Phase::Verifying, Input::Verified(Err(_))) if self.verifiers > 1 => self.verifiers -= 1,
            (Phase::Writing, Input::Written(Err(reason))) | (Phase::Verifying, Input::Verified(Err(reason))) => {
                self.lost = Some(reason);
                self.finish();
            }
            // An answer to a question that nobody asks any more.
            _ => {}
        }
        std::mem::take(&mut self.commands)
    }

    /// When to send [`Input::Tick`] next.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        match self.phase {
            Phase::Planning => Some(self.made_of.deadline),
            Phase::Collecting => self.fan_out.next_wake().into_iter().chain([self.made_of.deadline]).min(),
            Phase::Writing | Phase::Verifying => self.wrap_up,
            Phase::Finished => None,
        }
    }

    /// How long an answer of this phase may take.
    pub(super) fn patience(&self, now: Instant) -> Duration {
        let until = self.wrap_up.unwrap_or(self.made_of.deadline);
        until.saturating_duration_since(now)
    }

    fn emit(&mut self, event: Event) {
        self.commands.push(Command::Emit(event));
    }

    fn planned(&mut self, plan: Plan, now: Instant) {
        self.phase = Phase::Collecting;
        // The machine numbers the tasks itself, whatever the planner wrote.
        let numbered = plan.tasks.into_iter().enumerate().map(|(number, task)| Task { id: id(number), ..task });
        let tasks: Vec<Task> = numbered.collect();
        self.emit(Event::PlanMade { tasks: tasks.clone() });
        self.fan_out = FanOut::new(self.made_of.collect.clone(), self.made_of.limits.clone(), tasks)
            .counting(|findings| !findings.claims.is_empty());
        let steps = self.fan_out.begin(now);
        self.take(steps, now);
    }

    fn replied(&mut self, task: TaskId, attempt: u32, findings: Findings, now: Instant) {
        let claims = findings.claims.len();
        if !self.fan_out.record(number(task), attempt, findings) {
            return;
        }
        self.emit(Event::TaskFinished { task, claims });
        for follow_up in self.follow_ups(task) {
            self.follow(follow_up, now);
        }
        let steps = self.fan_out.settle(now);
        self.take(steps, now);
    }

    fn follow_ups(&self, task: TaskId) -> Vec<FollowUp> {
        let Some(on_reply) = &self.made_of.on_reply else { return Vec::new() };
        let replied = self.fan_out.tasks().nth(number(task));
        let Some((task, TaskState::Replied(findings))) = replied else { return Vec::new() };
        on_reply(TaskReply { task, findings, replies: self.fan_out.replies().len() })
    }

    fn follow(&mut self, follow_up: FollowUp, now: Instant) {
        match follow_up {
            FollowUp::Add(question) => {
                let task = Task { id: id(self.fan_out.tasks().count()), question };
                match self.fan_out.add(task.clone(), now) {
                    Ok((_, steps)) => {
                        self.emit(Event::TaskAdded { task });
                        self.take(steps, now);
                    }
                    Err(error) => tracing::warn!(%error, "a task was not added"),
                }
            }
            FollowUp::Cancel(task) => {
                let steps = self.fan_out.cancel(number(task), CancelReason::Redundant, now);
                self.take(steps, now);
            }
            FollowUp::Finish => {
                let steps = self.fan_out.cancel_all(CancelReason::Redundant, now);
                self.take(steps, now);
            }
        }
    }

    /// Carries the fan-out's steps over into commands and events.
    fn take(&mut self, steps: Vec<Step>, now: Instant) {
        for step in steps {
            match step {
                Step::Start { task, attempt } => {
                    let Some(task) = self.fan_out.task(task).cloned() else { continue };
                    self.emit(Event::TaskStarted { task: task.id, attempt });
                    self.commands.push(Command::Research { task, attempt });
                }
                Step::Retry { task, reason } => self.emit(Event::TaskRetried { task: id(task), reason }),
                Step::Fail { task, reason } => {
                    self.emit(Event::TaskFailed { task: id(task), reason });
                    self.commands.push(Command::Abandon { task: id(task), reason: CancelReason::Parent });
                }
                Step::Cancel { task, reason } => {
                    self.emit(Event::TaskCancelled { task: id(task), reason });
                    self.commands.push(Command::Abandon { task: id(task), reason });
                }
                Step::Finish => self.collected(now),
            }
        }
    }

    fn collected(&mut self, now: Instant) {
        self.emit(Event::CollectionFinished { replies: self.fan_out.replies().len() });
        self.phase = Phase::Writing;
        self.wrap_up = Some(if self.cancelled.is_some() { now + WRAP_UP } else { self.made_of.deadline + WRAP_UP });
        let mut findings: Vec<Findings> = self.fan_out.replies().into_iter().cloned().collect();
        findings.sort_by_key(|findings| findings.task);
        if findings.iter().all(|findings| findings.claims.is_empty()) {
            return self.finish();
        }
        self.commands.push(Command::AskWriter { plan: self.plan(), findings });
    }

    fn has_written(&mut self, draft: Draft) {
        self.written = draft.sections.iter().map(|section| (section.task, section.claims.len())).collect();
        self.phase = Phase::Verifying;
        self.unverified = draft.clone();
        self.verifiers = 1;
        self.commands.push(Command::AskVerifier { draft });
    }

    fn has_verified(&mut self, draft: Draft, struck: usize) {
        let kept = draft.sections.iter().map(|section| section.claims.len()).sum();
        self.emit(Event::ReportVerified { kept, struck });
        (self.draft, self.struck) = (draft, struck);
        self.finish();
    }

    fn cancel(&mut self, reason: CancelReason, now: Instant) {
        self.cancelled.get_or_insert(reason);
        match self.phase {
            Phase::Planning => self.finish(),
            Phase::Collecting => {
                let steps = self.fan_out.cancel_all(reason, now);
                self.take(steps, now);
            }
            Phase::Writing | Phase::Verifying => {
                let soon = now + WRAP_UP;
                let hurries = self.wrap_up.is_none_or(|wrap_up| soon < wrap_up);
                self.wrap_up = if hurries { Some(soon) } else { self.wrap_up };
                if hurries && self.phase == Phase::Verifying {
                    // The first verifier may wait for a slow source longer than there is time now. A second one, in
                    // less time, strikes what it cannot see.
                    self.verifiers += 1;
                    self.commands.push(Command::AskVerifier { draft: self.unverified.clone() });
                }
            }
            Phase::Finished => {}
        }
    }

    fn tick(&mut self, now: Instant) {
        match self.phase {
            Phase::Planning | Phase::Collecting if self.made_of.deadline <= now => {
                self.cancel(CancelReason::Deadline, now);
            }
            Phase::Collecting => {
                let steps = self.fan_out.tick(now);
                self.take(steps, now);
            }
            Phase::Writing | Phase::Verifying if self.wrap_up.is_some_and(|wrap_up| wrap_up <= now) => {
                self.cancelled.get_or_insert(CancelReason::Deadline);
                self.lost = Some("there was no time left to write and check it".to_owned());
                self.finish();
            }
            _ => {}
        }
    }

    fn finish(&mut self) {
        self.phase = Phase::Finished;
        let missing = self.missing();
        let found = !self.draft.sections.is_empty();
        let worked_out = |missing: &Missing| matches!(missing.cause, MissingCause::NoEvidence | MissingCause::Struck);
        let status = match (found, missing.is_empty()) {
            (true, true) => Status::Complete,
            (true, false) => Status::Partial,
            (false, _) if self.lost.is_none() && !missing.is_empty() && missing.iter().all(worked_out) => {
                Status::NoEvidence
            }
            (false, _) => Status::Failed,
        };
        self.commands.push(Command::Finish(Box::new(Outcome {
            run_id: self.made_of.run_id.clone(),
            question: self.made_of.question.clone(),
            plan: self.plan(),
            draft: std::mem::take(&mut self.draft),
            missing,
            status,
            cancelled: self.cancelled,
            failure: self.lost.clone(),
            struck: self.struck,
            usage: Usage::default(),
        })));
    }

    /// The plan with every task that was added.
    fn plan(&self) -> Plan {
        let tasks = self.fan_out.tasks().map(|(task, _)| task.clone()).collect();
        Plan { question: self.made_of.question.clone(), tasks }
    }

    /// The parts that the draft does not have. A task that was redundant is not missed.
    fn missing(&self) -> Vec<Missing> {
        let has_section = |task: TaskId| self.draft.sections.iter().any(|section| section.task == task);
        let missing = |(task, state): (&Task, &TaskState<Findings>)| {
            let cause = match state {
                _ if has_section(task.id) => return None,
                TaskState::Cancelled(CancelReason::Redundant) => return None,
                TaskState::Cancelled(reason) => MissingCause::Cancelled(*reason),
                TaskState::Failed(reason) => MissingCause::Failed(reason.clone()),
                TaskState::Replied(findings) if findings.claims.is_empty() => MissingCause::NoEvidence,
                TaskState::Replied(_) => self.why_left_out(task.id),
                TaskState::Queued | TaskState::Running { .. } => MissingCause::Cancelled(CancelReason::Parent),
            };
            Some(Missing { task: task.id, question: task.question.clone(), cause })
        };
        self.fan_out.tasks().filter_map(missing).collect()
    }

    fn why_left_out(&self, task: TaskId) -> MissingCause {
        match &self.lost {
            Some(reason) => MissingCause::Failed(reason.clone()),
            None if self.written.contains_key(&task) => MissingCause::Struck,
            None => MissingCause::NoRoom,
        }
    }
}

fn id(number: usize) -> TaskId {
    TaskId(u32::try_from(number + 1).unwrap_or(u32::MAX))
}

/// The place of a task in the fan-out; no task has the number of `TaskId(0)`.
fn number(task: TaskId) -> usize {
    (task.0 as usize).wrapping_sub(1)
}
