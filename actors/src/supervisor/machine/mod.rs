//! Who works on which task, and what came back? A run as a pure state machine: inputs and the time in, commands out.
//!
//! Plan, fan out, look back, write, verify, end. The supervisor's shell carries out the commands and brings what comes back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::collect::Collect;
use super::crew::{Made, Written};
use super::fan_out::{FanOut, FanOutLimits, Step, TaskState};
use crate::event::{CancelReason, Event};
use crate::research::model::plan::Further;
use crate::research::rules::verify::Verified;
use crate::research::{Draft, Failure, Findings, Outcome, Plan, Retrieved, RulesInstead, RunStep, Task, TaskId};
use crate::text::count;

mod credit;
mod end;
mod look_back;

/// How long writing and verifying may take after the deadline: a run ends within its deadline plus one second.
const WRAP_UP: Duration = Duration::from_millis(900);

/// How long a researcher may take to decide by rules when its model was too slow.
const BY_RULES: Duration = Duration::from_millis(300);

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
    /// How much of the time is kept for writing.
    pub(super) writing: Duration,
    /// How often the planner looks back at what was found and may add tasks.
    pub(super) looks_back: u32,
    /// The name of the planner's model; empty without one.
    pub(super) planner: String,
    /// The same of its researchers.
    pub(super) researcher: String,
    pub(super) on_reply: Option<OnReply>,
}

