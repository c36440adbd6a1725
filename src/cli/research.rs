//! What does `callboard research` do? Starts the research, shows it live, and writes what came of it.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use callboard::actors::research::RulesInstead;
use callboard::compose;
use callboard::config::keys::Name;
use callboard::config::{BUILTIN, Config, Loaded, Origin, Settings};
use callboard::corpus::CorpusError;
use callboard::report::json::{self, ErrorEntry};
use callboard::report::{files, skipped};
use callboard::{Error, ExitStatus, Finished, Research, ResearchRun};
use tokio::runtime::Builder;

use super::args::{Output, ResearchArgs};
use super::output::{self, failed, layout};
use super::progress::Progress;
use super::signals::Signals;
use super::{ending, hints, keys, trace};

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
    let loaded = match args.settings.load() {
        Ok(loaded) => loaded,
        Err(error) => return failed(args.output, &error),
    };
    let described = match describe(&args, &loaded) {
        Ok(described) => described,
        Err(error) => {
            let entry = hints::placed(output::entry(&error), &error, &loaded);
            return output::failure(args.output, entry, error.exit_status());
        }
    };
    if args.require_model && loaded.config.model.name == BUILTIN {
        return output::failure(args.output, no_model(), ExitStatus::Usage);
    }
    if args.plan_only {
        let planned = runtime.block_on(plan(&args, described));
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
        return output::failure(args.output, ending::unwritable(&error), ExitStatus::Input);
    }
    notes.iter().chain(&keys::note(config, keys::is_set)).for_each(|note| progress.note(note));
    useless_flags(config, settings).iter().for_each(|note| progress.note(note));
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
        Ok(finished) => ending::deliver(args, &finished),
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

/// Only the plan. Nobody listens to signals: there is nothing to end in order.
async fn plan(args: &ResearchArgs, described: Research) -> ExitStatus {
    let planned = match described.plan().await {
        Ok(planned) => planned,
        Err(error) => return failed(args.output, &error),
    };
    let instead = planned.rules_instead.as_slice();
    let error = ending::unused(instead).filter(|_| args.require_model);
    if let ([RulesInstead { model, reason, .. }], None, false) = (instead, &error, args.quiet) {
        let why = reason.trim_end_matches('.');
        output::note(&format!("the question was planned by rules, as the language model {model} was no use: {why}"));
    }
    let status = if error.is_some() { ExitStatus::Provider } else { ExitStatus::Complete };
    let text = match layout(args.output) {
        Some(layout) => json::plan(&planned, error.clone(), layout),
        None => callboard::report::plan(&planned.plan, output::style()),
    };
    let status = output::answer(&text, status);
    error.iter().for_each(output::complain);
    status
}

/// Where the skipped files are named.
fn where_listed(args: &ResearchArgs) -> &'static str {
    match (args.output, &args.out) {
        (Output::Text, None) => "a report in a folder, --out DIR, lists them",
        (Output::Text, Some(_)) => "listed in the files of --out",
        _ => "listed in the JSON",
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
        progress.note(&format!("{summary}; {}", where_listed(args)));
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

/// The flag that wants a model where none is named, which is no slip: somebody relies on it.
fn no_model() -> ErrorEntry {
    let message = "--require-model is given, and no language model is named";
    let hint = "add --model openai/NAME, or leave --require-model out";
    ErrorEntry { code: "model_missing".into(), cause: None, message: message.into(), hint: hint.into() }
}
