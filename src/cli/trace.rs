//! What does `-v` show? Spans and events of the program on standard error; never a question's or a document's text.

use std::fmt::{self, Write};
use std::io::{IsTerminal, stderr};
use std::time::Instant;

use callboard::actors::research::inert::plain;
use callboard::corpus::IndexProgress;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::format::{FmtSpan, debug_fn};

use super::output;

/// Turns tracing on when `-v` was given or `RUST_LOG` is set. `RUST_LOG` decides when it is there.
pub(super) fn start(verbose: u8) {
    let wish = std::env::var("RUST_LOG").ok().filter(|wish| !wish.trim().is_empty());
    let filter = match (wish, verbose) {
        (Some(wish), _) => EnvFilter::try_new(&wish).unwrap_or_else(|error| {
            output::note(&format!("RUST_LOG is not understood ({error}); `info` is used"));
            EnvFilter::new("info")
        }),
        (None, 0) => return,
        (None, 1) => EnvFilter::new("warn,callboard=info,callboard_actors=info"),
        (None, _) => EnvFilter::new("warn,callboard=debug,callboard_actors=debug"),
    };
    let colors = stderr().is_terminal() && output::has_escapes();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NEW | FmtSpan::CLOSE)
        .fmt_fields(
            debug_fn(|out, field, value| field_text(out, field.name(), &plain(&format!("{value:?}")))).delimited(" "),
        )
        .with_writer(stderr)
        .with_ansi(colors)
        // It would complain on standard error, and panic in an agent when nobody reads that any more.
        .log_internal_errors(false)
        .finish();
    // Only a second subscriber could be refused, and this is called once.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// One field of a span or an event. The library's words for the start and the end of a span are turned into plain ones. What
/// a terminal would act on was taken out before.
fn field_text(out: &mut dyn Write, name: &str, value: &str) -> fmt::Result {
    match (name, value) {
        ("message", "\"new\"") => out.write_str("begins"),
        ("message", "\"close\"") => out.write_str("is over,"),
        ("message", text) => out.write_str(text),
        ("time.busy", time) => write!(out, "{time} at work"),
        ("time.idle", time) => write!(out, "and {time} waiting"),
        (name, value) => write!(out, "{name}={value}"),
    }
}

/// Says how long the indexing took, when it is over.
pub(super) fn index(step: &IndexProgress, since: Instant) {
    if let IndexProgress::Ready { documents, passages, reused, .. } = step {
        let ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::info!(documents, passages, reused, ms, "index ready");
    }
}