/// What happened.
pub(super) enum Input {
    Planned(Result<Made<Plan>, Failure>),
    Replied { task: TaskId, attempt: u32, findings: Made<Findings> },
    Failed { task: TaskId, attempt: u32, reason: String, retry: bool },
    LookedBack(Result<Made<Further>, String>),
    Written(Result<Written, String>),
    Verified(Result<Verified, String>),
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
    LookBack { tasks: Vec<Task>, findings: Vec<Findings> },
    AskWriter { plan: Plan, findings: Vec<Findings> },
    AskVerifier { draft: Draft },
    Finish(Box<Outcome>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Planning,
    Collecting,
    LookingBack,
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
    lost: Option<Failure>,
    /// How often the planner may still look back.
    looks_back: u32,
    /// The program has what it needs.
    is_enough: bool,
    /// How many tasks there were before the planner looked back: the person asked for those.
    asked_for: usize,
    /// What was not done as it was asked for.
    notes: Vec<String>,
    /// What was retrieved for tasks that are not over.
    retrieved: BTreeMap<TaskId, Arc<Retrieved>>,
    /// Steps that the rules did in place of a model.
    instead: Vec<RulesInstead>,
    /// The model whose words or choices the text is.
    written_by: Option<String>,
    /// Whether the text of the model was cut before its end.
    is_cut: bool,
    /// Sentences of a model that rest on nothing.
    left_out: usize,
    /// What the writer was asked to write.
    unwritten: (Plan, Vec<Findings>),
    /// How many writers were asked and have not failed.
    writers: u32,
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
        let unwritten = (Plan { question: String::new(), tasks: Vec::new() }, Vec::new());
        Self {
            looks_back: made_of.looks_back,
            made_of,
            phase: Phase::Planning,
            fan_out,
            lost: None,
            is_enough: false,
            asked_for: usize::MAX,
            notes: Vec::new(),
            retrieved: BTreeMap::new(),
            instead: Vec::new(),
            written_by: None,
            is_cut: false,
            left_out: 0,
            unwritten,
            writers: 0,
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
            (Phase::Planning, Input::Planned(Err(failure))) => {
                self.lost = Some(failure);
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
            (Phase::LookingBack, Input::LookedBack(answer)) => self.looked_back(answer, now),
            (Phase::Writing, Input::Written(Ok(written))) => self.has_written(written),
            (Phase::Writing, Input::Written(Err(_))) if self.writers > 1 => self.writers -= 1,
            (Phase::Verifying, Input::Verified(Ok(verified))) => self.has_verified(verified),
            (Phase::Verifying, Input::Verified(Err(_))) if self.verifiers > 1 => self.verifiers -= 1,
            (Phase::Writing, Input::Written(Err(reason))) | (Phase::Verifying, Input::Verified(Err(reason))) => {
                self.lost = Some(Failure::internal(reason));
                self.finish();
            }
            // An answer to a question that nobody asks any more.
            _ => {}
        }
        std::mem::take(&mut self.commands)
    }

    /// Keeps what was retrieved for a task, for a report of a run that is cut short before it is read.
    pub(super) fn retrieved(&mut self, task: TaskId, retrieved: Arc<Retrieved>) {
        if self.phase == Phase::Collecting && self.fan_out.task(number(task)).is_some() {
            self.retrieved.insert(task, retrieved);
        }
    }

    /// When to send [`Input::Tick`] next.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        match self.phase {
            Phase::Planning => Some(self.made_of.deadline),
            Phase::Collecting => self.fan_out.next_wake().into_iter().chain([self.collect_until()]).min(),
            Phase::LookingBack => Some(self.collect_until()),
            Phase::Writing | Phase::Verifying => self.wrap_up,
            Phase::Finished => None,
        }
    }

    /// How long an answer of this phase may take.
    pub(super) fn patience(&self, now: Instant) -> Duration {
        let until = self.wrap_up.unwrap_or(self.made_of.deadline);
        until.saturating_duration_since(now)
    }

    /// How much of it a language model may take; then there is still time to decide by rules.
    pub(super) fn model_patience(&self, now: Instant) -> Duration {
        let left = self.collect_until().saturating_duration_since(now);
        match self.phase {
            Phase::Planning | Phase::LookingBack => left / 3,
            Phase::Collecting => {
                let left = self.made_of.limits.task_deadline.map_or(left, |task| left.min(task));
                left.saturating_sub((left / 10).max(BY_RULES))
            }
            _ => self.patience(now).saturating_sub(WRAP_UP),
        }
    }

    /// When the fan-out is over at the latest.
    fn collect_until(&self) -> Instant {
        self.made_of.deadline.checked_sub(self.made_of.writing).unwrap_or(self.made_of.deadline)
    }

    fn emit(&mut self, event: Event) {
        self.commands.push(Command::Emit(event));
    }

    fn planned(&mut self, Made { value: plan, by }: Made<Plan>, now: Instant) {
        self.phase = Phase::Collecting;
        self.credit(by, RunStep::Plan, None, "The question was planned by rules".to_owned());
        // The machine numbers the tasks itself, whatever the planner wrote.
        let numbered = plan.tasks.into_iter().enumerate().map(|(number, task)| Task { id: id(number), ..task });
        let tasks: Vec<Task> = numbered.collect();
        self.emit(Event::PlanMade { tasks: tasks.clone() });
        self.fan_out = FanOut::new(self.made_of.collect.clone(), self.made_of.limits.clone(), tasks)
            .counting(|findings| !findings.claims.is_empty());
        let steps = self.fan_out.begin(now);
        self.take(steps, now);
    }

    fn replied(&mut self, task: TaskId, attempt: u32, Made { value: findings, by }: Made<Findings>, now: Instant) {
        let claims = findings.claims.len();
        if !self.fan_out.record(number(task), attempt, findings) {
            return;
        }
        self.retrieved.remove(&task);
        let question = self.fan_out.task(number(task)).map(|task| task.question.clone()).unwrap_or_default();
        self.credit(by, RunStep::Research, Some(task), format!("“{question}” was answered by rules"));
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
                self.is_enough = true;
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
                Step::Finish if self.may_look_back(now) => self.look_back(),
                Step::Finish => self.collected(now),
            }
        }
    }

    /// In the order of the plan.
    fn findings(&self) -> Vec<Findings> {
        let mut findings: Vec<Findings> = self.fan_out.replies().into_iter().cloned().collect();
        findings.sort_by_key(|findings| findings.task);
        findings
    }

    fn collected(&mut self, now: Instant) {
        self.emit(Event::CollectionFinished { replies: self.fan_out.replies().len() });
        self.phase = Phase::Writing;
        self.wrap_up = Some(match self.cancelled {
            None | Some(CancelReason::Deadline) => self.made_of.deadline + WRAP_UP,
            Some(_) => now + WRAP_UP,
        });
        let findings = self.findings();
        if findings.iter().all(|findings| findings.claims.is_empty()) {
            return self.finish();
        }
        self.unwritten = (self.plan(), findings);
        self.ask_writer();
    }

    fn ask_writer(&mut self) {
        self.writers += 1;
        let (plan, findings) = self.unwritten.clone();
        self.commands.push(Command::AskWriter { plan, findings });
    }

    fn has_written(&mut self, Made { value: (draft, left_out), by }: Written) {
        self.credit(by, RunStep::Write, None, "The answer was written by rules".to_owned());
        self.left_out = left_out;
        self.written = draft.sections.iter().map(|section| (section.task, section.claims.len())).collect();
        self.phase = Phase::Verifying;
        self.unverified = draft.clone();
        self.verifiers = 1;
        self.commands.push(Command::AskVerifier { draft });
    }

    fn has_verified(&mut self, Verified { draft, struck, quoted }: Verified) {
        let kept = draft.sections.iter().map(|section| section.claims.len()).sum();
        (self.draft, self.struck) = (draft, struck + self.left_out);
        if self.left_out > 0 {
            let (sentences, were) = (count(self.left_out, "sentence"), if self.left_out == 1 { "was" } else { "were" });
            self.notes.push(format!("{sentences} of the language model rested on no finding and {were} left out."));
        }
        if quoted > 0 {
            let sentences = count(quoted, "sentence");
            self.notes
                .push(format!("{sentences} of the language model said more than the quotes, which are shown instead."));
        }
        self.emit(Event::ReportVerified { kept, struck: self.struck, quoted });
        self.finish();
    }

    fn cancel(&mut self, reason: CancelReason, now: Instant) {
        self.cancelled.get_or_insert(reason);
        match self.phase {
            Phase::Planning => {
                self.unanswered(RunStep::Plan, reason);
                self.finish();
            }
            Phase::Collecting => {
                self.unanswered(RunStep::Research, reason);
                let steps = self.fan_out.cancel_all(reason, now);
                self.take(steps, now);
            }
            Phase::LookingBack => {
                self.unanswered(RunStep::LookBack, reason);
                self.collected(now);
            }
            Phase::Writing | Phase::Verifying => {
                let soon = now + WRAP_UP;
                let hurries = self.wrap_up.is_none_or(|wrap_up| soon < wrap_up);
                self.wrap_up = if hurries { Some(soon) } else { self.wrap_up };
                if hurries && self.phase == Phase::Writing {
                    // The first writer may wait for a model. A second one, without time for that, writes by rules.
                    self.ask_writer();
                }
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
            Phase::Planning if self.made_of.deadline <= now => self.cancel(CancelReason::Deadline, now),
            Phase::Collecting if self.collect_until() <= now => self.cancel(CancelReason::Deadline, now),
            Phase::LookingBack if self.collect_until() <= now => self.collected(now),
            Phase::Collecting => {
                let steps = self.fan_out.tick(now);
                self.take(steps, now);
            }
            Phase::Writing | Phase::Verifying if self.wrap_up.is_some_and(|wrap_up| wrap_up <= now) => {
                self.cancelled.get_or_insert(CancelReason::Deadline);
                self.lost = Some(Failure::internal("there was no time left to write and check it"));
                self.finish();
            }
            _ => {}
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
