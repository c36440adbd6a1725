//! Which JSON goes out? One object for a report, one for a failure, one line for an event; safe to look at on a terminal.
//!
//! Strings are verbatim: a character that a terminal would act on, or that reorders a line, is written as a `\u` escape,
//! which every JSON reader turns back into the same character.

use std::fmt::Write as _;

use callboard_actors::event::RunEvent;
use callboard_actors::research::inert::is_hostile;
use callboard_actors::research::{Generator, PlanEntry, PlanReport, Report, RulesInstead, SCHEMA_VERSION, Status};
use serde::Serialize;

/// What went wrong, for programs and for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorEntry {
    /// A stable name.
    pub code: String,
    /// The stable name of what a call of the language model met, if that is the reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl ErrorEntry {
    /// From an error and its sources, outermost first.
    pub fn new(code: &str, error: &dyn std::error::Error, hint: String) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let _ = write!(message, ": {error}");
            cause = error.source();
        }
        Self { code: code.to_owned(), cause: None, message, hint }
    }
}

/// How many lines one object takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Indented, for `--output json` and files.
    Indented,
    /// One line with a `type`, for `--output jsonl`.
    Line,
}

#[derive(Serialize)]
struct Typed<T> {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(flatten)]
    object: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorEntry>,
}

/// The report, with `error` when the run did not end as it should or the report could not be written to its folder.
pub fn report(report: &Report, error: Option<ErrorEntry>, layout: Layout) -> String {
    object("report", report, error, layout)
}

/// The object of a run that has no report.
pub fn failure(error: ErrorEntry, layout: Layout) -> String {
    #[derive(Serialize)]
    struct Failure {
        schema_version: u32,
        status: Status,
    }
    object("error", Failure { schema_version: SCHEMA_VERSION, status: Status::Failed }, Some(error), layout)
}

/// The plan of `--plan-only`, and who made it; with `error` when that is not who was asked for it.
pub fn plan(planned: &PlanReport, error: Option<ErrorEntry>, layout: Layout) -> String {
    #[derive(Serialize)]
    struct Planned<'a> {
        schema_version: u32,
        question: &'a str,
        generator: &'a Generator,
        plan: Vec<PlanEntry>,
        rules_instead: &'a [RulesInstead],
    }
    let PlanReport { plan, generator, rules_instead } = planned;
    let entries = plan.tasks.iter().map(|task| PlanEntry { id: task.id, question: task.question.clone() }).collect();
    let (schema_version, rules_instead) = (SCHEMA_VERSION, rules_instead.as_slice());
    let planned = Planned { schema_version, question: &plan.question, generator, plan: entries, rules_instead };
    object("plan", planned, error, layout)
}

/// One event in one line.
pub fn event(event: &RunEvent) -> String {
    write(event, Layout::Line)
}

/// Any other object of ours, such as what `doctor` found.
pub fn value(value: &impl Serialize, layout: Layout) -> String {
    write(value, layout)
}

fn object(kind: &'static str, object: impl Serialize, error: Option<ErrorEntry>, layout: Layout) -> String {
    let kind = (layout == Layout::Line).then_some(kind);
    write(&Typed { kind, object, error }, layout)
}

fn write(value: &impl Serialize, layout: Layout) -> String {
    let json = match layout {
        Layout::Indented => serde_json::to_string_pretty(value),
        Layout::Line => serde_json::to_string(value),
    };
    inert(json.expect("our objects have string keys and no fallible serializer")) + "\n"
}

/// Outside of strings JSON is ASCII, so every hostile character stands within one and can be escaped where it is.
fn inert(json: String) -> String {
    if !json.chars().any(|c| c != '\n' && is_hostile(c)) {
        return json;
    }
    let mut escaped = String::with_capacity(json.len() + 16);
    for c in json.chars() {
        if c == '\n' || !is_hostile(c) {
            escaped.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn strings_are_verbatim_and_inert() {
        let (hostile, _) = sample::hostile();
        for layout in [Layout::Indented, Layout::Line] {
            let json = report(&hostile, None, layout);
            assert!(json.chars().all(|c| c == '\n' || !is_hostile(c)), "{json:?}");
            assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), hostile);
        }
    }

    #[test]
    fn characters_beyond_the_first_plane_come_back() {
        let text = "tag \u{e0041} end";
        let json = write(&text, Layout::Line);
        assert_eq!(json, "\"tag \\udb40\\udc41 end\"\n");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    #[test]
    fn a_line_is_one_line_with_a_type() {
        let error = || ErrorEntry { code: "c".into(), cause: None, message: "a\nb".into(), hint: "h".into() };
        assert_eq!(
            failure(error(), Layout::Line),
            "{\"type\":\"error\",\"schema_version\":1,\"status\":\"failed\",\
             \"error\":{\"code\":\"c\",\"message\":\"a\\nb\",\"hint\":\"h\"}}\n"
        );
        let (sample, _) = sample::report();
        let json = report(&sample, Some(error()), Layout::Indented);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert!(value.get("type").is_none() && value["error"]["code"] == "c" && value["schema_version"] == 1);
    }
}
