//! In which words is progress told? One line for each change; pure.

use callboard::actors::text::count;
use callboard::corpus::IndexProgress;
use callboard::{CancelReason, Event, Status, TaskId};

use super::models;

/// The line for a step of the indexing: every tenth of the way is a change.
pub(super) fn index(step: &IndexProgress) -> Option<String> {
    match step {
        IndexProgress::Scanning { .. } => Some("reading the corpus".into()),
        IndexProgress::Reading { done, total } => {
            tenth(*done, *total).map(|part| format!("reading files: {part} % of {total}"))
        }
        IndexProgress::Indexing { done, total } => {
            tenth(*done, *total).map(|part| format!("indexing passages: {part} % of {total}"))
        }
        IndexProgress::Ready { .. } => index_state(step).map(|ready| format!("corpus {ready}")),
        step => index_state(step),
    }
}

/// The phrase for a step that is a state and not a share of the way.
pub(super) fn index_state(step: &IndexProgress) -> Option<String> {
    match step {
        IndexProgress::Waiting => Some("waiting for another process that builds the same index".into()),
        IndexProgress::Rebuilding { reason } => Some(format!("building the index again: {reason}")),
        IndexProgress::Ready { documents, passages, unstemmed, .. } => {
            let other = match unstemmed {
                0 => String::new(),
                n => format!("; {n} not in English, whose words are matched as they stand"),
            };
            Some(format!("ready: {}, {}{other}", count(*documents, "document"), count(*passages, "passage")))
        }
        _ => None,
    }
}

/// The line for an event of the run; `None` for what no person misses.
pub(super) fn event(event: &Event) -> Option<String> {
    Some(match event {
        Event::RunStarted { .. } => "run started".into(),
        Event::PlanMade { tasks } => {
            let parts: Vec<_> = tasks.iter().map(|task| format!("{} “{}”", task.id, task.question)).collect();
            format!("plan: {}", parts.join(", "))
        }
        Event::TaskAdded { task } => format!("{} added: {}", task.id, task.question),
        Event::TaskStarted { task, .. } | Event::TaskProgress { task, .. } | Event::TaskFinished { task, .. } => {
            format!("{task}: {}", phrase(event)?)
        }
        Event::TaskFailed { task, .. } | Event::TaskRetried { task, .. } | Event::TaskCancelled { task, .. } => {
            format!("{task}: {}", phrase(event)?)
        }
        Event::LookBackStarted => "looking for what is missing".into(),
        Event::RulesInstead { role, task, model, reason } => {
            format!("{}: goes on without {model}: {reason}", who(role, *task))
        }
        Event::ModelFellBack { role, task, .. }
        | Event::ModelCallPaused { role, task, .. }
        | Event::ModelCallResumed { role, task, .. } => {
            format!("{}: {}", who(role, *task), models::event(event)?)
        }
        Event::ReportVerified { kept, struck, quoted } => verified(*kept, *struck, *quoted),
        Event::RunFinished { status, .. } => format!("finished: {}", self::status(*status)),
        other => return models::event(other),
    })
}

/// A part by its number, and who has none by his role.
fn who(role: &str, task: Option<TaskId>) -> String {
    task.map_or_else(|| role.to_owned(), |task| task.to_string())
}

/// What an event says about its task, without the task's name.
pub(super) fn phrase(event: &Event) -> Option<String> {
    Some(match event {
        Event::TaskStarted { attempt: 0 | 1, .. } => "started".into(),
        Event::TaskStarted { attempt, .. } => format!("started, attempt {attempt}"),
        Event::TaskProgress { note, .. } => note.clone(),
        Event::ModelFellBack { to, .. } => format!("asking {to}"),
        Event::ModelCallPaused { .. } | Event::ModelCallResumed { .. } => return models::event(event),
        Event::TaskFinished { claims: 0, .. } => "no evidence".into(),
        Event::TaskFinished { claims, .. } => format!("found {}", count(*claims, "claim")),
        Event::TaskFailed { reason, .. } => format!("failed: {reason}"),
        Event::TaskRetried { reason, .. } => format!("trying again: {reason}"),
        Event::TaskCancelled { reason, .. } => match reason {
            CancelReason::Redundant => "cancelled, no longer needed".into(),
            CancelReason::Deadline => "cancelled at the deadline".into(),
            CancelReason::Interrupted => "cancelled by you".into(),
            CancelReason::Parent => "cancelled with the run".into(),
        },
        _ => return None,
    })
}

