//! Does an index that was brought up to date answer as a new one, and is no more done for it than the change asks for?

mod corpus_support;

use std::fs;

use callboard::corpus::{Corpus, IndexProgress};
use corpus_support::{Bench, search, search_whole, skipped};
use tempfile::TempDir;

/// A sequence of numbers that looks like chance (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % limit as u64).expect("it is below the limit")
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

const THINGS: [&str; 12] = [
    "anchor",
    "sail",
    "rudder",
    "mast",
    "harbour",
    "lighthouse",
    "cargo",
    "captain",
    "storm",
    "compass",
    "rope",
    "dock",
];
const DEEDS: [&str; 6] = ["holds", "carries", "needs", "follows", "protects", "replaces"];

/// A document of a few sections, some of them with several paragraphs.
fn document(chance: &mut Chance) -> String {
    let mut text = format!("# The {} and the {}\n\n", chance.of(&THINGS), chance.of(&THINGS));
    for _ in 0..1 + chance.below(4) {
        text += &format!("## About the {}\n\n", chance.of(&THINGS));
        for _ in 0..1 + chance.below(3) {
            for _ in 0..1 + chance.below(8) {
                let (one, deed, other) = (chance.of(&THINGS), chance.of(&DEEDS), chance.of(&THINGS));
                text += &format!("The {one} {deed} the {other} with number {}. ", chance.below(30));
            }
            text += "\n\n";
        }
    }
    // Some are in a language whose words are not stemmed.
    if chance.below(6) == 0 {
        text.replace("The ", "Der ").replace(" the ", " und der ").replace(" with ", " mit ")
    } else {
        text
    }
}

const QUESTIONS: [&str; 5] = [
    "What does the anchor hold in a storm?",
    "captains and their compasses",
    "number 7",
    "lighthouze",
    "der Rudder mit dem Mast",
];

/// All that can be asked of a corpus, with every score.
fn answers(corpus: &Corpus) -> (Vec<String>, Vec<String>) {
    let mut answers: Vec<String> = QUESTIONS.iter().map(|question| format!("{:?}", search(corpus, question))).collect();
    answers.push(format!("{:?}", search_whole(corpus, QUESTIONS[1], QUESTIONS[0])));
    (answers, skipped(corpus))
}

/// The answers of a new index of the same files.
fn anew(bench: &Bench) -> (Vec<String>, Vec<String>) {
    let cache = TempDir::new().expect("a folder");
    let options =
        callboard::corpus::CorpusOptions { cache_dir: Some(cache.path().to_path_buf()), ..bench.options.clone() };
    let corpus = Corpus::open(&[bench.path()], &options, &mut |_| std::ops::ControlFlow::Continue(()));
    answers(&corpus.expect("it can be opened"))
}

/// Does something to the documents and says what.
fn edit(bench: &Bench, names: &mut Vec<String>, chance: &mut Chance) -> String {
    // New names come before, between and after the others, so that every ordinal shifts.
    let new = format!("{}{}.md", chance.of(&["a", "m", "z"]), chance.below(1000));
    let at = chance.below(names.len());
    let old = names[at].clone();
    let read = || fs::read_to_string(bench.path().join(&old)).expect("it was there");
    match chance.below(6) {
        0 => {
            bench.write(&new, document(chance));
            names.push(new.clone());
            format!("add {new}")
        }
        1 => {
            bench.write(&old, document(chance));
            format!("change {old}")
        }
        2 if names.len() > 4 => {
            fs::remove_file(bench.path().join(&old)).expect("it was there");
            names.remove(at);
            format!("remove {old}")
        }
        3 => {
            fs::rename(bench.path().join(&old), bench.path().join(&new)).expect("it was there");
            names[at] = new.clone();
            format!("rename {old} to {new}")
        }
        4 => {
            bench.write(&new, read());
            names.push(new.clone());
            format!("copy {old} to {new}")
        }
        _ => {
            bench.write(&old, format!("{}\n\nOne more {} than before.\n", read(), chance.of(&THINGS)));
            format!("lengthen {old}")
        }
    }
}

#[test]
fn any_history_gives_the_answers_of_a_new_index() {
    for seed in 0..4 {
        let (bench, mut chance) = (Bench::new(), Chance(seed));
        let mut names: Vec<String> = (0..16).map(|n| format!("{}{n}.md", ["b", "n", "y"][n % 3])).collect();
        for name in &names {
            bench.write(name, document(&mut chance));
        }
        bench.docs();
        let mut history = Vec::new();
        for _ in 0..10 {
            for _ in 0..1 + chance.below(3) {
                history.push(edit(&bench, &mut names, &mut chance));
            }
            names.sort();
            names.dedup();
            let (corpus, seen) = bench.docs();
            assert_eq!(answers(&corpus), anew(&bench), "seed {seed}: {history:?}");
            assert!(indexed(&seen) <= corpus.passages());
        }
    }
}

/// How many passages were tokenised and indexed; `None` when there was no new index.
fn try_indexed(seen: &[IndexProgress]) -> Option<usize> {
    let mut totals = seen.iter().filter_map(|step| match step {
        IndexProgress::Indexing { total, .. } => Some(*total),
        _ => None,
    });
    let total = totals.next()?;
    assert!(totals.all(|other| other == total), "{seen:?}");
    Some(total)
}

