//! Which exit code does a run end with? The table of docs/command-line.md as an enum, for programs that wrap ours.

use std::process::ExitCode;

use callboard_actors::event::CancelReason;
use callboard_actors::research::{MissingCause, Outcome, Status};

/// How the program ends. The numbers are stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[repr(u8)]
pub enum ExitStatus {
    /// Every part of the question has an answer.
    Complete = 0,
    /// Something broke inside: a bug, or a machine that does not do what it should.
    Internal = 1,
    /// The command line says something that cannot be: an unknown flag, an empty question.
    Usage = 2,
    /// An input cannot be used: a missing or empty corpus, a folder that cannot be written.
    Input = 3,
    /// A language model's provider or its key.
    Provider = 4,
    /// A limit, such as the deadline or a budget, was reached and nothing was found.
    Limit = 5,
    /// A report with a part missing, whatever the cause, or with an answer that was cut at a limit of its model.
    Partial = 6,
    /// Every part was worked on to its end, and nothing was found.
    NoEvidence = 7,
    /// A check of `doctor` failed.
    Check = 8,
    /// Interrupted by a signal; a partial report is still written.
    Interrupted = 130,
}

impl ExitStatus {
    /// The number the process ends with.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The status of a run that ended as `outcome` says.
    pub fn of(outcome: &Outcome) -> Self {
        if outcome.cancelled == Some(CancelReason::Interrupted) {
            return Self::Interrupted;
        }
        match outcome.status {
            Status::Complete => Self::Complete,
            Status::Partial => Self::Partial,
            Status::NoEvidence => Self::NoEvidence,
            Status::Failed if deadline_passed(outcome) => Self::Limit,
            Status::Failed => Self::Internal,
        }
    }
}

fn deadline_passed(outcome: &Outcome) -> bool {
    let late = MissingCause::Cancelled(CancelReason::Deadline);
    outcome.cancelled == Some(CancelReason::Deadline) || outcome.missing.iter().any(|missing| missing.cause == late)
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}

#[cfg(test)]
mod tests {
    use callboard_actors::research::{Draft, Generator, Missing, Plan, TaskId, Usage};

    use super::*;

    fn ended(status: Status, cancelled: Option<CancelReason>, cause: Option<MissingCause>) -> Outcome {
        let missing = cause.map(|cause| Missing { task: TaskId(1), question: "q".into(), cause });
        Outcome {
            run_id: "r".into(),
            question: "q".into(),
            plan: Plan { question: "q".into(), tasks: Vec::new() },
            draft: Draft::default(),
            missing: missing.into_iter().collect(),
            unread: Vec::new(),
            status,
            cancelled,
            failure: None,
            notes: Vec::new(),
            rules_instead: Vec::new(),
            generator: Generator::extractive(),
            struck: 0,
            usage: Usage::default(),
        }
    }

    #[test]
    fn each_end_has_its_code() {
        use CancelReason::{Deadline, Interrupted};
        let late = Some(MissingCause::Cancelled(Deadline));
        for (outcome, code) in [
            (ended(Status::Complete, None, None), 0),
            (ended(Status::Failed, None, Some(MissingCause::Failed("x".into()))), 1),
            (ended(Status::Failed, Some(Deadline), None), 5),
            (ended(Status::Failed, None, late.clone()), 5),
            (ended(Status::Partial, Some(Deadline), late), 6),
            (ended(Status::NoEvidence, None, Some(MissingCause::NoEvidence)), 7),
            (ended(Status::Partial, Some(Interrupted), None), 130),
        ] {
            assert_eq!(ExitStatus::of(&outcome).code(), code, "{outcome:?}");
        }
    }
}
