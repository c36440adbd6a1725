//! Who decided a step, and what is told of it when it is not who was asked?

use super::{Machine, number};
use crate::event::Event;
use crate::research::{RulesInstead, RunStep, TaskId};
use crate::supervisor::crew::By;

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
            By::Model { name, instead_of } => {
                let note = instead_of.map(|asked| format!("{name} answered in place of {asked}, which could not."));
                self.notes.extend(note.filter(|note| !self.notes.contains(note)));
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
}
