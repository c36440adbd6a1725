//! What goes to standard output and what to standard error? The two doors; a reader that left is no error.

use std::ffi::OsStr;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use callboard::actors::research::inert::plain;
use callboard::report::json::{self, ErrorEntry, Layout};
use callboard::report::{TextStyle, wrap};
use callboard::{Error, ExitStatus};
use terminal_size::{Height, Width, terminal_size_of};

use super::args::Output;
use super::hints;

/// Set when a whole object or report was written: there is never a second one.
static ANSWERED: AtomicBool = AtomicBool::new(false);

/// The widest text that is pleasant to read, in columns.
const WIDEST: usize = 100;

/// Writes data to standard output. A closed pipe is no error: whoever left has read what he wanted.
pub(super) fn data(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Writes the one answer of the command and gives the exit status: `status`, or an internal error when the answer
/// could not be written.
pub(super) fn answer(text: &str, status: ExitStatus) -> ExitStatus {
    ANSWERED.store(true, Ordering::Relaxed);
    match data(text) {
        Ok(()) => status,
        Err(error) => unwritten(&error),
    }
}

/// Says that standard output does not take it.
pub(super) fn unwritten(fault: &io::Error) -> ExitStatus {
    labelled("error: ", &format!("cannot write to standard output: {fault}"));
    hint("free some space, or send the output elsewhere");
    ExitStatus::Internal
}

/// Says an error to people and, where JSON was asked for, to programs.
pub(super) fn failure(output: Output, error: ErrorEntry, status: ExitStatus) -> ExitStatus {
    let ended = match layout(output) {
        Some(layout) if !ANSWERED.load(Ordering::Relaxed) => answer(&json::failure(error.clone(), layout), status),
        _ => status,
    };
    // Last, so that it is seen on a terminal.
    complain(&error);
    ended
}

/// The same for an error of the library.
pub(super) fn failed(output: Output, error: &Error) -> ExitStatus {
    failure(output, entry(error), error.exit_status())
}

/// What is said of an error of the library.
pub(super) fn entry(error: &Error) -> ErrorEntry {
    let cause = error.model_error().map(|error| error.code().to_owned());
    ErrorEntry { cause, ..ErrorEntry::new(error.code(), error, hints::of(error)) }
}

/// Says an error to people: what happened, and what to do.
pub(super) fn complain(error: &ErrorEntry) {
    labelled("error: ", &error.message);
    hint(&error.hint);
}

/// Says what is worth a line and no error.
pub(super) fn note(text: &str) {
    labelled("note: ", text);
}

/// Says what to do.
pub(super) fn hint(text: &str) {
    labelled("hint: ", text);
}

/// On a terminal in lines of its width.
fn labelled(label: &str, text: &str) {
    let columns = io::stderr().is_terminal().then(|| columns(terminal_size_of(io::stderr())));
    let _ = io::stderr().lock().write_all(laid_out(label, text, columns).as_bytes());
}

/// A terminal that is narrower than this has no room for an indent.
const NARROW: usize = 40;

/// The lines after the first begin below the text, where there is room for that; those of a line without a label are set in.
fn laid_out(label: &str, text: &str, columns: Option<usize>) -> String {
    let indent = match columns {
        Some(..NARROW) => 0,
        _ if label.is_empty() => 2,
        _ => label.len(),
    };
    wrap(plain(text).trim(), columns, label, &" ".repeat(indent))
}

/// One line on standard error, or as many as a narrow terminal needs. That it may be closed is nobody's loss. Names of files may hold
/// anything: it is inert.
pub(super) fn line(text: &str) {
    labelled("", text);
}

/// The JSON's layout; `None` for text.
pub(super) fn layout(output: Output) -> Option<Layout> {
    match output {
        Output::Text => None,
        Output::Json => Some(Layout::Indented),
        Output::Jsonl => Some(Layout::Line),
    }
}

/// How text is laid out on this standard output: wrapped on a terminal, plain in a pipe.
pub(super) fn style() -> TextStyle {
    if !io::stdout().is_terminal() {
        return TextStyle::default();
    }
    TextStyle { width: Some(columns(terminal_size_of(io::stdout()))), bold: has_escapes() }
}

/// How wide text on a terminal of this size is.
fn columns(size: Option<(Width, Height)>) -> usize {
    width(size).clamp(20, WIDEST)
}

/// The columns of a terminal of this size; where it does not tell, those of the variable `COLUMNS`, or else 80.
pub(super) fn width(size: Option<(Width, Height)>) -> usize {
    size.map_or_else(|| told(std::env::var("COLUMNS").ok().as_deref()), |(width, _)| usize::from(width.0))
}

fn told(columns: Option<&str>) -> usize {
    columns.and_then(|columns| columns.trim().parse().ok()).filter(|columns| *columns > 0).unwrap_or(80)
}

/// Whether a terminal may get escapes of our own: the user does not forbid them, and the terminal can more than print.
pub(super) fn has_escapes() -> bool {
    allows_escapes(std::env::var_os("NO_COLOR").as_deref(), std::env::var_os("TERM").as_deref())
}

fn allows_escapes(no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    no_color.is_none_or(OsStr::is_empty) && term.is_none_or(|term| term != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_hints_fit_a_narrow_terminal_and_are_one_line_in_a_pipe() {
        let text = "the corpus docs/a-folder-that-is-not-there cannot be read\u{1b}[2J, as it is not there";
        assert_eq!(laid_out("error: ", "a b ", None), "error: a b\n");
        for (columns, begins) in [(20, "the"), (39, "the"), (40, "       "), (80, "       ")] {
            let told = laid_out("error: ", text, Some(columns));
            assert!(told.lines().all(|line| line.chars().count() <= columns), "{columns}: {told}");
            assert!(told.starts_with("error: ") && told.lines().count() > 1 && !told.contains('\u{1b}'), "{told}");
            let is_indented = told.lines().nth(1).is_some_and(|line| line.starts_with("       "));
            assert_eq!(is_indented, begins == "       ", "{told}");
        }
    }

    #[test]
    fn a_terminal_that_does_not_tell_its_width_has_that_of_the_environment() {
        assert_eq!(width(Some((Width(40), Height(9)))), 40);
        for (columns, expected) in [(Some("120"), 120), (Some("0"), 80), (Some("wide"), 80), (Some(""), 80), (None, 80)]
        {
            assert_eq!(told(columns), expected, "{columns:?}");
        }
    }

    #[test]
    fn no_color_and_a_dumb_terminal_forbid_escapes() {
        for (no_color, term, allowed) in [
            (None, None, true),
            (None, Some("xterm"), true),
            (Some(""), Some("xterm"), true),
            (Some("1"), Some("xterm"), false),
            (Some("1"), None, false),
            (None, Some("dumb"), false),
        ] {
            assert_eq!(
                allows_escapes(no_color.map(OsStr::new), term.map(OsStr::new)),
                allowed,
                "{no_color:?} {term:?}"
            );
        }
    }
}
