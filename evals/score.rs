//! How good are the answers? Asks the questions of one half, or of both, over the manuals and compares with plain BM25.
//!
//! ```text
//! cargo run --release --example score -- [--half tune|report|both] [-v] [NAME=FOLDER]..
//! ```
//!
//! Without `NAME=FOLDER` the manuals are taken from where the Rust toolchain and Debian put them. `evals/NAME.jsonl`
//! holds the questions. `-v` shows each answer.

mod scorer;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use callboard::corpus::{Corpus, CorpusOptions};

use scorer::answer::{Answer, answer};
use scorer::baseline::Baseline;
use scorer::measure::{Tally, cites, says};
use scorer::questions::{Half, Question, load};
use scorer::table::{HEAD, row};

/// What the baseline may cite where our answer is a refusal: about as much as answers have on average.
const CITATIONS_OF_A_REFUSAL: usize = 7;
/// And quote, where it may quote as much as we do.
const CHARACTERS_OF_A_REFUSAL: usize = 1_900;

struct Options {
    /// Both when there is none.
    half: Option<Half>,
    verbose: bool,
    manuals: Vec<(String, PathBuf)>,
}

fn main() -> ExitCode {
    match options().and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options, String> {
    let mut options = Options { half: Some(Half::Tune), verbose: false, manuals: Vec::new() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "-v" => options.verbose = true,
            "--half" => {
                options.half = match arguments.next().as_deref() {
                    Some("tune") => Some(Half::Tune),
                    Some("report") => Some(Half::Report),
                    Some("both") => None,
                    _ => return Err("--half is tune, report or both".into()),
                }
            }
            other => {
                let (name, folder) = other.split_once('=').ok_or_else(|| format!("{other} is not NAME=FOLDER"))?;
                options.manuals.push((name.into(), folder.into()));
            }
        }
    }
    if options.manuals.is_empty() {
        options.manuals.push(("rust-book".into(), book()?));
        options.manuals.push(("postgresql".into(), "/usr/share/doc/postgresql-doc-15/html".into()));
    }
    Ok(options)
}

/// Where the toolchain keeps the Rust Book.
fn book() -> Result<PathBuf, String> {
    let output =
        Command::new("rustc").args(["--print", "sysroot"]).output().map_err(|error| format!("rustc: {error}"))?;
    let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Ok(Path::new(&sysroot).join("share/doc/rust/html/book"))
}

fn run(options: &Options) -> Result<(), String> {
    let mut rows = Vec::new();
    for (name, folder) in &options.manuals {
        let corpus = open(folder)?;
        let passages = corpus.every_passage().map_err(|error| error.to_string())?;
        let baseline = Baseline::new(passages);
        let questions = load(&Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("evals/{name}.jsonl")))?;
        let stored = |source: &str| corpus.stored_text(source).ok().flatten();
        let (mut ours, mut plain, mut longer) = (Tally::default(), Tally::default(), Tally::default());
        for question in questions.iter().filter(|question| options.half.is_none_or(|half| question.half == half)) {
            let given = answer(&corpus, &question.question)?;
            let citations = if given.cited.is_empty() { CITATIONS_OF_A_REFUSAL } else { given.cited.len() };
            let quoted: usize = given.cited.iter().map(|cited| cited.quote.chars().count()).sum();
            let characters = if quoted == 0 { CHARACTERS_OF_A_REFUSAL } else { quoted };
            ours += Tally::of(question, &given.cited, &stored);
            plain += Tally::of(question, &baseline.answer(&question.question, citations, None), &stored);
            let long = baseline.answer(&question.question, citations, Some(characters));
            longer += Tally::of(question, &long, &stored);
            if options.verbose {
                show(question, &given);
            }
        }
        rows.push(row(name, "callboard", &ours));
        rows.push(row(name, "BM25", &plain));
        rows.push(row(name, "BM25, as long", &longer));
    }
    println!("{HEAD}");
    rows.iter().for_each(|row| println!("{row}"));
    Ok(())
}

fn open(folder: &Path) -> Result<Corpus, String> {
    let mut ignore = |_| ControlFlow::Continue(());
    Corpus::open(&[folder.to_path_buf()], &CorpusOptions::default(), &mut ignore)
        .map_err(|error| format!("{}: {error}\n{}", folder.display(), error.hint()))
}

/// One answer, with its marks.
fn show(question: &Question, given: &Answer) {
    println!("{} {:?}: {}", question.id, question.kind, question.question);
    for part in &question.parts {
        println!("  file {}, phrase {}", cites(part, &given.cited), says(part, &given.cited));
    }
    for (task, found) in given.tasks.iter().zip(&given.findings) {
        println!("  {} {} (coverage {:.2})", task.id, task.question, found.coverage);
    }
    for claim in given.draft.sections.iter().flat_map(|section| &section.claims) {
        println!("    [{}] {}", claim.evidence[0].file, claim.text);
    }
}
