//! What is wrong with a report that is not what was asked for? Told in its JSON, wherever that is written.

use callboard_actors::research::{Report, Status};

use crate::exit::ExitStatus;
use crate::report::json::ErrorEntry;

/// What is left of a run that ended early.
#[derive(Clone, Copy)]
enum Left {
    Nothing,
    /// Passages that nobody read.
    Retrieved,
    Found,
    /// Everything: the interruption came when it was done.
    All,
}

fn left(report: &Report) -> Left {
    match (report.findings.is_empty(), report.unread.is_empty()) {
        (false, _) if report.status == Status::Complete => Left::All,
        (false, _) => Left::Found,
        (true, false) => Left::Retrieved,
        (true, true) => Left::Nothing,
    }
}

/// The error beside a report, if its run did not end as it should.
pub(super) fn error(exit: ExitStatus, report: &Report) -> Option<ErrorEntry> {
    ended_early(exit, left(report))
}

fn ended_early(exit: ExitStatus, left: Left) -> Option<ErrorEntry> {
    Some(match (exit, left) {
        (ExitStatus::Limit, Left::Retrieved) => entry(
            "deadline",
            "the deadline passed before what was retrieved was read",
            "allow more time (`Research::deadline`, research.deadline); the report lists the passages",
        ),
        (ExitStatus::Limit, _) => entry(
            "deadline",
            "the deadline passed before anything was found",
            "allow more time (`Research::deadline`, research.deadline)",
        ),
        (ExitStatus::Interrupted, Left::Nothing) => {
            entry("interrupted", "the run was interrupted before anything was found", "run it again")
        }
        (ExitStatus::Interrupted, Left::Retrieved) => entry(
            "interrupted",
            "the run was interrupted before what was retrieved was read",
            "the report lists the passages; run it again to have them read",
        ),
        (ExitStatus::Interrupted, Left::Found) => {
            entry("interrupted", "the run was interrupted", "the report holds what was found until then")
        }
        (ExitStatus::Interrupted, Left::All) => {
            entry("interrupted", "the run was interrupted when it had ended", "the report is complete")
        }
        (ExitStatus::Internal, _) => {
            entry("run_failed", "no part of the run came to its end", "`not_found` in the report says why")
        }
        _ => return None,
    })
}

fn entry(code: &str, message: &str, hint: &str) -> ErrorEntry {
    ErrorEntry { code: code.into(), cause: None, message: message.into(), hint: hint.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_report_with_findings_is_praised_for_them() {
        let hint = |left| ended_early(ExitStatus::Interrupted, left).map(|error| error.hint);
        assert_eq!(hint(Left::Found).as_deref(), Some("the report holds what was found until then"));
        assert_eq!(hint(Left::All).as_deref(), Some("the report is complete"));
        assert_eq!(hint(Left::Nothing).as_deref(), Some("run it again"));
        for exit in [ExitStatus::Interrupted, ExitStatus::Limit] {
            let told = ended_early(exit, Left::Retrieved).unwrap();
            assert!(told.message.ends_with("before what was retrieved was read"), "{told:?}");
        }
        assert!(ended_early(ExitStatus::Complete, Left::Found).is_none());
    }
}
