//! Who decided a step, and what is told of it when it is not who was asked?

use super::{Machine, number};
use crate::event::{CancelReason, Event};
use crate::research::{Findings, RulesInstead, RunStep, Task, TaskId};
use crate::supervisor::crew::By;
use crate::supervisor::fan_out::TaskState;
use crate::text::count;

impl Machine {
    /// Notes who decided, and says so when it is not who was asked.
    pub(super) fn credit(&mut self, by: By, step: RunStep, task: Option<TaskId>, what: String) {
        match by {
            By::RulesInstead { model, reason } => {
                let why = reason.trim_end_matches('.');
                self.notes.push(format!("{what}, as the language model {model} was no use: {why}."));
                let (role, of, why) = (step.role().to_owned(), model.clone(), reason.clone());
                self.emit(Event::RulesInstead { role, task, model: of, reason: why });
                self.instead.push(RulesInstead { step, task, model, reason });
            }
            By::Model { name, instead_of, cut_at } => {
                let note = instead_of.map(|asked| format!("{name} answered in place of {asked}, which could not."));
                self.notes.extend(note.filter(|note| !self.notes.contains(note)));
                if let Some(at) = cut_at.filter(|_| step == RunStep::Write) {
                    self.is_cut = true;
                    self.notes.push(format!("The reply of {name} was cut at {at}: the answer is its whole sentences."));
                }
                if matches!(step, RunStep::Research | RunStep::Write) {
                    self.written_by = Some(name.to_string());
                }
            }
            By::Unasked { model } => {
                let part = task.and_then(|task| self.fan_out.task(number(task)));
                let part = part.map(|task| task.question.clone()).unwrap_or_default();
                self.notes.push(format!("{model} was not asked about “{part}”: no passage was retrieved for it."));
            }
            By::Rules => {}
        }
    }

    /// Parts that are worked on and for which something was retrieved. What was retrieved for others, which were given up, is for the report.
    fn being_read(&self) -> usize {
        let is_read = |(task, state): &(&Task, &TaskState<Findings>)| {
            matches!(state, TaskState::Running { .. }) && self.retrieved.contains_key(&task.id)
        };
        self.fan_out.tasks().filter(is_read).count()
    }

    /// Notes that a model was being asked when the run was cut short, so that the report names it.
    pub(super) fn unanswered(&mut self, step: RunStep, reason: CancelReason) {
        let (model, what) = match step {
            RunStep::Plan => (&self.made_of.planner, "for the plan".to_owned()),
            RunStep::LookBack => (&self.made_of.planner, "for what is missing".to_owned()),
            RunStep::Research => match self.being_read() {
                0 => return,
                parts => (&self.made_of.researcher, format!("about {}", count(parts, "part"))),
            },
            RunStep::Write => return,
        };
        let cut_short = match reason {
            CancelReason::Interrupted => "was interrupted",
            CancelReason::Deadline => "came to its deadline",
            CancelReason::Redundant | CancelReason::Parent => "was stopped",
        };
        if !model.is_empty() {
            self.notes.push(format!("{model} was asked {what}, and had not answered when the run {cut_short}."));
        }
    }
}