/// What the first signal is answered with.
pub(super) fn interrupted(running: bool) -> &'static str {
    match running {
        true => "ending in order; what was found is reported. Once more to stop at once",
        false => {
            "ending in order; the corpus is still being indexed, so there is nothing to report. Once more to stop at once"
        }
    }
}

fn verified(kept: usize, struck: usize, quoted: usize) -> String {
    let some = |number: usize, what: &str| if number > 0 { format!(", {number} {what}") } else { String::new() };
    let kept = format!("verified: {} kept", count(kept, "claim"));
    format!("{kept}{}{}", some(struck, "struck"), some(quoted, "shown as the quote, because they said more"))
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Complete => "complete",
        Status::Partial => "partial",
        Status::NoEvidence => "no evidence",
        Status::Failed => "failed, nothing was found",
    }
}

/// What is done at a glance is no change worth a line.
const FEW: usize = 20;

fn tenth(done: usize, total: usize) -> Option<usize> {
    if total < FEW {
        return None;
    }
    (done * 10).checked_div(total).map(|tenths| tenths * 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_steps_are_eleven_changes() {
        let mut lines: Vec<_> =
            (0..=1000).filter_map(|done| index(&IndexProgress::Reading { done, total: 1000 })).collect();
        lines.dedup();
        assert_eq!((lines.len(), lines[3].as_str()), (11, "reading files: 30 % of 1000"));
        for total in [0, 7] {
            assert_eq!(index(&IndexProgress::Reading { done: 0, total }), None);
        }
    }

    #[test]
    fn each_change_of_a_task_has_its_line() {
        let task = TaskId(2);
        for (change, line) in [
            (Event::TaskStarted { task, attempt: 1 }, "t2: started"),
            (Event::TaskStarted { task, attempt: 2 }, "t2: started, attempt 2"),
            (Event::TaskFinished { task, claims: 0 }, "t2: no evidence"),
            (Event::TaskFinished { task, claims: 1 }, "t2: found 1 claim"),
            (Event::TaskCancelled { task, reason: CancelReason::Deadline }, "t2: cancelled at the deadline"),
        ] {
            assert_eq!(event(&change).as_deref(), Some(line));
        }
        let (role, model, error_code) = ("planner".into(), "openai/x".into(), "timeout".into());
        let failed = Event::ModelCallFailed { role, task: None, model, error_code, attempts: None };
        assert_eq!(event(&failed), None, "what follows from it is said");
        let fell_back_for = |task, error_code: &str| Event::ModelFellBack {
            role: "writer".into(),
            task,
            from: "openai/a".into(),
            to: "openai/b".into(),
            error_code: error_code.into(),
        };
        let fell_back = |task| fell_back_for(task, "timeout");
        let unasked = "writer: openai/a is not asked at the moment; openai/b is next";
        for code in ["breaker_open", "overloaded", "paused"] {
            assert_eq!(event(&fell_back_for(None, code)).as_deref(), Some(unasked));
        }
        let said = "openai/a could not answer (timeout); openai/b is next";
        assert_eq!(event(&fell_back(Some(task))), Some(format!("t2: {said}")));
        assert_eq!(event(&fell_back(None)), Some(format!("writer: {said}")));
        let (model, refused_model) = ("openai/a".to_owned(), "openai/b".to_owned());
        let paused =
            Event::ModelCallPaused { role: "planner".into(), task: None, model, refused_model, pause_ms: 12_000 };
        assert_eq!(event(&paused).as_deref(), Some("planner: waiting 12 s, as openai/b asked for"));
        let (role, model) = ("researcher".into(), "openai/a".into());
        let resumed = Event::ModelCallResumed { role, task: Some(task), model };
        assert_eq!(event(&resumed).as_deref(), Some("t2: asking openai/a now"));
        let (model, refused_model) = ("openai/a".to_owned(), "openai/a".to_owned());
        let changed = Event::ModelPaused { model, refused_model, pause_ms: 20_000 };
        assert_eq!(event(&changed).as_deref(), Some("openai/a is paused for 20 s: the limit of its rate is reached"));
    }
}
