//! Which sentences of the retrieved passages answer the task, and do they answer it at all?

use crate::research::{Findings, Retrieved, Task};

/// The best claims for `task`; none when the evidence does not cover the question.
pub fn find(task: &Task, retrieved: &Retrieved) -> Findings {
    Findings { task: task.id, claims: Vec::new(), passages_read: retrieved.passages.len(), coverage: 0.0 }
}
