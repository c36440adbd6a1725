//! What goes to standard output and what to standard error? The two doors; a reader that left is no error.

use std::ffi::OsStr;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use callboard::actors::research::inert::plain;
use callboard::report::TextStyle;
use callboard::report::json::{self, ErrorEntry, Layout};
use callboard::{Error, ExitStatus};

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
        Err(error) => {
            line(&format!("error: cannot write to standard output: {error}"));
            line("hint: free some space, or send the output elsewhere");
            ExitStatus::Internal
        }
    }
}

/// Says an error to people and, where JSON was asked for, to programs.
pub(super) fn failure(output: Output, error: ErrorEntry, status: ExitStatus) -> ExitStatus {
    complain(&error);
    match layout(output) {
        Some(layout) if !ANSWERED.load(Ordering::Relaxed) => answer(&json::failure(error, layout), status),
        _ => status,
    }
}

/// The same for an error of the library.
pub(super) fn failed(output: Output, error: &Error) -> ExitStatus {
    let cause = error.model_error().map(|error| error.code().to_owned());
    let entry = ErrorEntry { cause, ..ErrorEntry::new(error.code(), error, hints::of(error)) };
    failure(output, entry, error.exit_status())
}

/// Says an error to people: what happened, and what to do.
pub(super) fn complain(error: &ErrorEntry) {
    line(&format!("error: {}", error.message));
    line(&format!("hint: {}", error.hint));
}

/// One line on standard error. That it may be closed is nobody's loss. Names of files may hold anything: it is inert.
pub(super) fn line(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", plain(text).trim_end());
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
    let columns = terminal_size::terminal_size_of(io::stdout()).map_or(80, |(width, _)| usize::from(width.0));
    TextStyle { width: Some(columns.clamp(20, WIDEST)), bold: has_escapes() }
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
