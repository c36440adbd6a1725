//! How does a person see what goes on? Live bars on a terminal, one line per change elsewhere, nothing when quiet.

mod bars;
mod draft;
mod models;
mod numbers;
mod words;

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use callboard::corpus::IndexProgress;
use callboard::{ModelActivity, RunEvent};
use terminal_size::{Height, Width, terminal_size_of};

use super::args::{Output, ResearchArgs};
use super::output;
use bars::Bars;

/// What a person sees on standard error. Clones share it; the indexing tells it from its own thread.
#[derive(Clone)]
pub(super) struct Progress {
    shown: Arc<Mutex<Shown>>,
    /// Whether there may be something to report.
    running: Arc<AtomicBool>,
}

enum Shown {
    Bars(Bars),
    /// The last line of the indexing, so that none is said twice.
    Lines(Option<String>),
    Nothing,
}

impl Progress {
    /// What fits the arguments and the terminal.
    pub(super) fn new(args: &ResearchArgs, with_model: bool) -> Self {
        Self { shown: Arc::new(Mutex::new(shown(args, with_model))), running: Arc::default() }
    }

    /// A step of the indexing.
    pub(super) fn index(&self, step: &IndexProgress) {
        self.with(|shown| match shown {
            Shown::Bars(bars) => bars.index(step),
            Shown::Lines(last) => {
                let line = words::index(step);
                if line.is_some() && line != *last {
                    line.iter().for_each(|line| output::line(line));
                    *last = line;
                }
            }
            Shown::Nothing => {}
        });
    }

    /// An event of the run.
    pub(super) fn event(&self, event: &RunEvent) {
        self.with(|shown| match shown {
            Shown::Bars(bars) => bars.event(&event.event),
            Shown::Lines(_) => words::event(&event.event).iter().for_each(|line| output::line(line)),
            Shown::Nothing => {}
        });
    }

    /// Whether the numbers of a model are shown: only where a line can be written again.
    pub(super) fn shows_model(&self) -> bool {
        let mut shows = false;
        self.with(|shown| shows = matches!(shown, Shown::Bars(bars) if bars.has_model()));
        shows
    }

    /// The numbers of the model right now.
    pub(super) fn model(&self, activity: &ModelActivity) {
        self.with(|shown| {
            if let Shown::Bars(bars) = shown {
                bars.model(activity);
            }
        });
    }

    /// The corpus is indexed and the run goes on.
    pub(super) fn run_started(&self) {
        self.running.store(true, Ordering::Relaxed);
    }

    /// The first signal came.
    pub(super) fn interrupted(&self) {
        self.note(words::interrupted(self.running.load(Ordering::Relaxed)));
    }

    /// Something worth a line of its own.
    pub(super) fn note(&self, text: &str) {
        self.with(|shown| match shown {
            Shown::Bars(bars) => bars.above(|| output::note(text)),
            Shown::Lines(_) => output::note(text),
            Shown::Nothing => {}
        });
    }

    /// Leaves the terminal in order: nothing moves after this.
    pub(super) fn end(&self) {
        self.with(|shown| {
            if let Shown::Bars(bars) = shown
                && bars.end()
            {
                output::line("");
            }
        });
    }

    fn with(&self, tell: impl FnOnce(&mut Shown)) {
        tell(&mut self.shown.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn shown(args: &ResearchArgs, with_model: bool) -> Shown {
    let lines_on_this_terminal = args.output == Output::Jsonl && std::io::stdout().is_terminal();
    let traced = args.verbose > 0 || std::env::var_os("RUST_LOG").is_some_and(|wish| !wish.is_empty());
    let live = is_live(std::io::stderr().is_terminal(), output::has_escapes(), terminal_size_of(std::io::stderr()));
    form(args.quiet, live, lines_on_this_terminal || traced, with_model)
}

/// Whether the cursor may be moved. Where a terminal does not tell its size, nobody knows how many rows a line takes: bars do not know
/// the variable `COLUMNS`.
fn is_live(is_terminal: bool, has_escapes: bool, size: Option<(Width, Height)>) -> bool {
    is_terminal && has_escapes && size.is_some()
}

/// Bars only where the cursor may be moved (`live`) and nothing else writes to the same terminal (`shared`).
fn form(quiet: bool, live: bool, shared: bool, with_model: bool) -> Shown {
    match () {
        () if quiet => Shown::Nothing,
        () if live && !shared => Shown::Bars(Bars::new(with_model)),
        () => Shown::Lines(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_only_where_the_cursor_may_be_moved() {
        assert!(matches!(form(false, true, false, false), Shown::Bars(_)));
        for (live, shared) in [(false, false), (false, true), (true, true)] {
            assert!(matches!(form(false, live, shared, false), Shown::Lines(_)), "{live} {shared}");
        }
        assert!(matches!(form(true, true, false, false), Shown::Nothing));
        let size = Some((Width(40), Height(9)));
        assert!(is_live(true, true, size) && !is_live(true, true, None), "the size is not known");
        assert!(!is_live(false, true, size) && !is_live(true, false, size));
    }
}
