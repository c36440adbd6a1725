//! How did the run end, and which parts of the plan are missing, for which reason?

use super::{Command, Machine, Phase};
use crate::event::CancelReason;
use crate::research::{Findings, Generator, Missing, MissingCause, Outcome, Plan, Status, Task, TaskId, Unread, Usage};
use crate::supervisor::fan_out::TaskState;

impl Machine {
    pub(super) fn finish(&mut self) {
        self.phase = Phase::Finished;
        let missing = self.missing();
        let found = !self.draft.sections.is_empty();
        // What a model would have looked for, or written, is not there.
        let is_cut_short = self.cancelled == Some(CancelReason::Interrupted);
        if is_cut_short && found {
            self.notes.push("The run was interrupted: what was found until then was arranged by rules.".to_owned());
        }
        let worked_out = |missing: &Missing| matches!(missing.cause, MissingCause::NoEvidence | MissingCause::Struck);
        // A part that the planner added and that has no answer is not missed by the person.
        let added = |missing: &&Missing| missing.task.0 as usize > self.asked_for;
        let is_missed = |missing: &&Missing| !(added(missing) && missing.cause == MissingCause::NoEvidence);
        let all_there = !missing.iter().any(|missing| is_missed(&missing));
        let status = match (found, all_there && !is_cut_short && !self.is_cut) {
            (true, true) => Status::Complete,
            (true, false) => Status::Partial,
            (false, _) if self.lost.is_none() && !missing.is_empty() && missing.iter().all(worked_out) => {
                Status::NoEvidence
            }
            (false, _) => Status::Failed,
        };
        let generator = self.written_by.take().filter(|_| found).map_or_else(Generator::extractive, Generator::llm);
        self.commands.push(Command::Finish(Box::new(Outcome {
            run_id: self.made_of.run_id.clone(),
            question: self.made_of.question.clone(),
            plan: self.plan(),
            draft: std::mem::take(&mut self.draft),
            unread: self.unread(&missing),
            missing,
            status,
            cancelled: self.cancelled,
            failure: self.lost.clone(),
            struck: self.struck,
            notes: std::mem::take(&mut self.notes),
            rules_instead: std::mem::take(&mut self.instead),
            generator,
            usage: Usage::default(),
        })));
    }

    /// The plan with every task that was added.
    pub(super) fn plan(&self) -> Plan {
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

    /// What was retrieved for the parts that nobody came to read: those that were cut short, and those whose researcher failed.
    fn unread(&self, missing: &[Missing]) -> Vec<Unread> {
        let is_unread = |cause: &MissingCause| matches!(cause, MissingCause::Cancelled(_) | MissingCause::Failed(_));
        let tasks = missing.iter().filter(|missing| is_unread(&missing.cause)).map(|missing| missing.task);
        let unread = tasks.filter_map(|task| Some((task, self.retrieved.get(&task)?)));
        unread.map(|(task, retrieved)| Unread { task, passages: retrieved.passages.clone() }).collect()
    }

    fn why_left_out(&self, task: TaskId) -> MissingCause {
        match &self.lost {
            Some(failure) => MissingCause::Failed(failure.message.clone()),
            None if self.written.contains_key(&task) => MissingCause::Struck,
            None => MissingCause::NoRoom,
        }
    }
}
