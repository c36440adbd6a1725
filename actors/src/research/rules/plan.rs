//! Which parts does a question have?

use crate::research::{Plan, Task, TaskId};

/// The plan for `question`: always at least one task.
pub fn plan(question: &str) -> Plan {
    let task = Task { id: TaskId(1), question: question.trim().to_owned() };
    Plan { question: question.to_owned(), tasks: vec![task] }
}
