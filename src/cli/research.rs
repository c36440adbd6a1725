//! What does `callboard research` do? Starts the research, shows it live, and writes what came of it.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use callboard::actors::research::{Generator, Report};
use callboard::actors::text::count;
use callboard::compose;
use callboard::config::keys::Name;
use callboard::config::{BUILTIN, Config, Loaded, Origin, Settings};
use callboard::corpus::CorpusError;
use callboard::report::json::{self, ErrorEntry};
use callboard::report::{files, skipped, text};
use callboard::{Error, ExitStatus, Finished, Research, ResearchRun, WriteError};
use tokio::runtime::Builder;

use super::args::{Output, ResearchArgs};
use super::output::{self, failed, layout};
use super::progress::Progress;
use super::signals::Signals;
use super::{hints, keys, trace};

/// How long the indexing may take to break off after the first signal before nobody waits for it any more.
const BREAK_OFF: Duration = Duration::from_millis(500);

/// How often the numbers of a model are looked at, and how long for them.
const LOOK: Duration = Duration::from_millis(250);

/// Runs the command to its end.
pub(super) fn run(args: ResearchArgs) -> ExitStatus {
    trace::start(args.verbose);
    // The second thread hears a signal while this one writes.
    let runtime = match Builder::new_multi_thread().worker_threads(1).enable_all().build() {
        Ok(runtime) => runtime,
        Err(fault) => return failed(args.output, &Error::Internal(format!("no thread could be started: {fault}"))),
    };
    let described = args.settings.load().and_then(|loaded| Ok((describe(&args, &loaded)?, loaded)));
    let (described, loaded) = match described {
        Ok(described) => described,
        Err(error) => return failed(args.output, &error),
    };
    if args.require_model && loaded.config.model.name == BUILTIN {
        return output::failure(args.output, no_model(), ExitStatus::Usage);
    }
    if args.plan_only {
        let planned = runtime.block_on(plan(&args, described, &loaded.config.model.name));
        runtime.shutdown_background();
        return planned;
    }
    let status = runtime.block_on(async {
        let progress = Progress::new(&args, loaded.config.model.name != BUILTIN);
        let teller = progress.clone();
        match Signals::listen(move || teller.interrupted()) {
            Ok(signals) => research(&args, &loaded, described, signals, &progress).await,
            Err(fault) => failed(args.output, &Error::Internal(format!("signals cannot be heard: {fault}"))),
        }
    });
    // An indexing that was broken off may still be on its way out; nobody waits for it.
    runtime.shutdown_background();
    status
}

/// The research that the command line and the configuration describe. Nothing is read or sent.
fn describe(args: &ResearchArgs, loaded: &Loaded) -> Result<Research, Error> {
    let wanted = &loaded.config.research;
    let described = callboard::research(&args.question).max_researchers(wanted.max_researchers);
    let mut described = described.deadline(wanted.deadline);
    if let Some(model) = compose::model(&loaded.config)? {
        described = described.model(model).iterations(wanted.iterations);
    }
    Ok(wanted.corpus.iter().fold(described, Research::corpus))
}

