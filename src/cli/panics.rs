//! What happens when the program itself is wrong? One inert line, the promised JSON object, and exit code 1.

use std::panic::{AssertUnwindSafe, catch_unwind};

use callboard::ExitStatus;
use callboard::report::json::ErrorEntry;

use super::args::Output;
use super::output;

/// The longest part of a panic's message that is shown, in characters.
const SHOWN: usize = 300;

/// Says a panic in one line in which nothing of a document can act on the terminal.
pub(super) fn install() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or(String::new(), |place| format!(" at {}:{}", place.file(), place.line()));
        let message: String = panic.payload_as_str().unwrap_or("no message").chars().take(SHOWN).collect();
        output::line(&format!("internal error: a thread panicked{place}: {message}"));
    }));
}

/// Runs the command; a panic in it becomes an internal error.
pub(super) fn caught(wanted: Output, command: impl FnOnce() -> ExitStatus) -> ExitStatus {
    catch_unwind(AssertUnwindSafe(command)).unwrap_or_else(|_| {
        let error = ErrorEntry {
            code: "internal".into(),
            cause: None,
            message: "the program broke".into(),
            hint: "please report this with the command that you ran".into(),
        };
        output::failure(wanted, error, ExitStatus::Internal)
    })
}
