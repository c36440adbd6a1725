//! What does a check say, and how is it shown? Text in columns, or one JSON object; pure.

use callboard::report::json::{self, Layout};
use callboard::report::wrap;
use serde::Serialize;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// As it should be.
    Ok,
    /// It works, and something should be known.
    Warn,
    /// A run would fail.
    Fail,
    /// Not looked at.
    Skipped,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    /// What was looked at.
    pub(super) name: &'static str,
    /// How it ended.
    pub(super) status: Status,
    /// What was found.
    pub(super) detail: String,
    /// What to do about it; empty when there is nothing to do.
    pub(super) hint: String,
}

impl Check {
    pub(super) fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self { name, status: Status::Ok, detail: detail.into(), hint: String::new() }
    }

    pub(super) fn warn(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, status: Status::Warn, detail: detail.into(), hint: hint.into() }
    }

    pub(super) fn fail(name: &'static str, detail: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, status: Status::Fail, detail: detail.into(), hint: hint.into() }
    }

    /// The same, of one of several.
    pub(super) fn about(self, what: &str) -> Self {
        Self { detail: format!("{what}: {}", self.detail), ..self }
    }

    pub(super) fn skipped(name: &'static str, why: impl Into<String>) -> Self {
        Self { name, status: Status::Skipped, detail: why.into(), hint: String::new() }
    }
}

/// The width of the longest name and the gap after it.
const NAMES: usize = 15;

/// The width of the longest status and the gap after it.
const STATUSES: usize = 6;

/// In less than this, what was found stands in lines of its own.
const NARROW: usize = 50;

/// Where no terminal says how wide it is.
const USUAL: usize = 80;

/// One line or more for each check, and how many there were of which kind.
pub(super) fn text(checks: &[Check], width: Option<usize>) -> String {
    let width = width.unwrap_or(USUAL);
    let mut text = String::new();
    for check in checks {
        let head = format!("{:STATUSES$}{:NAMES$}", status(check.status), check.name);
        let detail = callboard::actors::research::inert::plain(&check.detail);
        let indent = if width < NARROW { STATUSES } else { STATUSES + NAMES };
        let margin = " ".repeat(indent);
        if width < NARROW {
            text.push_str(head.trim_end());
            text.push('\n');
            text.push_str(&wrap(&detail, Some(width), &margin, &margin));
        } else {
            text.push_str(&wrap(&detail, Some(width), &head, &margin));
        }
        if !check.hint.is_empty() {
            let hint = callboard::actors::research::inert::plain(&check.hint);
            text.push_str(&wrap(&format!("hint: {hint}"), Some(width), &margin, &margin));
        }
    }
    let count = |status| checks.iter().filter(|check| check.status == status).count();
    let (fail, warn) = (count(Status::Fail), count(Status::Warn));
    let sum = match (fail, warn) {
        (0, 0) => "Everything is as it should be.".to_owned(),
        (fail, warn) => format!("{fail} failed, {warn} to look at."),
    };
    text + "\n" + &wrap(&sum, Some(width), "", "")
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Warn => "warn",
        Status::Fail => "FAIL",
        Status::Skipped => "skip",
    }
}

#[derive(Serialize)]
struct Object<'a> {
    schema_version: u32,
    status: Status,
    checks: &'a [Check],
}

/// All checks as one object; its status is that of the worst.
pub(super) fn object(checks: &[Check]) -> String {
    let has = |status| checks.iter().any(|check| check.status == status);
    let status = [Status::Fail, Status::Warn].into_iter().find(|status| has(*status)).unwrap_or(Status::Ok);
    json::value(&Object { schema_version: 1, status, checks }, Layout::Indented)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_read_at_any_width() {
        let checks = [
            Check::ok("version", "callboard 0.1.0"),
            Check::warn("keys", "one two three four five six seven", "do this and that"),
            Check::skipped("provider", "the rules need none"),
        ];
        let wide = "ok    version        callboard 0.1.0\n\
                    warn  keys           one two three four five six\n\
                    \x20                    seven\n\
                    \x20                    hint: do this and that\n\
                    skip  provider       the rules need none\n\
                    \n0 failed, 1 to look at.\n";
        assert_eq!(text(&checks, Some(50)), wide);
        let narrow = "ok    version\n      callboard 0.1.0\nwarn  keys\n      one two three four five\n      six seven\n      \
                      hint: do this and that\nskip  provider\n      the rules need none\n\n0 failed, 1 to look at.\n";
        assert_eq!(text(&checks, Some(30)), narrow);
        for width in 20..120 {
            assert!(text(&checks, Some(width)).lines().all(|line| line.chars().count() <= width), "{width}");
        }
    }

    #[test]
    fn the_object_has_the_worst_status() {
        let of = |checks: &[Check]| serde_json::from_str::<serde_json::Value>(&object(checks)).unwrap();
        let (ok, warn, fail) = (Check::ok("a", "x"), Check::warn("b", "x", "y"), Check::fail("c", "x", "y"));
        assert_eq!(of(std::slice::from_ref(&ok))["status"], "ok");
        assert_eq!(of(&[ok.clone(), warn.clone()])["status"], "warn");
        let object = of(&[ok, fail, warn]);
        assert_eq!((object["status"].as_str(), object["schema_version"].as_u64()), (Some("fail"), Some(1)));
        let check = serde_json::json!({"name": "b", "status": "warn", "detail": "x", "hint": "y"});
        assert_eq!(object["checks"][2], check);
    }
}