async fn research(
    args: &ResearchArgs,
    Loaded { config, notes, settings, .. }: &Loaded,
    described: Research,
    signals: Signals,
    progress: &Progress,
) -> ExitStatus {
    let corpus = &config.research.corpus;
    let missing = || corpus.iter().find_map(|path| missing(path));
    if let Some(error) = described.validate().err().or_else(missing) {
        progress.end();
        return failed(args.output, &error);
    }
    let made = args.out.as_deref().map(not_yet_there).unwrap_or_default();
    if let Some(Err(error)) = args.out.as_deref().map(files::prepare) {
        return output::failure(args.output, unwritable(&error), ExitStatus::Input);
    }
    notes.iter().chain(&keys::note(config, keys::is_set)).for_each(|note| progress.note(note));
    useless_flags(config, settings).iter().for_each(|note| progress.note(note));
    if args.out.as_deref().is_some_and(|out| corpus.iter().any(|corpus| is_within(out, corpus))) {
        progress.note("the folder of --out lies in the corpus, so that a later run reads this report as a document");
    }
    let (watcher, stop, since) = (progress.clone(), signals.clone(), Instant::now());
    let started = described.on_index(move |step| {
        watcher.index(&step);
        trace::index(&step, since);
        if stop.came() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let ended = match unless_signalled(started.start(), signals.clone()).await {
        Ok(run) => follow(args, run, signals, progress).await,
        Err(error) => Err(error),
    };
    progress.end();
    match ended {
        Ok(finished) => deliver(args, &finished),
        Err(error) => {
            // Nothing was written. Only empty folders can be removed so.
            made.iter().for_each(|folder| drop(std::fs::remove_dir(folder)));
            failed(args.output, &error)
        }
    }
}

/// Flags that say something about a model where none is called.
fn useless_flags(config: &Config, settings: &Settings) -> Vec<String> {
    if config.model.name != BUILTIN {
        return Vec::new();
    }
    let of_models = ["model.max_cost", "model.max_tokens", "model.cache", "model.fallbacks", "research.iterations"];
    let given = of_models.into_iter().filter_map(|name| match settings.get(&Name::Key(name))?.origin {
        Origin::Flag(flag) => Some(format!("{flag} has no effect without a model: add --model")),
        _ => None,
    });
    given.collect()
}

/// The folder and those above it that would have to be made, the innermost first.
fn not_yet_there(folder: &Path) -> Vec<PathBuf> {
    let above = folder.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.exists());
    above.map(Path::to_owned).collect()
}

/// Waits for the start of the run. After a signal the indexing has a moment to break off in order.
async fn unless_signalled(
    start: impl Future<Output = Result<ResearchRun, Error>>,
    mut signals: Signals,
) -> Result<ResearchRun, Error> {
    let signalled = async {
        signals.first().await;
        tokio::time::sleep(BREAK_OFF).await;
    };
    tokio::select! {
        biased;
        started = start => started,
        () = signalled => Err(Error::Interrupted),
    }
}

/// Why there is nothing at a path of the corpus: found before a folder is made for its report.
fn missing(path: &Path) -> Option<Error> {
    let source = std::fs::metadata(path).err()?;
    Some(Error::Corpus(CorpusError::of_path(path, source)))
}

fn is_within(inner: &Path, outer: &Path) -> bool {
    matches!((inner.canonicalize(), outer.canonicalize()), (Ok(inner), Ok(outer)) if inner.starts_with(&outer))
}

/// Only the plan. Nobody listens to signals: there is nothing to end in order.
async fn plan(args: &ResearchArgs, described: Research, model: &str) -> ExitStatus {
    let generator = if model == BUILTIN { Generator::extractive() } else { Generator::llm(model) };
    match described.plan().await {
        Ok(plan) => {
            let text = match layout(args.output) {
                Some(layout) => json::plan(&plan, generator, layout),
                None => callboard::report::plan(&plan, output::style()),
            };
            output::answer(&text, ExitStatus::Complete)
        }
        Err(error) => failed(args.output, &error),
    }
}

/// Shows the run while it goes on; a signal ends it in order.
async fn follow(
    args: &ResearchArgs,
    run: ResearchRun,
    mut signals: Signals,
    progress: &Progress,
) -> Result<Finished, Error> {
    progress.run_started();
    if let Some(summary) = skipped(run.skipped()) {
        progress.note(&format!("{summary}; listed in the JSON and in the files of --out"));
    }
    let mut events = run.events();
    let (mut cancelled, mut unwritten) = (false, false);
    let (mut looks, shows_model) = (tokio::time::interval(LOOK), progress.shows_model());
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = signals.first(), if !cancelled => {
                cancelled = true;
                run.cancel();
            }
            event = events.next() => {
                let Some(event) = event else { break };
                progress.event(&event);
                if args.output == Output::Jsonl
                    && let Err(fault) = output::data(&json::event(&event))
                    && !std::mem::replace(&mut unwritten, true)
                {
                    progress.note(&format!("events cannot be written to standard output: {fault}"));
                }
            }
            _ = looks.tick(), if shows_model => {
                if let Ok(Some(activity)) = tokio::time::timeout(LOOK, run.model_activity()).await {
                    progress.model(&activity);
                }
            }
        }
    }
    let mut finished = run.finish().await?;
    if cancelled {
        finished.exit = ExitStatus::Interrupted;
    }
    Ok(finished)
}

/// Writes the files first, so that the one object on standard output can say when that failed.
fn deliver(args: &ResearchArgs, finished: &Finished) -> ExitStatus {
    let Finished { report, sources, exit, .. } = finished;
    let written = args.out.as_deref().map_or(Ok(()), |folder: &Path| finished.write(folder));
    let (error, status) = match written {
        Ok(()) => match unused(args, report, *exit) {
            Some(error) => (Some(error), ExitStatus::Provider),
            None => (ended_early(*exit, left(report)), *exit),
        },
        Err(error) => (Some(unwritable(&error)), ExitStatus::Input),
    };
    error.iter().for_each(output::complain);
    if status == ExitStatus::NoEvidence && !args.quiet {
        output::hint(nothing_found(report));
    }
    let answer = match layout(args.output) {
        Some(layout) => json::report(report, error, layout),
        None => text(report, sources, output::style()),
    };
    output::answer(&answer, status)
}

