//! Can a program deal with every error? Each public error type has a stable code, says whether trying again may help, and can grow.
//!
//! What is read is the text as rustfmt leaves it: a type and its `impl` begin at the margin, in one file.

use crate::rules::Source;
use crate::text::{code_of, has_word};

/// How the table of errors begins in docs/embedding.md.
const HEADING: &str = "| error | what it is about |";

/// A public error type: its name, the line where it begins, and what is missing.
pub(crate) struct ErrorType {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) is_open: bool,
    pub(crate) is_retryable_said: bool,
    /// What stands between quotes in `code()`; `None` without a `code()`.
    pub(crate) codes: Option<Vec<String>>,
}

/// The public error types of a file: those that derive `Error`, and those that implement it by hand.
pub(crate) fn error_types(source: &Source) -> Vec<ErrorType> {
    let code = code_of(&source.text);
    let lines: Vec<&str> = code.lines().collect();
    let raw: Vec<&str> = source.text.lines().collect();
    let is_error = |at: usize, name: &str| {
        let derived = attributes(&lines, at).any(|line| line.starts_with("#[derive(") && derives_error(line));
        derived || lines.iter().any(|line| line.starts_with("impl") && implements_error(line, name))
    };
    let types = lines.iter().enumerate().filter_map(|(at, line)| Some((at, type_name(line)?)));
    let errors = types.filter(|(at, name)| is_error(*at, name));
    errors
        .map(|(at, name)| ErrorType {
            line: at + 1,
            // A struct whose fields are its own can grow as it is.
            is_open: lines[at].starts_with("pub struct ")
                || attributes(&lines, at).any(|line| line.starts_with("#[non_exhaustive]")),
            is_retryable_said: method(&lines, name, "is_retryable").is_some(),
            codes: method(&lines, name, "code").map(|(from, to)| literals(&raw[from..to])),
            name: name.to_owned(),
        })
        .collect()
}

/// The name of a public type that begins in this line. `pub(crate)` is nobody else's.
fn type_name(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("pub enum ").or_else(|| line.strip_prefix("pub struct "))?;
    rest.split(|c: char| !c.is_alphanumeric() && c != '_').next()
}

/// The lines of the attributes above a type.
fn attributes<'a>(lines: &'a [&'a str], at: usize) -> impl Iterator<Item = &'a str> {
    let above = lines[..at].iter().rev().copied();
    above.take_while(|line| !line.starts_with('}') && !line.ends_with(';'))
}

fn derives_error(line: &str) -> bool {
    line.split(['(', ',', ')']).map(str::trim).any(|name| name == "Error" || name.ends_with("::Error"))
}

fn implements_error(line: &str, name: &str) -> bool {
    let (before, after) = line.split_once(" for ").unwrap_or_default();
    let of_the_trait =
        before.split_whitespace().last().is_some_and(|name| name == "Error" || name.ends_with("::Error"));
    of_the_trait && has_word(after, name)
}

/// The lines of a public method of a type, from its head to its end.
fn method(lines: &[&str], name: &str, wanted: &str) -> Option<(usize, usize)> {
    let is_head = |line: &str| line.trim_start().starts_with("pub ") && line.contains(&format!("fn {wanted}("));
    let ends = |from: usize, end: &str| lines[from..].iter().position(|line| *line == end).map(|more| from + more);
    let blocks = lines.iter().enumerate().filter(|(_, line)| {
        line.starts_with("impl") && !line.contains(" for ") && has_word(line, name) && line.ends_with('{')
    });
    blocks.map(|(from, _)| from).find_map(|from| {
        let end = ends(from, "}")?;
        let head = (from..end).find(|at| is_head(lines[*at]))?;
        Some((head, ends(head, "    }")?))
    })
}

fn literals(lines: &[&str]) -> Vec<String> {
    let arms = lines.iter().filter(|line| !line.trim_start().starts_with("#["));
    arms.flat_map(|line| line.split('"').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// Public error types that a program cannot deal with.
pub(crate) fn errors_can_be_handled(source: &Source) -> Vec<String> {
    let mut complaints = Vec::new();
    for error in error_types(source) {
        let mut say = |what: &str| complaints.push(format!("{}:{}: `{}` {what}", source.path, error.line, error.name));
        if !error.is_open {
            say("is not #[non_exhaustive]. Add it: a variant more must break nobody");
        }
        if !error.is_retryable_said {
            say("has no is_retryable(). Say beside it whether the same call may work when it is made again later");
        }
        let Some(mut codes) = error.codes else {
            say("has no code(). Give each variant a stable name in snake_case: programs compare it");
            continue;
        };
        let is_snake = |code: &str| code.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if let Some(code) = codes.iter().find(|code| code.is_empty() || !is_snake(code)) {
            say(&format!("has the code `{code}`. Write it in snake_case"));
        }
        codes.sort();
        if let Some(twice) = codes.windows(2).find(|two| two[0] == two[1]) {
            say(&format!("has the code `{}` twice. Give each variant one, or join them in one arm", twice[0]));
        }
    }
    complaints
}

/// Error types and codes that the table of docs/embedding.md lacks, or has without there being any.
pub(crate) fn codes_are_documented(sources: &[Source], document: &str) -> Vec<String> {
    let table = document.lines().skip_while(|line| !line.starts_with(HEADING)).take_while(|line| !line.is_empty());
    let rows: Vec<(&str, Vec<&str>)> = table.filter_map(row).collect();
    let mut complaints = Vec::new();
    let mut known = Vec::new();
    for source in sources {
        for error in error_types(source) {
            let mut codes = error.codes.unwrap_or_default();
            codes.sort();
            let told = rows.iter().find(|(name, _)| *name == error.name).map(|(_, told)| {
                let mut told: Vec<_> = told.iter().map(|code| (*code).to_owned()).collect();
                told.sort();
                told
            });
            if told.as_ref() != Some(&codes) {
                complaints.push(format!(
                    "docs/embedding.md: the codes of `{}` are {codes:?}, and its line says {told:?}. Mend the table of errors",
                    error.name
                ));
            }
            known.push(error.name);
        }
    }
    let gone = rows.iter().filter(|(name, _)| !known.iter().any(|known| known == name));
    complaints.extend(
        gone.map(|(name, _)| format!("docs/embedding.md: there is no error `{name}`. Take its line out of the table")),
    );
    complaints
}

/// A line such as ``| `callboard::actors::error::AskError` | what it is about | `overloaded`, `stopped` | `overloaded` |``. Its last cell is held by
/// `tests/error_codes.rs`.
fn row(line: &str) -> Option<(&str, Vec<&str>)> {
    let cells: Vec<&str> = line.strip_prefix("| `")?.strip_suffix('|')?.split('|').collect();
    let [path, _about, codes, _again] = cells[..] else { return None };
    let name = path.trim().strip_suffix('`')?.rsplit("::").next()?;
    Some((name, codes.split('`').skip(1).step_by(2).collect()))
}
