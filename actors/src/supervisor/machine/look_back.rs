//! Is something missing in what was found? The planner's model is asked, and what it adds is researched as well.

use tokio::time::Instant;

use super::{Command, Machine, Phase, id};
use crate::event::Event;
use crate::research::model::plan::Further;
use crate::research::{Findings, RunStep, Task};
use crate::supervisor::collect::Collect;
use crate::supervisor::crew::{By, Made};
use crate::supervisor::fan_out::TaskState;
use crate::text::count;

impl Machine {
    /// Whether there is time, and every task came to its end by itself: a fan-out that has what it needs needs no more.
    pub(super) fn may_look_back(&self, now: Instant) -> bool {
        let was_cancelled = |state: &TaskState<Findings>| matches!(state, TaskState::Cancelled(_));
        self.looks_back > 0
            && !self.is_enough
            && self.cancelled.is_none()
            && now < self.collect_until()
            && matches!(self.made_of.collect, Collect::All)
            && !self.fan_out.tasks().any(|(_, state)| was_cancelled(state))
    }

    pub(super) fn look_back(&mut self) {
        self.looks_back -= 1;
        self.phase = Phase::LookingBack;
        self.emit(Event::LookBackStarted);
        let (tasks, findings) = (self.plan().tasks, self.findings());
        self.commands.push(Command::LookBack { tasks, findings });
    }

    pub(super) fn looked_back(&mut self, answer: Result<Made<Further>, String>, now: Instant) {
        let instead = |reason| Made::by_rules_instead(Further::default(), &self.made_of.planner, reason);
        let Made { value: Further { parts: more, off_topic }, by } = answer.unwrap_or_else(instead);
        let answered_by = match &by {
            By::Model { name, .. } => name.to_string(),
            _ => self.made_of.planner.clone(),
        };
        self.credit(by, RunStep::LookBack, None, "Nobody looked back for what is missing".to_owned());
        self.left_out_as_off_topic(&answered_by, off_topic);
        if more.is_empty() {
            return self.collected(now);
        }
        self.phase = Phase::Collecting;
        let before = self.fan_out.tasks().count();
        self.asked_for = self.asked_for.min(before);
        let tasks = more.into_iter().zip(before..).map(|(question, number)| Task { id: id(number), question });
        let steps = self.fan_out.resume(tasks, now);
        let added: Vec<Task> = self.fan_out.tasks().skip(before).map(|(task, _)| task.clone()).collect();
        added.into_iter().for_each(|task| self.emit(Event::TaskAdded { task }));
        self.take(steps, now);
    }

    /// Notes how many further parts this model wanted that are about something else.
    fn left_out_as_off_topic(&mut self, model: &str, parts: usize) {
        if parts > 0 {
            let parts = count(parts, "further part");
            self.notes.push(format!(
                "{model} wanted {parts} researched with no word of the question or of what was found: left out."
            ));
        }
    }
}