/// The flag that wants a model where none is named, which is no slip: somebody relies on it.
fn no_model() -> ErrorEntry {
    let message = "--require-model is given, and no language model is named";
    let hint = "add --model openai/NAME, or leave --require-model out";
    ErrorEntry { code: "model_missing".into(), cause: None, message: message.into(), hint: hint.into() }
}

/// What is wrong with a report that a model should have made, when the rules did a step of it. A run that was cut short, or of which
/// nothing is left, says that instead.
fn unused(args: &ResearchArgs, report: &Report, exit: ExitStatus) -> Option<ErrorEntry> {
    let ended = matches!(exit, ExitStatus::Complete | ExitStatus::Partial | ExitStatus::NoEvidence);
    let first = report.rules_instead.first().filter(|_| args.require_model && ended)?;
    let (steps, model) = (count(report.rules_instead.len(), "step"), &first.model);
    Some(ErrorEntry {
        code: "model_unused".into(),
        cause: None,
        message: format!("the rules did {steps} in place of {model}: {}", first.reason.trim_end_matches('.')),
        hint:
            "rules_instead in the report has every step with its reason; leave --require-model out to take the report"
                .into(),
    })
}

/// What is left of a run that ended early.
#[derive(Clone, Copy)]
enum Left {
    Nothing,
    /// Passages that nobody read.
    Retrieved,
    Found,
}

fn left(report: &Report) -> Left {
    match (report.findings.is_empty(), report.unread.is_empty()) {
        (false, _) => Left::Found,
        (true, false) => Left::Retrieved,
        (true, true) => Left::Nothing,
    }
}

/// What programs and people are told beside a report that is not what was asked for.
fn ended_early(exit: ExitStatus, left: Left) -> Option<ErrorEntry> {
    let (code, message, hint) = match (exit, left) {
        (ExitStatus::Limit, Left::Retrieved) => (
            "deadline",
            "the deadline passed before what was retrieved was read",
            "allow more time with --deadline; the report lists the passages",
        ),
        (ExitStatus::Limit, _) => {
            ("deadline", "the deadline passed before anything was found", "allow more time with --deadline")
        }
        (ExitStatus::Interrupted, Left::Nothing) => {
            ("interrupted", "the run was interrupted before anything was found", "run the command again")
        }
        (ExitStatus::Interrupted, Left::Retrieved) => (
            "interrupted",
            "the run was interrupted before what was retrieved was read",
            "the report lists the passages; run the command again to have them read",
        ),
        (ExitStatus::Interrupted, Left::Found) => {
            ("interrupted", "the run was interrupted", "the report holds what was found until then")
        }
        (ExitStatus::Internal, _) => {
            ("run_failed", "no part of the run came to its end", "not_found in the report says why")
        }
        _ => return None,
    };
    Some(ErrorEntry { code: code.into(), cause: None, message: message.into(), hint: hint.into() })
}

/// What to do when every part was looked for and nothing was found, which is no error.
fn nothing_found(report: &Report) -> &'static str {
    match report.usage.model_calls == 0 && report.rules_instead.is_empty() {
        true => {
            "rules look for the question's own words: ask in those of the documents, or name a language model with --model"
        }
        false => "ask otherwise, or add documents that say it with --corpus",
    }
}

fn unwritable(error: &WriteError) -> ErrorEntry {
    ErrorEntry::new(error.code(), error, hints::of_writing(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_report_with_findings_is_praised_for_them() {
        let hint = |left| ended_early(ExitStatus::Interrupted, left).map(|error| error.hint);
        assert_eq!(hint(Left::Found).as_deref(), Some("the report holds what was found until then"));
        assert_eq!(hint(Left::Nothing).as_deref(), Some("run the command again"));
        for exit in [ExitStatus::Interrupted, ExitStatus::Limit] {
            let told = ended_early(exit, Left::Retrieved).unwrap();
            assert!(told.message.ends_with("before what was retrieved was read"), "{told:?}");
        }
        assert!(ended_early(ExitStatus::Complete, Left::Found).is_none());
    }
}