fn indexed(seen: &[IndexProgress]) -> usize {
    try_indexed(seen).unwrap_or(0)
}

/// Ten documents of one passage each.
fn ten() -> Bench {
    let bench = Bench::new();
    for (n, thing) in THINGS.iter().take(10).enumerate() {
        bench.write(&format!("d{n}.md"), format!("# Of the {thing}\n\nThe {thing} is described in document {n}.\n"));
    }
    bench
}

#[test]
fn only_what_changed_is_indexed() {
    let bench = ten();
    assert_eq!(indexed(&bench.docs().1), 10);
    assert_eq!(try_indexed(&bench.docs().1), None);
    bench.write("d3.md", "# Of the masts\n\nOne mast.\n\n## And more\n\nAnother mast.\n");
    assert_eq!(indexed(&bench.docs().1), 2, "a changed document");
    bench.write("a.md", "# New\n\nIt comes before all the others.\n");
    assert_eq!(indexed(&bench.docs().1), 1, "a new document, which shifts all others");
    fs::remove_file(bench.path().join("d5.md")).expect("it was there");
    let (corpus, seen) = bench.docs();
    assert_eq!((try_indexed(&seen), corpus.passages()), (Some(0), 11), "a document less");
    fs::rename(bench.path().join("d6.md"), bench.path().join("c.md")).expect("it was there");
    assert_eq!(indexed(&bench.docs().1), 1, "a document with another name");
    let (corpus, _) = bench.docs();
    assert_eq!(answers(&corpus), anew(&bench));
}

#[test]
fn an_index_of_which_little_would_remain_is_a_new_one() {
    let bench = ten();
    bench.docs();
    for n in 0..6 {
        bench.write(&format!("d{n}.md"), format!("# Of another\n\nThis is the other document {n}.\n"));
    }
    let (corpus, seen) = bench.docs();
    assert_eq!(indexed(&seen), 10);
    assert_eq!(answers(&corpus), anew(&bench));
}

#[test]
fn a_document_that_stops_repeating_another_comes_in_and_one_that_begins_to_goes_out() {
    let bench = ten();
    let text =
        "# Of the quay\n\nThe quay is where ships are moored, and it is swept on every second day of the week.\n";
    bench.write("q1.md", text);
    bench.write("q2.md", text);
    let (corpus, seen) = bench.docs();
    assert_eq!((indexed(&seen), skipped(&corpus)), (11, vec!["q2.md: the same text as q1.md".to_owned()]));
    bench.write("q1.md", "# Of the quay\n\nIt was pulled down.\n");
    let (corpus, seen) = bench.docs();
    assert_eq!((indexed(&seen), skipped(&corpus).len()), (2, 0), "the changed one and the one that was its copy");
    assert_eq!(&*search(&corpus, "moored ships").passages[0].file, "q2.md");
    assert_eq!(answers(&corpus), anew(&bench));
    bench.write("b.md", text);
    let (corpus, seen) = bench.docs();
    assert_eq!((indexed(&seen), skipped(&corpus)), (1, vec!["q2.md: the same text as b.md".to_owned()]));
    assert_eq!(search(&corpus, "moored ships").passages.iter().filter(|found| &*found.file == "q2.md").count(), 0);
    assert_eq!(answers(&corpus), anew(&bench));
}

#[test]
fn a_change_that_is_broken_off_leaves_the_earlier_index() {
    let bench = ten();
    let before = answers(&bench.docs().0);
    let cached = bench.cached();
    let old = fs::read(bench.path().join("d3.md")).expect("it is there");
    bench.write("d3.md", "# Of the masts\n\nOne mast.\n");
    let error = bench.try_open(&[bench.path()], &mut |step| match step {
        IndexProgress::Indexing { .. } => std::ops::ControlFlow::Break(()),
        _ => std::ops::ControlFlow::Continue(()),
    });
    assert_eq!(error.expect_err("it was broken off").code(), "interrupted");
    assert_eq!(bench.cached(), cached);
    bench.write("d3.md", old);
    let (corpus, seen) = bench.docs();
    assert_eq!((try_indexed(&seen), answers(&corpus)), (None, before));
}

#[test]
fn damage_that_is_found_when_a_file_has_changed_costs_no_more_than_time() {
    let bench = ten();
    bench.docs();
    for path in bench.cached().into_iter().filter(|path| path.components().any(|part| part.as_os_str() == "index")) {
        let Ok(bytes) = fs::read(&path) else { continue };
        fs::write(&path, &bytes[..bytes.len() / 2]).expect("a file");
        bench.write("d3.md", format!("# Of the masts\n\nThe mast of {} feet.\n", bytes.len()));
        let (corpus, seen) = bench.docs();
        assert!(seen.iter().any(|step| matches!(step, IndexProgress::Rebuilding { .. })), "{}", path.display());
        assert_eq!((indexed(&seen), answers(&corpus)), (10, anew(&bench)), "{}", path.display());
    }
}
